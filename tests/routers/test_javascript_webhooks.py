"""What the bridge posts, verified by the JavaScript library that Standard Webhooks publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.node import npm_package, verdicts_of_npm
from support.webhooks import NEWEST, OLDER, posted_to, signed
from wamp_bridge.core import generate_secret

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_one_from_npm_verifies_what_is_posted(tmp_path: Path) -> None:
    async with posted_to() as app:
        posted = signed(app)
    package = npm_package(tmp_path)
    for secret in (NEWEST, OLDER):
        good = [{"secret": secret, "body": body, "headers": headers} for body, headers in posted]
        assert verdicts_of_npm(package, good) == [True] * len(posted)
        changed = [{**request, "body": f"{request['body']} "} for request in good]
        stranger = [{**request, "secret": generate_secret()} for request in good]
        assert True not in verdicts_of_npm(package, [*changed, *stranger])
