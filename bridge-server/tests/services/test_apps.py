"""Apps and what lets them in, as the configuration has it and as time passes."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest

from wamp_bridge.core import WebhookSigner
from wamp_bridge_server.callbacks.sender import CannotSign
from wamp_bridge_server.config import AppConfig, Permissions, Secret, Token, hash_token
from wamp_bridge_server.errors import Forbidden
from wamp_bridge_server.services.apps import Apps

if TYPE_CHECKING:
    from collections.abc import Callable

NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
ENDS = 1_800_000_000.0


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock."""

    def set_clock(now: float) -> None:
        monkeypatch.setattr(time, "time", lambda: now)

    return set_clock


def app(name: str, *tokens: Token, secrets: tuple[Secret, ...] = ()) -> AppConfig:
    return AppConfig(name=name, tokens=tokens, secrets=secrets)


def test_a_token_ends_at_its_moment(at: Callable[[float], None]) -> None:
    apps = Apps({"shop": app("shop", Token(hash_token("new")), Token(hash_token("old"), ENDS))})
    at(ENDS - 0.001)
    assert apps.by_token("old") is apps.by_token("new") is apps.by_name["shop"]
    at(ENDS)
    assert apps.by_token("old") is None
    assert apps.by_token("new") is apps.by_name["shop"]
    assert apps.by_token("other") is None


def test_a_secret_ends_at_its_moment(at: Callable[[float], None]) -> None:
    apps = Apps({"shop": app("shop", secrets=(Secret(NEW), Secret(OLD, ENDS)))})
    shop = apps.by_name["shop"]
    both, new = WebhookSigner([NEW, OLD]), WebhookSigner([NEW])
    for now, signer, keys in ((ENDS - 0.001, both, 2), (ENDS, new, 1), (ENDS + 60, new, 1)):
        at(now)
        chosen = apps.signer("shop")
        assert chosen is not None
        assert chosen.sign("msg_1", 1, b"{}") == signer.sign("msg_1", 1, b"{}")
        assert len(shop.live_keys(now)) == keys


def test_nothing_is_sent_unsigned_when_all_secrets_have_ended(
    at: Callable[[float], None],
) -> None:
    apps = Apps({"shop": app("shop", secrets=(Secret(OLD, ENDS),)), "plain": app("plain")})
    at(ENDS)
    with pytest.raises(CannotSign, match="all of the app's secrets have expired"):
        apps.signer("shop")
    assert apps.by_name["shop"].live_keys(ENDS) == []
    assert apps.signer("plain") is None


def test_another_configuration() -> None:
    shop, bank = app("shop", Token(hash_token("s"))), app("bank", Token(hash_token("b")))
    apps = Apps({"shop": shop, "bank": bank})
    kept, gone = apps.by_name["shop"], apps.by_name["bank"]
    less = AppConfig(
        name="shop",
        tokens=(Token(hash_token("t")),),
        secrets=(Secret(NEW),),
        allow=Permissions(call=()),
        rate=1.0,
    )
    changes = apps.configure({"shop": less, "new": app("new", Token(hash_token("n")))})
    assert changes.added == [apps.by_name["new"]]
    assert changes.changed == [kept]
    assert changes.removed == [gone]
    # Who holds the app goes by what is said now.
    assert apps.by_name["shop"] is kept
    with pytest.raises(Forbidden):
        kept.permissions.check("call", "com.a")
    assert kept.rate == 1.0
    assert len(kept.live_keys(0)) == 1
    assert apps.signer("shop") is not None
    assert [apps.by_token(token) for token in ("s", "b", "t")] == [None, None, kept]
    with pytest.raises(CannotSign, match="does not name the app any more"):
        apps.signer("bank")


def test_the_same_configuration_changes_nothing() -> None:
    secrets = (Secret(NEW),)
    apps = Apps({"shop": app("shop", Token(hash_token("s")), secrets=secrets)})
    shop = apps.by_name["shop"]
    changes = apps.configure({"shop": app("shop", Token(hash_token("s")), secrets=secrets)})
    assert (changes.added, changes.changed, changes.removed) == ([], [], [])
    assert apps.by_name == {"shop": shop}
