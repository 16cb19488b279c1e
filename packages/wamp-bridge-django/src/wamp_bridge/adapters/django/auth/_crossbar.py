"""Django as Crossbar's dynamic authenticator and authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import authenticate as check_password
from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest

from wamp_bridge.adapters.django._settings import (
    AUTHORIZE,
    TICKET_AGE,
    USER_ROLE,
    imported,
    setting,
)
from wamp_bridge.adapters.django.auth._users import may_call, required_by, user_by_name, user_of
from wamp_bridge.core import ApplicationError, ConfigurationError, Forbidden, InvocationDetails

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.contrib.auth.base_user import AbstractBaseUser

_MARK: Final = "wamp-ticket:"
_FAILED: Final = "wamp.error.authentication_failed"
_ROUTER_ROLE: Final = "trusted"  # of Crossbar's own sessions, and of nobody who joins


def ticket_for(user: AbstractBaseUser) -> str:
    """A ticket with which a page logs its user in to the router.

    Good for `WAMP_BRIDGE_TICKET_AGE` seconds, 60 unless set, and until the password changes. Give
    it to the page of the user who has it requested, and to nobody else.
    """
    return _MARK + signing.dumps(str(user.pk), salt=_salt(user))


def authenticate(
    _realm: str, authid: str | None, details: Mapping[str, Any], *, caller: InvocationDetails
) -> dict[str, str]:
    """Crossbar's dynamic authenticator for tickets: a user name with its password or a ticket.

    Declare it with `rpc`, and name it in the router's configuration. A password is checked by
    Django's `AUTHENTICATION_BACKENDS`.

    Raises:
        ApplicationError: `wamp.error.authentication_failed`; never says why.
        Forbidden: Somebody else than the router asks, who may be guessing passwords.
        ConfigurationError: `WAMP_BRIDGE_USER_ROLE` is not set.
    """
    _check_router(caller)
    role = setting(USER_ROLE)
    if not role:
        raise ConfigurationError(f"{USER_ROLE} is not set: in which role do users join the router?")
    ticket = details.get("ticket")
    user = None
    if isinstance(authid, str) and authid and isinstance(ticket, str) and ticket:
        user = _logged_in(authid, ticket, role, _request_of(details))
    if user is None:
        raise ApplicationError(_FAILED, "no user with this ticket")
    return {"role": role, "authid": user.get_username()}


def authorize(
    session: Mapping[str, Any],
    uri: str,
    action: str,
    _options: object = None,
    *,
    caller: InvocationDetails,
) -> dict[str, bool]:
    """Crossbar's dynamic authorizer: what a user may call, register, publish and subscribe to.

    Declare it with `rpc`, and name it in the router's configuration. What `WAMP_BRIDGE_AUTHORIZE`
    names decides, a function of the user, the action and the URI. Where that isn't set, a user may
    call what is declared in this project, as far as its permissions are the user's, and nothing
    else.

    Raises:
        Forbidden: Somebody else than the router asks.
    """
    _check_router(caller)
    user = user_of(session.get("authid"), session.get("authrole"))
    allow = user is not None and user.is_authenticated and _policy()(user, action, uri)
    return {"allow": bool(allow), "disclose": True, "cache": False}


def may_call_what_is_declared(user: AbstractBaseUser, action: str, uri: str) -> bool:
    """Whether it is a call of a procedure of this project that the user has permission for."""
    from wamp_bridge.adapters.django._adapter import default  # noqa: PLC0415 - which needs this

    if action != "call":
        return False
    handler = default.registry.table(default.settings.prefix).procedures.get(uri)
    if handler is None:
        return False
    required = required_by(handler.function)
    return required is None or may_call(user, required)


def _check_router(caller: InvocationDetails) -> None:
    if caller.caller_authrole != _ROUTER_ROLE:
        raise Forbidden("only the router may ask this")


def _policy() -> Callable[[AbstractBaseUser, str, str], bool]:
    return imported(AUTHORIZE) or may_call_what_is_declared


def _logged_in(
    authid: str, ticket: str, role: str, request: HttpRequest
) -> AbstractBaseUser | None:
    if not ticket.startswith(_MARK):
        name = str(get_user_model().USERNAME_FIELD)
        return check_password(request, **{name: authid, "password": ticket})
    user = user_by_name(authid, role)
    if user is None:
        return None
    try:
        signed = signing.loads(
            ticket.removeprefix(_MARK), salt=_salt(user), max_age=setting(TICKET_AGE)
        )
    except signing.BadSignature:
        return None
    return user if signed == str(user.pk) else None


def _request_of(details: Mapping[str, Any]) -> HttpRequest:
    """A request with the address of the one who joins, for backends that count failures by it."""
    request = HttpRequest()
    transport = details.get("transport")
    peer = transport.get("peer") if isinstance(transport, dict) else None
    if isinstance(peer, str) and peer.startswith(("tcp4:", "tcp6:")):  # then address and port
        request.META["REMOTE_ADDR"] = peer[len("tcp4:") :].rpartition(":")[0]
    return request


def _salt(user: AbstractBaseUser) -> str:
    return f"wamp_bridge.ticket.{user.get_session_auth_hash()}"
