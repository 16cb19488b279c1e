"""Django's settings as core reads them, and those that only Django has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from wamp_bridge.core import ConfigurationError, WampBridgeBase, check_off_loop

PREFIX: Final = "WAMP_BRIDGE_"
USER_ROLE: Final = "WAMP_BRIDGE_USER_ROLE"
GET_USER: Final = "WAMP_BRIDGE_GET_USER"
AUTHORIZE: Final = "WAMP_BRIDGE_AUTHORIZE"
TICKET_AGE: Final = "WAMP_BRIDGE_TICKET_AGE"

_DEFAULTS: Final[Mapping[str, Any]] = {TICKET_AGE: 60}


class DjangoSettings(Mapping[str, Any]):
    """Django's settings that are ours, as they are at the moment they are asked for.

    While Django's test runner, or another's, has set up the environment of tests, nothing is
    announced: what a live server of a test serves is no business of the bridge.
    """

    def __getitem__(self, name: str) -> Any:
        if name == f"{PREFIX}ANNOUNCE" and is_testing():
            return False
        try:
            return getattr(settings, name)
        except AttributeError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (name for name in dir(settings) if name.startswith(PREFIX))

    def __len__(self) -> int:
        return len(list(iter(self)))


class SettledBridge(WampBridgeBase):
    """A `WampBridgeBase` whose settings are Django's, then those of the environment."""

    def __init__(self) -> None:
        super().__init__(DjangoSettings(), os.environ)
        setting_changed.connect(self._setting_changed)

    @staticmethod
    def check_wait() -> None:
        """Refuse to wait where Django refuses it to the ORM, and allow what it is told to allow.

        Raises:
            BlockedLoop: A loop runs in this thread.
        """
        if not os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE"):
            check_off_loop("`await acall(...)` or `await apublish(...)`")

    def _setting_changed(self, *, setting: str, **_signal: object) -> None:
        if setting.startswith(PREFIX):
            self.configure(DjangoSettings(), os.environ)


def setting(name: str) -> Any:
    """A setting of the adapter's own, or its default, or None."""
    return getattr(settings, name, _DEFAULTS.get(name))


def imported(name: str) -> Any:
    """What a setting names by its dotted path; None where it isn't set.

    Raises:
        ConfigurationError: It can't be imported.
    """
    path = setting(name)
    if path is None or callable(path):
        return path
    try:
        return import_string(path)
    except (ImportError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{name} can't be imported: {error}") from error


def is_testing() -> bool:
    """Whether Django's environment of tests is set up, with other settings than the project's."""
    # `setup_test_environment` leaves its mark there; who hasn't imported it hasn't called it.
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")
