"""`/openapi.json`: the REST API as OpenAPI 3.1 describes it, made from the table of routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from wamp_bridge_server import errors
from wamp_bridge_server.http import documents
from wamp_bridge_server.http.answers import PROBLEM_TYPE
from wamp_bridge_server.http.forms import FORMS
from wamp_bridge_server.http.routes import OF_EVERY_APP, OF_EVERY_REQUEST, Answer, Route
from wamp_bridge_server.http.webhooks import WEBHOOKS, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_JSON: Final = "application/json"
_FORMS: Final = tuple(form.media_types[0] for form in FORMS)
_SCHEMAS: Final = "#/components/schemas/{name}"
_ABOUT: Final = """\
Any web app takes part in WAMP over plain HTTP: it calls and publishes by requests to the bridge,
and is called and told by requests from it, the webhooks below.

Paths may be asked with and without their last slash. Bodies and answers are JSON, CBOR or
MessagePack (`application/vnd.msgpack`, too); problems are JSON. In JSON, bytes are a string of
U+0000 and base64.
"""
_SECURITY: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of the app."},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "An HTTP Message Signature (RFC 9421) by hmac-sha256, `Signature-Input` "
        'beside it: `keyid` is the app\'s name, `tag="wamp-bridge"`, over `@method`, `@authority`, '
        "`@path`, `@query` and, with a body, `content-digest` and `content-type`. A third way is "
        "the member `token` of a body.",
    },
    "signed_url": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "Of a URL that the app had signed, which is asked for as it is.",
    },
}
_HEADERS: Final = {
    "wamp-bridge-protocol": "The version of the protocol that was spoken.",
    "request-id": "Stands in problems and in the bridge's log, too.",
}
_OF_STATUS: Final = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Which credentials are taken."},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "Seconds after which it is worth asking again."},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "Seconds, where it is worth asking again."},
}
_WITHOUT_A_CLASS: Final[Mapping[int, tuple[str, str]]] = {
    HTTPStatus.REQUEST_URI_TOO_LONG: ("TargetTooLong", "A path, with its query, over the limit."),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Failed",
        "The callee raised an error; or the bridge failed, and its log says why.",
    ),
}
_SIGNED: Final = {
    "webhook-id": "The delivery's id; the same in every attempt.",
    "webhook-timestamp": "Unix seconds of this attempt.",
    "webhook-signature": "By Standard Webhooks 1.0; several while secrets rotate.",
    "wamp-bridge-attempt": "1, 2, 3, ...",
    "request-id": "Stands in the bridge's log, too.",
}


class Description:
    """Answers what the REST API is, to anybody."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = routes
        self._text: bytes | None = None

    def routes(self) -> list[Route]:
        """The request that is answered here."""
        return [
            Route(
                name="describe",
                method="GET",
                path="/openapi.json",
                handler=self.answer,
                summary="This document",
                answers=(Answer("OpenAPI 3.1.", dict[str, Any], {"openapi": "3.1.1"}),),
                access="anybody",
            )
        ]

    async def answer(self, _request: web.Request) -> web.Response:
        """`GET /openapi.json`."""
        if self._text is None:
            text = msgspec.json.encode(document([*self._routes, *self.routes()]))
            self._text = msgspec.json.format(text) + b"\n"
        return web.Response(body=self._text, content_type=_JSON)


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of some routes."""
    return _Writer([*routes]).document()


class _Writer:
    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes
        kinds = list(dict.fromkeys(self._kinds()))  # each once, in their order
        schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)
        self._schemas = dict(zip(kinds, _for_generators([*schemas]), strict=True))
        self._components = _for_generators(components)
        self._statuses: set[int] = set()

    def document(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            paths.setdefault(route.path, {})[route.method.lower()] = self._operation(route)
        return {
            "openapi": "3.1.1",
            "info": {"title": "wamp-bridge", "version": "1", "description": _ABOUT},
            "servers": [{"url": "/"}],
            "paths": paths,
            "webhooks": {
                name: {"post": self._webhook(name, hook)} for name, hook in WEBHOOKS.items()
            },
            "components": {
                "schemas": self._components,
                "responses": {
                    _named(status): self._problem(status) for status in sorted(self._statuses)
                },
                "headers": {name: _header(text) for name, text in _HEADERS.items()},
                "securitySchemes": _SECURITY,
            },
        }

    def _kinds(self) -> Iterator[Any]:
        yield documents.Problem
        yield documents.CrossbarProblem
        for route in self._routes:
            if route.body is not None:
                yield route.body
            yield from (parameter.type for parameter in route.parameters)
            yield from (answer.document for answer in route.answers if answer.document is not None)
        for hook in WEBHOOKS.values():
            yield hook.body
            yield from (kind for _, _, kind, _ in hook.answers if kind is not None)

    def _operation(self, route: Route) -> dict[str, Any]:
        operation: dict[str, Any] = {"operationId": route.name, "summary": route.summary}
        if route.description:
            operation["description"] = route.description
        if route.parameters:
            operation["parameters"] = [
                {
                    "name": parameter.name,
                    "in": parameter.place,
                    "required": parameter.place == "path",
                    "description": parameter.description,
                    "schema": self._schemas[parameter.type],
                    "example": parameter.example,
                }
                for parameter in route.parameters
            ]
        if route.body is not None:
            names = _FORMS if route.access == "app" else (_JSON,)
            operation["requestBody"] = {
                "required": any(field.required for field in msgspec.structs.fields(route.body)),
                "content": self._written(route.body, route.example, names),
            }
        operation["responses"] = self._responses(route)
        if route.access == "app":
            operation["security"] = [{"token": []}, {"signature": []}]
        elif route.access == "signed":
            operation["security"] = [{"token": []}, {"signature": []}, {"signed_url": []}]
        elif route.access == "crossbar":
            operation["security"] = [{"token": []}, {"signature": []}, {}]
        else:
            operation["security"] = []
        return operation

    def _responses(self, route: Route) -> dict[str, Any]:
        responses: dict[str, Any] = {}
        for answer in route.answers:
            told = self._answer(route, answer)
            other = responses.setdefault(str(int(answer.status)), told)
            if other is not told:  # another form of the same
                other["description"] += f" {told['description']}"
                other["content"] |= told["content"]
        if route.access == "crossbar":
            problem = self._content(documents.CrossbarProblem, None)
            told = {"description": "What is wrong.", "content": {_JSON: problem}}
            for each in (*OF_EVERY_REQUEST, *OF_EVERY_APP):
                responses.setdefault(str(int(each)), told)
            return responses
        statuses: set[int] = {*OF_EVERY_REQUEST, *route.errors}
        if route.access in {"app", "signed"}:
            statuses |= {*OF_EVERY_APP}
        if route.body is not None:
            statuses.add(HTTPStatus.UNPROCESSABLE_ENTITY)
        for status in sorted(statuses):
            if str(int(status)) not in responses:
                self._statuses.add(status)
                name = _named(status)
                responses[str(int(status))] = {"$ref": f"#/components/responses/{name}"}
        return responses

    def _answer(self, route: Route, answer: Answer) -> dict[str, Any]:
        headers: dict[str, Any] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS
        }
        headers |= {name: _header(text) for name, text in answer.headers.items()}
        described: dict[str, Any] = {"description": answer.description, "headers": headers}
        if answer.links:
            described["links"] = {
                name: {"operationId": name, "parameters": {"id": f"$response.body#{pointer}"}}
                for name, pointer in answer.links.items()
            }
        if answer.document is None:
            return described
        if answer.media_type is not None:
            names: tuple[str, ...] = (answer.media_type,)
        else:
            names = _FORMS if route.access == "app" else (_JSON,)
        return {**described, "content": self._written(answer.document, answer.example, names)}

    def _written(self, kind: Any, example: Any, names: tuple[str, ...]) -> dict[str, Any]:
        """What a body is in each form, with the example in the first, which is legible."""
        return {name: self._content(kind, example if name == names[0] else None) for name in names}

    def _content(self, kind: Any, example: Any) -> dict[str, Any]:
        content = {"schema": self._schemas[kind]}
        return content if example is None else {**content, "example": example}

    def _problem(self, status: int) -> dict[str, Any]:
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
        more = {
            name: _header(text) for name, text in _OF_STATUS.get(HTTPStatus(status), {}).items()
        }
        return {
            "description": _meaning(status),
            "headers": {**headers, **more},
            "content": {PROBLEM_TYPE: self._content(documents.Problem, None)},
        }

    def _webhook(self, name: str, hook: Webhook) -> dict[str, Any]:
        responses: dict[str, Any] = {}
        for status, description, kind, media_type in hook.answers:
            response = responses.setdefault(status, {"description": description})
            if kind is not None:
                response.setdefault("content", {})[media_type] = self._content(kind, None)
        return {
            "operationId": f"on_{name}",
            "summary": hook.summary,
            "description": "Signed by Standard Webhooks 1.0. What it is for stands in the body.",
            "parameters": [
                {
                    "name": header,
                    "in": "header",
                    "required": True,
                    "description": text,
                    "schema": {"type": "string"},
                }
                for header, text in _SIGNED.items()
            ],
            "requestBody": {
                "required": True,
                "content": {_JSON: self._content(hook.body, hook.example)},
            },
            "responses": responses,
        }


def _for_generators(schema: Any) -> Any:
    """A schema as generators of clients understand it.

    Each array and each map says of what, if only of anything. No member has a default: of one that
    has, some make a member that must be there. What is meant where it isn't, its description says.
    """
    if isinstance(schema, list):
        return [_for_generators(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _for_generators(member) for name, member in schema.items()}
    if schema.get("type") == "array":
        schema.setdefault("items", {})
    elif schema.get("type") == "object":
        if "properties" not in schema:
            schema.setdefault("additionalProperties", {})
        for member in schema.get("properties", {}).values():
            member.pop("default", None)
    return schema


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _named(status: int) -> str:
    kinds = _of_status(status)
    return kinds[0].__name__ if kinds else _WITHOUT_A_CLASS[status][0]


def _meaning(status: int) -> str:
    """What the errors of a status mean, as their classes say it."""
    kinds = _of_status(status)
    if not kinds:
        return _WITHOUT_A_CLASS[status][1]
    return " ".join((kind.__doc__ or "").partition("\n")[0] for kind in kinds)


def _of_status(status: int) -> list[type[errors.Problem]]:
    return [kind for kind in _tree(errors.Problem) if kind.__dict__.get("status") == status]


def _tree(kind: type[errors.Problem]) -> Iterator[type[errors.Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _tree(child)
