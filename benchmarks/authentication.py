"""What it costs the bridge to find out who asks: µs of CPU a request, for each way to say it.

Runs a bridge in a process of its own and publishes to it over twenty connections, each time the
same event to the same path; only the authentication differs. Linux alone (it reads /proc).

    python benchmarks/authentication.py [REQUESTS]
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from wamp_bridge.core import RequestSigner, generate_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONNECTIONS = 20
ROUNDS = 3
BODY = b'{"topic": "com.shop.sold", "args": ["book"]}'
TOKEN, SECRET, CROSSBAR = secrets.token_urlsafe(32), generate_secret(), "foobar"
WITH_TOKEN = BODY[:-1] + f', "token": "{TOKEN}"}}'.encode()
TICKS = os.sysconf("SC_CLK_TCK")

CONFIG = f"""
listen = "127.0.0.1:%d"
[router]
url = "memory:"
[store]
url = "sqlite:///%s"
[apps.shop]
tokens = ["sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"]
secrets = ["env:BENCHMARK_SECRET"]
crossbar = {{ key = "shop", secret = "env:BENCHMARK_CROSSBAR" }}
[apps.open]
tokens = ["sha256:{"0" * 64}"]
anonymous = true
"""


def main() -> None:
    """Run all of it and print a table."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    with running_bridge() as (process, port):
        ways = ways_of(f"127.0.0.1:{port}")
        for make in ways.values():  # warm it up
            asyncio.run(ask_all(port, [make() for _ in range(200)]))
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            for way, make in ways.items():
                asked = [make() for _ in range(requests)]
                before = cpu_seconds(process.pid)
                asyncio.run(ask_all(port, asked))
                spent = (cpu_seconds(process.pid) - before) / requests * 1e6
                best[way] = min(spent, best.get(way, spent))
    base = best["nothing (anonymous)"]
    print(f"{'way':<42}{'µs of CPU':>10}{'more':>8}")
    for way, spent in best.items():
        print(f"{way:<42}{spent:>10.0f}{spent - base:>8.0f}")


def ways_of(host: str) -> dict[str, Callable[[], bytes]]:
    """The ways to say who asks: each makes a request, always another one."""
    signer = RequestSigner("shop", [SECRET])
    kind = "application/json"

    def signed() -> bytes:
        headers = signer.sign("POST", host, "/publish", content_type=kind, body=BODY)
        return request(host, "/publish", BODY, headers)

    def crossbar() -> bytes:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        query = {"key": "shop", "timestamp": now, "seq": "1", "nonce": str(secrets.randbits(53))}
        octets = "".join(query.values()).encode() + BODY
        mac = hmac.new(CROSSBAR.encode(), octets, hashlib.sha256).digest()
        query["signature"] = base64.urlsafe_b64encode(mac).decode()
        return request(host, f"/publish?{urlencode(query)}", BODY, {})

    return {
        "nothing (anonymous)": lambda: request(host, "/publish", BODY, {}),
        "token in the header": lambda: request(
            host, "/publish", BODY, {"authorization": f"Bearer {TOKEN}"}
        ),
        "token in the body": lambda: request(host, "/publish", WITH_TOKEN, {}),
        "HTTP Message Signature, nonce spent": signed,
        "Crossbar's signed query, nonce spent": crossbar,
    }


def request(host: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request as it goes over the wire."""
    lines = [
        f"POST {target} HTTP/1.1",
        f"host: {host}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def ask_all(port: int, asked: list[bytes]) -> None:
    """Send all requests over so many connections, each after the answer to the one before."""
    async with asyncio.TaskGroup() as group:
        for start in range(CONNECTIONS):
            group.create_task(ask_in_turn(port, asked[start::CONNECTIONS]))


async def ask_in_turn(port: int, asked: list[bytes]) -> None:
    """Send requests over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for octets in asked:
        writer.write(octets)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()
    await writer.wait_closed()


@contextlib.contextmanager
def running_bridge() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A bridge in a process of its own, with a store on the disk."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        config = Path(folder) / "bridge.toml"
        config.write_text(CONFIG % (port, Path(folder) / "bridge.db"), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "wamp_bridge_server", "serve", "--config", str(config)],
            env={**os.environ, "BENCHMARK_SECRET": SECRET, "BENCHMARK_CROSSBAR": CROSSBAR},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port, process)
            yield process, port
        finally:
            process.terminate()
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until it takes connections."""
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit("the bridge ended while it started")


def cpu_seconds(pid: int) -> float:
    """What a process has spent so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
