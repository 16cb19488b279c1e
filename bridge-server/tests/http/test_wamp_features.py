"""What apps and autobahn's clients do together at a real Crossbar, by HTTP on the one side."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from support.clients import Client, plain_http
from support.peers import joined
from support.waiting import eventually
from wamp_bridge_server.bridge import Bridge
from wamp_bridge_server.config import RouterConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.peers import Peer
    from support.router import CrossbarRouter
    from support.servers import CallbackServer, Posted
    from wamp_bridge_server.config import Config


@pytest.fixture
def router_url(router: CrossbarRouter) -> str:
    return router.url


@pytest.fixture
async def peer(router: CrossbarRouter) -> AsyncIterator[Peer]:
    async with joined(router.url) as made:
        yield made


def answer_with_what_was_called(posted: Posted) -> web.Response:
    return web.json_response([posted.path, posted.document["procedure"]])


async def register(client: Client, procedure: str, url: str, **options: Any) -> None:
    body = {"endpoints": {procedure: {"url": url, **options}}}
    [made] = (await client.post("/register/", body))["registrations"]
    assert made["state"] == "live"


@pytest.mark.parametrize(
    ("pattern", "match", "called"),
    [
        ("{}.shop", "exact", "{}.shop"),
        ("{}.shop", "prefix", "{}.shopping.pay"),
        ("{}..pay", "wildcard", "{}.shop.pay"),
    ],
)
async def test_each_match_tells_the_app_what_was_called(
    shop: Client,
    peer: Peer,
    app: CallbackServer,
    namespace: str,
    pattern: str,
    match: str,
    called: str,
) -> None:
    app.answering = answer_with_what_was_called
    await register(shop, pattern.format(namespace), f"{app.url}one/", match=match)
    procedure = called.format(namespace)
    assert await peer.call(procedure) == ["/one/", procedure]
    [posted] = app.of_type("invocation")
    assert posted["endpoint"] == {"uri": pattern.format(namespace), "match": match}


@pytest.mark.parametrize("invoke", ["roundrobin", "random", "first", "last"])
async def test_apps_urls_bridges_and_plain_callees_share_a_procedure(
    shop: Client,
    bank: Client,
    peer: Peer,
    app: CallbackServer,
    config: Config,
    namespace: str,
    invoke: str,
) -> None:
    app.answering = answer_with_what_was_called
    await register(shop, namespace, f"{app.url}shop1/", invoke=invoke)
    await register(shop, namespace, f"{app.url}shop2/", invoke=invoke)
    await register(bank, namespace, f"{app.url}bank/", invoke=invoke)
    async with other_bridge(config) as other:
        await register(other, namespace, f"{app.url}other/", invoke=invoke)
        await peer.register(namespace, lambda: ["plain"], invoke=invoke)
        served: Counter[str] = Counter()

        async def enough() -> bool:
            served[(await peer.call(namespace))[0]] += 1
            return len(served) == 5

        if invoke == "random":
            await eventually(enough)
        else:
            for _ in range(16):
                await enough()
    expected = {
        # Crossbar's policy is among sessions; within the app's session the bridge has it.
        "roundrobin": {"/shop1/": 2, "/shop2/": 2, "/bank/": 4, "/other/": 4, "plain": 4},
        "first": {"/shop1/": 16},
        "last": {"plain": 16},
        "random": dict.fromkeys(["/shop1/", "/shop2/", "/bank/", "/other/", "plain"], 1),
    }
    least = expected[invoke]
    assert served.keys() == least.keys()
    assert invoke == "random" or served == least


@asynccontextmanager
async def other_bridge(config: Config) -> AsyncIterator[Client]:
    """The shop at another bridge of the same router."""
    made = Bridge(msgspec.structs.replace(config, grace=0.0))
    await made.start()
    try:
        async with plain_http(made.url, headers={"Authorization": "Bearer token-of-shop"}) as http:
            yield Client(http)
    finally:
        await made.stop()


async def test_who_holds_a_procedure_is_said_as_far_as_the_router_tells(
    shop: Client, peer: Peer, app: CallbackServer, namespace: str
) -> None:
    await peer.register(namespace, lambda: None)
    body = {"endpoints": {namespace: app.url}}
    problem = await shop.post("/register/", body, status=409)
    who = await peer.call("wamp.session.get", peer.id)
    assert problem["detail"] == (
        f'Another WAMP client (session {peer.id}, authid "{who["authid"]}", authrole "anonymous") '
        f'holds "{namespace}"; nothing was changed.'
    )
    assert (await shop.get("/registrations/"))["registrations"] == []


async def test_nobody_can_take_a_procedure_by_force(shop: Client, app: CallbackServer) -> None:
    endpoint = {"url": app.url, "force_reregister": True}
    await shop.post("/register/", {"endpoints": {"com.x": endpoint}}, status=400)


async def test_callers_and_publishers_are_known_as_the_router_discloses_them(
    shop: Client, bank: Client, peer: Peer, app: CallbackServer, namespace: str
) -> None:
    app.answering = lambda posted: web.json_response(posted.document["details"])
    await register(shop, f"{namespace}.who", app.url)
    await shop.post("/subscribe/", {"endpoints": {f"{namespace}.what": app.url}})
    by_peer = await peer.call(f"{namespace}.who")
    assert by_peer["caller"] == peer.id
    assert by_peer["caller_authrole"] == "anonymous"
    assert by_peer["caller_authid"]
    assert "caller_app" not in by_peer
    by_bank = (await bank.post(f"/call/{namespace}.who/"))["result"]
    assert by_bank["caller_app"] == "bank"
    await peer.publish(f"{namespace}.what")
    await bank.post(f"/publish/{namespace}.what/")
    await eventually(lambda: len(app.of_type("event")) == 2)
    details = {each["details"]["publisher"]: each["details"] for each in app.of_type("event")}
    of_peer = details.pop(peer.id)
    assert (of_peer["publisher_authrole"], "publisher_app" in of_peer) == ("anonymous", False)
    [of_bank] = details.values()
    assert of_bank["publisher_app"] == "bank"
    got = await peer.subscribe(f"{namespace}.out")
    await bank.post(f"/publish/{namespace}.out/")
    assert (await got.get()).details.publisher == of_bank["publisher"]


async def test_apps_in_realms_of_their_own_are_out_of_each_others_way(
    config: Config, app: CallbackServer
) -> None:
    apart = {
        name: msgspec.structs.replace(each, realm="bank" if name == "bank" else None)
        for name, each in config.apps.items()
    }
    made = Bridge(
        msgspec.structs.replace(config, router=RouterConfig(url="memory:"), apps=apart, grace=0.0)
    )
    await made.start()
    try:
        async with plain_http(made.url) as http:
            shop, bank = (
                Client(plain_http(made.url, headers={"Authorization": f"Bearer token-of-{name}"}))
                for name in ("shop", "bank")
            )
            async with shop.http, bank.http:
                await register(shop, "com.one", app.url)
                await bank.post("/call/com.one/", status=404)
                await register(bank, "com.one", app.url)
            report = (await http.get("/health/ready")).json()
            assert report["realms"] == {"realm1": "joined", "bank": "joined"}
    finally:
        await made.stop()


@pytest.mark.parametrize(
    ("pattern", "match", "published"),
    [
        ("{}.shop", "exact", "{}.shop"),
        ("{}.shop", "prefix", "{}.shopping.sold"),
        ("{}..sold", "wildcard", "{}.shop.sold"),
    ],
)
async def test_each_match_tells_the_app_what_was_published(
    shop: Client,
    peer: Peer,
    app: CallbackServer,
    namespace: str,
    pattern: str,
    match: str,
    published: str,
) -> None:
    endpoint = {"uri": pattern.format(namespace), "match": match}
    await shop.post(
        "/subscribe/", {"endpoints": {endpoint["uri"]: {"url": app.url, "match": match}}}
    )
    publication = await peer.publish(published.format(namespace), 1)
    await eventually(lambda: app.of_type("event"))
    [event] = app.of_type("event")
    assert event["endpoint"] == endpoint
    assert (event["topic"], event["publication"]) == (published.format(namespace), publication)


async def test_receivers_are_chosen_and_left_out(
    shop: Client, router: CrossbarRouter, namespace: str
) -> None:
    async with joined(router.url) as one, joined(router.url) as other:
        queues = [await each.subscribe(namespace) for each in (one, other)]
        authid = (await one.call("wamp.session.get", one.id))["authid"]
        for number, options in enumerate(
            [
                {"eligible": [one.id]},
                {"exclude": [one.id]},
                {"eligible_authid": [authid]},
                {"exclude_authid": [authid]},
                {"eligible_authrole": ["nobody"]},
                {"exclude_authrole": ["anonymous"]},
                {"eligible": [one.id, other.id], "exclude": [other.id]},
                {},
            ]
        ):
            await shop.post(f"/publish/{namespace}/", {"args": [number], "options": options})
        got: list[list[int]] = []
        for queue in queues:
            got.append([])
            while not got[-1] or got[-1][-1] != 7:
                got[-1] += (await queue.get()).args
        assert got == [[0, 2, 6, 7], [1, 3, 7]]


async def test_a_subscription_that_the_router_takes_back_is_made_again(
    shop: Client, peer: Peer, app: CallbackServer, namespace: str
) -> None:
    await shop.post("/subscribe/", {"endpoints": {namespace: app.url}})
    number = await peer.call("wamp.subscription.lookup", namespace)
    [session] = await peer.call("wamp.subscription.list_subscribers", number)
    await peer.call("wamp.subscription.remove_subscriber", number, session)

    async def arrives() -> bool:
        await peer.publish(namespace)
        return bool(app.of_type("event"))

    await eventually(arrives)


MISSING = {
    "dealer": {
        "call_reroute",
        "call_timeout",
        "call_trustlevels",
        "progressive_call_invocations",
        "progressive_calls",
        "sharded_registration",
    },
    "broker": {"publication_trustlevels", "sharded_subscription"},
}


async def test_crossbar_does_not_announce_what_is_said_to_be_missing(
    router: CrossbarRouter,
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(router.websocket_url, protocols=["wamp.2.json"]) as socket,
    ):
        await socket.send_json([1, "realm1", {"roles": {"caller": {}, "subscriber": {}}}])
        kind, _, details = await socket.receive_json()
    assert kind == 2
    for role, missing in MISSING.items():
        announced = {
            name for name, there in details["roles"][role]["features"].items() if there is True
        }
        assert announced
        assert not announced & missing
