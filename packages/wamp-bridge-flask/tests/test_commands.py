"""`flask wamp`, typed by a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
import respx
from flask import Flask

from wamp_bridge.adapters.flask._commands import wamp as commands

if TYPE_CHECKING:
    from click.testing import Result

SOURCE = {"id": "s", "url": "http://shop.test/wamp/", "state": "live", "reason": None}
ENTRY = {
    "id": "r",
    "uri": "com.shop.price",
    "url": "http://shop.test/wamp/rpc/com.shop.price/",
    "match": "exact",
    "state": "live",
    "reason": None,
}


def flask_wamp(app: Flask, command: str) -> Result:
    return app.test_cli_runner().invoke(commands, [command])


@respx.mock
def test_announce_waits_until_the_bridge_has_asked(app: Flask) -> None:
    route = respx.post("http://bridge.test/announce/").respond(json={"source": SOURCE})
    result = flask_wamp(app, "announce")
    assert (result.exit_code, result.output) == (0, "http://shop.test/wamp/ is live\n")
    asked = json.loads(route.calls.last.request.content)
    assert asked == {"url": "http://shop.test/wamp/", "wait": True}


@respx.mock
def test_withdraw_takes_all_back(app: Flask) -> None:
    route = respx.post("http://bridge.test/withdraw/").respond(json={})
    result = flask_wamp(app, "withdraw")
    assert (result.exit_code, result.output) == (0, "http://shop.test/wamp/ is withdrawn\n")
    assert json.loads(route.calls.last.request.content) == {"url": "http://shop.test/wamp/"}


@respx.mock
def test_list_shows_what_the_bridge_holds(app: Flask) -> None:
    held = {"sources": [SOURCE], "registrations": [ENTRY], "subscriptions": []}
    for kind, entries in held.items():
        respx.get(f"http://bridge.test/{kind}/").respond(json={kind: entries, "cursor": None})
    result = flask_wamp(app, "list")
    assert result.exit_code == 0
    assert (
        "com.shop.price  exact  live   http://shop.test/wamp/rpc/com.shop.price/" in result.output
    )
    assert result.output.endswith("no topic\n")


@respx.mock
def test_what_the_bridge_answers_is_shown_in_one_line(app: Flask) -> None:
    respx.get("http://bridge.test/sources/").respond(
        401, json={"title": "Unauthorized", "status": 401, "detail": "no valid credentials"}
    )
    result = flask_wamp(app, "list")
    assert (result.exit_code, result.output) == (1, "Error: no valid credentials\n")


@respx.mock
def test_a_bridge_that_is_away_is_told_in_one_line(app: Flask) -> None:
    app.config["WAMP_BRIDGE_TIMEOUT"] = 0.01
    respx.get("http://bridge.test/sources/").mock(side_effect=httpx.ConnectError("refused"))
    result = flask_wamp(app, "list")
    assert result.exit_code == 1
    assert result.output.startswith("Error: the bridge could not be reached")


@pytest.mark.parametrize("command", ["announce", "withdraw", "list"])
def test_an_app_that_is_not_set_up_is_told_what_it_lacks(command: str, app: Flask) -> None:
    result = flask_wamp(Flask("bare"), command)
    assert result.exit_code == 1
    assert "dispatcher" in result.output
    app.config["WAMP_BRIDGE_URL"] = None
    result = flask_wamp(app, command)
    assert result.exit_code == 1
    assert "WAMP_BRIDGE_URL" in result.output
