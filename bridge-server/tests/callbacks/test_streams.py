"""Answers in steps: each line of newline-delimited JSON, and what can be wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge_server.backends.base import Result, Undeliverable, WampError
from wamp_bridge_server.callbacks.streams import MAX_LINE_BYTES, streamed_result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def line(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


def result(*args: Any, **kwargs: Any) -> bytes:
    return line(result={"args": args, "kwargs": kwargs})


def step(*args: Any) -> bytes:
    return line(progress={"args": args})


class Taking:
    def __init__(self) -> None:
        self.steps: list[list[Any]] = []

    async def __call__(self, given: Result) -> None:
        self.steps.append(list(given.args))


async def read(*parts: bytes) -> tuple[list[list[Any]], Result]:
    taking = Taking()
    return taking.steps, await streamed_result(chunks(*parts), taking)


async def error_of(*parts: bytes) -> WampError:
    with pytest.raises(WampError) as raised:
        await read(*parts)
    return raised.value


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_lines_come_in_any_pieces(size: int) -> None:
    text = step(1) + b"\r\n\n" + step("\0aGk=", [2]) + result("é", of=2)
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    steps, given = await read(*parts)
    assert steps == [[1], [b"hi", [2]]]
    assert given == Result(["é"], {"of": 2})


async def test_the_last_line_may_lack_its_end() -> None:
    assert await read(result(1).rstrip()) == ([], Result([1], {}))
    assert await read(line(result={})) == ([], Result([], {}))


async def test_what_comes_after_the_result_is_not_read() -> None:
    assert await read(result(1), b"no JSON\n") == ([], Result([1], {}))


async def test_steps_that_nobody_wants_are_passed_over() -> None:
    assert await streamed_result(chunks(step(1), result(2)), None) == Result([2], {})


async def test_a_stream_may_end_with_an_error() -> None:
    error = await error_of(step(1), line(error="com.shop.closed", args=["now"], kwargs={"a": 1}))
    assert (error.uri, error.wamp_args, error.wamp_kwargs) == ("com.shop.closed", ["now"], {"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        step(1),
        b"no JSON\n",
        b"[1]\n",
        b"{}\n",
        line(progress={}, result={}),
        line(progress=1),
        line(progress={"args": 1}),
        line(result=[1]),
        line(result={"kwargs": []}),
        line(error="no uri"),
        line(error=1),
        line(error="com.x", args=1),
        line(result={"args": ["\0!"]}),
        line(result={"args": ["x" * MAX_LINE_BYTES]}),
        b"x" * (MAX_LINE_BYTES + 1),
    ],
)
async def test_what_cannot_be_read_is_an_error_of_the_app(text: bytes) -> None:
    assert (await error_of(text)).uri == "wamp.error.runtime_error"


async def test_a_value_has_as_many_levels_as_in_an_answer_in_one_piece() -> None:
    def nested(levels: int) -> Any:
        value: Any = []
        for _ in range(levels - 1):
            value = [value]
        return value

    _, given = await read(result(nested(62)))
    assert list(given.args) == [nested(62)]
    assert (await error_of(result(nested(63)))).uri == "wamp.error.runtime_error"


async def test_a_step_that_wamp_cannot_carry_is_told() -> None:
    async def refuse(_: Result) -> None:
        raise Undeliverable("an integer is beyond 64 bits")

    with pytest.raises(WampError, match="beyond 64 bits"):
        await streamed_result(chunks(step(2**70)), refuse)
