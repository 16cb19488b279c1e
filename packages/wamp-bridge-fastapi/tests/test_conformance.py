"""The FastAPI adapter does what every adapter must, in apps of FastAPI and of Starlette."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from wamp_bridge.adapters.fastapi import WampBridge
from wamp_bridge.core.testing.conformance import AdapterConformance, asgi_sender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from wamp_bridge.core import Request, Response
    from wamp_bridge.core.testing.conformance import Declares


def made(declare: Callable[[Declares], None], settings: Mapping[str, Any]) -> WampBridge:
    given = {name.removeprefix("WAMP_BRIDGE_").lower(): settings[name] for name in settings}
    wamp = WampBridge(**given)
    declare(wamp)
    return wamp


class TestFastAPIConformance(AdapterConformance):
    @asynccontextmanager
    async def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> AsyncIterator[Callable[[Request], Awaitable[Response]]]:
        wamp = made(declare, settings)
        app = FastAPI()
        app.include_router(wamp.dispatcher, prefix="/wamp")
        yield asgi_sender(app)
        await wamp.aclose()


class TestStarletteConformance(AdapterConformance):
    @asynccontextmanager
    async def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> AsyncIterator[Callable[[Request], Awaitable[Response]]]:
        wamp = made(declare, settings)
        yield asgi_sender(Starlette(routes=[Mount("/wamp", routes=wamp.routes)]))
        await wamp.aclose()
