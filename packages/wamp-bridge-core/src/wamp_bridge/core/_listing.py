"""What the bridge holds for an app, as tables for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wamp_bridge.core._client import Bridge
    from wamp_bridge.core._holdings import Registration, Subscription

_GAP = "  "


def listing(bridge: Bridge) -> str:
    """The app's sources, registrations and subscriptions, for the commands of adapters.

    Raises:
        BridgeError: The bridge doesn't say.
    """
    sources = [(source.url, source.state, source.reason or "") for source in bridge.sources()]
    return "\n\n".join(
        [
            _table(("SOURCE", "STATE", "REASON"), sources),
            _endpoints("PROCEDURE", bridge.registrations()),
            _endpoints("TOPIC", bridge.subscriptions()),
        ]
    )


def _endpoints(kind: str, held: Sequence[Registration] | Sequence[Subscription]) -> str:
    rows = [(each.uri, each.match, each.state, each.url, each.reason or "") for each in held]
    return _table((kind, "MATCH", "STATE", "URL", "REASON"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return f"no {head[0].lower()}"
    lines = [head, *sorted(rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
