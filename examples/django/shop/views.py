"""What browsers ask for. Their page is a static file; see examples/page."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from wamp_bridge.adapters.django import call, publish
from wamp_bridge.adapters.django.auth import ticket_for

from .forms import Wanted
from .models import Product
from .wamp import tell_change

log = logging.getLogger(__name__)


@require_GET
@ensure_csrf_cookie
def state(request: HttpRequest) -> HttpResponse:
    """What the page shows at the start, and where it hears of all that comes later."""
    return JsonResponse(
        {
            "router": settings.SHOP_ROUTER,
            "realm": "realm1",
            "products": list(Product.objects.order_by("name").values("name", "price", "stock")),
            "user": request.user.get_username() or None,
        }
    )


@require_POST
@transaction.atomic
def order(request: HttpRequest) -> HttpResponse:
    """Sell something, and tell everybody when that is certain: `com.shop.ordered`."""
    form = Wanted(request.POST)
    if not form.is_valid():
        return mistaken(form)
    product, quantity = form.cleaned_data["product"], form.cleaned_data["quantity"]
    there = Product.objects.filter(name=product, stock__gte=quantity)
    if not there.update(stock=F("stock") - quantity):
        return JsonResponse({"error": f"there are not {quantity} x {product} left"}, status=409)
    log.info("sells %d x %s and tells everybody", quantity, product)
    publish("ordered", [product, quantity], on_commit=True)
    tell_change(product)
    return JsonResponse({"product": product, "quantity": quantity}, status=201)


@require_GET
def quote(_request: HttpRequest, product: str) -> HttpResponse:
    """Ask the supplier for a price, and wait for it."""
    log.info("asks the supplier what a %s costs", product)
    supplier_price = call("com.supplier.quote", [product])
    log.info("hears from the supplier: %.2f", supplier_price)
    return JsonResponse({"product": product, "price": supplier_price})


@require_POST
def deliver(request: HttpRequest) -> HttpResponse:
    """Ask the supplier for more, which takes a while: `delivered` will hear of it."""
    form = Wanted(request.POST)
    if not form.is_valid():
        return mistaken(form)
    product, quantity = form.cleaned_data["product"], form.cleaned_data["quantity"]
    log.info("asks the supplier for %d x %s and doesn't wait", quantity, product)
    pending = call("com.supplier.deliver", [product, quantity], callback="delivered")
    return JsonResponse({"call": pending.id}, status=202)


# The page's users, who are Django's.


@require_POST
def log_in(request: HttpRequest) -> HttpResponse:
    """Log in here, with a session as ever."""
    form = AuthenticationForm(request, request.POST)
    if not form.is_valid():
        return JsonResponse({"error": "wrong user name or password"}, status=403)
    login(request, form.get_user())
    return JsonResponse({"user": request.user.get_username()})


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """Log out here; the page leaves the router itself."""
    logout(request)
    return JsonResponse({"user": None})


@require_GET
@login_required
def ticket(request: HttpRequest) -> HttpResponse:
    """What the page logs its user in to the router with."""
    user: Any = request.user
    return JsonResponse({"authid": user.get_username(), "ticket": ticket_for(user)})


def mistaken(form: Wanted) -> HttpResponse:
    """A form that isn't right."""
    return JsonResponse({"error": "; ".join(form.errors)}, status=400)
