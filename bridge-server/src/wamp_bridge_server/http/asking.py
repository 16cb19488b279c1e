"""A request as the handlers see it: which app asks, and its body, decoded and checked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import web

from wamp_bridge_server.errors import (
    Malformed,
    TooLarge,
    TooLate,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
)
from wamp_bridge_server.values import BadBinary, BadText, admit

if TYPE_CHECKING:
    from wamp_bridge_server.services.apps import App, Apps

MAX_BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0

T = TypeVar("T")


class _Credentials(msgspec.Struct):
    """What of a body says who asks."""

    token: str | None = None


_credentials = msgspec.json.Decoder(_Credentials)
_anything = msgspec.json.Decoder()


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
            Unprocessable: It is no UTF-8.
        """
        segments = self.request.raw_path.partition("?")[0].split("/")
        try:
            return unquote_to_bytes(segments[2]).decode()
        except UnicodeDecodeError:
            raise Unprocessable("The name in the path is no UTF-8.") from None

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
            raise _no_json(error) from None
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


async def asking(request: web.Request, apps: Apps) -> Asking:
    """Find out who asks, by the header or else by the body, and read the body.

    Raises:
        Unauthenticated: Nobody that the bridge knows.
        Malformed: The body is where the token would be, and no JSON.
        TooLarge: The body is over the limit.
        TooLate: The body did not come in time.
    """
    app = _by_header(request, apps)
    text = await _read(request)
    if app is None:
        app = _by_body(request, text, apps)
    return Asking(request, app, text)


def _by_header(request: web.Request, apps: Apps) -> App | None:
    values = request.headers.getall("Authorization", ())
    if not values:
        return None
    scheme, _, token = values[0].partition(" ")
    app = apps.by_token(token.strip()) if scheme.lower() == "bearer" else None
    if app is None or len(values) > 1:
        raise Unauthenticated
    return app


def _by_body(request: web.Request, text: bytes, apps: Apps) -> App:
    if not text.strip():
        raise Unauthenticated
    try:
        token = _credentials.decode(text).token
    except msgspec.ValidationError:
        token = None  # JSON, but no object with a token in it: nobody asks
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not _is_json(request):
            raise Unauthenticated from None
        raise _no_json(error) from None
    except RecursionError:
        raise Malformed("The body is nested too deep.") from None
    app = apps.by_token(token) if token is not None else None
    if app is None:
        raise Unauthenticated
    return app


async def _read(request: web.Request) -> bytes:
    length = request.content_length
    if length is not None and length > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise TooLate(f"The body did not come within {BODY_SECONDS:.0f} s.") from None


def _check_media_type(request: web.Request) -> None:
    if not _is_json(request):
        raise UnsupportedMediaType(
            "A body must be JSON in UTF-8, not compressed, and be declared so: "
            "Content-Type: application/json."
        )


def _is_json(request: web.Request) -> bool:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return False
    if "Content-Type" not in request.headers:
        return True
    return request.content_type == "application/json" and (request.charset or "utf-8").lower() in {
        "utf-8",
        "utf8",
    }


def _too_large() -> TooLarge:
    return TooLarge(f"A body may have at most {MAX_BODY_BYTES} bytes.")


def _no_json(error: Exception) -> Malformed:
    if isinstance(error, UnicodeDecodeError):
        return Malformed("The body is no UTF-8.")
    return Malformed(f"The body is no JSON: {error}.")
