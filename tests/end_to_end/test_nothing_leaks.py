"""Whatever is asked, and however wrong: no token, secret or signature is written anywhere.

A real bridge logs all that it can; then its log, its database and the bodies of its errors are
searched for everything that proved, or claimed, who somebody is.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import signal
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.processes import Child, free_port
from support.raw import ask_raw
from support.servers import callback_server
from support.signing import crossbar_query, parameters, sign
from support.waiting import eventually
from wamp_bridge.core import generate_secret
from wamp_bridge_server.config import hash_token
from wamp_bridge_server.config.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from support.router import CrossbarRouter
    from support.servers import CallbackServer

CONFIG = """\
listen = "127.0.0.1:{port}"
router.url = "{router}"
store.url = "sqlite:///bridge.db"
[apps.shop]
tokens = ["sha256:{token}", {{ token = "sha256:{expired}", expires = 2020-01-01T00:00:00Z }}]
secrets = ["env:NEW_SECRET", "file:old-secret"]
callbacks = ["127.0.0.1:*"]
crossbar = {{ key = "shop", secret = "env:CROSSBAR_SECRET" }}
[apps.bank]
tokens = ["sha256:{bank}"]
allow = {{ call = [] }}
callbacks = ["127.0.0.1:*"]
router_auth = {{ method = "ticket", authid = "bank", secret = "env:TICKET" }}
"""


class Watched:
    """A bridge, and everything that must not be found."""

    def __init__(self, folder: Path, router: str) -> None:
        self.folder = folder
        self.tokens = {name: make_token() for name in ("shop", "expired", "bank", "wrong")}
        self.secrets = {name: generate_secret() for name in ("new", "old", "wrong")}
        self.crossbar, self.ticket = secrets.token_hex(16), secrets.token_hex(16)
        self.signatures: list[str] = []
        self.errors: list[bytes] = []
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.text = CONFIG.format(
            port=self.port,
            router=router,
            token=hash_token(self.tokens["shop"]),
            expired=hash_token(self.tokens["expired"]),
            bank=hash_token(self.tokens["bank"]),
        )
        self.path = folder / "bridge.toml"
        self.path.write_text(self.text)
        (folder / "old-secret").write_text(self.secrets["old"])
        command = [sys.executable, "-m", "wamp_bridge_server", "--log-level", "debug"]
        environ = {
            "NEW_SECRET": self.secrets["new"],
            "CROSSBAR_SECRET": self.crossbar,
            "TICKET": self.ticket,
        }
        self.child = Child(
            *command, "serve", "--config", str(self.path), environ=environ, folder=folder
        )

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: Any = (), *, status: int
    ) -> Any:
        """Ask; what is refused is kept, and every signature that was shown."""
        given = list(headers)
        if "host" not in dict(given):
            given.insert(0, ("host", self.host))
        for name, value in given:
            if name == "signature":
                self.signatures += re.findall(r":([^:]+):", value)
        self.signatures += parse_qs(target.partition("?")[2]).get("signature", [])
        answer = await ask_raw(f"http://{self.host}", method, target, given, body)
        assert answer.status == status, answer.body
        if answer.status >= 400:
            self.errors.append(answer.body + str(answer.headers).encode())
        return answer.document if answer.body else None

    async def post(self, target: str, document: Any, who: str = "shop", *, status: int) -> Any:
        """Post as the owner of a token, in the header."""
        headers = [("authorization", f"Bearer {self.tokens[who]}")]
        return await self.ask("POST", target, json.dumps(document).encode(), headers, status=status)

    def needles(self, app: CallbackServer) -> set[str]:
        """All that must not be found, in each way to write it."""
        posted = [p.headers for p in app.posted]
        sent = {
            signature.removeprefix("v1,")
            for headers in posted
            for signature in headers.get("webhook-signature", "").split()
        }
        bare = {secret.removeprefix("whsec_") for secret in self.secrets.values()}
        keys = [base64.b64decode(secret) for secret in bare]
        return {
            *self.tokens.values(),
            *bare,
            *(key.hex() for key in keys),
            *(base64.urlsafe_b64encode(key).decode() for key in keys),
            self.crossbar,
            self.ticket,
            *self.signatures,
            *sent,
        }


@pytest.fixture
def watched(tmp_path: Path, router: CrossbarRouter) -> Iterator[Watched]:
    made = Watched(tmp_path, router.url)
    with made.child:
        made.child.line_with('"serving"')
        yield made


@pytest.fixture
async def app() -> AsyncIterator[CallbackServer]:
    async with callback_server() as server:
        yield server


async def by_token(watched: Watched, app: CallbackServer, name: str) -> None:
    body = {"endpoints": {name: app.url}}
    for token, status in (("shop", 200), ("wrong", 401), ("expired", 401)):
        await watched.post("/register/", body, token, status=status)
        inside = json.dumps({**body, "token": watched.tokens[token]}).encode()
        await watched.ask("POST", "/subscribe/", inside, status=status)
        shown = watched.tokens[token]
        # In all the places where it doesn't belong, and in what is no JSON or no request.
        for odd in (
            {"token": shown, "endpoints": 5},
            {"token": shown, "endpoint": {}},
            {"token": [shown]},
            {"token": shown[:-1], **body},
        ):
            known = status == 200 and odd["token"] == shown
            text = json.dumps(odd).encode()
            await watched.ask("POST", "/register/", text, status=400 if known else 401)
        for broken in (f'{{"token": "{shown}", ', f'{{"token": "{shown}\x01"}}', f'"{shown}"'):
            status_of_broken = 401 if broken.endswith('"') else 400
            await watched.ask("POST", "/register/", broken.encode(), status=status_of_broken)
        for value in (f"Basic {shown}", shown, f"Bearer {shown} x"):
            await watched.ask("GET", "/sources/", headers=[("authorization", value)], status=401)
        await watched.ask("GET", f"/sources/?token={shown}", status=401)
        for odd_header in (f"Bearer {shown}\x7f", f"Bearer {shown}\x00"):  # no HTTP
            await watched.ask("GET", "/", headers=[("authorization", odd_header)], status=400)
        await watched.ask(f"GET {shown}", "/", status=400)
    await watched.post("/call/com.any/", {"args": []}, "bank", status=403)
    await watched.post("/publish/com.any/", {"args": []}, "bank", status=503)


async def by_signature(watched: Watched, name: str) -> None:
    body = json.dumps({"args": [1]}).encode()
    host, target = watched.host, f"/publish/{name}/"
    for secret, status in (("new", 200), ("old", 200), ("wrong", 401)):
        good = sign(watched.secrets[secret], "POST", host, target, body)
        await watched.ask("POST", target, body, good, status=status)
        await watched.ask("POST", target, body, good, status=401)  # again
        fresh = sign(watched.secrets[secret], "POST", host, target, body)
        await watched.ask("POST", target, body + b" ", fresh, status=401)
        await watched.ask("POST", "/publish/com.other/", body, fresh, status=401)
        written = parameters(keyid=f'"{watched.secrets[secret]}"')
        odd = sign(watched.secrets[secret], "POST", host, target, body, written=written)
        await watched.ask("POST", target, body, odd, status=401)
        twice = [*fresh, ("signature", fresh[-1][1])]
        await watched.ask("POST", target, body, twice, status=401)


async def by_crossbars_query(watched: Watched, name: str) -> None:
    body = json.dumps({"topic": name, "args": [1]}).encode()
    for key, secret, status in (
        ("shop", watched.crossbar, 200),
        ("shop", watched.secrets["wrong"], 401),
        (watched.secrets["wrong"], watched.crossbar, 401),
    ):
        query = crossbar_query(key, secret, body)
        headers = [("content-type", "application/json")]
        await watched.ask("POST", f"/publish{query}", body, headers, status=status)
        await watched.ask("POST", f"/publish{query}", body, headers, status=401)
    odd = crossbar_query("shop", watched.crossbar, body, timestamp=watched.tokens["shop"])
    await watched.ask("POST", f"/publish{odd}", body, headers, status=400)


async def by_signed_url(watched: Watched, name: str) -> None:
    target = f"/events/{name}/url/"
    told = await watched.post(target, {}, status=200)
    parts = urlsplit(told["url"])
    good = f"{parts.path}?{parts.query}"
    await watched.ask("HEAD", good, status=200)
    await watched.ask("GET", f"{good}x", status=401)
    await watched.ask("GET", good.replace(name, "com.other"), status=401)
    await watched.ask("GET", f"{good}&match=some", status=401)
    await watched.ask("POST", f"/publish/{name}/?{parts.query}", b"{}", status=401)
    await watched.ask("GET", f"/?{parts.query}", status=404)
    await watched.ask("GET", good, headers=[("wamp-bridge-protocol", "9")], status=400)


async def callbacks(watched: Watched, app: CallbackServer, name: str) -> None:
    await watched.post(f"/call/{name}/", {"args": [1]}, status=200)
    await watched.post(f"/call/{name}/", {"args": [1], "callback": app.url}, status=202)
    # One that nobody takes, and a source that has no manifest.
    nobody = f"http://127.0.0.1:{free_port()}/"
    await watched.post("/subscribe/", {"endpoints": {name: nobody}}, status=200)
    await watched.post(f"/publish/{name}/", {"args": [2]}, status=200)
    await watched.post("/announce/", {"url": app.url, "wait": True}, status=502)
    await eventually(lambda: {"event", "result", "invocation"} <= types(app))


def types(app: CallbackServer) -> set[str]:
    return {posted.document["type"] for posted in app.posted}


async def reloads(watched: Watched) -> None:
    """With every secret where it doesn't belong."""
    shop = f'"sha256:{hash_token(watched.tokens["shop"])}"'
    for count, wrong in enumerate(
        (
            watched.text.replace("env:NEW_SECRET", watched.secrets["new"]),
            watched.text.replace("env:CROSSBAR_SECRET", f"env:{watched.secrets['wrong']}"),
            watched.text.replace(shop, f'"{watched.tokens["shop"]}"'),
        ),
        start=1,
    ):
        assert wrong != watched.text
        watched.path.write_text(wrong)
        await refused(watched, count)
    (watched.folder / "old-secret").write_text(watched.secrets["old"][:-3])
    watched.path.write_text(watched.text)
    await refused(watched, 4)
    (watched.folder / "old-secret").unlink()


async def refused(watched: Watched, times: int) -> None:
    name = "configuration not taken, nothing is changed"
    await eventually(lambda: watched.child.output.count(name) >= times, within=20)


async def test_no_token_secret_or_signature_is_written_anywhere(
    watched: Watched, app: CallbackServer, namespace: str
) -> None:
    await by_token(watched, app, namespace)
    await by_signature(watched, namespace)
    await by_crossbars_query(watched, namespace)
    await by_signed_url(watched, namespace)
    await callbacks(watched, app, namespace)
    await reloads(watched)
    # What is on the disk while it runs, and what stays when it has ended.
    written = {p.name: p.read_bytes() for p in watched.folder.iterdir() if "bridge.db" in p.name}
    assert watched.child.stop(signal.SIGTERM) == 0
    written |= {f"{p.name} at the end": p.read_bytes() for p in watched.folder.glob("bridge.db*")}
    written["log"] = watched.child.output.encode()
    written["errors"] = b"\n".join(watched.errors)

    assert namespace.encode() in b"".join(written.values())  # something is there to be found
    assert b"401" in written["log"]
    needles = watched.needles(app)
    assert len(watched.signatures) > 20
    assert len(needles) > 40
    found = [
        (where, needle)
        for where, content in written.items()
        for needle in needles
        if needle.encode() in content
    ]
    assert found == []
