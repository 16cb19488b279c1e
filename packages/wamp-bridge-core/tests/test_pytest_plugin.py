"""The fixture `wamp_bridge_fake`: a test fails, readably, for what its app did not ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from wamp_bridge.core import WampBridgeBase

wamp = WampBridgeBase({"WAMP_BRIDGE_PREFIX": "com.shop"})


@wamp.rpc()
def price(fruit):
    wamp.publish("asked", [fruit])
    return 3


@pytest.fixture
def bridge(wamp_bridge_fake):
    wamp_bridge_fake.connect(wamp)
    return wamp_bridge_fake


def test_good(bridge):
    assert bridge.invoke("price", ["apple"]) == 3
    bridge.assert_published("asked", ["apple"])


def test_fresh(bridge):
    assert bridge.published == []


def test_not_called(bridge):
    bridge.expect_call("missing", ["x"])


def test_swallowed(bridge):
    try:
        wamp.call("surprise", [1])
    except AssertionError:
        pass


def test_propagated(bridge):
    wamp.call("surprise", [2])


def test_not_published(bridge):
    bridge.invoke("price", ["apple"])
    bridge.assert_published("asked", ["pear"])


def test_fails_by_itself(bridge):
    bridge.expect_call("missing")
    assert 1 == 2


def test_without():
    with pytest.raises(Exception, match="WAMP_BRIDGE_URL"):
        wamp.publish("asked")
"""


def test_tests_with_a_fake_bridge(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=3, failed=5)
    shown = result.stdout
    shown.fnmatch_lines_random(
        [
            "Expected to be called:",
            "  missing('x'), once (so far never)",
            "com.shop.surprise(1) was called, which was not expected.",
            "E*UnexpectedRequest: com.shop.surprise(2) was called, which was not expected.",
            "E*No calls were expected.",
            "E*asked('pear') should have been published at least once, but never.",
            "E*com.shop.asked('apple')",
            "E*assert 1 == 2",
        ]
    )
    # A reader sees the test's own line, and nothing of what we do with it.
    shown.no_fnmatch_line("*_asked.py*")
    shown.no_fnmatch_line("*pytest_plugin.py*")


def test_the_fixture_says_what_it_is(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(
        "--fixtures", "-p", "no:cacheprovider", "-p", "no:asyncio"
    )
    result.stdout.fnmatch_lines(["wamp_bridge_fake*", "*stands in for the bridge*"])


def test_asserts_of_the_conformance_suite_are_rewritten(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from contextlib import contextmanager
        from wamp_bridge.core import Response
        from wamp_bridge.core.testing.conformance import AdapterConformance

        class TestBad(AdapterConformance):
            @contextmanager
            def mounted(self, declare, settings):
                yield lambda request: Response(418)
        """
    )
    plugins = ("-p", "no:cacheprovider", "-p", "no:asyncio")
    result = pytester.runpytest_subprocess("-k", "not_signed", *plugins)
    result.stdout.fnmatch_lines("E*assert 418 == 401")
