"""The bridge at routers other than Crossbar, with a client of another make on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from support.javascript import ApplicationError, JavaScriptPeer, joined_by_javascript
from support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from routers.conftest import OtherRouter
    from support.clients import Client
    from support.served import ServedBridge
    from support.servers import CallbackServer, Posted


def answer_with_what_was_called(posted: Posted) -> web.Response:
    document = posted.document
    return web.json_response({key: document.get(key) for key in ("procedure", "args", "kwargs")})


async def made(client: Client, path: str, uri: str, url: str, **options: Any) -> dict[str, Any]:
    body = {"endpoints": {uri: {"url": url, **options}}}
    answer: dict[str, list[dict[str, Any]]] = await client.post(path, body)
    [[entry]] = answer.values()
    return entry


async def test_the_articles_scenario(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    app.answering = answer_with_what_was_called
    functions = {f"{namespace}.nom_fonction_{n}": f"{app.url}rpc/{n}/" for n in (1, 2)}
    answer = await shop.post("/register/", {"endpoints": functions})
    assert [entry["state"] for entry in answer["registrations"]] == ["live", "live"]
    topics = {f"{namespace}.nom_sujet_{n}": f"{app.url}pub/{n}/" for n in (1, 2)}
    answer = await shop.post("/subscribe/", {"endpoints": topics})
    assert [entry["state"] for entry in answer["subscriptions"]] == ["live", "live"]

    for name in functions:
        called = {"procedure": name, "args": ["param1", 2], "kwargs": {"b": None}}
        assert await peer.call(name, "param1", 2, b=None) == called
    assert await peer.call(name) == {"procedure": name, "args": [], "kwargs": {}}
    for name in topics:
        await peer.publish(name, "news", kwargs={"at": 5})
        await peer.publish(name)
    await eventually(lambda: len(app.of_type("event")) == 4)
    told = [(event["topic"], event["args"], event["kwargs"]) for event in app.of_type("event")]
    for name in topics:
        assert (name, ["news"], {"at": 5}) in told
        assert (name, [], {}) in told

    await peer.register(f"{namespace}.echo")
    path = f"/call/{namespace}.echo/"
    answer = await shop.post(path, {"params": ["salut"]})
    assert answer == {"result": "salut", "args": ["salut"], "kwargs": {}}
    answer = await shop.post(path, {"args": ["salut", 2], "kwargs": {"c": 3}})
    assert answer == {"result": ["salut", 2], "args": ["salut", 2], "kwargs": {"c": 3}}
    answer = await shop.post(path)
    assert answer == {"result": None, "args": [], "kwargs": {}}
    await shop.post(path, {"params": ["là"], "callback": f"{app.url}later/"}, status=202)
    [result] = await eventually(lambda: app.of_type("result"))
    assert result["result"] == "là"

    await peer.subscribe(f"{namespace}.sujet")
    published = await shop.post(f"/publish/{namespace}.sujet/", {"params": ["param1", "param2"]})
    assert isinstance(published["publication"], int)
    assert (await peer.event())["args"] == ["param1", "param2"]
    body = {"params": {"a": 1}, "options": {"acknowledge": False}}
    await shop.post(f"/publish/{namespace}.sujet/", body, status=202)
    assert (await peer.event())["kwargs"] == {"a": 1}


async def test_what_is_taken_back_is_gone(
    shop: Client, app: CallbackServer, peer: JavaScriptPeer, namespace: str
) -> None:
    await made(shop, "/register/", namespace, app.url)
    await made(shop, "/subscribe/", namespace, app.url)
    await peer.call(namespace)
    await shop.post("/unregister/", {"endpoints": [namespace]})
    await shop.post("/unsubscribe/", {"endpoints": [namespace]})
    with pytest.raises(ApplicationError, match="no_such_procedure"):
        await peer.call(namespace)
    await peer.publish(namespace, "to nobody")
    await shop.post(f"/call/{namespace}/", status=404)
    assert app.of_type("event") == []


async def test_a_list_that_stands_alone(
    shop: Client, peer: JavaScriptPeer, other_router: OtherRouter, namespace: str
) -> None:
    """fox-wamp takes it for the list of arguments."""
    await peer.register(namespace)
    answer = await shop.post(f"/call/{namespace}/", {"args": [[1, 2]]})
    assert answer["args"] == ([1, 2] if other_router.name == "fox-wamp" else [[1, 2]])


async def test_errors_of_both_sides(
    shop: Client,
    app: CallbackServer,
    peer: JavaScriptPeer,
    other_router: OtherRouter,
    namespace: str,
) -> None:
    """fox-wamp has one error for all; what the callee raised is its argument."""
    whole = other_router.name != "fox-wamp"
    await peer.register(f"{namespace}.fail", "fail")
    problem = await shop.post(f"/call/{namespace}.fail/", status=500)
    raised = (problem["error"], problem["args"], problem["kwargs"])
    assert raised == (
        ("com.shop.sold_out", ["no more"], {"left": 0})
        if whole
        else ("wamp.error.callee_failure", ["com.shop.sold_out"], {})
    )

    refusal = {"error": "com.shop.closed", "args": ["at night"]}
    app.answering = lambda _: web.json_response(refusal, status=409)
    await made(shop, "/register/", f"{namespace}.open", app.url)
    with pytest.raises(ApplicationError) as caught:
        await peer.call(f"{namespace}.open")
    error = caught.value
    assert (error.error, list(error.args)) == (
        ("com.shop.closed", ["at night"])
        if whole
        else ("wamp.error.callee_failure", ["com.shop.closed"])
    )
    problem = await shop.post(f"/call/{namespace}.nobody/", status=404)
    assert problem["error"] == "wamp.error.no_such_procedure"


async def test_nothing_hangs(shop: Client, peer: JavaScriptPeer, namespace: str) -> None:
    await peer.register(namespace, "never")
    problem = await shop.post(f"/call/{namespace}/", {"timeout": 0.2}, status=504)
    assert problem["error"] == "wamp.error.timeout"
    started = await shop.ask(
        "POST", f"/call/{namespace}/", {"callback": "http://127.0.0.1:1/"}, status=202
    )
    await shop.ask("DELETE", f"/calls/{started['id']}/")
    assert (await shop.get(f"/calls/{started['id']}/"))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("kind", "options", "feature"),
    [
        ("register", {"match": "prefix"}, "dealer.pattern_based_registration"),
        ("register", {"match": "wildcard"}, "dealer.pattern_based_registration"),
        ("register", {"invoke": "roundrobin"}, "dealer.shared_registration"),
        ("subscribe", {"match": "prefix"}, "broker.pattern_based_subscription"),
        ("subscribe", {"match": "wildcard"}, "broker.pattern_based_subscription"),
    ],
)
async def test_an_endpoint_that_the_router_cannot_have_is_refused(
    shop: Client,
    app: CallbackServer,
    namespace: str,
    kind: str,
    options: dict[str, str],
    feature: str,
) -> None:
    entry = await made(shop, f"/{kind}/", f"{namespace}.a", app.url, **options)
    assert entry["state"] == "refused"
    assert entry["reason"] == f"the router does not announce {feature}"


@pytest.mark.parametrize(
    ("options", "feature"),
    [
        ({"retain": True}, "event_retention"),
        ({"exclude_me": True}, "publisher_exclusion"),
        ({"eligible_authrole": ["admin"]}, "subscriber_blackwhite_listing"),
        ({"exclude": [1]}, "subscriber_blackwhite_listing"),
    ],
)
async def test_an_option_that_the_router_does_not_have_is_refused(
    shop: Client,
    peer: JavaScriptPeer,
    other_router: OtherRouter,
    namespace: str,
    options: dict[str, Any],
    feature: str,
) -> None:
    await peer.subscribe(namespace)
    offered = other_router.name == "fox-wamp" and feature == "publisher_exclusion"
    body = {"params": ["secret"], "options": options}
    answer = await shop.post(f"/publish/{namespace}/", body, status=200 if offered else 422)
    if offered:
        assert (await peer.event())["args"] == ["secret"]
        return
    [option] = options
    assert answer["detail"].endswith(f"The router does not offer {option} (broker.{feature}).")
    await shop.post(f"/publish/{namespace}/", {"params": ["to all"]})
    assert (await peer.event())["args"] == ["to all"]


@pytest.mark.parametrize("path", ["/procedures/", "/topics/", "/topics/com.a/history/"])
async def test_what_the_router_does_not_tell_is_said_to_be_so(shop: Client, path: str) -> None:
    problem = await shop.get(path, status=501)
    assert problem["detail"].startswith("The router has no procedure wamp.")


async def test_apps_of_the_bridge_meet_at_the_router(
    shop: Client, bank: Client, app: CallbackServer, namespace: str
) -> None:
    app.answering = answer_with_what_was_called
    await made(shop, "/register/", namespace, f"{app.url}shop/")
    body = {"endpoints": {namespace: f"{app.url}bank/"}}
    await bank.post("/register/", body, status=409)
    answer = await bank.post(f"/call/{namespace}/", {"params": [1]})
    assert answer["result"] == {"procedure": namespace, "args": [1], "kwargs": {}}
    for client, path in ((shop, "shop/"), (bank, "bank/")):
        await made(client, "/subscribe/", namespace, app.url + path)
    await shop.post(f"/publish/{namespace}/", {"params": [1]})
    paths = {"/shop/", "/bank/"}
    await eventually(lambda: {p.path for p in app.posted if p.document["type"] == "event"} == paths)


async def test_values_and_who_sent_them(
    shop: Client, bank: Client, app: CallbackServer, other_router: OtherRouter, namespace: str
) -> None:
    """fox-wamp has JavaScript's numbers."""
    value = {"bytes": "\0AAH/", "nested": [[[]], {"": None}], "number": 2**53 + 1, "text": "häß"}
    await made(shop, "/subscribe/", namespace, app.url)
    await bank.post(f"/publish/{namespace}/", {"params": [value]})
    [event] = await eventually(lambda: app.of_type("event"))
    whole = other_router.name != "fox-wamp"
    assert event["args"] == [value if whole else value | {"number": 2**53}]
    assert event["details"].get("publisher_app") == (None if whole else "bank")


async def test_what_is_taken_at_the_router_is_a_conflict(
    shop: Client,
    app: CallbackServer,
    peer: JavaScriptPeer,
    other_router: OtherRouter,
    namespace: str,
) -> None:
    """fox-wamp lets everybody register everything, and shares out the calls."""
    await peer.register(namespace)
    taken = other_router.name != "fox-wamp"
    body = {"endpoints": {namespace: app.url}}
    await shop.post("/register/", body, status=409 if taken else 200)


async def test_the_router_and_the_bridge_start_anew(
    shop: Client,
    served: ServedBridge,
    app: CallbackServer,
    other_router: OtherRouter,
    package: Path,
    namespace: str,
) -> None:
    app.answering = answer_with_what_was_called
    await made(shop, "/register/", namespace, app.url)
    await made(shop, "/subscribe/", namespace, app.url)

    async def works(news: str) -> None:
        async with joined_by_javascript(package, other_router.url) as peer:

            async def called() -> bool:
                try:
                    return bool((await peer.call(namespace))["procedure"] == namespace)
                except ApplicationError:
                    return False

            await eventually(called)

            async def heard() -> bool:
                await peer.publish(namespace, news)
                return any(event["args"] == [news] for event in app.of_type("event"))

            await eventually(heard)

    other_router.kill()

    async def unavailable() -> bool:
        path = f"/call/{namespace}/"
        return (await shop.http.post(path)).status_code == 503

    await eventually(unavailable)
    other_router.start()
    await works("after the router")
    served.stop()
    served.start()
    served.wait_until_ready()
    await works("after the bridge")
    served.kill()
    served.start()
    served.wait_until_ready()
    if other_router.name == "xconn":  # it never forgets whose connection was cut off
        answer = await shop.get("/registrations/")
        [entry] = [entry for entry in answer["registrations"] if entry["uri"] == namespace]
        assert entry["state"] == "refused"
        assert "procedure_already_exists" in entry["reason"]
        other_router.kill()
        other_router.start()
    await works("after a killed bridge")
