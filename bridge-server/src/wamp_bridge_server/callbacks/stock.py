"""How many deliveries of an app there are, and what became of others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wamp_bridge_server.config import DeliveryConfig
    from wamp_bridge_server.store.deliveries import Counts


@dataclass(slots=True)
class Stock:
    """The deliveries of one app: in the store now, and counted since the bridge began.

    `waiting` and `dead` are in the store, with the bytes of their bodies. `arrived` and `failed`
    (attempts) are counted; so is `refused`, what there was no room for.
    """

    waiting: int = 0
    waiting_bytes: int = 0
    dead: int = 0
    dead_bytes: int = 0
    arrived: int = 0
    failed: int = 0
    refused: int = 0

    def has_room(self, policy: DeliveryConfig, number: int = 1, size: int = 0) -> bool:
        """Whether the store may take more for the app."""
        return (
            self.waiting + self.dead + number <= policy.most
            and self.waiting_bytes + self.dead_bytes + size <= policy.most_bytes
        )

    def wait(self, number: int, size: int) -> None:
        """So many more wait; or fewer, where negative."""
        self.waiting += number
        self.waiting_bytes += size

    def die(self, number: int, size: int) -> None:
        """So many that waited are dead; where negative, they wait again."""
        self.wait(-number, -size)
        self.bury(number, size)

    def bury(self, number: int, size: int) -> None:
        """So many more are dead letters; or fewer, where negative."""
        self.dead += number
        self.dead_bytes += size


class Stocks(defaultdict[str, Stock]):
    """The stocks of all apps, by their names."""

    def __init__(self) -> None:
        super().__init__(Stock)

    def counted(self, counts: Counts) -> None:
        """Take note of how much there is, as the store counted."""
        for stock in self.values():
            stock.waiting = stock.waiting_bytes = stock.dead = stock.dead_bytes = 0
        for count in counts.waiting:
            self[count.app].wait(count.number, count.size)
        for count in counts.dead:
            self[count.app].bury(count.number, count.size)
