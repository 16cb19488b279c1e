"""Runs a router and ends it with its parent; a program: `python supervisor.py COMMAND...`.

The parent holds the other end of our standard input: its end of file is the parent's death,
however it died. The router and the workers it starts are one process group, which we end as a
whole; should we ourselves be killed, Linux ends the router for us. Standard output says the
router's process group.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

GRACE = 5.0
"""Seconds that the router gets to end by itself."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the router and its workers, also when they are stopped."""
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        _signal_group(child.pid, signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()
    # Workers whose parent is gone are ours to bury; only then is their port free for certain.
    deadline = time.monotonic() + GRACE
    while _bury() and time.monotonic() < deadline:
        time.sleep(0.01)


def _bury() -> bool:
    """Take notice of children that ended; whether there are others still."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def main(command: list[str]) -> int:
    """Run `command` until it ends or the parent is gone; its exit status."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # The terminal's Ctrl-C and a polite end reach the parent too, which then closes our input.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = subprocess.Popen(  # noqa: S603 - the parent's command
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        start_new_session=True,
        restore_signals=True,
        preexec_fn=_prepare,  # noqa: PLW1509 - this program has one thread
    )
    os.write(1, f"{child.pid}\n".encode())
    try:
        while child.poll() is None:
            ready, _, _ = select.select([0, ended], [], [])
            if 0 in ready and not os.read(0, 4096):
                break
            if ended in ready:
                os.read(ended, 4096)
    finally:
        _end(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _prepare() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
