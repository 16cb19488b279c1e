"""The router stops, starts, falls silent: what the sessions make of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.peers import joined
from support.router import CrossbarRouter
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Unavailable
from wamp_bridge_server.backends.wamp import Patience, WampBackend
from wamp_bridge_server.devrouter.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.listening import Listening
    from wamp_bridge_server.backends.base import Session

REGISTRATIONS = 1000


@pytest.fixture
async def backend(
    own_router: CrossbarRouter, listening: Listening, no_task_left: None
) -> AsyncIterator[WampBackend]:
    """A backend at a router that the test may do with what it likes."""
    assert no_task_left is None
    made = WampBackend(own_router.url)
    await made.start(listening)
    yield made
    await made.close()


async def unavailable(session: Session) -> str:
    """Why a call is refused, at once."""
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable) as caught:
            await session.call("com.f", [], {}, timeout=30)
    return str(caught.value)


async def flood(session: Session) -> None:
    """Publish a hundred megabytes."""
    for _ in range(100):
        options = PublishOptions(acknowledge=False)
        await session.publish("com.a", ["x" * 2**20], {}, options)


async def test_a_router_that_stops_and_starts_again(
    own_router: CrossbarRouter, backend: WampBackend, listening: Listening
) -> None:
    shop = backend.session("shop")
    others = [backend.session(f"app{number}") for number in range(50)]
    registering: list[asyncio.Task[Any]] = []

    async def register() -> None:
        await asyncio.gather(
            *(shop.register(f"com.p{number}", "exact", "single") for number in range(REGISTRATIONS))
        )

    def on_join(app: str) -> None:
        if app == "shop":
            registering.append(asyncio.create_task(register()))

    listening.on_join = on_join
    await eventually(lambda: registering)
    await registering[0]
    await eventually(lambda: backend.joined and all(other.joined for other in others))

    await asyncio.to_thread(own_router.kill)
    await eventually(lambda: len(listening.leaves) == 51)
    assert not backend.joined
    assert not shop.joined
    assert "lost" in listening.leaves[0][1] or "closed" in listening.leaves[0][1]
    assert await unavailable(shop)
    assert await unavailable(backend.session("new"))

    await asyncio.to_thread(own_router.start)
    loop = asyncio.get_running_loop()
    returned = loop.time()
    await eventually(lambda: len(registering) == 2)
    await registering[1]
    await eventually(lambda: backend.joined and all(other.joined for other in others))
    assert loop.time() - returned < 5
    last = await others[0].call(f"com.p{REGISTRATIONS - 1}", [1], {}, timeout=10)
    assert last.args == [[1]]


async def test_a_router_that_comes_later(listening: Listening, no_task_left: None) -> None:
    assert no_task_left is None
    router = CrossbarRouter(port=free_port("127.0.0.1"))
    backend = WampBackend(router.url)
    await backend.start(listening)
    shop = backend.session("shop")
    with pytest.raises(Unavailable, match="can't be reached"):
        await shop.call("com.f", [], {}, timeout=30)
    assert await unavailable(shop)
    assert "can't be reached" in (backend.reason or "")
    try:
        await asyncio.to_thread(router.start)
        await eventually(lambda: backend.joined and shop.joined, within=3)
        assert listening.leaves == []
        await backend.close()
    finally:
        await asyncio.to_thread(router.stop)


async def test_a_router_that_stands_still_is_noticed(
    own_router: CrossbarRouter, backend: WampBackend, listening: Listening
) -> None:
    shop = backend.session("shop")
    await eventually(lambda: shop.joined)
    loop = asyncio.get_running_loop()
    own_router.suspend()
    try:
        stopped = loop.time()
        pending = asyncio.create_task(shop.call("com.f", [], {}, timeout=60))
        await asyncio.sleep(0)  # the call is on its way
        # What the network doesn't take is not piled up without end meanwhile.
        with pytest.raises(Unavailable, match="takes no more"):
            await flood(shop)
        with pytest.raises(Unavailable, match="silent"):
            await pending
        assert loop.time() - stopped < 15
        await eventually(lambda: not backend.joined)
        assert await unavailable(shop)
    finally:
        own_router.resume()
    await eventually(lambda: backend.joined and shop.joined)
    assert listening.leaves[0][0] == "shop"
    async with joined(own_router.url) as peer:
        await peer.register("com.f", lambda: "well again")
        assert (await shop.call("com.f", [], {}, timeout=10)).args == ["well again"]


class BrokenLine:
    """A TCP proxy whose line can break, so that neither side hears of the other's end."""

    def __init__(self, router: CrossbarRouter) -> None:
        self._router = router
        self._broken: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def break_off(self) -> None:
        """Break all connections of now; later ones are whole."""
        self._broken |= self._open

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_router, to_router = await asyncio.open_connection(self._router.host, self._router.port)
        self._open.add(to_router)
        there = asyncio.create_task(self._there(reader, to_router))
        while data := await from_router.read(65536):
            if to_router in self._broken:
                break  # what is sent to a client that is gone tells the router so
            writer.write(data)
        there.cancel()
        to_router.close()
        writer.close()

    async def _there(self, reader: asyncio.StreamReader, to_router: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if to_router not in self._broken:
                to_router.write(data)
        if to_router not in self._broken:
            to_router.close()


async def test_after_a_broken_line_the_session_is_not_kept_out_by_its_own_ghost(
    router: CrossbarRouter, listening: Listening, namespace: str, no_task_left: None
) -> None:
    assert no_task_left is None
    line = BrokenLine(router)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    patience = Patience(probe=0.5, silence=3)
    backend = WampBackend(f"rs://127.0.0.1:{port}", patience=patience)
    await backend.start(listening)
    shop = backend.session("shop")
    await shop.register(namespace, "exact", "single")
    line.break_off()
    await eventually(lambda: listening.leaves)
    assert "silent" in listening.leaves[0][1]
    await eventually(lambda: len(listening.joins) == 2)
    await shop.register(namespace, "exact", "single")
    assert (await shop.call(namespace, [1], {}, timeout=10)).args == [[1]]
    await backend.close()
    server.close()
