"""How often one may ask, and be wrong: by a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wamp_bridge_server.errors import TooFast
from wamp_bridge_server.services import throttle
from wamp_bridge_server.services.throttle import FAILURES, Failures, Rates


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(failures: Failures, times: int, address: str = "10.0.0.1", key: str = "shop") -> None:
    for _ in range(times):
        failures.count(address, key)


def wait_of(failures: Failures, address: str = "10.0.0.1", key: str = "shop") -> str | None:
    try:
        failures.check(address, key)
    except TooFast as error:
        return error.headers["Retry-After"]
    return None


def test_a_hundred_failures_a_minute_are_borne() -> None:
    clock = Clock()
    failures = Failures(clock)
    fail(failures, FAILURES - 1)
    assert wait_of(failures) is None
    clock.now += 20.5
    fail(failures, 1)
    assert wait_of(failures) == "40"
    clock.now += 39.4
    assert wait_of(failures) == "1"
    clock.now += 0.2
    assert wait_of(failures) is None
    fail(failures, FAILURES)
    assert wait_of(failures) == "60"


def test_another_key_and_another_address_are_let_in() -> None:
    failures = Failures(Clock())
    fail(failures, 500)
    assert wait_of(failures) is not None
    assert wait_of(failures, key="bank") is None
    assert wait_of(failures, key="") is None
    assert wait_of(failures, address="10.0.0.2") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("not:an:address", "not:an:address", True),
    ],
)
def test_addresses_of_one_customer_are_one(one: str, other: str, same: bool) -> None:
    failures = Failures(Clock())
    fail(failures, FAILURES, address=one)
    assert (wait_of(failures, address=other) is not None) == same


def test_memory_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_WINDOWS", 50)
    clock = Clock()
    failures = Failures(clock)
    for number in range(500):
        fail(failures, FAILURES, address=f"10.0.{number // 250}.{number % 250}")
        assert len(failures._windows) <= 50
        clock.now += 0.01
    assert wait_of(failures, address="10.0.0.0") is None
    assert wait_of(failures, address="10.0.1.249") is not None
    clock.now += 61
    fail(failures, 1, address="10.9.9.9")
    assert len(failures._windows) == 1


def takes(rates: Rates, rate: float | None, app: str = "shop") -> bool:
    try:
        rates.take(app, rate)
    except TooFast:
        return False
    return True


def test_bursts_take_twice_the_rate_and_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert sum(takes(rates, 100) for _ in range(500)) == 200
    clock.now += 0.5
    assert sum(takes(rates, 100) for _ in range(500)) == 50
    clock.now += 3600
    assert sum(takes(rates, 100) for _ in range(500)) == 200
    assert takes(rates, 100, app="bank")
    assert takes(rates, None)


def test_a_slow_rate_says_when_the_next_may_come() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.take("shop", 0.1)
    with pytest.raises(TooFast) as caught:
        rates.take("shop", 0.1)
    assert caught.value.headers["Retry-After"] == "10"
    clock.now += 10
    rates.take("shop", 0.1)


def test_a_changed_rate_counts_at_once() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert sum(takes(rates, 1000) for _ in range(10)) == 10
    assert sum(takes(rates, 1) for _ in range(10)) == 2


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(1, 50)), max_size=30), st.floats(0.5, 200))
def test_never_more_than_the_rate_and_one_burst(
    steps: list[tuple[float, int]], rate: float
) -> None:
    clock = Clock()
    rates = Rates(clock)
    taken, started = 0, clock.now
    for wait, asked in steps:
        clock.now += wait
        taken += sum(takes(rates, rate) for _ in range(asked))
    assert taken <= 2 * rate + (clock.now - started) * rate + 1e-6
