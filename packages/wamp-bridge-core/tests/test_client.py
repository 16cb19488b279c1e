"""`Bridge` against a real server on a real socket."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.plain_server import Asked, Reply, plain_server
from support.processes import free_port
from wamp_bridge.core import (
    ApplicationError,
    Bridge,
    BridgeUnreachable,
    CallResult,
    CallTimeout,
    Canceled,
    ConfigurationError,
    Conflict,
    DeadLetter,
    InvalidURI,
    InvalidValue,
    PendingCall,
    Registration,
    Removed,
    Settings,
    Source,
    Subscription,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def at(url: str, **settings: Any) -> Bridge:
    return Bridge(Settings(url=url, token="t0ken", **settings))


class Fake:
    """A server that answers as told, and a bridge's client for it."""

    def __init__(self, url: str, asked: list[Asked]) -> None:
        self.url = url
        self.asked = asked
        self.reply: Any = Reply(200, {"result": None, "args": [], "kwargs": {}})
        self.bridge = at(url, callback_url="http://h/wamp/")


@pytest.fixture
def fake() -> Iterator[Fake]:
    with plain_server() as server:
        fake = Fake(server.url, server.asked)

        def answer(asked: Asked) -> Reply | None:
            reply: Reply | None = fake.reply(asked) if callable(fake.reply) else fake.reply
            return reply

        server.answering = answer
        with fake.bridge:
            yield fake


def test_a_call_returns_the_result(fake: Fake) -> None:
    fake.reply = Reply(200, {"result": 12, "args": [12], "kwargs": {}})
    assert fake.bridge.call("com.shop.price", ["book"]) == 12
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/call/com.shop.price/")
    assert asked.headers["authorization"] == "Bearer t0ken"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["wamp-bridge-protocol"] == "1"
    assert asked.document == {"args": ["book"], "kwargs": {}, "timeout": 10.0}


def test_a_mapping_is_keyword_arguments(fake: Fake) -> None:
    fake.bridge.call("com.shop.price", {"name": "book", "procedure": 1, "self": 2})
    assert fake.asked[0].document["kwargs"] == {"name": "book", "procedure": 1, "self": 2}


def test_a_full_result_has_all_that_was_returned(fake: Fake) -> None:
    fake.reply = Reply(200, {"result": [1, 2], "args": [1, 2], "kwargs": {"b": "\0AQ=="}})
    assert fake.bridge.call("f", full=True) == CallResult([1, 2], {"b": b"\x01"})
    assert fake.bridge.call("f") == [1, 2]


def test_a_call_with_a_callback_is_pending(fake: Fake) -> None:
    fake.reply = Reply(202, {"id": "c1", "status": "pending"}, {"location": "/calls/c1/"})
    pending = fake.bridge.call("f", [1], callback="done")
    assert pending == PendingCall("c1", "pending", "/calls/c1/")
    assert fake.asked[0].document["callback"] == "http://h/wamp/callback/done/"


def test_an_error_is_raised_with_all_that_it_carries(fake: Fake) -> None:
    fake.reply = Reply(
        500,
        {"title": "Error", "error": "com.shop.sold_out", "args": ["book"], "kwargs": {"left": 0}},
        {"request-id": "r1"},
    )
    with pytest.raises(ApplicationError) as caught:
        fake.bridge.call("f")
    error = caught.value
    assert (error.uri, error.args, error.kwargs) == ("com.shop.sold_out", ("book",), {"left": 0})
    assert (error.status, error.request_id) == (500, "r1")


def test_publishing_returns_the_publication(fake: Fake) -> None:
    fake.reply = Reply(200, {"publication": 2**53 - 1})
    options = {"exclude_me": True, "eligible": [1]}
    assert fake.bridge.publish("com.shop.sold", ["book"], {"n": 1}, options=options) == 2**53 - 1
    assert fake.asked[0].path == "/publish/com.shop.sold/"
    assert fake.asked[0].document == {"args": ["book"], "kwargs": {"n": 1}, "options": options}
    fake.reply = Reply(202)
    assert fake.bridge.publish("com.shop.sold", options={"acknowledge": False}) is None


@pytest.mark.parametrize("name", ["a/b", "100%", "caf\u00e9", "~x", "a?b", "x%2Fy"])
def test_names_reach_the_bridge_as_one_segment(fake: Fake, name: str) -> None:
    from wamp_bridge.core import escape_segment  # noqa: PLC0415 - beside what it is used for

    fake.bridge.call("." + name)
    assert fake.asked[0].path == f"/call/{escape_segment(name)}/"


def test_what_can_not_be_sent_is_refused_before_anything_is_sent(fake: Fake) -> None:
    with pytest.raises(InvalidValue):
        fake.bridge.call("f", [float("nan")])
    for name in ("", ".", "..", "com..x", "com.", "a b"):
        with pytest.raises(InvalidURI):
            fake.bridge.call(name)
        with pytest.raises(InvalidURI):
            fake.bridge.publish(name)
    with pytest.raises(TypeError):
        fake.bridge.publish("t", "text")  # a str is a sequence to the type checker, too
    assert fake.asked == []


def test_endpoints_are_registered_and_taken_back(fake: Fake) -> None:
    entry = {
        "id": "r1",
        "uri": "f",
        "url": "http://h/f",
        "match": "exact",
        "state": "live",
        "reason": None,
        "invoke": "single",
        "lease_expires_at": 1700000000.5,
    }
    fake.reply = Reply(200, {"registrations": [entry]})
    assert fake.bridge.register({"f": "http://h/f"}, lease=5) == [
        Registration(
            "r1", "f", "http://h/f", "exact", "live", None, None, 1700000000.5, {"invoke": "single"}
        )
    ]
    fake.reply = Reply(200, {"unregistered": ["f"], "unknown": ["g"]})
    assert fake.bridge.unregister(["f", "g"]) == Removed(("f",), ("g",))
    fake.reply = Reply(200, {"subscriptions": [entry]})
    (subscription,) = fake.bridge.subscribe({"f": "http://h/f"})
    assert isinstance(subscription, Subscription)
    fake.reply = Reply(200, {"unsubscribed": ["f"], "unknown": []})
    assert fake.bridge.unsubscribe({"f": "http://h/f"}) == Removed(("f",), ())
    fake.reply = Reply(200, {"renewed": 3})
    assert fake.bridge.heartbeat() == 3
    fake.reply = Reply(200, {"registrations": [entry], "cursor": None})
    assert [found.id for found in fake.bridge.registrations()] == ["r1"]
    fake.reply = Reply(200, {"subscriptions": [entry], "cursor": None})
    assert [found.id for found in fake.bridge.subscriptions()] == ["r1"]


def test_sources_are_announced_and_withdrawn(fake: Fake) -> None:
    source = {"id": "s1", "url": "http://h/wamp/", "state": "pending", "reason": None}
    fake.reply = Reply(202, {"source": source})
    assert fake.bridge.announce() == Source("s1", "http://h/wamp/", "pending")
    assert fake.asked[0].document == {"url": "http://h/wamp/"}
    fake.bridge.announce("http://other/", wait=True)
    assert fake.asked[1].document == {"url": "http://other/", "wait": True}
    fake.reply = Reply(200, {})
    fake.bridge.withdraw()
    assert fake.asked[2].document == {"url": "http://h/wamp/"}
    fake.reply = Reply(200, {"sources": [source], "cursor": None})
    assert [found.url for found in fake.bridge.sources()] == ["http://h/wamp/"]


LETTER = {
    "id": "m1",
    "type": "event",
    "uri": "com.x",
    "endpoint": "sub_1",
    "callback": None,
    "created_at": 1.5,
    "dead_at": 2.5,
    "attempts": 8,
    "last_status": 500,
    "error": "status 500",
    "size": 7,
}


def test_dead_letters_are_listed_page_by_page(fake: Fake) -> None:
    pages = [
        {"dead_letters": [LETTER] * 1000, "cursor": "next", "total": 1001},
        {"dead_letters": [LETTER], "cursor": None},
    ]
    fake.reply = lambda asked: Reply(200, pages["cursor" in asked.path])
    letters = fake.bridge.dead_letters(uri="com.x", since=None)
    assert len(letters) == 1001
    assert letters[0] == DeadLetter(**LETTER)  # type: ignore[arg-type]
    assert [asked.path for asked in fake.asked] == [
        "/dead-letters/?uri=com.x&limit=1000",
        "/dead-letters/?uri=com.x&limit=1000&cursor=next",
    ]
    assert fake.bridge.count_dead_letters() == 1001


def test_dead_letters_are_replayed_and_deleted_some_at_a_time(fake: Fake) -> None:
    left = {"replayed": 1500, "deleted": 1100}

    def some(asked: Asked) -> Reply:
        what = "replayed" if asked.method == "POST" else "deleted"
        number = min(1000, left[what])
        left[what] -= number
        return Reply(202, {what: number})

    fake.reply = some
    assert fake.bridge.replay_dead_letters(error="refused") == 1500
    assert fake.asked[0].document == {"error": "refused", "limit": 1000}
    assert fake.bridge.delete_dead_letters(limit=1100) == 1100
    assert fake.asked[-1].path == "/dead-letters/?limit=100"
    left["replayed"] = 1
    assert fake.bridge.replay_dead_letters("m/1") == 1
    assert fake.asked[-1].path == "/dead-letters/m%2F1/replay/"
    assert fake.bridge.delete_dead_letters("m1") == 1


def test_dead_letters_for_nobody_are_a_conflict(fake: Fake) -> None:
    fake.reply = Reply(409, {"status": 409, "title": "Conflict", "detail": "nobody"})
    with pytest.raises(Conflict):
        fake.bridge.replay_dead_letters()
    replies = [Reply(202, {"replayed": 1000}), fake.reply]
    fake.reply = lambda _asked: replies.pop(0)
    assert fake.bridge.replay_dead_letters() == 1000


def test_connections_are_reused(fake: Fake) -> None:
    for _ in range(5):
        fake.bridge.call("f")
    assert len({asked.client for asked in fake.asked}) == 1


def test_a_closed_bridge_opens_again(fake: Fake) -> None:
    fake.bridge.call("f")
    fake.bridge.close()
    fake.bridge.close()
    fake.bridge.call("f")
    assert len({asked.client for asked in fake.asked}) == 2


def test_threads_share_a_bridge(fake: Fake) -> None:
    fake.reply = lambda asked: Reply(200, {"result": asked.document["args"][0]})
    wrong: list[Any] = []

    def work(number: int) -> None:
        sent = [[number, i] for i in range(20)]
        wrong.extend(each for each in sent if fake.bridge.call("f", [each]) != each)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(fake.asked) == 160


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_the_child_of_a_fork_has_connections_of_its_own(fake: Fake) -> None:
    """In a process of its own: a fork of this one, with its threads, proves nothing."""
    script = (
        "import os, sys\n"
        "from wamp_bridge.core import Bridge, Settings\n"
        f"bridge = Bridge(Settings(url={fake.url!r}, token='t'))\n"
        "bridge.call('f', ['parent'])\n"
        "pid = os.fork()\n"
        "bridge.call('f', ['child' if pid == 0 else 'parent'])\n"
        "if pid:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)
    who = {(asked.document["args"][0], asked.client) for asked in fake.asked}
    assert sorted(name for name, _ in who) == ["child", "parent"]


def test_a_bridge_that_is_away_is_unreachable_soon() -> None:
    bridge = at(f"http://127.0.0.1:{free_port()}/")
    before = time.monotonic()
    with bridge, pytest.raises(BridgeUnreachable, match="refused"):
        bridge.call("f")
    assert time.monotonic() - before < 5


def test_a_bridge_that_comes_back_in_time_is_reached() -> None:
    port = free_port()

    def later() -> None:
        with plain_server(lambda _: Reply(200, {"result": 1}), port=port):
            done.wait(10)

    done = threading.Event()
    thread = threading.Timer(0.15, later)
    with at(f"http://127.0.0.1:{port}/") as bridge:
        thread.start()
        try:
            assert bridge.call("f") == 1
        finally:
            done.set()
            thread.join()


def test_a_call_that_was_cut_off_is_not_made_twice(fake: Fake) -> None:
    fake.reply = lambda _: None
    for ask in (fake.bridge.call, fake.bridge.publish):
        fake.asked.clear()
        with pytest.raises(BridgeUnreachable):
            ask("f", ["x"])
        assert len(fake.asked) == 1


def test_what_has_a_key_is_asked_until_it_is_answered(fake: Fake) -> None:
    conflict = Reply(409, {}, {"retry-after": "0"})
    for ask, answer in (
        (fake.bridge.call, {"result": 1, "args": [1], "kwargs": {}}),
        (fake.bridge.publish, {"publication": 1}),
    ):
        fake.asked.clear()
        replies = [None, conflict, Reply(200, answer)]
        fake.reply = lambda _, replies=replies: replies.pop(0)
        assert ask("f", ["x"], idempotency_key="order 1") == 1
        assert [asked.headers["idempotency-key"] for asked in fake.asked] == ['"order 1"'] * 3
        assert len({asked.body for asked in fake.asked}) == 1


def test_a_call_that_is_not_waited_for_is_begun_read_and_cancelled(fake: Fake) -> None:
    fake.reply = Reply(202, {"id": "c1", "status": "pending"}, {"location": "/calls/c1/"})
    pending = fake.bridge.start_call("f", [1], timeout=7200)
    assert pending == PendingCall("c1", "pending", "/calls/c1/")
    assert fake.asked[0].headers["prefer"] == "respond-async"
    assert fake.asked[0].document == {"args": [1], "kwargs": {}, "timeout": 7200}
    fake.reply = Reply(200, {"id": "c1", "status": "pending"})
    state = fake.bridge.read_call(pending)
    assert (state.id, state.status, state.ended) == ("c1", "pending", False)
    with pytest.raises(RuntimeError, match="c1 has not ended"):
        state.value()
    fake.reply = Reply(
        200, {"id": "c1", "status": "succeeded", "result": 2, "args": [2], "kwargs": {}}
    )
    state = fake.bridge.read_call("c1")
    assert (state.ended, state.result, state.value()) == (True, CallResult([2]), 2)
    fake.reply = Reply(
        200,
        {
            "id": "c1",
            "status": "cancelled",
            "error": "wamp.error.canceled",
            "args": ["why"],
            "kwargs": {},
            "error_status": 409,
        },
    )
    state = fake.bridge.cancel_call(pending)
    with pytest.raises(Canceled, match="why"):
        state.value()
    asked = [(asked.method, asked.path) for asked in fake.asked[1:]]
    assert asked == [("GET", "/calls/c1/"), ("GET", "/calls/c1/"), ("DELETE", "/calls/c1/")]


def test_what_may_be_repeated_is_when_it_was_cut_off(fake: Fake) -> None:
    replies = [None, Reply(503, {}, {"retry-after": "0"}), Reply(200, {"renewed": 1})]
    fake.reply = lambda _: replies.pop(0)
    assert fake.bridge.heartbeat() == 1
    assert len(fake.asked) == 3


def test_a_bridge_that_does_not_answer_is_given_up_in_time() -> None:
    release = threading.Event()

    def hang(_asked: Asked) -> Reply | None:
        release.wait(20)
        return None

    with plain_server(hang) as server, at(server.url) as bridge:
        before = time.monotonic()
        with pytest.raises(CallTimeout):
            bridge.call("f", timeout=0.2)
        with pytest.raises(CallTimeout):
            bridge.publish("t", timeout=0.2)
        assert time.monotonic() - before < 10
        release.set()
        assert len(server.asked) == 2


def test_proxy_variables_are_not_read(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}/")
    fake.bridge.call("f")
    assert len(fake.asked) == 1


def test_redirections_are_not_followed(fake: Fake) -> None:
    fake.reply = Reply(307, {}, {"location": "/elsewhere/"})
    with pytest.raises(Exception, match="307"):
        fake.bridge.call("f")
    assert len(fake.asked) == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [(Settings(token="t"), "WAMP_BRIDGE_URL"), (Settings(url="http://h/"), "WAMP_BRIDGE_TOKEN")],
)
def test_a_missing_setting_is_named(settings: Settings, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Bridge(settings)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_URL", fake.url)
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "from-environ")
    monkeypatch.setenv("WAMP_BRIDGE_PREFIX", "com.shop")
    with Bridge() as bridge:
        bridge.call("price")
    assert fake.asked[0].path == "/call/com.shop.price/"
    assert fake.asked[0].headers["authorization"] == "Bearer from-environ"


def test_a_callback_by_name_needs_to_know_where_the_app_is() -> None:
    with at("http://h/") as bridge, pytest.raises(ConfigurationError, match="CALLBACK_URL"):
        bridge.call("f", callback="done")


def test_https_uses_the_system_s_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Any] = []
    real = httpx.Client

    def spy(**options: Any) -> httpx.Client:
        used.append(options["verify"])
        return real(**options)

    monkeypatch.setattr(httpx, "Client", spy)
    for scheme in ("http", "https"):
        with (
            at(f"{scheme}://127.0.0.1:{free_port()}/") as bridge,
            pytest.raises(BridgeUnreachable),
        ):
            bridge.call("f", timeout=0.05)
    assert used[0] is False
    assert isinstance(used[1], ssl.SSLContext)
