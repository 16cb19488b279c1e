"""What an app may do with which URI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wamp_bridge_server import config
from wamp_bridge_server.errors import Forbidden
from wamp_bridge_server.services.permissions import Permissions

if TYPE_CHECKING:
    from wamp_bridge_server.backends.base import Match

ALL = Permissions(config.Permissions())
SHOP = Permissions(config.Permissions(register=("com.shop",), call=()))


@pytest.mark.parametrize("uri", ["com.shop", "com.shop.pay", "com.shop.pay.now"])
def test_a_prefix_allows_what_lies_in_it(uri: str) -> None:
    SHOP.check("register", uri)


@pytest.mark.parametrize("uri", ["com.shopping", "com", "com.shops.x", "org.com.shop", "COM.SHOP"])
def test_a_prefix_is_one_of_whole_components(uri: str) -> None:
    with pytest.raises(Forbidden):
        SHOP.check("register", uri)


def test_an_empty_list_allows_nothing() -> None:
    with pytest.raises(Forbidden):
        SHOP.check("call", "com.shop.pay")


def test_an_action_left_out_is_allowed() -> None:
    SHOP.check("publish", "org.other")


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("wamp.session.kill", "exact"),
        ("wamp", "exact"),
        ("wamp.", "prefix"),
        ("wamp.x", "prefix"),
        ("w", "prefix"),
        ("wamp", "prefix"),
        (".session.kill", "wildcard"),
        ("wamp..kill", "wildcard"),
        ("..", "wildcard"),
    ],
)
def test_nobody_reaches_what_is_the_routers_own(uri: str, match: Match) -> None:
    with pytest.raises(Forbidden, match=r"wamp\."):
        ALL.check("register", uri, match)


@pytest.mark.parametrize("uri", ["wampus.x", "com.wamp.x", "wa"])
def test_names_that_only_look_like_it_are_free(uri: str) -> None:
    ALL.check("register", uri)


@pytest.mark.parametrize(
    ("uri", "match", "allowed"),
    [
        ("com.shop.", "prefix", True),
        ("com.shop.pa", "prefix", True),
        ("com.shop", "prefix", False),  # would catch com.shopping
        ("com.", "prefix", False),
        ("com.shop..pay", "wildcard", True),
        ("com.shop.", "wildcard", True),
        ("com..pay", "wildcard", False),
        ("com.", "wildcard", False),
    ],
)
def test_patterns_reach_no_further_than_allowed(uri: str, match: Match, *, allowed: bool) -> None:
    if allowed:
        SHOP.check("register", uri, match)
    else:
        with pytest.raises(Forbidden):
            SHOP.check("register", uri, match)
