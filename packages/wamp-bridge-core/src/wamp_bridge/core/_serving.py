"""Does this process serve the app, or does it only import it?

An app is set up by many who serve nothing: a shell, a migration, a worker of a task queue, the
parent of a reloader, the master of a prefork server. No framework tells them apart from a server,
and each server has its own way to start. What all servers have in common is a socket that listens,
and that is what is looked for:

- A process *serves* when it has a listening socket that it had not when the app was set up there.
  Two looks in a row must see it, so that one who only passes it on is not taken for a server.
- Servers that listen first and load the app then (gunicorn's workers, uvicorn's and hypercorn's
  with several of them, mod_wsgi, uWSGI) are told by their modules on the stack or in the process;
  below them any listening socket counts, as soon as the app is loaded.
- A process that has the socket but leaves the work to others is told by what its main thread is
  at: the parent of werkzeug's reloader waits for its child, gunicorn's master for its workers,
  uvicorn's supervisor for both kinds.

A request that reaches the app, or a server's own word (a lifespan), needs no such search; those
come by `Announcer.requested` and `Announcer.serving`.
"""

from __future__ import annotations

import gc
import os
import socket
import stat
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_LISTENS_FIRST: Final = ("gunicorn.workers", "uvicorn", "hypercorn", "granian")
_LOADING: Final = ("importlib._bootstrap", "gunicorn.util")
_EMBEDS_PYTHON: Final = ("uwsgi", "mod_wsgi")
_DESCRIPTORS: Final = ("/proc/self/fd", "/dev/fd")


class Role(Enum):
    """What a process is to the app, as far as can be seen."""

    SERVER = "serves it"
    SPAWNER = "leaves it to the processes that it forks"
    BYSTANDER = "leaves it to processes that load it anew"
    UNKNOWN = "nothing is seen of a server"


class Lookout:
    """Watches this process for the signs of a server.

    Made when the app is set up; `look` is then called every now and again.
    """

    def __init__(self) -> None:
        # Whoever called us is still on the stack, and may be the server that loads the app.
        frame = sys._getframe()  # noqa: SLF001 - the documented way to a frame
        loaders = {module for module, _ in _calls(frame)}
        self._loaded = _any_below(loaders, _LISTENS_FIRST) or _embedded()
        self._before = listening()
        self._seen: frozenset[int] = frozenset()
        self.spawner = _is_spawner(loaders)
        """Whether the app was set up in a process that will only fork those that serve."""

    def look(self) -> Role:
        """What this process is to the app now."""
        calls = list(_calls(_main_thread()))
        at_work = {module for module, _ in calls}
        if _is_reloader_parent(at_work) or _is_supervisor(at_work):
            return Role.BYSTANDER
        if _is_spawner(at_work):
            return Role.SPAWNER
        if _is_starting(calls):
            return Role.UNKNOWN
        found = listening()
        loaded = self._loaded or _any_below(at_work, _LISTENS_FIRST)
        if not loaded or _any_below(at_work, _LOADING):
            found -= self._before
        certain = found & self._seen
        self._seen = found
        return Role.SERVER if certain else Role.UNKNOWN


def listening() -> frozenset[int]:
    """The descriptors of this process's sockets that listen for connections."""
    for folder in _DESCRIPTORS:
        try:
            with os.scandir(folder) as entries:
                descriptors = [int(entry.name) for entry in entries]
        except OSError:
            continue
        return frozenset(filter(_listens, descriptors))
    return _listening_objects()


def _listens(descriptor: int) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        blocking = os.get_blocking(descriptor)
        borrowed = socket.socket(fileno=descriptor)
    except OSError:  # closed since it was listed
        return False
    try:
        return borrowed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
    except OSError:
        return False
    finally:
        borrowed.detach()
        if socket.getdefaulttimeout() is not None:  # which Python gave the borrowed one, too
            os.set_blocking(descriptor, blocking)


def _listening_objects() -> frozenset[int]:
    """The same where descriptors can't be listed (Windows): among the sockets of Python alone."""
    found = set()
    for candidate in gc.get_objects():
        # Not by `isinstance`, which has lazy objects, as Django's, look for what they stand for.
        if issubclass(type(candidate), socket.socket):
            try:
                if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.add(candidate.fileno())
            except OSError:  # closed, or of a kind that doesn't listen
                continue
    return frozenset(found)


def _is_reloader_parent(modules: set[str]) -> bool:
    return "werkzeug._reloader" in modules and os.environ.get("WERKZEUG_RUN_MAIN") != "true"


def _is_supervisor(modules: set[str]) -> bool:
    """Whether uvicorn watches children here; what a child runs began in the same module."""
    return _any_below(modules, ("uvicorn.supervisors",)) and "uvicorn.server" not in modules


def _is_spawner(modules: set[str]) -> bool:
    return "gunicorn.arbiter" in modules and not _any_below(modules, ("gunicorn.workers",))


def _is_starting(calls: list[tuple[str, str]]) -> bool:
    """Whether gunicorn still prepares this worker, as by having gevent change Python's modules."""
    for module, function in calls:
        if function == "run":
            return False
        if function == "init_process" and _any_below({module}, ("gunicorn.workers",)):
            return True
    return False


def _embedded() -> bool:
    return any(name in sys.modules for name in _EMBEDS_PYTHON)


def _any_below(modules: set[str], packages: tuple[str, ...]) -> bool:
    return any(
        module == package or module.startswith(package + ".")
        for module in modules
        for package in packages
    )


def _main_thread() -> FrameType | None:
    main = threading.main_thread().ident
    return sys._current_frames().get(main) if main is not None else None  # noqa: SLF001 - as above


def _calls(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    """The modules and functions at work, the innermost first."""
    while frame is not None:
        yield str(frame.f_globals.get("__name__")), frame.f_code.co_name
        frame = frame.f_back
