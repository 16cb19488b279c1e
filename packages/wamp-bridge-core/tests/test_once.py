from __future__ import annotations

import asyncio
import multiprocessing
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core import (
    Dispatcher,
    Endpoint,
    EventDetails,
    InvocationEnvelope,
    Once,
    OnceStore,
    Registry,
    Settings,
    Unavailable,
    generate_secret,
    loads,
)
from wamp_bridge.core.testing import SignedBridge, signed_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

SECRET = generate_secret()


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Once]:
    def make(**options: float) -> Once:
        return Once(tmp_path / "once.db" if request.param == "file" else None, **options)

    return make


class App:
    """A topic whose handler counts its runs and fails as often as told."""

    def __init__(self, once: Once, *, asynchronous: bool = False) -> None:
        self.runs: list[str] = []
        self.failures = 0
        registry = Registry()

        def work(details: EventDetails) -> None:
            self.runs.append(details.delivery_id)
            if self.failures:
                self.failures -= 1
                raise RuntimeError("not this time")

        @once
        def handler(details: EventDetails) -> None:
            work(details)

        @once
        async def async_handler(details: EventDetails) -> None:
            await asyncio.sleep(0)
            work(details)

        registry.sub("t")(async_handler if asynchronous else handler)
        dispatcher = Dispatcher(registry, Settings(secrets=(SECRET,)))
        self.bridge = SignedBridge(dispatcher.dispatch, [SECRET])

    def deliver(self, delivery: str) -> int:
        return self.bridge.publish("t", delivery_id=delivery).status


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_delivery_that_is_done_is_not_done_again(
    make: Callable[..., Once], *, asynchronous: bool
) -> None:
    app = App(make(), asynchronous=asynchronous)
    assert [app.deliver(delivery) for delivery in ("a", "b", "a", "a", "c")] == [204] * 5
    assert app.runs == ["a", "b", "c"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_delivery_that_failed_is_done_again(
    make: Callable[..., Once], *, asynchronous: bool
) -> None:
    app = App(make(), asynchronous=asynchronous)
    app.failures = 2
    assert [app.deliver("a") for _ in range(4)] == [500, 500, 204, 204]
    assert app.runs == ["a"] * 3


def test_a_delivery_under_way_is_refused_for_now(make: Callable[..., Once]) -> None:
    begun, proceed = threading.Event(), threading.Event()
    runs = []
    registry = Registry()

    @registry.sub("t")
    @make()
    def handler() -> None:
        runs.append(1)
        begun.set()
        proceed.wait(10)

    dispatcher = Dispatcher(registry, Settings(secrets=(SECRET,)))
    bridge = SignedBridge(dispatcher.dispatch, [SECRET])
    statuses = []
    first = threading.Thread(
        target=lambda: statuses.append(bridge.publish("t", delivery_id="a").status)
    )
    first.start()
    assert begun.wait(10)
    second = bridge.publish("t", delivery_id="a")
    assert (second.status, second.headers["retry-after"]) == (503, "5")
    proceed.set()
    first.join()
    assert statuses == [204]
    assert bridge.publish("t", delivery_id="a").status == 204
    assert runs == [1]


def test_what_was_under_way_when_its_process_died_is_done_after_a_while(
    make: Callable[..., Once],
) -> None:
    once = make(busy=0.0)
    store = once._store
    assert store.begin("k")
    assert store.begin("k")
    store.finish("k")
    assert not store.begin("k")


def test_deliveries_are_forgotten_in_the_end(make: Callable[..., Once]) -> None:
    store = make(keep=0.0)._store
    for _ in range(3):
        assert store.begin("k")
        store.finish("k")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wamp_bridge.core._once._MEMORY_ENTRIES", 3)
    store: Any = Once()._store
    for key in "abcde":
        store.begin(key)
        store.finish(key)
    assert list(store._entries) == ["c", "d", "e"]


def test_two_handlers_do_not_take_each_other_s_deliveries(make: Callable[..., Once]) -> None:
    once = make()
    registry = Registry()
    runs = []

    @registry.sub("t")
    @once
    def one() -> None:
        runs.append("one")

    @registry.callback("c")
    @once
    def other(_outcome: object) -> None:
        runs.append("other")

    dispatcher = Dispatcher(registry, Settings(verify=False))
    bridge = SignedBridge(dispatcher.dispatch)
    bridge.publish("t", delivery_id="a")
    bridge.succeed("c")
    assert runs == ["one", "other"]


def test_called_otherwise_than_by_a_delivery_a_function_is_just_called() -> None:
    @Once()
    def add(a: int, *, self: int) -> int:
        """Add."""
        return a + self

    assert [add(1, self=2), add(1, self=2)] == [3, 3]
    assert (add.__name__, add.__doc__) == ("add", "Add.")


def test_a_store_of_one_s_own() -> None:
    class Store:
        def __init__(self) -> None:
            self.log: list[str] = []

        def begin(self, key: str) -> bool:
            self.log.append("begin " + key.split(maxsplit=1)[0])
            return True

        def finish(self, key: str) -> None:
            self.log.append("finish " + key.split(maxsplit=1)[0])

        def forget(self, key: str) -> None:
            self.log.append("forget " + key.split(maxsplit=1)[0])

    store = Store()
    own: OnceStore = store
    app = App(Once(own))
    app.failures = 1
    app.deliver("a")
    app.deliver("a")
    assert store.log == ["begin a", "forget a", "begin a", "finish a"]


def _try_in_process(path: str, results: Any) -> None:
    try:
        results.put(Once(path)._store.begin("k"))
    except Unavailable:
        results.put("busy")


def test_the_processes_of_a_machine_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "once.db")
    spawn = multiprocessing.get_context("spawn")
    results: Any = spawn.SimpleQueue()
    processes = [spawn.Process(target=_try_in_process, args=(path, results)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    outcomes = [results.get() for _ in processes]
    assert sorted(outcomes, key=str) == [True, "busy", "busy", "busy"]
    store = Once(path)._store
    store.finish("k")
    assert not store.begin("k")
    results.close()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_generator_is_done_when_it_has_come_to_its_end(
    make: Callable[..., Once], *, asynchronous: bool
) -> None:
    once, registry, made = make(), Registry(), []

    @once
    def count() -> Generator[int, None, str]:
        for number in range(3):
            made.append(number)
            yield number
        return "done"

    @once
    async def acount() -> AsyncGenerator[int, None]:
        for number in range(3):
            made.append(number)
            yield number

    registry.rpc("f")(acount if asynchronous else count)
    dispatcher = Dispatcher(registry, Settings(secrets=(SECRET,)))
    envelope = InvocationEnvelope(Endpoint("f"), "f", details={"progress": True})

    def steps(taken: int) -> list[Any]:
        request = signed_request(envelope, secrets=[SECRET], delivery_id="msg_1")
        answer = dispatcher.dispatch(request)
        assert answer.lines is not None
        lines = list(islice(answer.lines, taken))
        answer.lines.close()
        return [next(iter(loads(line))) for line in lines]

    assert steps(2) == ["progress", "progress"]  # and goes away, so that it isn't done
    assert steps(9) == ["progress"] * 3 + ["result"]
    assert made == [0, 1, 0, 1, 2]
    assert steps(9) == ["result"]
    assert made == [0, 1, 0, 1, 2]
