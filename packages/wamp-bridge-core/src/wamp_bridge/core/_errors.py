# ruff: noqa: N818 - each error is named as WAMP or HTTP names the condition
"""Everything that wamp-bridge raises, as one tree.

::

    BridgeError
    ├── ApplicationError          an error of the callee's own: raise it in a handler,
    │                             get it from `call`
    ├── BadRequest            400
    │   ├── InvalidArgument       wamp.error.invalid_argument
    │   ├── InvalidJSON           what can't be read as JSON
    │   └── EnvelopeError         JSON that is no message of the protocol
    ├── Unauthorized          401
    │   └── VerificationError     a callback that the bridge didn't sign
    ├── Forbidden             403
    ├── NotFound              404
    │   └── NoSuchProcedure       wamp.error.no_such_procedure
    ├── Conflict              409
    │   └── Canceled              wamp.error.canceled (503 where another cancelled)
    ├── TooLarge              413
    ├── UnsupportedMediaType  415
    ├── Unprocessable         422
    │   ├── InvalidURI            a name that is no WAMP URI
    │   └── InvalidValue          a value that JSON lacks
    ├── TooManyRequests       429
    ├── ServerError           500 and above
    │   ├── NotOffered        501 what the router has not
    │   ├── Unavailable       503 wamp.error.unavailable
    │   │   └── BridgeUnreachable the bridge gave no answer at all
    │   └── CallTimeout       504 wamp.error.timeout
    ├── ConfigurationError        a setting or a declaration that can't work
    │   └── DuplicateName         a name that two handlers claim
    └── BlockedLoop               what would wait in the thread of a server's event loop

Each class stands on both sides: raised in a handler it becomes that WAMP error for the caller;
answered by the bridge it is raised by `call`, `publish` and the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUNTIME_ERROR = "wamp.error.runtime_error"
INVALID_ARGUMENT = "wamp.error.invalid_argument"
NOT_AUTHORIZED = "wamp.error.not_authorized"
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
CANCELED = "wamp.error.canceled"
UNAVAILABLE = "wamp.error.unavailable"
TIMEOUT = "wamp.error.timeout"


class BridgeError(Exception):
    """The root of the tree: an error with its WAMP URI, arguments and HTTP status.

    Args:
        *args: WAMP's positional arguments of the error; they reach the caller.
        **kwargs: WAMP's keyword arguments of the error; they reach the caller.

    Attributes:
        status: The HTTP status that goes with it, or the one that the bridge answered.
        uri: The WAMP error URI.
        args: WAMP's positional arguments.
        kwargs: WAMP's keyword arguments.
        detail: A sentence for a person. It stays on this side and is never sent.
        title: What the bridge calls the problem (RFC 9457, section 3.1.3).
        request_id: The bridge's `request-id`, to be found in its logs.
        retry_after: Seconds after which the bridge asked to be asked again.
    """

    status: int = 500
    uri: str = RUNTIME_ERROR
    kwargs: dict[str, Any]
    detail: str = ""
    title: str = ""
    request_id: str | None = None
    retry_after: float | None = None

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.kwargs = kwargs

    @classmethod
    def explained(cls, detail: str, /) -> Self:
        """An error that says something to this side alone, with nothing for the other."""
        error = cls()
        error.detail = detail
        return error

    def __str__(self) -> str:
        parts = [str(argument) for argument in self.args]
        parts += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return ", ".join(parts) or self.detail or self.title or self.uri

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    cls: type[BridgeError], args: Sequence[Any], attributes: Mapping[str, Any]
) -> BridgeError:
    error = cls.__new__(cls, *args)
    error.args = tuple(args)
    error.__dict__.update(attributes)
    return error


class ApplicationError(BridgeError):
    """An error of an application's own, told by its URI.

    Args:
        uri: The error's URI, as in `com.shop.error.out_of_stock`.
        *args: WAMP's positional arguments of the error.
        **kwargs: WAMP's keyword arguments of the error.

    Raises:
        InvalidURI: `uri` is no WAMP URI.
    """

    def __init__(self, uri: str, /, *args: Any, **kwargs: Any) -> None:
        from wamp_bridge.core._uris import check_uri  # noqa: PLC0415 - which needs these errors

        check_uri(uri, "exact")
        super().__init__(*args, **kwargs)
        self.uri = uri
        self.status = status_of(uri)

    def __repr__(self) -> str:
        given = [repr(each) for each in (self.uri, *self.args)]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{type(self).__name__}({', '.join(given)})"

    def __str__(self) -> str:
        text = super().__str__()
        return text if text == self.uri else f"{self.uri}: {text}"


class BadRequest(BridgeError):
    """What was sent can't be understood (400)."""

    status = 400
    uri = INVALID_ARGUMENT


class InvalidArgument(BadRequest):
    """The arguments are not those that the procedure takes (`wamp.error.invalid_argument`)."""


class InvalidJSON(BadRequest, ValueError):
    """What can't be read as JSON in UTF-8, or is nested deeper than 64 levels."""


class EnvelopeError(BadRequest):
    """A JSON document that is no message of the protocol."""


class Unauthorized(BridgeError):
    """No or bad credentials (401): the token or the signature is not one of this bridge."""

    status = 401
    uri = NOT_AUTHORIZED


class VerificationError(Unauthorized):
    """A callback that is not signed, not with a secret of this app, or not lately.

    It never says which: all of them are one refusal.
    """


class Forbidden(BridgeError):
    """Not allowed (403, `wamp.error.not_authorized`)."""

    status = 403
    uri = NOT_AUTHORIZED


class NotFound(BridgeError):
    """No such object, or another app's (404)."""

    status = 404
    uri = "wamp.error.not_found"


class NoSuchProcedure(NotFound):
    """Nobody serves the procedure (404, `wamp.error.no_such_procedure`)."""

    uri = NO_SUCH_PROCEDURE


class Conflict(BridgeError):
    """A URI that another app or WAMP client holds, or a request that clashes with one (409)."""

    status = 409
    uri = "wamp.error.procedure_already_exists"


class Canceled(Conflict):
    """The call was cancelled (`wamp.error.canceled`): 409 by this caller, 503 by another."""

    uri = CANCELED


class TooLarge(BridgeError):
    """A body over the limit (413)."""

    status = 413
    uri = "wamp.error.payload_size_exceeded"


class UnsupportedMediaType(BridgeError):
    """A body that is declared to be no JSON (415)."""

    status = 415
    uri = INVALID_ARGUMENT


class Unprocessable(BridgeError):
    """A right type with a value that isn't allowed: a URI, a URL, an option (422)."""

    status = 422
    uri = INVALID_ARGUMENT


class InvalidURI(Unprocessable, ValueError):
    """A name that is no WAMP URI; routers drop a whole session for one."""

    uri = "wamp.error.invalid_uri"


class InvalidValue(Unprocessable, ValueError):
    """A value that JSON lacks: NaN, an infinity, a key that is no string, an object of Python."""


class TooManyRequests(BridgeError):
    """More requests than the bridge takes from this app (429); see `retry_after`."""

    status = 429
    uri = UNAVAILABLE


class ServerError(BridgeError):
    """The bridge, the router or the callee failed (500 and above)."""


class NotOffered(ServerError):
    """The router has not what this needs (501); asking again is of no use."""

    status = 501


class Unavailable(ServerError):
    """The bridge can't serve now (503, `wamp.error.unavailable`); see `retry_after`."""

    status = 503
    uri = UNAVAILABLE


class BridgeUnreachable(Unavailable):
    """The bridge gave no answer: no connection, or one that broke off."""


class CallTimeout(ServerError):
    """No result in time (504, `wamp.error.timeout`)."""

    status = 504
    uri = TIMEOUT


class ConfigurationError(BridgeError):
    """A setting or a declaration that can't work; says which, and what it should be.

    Args:
        detail: What is wrong. Raised in a handler it does not reach the caller.
    """

    def __init__(self, detail: str, /) -> None:
        super().__init__()
        self.detail = detail


class DuplicateName(ConfigurationError):
    """A name that two handlers claim; says where both are."""


class BlockedLoop(BridgeError, RuntimeError):
    """What waits in its thread was asked for where a server's event loop runs.

    Nothing was sent. All that the loop serves would have stood still meanwhile, even what is
    waited for, where it is the app's own. What to await in its place is said.
    """


_CLASS_OF_URI: dict[str, type[BridgeError]] = {
    INVALID_ARGUMENT: InvalidArgument,
    NOT_AUTHORIZED: Forbidden,
    NO_SUCH_PROCEDURE: NoSuchProcedure,
    CANCELED: Canceled,
    UNAVAILABLE: Unavailable,
    TIMEOUT: CallTimeout,
}

_CLASS_OF_STATUS: dict[int, type[BridgeError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
    429: TooManyRequests,
    501: NotOffered,
    503: Unavailable,
    504: CallTimeout,
}


def status_of(uri: str) -> int:
    """The HTTP status of a WAMP error URI (protocol, section 2); 500 for any that has none."""
    known = _CLASS_OF_URI.get(uri)
    return known.status if known is not None else ServerError.status


_CLASS_OF_ANSWER: dict[int, type[BridgeError]] = {
    400: InvalidArgument,
    401: Forbidden,
    403: Forbidden,
    422: InvalidArgument,
    429: Unavailable,
    503: Unavailable,
    504: CallTimeout,
}


def error_of_status(status: int, *args: Any) -> BridgeError | None:
    """The WAMP error that an answer of this status is (protocol, section 3).

    For an adapter, where a handler raises what its framework answers such a status to.

    Args:
        status: HTTP's.
        *args: WAMP's positional arguments of the error.

    Returns:
        The error to raise; None where the status is a failure that says no more to the caller.
    """
    known = _CLASS_OF_ANSWER.get(status)
    return None if known is None else known(*args)


def error_of(
    status: int,
    uri: str | None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> BridgeError:
    """The error that the bridge tells of, in the class that says most about it.

    Args:
        status: The HTTP status that it came with.
        uri: The WAMP error, where there was one.
        args: WAMP's positional arguments of the error.
        kwargs: WAMP's keyword arguments of the error.
        **attributes: What else is known: `detail`, `title`, `request_id`, `retry_after`.
    """
    cls = _class_of(status, uri)
    known = {"status": status, "uri": cls.uri if uri is None else uri, "kwargs": dict(kwargs or {})}
    return _rebuild(cls, args, known | attributes)


def _class_of(status: int, uri: str | None) -> type[BridgeError]:
    if uri is not None and status != Unauthorized.status:
        if uri in _CLASS_OF_URI:
            return _CLASS_OF_URI[uri]
        if status == ServerError.status:
            return ApplicationError
    if status >= ServerError.status:
        return _CLASS_OF_STATUS.get(status, ServerError)
    return _CLASS_OF_STATUS.get(status, BridgeError)
