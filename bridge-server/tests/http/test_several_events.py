"""Several events in one request: in their order, with an answer for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.event_streams import following

if TYPE_CHECKING:
    from support.clients import Client


async def test_they_are_published_in_their_order(
    shop: Client, bank: Client, namespace: str
) -> None:
    topic = f"{namespace}.sold"
    events = [
        {"args": [1]},
        {"params": [2]},
        {"kwargs": {"n": 3}},
        {"params": {"n": 4}, "options": {"acknowledge": False}},
        *({"args": [number]} for number in range(5, 100)),
        {},
    ]
    async with following(bank.http, f"/events/{topic}/") as stream:
        await stream.ready()
        told = (await shop.post(f"/publish/{topic}/", {"events": events}))["events"]
        assert len(told) == 100
        came = [await stream.next() for _ in range(100)]
    data = [each.data for each in came if each is not None]
    assert [(each["args"], each["kwargs"]) for each in data] == [
        ([1], {}),
        ([2], {}),
        ([], {"n": 3}),
        ([], {"n": 4}),
        *(([number], {}) for number in range(5, 100)),
        ([], {}),
    ]
    assert told[3] == {"publication": None}
    del told[3], data[3]
    assert [each["publication"] for each in told] == [each["publication"] for each in data]


@pytest.mark.parametrize("router_url", ["memory:"])
class TestOfOneThatFails:
    async def test_the_others_are_published(self, shop: Client) -> None:
        retained = {"args": [2], "options": {"retain": True}}  # not here
        events = [{"args": [1]}, retained, {"args": [3]}]
        one, two, three = (await shop.post("/publish/com.a/", {"events": events}))["events"]
        assert one["publication"] != three["publication"]
        assert two.pop("detail")
        assert two == {
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
        }

    async def test_nothing_is_published_where_it_cannot_be_read(
        self, shop: Client, bank: Client
    ) -> None:
        async with following(bank.http, "/events/com.a/") as stream:
            await stream.ready()
            for wrong, status in (
                ([{"args": [1]}, {"args": ["\0no base64"]}], 422),
                ([{"args": [1]}, {"args": [2], "params": [3]}], 422),
                ([{"args": [1]}, {"args": {}}], 400),
                ([{"args": [1]}, {"topic": "com.b"}], 400),
                ([{"args": [1]}] * 1001, 422),
                ([], 422),
            ):
                await shop.post("/publish/com.a/", {"events": wrong}, status=status)
            await shop.post("/publish/com.a/", {"events": [{}], "args": [1]}, status=422)
            await shop.post("/publish/com.a/", {"args": ["the first"]})
            assert await stream.args(1) == [["the first"]]


@pytest.mark.parametrize("router_url", ["memory:"])
async def test_all_is_refused_or_done_once(shop: Client, limited: Client, bank: Client) -> None:
    events = {"events": [{"args": [1]}, {"args": [2]}], "options": {"exclude_me": True}}
    await limited.post("/publish/com.no/", events, status=403)
    headers = {"Idempotency-Key": "order-17"}
    async with following(bank.http, "/events/com.a/") as stream:
        await stream.ready()
        first = await shop.http.post("/publish/com.a/", json=events, headers=headers)
        again = await shop.http.post("/publish/com.a/", json=events, headers=headers)
        assert first.json() == again.json()
        assert again.headers["idempotent-replayed"] == "true"
        await shop.post("/publish/com.a/", {"args": [3]})
        assert await stream.args(3) == [[1], [2], [3]]
