"""`wamp-bridge serve` while its configuration changes."""

from __future__ import annotations

import base64
import os
import signal
import ssl
import threading
import urllib.error
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from support.certificates import write_certificate
from support.processes import free_port
from support.waiting import eventually_sync
from wamp_bridge_server.cli._watch import LOOK_SECONDS
from wamp_bridge_server.config import hash_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Ask, Program, Start

PATIENCE = 20.0  # what a busy machine may make of a second
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


def section(app: str, *tokens: str, more: str = "") -> str:
    listed = ", ".join(f'"sha256:{hash_token(token)}"' for token in tokens)
    return f"[apps.{app}]\ntokens = [{listed}]\n{more}\n"


class Served:
    """A bridge with its configuration, which can be rewritten."""

    def __init__(self, start: Start, ask: Ask, folder: Path) -> None:
        self.path = folder / "b.toml"
        self.port = free_port()
        self._ask = ask
        self.write(section("shop", "shop-token"))
        self.program: Program = start("serve", "--config", "b.toml", SECRET=SECRET)
        self.url: str = self.program.logged("serving")["url"]

    def write(self, apps: str, *, head: str = "") -> None:
        """Replace the file, as careful programs do."""
        text = f'listen = "127.0.0.1:{self.port}"\n{head}router.url = "memory:"\n{apps}'
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.replace(self.path)

    def status(self, token: str) -> int:
        """How a request with a token is answered."""
        try:
            self._ask(self.url, "registrations/", token=token)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        return HTTPStatus.OK

    def takes(self, token: str) -> Callable[[], bool]:
        return lambda: self.status(token) == HTTPStatus.OK

    def refuses(self, token: str) -> Callable[[], bool]:
        return lambda: self.status(token) == HTTPStatus.UNAUTHORIZED

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.program.logs() if line["event"] == name]

    def complaints(self, count: int) -> list[dict[str, Any]]:
        """What was said of a file that can't be used."""
        name = "configuration not taken, nothing is changed"
        eventually_sync(lambda: len(self.events(name)) >= count, within=PATIENCE)
        return self.events(name)


@pytest.fixture
def served(start: Start, ask: Ask, tmp_path: Path) -> Iterator[Served]:
    made = Served(start, ask, tmp_path)
    yield made
    assert made.program.end(signal.SIGTERM) == 0


def test_a_changed_file_is_taken_within_a_second(served: Served) -> None:
    # Seen to be changed, and seen to stand still; reading it takes no time to speak of.
    assert 2 * LOOK_SECONDS < 0.5
    served.write(section("shop", "shop-token", "new-token"))
    eventually_sync(served.takes("new-token"), within=PATIENCE)
    assert served.takes("shop-token")()
    served.write(section("shop", "new-token"))
    eventually_sync(served.refuses("shop-token"), within=PATIENCE)
    assert served.takes("new-token")()
    assert served.events("apps changed")[-1]["changed"] == ["shop"]


def test_apps_come_and_go(served: Served) -> None:
    served.write(section("shop", "shop-token") + section("bank", "bank-token"))
    eventually_sync(served.takes("bank-token"), within=PATIENCE)
    served.write(section("bank", "bank-token"))
    eventually_sync(served.refuses("shop-token"), within=PATIENCE)
    assert served.takes("bank-token")()


def test_sighup_takes_it_too(served: Served) -> None:
    served.program.process.send_signal(signal.SIGHUP)
    taken = served.program.logged("configuration taken")
    assert taken["apps"] == 1
    served.write(section("shop", "new-token"))
    served.program.process.send_signal(signal.SIGHUP)
    eventually_sync(served.takes("new-token"), within=PATIENCE)


def test_no_request_is_dropped(served: Served) -> None:
    """Hundreds of requests, while the file changes each time that it was taken."""
    stop = threading.Event()
    outcomes: list[int] = []

    def ask_on() -> None:
        while not stop.is_set():
            outcomes.append(served.status("shop-token"))

    askers = [threading.Thread(target=ask_on) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for number in range(4):
            served.write(section("shop", "shop-token", f"token-{number}"))
            eventually_sync(served.takes(f"token-{number}"), within=PATIENCE)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert set(outcomes) == {HTTPStatus.OK}
    assert len(outcomes) > 10


BROKEN = [
    ("[apps.shop", 3, "", "is no TOML"),
    ("[apps.shop]\ntokens = ['x']\n", 4, "apps.shop.tokens[0]", "must be sha256:"),
    ("[apps.shop]\ntokens = []\nalow = {}\n", 5, "apps.shop.alow", "did you mean allow?"),
    ("[apps.shop]\nsecrets = ['env:NONE']\n", 4, "apps.shop.secrets[0]", "is not set"),
    ("", None, "apps", "names no app"),
]


def test_a_broken_file_changes_nothing_and_says_the_line(served: Served) -> None:
    for count, (apps, line, key, problem) in enumerate(BROKEN, start=1):
        served.write(apps + section("new", "new-token") if line and key else apps)
        complaint = served.complaints(count)[-1]
        assert complaint["where"] == ("b.toml" if line is None else f"b.toml:{line}")
        assert complaint["key"] == key
        assert problem in complaint["problem"]
        assert complaint["level"] == "error"
        assert served.takes("shop-token")()
        assert served.refuses("new-token")()
    served.path.unlink()
    complaint = served.complaints(len(BROKEN) + 1)[-1]
    assert complaint["where"] == "b.toml"
    assert served.takes("shop-token")()
    os.mkfifo(served.path)
    complaint = served.complaints(len(BROKEN) + 2)[-1]
    assert complaint["problem"] == "is no file that can be read again"
    assert served.takes("shop-token")()
    # And a good one is taken after them.
    served.write(section("shop", "good-token"))
    eventually_sync(served.takes("good-token"), within=PATIENCE)
    assert len(served.complaints(1)) == len(BROKEN) + 2


def test_what_takes_another_start_is_said(served: Served) -> None:
    port = free_port()
    served.port, before = port, served.port
    served.write(section("shop", "new-token"), head='store.url = "sqlite:///other.db"\n')
    eventually_sync(served.takes("new-token"), within=PATIENCE)
    name = "takes another start, and is left as it was"
    eventually_sync(lambda: len(served.events(name)) == 2, within=PATIENCE)
    assert [(line["key"], line["level"]) for line in served.events(name)] == [
        ("listen", "warning"),
        ("store", "warning"),
    ]
    assert f":{before}/" in served.url
    assert not (served.path.parent / "other.db").exists()


def test_the_file_of_a_secret_is_watched_too(served: Served) -> None:
    folder = served.path.parent
    (folder / "secret").write_text(SECRET)
    served.write(section("shop", "shop-token", more='secrets = ["file:secret"]'))
    eventually_sync(lambda: len(served.events("apps changed")) == 1, within=PATIENCE)
    # As Kubernetes does it: the file is a link, and the link comes to name another.
    (folder / "rotated").write_text("whsec_" + base64.b64encode(b"r" * 32).decode())
    (folder / "link").symlink_to("rotated")
    (folder / "link").replace(folder / "secret")
    eventually_sync(lambda: len(served.events("apps changed")) == 2, within=PATIENCE)
    (folder / "rotated").write_text("whsec_oops")
    (complaint,) = served.complaints(1)
    assert complaint["key"] == "apps.shop.secrets[0]"
    assert "oops" not in "\n".join(served.program.err)


def test_nobody_is_let_in_unasked_by_a_change(start: Start, ask: Ask, tmp_path: Path) -> None:
    """The file that comes is good by itself; the listener that runs is another."""
    path, port = tmp_path / "b.toml", free_port()
    path.write_text(
        f'listen = "0.0.0.0:{port}"\nrouter.url = "memory:"\n' + section("shop", "shop-token")
    )
    program = start("serve", "--config", "b.toml")
    program.logged("serving")
    path.write_text(
        f'listen = "127.0.0.1:{port}"\nrouter.url = "memory:"\n'
        + section("shop", "shop-token", more="anonymous = true")
    )
    complaint = program.logged("configuration not taken, nothing is changed")
    assert complaint["where"] == "with what runs"
    assert complaint["key"] == "apps.shop.anonymous"
    assert ask(f"http://127.0.0.1:{port}/", "registrations/")
    assert program.end(signal.SIGTERM) == 0


def test_a_bad_certificate_changes_nothing(served: Served) -> None:
    folder = served.path.parent
    cert, key = write_certificate(folder)
    head = f"tls = {{ cert = '{cert.name}', key = '{key.name}' }}\n"
    served.write(section("shop", "new-token"), head=head)
    eventually_sync(served.takes("new-token"), within=PATIENCE)
    key.write_text("half of i")
    (complaint,) = served.complaints(1)
    assert (complaint["where"], complaint["key"]) == ("b.toml:2", "tls")
    assert served.takes("new-token")()


def test_a_certificate_is_taken_while_it_runs(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    cert, key = write_certificate(folder)
    path, port = tmp_path / "b.toml", free_port()
    path.write_text(
        f'listen = "127.0.0.1:{port}"\nrouter.url = "memory:"\n'
        f"tls = {{ cert = '{cert}', key = '{key}' }}\n" + section("shop", "shop-token")
    )
    program = start("serve", "--config", "b.toml")
    program.logged("serving")

    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", port))

    for name, told in (("second", False), ("third", True)):
        before = shown()
        new = tmp_path / name
        new.mkdir()
        for other, old in zip(write_certificate(new), (cert, key), strict=True):
            other.replace(old)  # one after the other, so that for a moment they don't match
        if told:
            program.process.send_signal(signal.SIGHUP)
        eventually_sync(lambda: shown() == cert.read_text(), within=PATIENCE)
        assert before != shown()
    assert program.end(signal.SIGTERM) == 0
