"""What functions of every shape are to core: asynchronous or not, in layers, at some place."""

from __future__ import annotations

import asyncio
import functools
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from wamp_bridge.core import run_awaiting
from wamp_bridge.core._callables import is_async_callable, layers, place_of

local: ContextVar[int] = ContextVar("local", default=0)


def plain(a: Any, b: Any = 2) -> Any:
    return a, b


@functools.wraps(plain)
def wrapping(*args: Any) -> Any:
    return plain(*args)


@functools.wraps(functools.partial(plain, 1))
def around_a_partial(*args: Any) -> Any:
    return plain(1, *args)


class Shop:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


async def asynchronous() -> None: ...


class AsyncCall:
    async def __call__(self) -> None: ...

    async def method(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (asynchronous, True),
        (functools.partial(asynchronous), True),
        (functools.partial(functools.partial(asynchronous)), True),
        (AsyncCall(), True),
        (AsyncCall().method, True),
        (functools.partial(AsyncCall()), True),
        (AsyncCall, False),
        (plain, False),
        (Shop(), False),
        (max, False),
    ],
)
def test_asynchronous_callables_are_told(function: Any, *, expected: bool) -> None:
    assert is_async_callable(function) is expected


def test_functions_are_told_by_where_they_are_written() -> None:
    line = plain.__code__.co_firstlineno
    assert place_of(plain) == f"{__name__}.plain ({__file__}:{line})"
    assert place_of(functools.partial(plain)) == place_of(plain)
    assert "Shop.method" in place_of(Shop().method)
    assert "Shop.__call__" in place_of(Shop())
    assert place_of(wrapping) == place_of(plain)
    assert place_of(around_a_partial) == place_of(plain)
    assert "max" in place_of(max)


def test_layers_are_taken_off_one_by_one() -> None:
    shop = Shop()
    assert list(layers(around_a_partial))[1:] == [
        (around_a_partial.__wrapped__, ()),
        (plain, (1,)),
    ]
    assert list(layers(shop.method)) == [(shop.method, ()), (Shop.method, (shop,))]
    assert list(layers(shop)) == [(shop, ()), (Shop.__call__, (shop,))]
    for whole in (plain, max, Shop, len):
        assert list(layers(whole)) == [(whole, ())]


async def test_an_asynchronous_function_can_be_waited_for_anywhere() -> None:
    async def where() -> list[int]:
        await asyncio.sleep(0)
        return [threading.get_ident(), local.get()]

    local.set(5)
    ident, value = run_awaiting(where)  # below a loop that is busy with us
    assert (ident == threading.get_ident(), value) == (False, 5)
    ident, value = await asyncio.to_thread(run_awaiting, where)
    assert (ident == threading.get_ident(), value) == (False, 5)
