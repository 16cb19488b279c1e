"""What others' libraries make of HTTP Message Signatures: `http-message-signatures` from PyPI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
    algorithms,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENTS = ("@method", "@authority", "@path", "@query")
COMPONENTS_OF_BODY = (*COMPONENTS, "content-digest", "content-type")


@dataclass
class Message:
    """A request as the library takes it."""

    method: str
    url: str
    headers: dict[str, str]


def verified_by_library(
    method: str, url: str, headers: Mapping[str, str], body: bytes, key: bytes, *, app: str
) -> dict[str, Any]:
    """Verify a request's signature with our tag; its parameters. Raises the library's errors."""
    verifier = HTTPMessageVerifier(
        signature_algorithm=algorithms.HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys={app: key}, private_keys={}),
    )
    (result,) = verifier.verify(
        Message(method, url, dict(headers)),
        expect_tag="wamp-bridge",
        max_age=None,
        require_components=COMPONENTS_OF_BODY if body else COMPONENTS,
        body=body,
    )
    return dict(result.parameters)


def signed_by_library(
    method: str,
    url: str,
    body: bytes,
    key: bytes,
    *,
    app: str,
    nonce: str,
    created: float,
    components: tuple[str, ...] | None = None,
    **options: Any,
) -> dict[str, str]:
    """The headers with which the library signs a request."""
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.HMAC_SHA256,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={app: key}),
    )
    message = Message(method, url, {"content-type": "application/json"} if body else {})
    covered = components or (COMPONENTS_OF_BODY if body else COMPONENTS)
    signer.sign(
        message,
        key_id=app,
        created=datetime.fromtimestamp(created, UTC),
        nonce=nonce,
        tag="wamp-bridge",
        covered_component_ids=[name for name in covered if name != "content-digest"],
        body=body or None,
        **options,
    )
    return message.headers
