"""`wamp-bridge register`: a procedure served by a command."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

import click

from wamp_bridge.core import (
    ApplicationError,
    InvocationDetails,
    Invoke,
    Match,
    Registry,
    current_details,
    current_request,
)
from wamp_bridge_server.cli._asking import asking, check_name, settings_of, value, written
from wamp_bridge_server.cli._failures import Refusal
from wamp_bridge_server.cli._serving import FOR_CALLBACKS, LEASE_SECONDS, Serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge.core import Bridge

_LOOK_SECONDS = 0.2


class _Runner:
    """Runs a command for each call."""

    def __init__(self, line: Sequence[str], *, with_arguments: bool) -> None:
        self._line = line
        self._with_arguments = with_arguments
        self._closed = threading.Event()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        details = current_details()
        assert isinstance(details, InvocationDetails)  # noqa: S101 - what a procedure's is told
        call = {"procedure": details.procedure, "args": args, "kwargs": kwargs}
        line = [*self._line, *(map(_argument, args) if self._with_arguments else ())]
        try:
            process = subprocess.Popen(  # noqa: S603 - what the user asked for
                line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # also an argument that none can be
            reason = error.strerror if isinstance(error, OSError) else error
            text = f"{line[0]} can't be run: {reason}"
            raise ApplicationError("wamp.error.runtime_error", text) from error
        try:
            out = self._spoken(process, written(call).encode(), details.deadline)
        finally:
            _kill(process)
        if process.returncode:
            text = f"{self._line[0]} ended with status {process.returncode}"
            raise ApplicationError("wamp.error.runtime_error", text, *_said(out))
        return next(iter(_said(out)), None)

    def _spoken(
        self, process: subprocess.Popen[bytes], call: bytes, deadline: float | None
    ) -> bytes:
        """What a process has printed when it and all that it started are through.

        Raises:
            ApplicationError: Nobody waits for it any more.
        """
        connection, given = current_request(), call
        while True:
            try:
                return process.communicate(given, timeout=_LOOK_SECONDS)[0]
            except subprocess.TimeoutExpired:
                given = b""  # it has it, or gets the rest of it
                late = deadline is not None and time.time() > deadline
                if late or self._closed.is_set() or _is_closed(connection):
                    text = f"{self._line[0]} was ended"
                    raise ApplicationError("wamp.error.unavailable", text) from None

    def close(self) -> None:
        """End what is running."""
        self._closed.set()


def _is_closed(connection: Any) -> bool:
    if not isinstance(connection, socket.socket):
        return False
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started; nothing where it was waited for."""
    if process.returncode is None:  # so that its number is nobody else's
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with process:
        pass


def _said(out: bytes) -> list[Any]:
    """What a command has printed; nothing is nothing.

    JSON, or text without its last line's end, or what is no text as it is.
    """
    if not out:
        return []
    try:
        text = out.decode().removesuffix("\n")
    except UnicodeDecodeError:
        return [out]
    if text.startswith("\0"):  # for which there is no text in WAMP's JSON
        return [out]
    return [value(text)] if text else []


def _argument(argument: Any) -> str:
    return argument if isinstance(argument, str) else written(argument)


@click.command("register")
@click.argument("procedure")
@click.argument("line", metavar="-- COMMAND [ARG]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--match", type=click.Choice(get_args(Match)), default="exact", show_default=True)
@click.option("--invoke", type=click.Choice(get_args(Invoke)), default="single", show_default=True)
@click.option(
    "--concurrency", type=click.IntRange(1), default=4, show_default=True, help="Calls at once."
)
@click.option("--argv", is_flag=True, help="Give positional arguments to the command, too.")
@FOR_CALLBACKS[0]
@FOR_CALLBACKS[1]
@asking
def command(
    procedure: str,
    line: tuple[str, ...],
    match: Match,
    invoke: Invoke,
    concurrency: int,
    listen: str,
    callback_url: str | None,
    *,
    argv: bool,
    **who: Any,
) -> None:
    """Serve a WAMP procedure by a command, through a running bridge, until Ctrl-C.

    The command gets the call on standard input, as {"procedure", "args", "kwargs"} in JSON; what it
    prints is the result: JSON, or a text, or bytes where it is no UTF-8. An exit status other than
    0 is an error. It is killed when nobody waits for it any more. No shell is between: say `sh -c
    '...'` for one.
    """
    if not line:
        raise Refusal("there is no command: wamp-bridge register PROCEDURE -- COMMAND [ARG]...")
    check_name(procedure, match)
    settings = settings_of(**who)
    runner = _Runner(line, with_arguments=argv)
    registry = Registry()
    registry.rpc(procedure, match=match)(runner)
    serving = Serving(settings, registry, listen, callback_url, runner.close)

    def hold(bridge: Bridge, url: str) -> Any:
        options = {"match": match, "invoke": invoke, "concurrency": concurrency}
        return bridge.register({procedure: {"url": url, **options}}, lease=LEASE_SECONDS)

    def release(bridge: Bridge, url: str) -> object:
        return bridge.unregister({procedure: url}, match=match)

    serving.run(settings, serving.url("rpc", procedure), hold, release)
