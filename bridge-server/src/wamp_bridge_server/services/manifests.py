"""A source's manifest: asked for, read, and what endpoints it makes (protocol, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec

from wamp_bridge_server.callbacks import envelopes
from wamp_bridge_server.callbacks.sender import Failure, SendError
from wamp_bridge_server.errors import BadSource, SourceTimeout, Unprocessable
from wamp_bridge_server.identifiers import new_id
from wamp_bridge_server.services.barring import barred
from wamp_bridge_server.services.checks import Wish, wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.callbacks.sender import Answer, Sender
    from wamp_bridge_server.services.apps import App
    from wamp_bridge_server.store import Kind

TIMEOUT_SECONDS = 3.0
PROTOCOL = 1


class _Entry(msgspec.Struct, frozen=True):
    """One procedure or topic. Members that a later version adds are no error."""

    url: str
    match: str | None = None


class Procedure(_Entry, frozen=True):
    """What a manifest says of a procedure."""

    invoke: str | None = None
    concurrency: int | None = None
    timeout: float | None = None


class Topic(_Entry, frozen=True):
    """What a manifest says of a topic."""

    ordered: bool | None = None
    get_retained: bool | None = None
    concurrency: int | None = None
    fanout: bool | None = None
    schedule: list[float] | None = None
    timeout: float | None = None
    dead_letters: float | None = None


class Manifest(msgspec.Struct, frozen=True):
    """What a dispatcher serves."""

    protocol: int
    procedures: dict[str, Procedure] = {}
    topics: dict[str, Topic] = {}
    callbacks: list[str] = []


@dataclass(frozen=True, slots=True)
class Wanted:
    """An endpoint that a manifest names; `barred` says why the app may not have it."""

    wish: Wish
    barred: str | None = None


_decoder = msgspec.json.Decoder(Manifest)


async def read(sender: Sender, app: App, source: str) -> Manifest:
    """Ask a source for its manifest.

    Raises:
        BadSource: It could not be reached, or answers with no valid manifest.
        SourceTimeout: It did not answer in time.
    """
    try:
        answer = await sender.post(
            app.name,
            source,
            envelopes.manifest(source),
            message=new_id("msg"),
            attempt=1,
            within=TIMEOUT_SECONDS,
        )
    except SendError as error:
        if error.failure is Failure.LATE:
            raise SourceTimeout(
                f"The source did not answer its manifest within {TIMEOUT_SECONDS:.0f} s. "
                "Is all of the app waiting for this request?"
            ) from error
        raise BadSource(f"The source could not be reached: {error.failure.value}.") from error
    return _decoded(answer)


def wanted(manifest: Manifest, app: App, source: str, room: int) -> list[Wanted]:
    """The endpoints that a manifest names, each with the reason where the app may not have it.

    Raises:
        BadSource: There are more than there is room for, or one of them can't be.
    """
    if len(manifest.procedures) + len(manifest.topics) > room:
        raise BadSource(
            f"The source's manifest names more than {room} endpoints, which is all that its app "
            f"may have beside what else it has."
        )
    try:
        return [
            *_wanted("procedure", app, source, manifest.procedures),
            *_wanted("topic", app, source, manifest.topics),
        ]
    except Unprocessable as error:
        raise BadSource(f"The source's manifest is not valid: {error.detail}") from error


def _decoded(answer: Answer) -> Manifest:
    if not answer.accepted:
        raise BadSource(
            f"The source answered its manifest with status {answer.status}. Is the dispatcher "
            "mounted at this URL, with this app's secret?"
        )
    try:
        manifest = _decoder.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadSource(
            "The source answered, but not with a manifest. Is the dispatcher mounted at this URL?"
        ) from None
    if answer.truncated or manifest.protocol != PROTOCOL:
        raise BadSource(f"The source's manifest is not one of protocol {PROTOCOL}.")
    return manifest


def _wanted(
    kind: Kind, app: App, source: str, entries: Mapping[str, Procedure] | Mapping[str, Topic]
) -> list[Wanted]:
    found = []
    for uri, entry in entries.items():
        options: dict[str, Any] = msgspec.structs.asdict(entry)
        url, match = _joined(source, options.pop("url"), uri), options.pop("match")
        wished = wish(kind, uri, url, match, options)
        found.append(Wanted(wished, barred(app, kind, uri, wished.match, url)))
    return found


def _joined(source: str, url: str, uri: str) -> str:
    try:
        return urljoin(source, url)
    except ValueError:
        raise Unprocessable(f'The URL of "{uri}" is no valid URL.') from None
