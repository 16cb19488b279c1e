"""What a fake bridge has given up to deliver, for an app to list, to replay and to delete."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl

from wamp_bridge.core._dead_letters import DeadLetter
from wamp_bridge.core._errors import NotFound, Unprocessable
from wamp_bridge.core._uris import check_uri, unescape_segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge.core._requests import Outgoing

_PAGE: Final = 100
_KNOWN: Final = frozenset({"endpoint", "uri", "since", "until", "error", "limit", "cursor"})


class KeptDeadLetters:
    """Dead letters, kept as a bridge keeps them (protocol, section 3), and what became of them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._dead: list[DeadLetter] = []
        self._replayed: list[DeadLetter] = []
        self._ids = (f"msg_dead_{number}" for number in itertools.count(1))

    @property
    def kept_dead_letters(self) -> list[DeadLetter]:
        """The dead letters that the app has neither replayed nor deleted, the oldest first."""
        with self._guard:
            return list(self._dead)

    @property
    def replayed_dead_letters(self) -> list[DeadLetter]:
        """Those that it has replayed, in that order.

        Nothing is sent by itself: `deliver_event(..., delivery_id=letter.id)` is what a bridge
        would then do.
        """
        with self._guard:
            return list(self._replayed)

    def keep_dead_letter(
        self,
        uri: str,
        *,
        type: Literal["event", "result", "error"] = "event",  # noqa: A002 - its name in `DeadLetter`
        endpoint: str = "sub_1",
        callback: str | None = None,
        created_at: float | None = None,
        attempts: int = 8,
        last_status: int | None = 500,
        error: str = "the app answered with status 500",
    ) -> DeadLetter:
        """Have a delivery that the bridge has given up, for the app to find.

        Args:
            uri: The whole topic as it was subscribed, or the procedure whose outcome it is.
            type: What couldn't be delivered.
            endpoint: The id of the subscription that an event was for.
            callback: The URL that an outcome was for.
            created_at: Unix time at which it came; now if left out.
            attempts: How many were made.
            last_status: The HTTP status of the last answer; None where there was none.
            error: Why it was given up.

        Raises:
            InvalidURI: The URI is none.
        """
        check_uri(uri)
        came = time.time() if created_at is None else created_at
        is_event = type == "event"
        with self._guard:
            letter = DeadLetter(
                id=next(self._ids),
                type=type,
                uri=uri,
                endpoint=endpoint if is_event else None,
                callback=None if is_event else callback,
                created_at=came,
                dead_at=came,
                attempts=attempts,
                last_status=last_status,
                error=error,
                size=2,
            )
            self._dead.append(letter)
            self._dead.sort(key=lambda each: each.created_at)
        return letter

    def answer_dead_letters(
        self, request: Outgoing, members: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any] | None]:
        """The status and the document that answer a request.

        Raises:
            NotFound: There is no such dead letter.
            Unprocessable: The filter has an unknown name.
        """
        path, _, query = request.path.partition("?")
        identifier, _, action = path.removeprefix("dead-letters/").strip("/").rpartition("/")
        if request.method == "POST":
            asked = members if not identifier else {"id": unescape_segment(identifier)}
            return 202, {"replayed": len(self._taken(asked, self._replayed)), "left": 0}
        if request.method == "DELETE" and action:
            self._taken({"id": unescape_segment(action)}, [])
            return 204, None
        asked = dict(parse_qsl(query))
        if request.method == "DELETE":
            return 200, {"deleted": len(self._taken(asked, []))}
        return 200, self._page(asked)

    def _page(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        with self._guard:
            meant = _meant(self._dead, asked)
        first = int(asked.get("cursor", 0))
        end = first + int(asked.get("limit", _PAGE))
        return {
            "dead_letters": [dataclasses.asdict(letter) for letter in meant[first:end]],
            "cursor": str(end) if end < len(meant) else None,
            "total": len(meant),
        }

    def _taken(self, asked: Mapping[str, Any], into: list[DeadLetter]) -> list[DeadLetter]:
        """Those that are meant, which are none of the dead any more."""
        with self._guard:
            limit = asked.get("limit")
            taken = _meant(self._dead, asked)[: None if limit is None else int(limit)]
            if "id" in asked and not taken:
                raise NotFound.explained(f'This app has no dead letter "{asked["id"]}".')
            self._dead = [letter for letter in self._dead if letter not in taken]
            into.extend(taken)
        return taken


def _meant(letters: list[DeadLetter], asked: Mapping[str, Any]) -> list[DeadLetter]:
    if unknown := sorted(asked.keys() - _KNOWN - {"id"}):
        raise Unprocessable.explained(f'"{unknown[0]}" is nothing to choose dead letters by.')
    return [
        letter
        for letter in letters
        if asked.get("id", letter.id) == letter.id
        and asked.get("endpoint", letter.endpoint) == letter.endpoint
        and asked.get("uri", letter.uri) == letter.uri
        and float(asked.get("since", letter.created_at)) <= letter.created_at
        and ("until" not in asked or letter.created_at < float(asked["until"]))
        and str(asked.get("error", "")).lower() in (letter.error or "").lower()
    ]
