"""Settings, the lifespan, what apps ask of the bridge, OpenAPI, and Starlette alone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import respx
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.routing import Mount, Router
from starlette.testclient import TestClient

from wamp_bridge.adapters import fastapi as adapter
from wamp_bridge.adapters.fastapi import WampBridge
from wamp_bridge.core import BridgeError, ConfigurationError, Forbidden, _announce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import httpx

    from wamp_bridge.core.testing import SignedBridge

RESULT = {"result": 3, "args": [3], "kwargs": {}}


def test_the_names_of_the_module_belong_to_one_bridge() -> None:
    owners = {
        getattr(adapter, name).__self__ for name in ("call", "callback", "publish", "rpc", "sub")
    }
    (owner,) = owners
    assert isinstance(owner, WampBridge)
    assert owner.dispatcher is adapter.dispatcher
    assert not hasattr(adapter, "nonsense")


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "of-the-environment")
    monkeypatch.setenv("WAMP_BRIDGE_TIMEOUT", "3")
    monkeypatch.setenv("WAMP_BRIDGE_VERIFY", "false")
    settings = WampBridge(token="given", prefix="com.shop", verify=True).settings
    assert (settings.token, settings.timeout) == ("given", 3.0)
    assert (settings.prefix, settings.verify) == ("com.shop.", True)


def test_two_bridges_know_nothing_of_one_another(
    make_wamp: Callable[..., WampBridge], bridge_of: Callable[..., SignedBridge]
) -> None:
    answers = []
    for which in ("first", "second"):
        wamp = make_wamp()
        wamp.rpc("com.shop.which")(lambda which=which: which)
        app = FastAPI()
        app.include_router(wamp.dispatcher, prefix="/wamp")
        answers.append(bridge_of(app).invoke("com.shop.which"))
    assert answers == ["first", "second"]


def test_it_is_not_in_the_openapi_unless_it_is_wanted(make_wamp: Callable[..., WampBridge]) -> None:
    for wanted in (False, True):
        app = FastAPI()
        app.include_router(make_wamp(include_in_schema=wanted).dispatcher, prefix="/wamp")
        assert list(app.openapi()["paths"]) == ["/wamp/{path}"] * wanted
    (parameter,) = app.openapi()["paths"]["/wamp/{path}"]["post"]["parameters"]
    assert (parameter["name"], parameter["in"]) == ("path", "path")


@respx.mock
def test_path_functions_call_and_publish(app: FastAPI, wamp: WampBridge) -> None:
    called = respx.post("http://bridge.test/call/com.shop.f/").respond(json=RESULT)
    published = respx.post("http://bridge.test/publish/com.shop.t/").respond(
        json={"publication": 7}
    )

    @app.get("/loop")
    async def on_loop() -> Any:
        return [await wamp.call("f", ["x"]), await wamp.publish("t", {"a": 1})]

    @app.get("/thread")
    def in_thread() -> Any:
        return [wamp.bridge.call("f", ["x"]), wamp.bridge.publish("t", {"a": 1})]

    with TestClient(app) as client:
        for path in ("/loop", "/thread"):
            assert client.get(path).json() == [3, 7]
    assert [json.loads(call.request.content)["args"] for call in called.calls] == [["x"]] * 2
    assert published.call_count == 2


@respx.mock
async def test_a_callback_is_given_by_its_name(wamp: WampBridge) -> None:
    route = respx.post("http://bridge.test/call/com.slow/").respond(
        202, json={"id": "c", "status": "pending"}
    )
    wamp.callback("settled")(lambda _outcome: None)
    assert (await wamp.call("com.slow", callback="settled")).id == "c"
    asked = json.loads(route.calls.last.request.content)
    assert asked["callback"] == "http://shop.test/wamp/callback/settled/"
    with pytest.raises(BridgeError, match="unsettled"):
        await wamp.call("com.slow", callback="unsettled")
    await wamp.aclose()


def test_lifespans_are_combined(wamp: WampBridge) -> None:
    seen = []

    def noting(name: str) -> Any:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, bool]]:
            seen.append(f"{name} starts")
            yield {name: True}
            seen.append(f"{name} ends")

        return lifespan

    app = FastAPI(lifespan=noting("app"))
    other = APIRouter(lifespan=noting("router"))
    other.include_router(wamp.dispatcher, prefix="/wamp")
    app.include_router(other, prefix="/other")
    with TestClient(app) as client:
        assert looks_out(wamp)
        assert client.app_state == {"app": True, "router": True}
        assert client.post("/other/wamp/").status_code == 401
        assert seen == ["app starts", "router starts"]
    assert not looks_out(wamp)
    assert seen[2:] == ["router ends", "app ends"]
    with TestClient(app):
        assert looks_out(wamp)
    assert not looks_out(wamp)


@respx.mock
def test_the_lifespan_gives_the_connections_back(app: FastAPI, wamp: WampBridge) -> None:
    respx.post("http://bridge.test/call/com.shop.f/").respond(json=RESULT)

    @app.get("/")
    async def ask() -> Any:
        return await wamp.call("f")

    clients: list[httpx.AsyncClient] = []
    with TestClient(app) as client:
        assert client.get("/").json() == 3
        clients += wamp.async_bridge._clients.values()
        assert not clients[0].is_closed
    assert clients[0].is_closed


def test_what_tests_send_announces_nothing(make_wamp: Callable[..., WampBridge]) -> None:
    wamp = make_wamp(announce=True)
    app = FastAPI()
    app.include_router(wamp.dispatcher, prefix="/wamp")
    with TestClient(app) as client:
        client.post("/wamp/")
        names = [thread.name for thread in threading.enumerate()]
    assert "wamp-bridge-announce" not in names


def test_a_bad_setting_is_told(app: FastAPI, wamp: WampBridge) -> None:
    wamp.configure({"WAMP_BRIDGE_TIMEOUT": "soon"})
    with pytest.raises(ConfigurationError, match="WAMP_BRIDGE_TIMEOUT"):
        TestClient(app).post("/wamp/")


def test_dependencies_of_the_app_hold_where_it_is_included_but_not_where_it_is_mounted(
    make_wamp: Callable[..., WampBridge], bridge_of: Callable[..., SignedBridge]
) -> None:
    def refuse() -> None:
        raise HTTPException(401)

    wamp = make_wamp()
    wamp.rpc("com.shop.f")(lambda: 1)
    app = FastAPI(dependencies=[Depends(refuse)])
    app.include_router(wamp.dispatcher, prefix="/included")
    app.mount("/mounted", Router(wamp.routes))
    other = FastAPI()
    other.include_router(wamp.dispatcher, dependencies=[Depends(refuse)])
    assert bridge_of(app, place="/mounted/").invoke("com.shop.f") == 1
    for refusing, place in ((app, "/included/"), (other, "/")):
        with pytest.raises(Forbidden):
            bridge_of(refusing, place=place).invoke("com.shop.f")


def test_a_starlette_app_does_the_same(
    wamp: WampBridge, bridge_of: Callable[..., SignedBridge]
) -> None:
    @wamp.rpc()
    async def double(number: int) -> int:
        return 2 * number

    app = Starlette(routes=[Mount("/wamp", routes=wamp.routes)], lifespan=wamp.lifespan)
    assert bridge_of(app).invoke("com.shop.double", [2]) == 4
    with TestClient(app) as client:
        assert looks_out(wamp)
        answer = client.get("/wamp/rpc/com.shop.double/")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert not looks_out(wamp)


ALONE = """
import sys
sys.modules["fastapi"] = None
from starlette.applications import Starlette
from starlette.routing import Mount
from wamp_bridge.adapters.fastapi import WampBridge
wamp = WampBridge(announce=False)

@wamp.rpc("com.shop.f")
def f(number: int) -> int: ...

app = Starlette(routes=[Mount("/wamp", routes=wamp.routes)], lifespan=wamp.lifespan)
"""


def test_a_starlette_app_needs_no_fastapi() -> None:
    strictly = ["-W", "error", "-W", "ignore:Please use `import python_multipart"]  # see pyproject
    subprocess.run([sys.executable, *strictly, "-c", ALONE], check=True, timeout=60)


@pytest.fixture(autouse=True)
def _nobody_looks_out_any_more() -> Iterator[None]:
    yield
    _announce._watch._announcers.clear()


def looks_out(wamp: WampBridge) -> bool:
    return wamp.announcer in _announce._watch._announcers
