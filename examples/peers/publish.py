"""Publish an event over WAMP.

python examples/peers/publish.py com.supplier.price teapot 21.5 --router ws://127.0.0.1:8080/ws
"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError, InvalidUriError
from autobahn.wamp.types import PublishOptions


def value(text: str) -> Any:
    """The JSON value that `text` is, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


parser = ArgumentParser(description="Publish an event over WAMP.")
parser.add_argument("topic")
parser.add_argument("args", nargs="*", type=value)
parser.add_argument("--router", default="ws://127.0.0.1:8080/ws")
options = parser.parse_args()

publisher = Component(
    transports=[{"type": "websocket", "url": options.router, "max_retries": 0}], realm="realm1"
)
acknowledged: list[Any] = []


@publisher.on_join
async def joined(session: Any, _details: object) -> None:
    wanted = PublishOptions(acknowledge=True)
    try:
        acknowledged.append(await session.publish(options.topic, *options.args, options=wanted))
    except (ApplicationError, InvalidUriError) as error:
        print(error, file=sys.stderr)
    finally:
        session.leave()


run([publisher], log_level="error")
sys.exit(0 if acknowledged else 1)
