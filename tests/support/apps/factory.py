"""A Flask app made by a factory, with a bridge of its own."""

import os
import threading
from pathlib import Path

from flask import Flask

from wamp_bridge.adapters.flask import WampBridge

wamp = WampBridge()


@wamp.rpc()
def worker() -> int:
    return os.getpid()


@wamp.rpc()
async def add(first: int, second: int) -> int:
    return first + second


@wamp.rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@wamp.sub()
def told(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")


def create_app() -> Flask:
    app = Flask(__name__)
    wamp.init_app(app)
    app.register_blueprint(wamp.dispatcher, url_prefix="/wamp")
    return app
