"""What bodies are written in: JSON, CBOR (RFC 8949) or MessagePack, read and written in one place.

All three carry the same values, those of WAMP's JSON; what it lacks is refused in each. In CBOR and
MessagePack bytes are bytes, in JSON they are text (protocol, section 2).
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import cbor2
import msgpack
import msgspec

from wamp_bridge_server.errors import Malformed, Unprocessable
from wamp_bridge_server.values import (
    MAX_DEPTH,
    BadBinary,
    BadText,
    NotJson,
    admit,
    admit_native,
    check_json,
    encode_json,
    native_of_json,
    to_json,
    why_no_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


class Credentials(msgspec.Struct):
    """What of a body says who asks."""

    token: str | None = None


class Form(ABC):
    """One way to write bodies. `media_types` are its names, the first its usual one."""

    media_types: tuple[str, ...]

    @abstractmethod
    def is_empty(self, body: bytes) -> bool:
        """Whether there is nothing in a body."""

    @abstractmethod
    def read(self, body: bytes, kind: type[T]) -> T:
        """Decode a body; an empty one is an empty object.

        Raises:
            Malformed: It can't be read, or is of another kind.
            Unprocessable: A text in it would be read as bytes elsewhere.
        """

    @abstractmethod
    def token(self, body: bytes) -> str | None:
        """The token in a body, None where there is none. Costs little, whatever else is in there.

        Raises:
            Malformed: It can't be read.
        """

    @abstractmethod
    def values(self, value: Any, body: bytes, where: str) -> Any:
        """A member of a body that holds WAMP values, checked, bytes restored.

        Raises:
            Malformed: Nested too deep.
            Unprocessable: A string starts with U+0000 and is no base64 after it.
        """

    @abstractmethod
    def writable(self, value: Any) -> Any:
        """A WAMP value as `write` writes it faithfully. Raises `NotJson`."""

    @abstractmethod
    def write(self, document: Any) -> bytes:
        """Encode an answer. Raises `NotJson` where a value in it is out of range."""

    @abstractmethod
    def of_json(self, text: bytes) -> bytes:
        """What the bridge has written in JSON, written in this form. Raises `NotJson`."""

    @abstractmethod
    def as_json(self, body: bytes) -> bytes:
        """What the bridge has written in this form, written in JSON."""


class _Json(Form):
    media_types = ("application/json",)

    def is_empty(self, body: bytes) -> bool:
        return not body.strip(b" \t\r\n")

    def read(self, body: bytes, kind: type[T]) -> T:
        try:
            decoded = _json_decoder(kind).decode(b"{}" if self.is_empty(body) else body)
        except msgspec.ValidationError as error:
            raise _other(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _no_json(error, body) from None
        except RecursionError:
            raise _too_deep() from None
        return decoded

    def token(self, body: bytes) -> str | None:
        if self.is_empty(body):
            return None
        try:
            credentials = _json_decoder(Credentials).decode(body)
        except msgspec.ValidationError:
            return None  # JSON, but no object with a token in it: nobody asks
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _no_json(error, body) from None
        except RecursionError:
            raise _too_deep() from None
        return credentials.token

    def values(self, value: Any, body: bytes, where: str) -> Any:
        try:
            return admit(value, body, outside=1)
        except BadText as error:
            raise Malformed(f'"{where}" can\'t be taken: {error}.') from None
        except BadBinary as error:
            raise Unprocessable(f'"{where}" can\'t be taken: {error}.') from None

    def writable(self, value: Any) -> Any:
        return to_json(value)

    def write(self, document: Any) -> bytes:
        return encode_json(document) + b"\n"  # so that a terminal's prompt begins a line of its own

    def of_json(self, text: bytes) -> bytes:
        return text

    def as_json(self, body: bytes) -> bytes:
        return body


class _Binary(Form):
    """A format that has bytes; all of a body is checked when it is read."""

    name: str

    def is_empty(self, body: bytes) -> bool:
        return not body

    def read(self, body: bytes, kind: type[T]) -> T:
        document = self._read(body) if body else {}
        try:
            return msgspec.convert(admit_native(document), kind)
        except msgspec.ValidationError as error:
            raise _other(error) from None
        except BadText as error:
            raise Malformed(f"The body can't be taken: {error}.") from None
        except BadBinary as error:
            raise Unprocessable(f"The body can't be taken: {error}.") from None

    def token(self, body: bytes) -> str | None:
        document = self._read(body) if body else None
        token = document.get("token") if isinstance(document, dict) else None
        return token if isinstance(token, str) else None

    def values(self, value: Any, body: bytes, where: str) -> Any:  # noqa: ARG002 - JSON needs them
        return value

    def writable(self, value: Any) -> Any:
        return check_json(value)

    def write(self, document: Any) -> bytes:
        try:
            return self._encode(document)
        except OverflowError:
            raise NotJson(f"{self.name} has no integer beyond 64 bits") from None

    def of_json(self, text: bytes) -> bytes:
        return self.write(native_of_json(text))

    def as_json(self, body: bytes) -> bytes:
        return JSON.write(to_json(self._decode(body)))

    def _read(self, body: bytes) -> Any:
        try:
            return self._decode(body)
        except (cbor2.CBORError, ValueError, RecursionError):
            # What the libraries say of it may hold some of the body.
            text = f"nested deeper than {MAX_DEPTH} levels, has a key twice or one that is no text"
            raise Malformed(f"The body is no {self.name} that is taken, or {text}.") from None

    @abstractmethod
    def _decode(self, body: bytes) -> Any:
        """Raises `CBORError`, `ValueError` or `RecursionError`."""

    @abstractmethod
    def _encode(self, document: Any) -> bytes:
        """Raises `OverflowError`."""


class _Cbor(_Binary):
    name = "CBOR"
    media_types = ("application/cbor",)

    def _decode(self, body: bytes) -> Any:
        file = io.BytesIO(body)
        value = cbor2.CBORDecoder(
            file,
            tag_hook=_no_tag,
            semantic_decoders=_TAGS,
            max_depth=MAX_DEPTH + 2,  # the bridge's own bodies put so many around a value
            allow_duplicate_keys=False,
            strict_hashable_types=True,  # what else can be a key can be made to collide
        ).decode()
        if file.tell() != len(body):
            raise ValueError("something follows it")
        return value

    def _encode(self, document: Any) -> bytes:
        return cbor2.dumps(document)


class _MessagePack(_Binary):
    name = "MessagePack"
    media_types = ("application/msgpack", "application/vnd.msgpack")

    def writable(self, value: Any) -> Any:
        self.write(super().writable(value))  # it lacks integers that the others have
        return value

    def _decode(self, body: bytes) -> Any:
        return msgpack.unpackb(body, strict_map_key=True)

    def _encode(self, document: Any) -> bytes:
        encoded: bytes = msgpack.packb(document)
        return encoded


JSON: Final = _Json()
FORMS: Final[tuple[Form, ...]] = (JSON, _Cbor(), _MessagePack())
"""In the order in which answers prefer them."""

BY_MEDIA_TYPE: Final = {name: form for form in FORMS for name in form.media_types}


def _no_json(error: Exception, text: bytes) -> Malformed:
    return Malformed(f"The body is no JSON: {why_no_json(error, text)}.")


def _other(error: msgspec.ValidationError) -> Malformed:
    return Malformed(f"The body is not as it should be: {error}.")


def _too_deep() -> Malformed:
    return Malformed("The body is nested too deep.")


def _json_decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return decoder


def _no_tag(_tag: object, _immutable: bool) -> NoReturn:
    raise ValueError("a tag")


class _BigIntegersAlone(Mapping[int, Any]):
    """What is done with CBOR's tags: none is taken save 2 and 3, which the library knows.

    Shared values are among them, which would make a small body a large one.
    """

    def __getitem__(self, tag: int) -> Any:
        if tag in {2, 3}:
            raise KeyError(tag)
        return _no_tag

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 0


_TAGS: Final = _BigIntegersAlone()
