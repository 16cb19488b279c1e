"""`wamp-bridge publish`: an event from the command line."""

from __future__ import annotations

from typing import Any

import click

from wamp_bridge_server.cli._asking import asked, asking, named, put, settings_of, values


@click.command("publish")
@click.argument("topic")
@click.argument("arguments", metavar="[ARG]...", nargs=-1)
@click.option("-k", "keywords", metavar="NAME=VALUE", multiple=True, help="A keyword argument.")
@click.option(
    "-o", "options", metavar="NAME=VALUE", multiple=True, help="WAMP's, as -o retain=true."
)
@asking
def command(
    topic: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    options: tuple[str, ...],
    **who: Any,
) -> None:
    """Publish a WAMP event through a running bridge, and print the publication's id.

    An ARG and a VALUE are JSON, or a text where they are none.
    """
    args, kwargs, chosen = values(arguments), named(keywords), named(options)
    with asked(settings_of(**who)) as bridge:
        publication = bridge.publish(topic, args, kwargs, options=chosen)
        if publication is not None:
            put(publication)
