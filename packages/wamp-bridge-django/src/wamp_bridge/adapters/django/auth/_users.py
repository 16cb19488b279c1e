"""Who calls, as a user of Django, and what only some of them may call."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model

from wamp_bridge.adapters.django._settings import (
    GET_USER,
    USER_ROLE,
    SettledBridge,
    imported,
    setting,
)
from wamp_bridge.core import (
    EventDetails,
    Forbidden,
    InvocationDetails,
    current_details,
    is_async_callable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

    from wamp_bridge.core import Invoke, Match

    User: TypeAlias = AbstractBaseUser | AnonymousUser

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_last: ContextVar[tuple[object, Any]] = ContextVar("wamp_bridge_user", default=(None, None))
_REQUIRED = "wamp_bridge_required"


def current_user() -> Any:
    """The user who called the running handler, or published its event.

    That is whom the router names and `WAMP_BRIDGE_USER_ROLE` or `WAMP_BRIDGE_GET_USER` maps to a
    user; an `AnonymousUser` where there is none. Looked up once for a delivery, and no sooner
    than it is asked for.
    """
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - when apps are ready

    details = current_details()
    known_for, user = _last.get()
    if details is not None and known_for is details:
        return user
    user = user_of(*_identity(details)) or AnonymousUser()
    _last.set((details, user))
    return user


async def acurrent_user() -> Any:
    """As `current_user`, for an asynchronous handler."""
    return await sync_to_async(current_user)()


def user_of(authid: str | None, authrole: str | None) -> AbstractBaseUser | None:
    """The user whom the router means, as the settings say."""
    get_user = imported(GET_USER) or user_by_name
    user = get_user(authid, authrole)
    return cast("AbstractBaseUser | None", user)


def user_by_name(authid: str | None, authrole: str | None) -> AbstractBaseUser | None:
    """The active user of this name, where the role is `WAMP_BRIDGE_USER_ROLE`."""
    role = setting(USER_ROLE)
    if authid is None or not role or authrole != role:
        return None
    model = get_user_model()
    users: Any = model._default_manager  # noqa: SLF001 - as Django's documentation calls it
    try:
        named: AbstractBaseUser = users.get_by_natural_key(authid)
    except model.DoesNotExist:
        return None
    return named if named.is_active else None


class RequiringUsers(SettledBridge):
    """A `SettledBridge` whose procedures can be for users alone."""

    def rpc(
        self,
        name: str | None = None,
        /,
        *,
        match: Match = "exact",
        invoke: Invoke = "single",
        concurrency: int | None = None,
        timeout: float | None = None,
        login_required: bool = False,
        permission: str | Sequence[str] = (),
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function as a procedure; see `Registry.rpc`.

        Args:
            name: The procedure; the function's name if left out.
            match: How `name` matches the procedures that are called.
            invoke: Which of several callees is called.
            concurrency: How many calls may run at once.
            timeout: Seconds after which a call has failed.
            login_required: Only users may call it; others get `wamp.error.not_authorized`.
            permission: Only users with this permission may call it, or with all of these.
        """
        declare = super().rpc(
            name, match=match, invoke=invoke, concurrency=concurrency, timeout=timeout
        )

        def decorate(function: _Function) -> _Function:
            declare(guarded(function, login_required=login_required, permission=permission))
            return function

        return decorate


def guarded(
    function: _Function, *, login_required: bool, permission: str | Sequence[str]
) -> _Function:
    """The function, for those users alone who may call it."""
    required = (permission,) if isinstance(permission, str) else tuple(permission)
    if not login_required and not required:
        return function

    def admit() -> None:
        if not may_call(current_user(), required):
            raise Forbidden("a user who may call this is required")

    if is_async_callable(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            await sync_to_async(admit)()
            return await function(*args, **kwargs)

        run: Any = run_async
    else:

        @functools.wraps(function)
        def run_sync(*args: Any, **kwargs: Any) -> Any:
            admit()
            return function(*args, **kwargs)

        run = run_sync
    setattr(run, _REQUIRED, required)
    return cast("_Function", run)


def required_by(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The permissions without which a handler can't be called; None where no user is required."""
    required: tuple[str, ...] | None = getattr(function, _REQUIRED, None)
    return required


def may_call(user: User, required: tuple[str, ...]) -> bool:
    """Whether somebody is a user with all these permissions."""
    has_perms: Callable[[Sequence[str]], bool] | None = getattr(user, "has_perms", None)
    if not user.is_authenticated:
        return False
    return not required or (has_perms is not None and has_perms(required))


def _identity(details: object) -> tuple[str | None, str | None]:
    match details:
        case InvocationDetails():
            return details.caller_authid, details.caller_authrole
        case EventDetails():
            return details.publisher_authid, details.publisher_authrole
        case _:
            return None, None
