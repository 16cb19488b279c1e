"""Asks a bridge fuzzed requests over many connections, and looks at each answer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from wamp_bridge.core._event_streams import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.fuzzing.asking import Asked

ANSWER_SECONDS = 25.0
"""Less than the bridge's own patience, so that nothing is answered by that alone."""
GRACE_SECONDS = 0.2
"""How long to listen for an answer to what is no request beyond doubt."""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def last(self) -> bool:
        """Whether the connection is closed after it."""
        return self.headers.get("connection", "").lower() == "close"


@dataclass
class Exchange:
    """All that was asked and answered.

    Args:
        host: The bridge's address.
        port: And port.
    """

    host: str
    port: int
    whole: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _others: set[asyncio.Task[None]] = field(default_factory=set)

    async def ask(self, requests: Sequence[Asked], local: str) -> None:
        """Ask those that are whole one behind the other, and each other one by itself.

        Args:
            requests: In their order.
            local: The address to come from: who fails too often is answered 429 alone.
        """
        whole = [request for request in requests if request.whole]
        others = [request for request in requests if not request.whole]
        self.whole += len(whole)
        waiting = whole
        while waiting:
            answered = await self._pipelined(waiting, local)
            if not answered:
                self.wrong.append(f"no answer to {_shown(waiting[0].octets)}")
                answered = 1
            waiting = waiting[answered:]
        for request in others:
            task = asyncio.create_task(self._other(request, local))
            self._others.add(task)
            task.add_done_callback(self._others.discard)

    async def finish(self) -> None:
        """Wait for what is still under way."""
        await asyncio.gather(*self._others)

    async def _pipelined(self, requests: Sequence[Asked], local: str) -> int:
        """Ask over one connection, as long as that lasts; how many were answered."""
        reader, writer = await self._open(local)
        answered = 0
        try:
            writer.write(b"".join(request.octets for request in requests))
            for request in requests:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await _read(reader, head=request.head)
                if answer is None:
                    break
                self._check(answer, request)
                answered += 1
                if answer.last:
                    break
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return answered

    async def _other(self, request: Asked, local: str) -> None:
        reader, writer = await self._open(local)
        try:
            writer.write(request.octets)
            while True:
                async with asyncio.timeout(GRACE_SECONDS):
                    answer = await _read(reader, head=request.head)
                if answer is None:
                    break
                self._check(answer, request)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.transport.abort()  # in the midst of whatever it is

    async def _open(self, local: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, local_addr=(local, 0))

    def _check(self, answer: Answer, request: Asked) -> None:
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        problem = _problem_of(answer)
        # Who has no time for an answer gets none.
        if answer.status == HTTPStatus.GATEWAY_TIMEOUT and b'"timeout"' in request.octets:
            problem = None
        if problem is not None:
            self.wrong.append(
                f"{problem}: {answer.status} {answer.body[:300]!r} to {_shown(request.octets)}"
            )


def _problem_of(answer: Answer) -> str | None:
    status, headers = answer.status, answer.headers
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "a 5xx"
    if headers.get("wamp-bridge-protocol") != "1" or not headers.get("request-id"):
        return "an answer without its headers"
    if status == HTTPStatus.UNAUTHORIZED and "www-authenticate" not in headers:
        return "a 401 without its header"
    try:
        document = json.loads(answer.body or b"{}")
    except ValueError:
        return "an answer that is no JSON"
    if status < HTTPStatus.BAD_REQUEST or not answer.body:  # HEAD
        return None
    # Crossbar's clients are answered in its words.
    good = document.get("status", status) == status
    said = document.get("detail") or document.get("error")
    return None if good and said else "an error that doesn't say what is wrong"


async def _read(reader: asyncio.StreamReader, *, head: bool) -> Answer | None:
    """Read an answer; None where the connection was closed before one."""
    while True:
        try:
            octets = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise ConnectionError("half an answer") from None
            return None
        first, *lines = octets[:-4].decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        if status >= HTTPStatus.OK:  # and no "100 Continue"
            break
    headers = {}
    for line in lines:
        name, _, text = line.partition(":")
        headers[name.lower()] = text.strip()
    answer = Answer(status, headers, b"")
    if head or status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return answer
    try:
        if not headers.get("content-type", "").startswith("text/event-stream"):
            answer.body = await reader.readexactly(int(headers["content-length"]))
        elif not answer.last:  # how a call ended; a topic that is followed has no end
            answer.body = await _last_event(reader)
    except asyncio.IncompleteReadError:
        raise ConnectionError("half an answer") from None
    return answer


async def _last_event(reader: asyncio.StreamReader) -> bytes:
    """The data of the last event in an answer that comes in chunks."""
    events, data = Reader(), b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        for message in events.feed(await reader.readexactly(size)):
            data = message.data
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")
    return data


def _shown(octets: bytes) -> str:
    return repr(octets[:1500])
