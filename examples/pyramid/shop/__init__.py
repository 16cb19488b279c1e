"""A small shop: an ordinary Pyramid app that takes part in WAMP.

What it offers to browsers is in views.py, what it offers to WAMP in handlers.py. Where the bridge
is and who the app is comes from the environment, as `wamp-bridge dev` prints it.
"""

import os
from typing import Any

from pyramid.config import Configurator


def main(_global_config: dict[str, str], **settings: Any) -> Any:
    """Make the app, as shop.ini says."""
    settings["shop.database"] = os.environ.get("SHOP_DATABASE", "shop.db")
    settings["shop.router"] = os.environ.get("SHOP_ROUTER", "ws://127.0.0.1:8080/ws")
    with Configurator(settings=settings) as config:
        config.include("wamp_bridge.adapters.pyramid")
        config.include(".storage")
        config.add_static_view("static", settings["shop.page"])
        config.add_route("page", "/", request_method="GET")
        config.add_route("state", "/state", request_method="GET")
        config.add_route("orders", "/orders", request_method="POST")
        config.add_route("quote", "/quotes/{product}", request_method="GET")
        config.add_route("deliveries", "/deliveries", request_method="POST")
        config.scan()
        return config.make_wsgi_app()
