"""`wamp-bridge subscribe`: a topic's events on standard output."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, get_args

import click

from wamp_bridge.core import EventDetails, Match, Registry, Unavailable, current_details
from wamp_bridge_server.cli._asking import asking, check_name, put, settings_of
from wamp_bridge_server.cli._serving import FOR_CALLBACKS, LEASE_SECONDS, Serving

if TYPE_CHECKING:
    from wamp_bridge.core import Bridge

_REMEMBERED = 10_000
# Who looks on wants no events of hours ago, and none to be kept.
_DELIVERY = {"ordered": True, "schedule": [0, 1, 5], "dead_letters": 0}


class _Printer:
    """Writes events as they come, each once, and so many at most."""

    def __init__(self, count: int | None) -> None:
        self._left = count
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()
        self.serving: Serving | None = None

    def __call__(self, /, *args: Any, **kwargs: Any) -> None:
        details = current_details()
        assert isinstance(details, EventDetails)  # noqa: S101 - what a topic's handler is told
        with self._lock:
            if details.delivery_id in self._seen:
                return
            if self._left == 0:
                raise Unavailable("enough events were seen")
            try:
                put(_told(details, args, kwargs))
            except BrokenPipeError:  # nobody reads any more
                self._left = 0
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                self._stop()
                raise Unavailable("nobody reads them") from None
            self._seen.append(details.delivery_id)
            if self._left is not None:
                self._left -= 1
                if not self._left:
                    self._stop()

    def _stop(self) -> None:
        if self.serving is not None:
            self.serving.stopped.set()


@click.command("subscribe")
@click.argument("topic")
@click.option("--match", type=click.Choice(get_args(Match)), default="exact", show_default=True)
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many events.")
@FOR_CALLBACKS[0]
@FOR_CALLBACKS[1]
@asking
def command(
    topic: str,
    match: Match,
    count: int | None,
    listen: str,
    callback_url: str | None,
    **who: Any,
) -> None:
    """Follow a WAMP topic through a running bridge, until Ctrl-C.

    Each event is a line of JSON on standard output. The bridge sends them to this command, which
    the `callbacks` of the app must allow. Nothing of it stays at the bridge.
    """
    check_name(topic, match)
    settings = settings_of(**who)
    printer = _Printer(count)
    registry = Registry()
    registry.sub(topic, match=match)(printer)
    serving = printer.serving = Serving(settings, registry, listen, callback_url)

    def hold(bridge: Bridge, url: str) -> Any:
        endpoint = {"url": url, "match": match, **_DELIVERY}
        return bridge.subscribe({topic: endpoint}, lease=LEASE_SECONDS)

    def release(bridge: Bridge, url: str) -> object:
        return bridge.unsubscribe({topic: url}, match=match)

    serving.run(settings, serving.url("pub", topic), hold, release)


def _told(details: EventDetails, args: Any, kwargs: Any) -> dict[str, Any]:
    known = {
        "publisher": details.publisher,
        "publisher_authid": details.publisher_authid,
        "publisher_authrole": details.publisher_authrole,
    }
    return {
        "topic": details.topic,
        "publication": details.publication,
        "args": args,
        "kwargs": kwargs,
        **{name: value for name, value in known.items() if value is not None},
    }
