"""A Flask app in one file, with the module-level names of the adapter."""

import os
import sys
import threading
import time
from pathlib import Path

from flask import Flask

from wamp_bridge.adapters.flask import dispatcher, rpc, sub
from wamp_bridge.core import EventDetails

app = Flask(__name__)
app.register_blueprint(dispatcher, url_prefix="/wamp")


@rpc()
def worker() -> int:
    return os.getpid()


@rpc()
async def add(first: int, second: int) -> int:
    return first + second


@rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@sub()
def told(text: str, details: EventDetails) -> None:
    line = f"{text} {details.delivery_id} {os.getpid()}\n"
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(line)


@app.get("/")
def hello() -> str:
    return "hello"


@app.cli.command("take-long")
def take_long() -> None:
    time.sleep(1.0)


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
