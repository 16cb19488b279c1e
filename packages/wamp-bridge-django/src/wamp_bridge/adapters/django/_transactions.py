"""Handlers, run as Django runs views: in the transactions that its settings ask for."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, sync_to_async
from django.core.handlers.base import BaseHandler

from wamp_bridge.core import is_async_callable

if TYPE_CHECKING:
    from collections.abc import Callable


def as_view(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, within the transactions that a view would be in.

    Those are of the databases with `ATOMIC_REQUESTS`, less those that
    `transaction.non_atomic_requests` names on it. What it raises takes them back. An asynchronous
    function that is within any runs with its queries in one thread, which is its connections'.
    """
    atomic = BaseHandler().make_view_atomic  # which reads the settings, and so is called late

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return atomic(function)(*args, **kwargs)

    @wraps(function)
    async def run_async(*args: Any, **kwargs: Any) -> Any:
        in_transactions = atomic(waiting)
        if in_transactions is waiting:
            return await function(*args, **kwargs)
        return await sync_to_async(in_transactions)(*args, **kwargs)

    @wraps(function)
    def waiting(*args: Any, **kwargs: Any) -> Any:
        return async_to_sync(function)(*args, **kwargs)

    return run_async if is_async_callable(function) else run
