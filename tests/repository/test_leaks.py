"""What every test is searched for is found where it is."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from repository.lot import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PLANTED = """
import base64
import logging
import sys

import pytest
import structlog
from aiohttp import web

from support.clients import plain_http
from support.leaks import leaks_in
from support.processes import Child
from support.raw import ask_raw
from support.servers import callback_server
from wamp_bridge.core import WebhookSigner
from wamp_bridge_server.config.tokens import make_token

SECRET = "whsec_" + base64.b64encode(bytes(range(5, 37))).decode()
SIGNED = WebhookSigner([SECRET]).sign("msg_1", 1, b"{}")["webhook-signature"]


def test_that_logs():
    structlog.get_logger().info("asked", headers={"Authorization": "Bearer token-of-shop"})


def test_that_logs_otherwise():
    logging.getLogger("wamp_bridge").warning("not %s", SIGNED)


def test_of_a_store(tmp_path):
    (tmp_path / "bridge.db").write_bytes(b"\\x01" + SECRET.encode() + b"\\x02")


def test_of_a_program(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bridge.db-wal").write_text(make_token())
    with Child(sys.executable, "-c", f"print({make_token()!r})", folder=tmp_path) as child:
        child.wait()


@pytest.fixture
async def app():
    async with callback_server() as app:
        app.answering = lambda _: web.Response(status=401, text=f"not {SECRET[6:]}")
        yield app


async def test_that_asks(app):
    async with plain_http(app.url) as http:
        await http.get("/")


async def test_that_asks_octet_by_octet(app):
    await ask_raw(app.url, "GET", "/", [("host", "x")])


async def test_that_says_it_on_purpose(tmp_path):
    with Child("echo", f"export WAMP_BRIDGE_SECRET={SECRET}", folder=tmp_path) as child:
        child.wait()


def test_of_a_signed_url():
    structlog.get_logger().info("asked", path="/events/com.a/?signature=wbu_AbCdEfGhIj")


def test_of_another_store(tmp_path):
    unpadded = SIGNED.removeprefix("v1,").rstrip("=").replace("+", "-").replace("/", "_")
    (tmp_path / "other.db").write_text("crossbar " + unpadded + chr(2))


def test_that_is_innocent(tmp_path):
    columns = "reg_01m85ks98ty7xhe8r7kgnzcg9k" "shop" "procedure" "=*"
    (tmp_path / "bridge.db").write_text("com.shop.token sha256:" + 64 * "0" + " " + columns)
    structlog.get_logger().info("asked", request_id="req_01m84ybftk7xgdtw8b16yapq2")
"""


def test_whatever_leaks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_planted.py"
    path.write_text(PLANTED)
    options = ("-q", "-p", "support.leaks", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto")
    command = [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(path)]
    environ = {"PYTHONPATH": str(ROOT / "tests"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    errors = [line for line in done.stdout.splitlines() if line.startswith("ERROR ")]
    assert {line.split("::")[1].split()[0] for line in errors} == {
        "test_that_logs",
        "test_that_logs_otherwise",
        "test_of_a_store",
        "test_of_another_store",
        "test_of_a_signed_url",
        "test_of_a_program",
        "test_that_asks",
        "test_that_asks_octet_by_octet",
    }, done.stdout + done.stderr
    databases = "bridge.db ", "bridge.db-wal"
    for said in ("what a program wrote", *databases, "an error", "stdout call", "log call"):
        assert said in done.stdout, done.stdout
