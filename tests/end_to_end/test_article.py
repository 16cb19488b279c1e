"""The article's own scenario: a plain web app, HTTP requests, and a WAMP peer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from support.clients import plain_http
from support.peers import joined
from support.processes import Child, free_port
from support.served import ServedBridge
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.router import CrossbarRouter

PLAIN_APP = """
from flask import Flask, jsonify, request
app, seen = Flask(__name__), []

@app.post("/wamp/rpc/<name>/")
def rpc(name):
    return jsonify([name, *request.json["args"]])

@app.post("/wamp/<kind>/<name>/")
def arrived(kind, name):
    seen.append([kind, name, request.json["args"], request.json.get("result")])
    return "", 204

@app.get("/seen")
def show():
    return jsonify(seen)
"""


@pytest.fixture
def bridge(tmp_path: Path, router: CrossbarRouter) -> Iterator[ServedBridge]:
    with ServedBridge(tmp_path, router.url) as served:
        served.wait_until_ready()
        yield served


@pytest.fixture
def plain_app(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "plain.py").write_text(PLAIN_APP)
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "plain", "run", "--port", str(port)]
    with Child(*command, folder=tmp_path) as child:
        child.line_with("Running on")
        yield f"http://127.0.0.1:{port}"


async def test_the_articles_scenario(
    bridge: ServedBridge, plain_app: str, router: CrossbarRouter, namespace: str
) -> None:
    token = {"token": "token-of-shop"}
    functions = [f"{namespace}.nom_fonction_{number}" for number in (1, 2)]
    topics = [f"{namespace}.nom_sujet_{number}" for number in (1, 2)]
    async with (
        plain_http(bridge.url) as http,
        plain_http(plain_app) as app,
        joined(router.url) as peer,
    ):

        async def seen() -> list[list[object]]:
            entries: list[list[object]] = (await app.get("/seen")).json()
            return entries

        endpoints = {name: f"{plain_app}/wamp/rpc/{name}/" for name in functions}
        registered = await http.post("/register/", json={**token, "endpoints": endpoints})
        assert [e["state"] for e in registered.json()["registrations"]] == ["live", "live"]
        endpoints = {name: f"{plain_app}/wamp/pub/{name}/" for name in topics}
        subscribed = await http.post("/subscribe/", json={**token, "endpoints": endpoints})
        assert [e["state"] for e in subscribed.json()["subscriptions"]] == ["live", "live"]

        for name in functions:
            assert await peer.call(name, "param1", 2) == [name, "param1", 2]
        for name in topics:
            await peer.publish(name, "news")

        async def both() -> bool:
            got = await seen()
            return all(["pub", name, ["news"], None] in got for name in topics)

        await eventually(both)

        await peer.register(f"{namespace}.upper", str.upper)
        path = f"/call/{namespace}.upper/"
        answered = await http.post(path, json={**token, "params": ["salut"]})
        assert answered.status_code == 200
        assert answered.json()["result"] == "SALUT"
        callback = f"{plain_app}/wamp/callback/upper/"
        body = {**token, "params": ["salut"], "callback": callback}
        assert (await http.post(path, json=body)).status_code == 202

        async def called_back() -> bool:
            return ["callback", "upper", ["SALUT"], "SALUT"] in await seen()

        await eventually(called_back)

        events = await peer.subscribe(f"{namespace}.sujet")
        path = f"/publish/{namespace}.sujet/"
        published = await http.post(path, json={**token, "params": ["param1", "param2"]})
        event = await events.get()
        assert event.args == ["param1", "param2"]
        assert event.details.publication == published.json()["publication"]
