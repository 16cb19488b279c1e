"""What an app may name: URIs, callback URLs, options. Each check says what is wrong and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import urlsplit

from wamp_bridge.core import InvalidURI, check_uri
from wamp_bridge_server.backends.base import CancelMode, Invoke, Match
from wamp_bridge_server.config import DELIVERY_CHECKS
from wamp_bridge_server.config.checks import Wrong
from wamp_bridge_server.errors import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wamp_bridge_server.callbacks.destinations import Destinations
    from wamp_bridge_server.store.records import Kind

MAX_URL_LENGTH = 2048
MAX_URI_LENGTH = 1024
MAX_CONCURRENCY = 10_000
MIN_LEASE_SECONDS, MAX_LEASE_SECONDS = 1.0, 86_400.0
MAX_CALL_SECONDS = 86_400.0

_AUTHORITY = re.compile(r"[^][]*|\[[^][]*\](:[0-9]*)?")
_UNWRITTEN = re.compile(r"[^!-~]|\\")

MATCHES: frozenset[str] = frozenset(get_args(Match))
INVOKES: frozenset[str] = frozenset(get_args(Invoke))


@dataclass(frozen=True, slots=True)
class Wish:
    """An endpoint that an app asks for, checked by `wish`."""

    kind: Kind
    uri: str
    match: Match
    url: str
    options: dict[str, Any]


def wish(kind: Kind, uri: str, url: str, match: str | None, options: dict[str, Any]) -> Wish:
    """An endpoint as asked for, with its options of None left out.

    Raises:
        Unprocessable: Something of it isn't allowed; names the URI that it was asked for.
    """
    matched = checked_match(uri, match)
    checked_uri(uri, matched)
    checked_url(url, f'the callback of "{uri}"')
    given = {name: value for name, value in options.items() if value is not None}
    if kind == "topic":
        _check_deliveries(uri, given)
    if "invoke" in given and given["invoke"] not in INVOKES:
        raise Unprocessable(f'The "invoke" of "{uri}" must be one of {", ".join(sorted(INVOKES))}.')
    if "concurrency" in given and not 1 <= given["concurrency"] <= MAX_CONCURRENCY:
        raise Unprocessable(f'The "concurrency" of "{uri}" must be 1 to {MAX_CONCURRENCY}.')
    if "timeout" in given and not 0 < given["timeout"] <= MAX_CALL_SECONDS:
        raise Unprocessable(
            f'The "timeout" of "{uri}" must be seconds above 0, at most {MAX_CALL_SECONDS:.0f}.'
        )
    return Wish(kind, uri, matched, url, given)


def _check_deliveries(uri: str, given: Mapping[str, Any]) -> None:
    """Check what a subscription says of its deliveries; as the configuration of its app would."""
    for name, check in DELIVERY_CHECKS.items():
        if name in given:
            try:
                check(given[name])
            except Wrong as wrong:
                raise Unprocessable(f'The "{name}" of "{uri}" {wrong}.') from None


def checked_match(uri: str, match: str | None) -> Match:
    """The way to match, exact where nothing is said.

    Raises:
        Unprocessable: There is no such way.
    """
    if match is None:
        return "exact"
    if match not in MATCHES:
        raise Unprocessable(f'The "match" of "{uri}" must be exact, prefix or wildcard.')
    return cast("Match", match)


def checked_uri(uri: str, match: Match = "exact") -> str:
    """A WAMP URI or pattern that every router takes (WAMP, section 5.1).

    Raises:
        Unprocessable: Routers drop the whole session for such a one.
    """
    if len(uri) > MAX_URI_LENGTH:
        raise Unprocessable(f"A WAMP URI has at most {MAX_URI_LENGTH} characters here.")
    try:
        check_uri(uri, match)
    except InvalidURI as error:
        raise Unprocessable(f"No valid WAMP URI: {error}.") from None
    return uri


def checked_url(url: str, what: str) -> str:
    """A URL that the bridge may post to, as far as its text tells.

    Raises:
        Unprocessable: It isn't one; `what` says in the text which URL of the request it was.
    """
    problem = _problem_of(url)
    if problem is not None:
        raise Unprocessable(f"The URL of {what} {problem}.")
    return url


def checked_destination(url: str, what: str, destinations: Destinations) -> str:
    """A URL that `checked_url` took, and that may be called as far as its text tells.

    Raises:
        Unprocessable: It may not; `what` says in the text which URL of the request it was.
    """
    problem = destinations.refusal(url)
    if problem is not None:
        raise Unprocessable(f"The URL of {what} {problem}.")
    return url


def _problem_of(url: str) -> str | None:
    if len(url) > MAX_URL_LENGTH:
        return f"has more than {MAX_URL_LENGTH} characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no valid URL"
    problems = {
        "holds a backslash, or what is written as %XX": _UNWRITTEN.search(url),
        "must begin with http:// or https://": parts.scheme not in {"http", "https"},
        "names no host and port that can be connected to": not host or port == 0,
        "must not hold a user name or password": "@" in parts.netloc,
        "has brackets around more than an address": not _AUTHORITY.fullmatch(parts.netloc),
        "must not hold a fragment": "#" in url,
    }
    return next((text for text, found in problems.items() if found), None)


def checked_lease(seconds: float | None) -> float | None:
    """A lease in seconds, None where the endpoint is to stay.

    Raises:
        Unprocessable: It is too short or too long.
    """
    if seconds is not None and not MIN_LEASE_SECONDS <= seconds <= MAX_LEASE_SECONDS:
        raise Unprocessable(
            f'"lease" must be {MIN_LEASE_SECONDS:.0f} to {MAX_LEASE_SECONDS:.0f} seconds.'
        )
    return seconds


def checked_cancel_mode(mode: str) -> CancelMode:
    """How a call is cancelled.

    Raises:
        Unprocessable: There is no such mode.
    """
    for known in get_args(CancelMode):
        if mode == known:
            return cast("CancelMode", known)
    raise Unprocessable('A call is cancelled by the mode "skip", "kill" or "killnowait".')


def checked_timeout(seconds: float | None, default: float) -> float:
    """How long a call may take, in seconds.

    Raises:
        Unprocessable: It isn't above 0, or too long.
    """
    if seconds is None:
        return default
    if not 0 < seconds <= MAX_CALL_SECONDS:
        raise Unprocessable(f'"timeout" must be seconds above 0, at most {MAX_CALL_SECONDS:.0f}.')
    return seconds
