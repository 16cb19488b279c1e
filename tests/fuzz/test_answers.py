"""Apps that answer whatever comes into their heads: each caller gets an answer of the protocol's.

None of it ends the app's session at the router, or is logged as an error of the bridge.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

from support.fuzzing.answering import answer_to
from support.fuzzing.examples import REQUESTS, batches
from support.fuzzing.tape import Tape
from support.peers import joined
from support.served import ServedBridge
from support.servers import raw_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from support.router import CrossbarRouter

CALLS = REQUESTS // 20

# What becomes of a call whose app answers something else than a result (protocol, section 3).
ERRORS = {
    "wamp.error.invalid_argument": 400,
    "wamp.error.not_authorized": 403,
    "wamp.error.no_such_procedure": 404,
    "wamp.error.timeout": 504,
    "wamp.error.unavailable": 503,
    "wamp.error.canceled": 503,
}


class App:
    """An app that answers as its tapes say."""

    def __init__(self) -> None:
        self.tapes: Iterator[Tape] = iter(())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        size = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-len"))
        message = json.loads(await reader.readexactly(size))
        writer.write(answer_to(next(self.tapes, Tape(b"")), message["type"]))
        await writer.drain()


async def call(http: httpx.AsyncClient, *, callback: str | None) -> None:
    """Call the app, and see to it that the answer is one of the protocol's."""
    answer = await http.post("/call/com.fuzz.wild/", json={"callback": callback})
    document: dict[str, Any] = answer.json()
    if answer.status_code in {200, 202}:
        assert set(document) in ({"result", "args", "kwargs"}, {"id", "status"})
        return
    assert document["status"] == answer.status_code, document
    assert answer.status_code == ERRORS.get(document["error"], 500), document
    assert isinstance(document["args"], list)
    assert isinstance(document["kwargs"], dict)


async def ask(bridge: ServedBridge, app: App, url: str, tapes: list[Tape]) -> None:
    """Have the app called as often as there are answers."""
    app.tapes = iter(tapes)
    async with bridge.client(timeout=60) as http:
        callbacks = itertools.cycle((None, None, None, f"{url}outcome/"))
        await asyncio.gather(*(call(http, callback=next(callbacks)) for _ in tapes))
        await http.post("/announce/", json={"url": f"{url}source/"})
        await http.post("/publish/com.fuzz.wild/", json={})


async def test_whatever_an_app_answers_its_caller_is_answered(
    tmp_path: Path, router: CrossbarRouter
) -> None:
    app = App()
    with ServedBridge(tmp_path, router.url) as bridge:
        bridge.wait_until_ready()
        async with raw_server(app.serve) as url, joined(router.url) as peer:
            async with bridge.client() as http:
                for path in ("/register/", "/subscribe/"):
                    made = {"endpoints": {"com.fuzz.wild": url}}
                    assert (await http.post(path, json=made)).is_success
            sessions = set(await peer.call("wamp.session.list"))
            for tapes in batches(CALLS):
                await ask(bridge, app, url, tapes)
            assert sessions <= set(await peer.call("wamp.session.list"))
            assert await asyncio.to_thread(bridge.stop) == 0  # the app goes on answering
    bridge.check_log()
