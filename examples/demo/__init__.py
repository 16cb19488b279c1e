"""The demo: a web app and a WAMP program talk through the bridge, in all directions."""
