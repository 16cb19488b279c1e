"""A signed request counts once, also for a bridge that was killed and started again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support.raw import ask_raw
from support.served import SECRET, ServedBridge
from support.signing import sign

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "/publish/com.shop.sold/"
BODY = b'{"args": ["book"]}'


async def test_a_bridge_that_was_killed_refuses_what_it_had_taken(tmp_path: Path) -> None:
    with ServedBridge(tmp_path, "memory:") as bridge:
        host = urlsplit(bridge.url).netloc
        requests = [sign(SECRET, "POST", host, TARGET, BODY) for _ in range(40)]
        asked = [ask_raw(bridge.url, "POST", TARGET, headers, BODY) for headers in requests[:20]]
        assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 20
        bridge.kill()
        bridge.start()
        asked = [ask_raw(bridge.url, "POST", TARGET, headers, BODY) for headers in requests]
        answers = [answer.status for answer in await asyncio.gather(*asked)]
        assert answers == [401] * 20 + [200] * 20
