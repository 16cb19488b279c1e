"""`pwamp`, typed by a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import respx

from support.pyramid_shop import SECRET
from wamp_bridge.adapters.pyramid._commands import main

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = {"id": "s", "url": "http://shop.test/wamp/", "state": "live", "reason": None}
ENTRY = {
    "id": "r",
    "uri": "com.shop.price",
    "url": "http://shop.test/wamp/rpc/com.shop.price/",
    "match": "exact",
    "state": "live",
    "reason": None,
}
APP = """
from pyramid.config import Configurator

def main(global_config, **settings):
    config = Configurator(settings=settings)
    if settings["adapter"] == "yes":
        config.include("wamp_bridge.adapters.pyramid")
    return config.make_wsgi_app()
"""
INI = """
[app:main]
paste.app_factory = {package}.app:main
adapter = yes
wamp_bridge.url = http://bridge.test/
wamp_bridge.token = token
wamp_bridge.secret = {secret}
wamp_bridge.callback_url = http://shop.test/wamp/
{more}

[app:bare]
use = main
adapter = no
"""


@pytest.fixture
def ini(tmp_path: Path, package: Callable[..., str]) -> Callable[..., str]:
    """Return what writes the configuration of an app, and returns its path."""
    name = package(app=APP)

    def write(more: str = "") -> str:
        path = tmp_path / "development.ini"
        path.write_text(INI.format(package=name, secret=SECRET, more=more))
        return str(path)

    return write


@respx.mock
def test_announce_waits_until_the_bridge_has_asked(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    route = respx.post("http://bridge.test/announce/").respond(json={"source": SOURCE})
    assert main([ini(), "announce"]) == 0
    assert capsys.readouterr() == ("http://shop.test/wamp/ is live\n", "")
    asked = json.loads(route.calls.last.request.content)
    assert asked == {"url": "http://shop.test/wamp/", "wait": True}


@respx.mock
def test_withdraw_takes_all_back(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    respx.post("http://bridge.test/withdraw/").respond(json={})
    assert main([ini(), "withdraw"]) == 0
    assert capsys.readouterr() == ("http://shop.test/wamp/ is withdrawn\n", "")


@respx.mock
def test_list_shows_what_the_bridge_holds(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"sources": [SOURCE], "registrations": [ENTRY], "subscriptions": []}
    for kind, entries in held.items():
        respx.get(f"http://bridge.test/{kind}/").respond(json={kind: entries, "cursor": None})
    assert main([ini(), "list"]) == 0
    shown = capsys.readouterr().out
    assert "com.shop.price  exact  live   http://shop.test/wamp/rpc/com.shop.price/" in shown
    assert shown.endswith("no topic\n")


@respx.mock
def test_variables_of_the_configuration_can_be_given(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    respx.post("http://bridge.test/withdraw/").respond(json={})
    path = ini("wamp_bridge.callback_url = http://shop.test:%(http_port)s/wamp/")
    with_the_first_gone = path_without(path, "wamp_bridge.callback_url = http://shop.test/wamp/")
    assert main([with_the_first_gone, "withdraw", "http_port=90"]) == 0
    assert capsys.readouterr().out == "http://shop.test:90/wamp/ is withdrawn\n"


@respx.mock
def test_what_the_bridge_answers_is_shown_in_one_line(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"title": "Unauthorized", "status": 401, "detail": "no valid credentials"}
    respx.get("http://bridge.test/sources/").respond(401, json=problem)
    assert main([ini(), "list"]) == 1
    assert capsys.readouterr() == ("", "pwamp: no valid credentials\n")


@respx.mock
def test_a_bridge_that_is_away_is_told_in_one_line(
    ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    respx.get("http://bridge.test/sources/").mock(side_effect=httpx.ConnectError("refused"))
    assert main([ini("wamp_bridge.timeout = 0.01"), "list"]) == 1
    assert capsys.readouterr().err.startswith("pwamp: the bridge could not be reached")


@pytest.mark.parametrize("command", ["announce", "withdraw", "list"])
def test_an_app_that_is_not_set_up_is_told_what_it_lacks(
    command: str, ini: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{ini()}#bare", command]) == 1
    assert "lacks config.include" in capsys.readouterr().err
    path = path_without(ini(), "wamp_bridge.url = http://bridge.test/")
    assert main([path, command]) == 1
    assert "WAMP_BRIDGE_URL" in capsys.readouterr().err
    assert main([ini("wamp_bridge.timeout = soon"), command]) == 1
    assert capsys.readouterr().err.startswith("pwamp: WAMP_BRIDGE_TIMEOUT must be")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "config_uri"),
        (["development.ini"], "command"),
        (["development.ini", "shout"], "shout"),
        (["development.ini", "list", "port"], 'no "="'),
        (["nowhere.ini", "list"], "nowhere.ini"),
    ],
)
def test_bad_usage_is_told_before_anything_is_done(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err


def path_without(path: str, line: str) -> str:
    """Take a line out of a file; its path."""
    file = Path(path)
    text = file.read_text()
    assert line in text
    file.write_text(text.replace(f"{line}\n", "", 1))
    return path
