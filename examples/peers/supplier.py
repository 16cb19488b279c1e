"""The supplier: a WAMP program like any other, which knows nothing of HTTP or of the bridge.

It offers two procedures and listens to the shop's orders, until Ctrl-C:

    python examples/peers/supplier.py ws://127.0.0.1:8080/ws
"""

import asyncio
import sys
from typing import Any

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError

PRICES = {"kettle": 18.5, "teapot": 24.0, "tea": 3.2}
DELIVERY_SECONDS = 1.0

router = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8080/ws"
supplier = Component(transports=router, realm="realm1")


@supplier.register("com.supplier.quote")
def quote(product: str) -> float:
    """What one of it costs, at once."""
    if product not in PRICES:
        raise ApplicationError("com.supplier.error.unknown_product", product)
    say(f"is asked what a {product} costs, says {PRICES[product]:.2f}")
    return PRICES[product]


@supplier.register("com.supplier.deliver")
async def deliver(product: str, quantity: int) -> dict[str, Any]:
    """Pack and send it, which takes a while."""
    say(f"packs {quantity} x {product} ...")
    await asyncio.sleep(DELIVERY_SECONDS)
    say(f"sends {quantity} x {product}")
    return {"product": product, "quantity": quantity}


@supplier.subscribe("com.shop.ordered")
def ordered(product: str, quantity: int) -> None:
    """Somebody bought something in the shop."""
    say(f"hears that the shop sold {quantity} x {product}")


@supplier.on_ready
def ready(_session: object) -> None:
    say("joined the router")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    run([supplier], log_level="error")
