"""`wamp-bridge call`: a call from the command line."""

from __future__ import annotations

from typing import Any

import click

from wamp_bridge_server.cli._asking import asked, asking, named, put, settings_of, values


@click.command("call")
@click.argument("procedure")
@click.argument("arguments", metavar="[ARG]...", nargs=-1)
@click.option("-k", "keywords", metavar="NAME=VALUE", multiple=True, help="A keyword argument.")
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="How long the call may take. [default: 10]"
)
@click.option("--full", is_flag=True, help='Print {"args": [...], "kwargs": {...}}.')
@asking
def command(
    procedure: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    timeout: float | None,
    *,
    full: bool,
    **who: Any,
) -> None:
    """Call a WAMP procedure through a running bridge, and print its result as JSON.

    An ARG and a VALUE are JSON, or a text where they are none. The exit status is 1 where the call
    fails; standard error then has the error.
    """
    args, kwargs = values(arguments), named(keywords)
    with asked(settings_of(**who)) as bridge:
        result = bridge.call(procedure, args, kwargs, timeout=timeout, full=True)
        put({"args": result.args, "kwargs": result.kwargs} if full else result.value)
