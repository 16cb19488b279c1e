"""Handlers, run as Django runs views: in the transactions that its settings ask for."""

from __future__ import annotations

import functools
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction

from wamp_bridge.core import is_async_callable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def as_view(function: _Function) -> _Function:
    """The function, within the transactions that a view would be in.

    Those are of the databases with `ATOMIC_REQUESTS`, less those that
    `transaction.non_atomic_requests` names on it. What it raises takes them back. An asynchronous
    function that is within any runs with its queries in one thread, which is its connections'.
    """
    if is_async_callable(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            if _atomic_aliases(function):
                return await sync_to_async(within)(*args, **kwargs)
            return await function(*args, **kwargs)

        def within(*args: Any, **kwargs: Any) -> Any:
            with _transactions(function):
                return async_to_sync(awaited)(*args, **kwargs)

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        return cast("_Function", run_async)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _transactions(function):
            return function(*args, **kwargs)

    return cast("_Function", run)


@contextmanager
def _transactions(function: Callable[..., Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for alias in _atomic_aliases(function):
            stack.enter_context(transaction.atomic(using=alias))
        yield


def _atomic_aliases(function: Callable[..., Any]) -> list[str]:
    exempt = getattr(function, "_non_atomic_requests", ())
    return [
        alias
        for alias, options in connections.settings.items()
        if options["ATOMIC_REQUESTS"] and alias not in exempt
    ]
