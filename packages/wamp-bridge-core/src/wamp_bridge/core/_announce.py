"""Announcing an app to the bridge when it starts being served.

One thread in a process looks out for the signs of a server (see `_serving`) on behalf of all apps
that are set up in it, for two minutes at most; once they are seen, a thread for each app announces
it, asks again until the bridge has answered, and ends. Neither outlives its purpose, and neither
holds up the start: a server of one worker must be free to answer the bridge's question.

A fork copies no thread, so the child of a fork looks out for itself, unless the app has been
announced before: an announcement tells a URL, which is the same for all that serve it.
"""

from __future__ import annotations

import _thread
import logging
import os
import random
import threading
import time
import weakref
from _thread import start_new_thread
from typing import TYPE_CHECKING, Final

from wamp_bridge.core._client import Bridge
from wamp_bridge.core._errors import BridgeError, ConfigurationError
from wamp_bridge.core._serving import Lookout, Role, listening

if TYPE_CHECKING:
    from wamp_bridge.core._mount import Mount
    from wamp_bridge.core._settings import Settings

LOOK_SECONDS: Final = 0.1
LOOK_FOR_SECONDS: Final = 120.0
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 10.0
_AGAIN: Final = frozenset({408, 425, 429})

_logger = logging.getLogger("wamp_bridge")


class Announcer:
    """Announces an app in each process that serves it, once.

    An adapter gives hints and needs to know nothing else. Threads that this makes are daemons.

    Args:
        app: Whose settings and handlers it is about.
    """

    def __init__(self, app: Mount) -> None:
        self._app = weakref.proxy(app)
        self._lookout: Lookout | None = None
        self._ends = threading.Event()
        self._begun = False
        self._thread: threading.Thread | None = None
        self.answered = False
        """Whether the bridge has answered an announcement, of this process or of its parent."""

    def prepare(self) -> None:
        """The app is set up: announce it if this process, or a fork of it, is seen to serve."""
        if self._lookout is None and not self._begun:
            self._lookout = Lookout()
            _watch.add(self, start=not self._lookout.spawner)

    def starting(self) -> None:
        """A server has started the app and will listen at any moment: look out from now on.

        For the server's own word that comes before its socket is open, as a lifespan's start. An
        app that was stopped is announced again.
        """
        if self._ends.is_set():
            self._ends = threading.Event()
            self._begun = self.answered = False
        self._lookout = None
        self.prepare()

    def serving(self) -> None:
        """This process serves for certain, its server says so: announce now."""
        if self._begun or self.answered or self._ends.is_set():
            return
        self._begun = True
        self._thread = threading.Thread(
            target=self._announce, name="wamp-bridge-announce", daemon=True
        )
        self._thread.start()

    def requested(self) -> None:
        """A request reached the app: announce now, unless it is one that a test has made up."""
        if not (self._begun or self.answered) and listening():
            self.serving()

    @property
    def at_work(self) -> bool:
        """Whether it is announcing at this moment."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Announce no more."""
        self._ends.set()
        _watch.discard(self)

    def looked(self) -> bool:
        """Look once for the signs of a server; whether to look again."""
        if self._lookout is None or self._begun or self._ends.is_set():
            return False
        role = self._lookout.look()
        if role is Role.SERVER:
            self.serving()
        return role in (Role.UNKNOWN, Role.SPAWNER)

    def forked(self) -> bool:
        """Begin anew in the child of a fork; whether there is anything to look out for."""
        stopped = self._ends.is_set()
        self._ends = threading.Event()
        if stopped:
            self._ends.set()
        self._begun = False
        return not (stopped or self.answered or self._lookout is None)

    def _announce(self) -> None:
        try:
            settings = self._settings()
            if settings is not None:
                with Bridge(settings) as bridge:
                    self._ask_until_answered(bridge, settings)
        except ConfigurationError as error:
            _logger.error("not announced: %s", error)  # noqa: TRY400 - where is no matter
        except ReferenceError:
            return  # the app is gone

    def _settings(self) -> Settings | None:
        """The settings to announce with; None where there is nothing to announce, or nobody to."""
        settings: Settings = self._app.settings
        if not settings.announce or settings.url is None:
            return None
        if settings.callback_url is None:
            if not self._app.registry.is_empty:
                _logger.warning(
                    "not announced: WAMP_BRIDGE_CALLBACK_URL is not set, so the bridge can't be "
                    "told where the handlers of this app are"
                )
            return None
        return settings

    def _ask_until_answered(self, bridge: Bridge, settings: Settings) -> None:
        pause = _FIRST_PAUSE_SECONDS
        told = False
        while not self._ends.is_set():
            error = _announced(bridge)
            if error is None:
                self.answered = True
                _logger.info("announced %s to the bridge", settings.callback_url)
                return
            if error.status < BridgeError.status and error.status not in _AGAIN:
                _logger.error("not announced: %s", _advice(error, settings))
                return
            if not told:
                _logger.warning("not announced yet, asking again until it is: %s", error)
                told = True
            wait = max(pause, error.retry_after or 0.0)
            # workers that start together should not ask together
            self._ends.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


class _Watch:
    """The thread that looks out for all announcers of this process."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._announcers: weakref.WeakSet[Announcer] = weakref.WeakSet()
        self._until = 0.0
        self._running = False

    def add(self, announcer: Announcer, *, start: bool = True) -> None:
        """Look out for an announcer; later, in a fork, unless `start`."""
        with self._lock:
            self._announcers.add(announcer)
            self._until = time.monotonic() + LOOK_FOR_SECONDS
            if start and not self._running:
                self._running = True
                # No `threading.Thread`: gevent's workers replace what those are made of after they
                # were forked, which is when this begins where the app was loaded before.
                start_new_thread(self._look, ())

    def discard(self, announcer: Announcer) -> None:
        """Look out no more for an announcer."""
        with self._lock:
            self._announcers.discard(announcer)

    def forked(self) -> None:
        """Begin anew in the child of a fork, where no thread and no lock of the parent lives."""
        announcers = [announcer for announcer in self._announcers if announcer.forked()]
        self._begin()
        for announcer in announcers:
            self.add(announcer)

    def _look(self) -> None:
        over: list[Announcer] = []
        looking = True
        while looking:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                announcers = list(self._announcers)
            seen = [announcer for announcer in announcers if not announcer.looked()]
            over += seen
            with self._lock:
                self._announcers.difference_update(seen)
                if not self._announcers or time.monotonic() > self._until:
                    self._announcers.clear()
                    looking = self._running = False
        if _thread.start_new_thread is not start_new_thread:
            # By gevent: the threads that began here are greenlets, which run while this one sleeps.
            while any(announcer.at_work for announcer in over):
                time.sleep(LOOK_SECONDS)


def _announced(bridge: Bridge) -> BridgeError | None:
    try:
        bridge.announce()
    except BridgeError as error:
        return error
    return None


def _advice(error: BridgeError, settings: Settings) -> str:
    said = error.detail or str(error)
    match error.status:
        case 401:
            return f"the bridge knows no app with this WAMP_BRIDGE_TOKEN ({said})"
        case 403:
            return f"the bridge does not allow it; see this app's section there ({said})"
        case 404 | 405:
            return f"nothing at WAMP_BRIDGE_URL ({settings.url}) takes announcements ({said})"
        case 400 | 422:
            return f"WAMP_BRIDGE_CALLBACK_URL ({settings.callback_url}) is refused ({said})"
        case _:
            return said


_watch = _Watch()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.forked)
