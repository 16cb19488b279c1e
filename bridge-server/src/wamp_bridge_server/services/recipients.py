"""Who deliveries are for: endpoints, and the callback URLs of calls. The outbox's `Directory`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from wamp_bridge_server.config import DELIVERY_CHECKS, DeliveryConfig
from wamp_bridge_server.services.table import Endpoint

if TYPE_CHECKING:
    from wamp_bridge_server.callbacks.recipients import Recipient
    from wamp_bridge_server.services.apps import Apps
    from wamp_bridge_server.services.table import Table

_UNCONFIGURED = DeliveryConfig()


class CallbackUrl:
    """Where the outcomes of an app's calls go. A `callbacks.recipients.Recipient`."""

    __slots__ = ("_apps", "app", "lane")

    ordered = False
    concurrency = 10

    def __init__(self, apps: Apps, app: str, url: str) -> None:
        self._apps = apps
        self.app = app
        self.lane = url

    @property
    def url(self) -> str:
        """Outcomes with one callback URL share a lane."""
        return self.lane

    @property
    def resting(self) -> bool:
        """Whether the configuration doesn't name the app now."""
        return self.app not in self._apps.by_name


class Recipients:
    """Finds who a delivery is for, and how it is made."""

    def __init__(self, apps: Apps, table: Table) -> None:
        self._apps = apps
        self._table = table

    def find(self, app: str, lane: str) -> Recipient | None:
        """The endpoint with this id, or what stands for a callback URL; None where it is gone."""
        if "://" in lane:
            return CallbackUrl(self._apps, app, lane)
        endpoint = self._table.endpoints.get(lane)
        return endpoint if endpoint is not None and endpoint.app == app else None

    def policy(self, recipient: Recipient) -> DeliveryConfig:
        """What the app's configuration says, or the subscription otherwise."""
        policy = self.policy_of(recipient.app)
        if not isinstance(recipient, Endpoint):
            return policy
        options = recipient.record.options
        own = {name: options[name] for name in DELIVERY_CHECKS if name in options}
        return replace(policy, **own) if own else policy

    def policy_of(self, app: str) -> DeliveryConfig:
        """What an app's configuration says."""
        known = self._apps.by_name.get(app)
        return known.config.deliveries if known is not None else _UNCONFIGURED

    def dead_letters_kept_by(self, app: str) -> dict[str, float]:
        """How long dead letters stay for subscriptions that say so, in seconds, by their ids."""
        return {
            endpoint.lane: float(endpoint.record.options["dead_letters"])
            for endpoint in self._table.of_app(app, "topic")
            if "dead_letters" in endpoint.record.options
        }
