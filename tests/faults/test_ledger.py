"""The ledger finds what was lost, what came twice and what came late, and says nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults.ledger import Arrival, Book, Ledger

if TYPE_CHECKING:
    from pathlib import Path

# Publications have numbers of the router's, ten thousand and more here.
FIRST = 10_000


def event(number: int, *, message: str | None = None, lane: str = "ordered") -> Arrival:
    return Arrival(lane, message or f"msg_{number}", FIRST + number, number)


def outcome(call: str) -> Arrival:
    return Arrival("outcomes", f"msg_of_{call}", call, None)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(ordered=["ordered"])
    for number in range(4):
        made.published("ordered", number, FIRST + number, heard=True)
    made.accepted += ["call_a", "call_b"]
    made.made.update([1, 2])
    return made


ALL = [*(event(number) for number in range(4)), outcome("call_b"), outcome("call_a")]
COMMITTED = {"ordered": {FIRST, FIRST + 1, FIRST + 2, FIRST + 3}}


def test_all_is_well(ledger: Ledger) -> None:
    found = ledger.reckon(ALL, COMMITTED)
    assert (found.published, found.committed, found.uncommitted) == (4, 4, 0)
    assert (found.accepted, found.arrived, found.repeated, found.rewound) == (2, 6, 0, 0)
    assert found.faults == {}
    assert found.owed == 0


def test_what_was_promised_and_did_not_come_is_lost(ledger: Ledger) -> None:
    found = ledger.reckon([ALL[0], ALL[1], ALL[3], ALL[4]], COMMITTED)
    assert found.lost_events == ["ordered 2"]
    assert found.lost_calls == ["call_a"]
    assert ledger.reckon([], COMMITTED).owed == 6


def test_what_the_bridge_had_not_stored_is_counted_apart(ledger: Ledger) -> None:
    found = ledger.reckon(ALL[:3] + ALL[4:], {"ordered": {FIRST, FIRST + 1, FIRST + 2}})
    assert (found.published, found.committed, found.uncommitted) == (4, 3, 1)
    assert found.faults == {}


def test_what_was_stored_with_no_acknowledgement_is_promised_too(ledger: Ledger) -> None:
    committed = {"ordered": {*COMMITTED["ordered"], 77}}
    assert ledger.reckon(ALL, committed).lost_events == ["ordered 77"]


def test_what_nobody_was_subscribed_for_is_not_missed(ledger: Ledger) -> None:
    ledger.published("ordered", 4, FIRST + 4, heard=False)
    found = ledger.reckon(ALL, COMMITTED)
    assert (found.published, found.committed, found.uncommitted) == (4, 4, 0)


def test_the_same_again_is_no_fault_under_one_name(ledger: Ledger) -> None:
    found = ledger.reckon([ALL[0], *ALL], COMMITTED)
    assert (found.repeated, found.rewound, found.faults) == (1, 0, {})
    found = ledger.reckon([ALL[0], ALL[1], ALL[0], ALL[1], *ALL[2:]], COMMITTED)
    assert (found.repeated, found.rewound, found.faults) == (2, 1, {})


def test_the_same_under_another_name_is_a_fault(ledger: Ledger) -> None:
    found = ledger.reckon([*ALL, event(2, message="msg_x")], COMMITTED)
    assert found.renamed == ["ordered 2"]


def test_order_matters_where_it_was_asked_for(ledger: Ledger) -> None:
    mixed = [ALL[0], ALL[2], ALL[1], *ALL[3:]]
    assert ledger.reckon(mixed, COMMITTED).disordered == ["ordered 1"]
    loose = Ledger()
    assert loose.reckon(mixed, COMMITTED).disordered == []


def test_a_call_that_was_made_twice(ledger: Ledger) -> None:
    ledger.made.update([2])
    assert ledger.reckon(ALL, COMMITTED).faults == {"called_twice": 1}


def test_a_book_bears_that_its_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "book"
    assert list(Book(path)) == []
    for arrival in ALL:
        Book(path).add(arrival)
    with path.open("a") as file:
        file.write('["ordered", "ms')
    assert list(Book(path)) == ALL
