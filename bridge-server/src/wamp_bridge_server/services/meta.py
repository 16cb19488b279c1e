"""The router's meta API, asked in an app's own session: it tells what that session may know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wamp_bridge_server.backends.base import Unavailable, Undeliverable, WampError
from wamp_bridge_server.errors import (
    AUTHORIZATION_FAILED,
    HISTORY_UNAVAILABLE,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    CallFailed,
    Forbidden,
    NotOffered,
)
from wamp_bridge_server.errors import Unavailable as UnavailableProblem

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Session

SECONDS = 10.0
"""How long the router may take for one answer."""

_GONE = {NO_SUCH_REGISTRATION, NO_SUCH_SUBSCRIPTION, NO_SUCH_SESSION, HISTORY_UNAVAILABLE}


class Gone(Exception):  # noqa: N818 - named for what became of it
    """What is asked about isn't there, or not any more."""


async def ask(session: Session, procedure: str, *args: Any, **kwargs: Any) -> Any:
    """Ask the router one thing; the one result.

    Raises:
        Gone: There is no such registration, subscription, session or history.
        Forbidden: The router doesn't let this app's session ask that.
        NotOffered: The router has no such procedure.
        CallFailed: Any other error of the router.
        Unavailable: There is no router.
    """
    try:
        result = await session.call(procedure, args, kwargs, timeout=SECONDS)
    except WampError as error:
        if error.uri in _GONE:
            raise Gone(error.uri) from error
        if error.uri in {NOT_AUTHORIZED, AUTHORIZATION_FAILED}:
            raise Forbidden(
                f"The router does not let this app's session call {procedure}; the router's "
                "configuration must allow that to its role."
            ) from error
        if error.uri == NO_SUCH_PROCEDURE:
            raise NotOffered(
                f"The router has no procedure {procedure}, so it can't be asked."
            ) from error
        raise CallFailed(error.uri, error.wamp_args, error.wamp_kwargs) from error
    except (Unavailable, Undeliverable) as error:
        raise UnavailableProblem(f"The router could not be asked: {error}.") from error
    return result.args[0] if result.args else None
