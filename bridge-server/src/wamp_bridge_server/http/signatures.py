"""HTTP Message Signatures on what apps ask (protocol, section 1; RFC 9421 and RFC 9530).

Only the protocol's profile is taken, and all else is refused: what could be understood in two
ways is no signature. Written for speed, for each request may carry one.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wamp_bridge_server.http import structured

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

TAG: Final = "wamp-bridge"
OLDEST_SECONDS: Final = 300
AHEAD_SECONDS: Final = 60

_WRITTEN_TAG = f'"{TAG}"'
_ALGORITHM = '"hmac-sha256"'
_ALWAYS = frozenset({'"@method"', '"@authority"', '"@path"', '"@query"'})
_OF_BODY = frozenset({'"content-digest"', '"content-type"'})
_MAY = _ALWAYS | _OF_BODY
_NEEDED = frozenset({"created", "keyid", "nonce", "tag"})
_KNOWN = _NEEDED | {"alg"}
_NONCE = re.compile(r"[!-~]{22,256}")


class BadSignature(ValueError):  # noqa: N818 - named for what it is
    """A signature that is there and isn't good. Never says why: that is for nobody to learn."""


class Signed(NamedTuple):
    """A request's signature as it is claimed; nothing of it is proven yet."""

    app: str
    nonce: str
    created: int
    components: Sequence[str]
    parameters: str
    signature: bytes

    @property
    def expires_at(self) -> int:
        """Unix time in seconds from which on the signature counts no more."""
        return self.created + OLDEST_SECONDS + 1


class Parts(NamedTuple):
    """What of a request can be signed, in the octets in which it came.

    `authority` is None where the request was not for this bridge. `headers` are the lines of
    `content-digest` and `content-type`, by name.
    """

    method: str
    target: str
    authority: str | None
    headers: Mapping[str, Sequence[str]]
    body: bytes


def claimed(inputs: Sequence[str], signatures: Sequence[str], now: float) -> Signed | None:
    """The one signature with our tag; None where there is none, for others are not ours to judge.

    Args:
        inputs: The lines of Signature-Input.
        signatures: The lines of Signature.
        now: Unix time in seconds.

    Raises:
        BadSignature: No structured fields, several with our tag, or not of the profile.
    """
    try:
        members = structured.dictionary(inputs)
        given = structured.dictionary(signatures)
    except structured.NotStructured:
        raise BadSignature from None
    ours: Signed | None = None
    for label, member in members.items():
        pairs = structured.parameters(member.parameters)
        if ("tag", _WRITTEN_TAG) not in pairs:
            continue
        if ours is not None:
            raise BadSignature
        ours = _of_profile(member.inner_list, pairs, given.get(label), now)
    return ours


def verify(signed: Signed, parts: Parts, keys: Collection[hmac.HMAC]) -> None:
    """Check a claimed signature against the request that it came with.

    Args:
        signed: What is claimed.
        parts: The request.
        keys: HMACs with the app's live keys, to be copied from; none where there is no such app.

    Raises:
        BadSignature: It is not what one of the keys gives.
    """
    path, mark, query = parts.target.partition("?")
    if not path.startswith("/") or "#" in parts.target:
        raise BadSignature  # an absolute form, an authority, an asterisk
    if parts.authority is None:
        raise BadSignature
    if parts.body and not _OF_BODY.issubset(signed.components):
        raise BadSignature
    values = {
        '"@method"': parts.method,
        '"@authority"': parts.authority,
        '"@path"': path,
        '"@query"': mark + query if mark else "?",
    }
    for name, lines in parts.headers.items():
        if lines:
            values[f'"{name}"'] = structured.field_value(lines)
    try:
        base = [f"{name}: {values[name]}" for name in signed.components]
    except KeyError:  # a header that is covered and isn't there
        raise BadSignature from None
    if '"content-digest"' in signed.components and not _is_digest(
        parts.headers["content-digest"], parts.body
    ):
        raise BadSignature
    base.append(f'"@signature-params": {signed.parameters}')
    octets = "\n".join(base).encode("utf-8", "surrogateescape")
    good = False
    for key in keys:
        mac = key.copy()
        mac.update(octets)
        good |= hmac.compare_digest(mac.digest(), signed.signature)
    if not good:
        raise BadSignature


def _of_profile(
    covered: str,
    pairs: Sequence[tuple[str, str]],
    signature: structured.Member | None,
    now: float,
) -> Signed:
    components = covered[1:-1].split()
    names = set(components)
    given = dict(pairs)
    if (
        len(names) != len(components)
        or not _ALWAYS <= names <= _MAY
        or len(given) != len(pairs)
        or not given.keys() >= _NEEDED
        or not given.keys() <= _KNOWN
        or given.get("alg", _ALGORITHM) != _ALGORITHM
        or not given["created"].isdecimal()  # neither a sign nor a fraction
    ):
        raise BadSignature
    created = int(given["created"])
    app, nonce = structured.string(given["keyid"]), structured.string(given["nonce"])
    if (
        not -AHEAD_SECONDS <= now - created <= OLDEST_SECONDS
        or app is None
        or nonce is None
        or _NONCE.fullmatch(nonce) is None
        or signature is None
    ):
        raise BadSignature
    # The standard's own serialisation is what was signed, whatever white space there was.
    given["created"] = str(created)
    written = "".join(f";{name}={given[name]}" for name, _ in pairs)
    parameters = f"({' '.join(components)}){written}"
    return Signed(app, nonce, created, components, parameters, _octets(signature))


def _octets(member: structured.Member) -> bytes:
    written = member.item
    if member.parameters or not written.startswith(":"):
        raise BadSignature
    try:
        return binascii.a2b_base64(written[1:-1], strict_mode=True)
    except binascii.Error:
        raise BadSignature from None


def _is_digest(lines: Sequence[str], body: bytes) -> bool:
    """Whether Content-Digest holds the body's sha-256; digests by other algorithms don't count."""
    ours = binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False).decode()
    if structured.field_value(lines) == f"sha-256=:{ours}:":
        return True
    try:
        member = structured.dictionary(lines).get("sha-256")
    except structured.NotStructured:
        return False
    return member is not None and member.item == f":{ours}:"
