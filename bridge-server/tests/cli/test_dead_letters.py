"""`wamp-bridge dead-letters` against a bridge that runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.plain_server import Reply, plain_server
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, Settings

if TYPE_CHECKING:
    from .conftest import Start

ARGUMENTS = ("--router", "memory:", "--listen", "127.0.0.1:0", "--token", "t")


def test_they_are_listed_replayed_and_deleted(start: Start) -> None:
    _, url, _ = start("dev", *ARGUMENTS).printed("ready ").split(" ")
    environ = {"WAMP_BRIDGE_URL": url, "WAMP_BRIDGE_TOKEN": "t"}
    with plain_server(lambda _: Reply(500, {})) as app, Bridge(Settings(url=url, token="t")) as us:
        us.subscribe({name: {"url": app.url, "schedule": [0]} for name in ("com.x", "com.y")})
        for number in range(3):
            us.publish("com.x", [number])
        us.publish("com.y")
        eventually_sync(lambda: us.count_dead_letters() == 4)

        listed = start("dead-letters", "list", "--uri", "com.x", "--since", "1h", **environ)
        assert listed.end() == 0
        assert len(listed.out) == 3
        assert all("event  com.x  sub_" in line for line in listed.out)
        assert listed.err == ["3 dead letters"]
        few = start("dead-letters", "list", "--limit", "2", "--json", **environ)
        assert few.end() == 0
        assert [json.loads(line)["error"] for line in few.out] == ["status 500"] * 2

        app.answering = lambda _: Reply(200, {})
        identifier = json.loads(few.out[0])["id"]
        replayed = start("dead-letters", "replay", identifier, **environ)
        assert replayed.end() == 0
        assert replayed.out == ["1 of 1 replayed"]
        us.unsubscribe(["com.y"])
        rest = start("dead-letters", "replay", "--all", **environ)
        assert rest.end() == 1
        assert rest.out == ["2 of 3 replayed"]
        assert rest.err[-1].startswith("wamp-bridge: 1 are left: the app has nobody any more")

        refused = start("dead-letters", "purge", "--all", **environ)  # nobody says yes
        assert refused.end() != 0
        assert us.count_dead_letters() == 1
        purged = start("dead-letters", "purge", "--all", "--yes", **environ)
        assert purged.end() == 0
        assert purged.out == ["1 of 1 deleted"]
        unknown = start("dead-letters", "purge", identifier, "--yes", **environ)
        assert unknown.end() == 1
        assert f'no dead letter "{identifier}"' in unknown.err[-1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("replay",), "wamp-bridge: Name dead letters by their IDs, choose some by options, or"),
        (("purge", "m1", "--all"), "wamp-bridge: Name dead letters by their IDs, choose some"),
        (("list", "--since", "soon"), "wamp-bridge: Invalid value for '--since': is neither a s"),
        (("list",), "wamp-bridge: WAMP_BRIDGE_URL is not set"),
    ],
)
def test_bad_usage_is_one_line(start: Start, arguments: tuple[str, ...], line: str) -> None:
    program = start("dead-letters", *arguments)
    assert program.end() == 2
    assert program.err[-1].startswith(line)
