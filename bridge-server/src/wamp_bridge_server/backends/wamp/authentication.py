"""Who a session says it is, and the proof (WAMP, "Authentication Methods")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp import role
from autobahn.wamp.auth import create_authenticator
from autobahn.wamp.message import Authenticate, Challenge, Hello
from autobahn.wamp.types import Challenge as ChallengeDetails
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from wamp_bridge_server.backends.wamp.settings import Identity

_ROLES: Final = {
    "caller": role.RoleCallerFeatures(
        caller_identification=True, call_canceling=True, progressive_call_results=True
    ),
    "callee": role.RoleCalleeFeatures(
        caller_identification=True,
        call_canceling=True,
        progressive_call_results=True,
        pattern_based_registration=True,
        shared_registration=True,
        registration_revocation=True,
    ),
    "publisher": role.RolePublisherFeatures(
        publisher_identification=True,
        publisher_exclusion=True,
        subscriber_blackwhite_listing=True,
    ),
    "subscriber": role.RoleSubscriberFeatures(
        publisher_identification=True,
        pattern_based_subscription=True,
        subscription_revocation=True,
    ),
}
"""What our sessions can do: each role's features, as announced to the router."""

_BAD_CHALLENGES: Final = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


class BadChallenge(Exception):  # noqa: N818 - what came, not what went wrong here
    """The router asks for a proof that this identity doesn't have."""


def hello(realm: str, identity: Identity) -> Hello:
    """The first message of a session."""
    extra = None
    if identity.method == "cryptosign":
        public = _private_key(identity).public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        extra = {"pubkey": raw.hex(), "channel_binding": None}
    return Hello(
        realm, _ROLES, authmethods=[identity.method], authid=identity.authid, authextra=extra
    )


def answer(identity: Identity, challenge: Challenge) -> Authenticate:
    """The answer to the router's challenge.

    Raises:
        BadChallenge: It is for another method than ours, or makes no sense.
    """
    if challenge.method != identity.method:
        raise BadChallenge(f"the router asks for {challenge.method!r}, not for {identity.method}")
    try:
        if identity.method == "cryptosign":
            return Authenticate(_sign(identity, challenge.extra))
        details = ChallengeDetails(challenge.method, challenge.extra)
        return Authenticate(_authenticator(identity).on_challenge(None, details))
    except _BAD_CHALLENGES as error:
        raise BadChallenge(f"the router's challenge makes no sense ({error!r})") from error


def _authenticator(identity: Identity) -> Any:
    proof = {"ticket": "ticket", "wampcra": "secret"}[identity.method]
    return create_authenticator(identity.method, authid=identity.authid, **{proof: identity.secret})


def _private_key(identity: Identity) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(identity.key or ""))


def _sign(identity: Identity, extra: dict[str, Any]) -> str:
    # autobahn's own signer needs a second library of cryptography for this one signature.
    challenge = bytes.fromhex(extra["challenge"])
    return _private_key(identity).sign(challenge).hex() + challenge.hex()
