"""A request as the handlers see it: which app asks, and its body, decoded and checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from wamp_bridge_server.errors import (
    Malformed,
    TooLarge,
    TooLate,
    Unprocessable,
    UnsupportedMediaType,
)
from wamp_bridge_server.values import BadBinary, BadText, admit, why_no_json

if TYPE_CHECKING:
    from aiohttp import web

    from wamp_bridge_server.http.admission import Request
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

    def body(self, decoder: msgspec.json.Decoder[T]) -> T:
        """The body, decoded; an empty one is an empty object.

        Raises:
            UnsupportedMediaType: It is declared to be no JSON in UTF-8.
            Malformed: No JSON, or of another form than asked for.
        """
        _check_media_type(self.request)
        text = self.text if self.text.strip() else b"{}"
        try:
            return decoder.decode(text)
        except msgspec.ValidationError as error:
            raise Malformed(f"The body is not as it should be: {error}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise no_json(error, text) from None
        except RecursionError:
            raise Malformed("The body is nested too deep.") from None

    def values(self, value: Any, where: str) -> Any:
        """A member of the body that holds WAMP values, checked, bytes restored.

        Raises:
            Malformed: Nested too deep.
            Unprocessable: A string starts with U+0000 and is no base64 after it.
        """
        try:
            return admit(value, self.text, outside=1)
        except BadText as error:
            raise Malformed(f'"{where}" can\'t be taken: {error}.') from None
        except BadBinary as error:
            raise Unprocessable(f'"{where}" can\'t be taken: {error}.') from None


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
        raise _not_json()
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


def _check_media_type(request: web.Request) -> None:
    if not is_json(request):
        raise _not_json()


def is_json(request: web.Request) -> bool:
    """Whether a body is declared to be JSON in UTF-8, or not declared at all."""
    if is_compressed(request):
        return False
    if "Content-Type" not in request.headers:
        return True
    return request.content_type == "application/json" and (request.charset or "utf-8").lower() in {
        "utf-8",
        "utf8",
    }


def _too_large() -> TooLarge:
    return TooLarge(f"A body may have at most {MAX_BODY_BYTES} bytes.")


def no_json(error: Exception, text: bytes) -> Malformed:
    """The refusal of a body that can't be decoded."""
    return Malformed(f"The body is no JSON: {why_no_json(error, text)}.")


def is_compressed(request: web.Request) -> bool:
    """Whether a body is declared to be compressed."""
    return request.headers.get("Content-Encoding", "identity").lower() != "identity"


def _not_json() -> UnsupportedMediaType:
    return UnsupportedMediaType(
        "A body must be JSON in UTF-8, not compressed, and be declared so: "
        "Content-Type: application/json."
    )
