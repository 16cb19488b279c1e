"""Who deliveries are for, as the outbox sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wamp_bridge_server.config import DeliveryConfig


class Recipient(Protocol):
    """Where deliveries go, and how. What it says may change while deliveries wait."""

    @property
    def lane(self) -> str:
        """What tells this recipient from every other of its app."""

    @property
    def app(self) -> str:
        """The app that owns it."""

    @property
    def url(self) -> str:
        """Its callback URL."""

    @property
    def resting(self) -> bool:
        """Whether it is withdrawn: nothing is sent then, and no attempt counted."""

    @property
    def ordered(self) -> bool:
        """Whether it takes one at a time, in the order of arrival."""

    @property
    def concurrency(self) -> int:
        """How many it takes at once."""


class Directory(Protocol):
    """Knows the recipients."""

    def find(self, app: str, lane: str) -> Recipient | None:
        """Who has a lane; None where there is nobody any more."""

    def policy(self, recipient: Recipient) -> DeliveryConfig:
        """How deliveries to a recipient are made now."""
