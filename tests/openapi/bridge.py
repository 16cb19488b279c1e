"""The bridge for one who asks with wrong credentials a thousand times, on purpose."""

from wamp_bridge_server.cli import main
from wamp_bridge_server.services import throttle

throttle.FAILURES = 10**9
main()
