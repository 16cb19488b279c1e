"""Handlers, run as Django runs views: in the transactions that its settings ask for."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.base import BaseHandler

from wamp_bridge.core import is_async_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK: Final = "_non_atomic_requests"  # Django's


def as_view(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, within the transactions that a view would be in.

    Those are of the databases with `ATOMIC_REQUESTS`, less those that
    `transaction.non_atomic_requests` names on it, above or below whatever else decorates it. What
    it raises takes them back. An asynchronous function that is within any runs with its queries in
    one thread, which is its connections'.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return _atomic(partial(function), function)(*args, **kwargs)

    @wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        waiting = partial(_awaited, function)
        in_transactions = _atomic(waiting, function)
        if in_transactions is waiting:
            return await function(*args, **kwargs)
        return await sync_to_async(in_transactions)(*args, **kwargs)

    return run_async if is_async_callable(function) else run


def _awaited(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return async_to_sync(function)(*args, **kwargs)


def _atomic(view: partial[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The view within its transactions; as late as this, for settings and marks may come late."""
    marks = (getattr(layer, _MARK, ()) for layer in _layers(function))
    setattr(view, _MARK, set().union(*marks))
    atomic: Callable[..., Any] = BaseHandler().make_view_atomic(view)
    return atomic


def _layers(function: Callable[..., Any] | None) -> Iterator[Callable[..., Any]]:
    """A function and those that it is wrapped around, any of which may be marked."""
    while function is not None:
        yield function
        function = getattr(function, "__wrapped__", None)
