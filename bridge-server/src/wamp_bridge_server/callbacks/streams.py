"""An answer to an invocation that comes in steps: newline-delimited JSON (protocol, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wamp_bridge_server.backends.base import Undeliverable, WampError
from wamp_bridge_server.callbacks.answers import is_uri, result_in
from wamp_bridge_server.errors import RUNTIME_ERROR
from wamp_bridge_server.values import BadBinary, BadText, load_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from wamp_bridge_server.backends.base import Result

STREAM_TYPE: Final = "application/x-ndjson"
MAX_LINE_BYTES: Final = 1024 * 1024
"""Of one line; the whole is as long as its deadline lets it."""

_AROUND: Final = 1
"""Levels that a line has around what an answer in one piece would be."""


async def streamed_result(
    chunks: AsyncIterator[bytes], progress: Callable[[Result], Awaitable[None]] | None
) -> Result:
    """The result that a stream ends with. What comes after it is not read.

    Args:
        chunks: The body as it comes.
        progress: Takes each progressive result; without it, they are passed over.

    Raises:
        WampError: The error that it ends with, or that it ends with nothing or can't be read.
    """
    async for line in _lines(chunks):
        kind, members = _read(line)
        if kind == "error":
            uri, outcome = members["error"], result_in(members)
            if not is_uri(uri) or outcome is None:
                raise _unreadable('its "error" is none')
            raise WampError(uri, outcome.args, outcome.kwargs)
        outcome = result_in(members[kind])
        if outcome is None:
            raise _unreadable(f'its "{kind}" is no object with "args" and "kwargs"')
        if kind == "result":
            return outcome
        if progress is not None:
            try:
                await progress(outcome)
            except Undeliverable as error:
                text = f"A step of the app's answer can't be delivered: {error}."
                raise WampError(RUNTIME_ERROR, [text]) from None
    raise WampError(RUNTIME_ERROR, ["The app's answer ended before its result."])


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines that hold something; the last one may lack its end."""
    begun = bytearray()
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            begun += line
            _check_length(begun)
            if begun.strip():
                yield bytes(begun)
            begun.clear()
        begun += rest
        _check_length(begun)
    if begun.strip():
        yield bytes(begun)


def _check_length(line: bytearray) -> None:
    if len(line) > MAX_LINE_BYTES:
        raise _unreadable("it is longer than the bridge takes")


def _read(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        value = load_json(line, outside=-_AROUND)
    except (BadText, BadBinary) as error:
        raise _unreadable(f"it is no JSON that WAMP can carry: {error}") from None
    kinds = value.keys() & {"progress", "result", "error"} if isinstance(value, dict) else ()
    if len(kinds) != 1:
        raise _unreadable('it has none of "progress", "result" and "error", or several')
    return next(iter(kinds)), value


def _unreadable(why: str) -> WampError:
    return WampError(RUNTIME_ERROR, [f"A line of the app's answer can't be read: {why}."])
