"""The demo: a Flask app and a WAMP program talk through the bridge, in all directions."""
