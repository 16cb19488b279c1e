"""Parts of the WAMP backend by themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from autobahn.wamp.message import Call, Invocation
from hypothesis import given, settings
from hypothesis import strategies as st

from support.listening import Listening
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Undeliverable
from wamp_bridge_server.backends.values import (
    GREATEST_INTEGER,
    LEAST_INTEGER,
    check_arguments,
    check_uri,
)
from wamp_bridge_server.backends.wamp import Patience, WampBackend
from wamp_bridge_server.backends.wamp.codec import Codec, Malformed
from wamp_bridge_server.backends.wamp.watch import Watch

if TYPE_CHECKING:
    from support.router import CrossbarRouter

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(LEAST_INTEGER, GREATEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@settings(deadline=None)
@given(args=st.lists(VALUES), kwargs=st.dictionaries(st.text(), VALUES))
@pytest.mark.parametrize("serializer", ["cbor", "msgpack"])
def test_what_passes_the_check_arrives_exactly(
    serializer: str, args: list[Any], kwargs: dict[str, Any]
) -> None:
    check_arguments(args, kwargs)
    codec = Codec(serializer)
    raw = codec.encode(Call(7, "com.f", args, kwargs))
    read = codec.decode(raw)
    assert isinstance(read, Call)
    assert (read.args or [], read.kwargs or {}) == (args, kwargs)


@settings(deadline=None)
@given(st.binary(max_size=64))
@pytest.mark.parametrize("serializer", ["cbor", "msgpack", "json"])
def test_no_bytes_at_all_disturb_the_codec(serializer: str, payload: bytes) -> None:
    Codec(serializer).decode(payload)


def test_what_is_known_of_a_message_that_cannot_be_read() -> None:
    codec = Codec("cbor")
    payload = codec.encode(Invocation(5, 2**40, args=[]))
    deep = b"\x85" + payload[1:] + b"\x81" * 500 + b"\x01"
    read = codec.decode(deep)
    assert isinstance(read, Malformed)
    assert read.head[:3] == (68, 5, 2**40)


@pytest.mark.parametrize("value", [float("nan"), 2**64, {1, 2}, {1: 2}, "\ud800", object], ids=repr)
def test_the_codec_writes_nothing_that_it_cannot(value: Any) -> None:
    for serializer in ("cbor", "msgpack", "json"):
        codec = Codec(serializer)
        with pytest.raises(Undeliverable):
            check_arguments([value], {})
        if value == "\ud800" or type(value) is object:
            with pytest.raises(Undeliverable):
                codec.encode(Call(1, "com.f", [value]))


@pytest.mark.parametrize("uri", ["a", "com.f", "com.é", "com.A-b_c", "1.2.3", "com.{x}:y/z"])
def test_uris_that_all_is_well_with(uri: str) -> None:
    for match in ("exact", "prefix", "wildcard"):
        check_uri(uri, match)


@pytest.mark.parametrize("pattern", [".", "..", "com.", ".com", "com..f", "..f"])
def test_wildcards_may_have_empty_components(pattern: str) -> None:
    check_uri(pattern, "wildcard")


class Line:
    """A channel, as far as a watch looks at it."""

    def __init__(self) -> None:
        self.serializer = "cbor"
        self.max_payload = 1
        self.buffered = 0
        self.paused = False
        self.last_received = asyncio.get_running_loop().time()

    async def drained(self) -> None:
        """Wait for nothing."""

    def pause(self, *, paused: bool) -> None:
        """Read nothing, or go on."""
        self.paused = paused

    def send(self, payload: bytes) -> None:
        """Send nothing."""

    def close(self) -> None:
        """Close nothing."""

    def abort(self) -> None:
        """Close nothing."""


async def test_a_watch_asks_once_and_then_gives_up() -> None:
    said: list[str] = []
    watch = Watch(
        Line(), Patience(probe=0.1, silence=0.9), lambda: said.append("probe"), said.append
    )
    await eventually(lambda: len(said) == 2)
    assert said[0] == "probe"
    assert "silent" in said[1]
    watch.stop()


async def test_a_watch_that_overslept_first_lets_the_loop_read() -> None:
    line = Line()
    said: list[str] = []
    watch = Watch(line, Patience(probe=0.1, silence=1.4), lambda: said.append("probe"), said.append)
    time.sleep(1.5)  # noqa: ASYNC251 - the whole process stands still, as under SIGSTOP
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, lambda: setattr(line, "last_received", loop.time()))
    await eventually(lambda: said)
    assert said == ["probe"]
    watch.stop()


async def test_a_watch_does_not_hear_silence_while_nothing_is_read() -> None:
    line = Line()
    line.pause(paused=True)
    said: list[str] = []
    watch = Watch(
        line, Patience(probe=0.01, silence=0.02), lambda: said.append("probe"), said.append
    )
    looked = watch._due
    await eventually(lambda: watch._due > looked + 0.1)
    assert not said
    line.pause(paused=False)
    await eventually(lambda: said)
    watch.stop()


def test_it_works_under_uvloop(router: CrossbarRouter, namespace: str) -> None:
    async def talk(url: str) -> None:
        listening = Listening()
        backend = WampBackend(url)
        await backend.start(listening)
        shop, other = backend.session("shop"), backend.session("other")
        await shop.register(namespace, "exact", "single")
        await shop.subscribe(namespace, "exact")
        result = await other.call(namespace, ["x" * 100_000], {"a": 1}, timeout=10)
        assert (result.args, result.kwargs) == ([["x" * 100_000]], {"a": 1})
        await other.publish(namespace, [1], {}, PublishOptions())
        await eventually(lambda: listening.events)
        await backend.close()
        await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    for url in (router.url, router.websocket_url):
        uvloop.run(talk(url))


async def test_autobahn_keeps_quiet(
    router: CrossbarRouter, listening: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (router.url, router.websocket_url, f"ws://{router.host}:{router.port}/nowhere"):
        backend = WampBackend(url)
        await backend.start(listening)
        tried = backend._own
        assert tried is not None
        await eventually(tried._tried.is_set)
        await backend.close()
    assert [record for record in caplog.records if record.name.startswith("autobahn")] == []
