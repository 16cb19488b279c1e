"""Names of hosts: those of one app are not waited for by another."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.destinations import destinations
from support.servers import CallbackServer, callback_server
from wamp_bridge_server.callbacks.lookups import AT_ONCE
from wamp_bridge_server.callbacks.probes import Nobody
from wamp_bridge_server.callbacks.sender import Failure, Sender, SendError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LATE = 40  # more than an event loop has threads for on most machines
ALLOWED = {"shop": destinations("late.test:*"), "bank": destinations("found.test:*")}


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender(lambda _: None, ALLOWED.get)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were looked up; those under late.test are found when the test ends."""
    system, over, names = socket.getaddrinfo, threading.Event(), list[str]()

    def look_up(host: str, *rest: Any, **more: Any) -> Any:
        if not host.endswith(".test"):
            return system(host, *rest, **more)
        names.append(host)
        if host.endswith("late.test"):
            over.wait()
        return system("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield names
    over.set()


async def test_names_that_are_never_found_keep_no_other_app_waiting(
    sender: Sender, app: CallbackServer, asked: list[str]
) -> None:
    url = f"http://found.test:{app.url.rsplit(':', 1)[1]}"

    async def late(number: int) -> Failure | None:
        place = f"http://{number}.late.test/"
        with pytest.raises(SendError) as raised:
            await sender.post("shop", place, b"{}", message="m", attempt=1, within=0.2)
        with pytest.raises(Nobody):
            await sender.probe("shop", f"{number}.late.test", 80, 0.2)
        return raised.value.failure

    assert set(await asyncio.gather(*map(late, range(LATE)))) == {Failure.LATE}
    assert len(asked) == AT_ONCE
    answer = await sender.post("bank", url, b"{}", message="m", attempt=1, within=20)
    assert answer.accepted
    await sender.probe("bank", "found.test", int(url.rsplit(":", 1)[1].strip("/")), 20)
