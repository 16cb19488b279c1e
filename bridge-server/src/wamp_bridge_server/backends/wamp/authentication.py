"""Who a session says it is, and the proof (WAMP, "Authentication Methods")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp import role
from autobahn.wamp.auth import create_authenticator
from autobahn.wamp.message import Authenticate, Challenge, Hello, Welcome
from autobahn.wamp.types import Challenge as ChallengeDetails
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wamp_bridge_server.backends.wamp.scram import Scram

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

_BAD_CHALLENGES: Final = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
    UnsupportedAlgorithm,  # where the machine's OpenSSL is older than argon2id
)


class BadChallenge(Exception):  # noqa: N818 - what came, not what went wrong here
    """The router asks for a proof that this identity doesn't have."""


class Login:
    """What one session says of itself.

    Args:
        identity: Who it is.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._scram: Scram | None = None
        if identity.method == "scram":
            self._scram = Scram(identity.authid or "", identity.secret or "")

    @property
    def takes_long(self) -> bool:
        """Whether `answer` may take a second of work, and so is for a thread."""
        return self._scram is not None

    def hello(self, realm: str) -> Hello:
        """The first message of the session."""
        identity, extra = self._identity, None
        if identity.method == "cryptosign":
            public = _private_key(identity).public_key()
            raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
            extra = {"pubkey": raw.hex(), "channel_binding": None}
        elif self._scram is not None:
            extra = {"nonce": self._scram.nonce}
        return Hello(
            realm, _ROLES, authmethods=[identity.method], authid=identity.authid, authextra=extra
        )

    def answer(self, challenge: Challenge) -> Authenticate:
        """The answer to the router's challenge.

        Raises:
            BadChallenge: It is for another method than ours, or makes no sense.
        """
        method = self._identity.method
        if challenge.method != method:
            raise BadChallenge(f"the router asks for {challenge.method!r}, not for {method}")
        try:
            return Authenticate(self._proof(challenge))
        except _BAD_CHALLENGES as error:
            raise BadChallenge(f"the router's challenge can't be answered ({error!r})") from error

    def check(self, welcome: Welcome) -> None:
        """Refuse a router that has not proven who it is, where the method has it do that.

        Raises:
            BadChallenge: It has not.
        """
        if self._scram is None:
            return
        try:
            self._scram.check((welcome.authextra or {}).get("scram_server_signature"))
        except ValueError as error:
            raise BadChallenge(str(error)) from error

    def _proof(self, challenge: Challenge) -> str:
        identity = self._identity
        if self._scram is not None:
            return self._scram.answer(challenge.extra)
        if identity.method == "cryptosign":
            return _sign(identity, challenge.extra)
        details = ChallengeDetails(challenge.method, challenge.extra)
        proof: str = _authenticator(identity).on_challenge(None, details)
        return proof


def _authenticator(identity: Identity) -> Any:
    proof = {"ticket": "ticket", "wampcra": "secret"}[identity.method]
    return create_authenticator(identity.method, authid=identity.authid, **{proof: identity.secret})


def _private_key(identity: Identity) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(identity.key or ""))


def _sign(identity: Identity, extra: dict[str, Any]) -> str:
    # autobahn's own signer needs a second library of cryptography for this one signature.
    challenge = bytes.fromhex(extra["challenge"])
    return _private_key(identity).sign(challenge).hex() + challenge.hex()
