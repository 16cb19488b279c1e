"""The words of the table of routes, from which requests are routed and `/openapi.json` is made.

A route says all that an app needs to know of it, or there is no route: what it takes, what it
answers, how it fails, with examples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from wamp_bridge_server.backends.base import Match

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    Handler = Callable[..., Awaitable[web.StreamResponse]]

_PARAMETER = re.compile(r"\{(\w+)\}")

OF_EVERY_REQUEST: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.EXPECTATION_FAILED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
OF_EVERY_APP: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request says beside its body.

    Attributes:
        name: Its name.
        type: What its text stands for.
        description: What it means.
        example: One that may be given.
        place: Where it stands.
    """

    name: str
    type: Any
    description: str
    example: Any
    place: Literal["path", "query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request that was done.

    Attributes:
        description: What it means.
        document: The type of its body; None where it has none.
        example: Of the body.
        status: Its status.
        headers: What its headers of its own say, by name.
        media_type: Where it is written in but one form.
        links: Operations that take the `id` in it, with where it stands there.
    """

    description: str
    document: Any = None
    example: Any = None
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request that is served.

    Attributes:
        name: Of the operation; clients that are made from the document name functions by it.
        method: The method.
        path: The path, its parameters in braces. The last slash, or its lack, is for the document:
            requests may come with and without.
        handler: Answers it; is given an `Asking`, or aiohttp's request where `access` isn't `app`.
        summary: What it does, in a line.
        description: What else is to be known.
        body: The type of its body; None where it takes none.
        example: Of the body, without the token.
        parameters: What else it takes.
        answers: How it is answered.
        errors: The statuses of its problems, besides those of all requests.
        access: Whether it is an app that asks, anybody, or whom the handler finds out itself: a
            client of Crossbar's, or one who may have a URL that an app has signed.
    """

    name: str
    method: str
    path: str
    handler: Handler
    summary: str
    description: str = ""
    body: type[msgspec.Struct] | None = None
    example: Any = None
    parameters: tuple[Parameter, ...] = ()
    answers: tuple[Answer, ...]
    errors: tuple[int, ...] = ()
    access: Literal["app", "anybody", "crossbar", "signed"] = "app"

    @property
    def spellings(self) -> tuple[str, str]:
        """Its path as aiohttp's router has it, without and with the last slash."""
        path = _PARAMETER.sub(r"{\1:[^/]+}", self.path.rstrip("/"))
        path = path.replace("{id:[^/]+}", "{id:[a-z]+_[^/]+}")  # it's none of the words of a path
        return path, f"{path}/"


def described(kind: Any, description: str, **schema: Any) -> Any:
    """A type with its description and what else JSON Schema can say of it.

    Says it to readers alone: what isn't allowed is refused by the services, with 422 and words of
    their own.
    """
    return Annotated[kind, msgspec.Meta(description=description, extra_json_schema=schema or None)]


# Python's white space, of which other languages' regular expressions know less.
_COMPONENT: Final = r"[^\s\u001c-\u001f\u0085#.]+"
PATTERN_SCHEMA: Final = {
    "minLength": 1,
    "maxLength": 1024,
    "pattern": r"^[^\s\u001c-\u001f\u0085#]+$",
}
URI_SCHEMA: Final = {"maxLength": 1024, "pattern": rf"^{_COMPONENT}(\.{_COMPONENT})*$"}

PROCEDURE: Final = Parameter(
    "procedure",
    described(str, "A WAMP URI.", **URI_SCHEMA),
    "The procedure's URI, percent-encoded as one segment.",
    "com.shop.price",
    "path",
)
TOPIC: Final = Parameter(
    "topic",
    described(str, "A WAMP URI.", **URI_SCHEMA),
    "The topic's URI, percent-encoded as one segment.",
    "com.shop.sold",
    "path",
)
TOPICS: Final = Parameter(
    "topic",
    described(str, "A WAMP URI, or a pattern.", **PATTERN_SCHEMA),
    "The URI, or the pattern, percent-encoded as one segment.",
    "com.shop.sold",
    "path",
)
MATCH: Final = Parameter("match", Match, "How the topic is meant; exact where left out.", "exact")


def identifier(example: str) -> Parameter:
    """The id in a path."""
    kind = described(str, "An id that the bridge gave.", pattern="^[a-z]+_[0-9a-z]{26}$")
    return Parameter("id", kind, "The id that the bridge gave.", example, "path")
