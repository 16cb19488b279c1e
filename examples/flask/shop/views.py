"""What the shop offers to browsers, and what it offers to WAMP."""

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from wamp_bridge.adapters.flask import call, callback, publish, rpc, sub
from wamp_bridge.core import ApplicationError, BridgeError, Outcome

from .storage import add_to_stock, find_product, journal, note, products, set_price, take

shop = Blueprint("shop", __name__)


# What others call and tell us. These are ordinary functions: they use the database as a view does.


@rpc()
def price(product: str) -> float:
    """`com.shop.price`: what one of it costs here."""
    found = find_product(product)
    if found is None:
        raise ApplicationError("com.shop.error.unknown_product", product)
    note(f"is asked for the price of a {product}, says {found.price:.2f}")
    return found.price


@sub("com.supplier.price_changed")
def supplier_changed_price(product: str, price: float) -> None:
    """The supplier asks for more or less; we sell for a quarter more."""
    set_price(product, price * 1.25)
    note(f"hears that a {product} costs {price:.2f} now, sells it for {price * 1.25:.2f}")


@callback()
def delivered(outcome: Outcome) -> None:
    """How the call in `deliver` ended, a while after the browser had its answer."""
    if outcome.succeeded:
        delivery = outcome.value()
        add_to_stock(delivery["product"], delivery["quantity"])
        note(f"receives {delivery['quantity']} x {delivery['product']}")
    else:
        note(f"hears that a delivery failed: {outcome.error}")


# What browsers ask for.


@shop.get("/")
def page() -> ResponseReturnValue:
    """The shop window."""
    return render_template("shop.html", products=products(), journal=journal())


@shop.post("/orders")
def order() -> ResponseReturnValue:
    """Sell something, and tell everybody: `com.shop.ordered`."""
    product, quantity = request.form["product"], request.form.get("quantity", 1, type=int)
    if not take(product, quantity):
        return jsonify(error=f"there are not {quantity} x {product} left"), 409
    note(f"sells {quantity} x {product} and tells everybody")
    publish("ordered", [product, quantity])
    return jsonify(product=product, quantity=quantity), 201


@shop.get("/quotes/<product>")
def quote(product: str) -> ResponseReturnValue:
    """Ask the supplier for a price, and wait for it."""
    note(f"asks the supplier what a {product} costs")
    supplier_price = call("com.supplier.quote", [product])
    note(f"hears from the supplier: {supplier_price:.2f}")
    return jsonify(product=product, price=supplier_price)


@shop.post("/deliveries")
def deliver() -> ResponseReturnValue:
    """Ask the supplier for more, which takes a while: `delivered` will hear of it."""
    product, quantity = request.form["product"], request.form.get("quantity", 1, type=int)
    note(f"asks the supplier for {quantity} x {product} and doesn't wait")
    pending = call("com.supplier.deliver", [product, quantity], callback="delivered")
    return jsonify(call=pending.id), 202


@shop.app_errorhandler(BridgeError)
def bridge_failed(error: BridgeError) -> ResponseReturnValue:
    """The bridge, the router or the supplier let us down."""
    return jsonify(error=error.uri, detail=str(error)), error.status
