"""The pytest plugin `wamp_bridge`: the fixture `wamp_bridge_fake`.

It comes with the distribution, and does nothing until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wamp_bridge.core.testing._fake import FakeBridge

pytest.register_assert_rewrite("wamp_bridge.core.testing.conformance")

_FAKE: pytest.StashKey[FakeBridge] = pytest.StashKey()


@pytest.fixture
def wamp_bridge_fake(request: pytest.FixtureRequest) -> Iterator[FakeBridge]:
    """A `wamp_bridge.core.testing.FakeBridge` that stands in for the bridge during the test."""
    from wamp_bridge.core._stand_in import standing_in  # noqa: PLC0415 - for tests that use it
    from wamp_bridge.core.testing._fake import FakeBridge  # noqa: PLC0415 - as above

    fake = FakeBridge()
    request.node.stash[_FAKE] = fake
    with standing_in(fake):
        yield fake


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Have a test fail, and not its end, for what was expected and did not come."""
    result = yield
    fake = item.stash.get(_FAKE, None)
    if fake is not None:
        try:
            fake.verify()
        except AssertionError as wrong:
            pytest.fail(str(wrong), pytrace=False)
    return result
