"""Pages of what the router holds: one app doesn't wait for another's, nobody for none at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from support.waiting import eventually
from wamp_bridge_server.backends.base import Result, WampError
from wamp_bridge_server.config import AppConfig
from wamp_bridge_server.errors import CallFailed, Forbidden, NotOffered
from wamp_bridge_server.services.apps import Apps
from wamp_bridge_server.services.directory import Directory

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS = [*range(1, 101)]


class Router:
    """A backend and its sessions at a router that tells `slow` nothing of any procedure."""

    def __init__(self, app: str = "") -> None:
        self.sessions: dict[str, Router] = {}
        self.app = app
        self.asked = 0
        self.given_up = 0

    def session(self, app: str) -> Router:
        """See `Backend`."""
        return self.sessions.setdefault(app, Router(app))

    async def call(self, procedure: str, args: Sequence[Any], *_: object, **__: object) -> Result:
        """See `Session`."""
        if procedure == "wamp.registration.list":
            return Result([{"exact": NUMBERS}], {})
        if procedure != "wamp.registration.get":
            return Result([1], {})
        self.asked += 1
        if self.app == "slow":
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up += 1
        return Result([{"uri": f"com.p{args[0]}", "match": "exact"}], {})


async def test_a_page_of_one_app_waits_for_no_other_app() -> None:
    router = Router()
    directory = Directory(cast("Any", router))
    apps = Apps({name: AppConfig(name=name) for name in ("slow", "quick")})
    slow, quick = apps.by_name["slow"], apps.by_name["quick"]
    waiting = [asyncio.create_task(directory.page(slow, "procedure", 0, 100)) for _ in range(2)]
    at_router = router.session("slow")
    await eventually(lambda: at_router.asked)
    asked = at_router.asked

    page, last = await directory.page(quick, "procedure", 0, 1000)
    assert [held.id for held in page] == NUMBERS
    assert {held.holders for held in page} == {1}
    assert last is None
    assert at_router.asked == asked < len(NUMBERS)

    for task in waiting:
        task.cancel()
    for task in waiting:
        with pytest.raises(asyncio.CancelledError):
            await task
    assert at_router.given_up == at_router.asked == asked  # and what had to wait never was


class Refusing(Router):
    """A router that refuses what is asked about a procedure, or about who serves it."""

    def __init__(self, procedure: str, error: str) -> None:
        super().__init__()
        self.refuses = procedure, error

    def session(self, app: str) -> Router:
        """See `Backend`."""
        assert app
        return self

    async def call(self, procedure: str, args: Sequence[Any], *_: object, **__: object) -> Result:
        """See `Session`."""
        if procedure == self.refuses[0]:
            raise WampError(self.refuses[1])
        return await super().call(procedure, args)


@pytest.mark.parametrize("question", ["list", "get"])
@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("wamp.error.not_authorized", Forbidden),
        ("wamp.error.authorization_failed", Forbidden),
        ("wamp.error.no_such_procedure", NotOffered),
        ("wamp.error.runtime_error", CallFailed),
    ],
)
async def test_what_the_router_does_not_tell_is_said(
    question: str, error: str, problem: type[Exception]
) -> None:
    directory = Directory(cast("Any", Refusing(f"wamp.registration.{question}", error)))
    app = Apps({"shop": AppConfig(name="shop")}).by_name["shop"]
    with pytest.raises(problem):
        await directory.page(app, "procedure", 0, 100)


@pytest.mark.parametrize(
    ("question", "error", "holders"),
    [
        ("count_callees", "wamp.error.not_authorized", [None] * 100),
        ("count_callees", "wamp.error.no_such_registration", [None] * 100),
        ("get", "wamp.error.no_such_registration", []),
    ],
)
async def test_what_is_gone_meanwhile_or_not_told_takes_nothing_else_with_it(
    question: str, error: str, holders: list[None]
) -> None:
    directory = Directory(cast("Any", Refusing(f"wamp.registration.{question}", error)))
    app = Apps({"shop": AppConfig(name="shop")}).by_name["shop"]
    page, last = await directory.page(app, "procedure", 0, 1000)
    assert [held.holders for held in page] == holders
    assert last is None
