"""The app for `INSTALLED_APPS`."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules

from wamp_bridge.adapters.django._adapter import default
from wamp_bridge.adapters.django._checks import register_check


class WampBridgeConfig(AppConfig):
    """Finds the handlers of all apps, and announces them when they start being served."""

    name = "wamp_bridge.adapters.django"
    label = "wamp_bridge"

    def ready(self) -> None:
        """Import the `wamp` module of each app that has one, as the admin does with its own."""
        register_check()
        autodiscover_modules("wamp")
        default.announcer.prepare()
