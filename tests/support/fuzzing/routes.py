"""What the bridge is asked: a method, a path and a document, mostly as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from support.fuzzing import values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support.fuzzing.tape import Tape


@dataclass(frozen=True)
class World:
    """What requests are about.

    Attributes:
        host: The bridge's authority.
        app_url: Where an app takes callbacks; ends in a slash.
        tokens: Of the apps, by their names.
        secret: That all of them sign with.
        crossbar: Key and secret of Crossbar's clients.
    """

    host: str
    app_url: str
    tokens: Mapping[str, str]
    secret: str
    crossbar: tuple[str, str]


QUERIES = (
    *(
        "?",
        "?limit=1",
        "?limit=1000",
        "?limit=0",
        "?limit=1e3",
        "?limit=%31",
        "?limit=" + "9" * 5000,
    ),
    *("?cursor=", "?cursor=YWZ0ZXI6", "?cursor=%FF", "?cursor=YWZ0ZXI6cmVnXzA", "?limit=1&limit=2"),
    *(
        "??",
        "?a=b&&c",
        "?" + "a&" * 1500,
        "?%",
        "?token=x",
        "?limit=\uff11",
        "?cursor=" + "QUFB" * 500,
    ),
)


def _name(tape: Tape) -> str:
    name = values.uri(tape)
    return quote(name, safe="" if tape.below(2) else "/:@~") or "%20"


def _called(tape: Tape, _: World) -> tuple[str, str, Any]:
    document: dict[str, Any] = {}
    kind = tape.below(4)
    if kind == 1:
        document["params"] = [values.value(tape)]
    elif kind == 2:
        document["params"] = {tape.text(4): values.value(tape)}
    elif kind == 3:
        document |= {"args": [values.value(tape)], "kwargs": {"a": values.value(tape)}}
    if tape.chance(6):
        document["timeout"] = tape.pick((60, 90.5, 0, -1, 1e9, "5", None))
    return "POST", f"/call/{_name(tape)}/", document


def _called_later(tape: Tape, world: World) -> tuple[str, str, Any]:
    method, path, document = _called(tape, world)
    return method, path, document | {"callback": values.url(tape, world.app_url)}


def _published(tape: Tape, world: World) -> tuple[str, str, Any]:
    _, _, document = _called(tape, world)
    document.pop("timeout", None)
    if tape.chance(3):
        names = ("acknowledge", "exclude_me", "exclude", "eligible", "eligible_authid", "retain")
        of_a_kind: tuple[Any, ...] = (
            True,
            False,
            [],
            [1],
            ["a"],
            [2**53 + 1],
            [-1],
            "x",
            None,
            [None],
        )
        document["options"] = {tape.pick(names): tape.pick(of_a_kind)}
    return "POST", f"/publish/{_name(tape)}/", document


def _endpoints(tape: Tape, world: World, more: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    endpoints: dict[str, Any] = {}
    for _ in range(1 + tape.below(2)):
        entry: Any = values.url(tape, world.app_url)
        if tape.chance(2):
            entry = {"url": entry}
            for name, choices in more.items():
                if tape.chance(4):
                    entry[name] = tape.pick(choices)
        endpoints[values.uri(tape)] = entry
    document: dict[str, Any] = {"endpoints": endpoints}
    if tape.chance(6):
        document["lease"] = tape.pick((60, 1, 86400, 0, -1, 1e9, "1", [], 0.5))
    return document


_MATCHES = ("exact", "prefix", "wildcard", "", "Exact", None, 1)


def _registered(tape: Tape, world: World) -> tuple[str, str, Any]:
    invokes = ("single", "roundrobin", "random", "first", "last", "all", "", 5)
    more = {
        "match": _MATCHES,
        "invoke": invokes,
        "concurrency": (10_000, 0, -1, 10**6, "1", 1.5, True),
        "timeout": (60, 1e9, 0, -1, "1"),
    }
    return "POST", "/register/", _endpoints(tape, world, more)


def _subscribed(tape: Tape, world: World) -> tuple[str, str, Any]:
    more = {"match": _MATCHES, "ordered": (True, False, 1), "concurrency": (10, 0, 10**6, "1")}
    return "POST", "/subscribe/", _endpoints(tape, world, more)


def _taken_back(tape: Tape, _: World) -> tuple[str, str, Any]:
    named: Any = [values.uri(tape) for _ in range(tape.below(3))]
    if tape.chance(3):
        named = dict.fromkeys(named, tape.pick((None, "http://127.0.0.1:1/", "", 5)))
    document: dict[str, Any] = {"endpoints": named}
    if tape.chance(4):
        document["match"] = tape.pick(_MATCHES)
    return "POST", tape.pick(("/unregister/", "/unsubscribe/")), document


def _announced(tape: Tape, world: World) -> tuple[str, str, Any]:
    path = tape.pick(("/announce/", "/announce", "/withdraw/"))
    document: dict[str, Any] = {"url": values.url(tape, f"{world.app_url}source/")}
    if path != "/withdraw/" and tape.chance(4):
        document["wait"] = tape.pick((False, None, "true", 1))
    return "POST", path, document


def _listed(tape: Tape, _: World) -> tuple[str, str, Any]:
    paths = ("/registrations/", "/subscriptions/", "/sources/", "/registrations", "/health/live")
    return "GET", tape.pick(paths) + (tape.pick(QUERIES) if tape.chance(2) else ""), None


def _told(tape: Tape, _: World) -> tuple[str, str, Any]:
    query = "&".join(
        f"{name}={quote(str(tape.pick(texts)), safe='')}"
        for name, texts in (
            ("limit", (1, 0, "", "x")),
            ("since", (0, "nan", 1e300, "x")),
            ("match", (*_MATCHES, "x")),
            ("cursor", ("YWZ0ZXI6MQ", "YWZ0ZXI6eA", "")),
        )
        if tape.chance(3)
    )
    topic = quote(values.uri(tape), safe="")
    paths = ("/procedures/", "/topics", f"/topics/{topic}/history/", f"/topics/{topic}/history")
    return "GET", f"{tape.pick(paths)}?{query or 'limit=1'}", None


def _of_an_id(tape: Tape, _: World) -> tuple[str, str, Any]:
    identifiers = (
        "reg_0",
        "sub_0",
        "call_0",
        "%00",
        "..",
        "%2e%2e",
        "a%2Fb",
        "é",
        "%FF",
        "x" * 999,
    )
    kind = tape.pick(("calls", "registrations", "subscriptions"))
    return tape.pick(("GET", "DELETE")), f"/{kind}/{quote(tape.pick(identifiers), '%')}/", None


def _dead_letters(tape: Tape, _: World) -> tuple[str, str, Any]:
    found = {"endpoint": "sub_0", "uri": values.uri(tape), "since": 0, "until": 1e300, "error": "x"}
    kept = {name: text for name, text in found.items() if tape.chance(3)}
    if tape.chance(2):
        odd = {tape.pick(("limit", "until", "uri")): values.value(tape)}
        return "POST", "/dead-letters/replay/", {**kept, **odd}
    query = "&".join(f"{name}={quote(str(text), safe='')}" for name, text in kept.items())
    path = tape.pick(("/dead-letters/", "/dead-letters/dlv_0/", "/dead-letters/%00/"))
    return tape.pick(("GET", "DELETE")), f"{path}?{query}", None


def _renewed(tape: Tape, _: World) -> tuple[str, str, Any]:
    return "POST", "/heartbeat/", {"endpoints": [values.uri(tape)]} if tape.chance(3) else {}


def _as_crossbars(tape: Tape, _: World) -> tuple[str, str, Any]:
    path, kind = tape.pick((("/call", "procedure"), ("/publish", "topic")))
    document: dict[str, Any] = {kind: values.uri(tape)}
    for name, plain in (("args", [1]), ("kwargs", {"a": 1}), ("options", {"exclude_me": False})):
        if tape.chance(2):
            document[name] = values.value(tape) if tape.chance(4) else plain
    return tape.pick(("POST", "POST", "PUT", "OPTIONS", "GET")), path, document


ROUTES: tuple[Callable[[Tape, World], tuple[str, str, Any]], ...] = (
    *(_called, _called, _published, _published, _registered, _subscribed, _taken_back),
    *(_called_later, _announced, _listed, _told, _of_an_id, _renewed),
    *(_as_crossbars, _as_crossbars),
    _dead_letters,
)
