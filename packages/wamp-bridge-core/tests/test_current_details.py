"""What a handler calls can ask what the handler was called for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wamp_bridge.core import (
    Dispatcher,
    EventDetails,
    InvocationDetails,
    Outcome,
    Registry,
    Request,
    Response,
    Settings,
    current_details,
    generate_secret,
)
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = generate_secret()
DISPATCHER = Dispatcher(registry := Registry(), Settings(secrets=(SECRET,)))
seen: list[object] = []


def look() -> None:
    seen.append(current_details())


registry.rpc("com.shop.plain")(look)
registry.sub("com.shop.sold")(look)


@registry.rpc("com.shop.awaited")
async def awaited() -> None:
    await asyncio.sleep(0)
    look()


@registry.callback("done")
def done(_outcome: Outcome) -> None:
    look()


def dispatch_async(request: Request) -> Response:
    return asyncio.run(DISPATCHER.dispatch_async(request))


@pytest.mark.parametrize("driver", [DISPATCHER.dispatch, dispatch_async], ids=["sync", "async"])
def test_the_details_are_those_of_the_delivery_and_gone_after_it(
    driver: Callable[[Request], Response],
) -> None:
    seen.clear()
    bridge = SignedBridge(driver, [SECRET])
    bridge.invoke("com.shop.plain", details={"caller_authid": "joe"})
    bridge.invoke("com.shop.awaited", details={"caller_authid": "ann"})
    bridge.publish("com.shop.sold", publication=3)
    bridge.succeed("done", call="c")
    first, second, event, outcome = seen
    assert isinstance(first, InvocationDetails)
    assert isinstance(second, InvocationDetails)
    assert (first.caller_authid, second.caller_authid) == ("joe", "ann")
    assert isinstance(event, EventDetails)
    assert event.publication == 3
    assert isinstance(outcome, Outcome)
    assert outcome.call == "c"
    assert current_details() is None
