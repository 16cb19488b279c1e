"""What the commands of adapters do."""

from __future__ import annotations

import json

import httpx
import pytest

from wamp_bridge.core import Bridge, BridgeError, Settings, Unauthorized, commands

SOURCE = {"id": "s", "url": "http://shop/wamp/", "state": "live", "reason": None}


def bridge_that_answers(asked: list[tuple[str, object]], status: int = 200) -> Bridge:
    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.url.path.strip("/")
        asked.append((kind, json.loads(request.content) if request.content else None))
        return httpx.Response(status, json={"source": SOURCE, kind: [], "cursor": None})

    settings = Settings(url="http://bridge/", token="t", callback_url="http://shop/wamp/")
    return Bridge(settings, transport=httpx.MockTransport(answer))


def test_announce_waits_until_the_bridge_has_asked() -> None:
    asked: list[tuple[str, object]] = []
    with bridge_that_answers(asked) as bridge:
        assert commands()["announce"].run(bridge) == "http://shop/wamp/ is live"
    assert asked == [("announce", {"url": "http://shop/wamp/", "wait": True})]


def test_withdraw_takes_all_back() -> None:
    asked: list[tuple[str, object]] = []
    with bridge_that_answers(asked) as bridge:
        assert commands()["withdraw"].run(bridge) == "http://shop/wamp/ is withdrawn"
    assert asked == [("withdraw", {"url": "http://shop/wamp/"})]


def test_list_shows_what_the_bridge_holds() -> None:
    with bridge_that_answers([]) as bridge:
        assert commands()["list"].run(bridge) == "no source\n\nno procedure\n\nno topic"


def test_each_says_what_it_does_and_raises_what_the_bridge_answers() -> None:
    assert list(commands()) == ["announce", "withdraw", "list"]
    for command in commands().values():
        assert command.help.endswith(".")
        with bridge_that_answers([], 401) as bridge, pytest.raises(BridgeError) as caught:
            command.run(bridge)
        assert isinstance(caught.value, Unauthorized)
