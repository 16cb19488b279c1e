"""`python -m wamp_bridge_server` is `wamp-bridge`."""

from wamp_bridge_server.cli import main

if __name__ == "__main__":
    main()
