"""Publications and subscriptions, on every kind of backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import eventually
from wamp_bridge_server.backends.base import (
    PublishOptions,
    Unavailable,
    Undeliverable,
    WampError,
)
from wamp_bridge_server.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from support.listening import Listening
    from wamp_bridge_server.backends.base import Backend, Details, Match


async def publish(backend: Backend, app: str, topic: str, *args: Any, **options: Any) -> int | None:
    return await backend.session(app).publish(topic, args, {}, PublishOptions(**options))


async def details_of(backend: Backend, listening: Listening, topic: str, app: str) -> Details:
    """As whom an app publishes, seen by a subscriber."""
    await backend.session("observer").subscribe(topic, "exact")
    await publish(backend, app, topic)
    await eventually(lambda: listening.events_of("observer"))
    return listening.events_of("observer")[0].details


async def test_an_event_arrives_whole(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    await backend.session("shop").subscribe(namespace, "exact")
    other = backend.session("other")
    kwargs = {"self": 1, "topic": [b"\0", None]}
    publication = await other.publish(namespace, [1, {"a": 2}], kwargs, PublishOptions())
    await eventually(lambda: listening.events_of("shop"))
    event = listening.events_of("shop")[0]
    assert (event.uri, event.match, event.topic) == (namespace, "exact", namespace)
    assert event.publication == publication
    assert event.args == [1, {"a": 2}]
    assert event.kwargs == kwargs
    assert event.details.app == "other"
    assert event.details.session
    assert event.details.authid


async def test_events_arrive_in_order_and_once(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    await backend.session("shop").subscribe(namespace, "exact")
    for number in range(300):
        await publish(backend, "other", namespace, number, acknowledge=False)
    await publish(backend, "other", namespace, 300)
    await eventually(lambda: len(listening.events) == 301)
    assert [event.args for event in listening.events_of("shop")] == [[n] for n in range(301)]


async def test_a_session_that_is_paused_gets_nothing_until_it_goes_on(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    shop = backend.session("shop")
    await shop.subscribe(namespace, "exact")
    await backend.session("observer").subscribe(f"{namespace}.x", "exact")
    shop.pause(paused=True)
    shop.pause(paused=True)
    if isinstance(backend, MemoryBackend):  # where nothing could keep it meanwhile
        with pytest.raises(Unavailable, match="takes no more events for now"):
            await publish(backend, "other", namespace, 1)
    else:
        await publish(backend, "other", namespace, 1)
    await publish(backend, "other", f"{namespace}.x")
    await eventually(lambda: listening.events_of("observer"))
    assert not listening.events_of("shop")
    shop.pause(paused=False)
    await publish(backend, "other", namespace, 2)
    await eventually(lambda: [2] in [event.args for event in listening.events_of("shop")])
    if not isinstance(backend, MemoryBackend):
        assert [event.args for event in listening.events_of("shop")] == [[1], [2]]


async def test_a_publication_has_an_id_where_it_is_acknowledged(
    backend: Backend, namespace: str
) -> None:
    assert await publish(backend, "shop", namespace, acknowledge=False) is None
    first = await publish(backend, "shop", namespace)
    second = await publish(backend, "shop", namespace)
    assert first
    assert second
    assert first != second


async def test_the_publisher_gets_its_own_event_unless_it_excludes_itself(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    for app in ("shop", "other"):
        await backend.session(app).subscribe(namespace, "exact")
    await publish(backend, "shop", namespace, "both")
    await publish(backend, "shop", namespace, "other only", exclude_me=True)
    await publish(backend, "shop", namespace, "end")
    await eventually(lambda: len(listening.events) == 5)
    assert [event.args[0] for event in listening.events_of("shop")] == ["both", "end"]
    assert [event.args[0] for event in listening.events_of("other")] == [
        "both",
        "other only",
        "end",
    ]


@pytest.mark.parametrize("trait", ["session", "authid", "authrole"])
async def test_receivers_can_be_excluded_and_chosen(
    backend: Backend, listening: Listening, namespace: str, trait: str
) -> None:
    details = await details_of(backend, listening, f"{namespace}.who", "shop")
    suffix = "" if trait == "session" else f"_{trait}"
    value = getattr(details, trait)
    await backend.session("shop").subscribe(namespace, "exact")
    await publish(backend, "other", namespace, "for all")
    await publish(backend, "other", namespace, "excluded", **{f"exclude{suffix}": [value]})
    await publish(backend, "other", namespace, "chosen", **{f"eligible{suffix}": [value]})
    nobody = [1] if trait == "session" else ["nobody"]
    await publish(backend, "other", namespace, "not chosen", **{f"eligible{suffix}": nobody})
    await publish(backend, "other", namespace, "not excluded", **{f"exclude{suffix}": nobody})
    await eventually(lambda: len(listening.events_of("shop")) == 3)
    assert [event.args[0] for event in listening.events_of("shop")] == [
        "for all",
        "chosen",
        "not excluded",
    ]


@pytest.mark.parametrize("option", ["eligible", "eligible_authid", "eligible_authrole"])
async def test_an_event_for_nobody_goes_to_nobody(
    backend: Backend, listening: Listening, namespace: str, option: str
) -> None:
    for app in ("shop", "other"):
        await backend.session(app).subscribe(namespace, "exact")
    assert await publish(backend, "shop", namespace, "for nobody", **{option: []})
    await publish(backend, "shop", namespace, "for all")
    await eventually(lambda: len(listening.events) == 2)
    assert {event.args[0] for _, event in listening.events} == {"for all"}


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": ["1"]},
        {"exclude": [True]},
        {"exclude": [0]},
        {"exclude": [2**53 + 1]},
        {"eligible": [-1]},
        {"exclude_authid": [1]},
        {"eligible_authid": [None]},
        {"exclude_authrole": [b"x"]},
        {"eligible_authrole": ["\ud800"]},
    ],
    ids=repr,
)
async def test_options_that_make_no_sense_are_refused(
    backend: Backend, listening: Listening, namespace: str, options: dict[str, Any]
) -> None:
    with pytest.raises(Undeliverable):
        await publish(backend, "shop", namespace, **options)
    assert await publish(backend, "shop", namespace)
    assert listening.leaves == []


async def test_patterns_say_the_topic(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    patterns: list[tuple[str, Match]] = [
        (f"{namespace}.a.b", "exact"),
        (f"{namespace}.a", "prefix"),
        (f"{namespace}..b", "wildcard"),
    ]
    for pattern, match in patterns:
        await backend.session("shop").subscribe(pattern, match)
    for topic in ("a.b", "ab", "c.b", "c"):
        await publish(backend, "other", f"{namespace}.{topic}")
    await eventually(lambda: len(listening.events) == 5)
    assert sorted(
        (event.topic.removeprefix(f"{namespace}."), event.match)
        for event in listening.events_of("shop")
    ) == [
        ("a.b", "exact"),
        ("a.b", "prefix"),
        ("a.b", "wildcard"),
        ("ab", "prefix"),
        ("c.b", "wildcard"),
    ]


async def test_a_topic_is_subscribed_once_by_a_session(backend: Backend, namespace: str) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    await shop.subscribe(namespace, "exact")
    with pytest.raises(WampError, match="already_subscribed"):
        await shop.subscribe(namespace, "exact")
    await other.subscribe(namespace, "exact")
    await shop.subscribe(namespace, "prefix")


async def test_nothing_arrives_after_unsubscribing(
    backend: Backend, listening: Listening, namespace: str
) -> None:
    shop, other = backend.session("shop"), backend.session("other")
    await other.subscribe(namespace, "exact")
    subscription = await shop.subscribe(namespace, "exact")
    with pytest.raises(WampError, match="no_such_subscription"):
        await other.unsubscribe(subscription + 1)
    await shop.unsubscribe(subscription)
    with pytest.raises(WampError, match="no_such_subscription"):
        await shop.unsubscribe(subscription)
    await publish(backend, "shop", namespace)
    await eventually(lambda: len(listening.events_of("other")) == 1)
    assert listening.events_of("shop") == []
    await shop.subscribe(namespace, "exact")


async def test_the_routers_own_topics_are_reserved(backend: Backend) -> None:
    with pytest.raises(WampError, match="invalid_uri"):
        await publish(backend, "shop", "wamp.shop")


async def test_a_listener_that_fails_costs_neither_the_publisher_nor_the_session(
    backend: Backend, listening: Listening, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await backend.session("shop").subscribe(namespace, "exact")
    received = listening.received

    def failing(app: str, event: Any) -> None:
        received(app, event)
        raise RuntimeError("no room")

    monkeypatch.setattr(listening, "received", failing)
    await publish(backend, "other", namespace, 1)
    await publish(backend, "other", namespace, 2)
    await eventually(lambda: len(listening.events) == 2)
    assert listening.leaves == []
