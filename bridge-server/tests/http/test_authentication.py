"""Who asks: the token in the header or in the body, and what comes before and after that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

GOOD = {"Authorization": "Bearer token-of-shop"}


def check_refused(response: httpx.Response) -> None:
    assert response.status_code == 401, response.text
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["request_id"] == response.headers["request-id"]
    assert document["detail"] == (
        "This request needs the valid credentials of an app of this bridge."
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer token-of-nobody"},
        {"Authorization": "Bearer TOKEN-OF-SHOP"},
        {"Authorization": "Basic token-of-shop"},
        {"Authorization": "token-of-shop"},
        {"Authorization": b"Bearer \xff\xfe"},
    ],
)
async def test_nobody_gets_in_by_the_header(
    anonymous: httpx.AsyncClient, headers: dict[str, Any]
) -> None:
    check_refused(await anonymous.get("/registrations/", headers=headers))
    check_refused(await anonymous.post("/heartbeat/", headers=headers, json={"lease": "wrong"}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"5",
        b'{"token": null}',
        b'{"token": 5}',
        b'{"token": ""}',
        b'{"token": "token-of-nobody", "endpoints": 5}',
        b'{"token": ["token-of-shop"]}',
    ],
)
async def test_nobody_gets_in_by_the_body(anonymous: httpx.AsyncClient, body: bytes) -> None:
    for path in ("/register/", "/call/com..x/", "/publish/com.x/", "/announce"):
        check_refused(await anonymous.post(path, content=body))


async def test_a_token_gets_in_either_way(anonymous: httpx.AsyncClient) -> None:
    by_header = await anonymous.post("/heartbeat/", headers=GOOD)
    by_body = await anonymous.post("/heartbeat/", json={"token": "token-of-shop"})
    assert (by_header.status_code, by_header.json()) == (200, {"renewed": 0})
    assert (by_body.status_code, by_body.json()) == (200, {"renewed": 0})


async def test_a_wrong_header_is_not_mended_by_the_body(anonymous: httpx.AsyncClient) -> None:
    check_refused(
        await anonymous.post(
            "/heartbeat/",
            headers={"Authorization": "Bearer wrong"},
            json={"token": "token-of-shop"},
        )
    )


async def test_malformed_json_where_the_token_would_be_is_said_first(
    anonymous: httpx.AsyncClient,
) -> None:
    response = await anonymous.post("/heartbeat/", content=b'{"token": "token-of-shop"')
    assert response.status_code == 400


async def test_another_media_type_is_not_looked_at_before_who_asks(
    anonymous: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "text/plain"}
    check_refused(await anonymous.post("/heartbeat/", content=b"token", headers=headers))
    response = await anonymous.post("/heartbeat/", content=b"{}", headers={**headers, **GOOD})
    assert response.status_code == 415


async def test_health_needs_no_token(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/health/live")).status_code == 200
    ready = await anonymous.get("/health/ready/")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
