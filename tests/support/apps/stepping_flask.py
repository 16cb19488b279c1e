"""A Flask app that serves a procedure in steps, and notes what becomes of it."""

import os
import time
from collections.abc import Generator
from pathlib import Path

from flask import Flask, current_app

from wamp_bridge.adapters.flask import dispatcher, rpc

app = Flask(__name__)
app.register_blueprint(dispatcher, url_prefix="/wamp")
gate = Path(os.environ["GATE_FILE"])


def note(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")


@rpc()
def count(wanted: int, wait_at: int = -1, slow_from: int = -1) -> Generator[int, None, str]:
    try:
        for number in range(wanted):
            while number == wait_at and not gate.exists():
                time.sleep(0.01)
            if -1 < slow_from <= number:
                time.sleep(0.01)
            note(str(number))
            yield number
    except GeneratorExit:
        note(f"closed in {current_app.name}")
        raise
    return "done"
