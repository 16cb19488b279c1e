"""The handlers of a Django app, which are found because the module is called `wamp`."""

import os
import threading
from pathlib import Path

from django.contrib.contenttypes.models import ContentType

from wamp_bridge.adapters.django import rpc, sub


@rpc()
def worker() -> int:
    return os.getpid()


@rpc()
async def add(first: int, second: int) -> int:
    return first + second


@rpc()
def models() -> list[str]:
    return sorted(kind.model for kind in ContentType.objects.all())


@rpc()
def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@sub()
def told(text: str) -> None:
    with Path(os.environ["EVENTS_FILE"]).open("a") as file:
        file.write(f"{text}\n")
