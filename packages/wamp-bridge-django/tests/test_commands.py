"""`manage.py wamp`, typed by a person."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import httpx
import pytest
import respx
from django.core.management import CommandError, call_command

from wamp_bridge.adapters.django.management.commands import wamp as commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from wamp_bridge.adapters.django import WampBridge

SOURCE = {"id": "s", "url": "http://shop.test/wamp/", "state": "live", "reason": None}
ENTRY = {
    "id": "r",
    "uri": "com.shop.price",
    "url": "http://shop.test/wamp/rpc/com.shop.price/",
    "match": "exact",
    "state": "live",
    "reason": None,
}


@pytest.fixture(autouse=True)
def _of_this_project(wamp: WampBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "default", wamp)


def manage_wamp(command: str) -> str:
    output = io.StringIO()
    call_command("wamp", command, stdout=output)
    return output.getvalue()


@respx.mock
def test_announce_waits_until_the_bridge_has_asked() -> None:
    route = respx.post("http://bridge.test/announce/").respond(json={"source": SOURCE})
    assert manage_wamp("announce") == "http://shop.test/wamp/ is live\n"
    asked = json.loads(route.calls.last.request.content)
    assert asked == {"url": "http://shop.test/wamp/", "wait": True}


@respx.mock
def test_withdraw_takes_all_back() -> None:
    route = respx.post("http://bridge.test/withdraw/").respond(json={})
    assert manage_wamp("withdraw") == "http://shop.test/wamp/ is withdrawn\n"
    assert json.loads(route.calls.last.request.content) == {"url": "http://shop.test/wamp/"}


@respx.mock
def test_list_shows_what_the_bridge_holds() -> None:
    held = {"sources": [SOURCE], "registrations": [ENTRY], "subscriptions": []}
    for kind, entries in held.items():
        respx.get(f"http://bridge.test/{kind}/").respond(json={kind: entries, "cursor": None})
    shown = manage_wamp("list")
    assert "com.shop.price  exact  live   http://shop.test/wamp/rpc/com.shop.price/" in shown
    assert shown.endswith("no topic\n")


@respx.mock
def test_what_the_bridge_answers_is_shown_in_one_line() -> None:
    respx.get("http://bridge.test/sources/").respond(
        401, json={"title": "Unauthorized", "status": 401, "detail": "no valid credentials"}
    )
    with pytest.raises(CommandError, match=r"^no valid credentials$"):
        manage_wamp("list")


@respx.mock
def test_a_bridge_that_is_away_is_told_in_one_line(configure: Callable[..., None]) -> None:
    configure(timeout=0.01)
    respx.get("http://bridge.test/sources/").mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(CommandError, match=r"^the bridge could not be reached"):
        manage_wamp("list")


@pytest.mark.parametrize("command", ["announce", "withdraw", "list"])
def test_a_project_that_is_not_set_up_is_told_what_it_lacks(
    command: str, configure: Callable[..., None]
) -> None:
    configure(url=None)
    with pytest.raises(CommandError, match="WAMP_BRIDGE_URL"):
        manage_wamp(command)


def test_there_is_no_other_command() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        manage_wamp("forget")
