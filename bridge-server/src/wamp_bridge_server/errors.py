"""What the bridge refuses or can't do, as one tree; each class is one row of the protocol's table.

::

    Problem
    ├── Malformed              400  no JSON, or a member of the wrong JSON type
    ├── Unauthenticated        401  no or bad credentials
    ├── Forbidden              403  not allowed by the app's permissions, or under wamp.
    ├── NotFound               404  no such path or object, or another app's
    ├── MethodNotAllowed       405
    ├── TooLate                408  a request that was not complete in time
    ├── Conflict               409  a URI that is taken, a request that is under way
    │   └── StillRunning            the request with an Idempotency-Key is under way
    ├── TooLarge               413
    ├── UnsupportedMediaType   415
    ├── UnknownExpectation     417  an Expect other than 100-continue
    ├── Unprocessable          422  a right type with a value that isn't allowed
    ├── TooFast                429  too many requests, or wrong ones, in a time
    ├── HeadTooLarge           431  headers over the limit
    ├── NotOffered             501  what the router or the kind of backend has not
    ├── BadSource              502  a source that is unreachable or has no valid manifest
    ├── Unavailable            503  no router, no store, or too much at once
    │   └── GoingDown          503  the bridge is being stopped
    ├── SourceTimeout          504  a source that answers too late
    └── CallFailed             any  what WAMP answered: an error URI with args and kwargs
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The URIs of WAMP's errors, those included that backends raise themselves.
ALREADY_SUBSCRIBED: Final = "wamp.error.already_subscribed"
"""Not WAMP's: a session asked twice for one topic, which routers don't tell it."""
AUTHORIZATION_FAILED: Final = "wamp.error.authorization_failed"
CANCELED: Final = "wamp.error.canceled"
HISTORY_UNAVAILABLE: Final = "wamp.error.history_unavailable"
"""Crossbar's: it keeps no history of this topic."""
INVALID_ARGUMENT: Final = "wamp.error.invalid_argument"
INVALID_URI: Final = "wamp.error.invalid_uri"
NO_SUCH_PROCEDURE: Final = "wamp.error.no_such_procedure"
NO_SUCH_REGISTRATION: Final = "wamp.error.no_such_registration"
NO_SUCH_SESSION: Final = "wamp.error.no_such_session"
NO_SUCH_SUBSCRIPTION: Final = "wamp.error.no_such_subscription"
NOT_AUTHORIZED: Final = "wamp.error.not_authorized"
OPTION_NOT_ALLOWED: Final = "wamp.error.option_not_allowed"
OTHER_POLICY: Final = "wamp.error.procedure_exists_with_different_invocation_policy"
PROCEDURE_EXISTS: Final = "wamp.error.procedure_already_exists"
RUNTIME_ERROR: Final = "wamp.error.runtime_error"
TIMEOUT: Final = "wamp.error.timeout"
UNAVAILABLE: Final = "wamp.error.unavailable"

RETRY_AFTER_SECONDS = 1

_STATUS_OF_WAMP_ERROR = {
    NO_SUCH_PROCEDURE: HTTPStatus.NOT_FOUND,
    INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    NOT_AUTHORIZED: HTTPStatus.FORBIDDEN,
    TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    CANCELED: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: str) -> int:
    """The HTTP status for the URI of a WAMP error (protocol, section 2).

    `wamp.error.canceled` counts here as that of a callee that vanished; where this caller
    cancelled, the one who cancelled knows it and answers 409.
    """
    return _STATUS_OF_WAMP_ERROR.get(error, HTTPStatus.INTERNAL_SERVER_ERROR)


class Problem(Exception):  # noqa: N818 - RFC 9457 names it so
    """Answered as `application/problem+json` (RFC 9457). The detail is for a person."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def answer_status(self) -> int:
        """The HTTP status of the answer."""
        return self.status

    def members(self) -> dict[str, Any]:
        """What the problem document says beside type, title, status, detail and request_id."""
        return {}


class Malformed(Problem):
    """What can't be read: no JSON, or a member of the wrong JSON type."""

    status = HTTPStatus.BAD_REQUEST


class Unauthenticated(Problem):
    """No or bad credentials. Says the same sentence always, so that nobody learns which."""

    status = HTTPStatus.UNAUTHORIZED
    headers = {"WWW-Authenticate": 'Bearer realm="wamp-bridge"'}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        super().__init__("This request needs the valid credentials of an app of this bridge.")


class Forbidden(Problem):
    """Not allowed by the app's permissions, or under `wamp.`."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """No such path, or no such object of this app."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Problem):
    """The path is known, the method isn't."""

    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, detail: str, allowed: str) -> None:
        super().__init__(detail)
        self.headers = {"Allow": allowed}


class TooLate(Problem):
    """A request that was not complete in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class Conflict(Problem):
    """What the state of things doesn't allow: a URI is another's, a request is under way."""

    status = HTTPStatus.CONFLICT


class StillRunning(Conflict):
    """A request that is under way already, with this key; its answer comes with time."""

    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}  # noqa: RUF012 - never changed


class TooLarge(Problem):
    """A body over the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(Problem):
    """A body that is declared to be no JSON in UTF-8."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class UnknownExpectation(Problem):
    """The client expects what isn't offered (RFC 9110, section 10.1.1)."""

    status = HTTPStatus.EXPECTATION_FAILED


class Unprocessable(Problem):
    """A right type with a value that isn't allowed: a URI, a URL, an option."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooFast(Problem):
    """Too many requests, or requests with wrong credentials, in a time.

    Args:
        detail: Which limit it was.
        seconds: After how long it is worth asking again.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(max(1, math.ceil(seconds)))}


class HeadTooLarge(Problem):
    """Headers over the limit."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class NotOffered(Problem):
    """What the router has not, so that asking again is of no use."""

    status = HTTPStatus.NOT_IMPLEMENTED


class BadSource(Problem):
    """A source that is unreachable or answers with no valid manifest."""

    status = HTTPStatus.BAD_GATEWAY


class SourceTimeout(Problem):
    """A source that answers its manifest too late."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class Unavailable(Problem):
    """No router, no store, or more than can be taken now; worth asking again soon."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}  # noqa: RUF012 - never changed


class GoingDown(Unavailable):
    """The bridge goes down; another, or the next one, is to be asked, by another connection."""

    headers = {**Unavailable.headers, "Connection": "close"}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        super().__init__("The bridge is going down.")


class CallFailed(Problem):
    """What WAMP answered to a call or a publication: its error URI, args and kwargs."""

    def __init__(self, error: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__(f"WAMP answered with the error {error}.")
        self.error = error
        self.wamp_args = args
        self.wamp_kwargs = kwargs
        if self.answer_status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers = Unavailable.headers

    @property
    def answer_status(self) -> int:
        """The status that the protocol's table gives the error URI."""
        return status_of(self.error)

    def members(self) -> dict[str, Any]:
        """The error as WAMP gave it."""
        return {"error": self.error, "args": self.wamp_args, "kwargs": self.wamp_kwargs}
