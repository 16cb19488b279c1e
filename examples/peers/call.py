"""Call a procedure over WAMP and print its result.

python examples/peers/call.py com.shop.price teapot --router ws://127.0.0.1:8080/ws
"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError, InvalidUriError


def value(text: str) -> Any:
    """The JSON value that `text` is, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


parser = ArgumentParser(description="Call a procedure over WAMP.")
parser.add_argument("procedure")
parser.add_argument("args", nargs="*", type=value)
parser.add_argument("--router", default="ws://127.0.0.1:8080/ws")
parser.add_argument("--user", help="who joins, where the router wants to know")
parser.add_argument("--password", help="the user's")
options = parser.parse_args()

login = {"ticket": {"authid": options.user, "ticket": options.password}}
caller = Component(
    transports=[{"type": "websocket", "url": options.router, "max_retries": 0}],
    realm="realm1",
    authentication=login if options.user else None,
)
results: list[Any] = []


@caller.on_join
async def joined(session: Any, _details: object) -> None:
    try:
        results.append(await session.call(options.procedure, *options.args))
    except (ApplicationError, InvalidUriError) as error:
        print(error, file=sys.stderr)
    finally:
        session.leave()


run([caller], log_level="error")
if not results:
    sys.exit(1)
print(json.dumps(results[0]))
