"""A Pyramid app, for `pserve` by its ini file and for servers that call `create`."""

import os
import threading
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request

from wamp_bridge.adapters.pyramid import rpc, sub


@rpc()
def worker() -> int:
    return os.getpid()


@rpc()
async def add(first: int, second: int, request: Request) -> int:
    assert request.path == "/wamp/rpc/com.shop.add/"
    return first + second


@rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@sub()
def told(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")


def hello(request: Request) -> str:
    answer: str = request.params.get("say", "hello")
    return answer


def create() -> Any:
    """Return the app, made with settings from the environment alone."""
    return main({})


def main(_global_config: object, **settings: str) -> Any:
    with Configurator(settings=settings) as config:
        config.include("wamp_bridge.adapters.pyramid")
        config.add_route("hello", "/")
        config.add_view(hello, route_name="hello", renderer="string")
        config.scan(__name__)
        return config.make_wsgi_app()
