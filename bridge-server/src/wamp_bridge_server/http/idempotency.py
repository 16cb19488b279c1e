"""`Idempotency-Key`: what is asked once more is answered once more, and not done.

The header is that of the IETF's draft (draft-ietf-httpapi-idempotency-key-header): a string of
structured fields. Most clients send the bare text, which is taken as well.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from wamp_bridge_server.errors import CallFailed, Malformed
from wamp_bridge_server.http.routes import Parameter, described
from wamp_bridge_server.store.idempotency import KeptAnswer
from wamp_bridge_server.values import NotJson, encode_json, load_json, to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wamp_bridge_server.http import bodies
    from wamp_bridge_server.http.asking import Asking
    from wamp_bridge_server.services.idempotency import HeldKey, Idempotency

    Do = Callable[[HeldKey | None], Awaitable[web.Response]]

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
MAX_KEY_LENGTH = 255

_IN_STRING = r'(?:[ !#-\[\]-~]|\\["\\])'
_VISIBLE = r"[!#-+\--:<-\[\]-~]"  # save what strings and lists are written with
_STRING = re.compile(f'"({_IN_STRING}+)"')
_BARE = re.compile(f"{_VISIBLE}+")
_ESCAPED = re.compile(r'\\(["\\])')

_EITHER = f'^({_VISIBLE}{{1,{MAX_KEY_LENGTH}}}|"{_IN_STRING}{{1,{MAX_KEY_LENGTH}}}")$'
KEY = Parameter(
    HEADER,
    described(str, "Visible ASCII, or a string of structured fields.", pattern=_EITHER),
    "Does the request once, however often it comes.",
    "order-17",
    "header",
)

# Of errors that WAMP answered: the procedure isn't there, or isn't for this app. Nothing was done.
_REFUSED = {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}

_encode = msgspec.json.Encoder(order="sorted").encode


class Repeats:
    """Does requests that have a key once."""

    def __init__(self, idempotency: Idempotency) -> None:
        self._idempotency = idempotency

    async def answer(
        self, ask: Asking, body: bodies.Call | bodies.Publish, do: Do, *variant: str
    ) -> web.Response:
        """Answer a request: as before where it has a key that was answered, else by doing it.

        Args:
            ask: The request.
            body: Its body, read.
            do: Does it. Is given the key, and may settle it itself, together with what it writes.
            variant: What else of the request makes it another.

        Raises:
            Malformed: The header can't be read.
            Unprocessable: The key was used for another request.
            Conflict: The request is under way, or its answer was too large to be kept.
            Problem: What `do` raised, or had raised.
        """
        key = idempotency_key(ask.request.headers.getall(HEADER, ()))
        if key is None:
            return await do(None)
        kind = type(body).__name__
        # The token is no part of what is asked: it may be another one by the next time.
        asked = _encode([variant, msgspec.structs.replace(body, token=None)])
        claimed = await self._idempotency.claim(ask.app, f"{kind} {ask.name}", key, asked)
        if isinstance(claimed, KeptAnswer):
            return _again(ask, claimed)
        answer: KeptAnswer | None = None
        try:
            response = await do(claimed)
            answer = _kept(ask, response)
        except CallFailed as error:
            answer = _kept_error(error)
            raise
        finally:
            if not claimed.settled:
                await self._idempotency.settle(claimed, answer)
        return response


def idempotency_key(lines: list[str] | tuple[str, ...]) -> str | None:
    """The key that a request has, None where it has none.

    Raises:
        Malformed: It is none, or there are several.
    """
    if not lines:
        return None
    text = lines[0].strip(" \t")
    string = _STRING.fullmatch(text)
    key = _ESCAPED.sub(r"\1", string[1]) if string else text
    if len(lines) > 1 or not (string or _BARE.fullmatch(text)) or len(key) > MAX_KEY_LENGTH:
        raise Malformed(
            f"{HEADER} must be one text of 1 to {MAX_KEY_LENGTH} visible ASCII characters; "
            'with quotes around it where it has spaces or any of " , ; \\ in it.'
        )
    return key


def accepted(identifier: str) -> KeptAnswer:
    """The answer to a call that is made without being waited for."""
    body = encode_json({"id": identifier, "status": "pending"}) + b"\n"
    return KeptAnswer(HTTPStatus.ACCEPTED, body, f"/calls/{identifier}/")


def response_of(ask: Asking, answer: KeptAnswer) -> web.Response:
    """An answer as it is given, in the form that is wanted."""
    response = web.Response(status=answer.status)
    if answer.body:
        response = ask.answer_of_json(answer.body, answer.status)
    if answer.location is not None:
        response.headers["Location"] = answer.location
    return response


def _again(ask: Asking, kept: KeptAnswer) -> web.Response:
    headers = {REPLAYED_HEADER: "true"}
    if kept.status >= HTTPStatus.BAD_REQUEST:
        members: dict[str, Any] = load_json(kept.body)
        error = CallFailed(members["error"], members["args"], members["kwargs"])
        error.headers = headers
        raise error
    response = response_of(ask, kept)
    response.headers.update(headers)
    return response


def _kept(ask: Asking, response: web.Response) -> KeptAnswer:
    body = response.body
    assert body is None or isinstance(body, bytes)  # noqa: S101 - what `answers` makes
    kept = ask.accepts.as_json(body) if body else b""
    return KeptAnswer(response.status, kept, response.headers.get("Location"))


def _kept_error(error: CallFailed) -> KeptAnswer | None:
    """What is kept of an error that WAMP answered; None where one may ask again."""
    status = error.answer_status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _REFUSED:
        return None
    try:
        members = {name: to_json(value) for name, value in error.members().items()}
    except NotJson:
        return None  # answered with 500
    return KeptAnswer(status, encode_json(members))
