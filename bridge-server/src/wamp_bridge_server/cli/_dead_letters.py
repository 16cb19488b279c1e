"""`wamp-bridge dead-letters`: an app's dead letters at a running bridge."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import click

from wamp_bridge.core import Bridge, BridgeError, ConfigurationError, Conflict
from wamp_bridge_server.cli._failures import Failure, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wamp_bridge.core import DeadLetter, DeadLetterFilter

_BITE = 500
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Moment(click.ParamType[float]):
    """A date and time, or a span of time before now."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        span = re.fullmatch(r"(\d{1,9})([smhd])", str(value))
        if span is not None:
            return time.time() - int(span[1]) * _UNITS[span[2]]
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("is neither a span, as 90m, 2h or 7d, nor an ISO date and time", param, ctx)
        return (moment if moment.tzinfo is not None else moment.astimezone()).timestamp()


_MOMENT = _Moment()
_FILTER = (
    click.option("--endpoint", metavar="ID", help="Of this subscription."),
    click.option("--uri", help="Of this topic or procedure."),
    click.option("--since", type=_MOMENT, help="Came then or later: 2h, 7d, an ISO date."),
    click.option("--until", type=_MOMENT, help="Came before."),
    click.option("--error", metavar="TEXT", help="With this in the last error."),
)


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTER):
        command = option(command)
    return command


@click.group("dead-letters")
def command() -> None:
    """See to what could not be delivered to an app.

    Asks a running bridge as the app: WAMP_BRIDGE_URL, and WAMP_BRIDGE_TOKEN, or WAMP_BRIDGE_APP and
    WAMP_BRIDGE_SECRET, say where and who.
    """


@command.command("list")
@_filtered
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(limit: int, *, as_json: bool, **chosen: Any) -> None:
    """List dead letters, the oldest first."""
    with _bridge() as bridge, _failing():
        letters = bridge.dead_letters(**_chosen(chosen, limit))
        total = len(letters) if len(letters) < limit else _count(bridge, chosen)
    for letter in letters:
        click.echo(_as_json(letter) if as_json else _line(letter))
    if not as_json:
        shown = "" if total == len(letters) else f", {len(letters)} shown"
        click.echo(f"{total} dead letter{'' if total == 1 else 's'}{shown}", err=True)


@command.command("replay")
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@_filtered
@click.option("--all", "every", is_flag=True, help="All of them.")
def replay(identifiers: tuple[str, ...], *, every: bool, **chosen: Any) -> None:
    """Send dead letters again: those with an ID, those that are chosen, or all."""
    _check_chosen(identifiers, chosen, every=every)
    with _bridge() as bridge, _failing():
        total = len(identifiers) or _count(bridge, chosen)
        done = _each("Replaying", total, identifiers, chosen, bridge.replay_dead_letters)
    click.echo(f"{done} of {total} replayed")
    if done < total:
        raise Failure(f"{total - done} are left: the app has nobody any more whom they are for")


@command.command("purge")
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@_filtered
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def purge(identifiers: tuple[str, ...], *, every: bool, yes: bool, **chosen: Any) -> None:
    """Delete dead letters for good: those with an ID, those that are chosen, or all."""
    _check_chosen(identifiers, chosen, every=every)
    with _bridge() as bridge, _failing():
        total = len(identifiers) or _count(bridge, chosen)
        if total and not yes:
            click.confirm(f"Delete {total} for good?", abort=True, err=True)
        done = _each("Deleting", total, identifiers, chosen, bridge.delete_dead_letters)
    click.echo(f"{done} of {total} deleted")


def _each(
    label: str,
    total: int,
    identifiers: tuple[str, ...],
    chosen: dict[str, Any],
    act: Callable[..., int],
) -> int:
    """Do it to each that is meant, and show how far it is; how many were done."""
    done = 0
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        for identifier in identifiers:
            done += act(identifier)
            bar.update(1)
        while not identifiers and done < total:
            try:
                number = act(**_chosen(chosen, min(_BITE, total - done)))
            except Conflict:
                break  # what is left is for nobody any more
            if not number:
                break
            done += number
            bar.update(number)
    return done


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except BridgeError as error:
        raise Failure(str(error)) from error


def _count(bridge: Bridge, chosen: dict[str, Any]) -> int:
    return bridge.count_dead_letters(**_chosen(chosen))


def _chosen(options: dict[str, Any], limit: int | None = None) -> DeadLetterFilter:
    return cast("DeadLetterFilter", {**options, "limit": limit})


def _check_chosen(identifiers: tuple[str, ...], chosen: dict[str, Any], *, every: bool) -> None:
    filtered = any(value is not None for value in chosen.values())
    if bool(identifiers) + filtered + every != 1:
        raise click.UsageError(
            "Name dead letters by their IDs, choose some by options, or say --all"
        )


def _bridge() -> Bridge:
    try:
        return Bridge()
    except ConfigurationError as error:
        raise Refusal(str(error)) from error


def _line(letter: DeadLetter) -> str:
    came = datetime.fromtimestamp(letter.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = letter.endpoint or letter.callback
    return f"{letter.id}  {came}  {letter.type}  {letter.uri}  {where}  {letter.error}"


def _as_json(letter: DeadLetter) -> str:
    return json.dumps(asdict(letter))
