"""How deliveries go: delays beside a dead endpoint, how many a second, a start with many waiting.

A publisher, a Crossbar, a bridge with its store on the disk and an app are a process each. Delays
are those from a publication until the app has it. Linux alone (it reads /proc).

    python benchmarks/deliveries.py beside [--seconds 60] [--rate 400] [--dead refused|failing]
    python benchmarks/deliveries.py fast [--seconds 30] [--rate 2000]
    python benchmarks/deliveries.py start [--waiting 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from aiohttp import web

from wamp_bridge_server import logging
from wamp_bridge_server.backends.base import PublishOptions
from wamp_bridge_server.backends.wamp import WampBackend
from wamp_bridge_server.devrouter import CrossbarRouter
from wamp_bridge_server.store import EndpointRecord, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wamp_bridge_server.backends.base import Event, Invocation, Result

TICKS = os.sysconf("SC_CLK_TCK")
TOPIC = "com.live"
WARM_SECONDS = 3.0

CONFIG = """
listen = "127.0.0.1:0"
[router]
url = "{router}"
[store]
url = "sqlite:///{store}"
[apps.shop]
tokens = ["sha256:{token}"]
secrets = ["env:BENCHMARK_SECRET"]
callbacks = ["127.0.0.1:*"]
"""
SECRET = "whsec_" + "A" * 43 + "="
BODY = {"type": "event", "topic": "com.dead", "publication": 1, "args": ["x" * 200], "kwargs": {}}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["beside", "fast", "start", "app", "publisher"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--dead", choices=["refused", "failing"], default="refused")
    parser.add_argument("--waiting", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--answer-seconds", type=float, default=0)
    parser.add_argument("--router")
    options = parser.parse_args()
    if options.what == "app":
        uvloop.run(serve(options.port, options.answer_seconds))
    elif options.what == "publisher":
        uvloop.run(publish(options.router, options.rate, options.seconds))
    elif options.what == "start":
        measure_start(options.waiting or 1_000_000)
    else:
        with running_router() as router:
            if options.what == "beside":
                measure_beside(router, options)
            else:
                measure_fast(router, options)


def measure_beside(router: str, options: argparse.Namespace) -> None:
    """Compare the delays of a live endpoint beside a dead one with those alone."""
    rate = options.rate or 400
    table: dict[str, list[dict[str, float]]] = {"alone": [], "beside": []}
    for _ in range(options.rounds):
        for case, found in table.items():
            waiting = options.waiting or 100_000
            dead = (options.dead, waiting) if case == "beside" else None
            found.append(measure(router, rate, options.seconds, 0.02, {}, dead))
            print(case, show(found[-1]), flush=True)
    p99 = {case: min(each["p99"] for each in found) for case, found in table.items()}
    print(f"p99 beside / alone: {p99['beside'] / p99['alone']:.2f}")


def measure_fast(router: str, options: argparse.Namespace) -> None:
    """Measure one subscription at a high rate into an asyncio app."""
    found = measure(router, options.rate or 2000, options.seconds, 0, {"concurrency": 64}, None)
    print(show(found))


def measure(
    router: str,
    rate: int,
    seconds: float,
    answer_seconds: float,
    endpoint: dict[str, Any],
    dead: tuple[str, int] | None,
) -> dict[str, float]:
    """Run publisher, bridge and app for a while; what the app found."""
    with (
        tempfile.TemporaryDirectory() as name,
        running("app", "--answer-seconds", str(answer_seconds)) as app,
    ):
        folder, url = Path(name), said(app)
        nowhere = f"http://127.0.0.1:{closed_port()}/"
        dead_url = nowhere if dead is None or dead[0] == "refused" else f"{url}fail"
        endpoints = [record("live", TOPIC, f"{url}live", endpoint)]
        if dead is not None:
            endpoints.append(record("dead", "com.dead", dead_url, {}))
        fill(folder / "bridge.db", endpoints, dead[1] if dead is not None else 0)
        with running_bridge(folder, router) as (bridge, _):
            before = cpu_seconds(bridge.pid)
            arguments = ("--router", router, "--rate", str(rate), "--seconds", str(seconds))
            with running("publisher", *arguments) as publisher:
                published = int(said(publisher))
            found: dict[str, float] = json.loads(asked(url, "report"))
            spent = cpu_seconds(bridge.pid) - before
        return {
            **found,
            "published": published,
            "cpu_us": spent / max(published, 1) * 1e6,
        }


def measure_start(waiting: int) -> None:
    """Measure a start with so many waiting: how long it takes, and how much memory."""
    with tempfile.TemporaryDirectory() as name, running("app") as app:
        folder, url = Path(name), said(app)
        fill(folder / "bridge.db", [record("dead", "com.dead", f"{url}live", {})], waiting)
        began = time.time()
        with running_bridge(folder, "memory:") as (bridge, serving):
            while (found := json.loads(asked(url, "report")))["arrived"] == 0:
                time.sleep(0.01)
            time.sleep(5)
            rate = json.loads(asked(url, "report"))["arrived"] / 5
            peak = memory(bridge.pid)
        print(f"{waiting} waiting: serves after {serving - began:.2f} s, ", end="")
        print(f"first delivery after {found['first_at'] - began:.2f} s, ", end="")
        print(f"{peak:.0f} MB at most, then {rate:.0f} deliveries a second")


def show(found: dict[str, float]) -> str:
    """Show what was found, on a line."""
    delays = ", ".join(f"{name} {found[name] * 1000:.1f} ms" for name in ("p50", "p99", "most"))
    return (
        f"{found['arrived']:.0f} of {found['published']:.0f} arrived, delays: {delays}; "
        f"{found['cpu_us']:.0f} µs of the bridge's CPU each"
    )


async def serve(port: int, answer_seconds: float) -> None:
    """Be the app: take events, note how long they took, and report."""
    delays: list[float] = []
    state = {"first_at": 0.0, "arrived": 0.0}

    async def live(request: web.Request) -> web.Response:
        event = json.loads(await request.read())
        now = time.time()
        state["first_at"] = state["first_at"] or now
        state["arrived"] += 1
        if isinstance(event["args"][0], float):
            delays.append(now - event["args"][0])
        if answer_seconds:
            await asyncio.sleep(answer_seconds)
        return web.Response(status=204)

    async def fail(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=500)

    async def report(_request: web.Request) -> web.Response:
        ordered = sorted(delays) or [0.0]
        found = {"p50": 0.5, "p99": 0.99, "most": 1.0}
        at = {name: ordered[int(part * (len(ordered) - 1))] for name, part in found.items()}
        return web.json_response({**state, **at})

    application = web.Application()
    application.router.add_post("/live", live)
    application.router.add_post("/fail", fail)
    application.router.add_get("/report", report)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


class Nobody:
    """A listener for who only publishes."""

    def joined(self, app: str) -> None:
        """Do nothing."""

    def left(self, app: str, reason: str) -> None:
        """Do nothing."""

    async def invoked(self, app: str, invocation: Invocation) -> Result:
        """Serve nothing."""
        raise NotImplementedError

    def received(self, app: str, event: Event) -> None:
        """Take nothing."""


async def publish(router: str, rate: int, seconds: float) -> None:
    """Publish so many events a second, evenly, after a little to warm up."""
    logging.configure(sys.stderr, json=False, level="warning")
    backend = WampBackend(router)
    await backend.start(Nobody())
    session = backend.session("publisher")
    await session.attempted()
    options = PublishOptions(acknowledge=False)
    for warming, length in ((True, WARM_SECONDS), (False, seconds)):
        began, number = time.monotonic(), 0
        while number < rate * length:
            due = int((time.monotonic() - began) * rate) + 1
            while number < min(due, rate * length):
                args = ["warm" if warming else time.time(), "x" * 200]
                await session.publish(TOPIC, args, {}, options)
                number += 1
            await asyncio.sleep(0.001)
    await asyncio.sleep(2)
    await backend.close()
    print(number, flush=True)
    await asyncio.Event().wait()


def record(name: str, uri: str, url: str, options: dict[str, Any]) -> EndpointRecord:
    """Make an endpoint."""
    return EndpointRecord(
        id=f"sub_{name}",
        app="shop",
        kind="topic",
        uri=uri,
        match="exact",
        url=url,
        options=options,
        created_at=1.0,
    )


def fill(path: Path, endpoints: list[EndpointRecord], waiting: int) -> None:
    """Make a store with endpoints, and so many deliveries that wait for the one called dead."""

    async def make() -> None:
        store = await Store.open(f"sqlite:///{path}")
        await store.apply(put=endpoints)
        await store.close()

    asyncio.run(make())
    body, now = json.dumps(BODY).encode(), time.time()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO deliveries "
            "(id, app, lane, type, uri, match, size, created_at, due_at, attempts, body) "
            "VALUES (?, 'shop', 'sub_dead', 'event', 'com.dead', 'exact', ?, ?, ?, 0, ?)",
            ((f"msg_{number:026}", len(body), now, now, body) for number in range(waiting)),
        )


@contextlib.contextmanager
def running_router() -> Iterator[str]:
    """Run a Crossbar."""
    router = CrossbarRouter()
    router.start()
    try:
        yield router.url
    finally:
        router.stop()


@contextlib.contextmanager
def running_bridge(folder: Path, router: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """Run a bridge; since when it serves, in Unix seconds."""
    config = folder / "bridge.toml"
    config.write_text(
        CONFIG.format(router=router, store=folder / "bridge.db", token="0" * 64), encoding="utf-8"
    )
    command = [sys.executable, "-m", "wamp_bridge_server", "--log-format", "json"]
    environ = {**os.environ, "BENCHMARK_SECRET": SECRET}
    log = folder / "log"
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*command, "serve", "--config", str(config)], stderr=file, env=environ, text=True
        )
        try:
            while '"serving"' not in log.read_text(encoding="utf-8"):
                time.sleep(0.01)
            yield process, time.time()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextlib.contextmanager
def running(what: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run another part of this."""
    process = subprocess.Popen(
        [sys.executable, __file__, what, *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    """Wait for a line of a process."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    return process.stdout.readline().strip()


def asked(url: str, path: str) -> str:
    """Ask the app."""
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /{path} HTTP/1.0\r\nhost: {host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.partition(b"\r\n\r\n")[2].decode()


def closed_port() -> int:
    """Find a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def cpu_seconds(process: int) -> float:
    """Read how much CPU a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(process: int) -> float:
    """Read how much memory a process had at most, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
