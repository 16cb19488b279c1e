"""`/openapi.json`: all that is served is in it, and its examples are what it says."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from wamp_bridge_server.backends.base import Details, Event, Invocation, Result, WampError
from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.http import webhooks
from wamp_bridge_server.http.openapi import document
from wamp_bridge_server.http.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from wamp_bridge_server.http.routes import Route

NOBODY = cast("Any", None)  # what handlers ask isn't asked here
SERVER = HttpServer(*[NOBODY] * len(signature(HttpServer).parameters))
DOCUMENT = document(SERVER.routes)


@pytest.fixture
def router_url() -> str:
    return "memory:"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_all_that_is_routed_is_described() -> None:
    described = {(method, path.rstrip("/")) for method, path, _ in operations()}
    for resource in SERVER._application.router.resources():
        path = re.sub(r"\{(\w+):[^/]+\}", r"{\1}", resource.canonical).rstrip("/")
        for route in resource:
            if route.method == "*":  # Crossbar's, who refuse the others in their own words
                assert {("POST", path), ("PUT", path)} <= described
            elif route.method != "HEAD":
                assert (route.method, path) in described


@pytest.mark.parametrize("route", SERVER.routes, ids=lambda route: route.name)
def test_each_route_says_what_it_takes_and_answers(route: Route) -> None:
    assert route.summary
    assert not route.summary.endswith(".")
    assert set(re.findall(r"\{(\w+)\}", route.path)) == {
        parameter.name for parameter in route.parameters if parameter.place == "path"
    }
    for parameter in route.parameters:
        assert parameter.description
        assert msgspec.convert(parameter.example, parameter.type) == parameter.example
        pattern = msgspec.json.schema(parameter.type).get("pattern", "")
        assert re.search(pattern, str(parameter.example))
    if route.body is not None:
        assert msgspec.convert(route.example, route.body)
    assert route.answers
    for answer in route.answers:
        assert answer.description
        if answer.document is None:
            assert answer.status in {HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}
        else:
            assert msgspec.convert(answer.example, answer.document)


def test_each_operation_has_a_name_of_its_own_and_who_may_ask() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all("security" in operation for _, _, operation in operations())


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """What looks like a schema in a part of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("type"), str):
            yield part
        part = [*part.values()]
    for member in part if isinstance(part, list) else ():
        yield from schemas(member)


def test_generators_are_told_what_they_ask_for() -> None:
    described = [*schemas(DOCUMENT["components"]["schemas"]), *schemas(DOCUMENT["paths"])]
    for schema in described:
        if schema["type"] == "array":
            assert "items" in schema
        if schema["type"] == "object":
            assert {"properties", "additionalProperties"} & set(schema)
        assert not [
            name for name, each in schema.get("properties", {}).items() if "default" in each
        ]
    assert len([each for each in described if each["type"] == "object"]) > 20


def test_each_reference_leads_somewhere() -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        place: Any = DOCUMENT
        for step in reference.split("/"):
            place = place[step]
    links = re.findall(r'"links": \{"(\w+)"', json.dumps(DOCUMENT))
    assert set(links) <= {operation["operationId"] for _, _, operation in operations()}


def test_what_is_posted_to_apps_is_as_described() -> None:
    details = Details(session=1, authid="a", authrole="b", app="bank")
    payload: Any = {"args": [b"a"], "kwargs": {"b": 1}}
    result, error = Result([1], {}), WampError("com.error", [1], {"a": 2})
    at = ("call_1", "com.a", "http://127.0.0.1/")
    posted = [
        (
            webhooks.Invocation,
            envelopes.invocation(
                Invocation(
                    uri="com",
                    match="prefix",
                    procedure="com.a",
                    details=details,
                    progress=cast("Any", object()),
                    **payload,
                ),
                "shop",
                1.5,
            ),
        ),
        (
            webhooks.Event,
            envelopes.event(
                Event(
                    uri="com.a",
                    match="exact",
                    topic="com.a",
                    publication=5,
                    details=details,
                    retained=True,
                    **payload,
                )
            ),
        ),
        (webhooks.CallResult, envelopes.result(*at, result)),
        (webhooks.CallError, envelopes.error(*at, 500, error)),
        (webhooks.Progress, envelopes.progress(*at, 0, result)),
        (webhooks.ManifestRequest, envelopes.manifest("http://127.0.0.1/")),
    ]
    for kind, body in posted:
        msgspec.json.decode(body, type=kind)
    for hook in webhooks.WEBHOOKS.values():
        assert msgspec.convert(hook.example, hook.body)
    named = {hook.body for hook in webhooks.WEBHOOKS.values()}
    assert {kind for kind, _ in posted} <= named


async def test_it_is_served_to_anybody(anonymous: httpx.AsyncClient) -> None:
    for path in ("/openapi.json", "/openapi.json/"):
        answered = await anonymous.get(path)
        assert answered.headers["content-type"].startswith("application/json")
        assert answered.json() == json.loads(msgspec.json.encode(DOCUMENT))
