"""URLs that an app names, and where its callbacks may not go: refused, and nothing is dialled."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from support.waiting import eventually
from wamp_bridge_server.config import callback_rule

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer
    from wamp_bridge_server.bridge import Bridge
    from wamp_bridge_server.config import Config


@pytest.fixture
def router_url() -> str:
    return "memory:"


FORBIDDEN = (
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://0xa9fea9fe/",
    "http://10.0.0.1/",
    "http://127.1:8000/",
    "http://①②⑦.0.0.1:8000/",
)


@pytest.mark.parametrize("url", FORBIDDEN)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/register/", {"endpoints": {"com.shop.pay": "URL"}}),
        ("/subscribe/", {"endpoints": {"com.shop.sold": {"url": "URL"}}}),
        ("/announce/", {"url": "URL"}),
        ("/call/com.shop.pay/", {"callback": "URL"}),
    ],
)
async def test_a_forbidden_url_is_422_with_a_reason(
    shop: Client, path: str, body: dict[str, Any], url: str
) -> None:
    named = msgspec.json.decode(
        msgspec.json.encode(body).replace(b'"URL"', msgspec.json.encode(url))
    )
    answer = await shop.http.post(path, json=named)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert answer.json()["detail"].startswith("The URL of the ")


async def test_the_bridge_is_no_callback_of_its_own(shop: Client, bridge: Bridge) -> None:
    answer = await shop.http.post("/announce/", json={"url": bridge.url})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


async def test_a_manifest_names_no_forbidden_url(shop: Client, app: CallbackServer) -> None:
    manifest = {
        "protocol": 1,
        "procedures": {
            "com.shop.bad": {"url": "http://169.254.169.254/"},
            "com.shop.good": {"url": "rpc/com.shop.good/"},
        },
        "topics": {"com.shop.bad": {"url": "http://10.0.0.1/"}},
    }
    app.answering = lambda _posted: web.json_response(manifest)
    answer = await shop.http.post("/announce/", json={"url": app.url, "wait": True})
    assert answer.status_code == HTTPStatus.OK
    for path in ("registrations", "subscriptions"):
        for entry in (await shop.http.get(f"/{path}/")).json()[path]:
            if entry["uri"] == "com.shop.good":
                assert entry["state"] == "live"
            else:
                assert entry["state"] == "refused"
                assert "callbacks" in entry["reason"]


async def test_other_rules_hold_for_what_was_registered_before(
    shop: Client, bridge: Bridge, config: Config, app: CallbackServer
) -> None:
    await shop.http.post("/register/", json={"endpoints": {"com.shop.pay": app.url}})
    assert (await shop.http.post("/call/com.shop.pay/")).is_success

    async def reload(*rules: str) -> None:
        callbacks = tuple(map(callback_rule, rules))
        changed = msgspec.structs.replace(config.apps["shop"], callbacks=callbacks)
        apps = {**config.apps, "shop": changed}
        await bridge.reload(msgspec.structs.replace(config, apps=apps))

    async def state() -> str:
        entries = (await shop.http.get("/registrations/")).json()["registrations"]
        return str(entries[0]["state"])

    await reload("10.0.0.0/8:*")
    assert await state() == "refused"
    posted = len(app.posted)
    answer = await shop.http.post("/call/com.shop.pay/")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert len(app.posted) == posted
    await reload("127.0.0.1:*")

    async def live() -> bool:
        return await state() == "live"

    await eventually(live)
    assert (await shop.http.post("/call/com.shop.pay/")).is_success
