"""The app for `INSTALLED_APPS`."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules


class WampBridgeConfig(AppConfig):
    """Finds the handlers of all apps, and announces them when they start being served."""

    name = "wamp_bridge.adapters.django"
    label = "wamp_bridge"
    verbose_name = "WAMP bridge"

    def ready(self) -> None:
        """Import the `wamp` module of each app that has one, as the admin does with its own."""
        from wamp_bridge.adapters.django._checks import (  # noqa: PLC0415 - when apps are ready
            check_settings,
        )
        from wamp_bridge.adapters.django._default import default  # noqa: PLC0415 - as above

        checks.register(check_settings, checks.Tags.urls)
        autodiscover_modules("wamp")
        default.announcer.prepare()
