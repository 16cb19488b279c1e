"""The settings of an app (protocol, section 6), from any number of mappings."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from wamp_bridge.core._errors import ConfigurationError, InvalidURI
from wamp_bridge.core._secrets import decode_secret
from wamp_bridge.core._signatures import checked_name
from wamp_bridge.core._stand_in import stand_in
from wamp_bridge.core._uris import check_uri, resolve_name

if TYPE_CHECKING:
    from collections.abc import Callable

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_MAX_URL: Final = 2048


@dataclass(frozen=True, slots=True)
class Settings:
    """How an app reaches its bridge and is reached by it.

    Each attribute is the setting `WAMP_BRIDGE_` and its name in capitals; `secrets` is
    `WAMP_BRIDGE_SECRET`. Token and secrets are never shown.

    Attributes:
        url: Where the bridge is; ends in a slash.
        app: The app's name in the bridge's configuration.
        token: Sent with each request that isn't signed.
        secrets: `whsec_` secrets, newest first: each of them verifies callbacks, and the first one
            signs requests, which then need no token.
        callback_url: Where the bridge reaches the mounted dispatcher; ends in a slash.
        prefix: Put before names without a dot; ends in a dot unless empty.
        timeout: Seconds for a request to the bridge, all tries together.
        announce: Whether the app announces itself when it starts serving.
        verify: Whether callbacks must be signed.

    Raises:
        ConfigurationError: A value can't work; names the setting.
    """

    url: str | None = None
    app: str | None = None
    token: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    callback_url: str | None = None
    prefix: str = ""
    timeout: float = 10.0
    announce: bool = True
    verify: bool = True

    def __post_init__(self) -> None:
        for name in ("url", "callback_url"):
            value = getattr(self, name)
            if value is not None:
                _check_url(_setting(name), value)
        if self.url is not None and not self.url.endswith("/"):
            object.__setattr__(self, "url", self.url + "/")
        if self.callback_url is not None and not self.callback_url.endswith("/"):
            raise ConfigurationError(
                "WAMP_BRIDGE_CALLBACK_URL must end in a slash: the addresses of the handlers are "
                f"relative to it ({self.callback_url}/)"
            )
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ConfigurationError("WAMP_BRIDGE_TOKEN must be visible ASCII characters")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ConfigurationError("WAMP_BRIDGE_TIMEOUT must be a number of seconds above 0")
        for secret in self.secrets:
            _check("WAMP_BRIDGE_SECRET", decode_secret, secret)
        if self.app is not None:
            _check("WAMP_BRIDGE_APP", checked_name, self.app)
        object.__setattr__(self, "prefix", _prefix(self.prefix))

    @classmethod
    def load(cls, *sources: Mapping[str, Any]) -> Settings:
        """Read the settings; the first source that has one decides.

        Args:
            *sources: Mappings such as `app.config` and `os.environ`. A setting is looked up as
                `WAMP_BRIDGE_URL` and as `wamp_bridge.url`; None and an empty text are as none.

        Raises:
            ConfigurationError: A value can't work; names the setting.
        """
        given: dict[str, Any] = {}
        for name, read in _READERS.items():
            value = _find(_KEYS[name], sources)
            if value is not None:
                given[name] = read(_setting(name), value)
        return cls(**given)

    @property
    def signs(self) -> bool:
        """Whether requests to the bridge are signed: there is a secret, and the app's name."""
        return bool(self.secrets) and self.app is not None

    def resolve(self, name: str) -> str:
        """The URI that a name stands for; see `WAMP_BRIDGE_PREFIX`."""
        return resolve_name(name, self.prefix)


def for_requests(settings: Settings | None) -> Settings:
    """The settings, or those of the environment, with all that a request to the bridge needs.

    Raises:
        ConfigurationError: There is no URL, or nothing that tells who asks.
    """
    settings = Settings.load(os.environ) if settings is None else settings
    substitute = stand_in()
    if substitute is not None:
        return substitute.completed(settings)
    if settings.url is None:
        raise ConfigurationError("WAMP_BRIDGE_URL is not set: where is the bridge?")
    if settings.token is None and not settings.signs:
        missing = "WAMP_BRIDGE_APP" if settings.secrets else "WAMP_BRIDGE_TOKEN"
        raise ConfigurationError(
            f"{missing} is not set: the bridge must know which app asks, by a token, or by a name "
            "and a secret (`wamp-bridge key NAME` makes them)"
        )
    return settings


def _check(setting: str, check: Callable[[str], object], value: str) -> None:
    try:
        check(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}: {error}") from None


def _find(keys: tuple[str, ...], sources: Sequence[Mapping[str, Any]]) -> Any:
    for source in sources:
        for key in keys:
            value = source.get(key)
            if value is not None and value != "":
                return value
    return None


def _setting(name: str) -> str:
    return "WAMP_BRIDGE_" + ("SECRET" if name == "secrets" else name.upper())


def _text(setting: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{setting} must be a text, not {type(value).__name__}")
    return value.strip()


def _texts(setting: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(item.strip() for item in value)
    raise ConfigurationError(f"{setting} must be a text, or a list of texts")


def _flag(setting: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ConfigurationError(f"{setting} must be true or false, not {value!r}")


def _seconds(setting: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{setting} must be a number of seconds, not {value!r}") from None


def _prefix(prefix: str) -> str:
    prefix = prefix.rstrip(".")
    if not prefix:
        return ""
    try:
        check_uri(prefix)
    except InvalidURI as error:
        raise ConfigurationError(f"WAMP_BRIDGE_PREFIX must be a WAMP URI: {error}") from None
    return prefix + "."


def _check_url(setting: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        port_fits = parts.port != 0
    except ValueError:
        raise ConfigurationError(f"{setting} is no URL") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f"{setting} must hold no user name and no password")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not port_fits
        or parts.query
        or parts.fragment
        or len(url) > _MAX_URL
        or not url.isprintable()
        or " " in url
    ):
        raise ConfigurationError(
            f"{setting} must be an http or https URL with a host and without query or fragment, "
            f"not {url[:80]!r}"
        )


_READERS: Final = {
    "url": _text,
    "app": _text,
    "token": _text,
    "secrets": _texts,
    "callback_url": _text,
    "prefix": _text,
    "timeout": _seconds,
    "announce": _flag,
    "verify": _flag,
}
_KEYS: Final = {
    name: (_setting(name), "wamp_bridge." + _setting(name).removeprefix("WAMP_BRIDGE_").lower())
    for name in _READERS
}
