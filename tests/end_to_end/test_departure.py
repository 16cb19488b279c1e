"""The bridge is told to end while WAMP clients and apps are busy with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from support.peers import ApplicationError, joined
from support.served import ServedBridge
from support.servers import Posted, callback_server
from support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from support.router import CrossbarRouter


async def test_what_was_taken_is_finished_and_others_take_over(
    tmp_path: Path, router: CrossbarRouter, namespace: str
) -> None:
    served, asked, slow = (f"{namespace}.{name}" for name in ("served", "asked", "slow"))
    answered = asyncio.Event()

    async def answering(posted: Posted) -> web.Response:
        if posted.document["procedure"] == slow:
            await answered.wait()
        return web.json_response("done")

    async def of_peer() -> str:
        await answered.wait()
        return "of the peer"

    with ServedBridge(tmp_path, router.url) as bridge:
        bridge.wait_until_ready()
        async with (
            callback_server(answering) as app,
            bridge.client(timeout=30) as http,
            joined(router.url) as peer,
        ):
            await http.post("/register/", json={"endpoints": {served: app.url, slow: app.url}})
            await peer.register(asked, of_peer)
            call = asyncio.create_task(http.post(f"/call/{asked}/", json={}))
            invocation = asyncio.ensure_future(peer.call(slow))
            own = asyncio.create_task(http.post(f"/call/{slow}/", json={}))
            await eventually(lambda: len(app.posted) == 2)
            ending = asyncio.create_task(asyncio.to_thread(bridge.stop))

            async def stopping() -> bool:
                return bool((await http.get("/health/ready")).json()["phase"] == "stopping")

            await eventually(stopping)
            with pytest.raises(ApplicationError) as raised:
                await peer.call(served)
            assert raised.value.error == "wamp.error.unavailable"
            assert (await http.post(f"/call/{asked}/", json={})).status_code == 503
            answered.set()
            assert (await call).json()["result"] == "of the peer"
            assert (await own).json()["result"] == "done"
            assert await invocation == "done"
            assert await ending == 0
            await peer.register(served, lambda: "taken over")
            assert await peer.call(served) == "taken over"
