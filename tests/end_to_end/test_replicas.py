"""Several replicas of an app: each with a URL of its own, or all behind one."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.balancer import Balancer
from support.flask_servers import APPS, ServedApp
from support.holding import held_ids, is_held
from support.processes import listening
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLERS = 4
ADDED = """

@rpc()
def {name}() -> str:
    return {name!r}
"""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Return the folders of two replicas, each with the app and for its events."""
    return {
        name: Path(shutil.copytree(APPS, tmp_path / name, ignore=shutil.ignore_patterns("__*")))
        for name in ("one", "two")
    }


@contextmanager
def constant_calls(peer: Bridge) -> Iterator[Counter[object]]:
    """Call the shop all the while, several at once; counts who answers, and what is raised."""
    answers: Counter[object] = Counter()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                answers[peer.call("com.shop.worker")] += 1
            except BridgeError as error:
                answers[repr(error)] += 1

    threads = [threading.Thread(target=work) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def serves(peer: Bridge, name: str) -> bool:
    try:
        return bool(peer.call(f"com.shop.{name}") == name)
    except BridgeError:
        return False


def test_replicas_with_urls_of_their_own_share_calls_and_events(
    bridge_url: str, peer: Bridge, shop: Bridge, folders: dict[str, Path]
) -> None:
    with ExitStack() as stack:
        replicas = [
            stack.enter_context(ServedApp("waitress", bridge=bridge_url, folder=folder))
            for folder in folders.values()
        ]
        eventually_sync(lambda: len(held_ids(shop)) == 8 and is_held(shop), within=20)
        assert {source.url for source in shop.sources()} == {each.source for each in replicas}
        served = Counter(entry.uri for entry in shop.registrations())
        assert set(served.values()) == {2}
        pids = {replica.child.pid for replica in replicas}
        assert Counter(peer.call("com.shop.worker") for _ in range(10)) == dict.fromkeys(pids, 5)

        texts = [f"event{number}" for number in range(20)]
        for text in texts:
            peer.publish("com.shop.told", [text])
        heard = [replica.events for replica in replicas]
        eventually_sync(lambda: sum(len(events()) for events in heard) >= len(texts))
        assert sorted(heard[0]() + heard[1]()) == sorted(texts)
        assert all(events() for events in heard)

        with constant_calls(peer) as answers:
            eventually_sync(lambda: set(answers) == pids)
            replicas[0].child.kill()
            lost, before = lost_of(answers, pids), answers[replicas[1].child.pid]
            eventually_sync(lambda: answers[replicas[1].child.pid] > before + 20)
        # Until it has ended, connections to it are accepted and cut; after that nothing is lost but
        # what it had in its hands.
        assert lost_of(answers, pids) - lost <= CALLERS, answers


def lost_of(answers: Counter[object], pids: set[int]) -> int:
    return sum(number for answer, number in [*answers.items()] if answer not in pids)


def test_a_rolling_restart_of_a_server_s_workers_loses_no_call(
    bridge_url: str, peer: Bridge, shop: Bridge, folders: dict[str, Path]
) -> None:
    folder = folders["one"]
    with ServedApp("gunicorn-2-workers", bridge=bridge_url, folder=folder, apps=folder) as app:
        eventually_sync(lambda: is_held(shop, app.child), within=20)
        before = held_ids(shop)
        with constant_calls(peer) as answers:
            eventually_sync(lambda: len(answers) == 2, within=20)
            old = set(answers)
            file = folder / "plain.py"
            file.write_text(file.read_text() + ADDED.format(name="added"))
            os.kill(app.child.pid, signal.SIGHUP)
            eventually_sync(lambda: len(set(answers) - old) == 2, within=20)
            eventually_sync(lambda: serves(peer, "added"), within=40)
        assert all(isinstance(answer, int) for answer in answers), answers
        assert set(before) < set(held_ids(shop))
        assert len(shop.sources()) == 1


def test_a_rolling_restart_behind_a_balancer_loses_no_call(
    bridge_url: str, peer: Bridge, shop: Bridge, folders: dict[str, Path]
) -> None:
    with ExitStack() as stack:
        balancer = stack.enter_context(Balancer())

        def start(folder: Path) -> ServedApp:
            app = ServedApp(
                "gunicorn-1-worker",
                bridge=bridge_url,
                folder=folder,
                apps=folder,
                source=f"{balancer.url}wamp/",
            )
            stack.callback(app.child.stop)
            eventually_sync(lambda: listening(app.port), within=20)
            balancer.add(app.port)
            return app

        for folder in folders.values():  # the version before, which has one procedure more
            file = folder / "plain.py"
            file.write_text(file.read_text() + ADDED.format(name="before"))
        replicas = [start(folder) for folder in folders.values()]
        eventually_sync(lambda: is_held(shop) and serves(peer, "before"), within=20)
        before = held_ids(shop)
        with constant_calls(peer) as answers:
            eventually_sync(lambda: len(answers) == 2)
            for folder, old in zip(folders.values(), replicas, strict=True):
                file = folder / "plain.py"
                new = file.read_text().replace("before", "after")
                file.write_text(new)
                balancer.remove(old.port)
                eventually_sync(partial(balancer.drained, old.port))
                old.child.stop()
                start(folder)
                assert set(before) <= set(held_ids(shop))  # also what only the others have yet
            eventually_sync(lambda: serves(peer, "after"), within=40)
            eventually_sync(lambda: len(answers) == 4)
        assert all(isinstance(answer, int) for answer in answers), answers
        assert is_held(shop)
        assert [source.url for source in shop.sources()] == [f"{balancer.url}wamp/"]
