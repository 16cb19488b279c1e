"""How tests ask a bridge as an app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from support import leaks


def plain_http(url: str, **options: Any) -> httpx.AsyncClient:
    """A client for plain HTTP, by no proxy.

    It loads no certificates, which takes 20 ms of work each time.
    """
    hooks = {"response": [_hear]}
    return httpx.AsyncClient(
        base_url=url, trust_env=False, verify=False, event_hooks=hooks, **options
    )


async def _hear(response: httpx.Response) -> None:
    if response.is_error:
        leaks.hear("an error", await response.aread())


def answers(url: str) -> bool:
    """Whether a GET is answered by a 2xx, now; also for plain HTTP alone."""
    try:
        return httpx.get(url, trust_env=False, verify=False).is_success
    except httpx.TransportError:
        return False


@dataclass
class Client:
    """An app as it asks the bridge."""

    http: httpx.AsyncClient

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int | None = 200
    ) -> Any:
        """Ask; the answer's document, whose status must be the one expected."""
        response = await self.http.request(method, path, json=body)
        assert status in (None, response.status_code), response.text
        assert response.headers["wamp-bridge-protocol"] == "1"
        assert response.headers["request-id"]
        return response.json() if response.content else None

    async def post(self, path: str, body: Any = None, *, status: int | None = 200) -> Any:
        """Post; the answer's document."""
        return await self.ask("POST", path, {} if body is None else body, status=status)

    async def get(self, path: str, *, status: int | None = 200) -> Any:
        """Get; the answer's document."""
        return await self.ask("GET", path, status=status)
