"""Everything that reads what others wrote, each fed any octets: nothing but its own refusal comes.

Where two read the same, they must agree; what was read and can be written is read the same again.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from yarl import URL

from support.fuzzing.tape import Tape
from support.sample_app import DISPATCHER, SECRET
from wamp_bridge.core import (
    EnvelopeError,
    InvalidJSON,
    InvalidURI,
    InvalidValue,
    VerificationError,
    WebhookSigner,
    check_uri,
    loads,
    parse_envelope,
)
from wamp_bridge.core._event_streams import Reader
from wamp_bridge.core.testing import signed_request
from wamp_bridge_server.backends.base import Undeliverable, WampError
from wamp_bridge_server.backends.values import check_arguments
from wamp_bridge_server.backends.wamp.codec import Codec
from wamp_bridge_server.callbacks.answers import RESULT_TYPE, result_of
from wamp_bridge_server.callbacks.destinations import Destinations, Own
from wamp_bridge_server.callbacks.schedule import asked_wait
from wamp_bridge_server.callbacks.sender import Answer
from wamp_bridge_server.config import ConfigError, callback_rule, parse
from wamp_bridge_server.config.checks import Wrong
from wamp_bridge_server.errors import BadSource, Malformed, Unprocessable
from wamp_bridge_server.http import bodies, structured
from wamp_bridge_server.http.authorities import Authorities, is_loopback
from wamp_bridge_server.http.crossbar_query import BadQuery, signed_query
from wamp_bridge_server.http.forms import FORMS
from wamp_bridge_server.http.idempotency import MAX_KEY_LENGTH, idempotency_key
from wamp_bridge_server.http.paging import page
from wamp_bridge_server.http.signatures import BadSignature, Parts, claimed, verify
from wamp_bridge_server.services import manifests
from wamp_bridge_server.services.checks import checked_uri, checked_url
from wamp_bridge_server.values import BadBinary, BadText, NotJson, encode_json, load_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW = 1_700_000_000
_KEY = hmac.new(bytes(32), digestmod="sha256")
_CODECS = [Codec(name) for name in ("cbor", "msgpack", "json")]
_BODIES: tuple[Any, ...] = (
    *(bodies.Register, bodies.Subscribe, bodies.TakeBack, bodies.Call, bodies.Publish),
    *(bodies.Announce, bodies.Withdraw, bodies.Heartbeat, bodies.CancelCall, bodies.SignUrl),
)
_AUTHORITIES = Authorities(["https://bridge.example"])
_RULES = ("127.0.0.1:*", "app.example:8000", "[fd00::]/8:*", "10.0.0.0/8:443")
_OWN = Own([("router.example", 8080), ("10.0.0.1", 8080)])
_DESTINATIONS = (
    Destinations(None, _OWN),
    Destinations([callback_rule(rule) for rule in _RULES], _OWN),
    Destinations([callback_rule("0.0.0.0/0:*"), callback_rule("[::]/0:*")], _OWN),
)


def _lines(octets: bytes) -> list[str]:
    """Header lines as the HTTP parser hands them on."""
    return octets.decode("utf-8", "surrogateescape").split("\n")


def structured_fields(octets: bytes) -> None:
    """Dictionaries, as in Signature-Input."""
    with suppress(structured.NotStructured):
        members = structured.dictionary(_lines(octets))
        for member in members.values():
            structured.parameters(member.parameters)
            structured.string(member.item)
        written = [
            f"{key}{'=' * bool(member.inner_list or member.item)}{''.join(member)}"
            for key, member in members.items()
        ]
        assert structured.dictionary(written) == members


def signatures(octets: bytes) -> None:
    """Signature-Input, Signature and Content-Digest."""
    given, signature, digest, *_ = [*_lines(octets), "", ""]
    with suppress(BadSignature):
        signed = claimed([given], [signature], NOW)
        if signed is not None:
            headers = {"content-digest": [digest], "content-type": []}
            verify(signed, Parts("POST", "/", "h", headers, octets), [_KEY])
            raise AssertionError("forged")


def crossbars_query(octets: bytes) -> None:
    """The query of Crossbar's clients."""
    with suppress(BadQuery):
        query = signed_query("/call?" + octets.decode("utf-8", "surrogateescape"), NOW)
        assert query is None or not query.matches(_KEY, octets)


def json_values(octets: bytes) -> None:
    """JSON as the bridge and as the SDK read it."""
    read: list[Any] = []
    for reader in (load_json, loads):
        try:
            read.append(reader(octets))
        except (BadText, BadBinary, InvalidJSON, InvalidValue):
            read.append(InvalidJSON)
    ours, theirs = read
    if ours is InvalidJSON and b"\\u" in octets:
        return  # half a character, and maybe in a member that comes twice: one of them is dropped
    if ours is InvalidJSON or theirs is InvalidJSON:
        assert ours is theirs
        return
    assert repr(ours) == repr(theirs)
    with suppress(NotJson):
        assert repr(load_json(encode_json(to_json([ours])))) == repr([ours])
    with suppress(Undeliverable):
        check_arguments([ours], {"a": ours})


def uris(octets: bytes) -> None:
    """WAMP's URIs."""
    uri = octets.decode("utf-8", "surrogateescape")
    for match in ("exact", "prefix", "wildcard"):
        with suppress(InvalidURI):
            check_uri(uri, match)
    with suppress(Unprocessable):
        assert not any(letter.isspace() for letter in checked_uri(uri))


def request_bodies(octets: bytes) -> None:
    """The bodies of requests, each kind, in each form; what is read is written and read again."""
    for form in FORMS:
        with suppress(Malformed, Unprocessable):
            form.token(octets)
        for kind in _BODIES:
            with suppress(Malformed, Unprocessable):
                form.read(octets, kind)
        with suppress(Malformed, Unprocessable, NotJson):  # MessagePack lacks big integers
            document = form.values(form.read(octets, dict[str, Any]), octets, "it")
            for other in FORMS:
                written = other.write(other.writable(document))
                assert other.values(other.read(written, dict[str, Any]), written, "") == document


def envelopes(octets: bytes) -> None:
    """What the bridge posts to an app, signed, as far as to its handler."""
    with suppress(EnvelopeError, InvalidJSON, InvalidValue):
        envelope = parse_envelope(octets)
        assert parse_envelope(envelope.to_json()) == envelope
    tape = Tape(octets[:2])
    path = tape.pick(("", "rpc/com.shop.echo/", "pub/x/", "callback/x/", "rpc/%FF/", "rpc/~/", "x"))
    answer = DISPATCHER.dispatch(signed_request(octets, secrets=[SECRET], path=path))
    assert 200 <= answer.status < 500, answer


def webhooks(octets: bytes) -> None:
    """The headers of callbacks."""
    message, timestamp, signature, *_ = [*_lines(octets), "", "", ""]
    headers = {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    with suppress(VerificationError):
        WebhookSigner([SECRET]).verify(headers, b"{}", NOW)
        raise AssertionError("forged")


def answers(octets: bytes) -> None:
    """What apps answer to invocations."""
    tape = Tape(octets[:2])
    status, full = (
        tape.pick((200, 204, 302, 400, 404, 429, 503)),
        tape.pick(("text/html", RESULT_TYPE)),
    )
    try:
        result = result_of(Answer(status, full, octets[2:]))
        args, kwargs = result.args, result.kwargs
    except WampError as error:
        checked_uri(error.uri)
        args, kwargs = error.wamp_args, error.wamp_kwargs
    with suppress(Undeliverable):
        check_arguments(args, kwargs)


def source_manifests(octets: bytes) -> None:
    """Manifests, and the URLs in them."""
    with suppress(BadSource, Unprocessable):
        manifest = manifests._decoded(Answer(200, "application/json", octets))
        for uri, entry in (*manifest.procedures.items(), *manifest.topics.items()):
            url = checked_url(
                manifests._joined("http://127.0.0.1:8000/wamp/", entry.url, uri), "it"
            )
            _DESTINATIONS[1].refusal(url)


def callback_urls(octets: bytes) -> None:
    """URLs that apps name. Who checks them and who dials them read the same host and port."""
    try:
        url = checked_url(octets.decode("utf-8", "surrogateescape"), "it")
    except Unprocessable:
        return
    refusals = [destinations.refusal(url) for destinations in _DESTINATIONS]
    if None not in refusals:
        return
    parts, dialled = urlsplit(url), URL(url, encoded=True)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    assert ((dialled.raw_host or "").lower(), dialled.port) == (host, port)


def callback_rules(octets: bytes) -> None:
    """What a configuration says of where callbacks may go."""
    with suppress(Wrong):
        rule = callback_rule(octets.decode("utf-8", "replace"))
        Destinations([rule], _OWN).refusal("http://127.0.0.1:8000/")


def hosts(octets: bytes) -> None:
    """Host headers."""
    for line in _lines(octets):
        assert _AUTHORITIES.of([line]) in {None, "bridge.example"}
        is_loopback([line])


def pages(octets: bytes) -> None:
    """`limit` and `cursor`."""
    limit, cursor, *_ = [*_lines(octets), ""]
    for query in ({"limit": limit}, {"cursor": cursor}, {"limit": limit, "cursor": cursor}):
        with suppress(Unprocessable):
            page(query, ["a", "b", "c"], str)


def idempotency_keys(octets: bytes) -> None:
    """Idempotency-Key."""
    with suppress(Malformed):
        key = idempotency_key(_lines(octets))
        assert key is None or len(key) <= MAX_KEY_LENGTH


def waits(octets: bytes) -> None:
    """Retry-After."""
    assert asked_wait(octets.decode("utf-8", "surrogateescape"), NOW) >= 0


def event_streams(octets: bytes) -> None:
    """Server-sent events as the SDK reads them, in whatever pieces."""
    whole, pieces = Reader(), Reader()
    messages = [*whole.feed(octets)]
    assert [each for octet in octets for each in pieces.feed(bytes([octet]))] == messages
    assert pieces == whole


def configurations(octets: bytes) -> None:
    """The bridge's own configuration, with what it says of lines."""
    with suppress(ConfigError):
        parse(octets.decode("utf-8", "replace"))


def wamp_messages(octets: bytes) -> None:
    """WAMP's messages, in each serialisation."""
    for codec in _CODECS:
        codec.decode(octets)


PARSERS: Mapping[str, Callable[[bytes], None]] = {
    parser.__name__: parser
    for parser in (
        *(structured_fields, signatures, crossbars_query, json_values, uris, request_bodies),
        *(envelopes, webhooks, answers, source_manifests, callback_urls, callback_rules, hosts),
        *(pages, idempotency_keys, waits, event_streams, configurations, wamp_messages),
    )
}
