"""Endpoints in memory: how they group, who serves, who receives."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from wamp_bridge_server.services.table import Endpoint, Table
from wamp_bridge_server.store import EndpointRecord, Kind


def record(identifier: str, kind: Kind = "procedure", **members: Any) -> EndpointRecord:
    made = EndpointRecord(
        id=identifier,
        app="shop",
        kind=kind,
        uri="com.shop.pay",
        match="exact",
        url=f"http://127.0.0.1/{identifier}",
        created_at=0.0,
    )
    return replace(made, **members)


def ids(endpoints: list[Endpoint]) -> list[str]:
    return [endpoint.record.id for endpoint in endpoints]


def test_endpoints_of_one_uri_stand_behind_one_group() -> None:
    table = Table()
    first, second = table.put(record("reg_1")), table.put(record("reg_2"))
    other = table.put(record("reg_3", app="bank"))
    assert first.group is second.group
    assert other.group is not first.group
    table.remove(first)
    assert ids(first.group.endpoints) == ["reg_2"]
    table.remove(second)
    assert list(table.groups) == [other.group.key]


def test_a_group_stays_while_the_router_holds_it() -> None:
    table = Table()
    endpoint = table.put(record("reg_1"))
    endpoint.group.held = 7
    table.remove(endpoint)
    assert not endpoint.group.wanted
    assert table.put(record("reg_2")).group is endpoint.group


def test_a_group_that_was_let_go_takes_no_other_with_it() -> None:
    table = Table()
    first = table.put(record("reg_1"))
    table.remove(first)
    second = table.put(record("reg_2"))
    table.forget_if_empty(first.group)
    assert table.groups[second.group.key] is second.group


def test_a_procedure_nobody_serves_is_given_back_and_a_topic_kept() -> None:
    table = Table()
    procedure, topic = table.put(record("reg_1")), table.put(record("sub_1", "topic"))
    procedure.withdrawn = topic.withdrawn = "gone"
    assert not procedure.group.wanted
    assert topic.group.wanted


def test_invocations_are_spread_by_the_policy() -> None:
    table = Table()
    for number in range(3):
        table.put(record(f"reg_{number}", options={"invoke": "roundrobin"}))
    group = next(iter(table.groups.values()))

    def chosen() -> Counter[str]:
        return Counter(group.callees()[0].record.id for _ in range(6))

    assert set(chosen().values()) == {2}
    assert {tuple(sorted(ids(group.callees()))) for _ in range(3)} == {("reg_0", "reg_1", "reg_2")}
    for endpoint in group.endpoints:
        endpoint.record = replace(endpoint.record, options={"invoke": "first"})
    assert chosen() == {"reg_0": 6}
    group.endpoints[0].withdrawn = "gone"
    assert chosen() == {"reg_1": 6}
    for endpoint in group.endpoints:
        endpoint.record = replace(endpoint.record, options={"invoke": "last"})
    assert chosen() == {"reg_2": 6}
    assert ids(group.callees()) == ["reg_2", "reg_1"]
    for endpoint in group.endpoints:
        endpoint.record = replace(endpoint.record, options={"invoke": "random"})
    assert set(chosen()) <= {"reg_1", "reg_2"}


def test_nobody_is_chosen_where_nobody_is_up() -> None:
    table = Table()
    endpoint = table.put(record("reg_1"))
    endpoint.barred = "not allowed"
    assert endpoint.group.callees() == []
    assert endpoint.state == ("refused", "not allowed")


def test_plain_subscriptions_each_get_an_event_and_of_sources_one_does() -> None:
    table = Table()
    for identifier in ("sub_1", "sub_2"):
        table.put(record(identifier, "topic"))
    for identifier in ("sub_3", "sub_4"):
        table.put(record(identifier, "topic", source=f"src_{identifier}"))
    group = next(iter(table.groups.values()))
    got = Counter(e.record.id for _ in range(4) for e in group.recipients())
    assert got == {"sub_1": 4, "sub_2": 4, "sub_3": 2, "sub_4": 2}


def test_an_event_goes_to_a_live_source_or_is_kept_for_a_withdrawn_one() -> None:
    table = Table()
    first = table.put(record("sub_1", "topic", source="src_1"))
    second = table.put(record("sub_2", "topic", source="src_2"))
    first.withdrawn = "gone"
    assert [ids(first.group.recipients()) for _ in range(3)] == [["sub_2"]] * 3
    second.withdrawn = "gone"
    assert len(first.group.recipients()) == 1


def test_sources_that_fan_out_each_get_an_event() -> None:
    table = Table()
    for identifier in ("sub_1", "sub_2"):
        table.put(record(identifier, "topic", source=identifier, options={"fanout": True}))
    group = next(iter(table.groups.values()))
    assert ids(group.recipients()) == ["sub_1", "sub_2"]


def test_another_apps_hold_on_a_procedure_is_seen() -> None:
    table = Table()
    mine = table.put(record("reg_1"))
    theirs = table.put(record("reg_2", app="bank"))
    assert list(table.other_holders("shop", "com.shop.pay", "exact")) == [theirs.group]
    assert list(table.other_holders("bank", "com.shop.pay", "exact")) == [mine.group]
    assert not list(table.other_holders("shop", "com.shop.pay", "prefix"))
