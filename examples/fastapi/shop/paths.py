"""What browsers ask for. Their page is a static file; see examples/page."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response

from .bus import wamp
from .handlers import tell_change
from .storage import Stored

PAGE = Path(__file__).resolve().parents[2] / "page"

Text = Annotated[str, Form()]
Number = Annotated[int, Form(ge=1)]

log = logging.getLogger("shop")
router = APIRouter()


@router.get("/", include_in_schema=False)
def page() -> FileResponse:
    """The shop window."""
    return FileResponse(PAGE / "index.html")


@router.get("/state")
def state(storage: Stored) -> dict[str, Any]:
    """What the page shows at the start, and where it hears of all that comes later."""
    where = os.environ.get("SHOP_ROUTER", "ws://127.0.0.1:8080/ws")
    return {"router": where, "realm": "realm1", "products": storage.products()}


@router.post("/orders", status_code=201, response_model=None)
async def order(
    product: Text, storage: Stored, quantity: Number = 1
) -> Response | dict[str, str | int]:
    """Sell something, and tell everybody: `com.shop.ordered`."""
    if not await run_in_threadpool(storage.take, product, quantity):
        return JSONResponse({"error": f"there are not {quantity} x {product} left"}, 409)
    log.info("sells %d x %s and tells everybody", quantity, product)
    await wamp.publish("ordered", [product, quantity])
    await run_in_threadpool(tell_change, product, storage)
    return {"product": product, "quantity": quantity}


@router.get("/quotes/{product}")
async def quote(product: str) -> dict[str, str | float]:
    """Ask the supplier for a price, and wait for it."""
    log.info("asks the supplier what a %s costs", product)
    supplier_price = await wamp.call("com.supplier.quote", [product])
    log.info("hears from the supplier: %.2f", supplier_price)
    return {"product": product, "price": supplier_price}


@router.post("/deliveries", status_code=202)
async def deliver(product: Text, quantity: Number = 1) -> dict[str, str]:
    """Ask the supplier for more, which takes a while: `delivered` will hear of it."""
    log.info("asks the supplier for %d x %s and doesn't wait", quantity, product)
    pending = await wamp.call("com.supplier.deliver", [product, quantity], callback="delivered")
    return {"call": pending.id}
