"""What `manage.py check` and `runserver` say of the settings; each message names one.

A setting that can't work is an error. What may be right for a reason that can't be seen from here,
as a proxy in front or an environment that is set elsewhere, is a warning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from django.conf import settings as of_django
from django.core.checks import Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.http.request import split_domain_port, validate_host
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse

from wamp_bridge.adapters.django._adapter import default
from wamp_bridge.adapters.django._settings import (
    AUTHORIZE,
    GET_USER,
    USER_ROLE,
    imported,
    is_testing,
    setting,
)
from wamp_bridge.adapters.django._urls import URL_NAME
from wamp_bridge.adapters.django.auth._users import required_by
from wamp_bridge.core import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.checks import CheckMessage

    from wamp_bridge.core import Handler, Settings

_IN_DEBUG: Final = [".localhost", "127.0.0.1", "[::1]"]  # as HttpRequest.get_host has them
_HTTPS_BY: Final = "django.middleware.security.SecurityMiddleware"


def register_check() -> None:
    """Have Django check the settings where it checks URLs."""
    register(check_settings, Tags.urls)


def check_settings(**_asked: Any) -> list[CheckMessage]:
    """All that is wrong."""
    place = _mounted_at()  # which loads the URLconf, and the views with their handlers
    try:
        settings = default.settings
        procedures = default.registry.table(settings.prefix).procedures
    except ConfigurationError as error:
        return [Error(str(error), id="wamp_bridge.E001")]
    return [
        *_missing(settings),
        *(_callback_url(settings.callback_url, place) if settings.callback_url else ()),
        *_users(list(procedures.values())),
    ]


def _missing(settings: Settings) -> Iterator[CheckMessage]:
    if settings.url is None:
        yield Warning(
            "WAMP_BRIDGE_URL is not set: nothing can be called or published.",
            hint="Set it to the address of the bridge, in settings.py or in the environment.",
            id="wamp_bridge.W001",
        )
    elif settings.token is None:
        yield Warning(
            "WAMP_BRIDGE_TOKEN is not set: the bridge must know which app asks.",
            hint="`wamp-bridge key NAME` makes one.",
            id="wamp_bridge.W002",
        )
    if default.registry.is_empty:
        return
    if settings.verify and not settings.secrets:
        yield Warning(
            "WAMP_BRIDGE_SECRET is not set: all that the bridge sends is refused.",
            hint="`wamp-bridge key NAME` makes one.",
            id="wamp_bridge.W003",
        )
    if settings.callback_url is None:
        yield Warning(
            "WAMP_BRIDGE_CALLBACK_URL is not set: the bridge can't be told where the handlers are.",
            hint="Set it to where the bridge reaches the dispatcher, ending in a slash.",
            id="wamp_bridge.W004",
        )


def _callback_url(url: str, place: str | None) -> Iterator[CheckMessage]:
    parts = urlsplit(url)
    if not _leads_to_dispatcher(parts.path):
        yield Warning(
            f"WAMP_BRIDGE_CALLBACK_URL ({url}) does not lead to the dispatcher.",
            hint=f"The dispatcher is at {place}."
            if place and place.endswith("/")
            else 'Mount it in ROOT_URLCONF, with its slash: path("wamp/", dispatcher).',
            id="wamp_bridge.W005",
        )
    domain, _ = split_domain_port(parts.netloc)
    allowed = of_django.ALLOWED_HOSTS or (_IN_DEBUG if of_django.DEBUG else [])
    if not is_testing() and not validate_host(domain, allowed):  # tests have hosts of their own
        yield Warning(
            f"The host of WAMP_BRIDGE_CALLBACK_URL ({domain or parts.netloc}) is not in "
            "ALLOWED_HOSTS, so what the bridge sends is refused.",
            hint="Add it there.",
            id="wamp_bridge.W006",
        )
    if (
        parts.scheme == "http"
        and of_django.SECURE_SSL_REDIRECT
        and _HTTPS_BY in of_django.MIDDLEWARE
        and not any(
            re.search(exempt, parts.path.lstrip("/")) for exempt in of_django.SECURE_REDIRECT_EXEMPT
        )
    ):
        yield Warning(
            f"SECURE_SSL_REDIRECT redirects what the bridge sends to WAMP_BRIDGE_CALLBACK_URL "
            f"({url}), and the bridge follows no redirect.",
            hint="Make it an https URL, or add its path to SECURE_REDIRECT_EXEMPT.",
            id="wamp_bridge.W007",
        )


def _users(procedures: list[Handler]) -> Iterator[CheckMessage]:
    for name in (GET_USER, AUTHORIZE):
        try:
            imported(name)
        except ConfigurationError as error:
            yield Error(str(error), id="wamp_bridge.E002")
    guarded = [each for each in procedures if required_by(each.function) is not None]
    if guarded and not setting(USER_ROLE) and not setting(GET_USER):
        yield Warning(
            f"{USER_ROLE} is not set: no caller is a user, and nobody can call "
            f"{', '.join(sorted(each.name for each in guarded))}.",
            hint=f"Set it to the role in which users join the router, or set {GET_USER}.",
            id="wamp_bridge.W008",
        )


def _mounted_at() -> str | None:
    if not getattr(of_django, "ROOT_URLCONF", None):
        return None
    try:
        return reverse(URL_NAME, kwargs={"path": ""})
    except NoReverseMatch:
        return None


def _leads_to_dispatcher(path: str) -> bool:
    prefix = get_script_prefix()
    try:
        match = resolve("/" + unquote(path).removeprefix(prefix))
    except Resolver404:
        return False
    return match.url_name == URL_NAME and match.kwargs == {"path": ""}
