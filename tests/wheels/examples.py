"""The examples, far from the sources: announced, called, killed and started again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wheels.servers import CHANGED, SERVERS, added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from examples.demo.shops import Shop

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE = 120.0  # seconds
FAREWELL = 20.0
OVERLOOKED = (
    10.0  # a reloader that looks now and then doesn't see what changed before its first look
)
IGNORED = shutil.ignore_patterns("node_modules", "tests", "__pycache__", "*.db", "instance")

HANDLED = {"com.shop.price", "com.supplier.price_changed"}
OF_USERS = {"com.shop.authenticate", "com.shop.authorize", "com.shop.set_price"}


def check_example(
    shop: Shop, app: Path, bridge: Path, folder: Path, *, all_servers: bool = False
) -> None:
    """An example answers calls through a real router, is killed, started again, and is one app.

    Args:
        shop: Which.
        app: The programs of its environment.
        bridge: Those of the bridge's.
        folder: An empty one.
        all_servers: Under each server that suits it, one after the other, and not its usual one
            alone; it is one app under all of them.
    """
    for name in (shop.name, "page"):
        shutil.copytree(EXAMPLES / name, folder / name, ignore=IGNORED)
    listen, router, web = (f"127.0.0.1:{port}" for port in free_ports(3))
    dev: list[str | Path] = [bridge / "wamp-bridge", "dev", "--app", "shop"]
    dev += ["--listen", listen, "--router-listen", router, "--data", folder / "data"]
    with running(dev, folder) as (_, lines):
        settings = dict(exports(lines))
        settings |= {
            "WAMP_BRIDGE_CALLBACK_URL": f"http://{web}/wamp/",
            "WAMP_BRIDGE_PREFIX": "com.shop",
            "SHOP_DATABASE": str(folder / "shop.db"),
        }
        port = int(web.rpartition(":")[2])
        commands = shop.commands(port, str(app / "python"))
        for command in commands[:-1]:
            subprocess.run(command, cwd=folder / shop.name, env=environ(settings), check=True)
        shown = Shown(shop, folder / shop.name, settings)
        shown.under(commands[-1])
        for name, arguments in SERVERS[shop.name].items() if all_servers else ():
            command = [str(app / "python"), *arguments.format(port=port).split()]
            print(f"... {shop.name} under {name}", flush=True)
            shown.under(command, reloads="reloader" in name)


class Shown:
    """An example that is shown to be one app, whatever serves it and however often it is killed."""

    def __init__(self, shop: Shop, folder: Path, settings: Mapping[str, str]) -> None:
        self._shop = shop
        self._folder = folder
        self._settings = settings
        self._names = HANDLED | (OF_USERS if shop.knows_users else set())
        self._ids: dict[str, str] = {}
        self._added = 0

    def under(self, command: Sequence[str | Path], *, reloads: bool = False) -> None:
        """Serve it, kill that, and serve it again; where it is reloaded, change it, too."""
        web = self._settings["WAMP_BRIDGE_CALLBACK_URL"].removesuffix("wamp/")
        with served(command, self._folder, self._settings) as process:
            self._check()
            assert get(web).startswith(b"<!doctype html>")
            assert b"autobahn" in get(f"{web}static/shop.js")
            os.killpg(process.pid, signal.SIGKILL)
        with served(command, self._folder, self._settings):
            self._check()
            if reloads:
                self._change()
                self._check()

    def _change(self) -> None:
        """Give it one more handler, and wait until that is called."""
        self._added += 1
        path = self._folder / CHANGED[self._shop.name]
        with path.open("a") as file:
            file.write(added(self._shop.name, self._added))
        touched = time.monotonic()

        def called() -> Any:
            nonlocal touched
            if time.monotonic() > touched + OVERLOOKED:
                path.touch()
                touched = time.monotonic()
            return ask(self._settings, f"call/com.shop.added{self._added}/", {})

        assert until(called)["result"] == self._added
        self._names.add(f"com.shop.added{self._added}")

    def _check(self) -> None:
        """Wait until it answers; what the bridge holds must be right, and what it was before."""
        price = until(lambda: ask(self._settings, "call/com.shop.price/", {"params": ["teapot"]}))
        assert price["result"] == 30.0, price
        entries = until(self._all_live)
        ids = {entry["uri"]: entry["id"] for entry in entries}
        assert len(ids) == len(entries), entries
        assert set(ids) == self._names, ids
        assert ids == {**ids, **self._ids}, (self._ids, ids)
        self._ids = ids
        (source,) = ask(self._settings, "sources/")["sources"]
        assert source["url"] == self._settings["WAMP_BRIDGE_CALLBACK_URL"], source

    def _all_live(self) -> list[dict[str, Any]] | None:
        found = []
        for kind in ("registrations", "subscriptions"):
            found += ask(self._settings, f"{kind}/")[kind]
        return found if found and {entry["state"] for entry in found} == {"live"} else None


def ask(settings: Mapping[str, str], path: str, document: object = None) -> Any:
    """The bridge's answer."""
    request = urllib.request.Request(
        f"{settings['WAMP_BRIDGE_URL'].rstrip('/')}/{path}",
        data=None if document is None else json.dumps(document).encode(),
        headers={
            "Authorization": f"Bearer {settings['WAMP_BRIDGE_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def get(url: str) -> bytes:
    """What is there."""
    with urllib.request.urlopen(url) as response:
        body: bytes = response.read()
        return body


def until(condition: Callable[[], Any]) -> Any:
    """The condition's first true value; that nobody is there yet, or any more, is no reason."""
    end = time.monotonic() + DEADLINE
    said = "nothing"
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except urllib.error.HTTPError as error:
            with error:
                said = f"{error.code}: {error.read().decode()}"
        time.sleep(0.1)
    raise SystemExit(f"not within {DEADLINE:g} s: {said}")


@contextmanager
def served(
    command: Sequence[str | Path], folder: Path, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A server that runs meanwhile; what it writes is shown if something fails."""
    log = folder / "server.log"
    with log.open("w") as file:
        try:
            with running(command, folder, settings, output=file.fileno()) as (process, _):
                yield process
        except BaseException:
            print(log.read_text())
            raise


@contextmanager
def running(
    command: Sequence[str | Path],
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    output: int = subprocess.PIPE,
) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
    """A program that runs meanwhile, in a group of its own; what it writes, line by line."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ(settings or {}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output == subprocess.PIPE else subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process, iter(process.stdout or ())
        finally:
            process.terminate()
            try:
                process.wait(FAREWELL)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def environ(settings: Mapping[str, str]) -> dict[str, str]:
    """This environment without our sources, and the settings."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, **settings, "PYTHONUNBUFFERED": "1"}


def exports(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Read what `wamp-bridge dev` prints for an app, until it is ready."""
    for line in lines:
        if line.startswith("ready "):
            return
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            yield name, value.strip("'\"")
    raise SystemExit("the bridge ended before it was ready")


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, of those that the system gives to no connection."""
    return list(islice(filter(_is_free, random.sample(range(10_000, 32_768), 100)), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
