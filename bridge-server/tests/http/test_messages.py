"""Calls and publications: to an app and back, through the bridge's REST API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from support.waiting import eventually

if TYPE_CHECKING:
    from support.clients import Client
    from support.servers import CallbackServer, Posted


def echoing(posted: Posted) -> web.Response:
    """Answer with the arguments that came."""
    document = posted.document
    return web.json_response({"args": document.get("args"), "kwargs": document.get("kwargs")})


async def serve(client: Client, app: CallbackServer, procedure: str = "com.echo") -> None:
    await client.post("/register/", {"endpoints": {procedure: app.url}})


async def test_a_call_reaches_the_app_and_its_answer_the_caller(
    shop: Client, bank: Client, app: CallbackServer
) -> None:
    app.answering = lambda _posted: web.json_response(42)
    await serve(shop, app)
    answered = await bank.post("/call/com.echo/", {"params": ["a", 1]})
    assert answered == {"result": 42, "args": [42], "kwargs": {}}
    (posted,) = app.posted
    assert Webhook("whsec_" + "A" * 43 + "=").verify(posted.body, posted.headers)
    document = posted.document
    assert document["type"] == "invocation"
    assert document["endpoint"] == {"uri": "com.echo", "match": "exact"}
    assert document["procedure"] == "com.echo"
    assert (document["args"], document["kwargs"]) == (["a", 1], {})
    assert document["details"]["caller_app"] == "bank"
    assert isinstance(document["details"]["deadline"], float)


@pytest.mark.parametrize(
    ("body", "args", "kwargs"),
    [
        ({}, [], {}),
        ({"params": [1, [2]]}, [1, [2]], {}),
        ({"params": {"a": 1}}, [], {"a": 1}),
        ({"args": [1], "kwargs": {"b": None}}, [1], {"b": None}),
        ({"params": ["\0aGk="]}, ["\0aGk="], {}),
        ({"params": [2**64 - 1, -(2**63), 0.5, True, None, "é"]}, None, {}),
        ({"kwargs": {"options": 1, "procedure": 2, "details": 3, "self": 4, "topic": 5}}, [], None),
    ],
)
async def test_arguments_arrive_as_they_were(
    shop: Client, app: CallbackServer, body: Any, args: Any, kwargs: Any
) -> None:
    app.answering = echoing
    await serve(shop, app)
    result = (await shop.post("/call/com.echo/", body))["result"]
    assert result["args"] == (body["params"] if args is None else args)
    assert result["kwargs"] == (body["kwargs"] if kwargs is None else kwargs)


async def test_a_name_may_be_any_uri(shop: Client, app: CallbackServer) -> None:
    app.answering = lambda posted: web.json_response(posted.document["procedure"])
    for uri, path in (
        ("com.é/x?y", "com.%C3%A9%2Fx%3Fy"),
        ("~abc", "~abc"),
        ("100%25", "100%2525"),
        ("com.{x}", "com.%7Bx%7D"),
    ):
        await serve(shop, app, uri)
        assert (await shop.post(f"/call/{path}/"))["result"] == uri


@pytest.mark.parametrize("name", ["com..x", "com.", ".com", "%2E", "a%20b", "a%23b", "%FF", "%0A"])
async def test_a_bad_name_is_422(shop: Client, name: str) -> None:
    await shop.post(f"/call/{name}/", status=422)
    await shop.post(f"/publish/{name}/", status=422)


async def test_what_nobody_serves_is_404(shop: Client) -> None:
    answered = await shop.post("/call/com.nobody/", status=404)
    assert answered["error"] == "wamp.error.no_such_procedure"
    assert answered["status"] == 404
    assert answered["title"] == "Not Found"
    assert isinstance(answered["args"], list)


@pytest.mark.parametrize(
    ("status", "body", "answered_status", "error"),
    [
        (500, {"error": "com.sold_out", "args": [1], "kwargs": {"a": 2}}, 500, "com.sold_out"),
        (400, {}, 400, "wamp.error.invalid_argument"),
        (403, {}, 403, "wamp.error.not_authorized"),
        (503, {}, 503, "wamp.error.unavailable"),
        (504, {}, 504, "wamp.error.timeout"),
        (500, {}, 500, "wamp.error.runtime_error"),
        (400, {"error": "wamp.error.canceled"}, 503, "wamp.error.canceled"),
    ],
)
async def test_an_apps_error_reaches_the_caller(
    shop: Client,
    app: CallbackServer,
    status: int,
    body: Any,
    answered_status: int,
    error: str,
) -> None:
    app.answering = lambda _posted: web.json_response(body, status=status)
    await serve(shop, app)
    answered = await shop.post("/call/com.echo/", status=answered_status)
    assert answered["error"] == error
    if "args" in body:
        assert (answered["args"], answered["kwargs"]) == (body["args"], body["kwargs"])


async def test_an_app_that_is_not_there_is_503(shop: Client) -> None:
    await shop.post("/register/", {"endpoints": {"com.echo": "http://127.0.0.1:1/"}})
    response = await shop.http.post("/call/com.echo/", json={})
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert response.json()["error"] == "wamp.error.unavailable"


async def test_a_call_that_takes_too_long_is_504(shop: Client, app: CallbackServer) -> None:
    import asyncio  # noqa: PLC0415 - one test's

    async def never(_posted: Posted) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    app.answering = never
    await serve(shop, app)
    answered = await shop.post("/call/com.echo/", {"timeout": 0.2}, status=504)
    assert answered["error"] == "wamp.error.timeout"


@pytest.mark.parametrize("timeout", [0, -1, 86401])
async def test_a_timeout_that_is_none_is_422(shop: Client, timeout: float) -> None:
    await shop.post("/call/com.echo/", {"timeout": timeout}, status=422)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"params": 5}, 400),
        ({"params": "x"}, 400),
        ({"args": {}}, 400),
        ({"kwargs": []}, 400),
        ({"timeout": "5"}, 400),
        ({"params": [], "args": []}, 422),
        ({"params": ["\0no base64"]}, 422),
        ({"callback": "nonsense"}, 422),
        ({"options": {"unknown": 1}}, 400),
        ({"surprise": 1}, 400),
    ],
)
async def test_a_bad_body_is_refused(shop: Client, body: Any, status: int) -> None:
    await shop.post("/call/com.echo/", body, status=status)


async def test_values_nested_too_deep_are_refused(shop: Client) -> None:
    deep = json.dumps({"params": []}).replace("[]", "[" * 400 + "]" * 400)
    response = await shop.http.post("/call/com.echo/", content=deep)
    assert response.status_code == 400
    edge = '{"params": ' + "[" * 64 + "]" * 64 + "}"
    assert (await shop.http.post("/call/com.echo/", content=edge)).status_code == 400
    inside = '{"params": ' + "[" * 63 + "]" * 63 + "}"
    assert (await shop.http.post("/call/com.echo/", content=inside)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{"params": ["\0!"]}, {"params": {"a": "\0!"}}, {"args": ["\0!"]}, {"kwargs": {"a": "\0!"}}],
)
async def test_an_error_names_the_member_that_was_given(shop: Client, body: dict[str, Any]) -> None:
    (member,) = body
    problem = await shop.post("/publish/com.sold/", body, status=422)
    assert problem["detail"].startswith(f'"{member}" can\'t be taken: ')


async def test_the_deepest_answer_of_an_app_reaches_the_caller(
    shop: Client, app: CallbackServer
) -> None:
    deepest = "[" * 64 + "]" * 64
    app.answering = lambda _: web.Response(text=deepest)
    await shop.post("/register/", {"endpoints": {"com.deep": app.url}})
    answer = await shop.post("/call/com.deep/")
    assert answer == {"result": json.loads(deepest), "args": [json.loads(deepest)], "kwargs": {}}
    assert await shop.post("/call", {"procedure": "com.deep"}) == {"args": answer["args"]}
    await shop.post("/call/com.deep/", {"callback": app.url}, status=202)
    (outcome,) = await eventually(lambda: app.of_type("result"))
    assert outcome["result"] == answer["result"]
    app.answering = lambda _: web.Response(text=f"[{deepest}]")
    assert (await shop.post("/call/com.deep/", status=500))["error"] == "wamp.error.runtime_error"


async def test_an_event_reaches_every_subscriber(
    shop: Client, bank: Client, app: CallbackServer
) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.t": f"{app.url}shop/"}})
    await bank.post("/subscribe/", {"endpoints": {"com.t": f"{app.url}bank/"}})
    published = await shop.post("/publish/com.t/", {"params": ["news"]})
    await eventually(lambda: len(app.posted) == 2)
    assert sorted(posted.path for posted in app.posted) == ["/bank/", "/shop/"]
    for event in app.of_type("event"):
        assert event["endpoint"] == {"uri": "com.t", "match": "exact"}
        assert event["topic"] == "com.t"
        assert event["publication"] == published["publication"]
        assert (event["args"], event["kwargs"]) == (["news"], {})


async def test_an_event_without_acknowledgement_is_202(shop: Client) -> None:
    options = {"acknowledge": False}
    assert await shop.post("/publish/com.t/", {"options": options}, status=202) is None


async def test_exclude_me_is_for_all_of_the_app(
    shop: Client, bank: Client, app: CallbackServer
) -> None:
    await shop.post("/subscribe/", {"endpoints": {"com.t": f"{app.url}shop/"}})
    await bank.post("/subscribe/", {"endpoints": {"com.t": f"{app.url}bank/"}})
    await shop.post("/publish/com.t/", {"options": {"exclude_me": True}})
    await eventually(lambda: app.posted)
    await bank.post("/publish/com.t/")
    await eventually(lambda: len(app.posted) == 3)
    assert sorted(posted.path for posted in app.posted) == ["/bank/", "/bank/", "/shop/"]


async def test_permissions_hold(limited: Client) -> None:
    await limited.post("/call/com.okay/", status=403)
    await limited.post("/call/com.okay/", {"callback": "http://127.0.0.1:9/"}, status=403)
    await limited.post("/publish/com.other/", status=403)
    await limited.post("/call/com.ok/", status=404)


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_what_a_router_does_not_offer_is_422(shop: Client) -> None:
    problem = await shop.post("/publish/com.t/", {"options": {"retain": True}}, status=422)
    assert "retain" in problem["detail"]
