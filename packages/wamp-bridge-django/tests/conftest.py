"""A Django project, and a bridge that reaches it through Django's test clients."""

from __future__ import annotations

import tempfile
import types
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from wamp_bridge.core import Request, Response, generate_secret
from wamp_bridge.core.testing import SignedBridge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Django has one set of settings a process, which must be there before models are imported.
_FOLDER = tempfile.TemporaryDirectory(prefix="wamp-bridge-django-")
settings.configure(
    ALLOWED_HOSTS=["shop.test", "testserver"],
    DATABASES={
        name: {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(_FOLDER.name, name),
        }
        for name in ("default", "other")
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "wamp_bridge.adapters.django",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    USE_TZ=True,
)
urlpatterns: list[Any] = []
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402 - models need the settings

from wamp_bridge.adapters.django import WampBridge  # noqa: E402 - as above
from wamp_bridge.adapters.django._adapter import default  # noqa: E402 - as above

default.close()  # it would look out for servers, of which the tests of others have some


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    for alias in connections:
        call_command("migrate", database=alias, verbosity=0)
    yield
    connections.close_all()
    _FOLDER.cleanup()


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for alias in connections:
        for model in (Group, User):
            model.objects.using(alias).all().delete()
    connections.close_all()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "APP", "TOKEN", "SECRET", "CALLBACK_URL", "PREFIX", "TIMEOUT", "ANNOUNCE"):
        monkeypatch.delenv(f"WAMP_BRIDGE_{name}", raising=False)


@pytest.fixture
def secret() -> str:
    return generate_secret()


@pytest.fixture
def configure(secret: str) -> Iterator[Callable[..., None]]:
    """Return what puts `WAMP_BRIDGE_...` and other settings in force until the test ends."""
    with ExitStack() as stack:

        def configure(**names: Any) -> None:
            ours = {
                name if name.isupper() else f"WAMP_BRIDGE_{name.upper()}": value
                for name, value in names.items()
            }
            stack.enter_context(override_settings(**ours))

        configure(
            url="http://bridge.test/",
            token="token",
            secret=secret,
            callback_url="http://shop.test/wamp/",
            prefix="com.shop",
        )
        yield configure


@pytest.fixture
def mount(configure: Callable[..., None]) -> Callable[..., None]:
    """Return what makes a bridge's dispatcher the project's URLs."""

    def mount(wamp: WampBridge, *places: str) -> None:
        urls = types.ModuleType("urls")
        patterns = [path(place, wamp.dispatcher) for place in places or ("wamp/",)]
        vars(urls)["urlpatterns"] = patterns
        configure(ROOT_URLCONF=urls)

    return mount


@pytest.fixture
def wamp(mount: Callable[..., None]) -> Iterator[WampBridge]:
    wamp = WampBridge()
    mount(wamp)
    yield wamp
    wamp.close()


def ask_wsgi(*args: Any, **options: Any) -> Any:
    return Client(enforce_csrf_checks=True).generic(*args, **options)


@async_to_sync
async def ask_asgi(*args: Any, **options: Any) -> Any:
    return await AsyncClient(enforce_csrf_checks=True).generic(*args, **options)


CLIENTS = {"wsgi": ask_wsgi, "asgi": ask_asgi}


def through(kind: str, secrets: list[str], place: str = "/wamp/") -> SignedBridge:
    """A bridge that reaches the project as under WSGI or as under ASGI."""

    def send(request: Request) -> Response:
        headers = dict(request.headers)
        kept = headers.pop("content-type", "")  # which Django's clients take apart
        answer = CLIENTS[kind](
            request.method,
            place + request.path,
            request.body,
            content_type=kept,
            headers=headers,
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.content)

    return SignedBridge(send, secrets)


@pytest.fixture(params=["wsgi", "asgi"])
def bridge(request: pytest.FixtureRequest, secret: str, wamp: WampBridge) -> SignedBridge:
    """Return a bridge for the project of `wamp`, which must be declared before."""
    assert wamp.registry.is_empty
    return through(request.param, [secret])
