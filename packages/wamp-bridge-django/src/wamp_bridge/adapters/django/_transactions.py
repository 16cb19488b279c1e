"""Handlers, run as Django runs views: in the transactions that its settings ask for."""

from __future__ import annotations

from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.base import BaseHandler

from wamp_bridge.core import is_async_callable, layers

if TYPE_CHECKING:
    from collections.abc import Callable

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
        return _atomic(partial(function, *args, **kwargs), function)()

    @wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        def waiting() -> Any:
            return async_to_sync(function)(*args, **kwargs)

        in_transactions = _atomic(waiting, function)
        if in_transactions is waiting:
            return await function(*args, **kwargs)
        return await sync_to_async(in_transactions)()

    return run_async if is_async_callable(function) else run


def _atomic(view: Callable[[], Any], function: Callable[..., Any]) -> Any:
    """The view within its transactions; as late as this, for settings and marks may come late."""
    marks = {alias for each, _ in layers(function) for alias in getattr(each, _MARK, ())}
    setattr(view, _MARK, marks)
    return BaseHandler().make_view_atomic(view)
