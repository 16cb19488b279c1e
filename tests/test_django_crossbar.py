"""Django's users join a real Crossbar that asks Django, as docs/django-users.md has it.

The files are those of the page, save ports and the bridge's token.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from repository.lot import ROOT
from repository.pages import Block, blocks
from support.bridges import SECRET, token_of
from support.django_servers import start_project
from support.peers import ApplicationError, joined
from support.processes import Child, free_port
from support.waiting import eventually_sync
from wamp_bridge.core import Bridge, BridgeError, Settings
from wamp_bridge_server.devrouter import crossbar_executable
from wamp_bridge_server.devrouter.handshake import router_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.peers import Peer

PAGE = ROOT / "docs" / "django-users.md"
TOKEN_OF_PAGE = "7fbcdca9a6d9350278b3eeec100328797a2f99dd2646699dfb32870eda022830"
TICKET = "the ticket of the bridge"
PORTS = (8000, 8080, 8081, 8181)
NOT_AUTHORIZED = "wamp.error.not_authorized"

# Ann may change prices, Bob may not; what is printed is a session of Ann's with Django.
PEOPLE = """
from django.contrib.auth.models import Permission, User
from django.test import Client
from shop.models import Fruit
Fruit.objects.create(name="apple", price=0.5)
ann = User.objects.create_user("ann", password="wonderland", first_name="Ann")
ann.user_permissions.add(Permission.objects.get(codename="change_fruit"))
User.objects.create_user("bob", password="builder")
client = Client()
client.force_login(ann)
print("session", client.cookies["sessionid"].value)
"""


@dataclass(frozen=True)
class Site:
    """A project and a router that asks it; `session` is Ann's cookie."""

    folder: Path
    url: str
    router: str
    session: str

    def manage(self, script: str) -> str:
        """Run a script in the project; what it prints."""
        return manage(self.folder, "shell", "--verbosity", "0", "-c", script)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    ports = {number: free_port() for number in PORTS}
    write_project(folder, ports)
    manage(folder, "makemigrations", "shop")
    manage(folder, "migrate")
    session = manage(folder, "shell", "--verbosity", "0", "-c", PEOPLE).split()[-1]
    environ = {
        "BRIDGE_TICKET": TICKET,
        "SHOP_SECRET": SECRET,
        "WAMP_BRIDGE_URL": f"http://127.0.0.1:{ports[8181]}/",
        "WAMP_BRIDGE_TOKEN": token_of("shop"),
        "WAMP_BRIDGE_SECRET": SECRET,
    }
    crossbar = [str(crossbar_executable()), "start", "--loglevel", "warn"]
    bridge = [sys.executable, "-m", "wamp_bridge_server", "serve", "--config", "bridge.toml"]
    bind = f"127.0.0.1:{ports[8000]}"
    gunicorn = [sys.executable, "-m", "gunicorn", "-w", "2", "-b", bind, "mysite.wsgi"]
    with ExitStack() as stack:
        programs = [stack.enter_context(Child(*crossbar, folder=folder))]
        wait_for(programs, lambda: router_answers("127.0.0.1", ports[8081], "realm1"))
        programs += [
            stack.enter_context(Child(*command, environ=environ, folder=folder))
            for command in (bridge, gunicorn)
        ]
        settings = Settings(url=environ["WAMP_BRIDGE_URL"], token=token_of("shop"))
        with Bridge(settings) as asking:
            wait_for(programs, lambda: is_held(asking))
        url = f"http://127.0.0.1:{ports[8000]}/"
        yield Site(folder, url, f"ws://127.0.0.1:{ports[8080]}/", session)


def write_project(folder: Path, ports: dict[int, int]) -> None:
    start_project(folder)
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    models = [block for block in blocks(PAGE.with_name("django.md")) if "models" in block.caption]
    for block in [*models, *blocks(PAGE)]:
        if "." in block.caption:
            write(folder / block.caption, block, ports)


def write(path: Path, block: Block, ports: dict[int, int]) -> None:
    path.parent.mkdir(exist_ok=True)
    text = block.text.replace(TOKEN_OF_PAGE, hashlib.sha256(token_of("shop").encode()).hexdigest())
    for number, port in ports.items():
        text = text.replace(f":{number}", f":{port}").replace(f" {number}", f" {port}")
    with path.open("a" if block.adds else "w") as file:
        file.write(text)


def manage(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(programs: list[Child], condition: Callable[[], bool]) -> None:
    """Wait until something is true, but not beyond the end of a program that it takes."""

    def met() -> bool:
        assert all(each.running for each in programs)  # what one has said is told with the error
        return condition()

    eventually_sync(met, within=60)


def is_held(bridge: Bridge) -> bool:
    try:
        states = [entry.state for entry in bridge.registrations()]
    except BridgeError:
        return False
    return bool(states) and set(states) == {"live"}


async def refused(peer: Peer, procedure: str, *args: Any) -> str:
    """Call what is refused; the error's URI."""
    with pytest.raises(ApplicationError) as caught:
        await peer.call(procedure, *args)
    uri: str = caught.value.error
    return uri


async def test_a_user_joins_with_a_password_and_calls_with_the_user_s_permissions(
    site: Site,
) -> None:
    async with (
        joined(site.router, authid="ann", ticket="wonderland") as ann,
        joined(site.router, authid="bob", ticket="builder") as bob,
    ):
        assert ann.session._authrole == "user"
        changes = await bob.subscribe("com.shop.price_changed")
        assert await ann.call("com.shop.me") == "Ann"
        assert await bob.call("com.shop.price", "apple") == 0.5
        await ann.call("com.shop.set_price", "apple", 0.5)
        assert (await changes.get()).kwargs == {"fruit": "apple", "by": "ann"}
        # the router lets Bob call it, and the handler knows who he is
        assert await refused(bob, "com.shop.set_price", "apple", 0.1) == NOT_AUTHORIZED
        assert await bob.call("com.shop.price", "apple") == 0.5


async def test_the_router_allows_what_the_project_says(site: Site) -> None:
    async with joined(site.router, authid="ann", ticket="wonderland") as ann:
        assert await refused(ann, "com.bank.pay") == NOT_AUTHORIZED
        for attempt in (
            ann.publish("com.shop.price_changed"),
            ann.subscribe("com.shop.secrets"),
            ann.register("com.shop.mine", print),
        ):
            with pytest.raises(ApplicationError) as caught:
                await attempt
            assert caught.value.error == NOT_AUTHORIZED


async def test_a_page_joins_with_the_session_of_its_user(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as browser:
        stranger = await browser.get("/ticket/")
        assert stranger.status_code == 302
        browser.cookies.set("sessionid", site.session)
        login = (await browser.get("/ticket/")).json()
    async with joined(site.router, authid=login["authid"], ticket=login["ticket"]) as page:
        assert await page.call("com.shop.me") == "Ann"
        await page.call("com.shop.set_price", "apple", 0.5)


@pytest.mark.parametrize(
    "login",
    [
        {"authid": "ann", "ticket": "builder"},
        {"authid": "eve", "ticket": "wonderland"},
        {"authid": "bridge", "ticket": TICKET},
        {"authid": "ann", "ticket": "wamp-ticket:x:y:z"},
    ],
)
async def test_who_is_wrong_does_not_join(site: Site, login: dict[str, str]) -> None:
    with pytest.raises(ConnectionError, match=r"wamp\.error\.authentication_failed"):
        async with joined(site.router, **login):
            """Never here."""


async def test_nobody_joins_without_a_ticket(site: Site) -> None:
    with pytest.raises(ConnectionError):
        async with joined(site.router):
            """Never here."""


async def test_nobody_who_has_joined_can_ask_as_the_router_does(site: Site) -> None:
    guess = ["realm1", "bob", {"ticket": "builder"}]
    async with joined(site.router, authid="ann", ticket="wonderland") as ann:
        assert await refused(ann, "com.shop.authenticate", *guess) == NOT_AUTHORIZED
        session = {"authid": "bob", "authrole": "user"}
        asked = [session, "com.shop.price", "call", {}]
        assert await refused(ann, "com.shop.authorize", *asked) == NOT_AUTHORIZED


async def test_who_is_deactivated_is_refused_at_once(site: Site) -> None:
    site.manage(
        "from django.contrib.auth.models import User\n"
        "User.objects.create_user('cid', password='campeador')"
    )
    async with joined(site.router, authid="cid", ticket="campeador") as cid:
        assert await cid.call("com.shop.me") == ""
        site.manage(
            "from django.contrib.auth.models import User\n"
            "User.objects.filter(username='cid').update(is_active=False)"
        )
        assert await refused(cid, "com.shop.me") == NOT_AUTHORIZED


def test_a_program_joins_as_the_page_shows(site: Site) -> None:
    shown = list(blocks(PAGE))[-1].text.splitlines()
    program = [sys.executable, "cashier.py"]
    with Child(*program, environ={"ANN_PASSWORD": "wonderland"}, folder=site.folder) as child:
        child.line_with(shown[-1])
    assert child.lines == shown
    site.manage("from shop.models import Fruit\nFruit.objects.update(price=0.5)")
