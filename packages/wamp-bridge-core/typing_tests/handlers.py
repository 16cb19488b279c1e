"""Code as users write it, which is only type-checked: decorators leave a function's type alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_type

from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    EventDetails,
    InvocationDetails,
    Once,
    Outcome,
    Progress,
    WampBridgeBase,
)

if TYPE_CHECKING:
    from collections.abc import Callable

wamp = WampBridgeBase({"WAMP_BRIDGE_URL": "http://localhost:8181/"})
rpc, sub, callback = wamp.rpc, wamp.sub, wamp.callback
once = Once()


@rpc()
def price(product: str, count: int = 1) -> float:
    return 12.5 * count if product else 0


@rpc("com.shop.stock", match="prefix", invoke="roundrobin", concurrency=4, timeout=2.5)
async def stock(product: str, *, details: InvocationDetails) -> dict[str, int]:
    if details.caller_authid is None:
        raise ApplicationError("com.shop.error.unknown", product, who=details.caller)
    return {product: 3}


@sub(ordered=True, fanout=True, concurrency=1, schedule=(0, 2.5), timeout=5, dead_letters=60)
@once
def sold(product: str, details: EventDetails) -> None:
    assert_type(details.delivery_id, str)
    assert_type(details.attempt, int)
    assert_type(product, str)


@callback()
def done(outcome: Outcome) -> None:
    assert_type(outcome.result, CallResult)


@callback("watch", progress=True)
async def watch(step: Outcome | Progress) -> None:
    if isinstance(step, Progress):
        assert_type(step.sequence, int)


@rpc()
@sub()
def both(product: str, *, details: InvocationDetails | EventDetails) -> CallResult:
    return CallResult([product], {"id": details.delivery_id})


total: Callable[[str], float] = rpc("total")(partial(price, count=3))


async def directly(details: InvocationDetails) -> None:
    assert_type(price("book"), float)
    assert_type(await stock("book", details=details), dict[str, int])


price(count=1, product="book")
price(1)  # type: ignore[arg-type] # the handler's parameters are still checked
price("book", colour="red")  # type: ignore[call-arg] # and so are their names
rpc(match="regex")  # type: ignore[arg-type] # options are checked
rpc(name="f")  # type: ignore[call-arg] # a name stands first
sub(invoke="first")  # type: ignore[call-arg] # a topic has no callees
