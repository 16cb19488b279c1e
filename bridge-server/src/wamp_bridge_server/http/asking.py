"""A request as the handlers see it: which app asks, and its body, decoded and checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

from aiohttp import hdrs, web

from wamp_bridge_server.errors import (
    Malformed,
    TooLarge,
    TooLate,
    Unprocessable,
    UnsupportedMediaType,
)
from wamp_bridge_server.http.forms import BY_MEDIA_TYPE, JSON
from wamp_bridge_server.http.negotiation import wanted

if TYPE_CHECKING:
    from wamp_bridge_server.http.admission import Request
    from wamp_bridge_server.http.forms import Form
    from wamp_bridge_server.services.apps import App

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asking:
    """A request whose app is known. `text` is its body, as it came."""

    request: web.Request
    app: App
    text: bytes

    @property
    def name(self) -> str:
        """The procedure, topic or id that the path names.

        Raises:
            Unprocessable: It is no UTF-8, or holds U+0000.
        """
        return name_in(self.request)

    @property
    def form(self) -> Form:
        """What its body is written in.

        Raises:
            UnsupportedMediaType: It is declared to be what isn't taken here.
        """
        form = form_of(self.request)
        if form is None:
            raise _unknown_form()
        return form

    def body(self, kind: type[T]) -> T:
        """The body, decoded; an empty one is an empty object.

        Raises:
            UnsupportedMediaType: It is declared to be what isn't taken here.
            Malformed: It can't be read, or is of another form than asked for.
            Unprocessable: A text in it would be read as bytes elsewhere.
        """
        return self.form.read(self.text, kind)

    def values(self, value: Any, where: str) -> Any:
        """A member of the body that holds WAMP values, checked, bytes restored.

        Raises:
            Malformed: Nested too deep.
            Unprocessable: A string starts with U+0000 and is no base64 after it.
        """
        return self.form.values(value, self.text, where)

    def answer(self, document: Any, status: int = HTTPStatus.OK) -> web.Response:
        """An answer in the form that is wanted. Raises `NotJson`.

        Args:
            document: What is answered; WAMP values in it have been through `accepts.writable`.
            status: Its status.
        """
        form, media_type = wanted(self.request.headers.getall(hdrs.ACCEPT, ()))
        return web.Response(body=form.write(document), status=status, content_type=media_type)

    def answer_of_json(self, text: bytes, status: int) -> web.Response:
        """An answer that the bridge has written in JSON. Raises `NotJson`."""
        form, media_type = wanted(self.request.headers.getall(hdrs.ACCEPT, ()))
        return web.Response(body=form.of_json(text), status=status, content_type=media_type)

    @property
    def accepts(self) -> Form:
        """What the answer is to be written in."""
        return wanted(self.request.headers.getall(hdrs.ACCEPT, ()))[0]


def name_in(request: web.Request) -> str:
    """The procedure, topic or id that the path of a request names. Raises `Unprocessable`."""
    segments = request.raw_path.partition("?")[0].split("/")
    try:
        name = unquote_to_bytes(segments[2]).decode()
    except UnicodeDecodeError:
        raise Unprocessable("The name in the path is no UTF-8.") from None
    if "\0" in name:  # which not every store can be asked for
        raise Unprocessable("The name in the path holds U+0000.")
    return name


async def read(request: web.Request, place: Request) -> bytes:
    """The body of a request, as it came.

    Args:
        request: The request.
        place: What it has of the bridge.

    Raises:
        Malformed: The client went away before its end.
        TooLarge: It is over the limit.
        TooLate: It did not come in time.
        Unavailable: The bodies of all requests are over theirs.
        UnsupportedMediaType: It is compressed, which nobody undoes here.
    """
    if is_compressed(request):
        raise _unknown_form()
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        raise _too_large()
    if not request.can_read_body:
        return b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request, place)
    except TimeoutError:
        raise TooLate(f"The body did not come within {BODY_SECONDS:.0f} s.") from None
    except ConnectionError:  # nobody is there to read this; it is no error of ours
        raise Malformed("The body was cut off.") from None


async def _read(request: web.Request, place: Request) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        place.hold(len(chunk))
        if len(body) + len(chunk) > MAX_BODY_BYTES:
            raise _too_large()
        body += chunk
    return bytes(body)


def form_of(request: web.Request) -> Form | None:
    """What a body is declared to be written in; JSON where nothing is said, None where unknown."""
    if is_compressed(request):
        return None
    if hdrs.CONTENT_TYPE not in request.headers:
        return JSON
    form = BY_MEDIA_TYPE.get(request.content_type)
    if form is JSON and (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        return None
    return form


def _too_large() -> TooLarge:
    return TooLarge(f"A body may have at most {MAX_BODY_BYTES} bytes.")


def is_compressed(request: web.Request) -> bool:
    """Whether a body is declared to be compressed."""
    return request.headers.get("Content-Encoding", "identity").lower() != "identity"


def _unknown_form() -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "A body must be JSON in UTF-8, CBOR or MessagePack, not compressed, and be declared so: "
        f"Content-Type: {', '.join(BY_MEDIA_TYPE)}."
    )
