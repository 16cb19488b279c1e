"""What the bridge posts, verified by the library that Standard Webhooks publishes, unmodified.

The one for JavaScript does so in `nox -s routers`.
"""

from __future__ import annotations

import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from support.webhooks import NEWEST, OLDER, posted_to, signed
from wamp_bridge.core import generate_secret


async def test_the_one_from_pypi_verifies_what_is_posted() -> None:
    async with posted_to() as app:
        posted = signed(app)
    for body, headers in posted:
        for secret in (NEWEST, OLDER):
            assert Webhook(secret).verify(body, headers) == json.loads(body)
        with pytest.raises(WebhookVerificationError):
            Webhook(NEWEST).verify(body + " ", headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(generate_secret()).verify(body, headers)
