"""An app, a program of its own: writes down each delivery, and then answers.

python -m faults.app PORT BOOK
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from faults.ledger import Arrival, Book
from support.served import SECRET
from wamp_bridge.core import VerificationError, WebhookSigner


def application(book: Book) -> web.Application:
    """Make the app."""
    signer = WebhookSigner([SECRET])

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            signer.verify(request.headers, body, time.time())
        except VerificationError as error:
            return web.Response(status=401, text=str(error))
        envelope = json.loads(body)
        if envelope["type"] == "invocation":
            return web.json_response(envelope["args"])
        book.add(_arrival(request.headers["webhook-id"], envelope))
        return web.Response(status=204)

    made = web.Application()
    made.router.add_post("/{rest:.*}", handle)
    return made


def _arrival(message: str, envelope: dict[str, Any]) -> Arrival:
    if envelope["type"] == "event":
        return Arrival(envelope["topic"], message, envelope["publication"], envelope["args"][0])
    return Arrival("outcomes", message, envelope["call"], None)


if __name__ == "__main__":
    web.run_app(
        application(Book(Path(sys.argv[2]))),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=None,
        access_log=None,
    )
