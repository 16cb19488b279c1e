"""An app of core alone, with handlers of every kind, for the tests of what serves them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any

from wamp_bridge.core import (
    ApplicationError,
    CallResult,
    ConfigurationError,
    Dispatcher,
    EventDetails,
    Forbidden,
    InvocationDetails,
    Outcome,
    Progress,
    Registry,
    Request,
    Response,
    Settings,
    Unavailable,
    generate_secret,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable

SECRET = generate_secret()

registry = Registry()
rpc, sub, callback = registry.rpc, registry.sub, registry.callback
seen: list[Any] = []
"""What handlers were called with; a test clears it first."""
local: contextvars.ContextVar[str] = contextvars.ContextVar("local", default="unset")


@rpc("com.shop.echo")
def echo(*args: Any, **kwargs: Any) -> Any:
    return [list(args), kwargs]


@rpc("com.shop.returns")
def returns(what: str) -> Any:
    return {
        "none": None,
        "full": CallResult([1, 2], {"a": b"\x00"}),
        "tuple": (1, 2),
        "bytes": b"\x00\xff",
        "nan": float("nan"),
        "object": object(),
        "key": {1: 2},
    }[what]


@rpc("com.shop.async_double")
async def async_double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


@rpc("com.shop.gives_awaitable")
def gives_awaitable(number: int) -> Awaitable[int]:
    return async_double(number)


@rpc("com.shop.details")
def tells_details(details: InvocationDetails) -> Any:
    seen.append(details)


@rpc("com.shop", match="prefix")
def by_prefix(details: InvocationDetails) -> str:
    return details.procedure


@rpc("com.shop.raises")
def raises(what: str) -> None:
    raise {
        "application": ApplicationError("com.shop.sold_out", "book", left=0),
        "forbidden": Forbidden("not yours"),
        "unavailable": Unavailable("later"),
        "configuration": ConfigurationError("WAMP_BRIDGE_URL is not set"),
        "bug": RuntimeError("the password is hunter2"),
        "type_error": TypeError("price() missing 1 required positional argument: 'x'"),
        "no_json": ApplicationError("com.shop.bad", object()),
        "group": ExceptionGroup("several", [ValueError("one")]),
    }[what]


@rpc("com.shop.\u2603/\u00e9")
def unicode_name() -> str:
    return "snow"


@rpc("com.shop.thread")
def thread() -> list[Any]:
    return [threading.get_ident(), local.get()]


@rpc("com.shop.loop")
async def in_loop() -> list[Any]:
    await asyncio.sleep(0)
    return [threading.get_ident(), local.get()]


@sub("com.shop.sold")
def on_sold(*args: Any, details: EventDetails, **kwargs: Any) -> str:
    seen.append((args, kwargs, details))
    return "ignored"


@sub("com.shop.fails")
async def on_fails() -> None:
    raise RuntimeError("the password is hunter2")


@sub("com..any", match="wildcard")
def on_any() -> None: ...


@callback()
def done(outcome: Outcome) -> None:
    seen.append(outcome)


@callback(progress=True)
async def watching(step: Outcome | Progress) -> None:
    seen.append(step)


SETTINGS = Settings(secrets=(SECRET,))
DISPATCHER = Dispatcher(registry, SETTINGS)


def dispatch_async(request: Request) -> Response:
    return asyncio.run(DISPATCHER.dispatch_async(request))
