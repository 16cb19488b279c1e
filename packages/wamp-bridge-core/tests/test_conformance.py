"""The conformance suite holds for core without any framework, and can be told what is lacking."""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from wamp_bridge.core import Request, Response, WampBridgeBase
from wamp_bridge.core.testing import conformance
from wamp_bridge.core.testing.conformance import AdapterConformance

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from wamp_bridge.core.testing.conformance import Declares

pytest_plugins = ["pytester"]


def decoded(request: Request) -> Request:
    """The request as a framework hands it on."""
    return Request(request.method, unquote(request.path), request.headers, request.body)


class Sender:
    """Hands requests to an app, and takes as much of what it answers as is wanted."""

    def __init__(self, app: WampBridgeBase) -> None:
        self.app = app

    def __call__(self, request: Request) -> Response:
        return self.hang_up(request, None)

    def hang_up(self, request: Request, after: int | None) -> Response:
        answer = self.app.handle(decoded(request))
        if answer.lines is None:
            return answer
        body = b"".join(islice(answer.lines, after))
        answer.lines.close()
        return replace(answer, body=body)


class AsyncSender:
    """The same for an asynchronous app."""

    def __init__(self, app: WampBridgeBase) -> None:
        self.app = app

    async def __call__(self, request: Request) -> Response:
        return await self.hang_up(request, None)

    async def hang_up(self, request: Request, after: int | None) -> Response:
        answer = await self.app.handle_async(decoded(request))
        if answer.async_lines is None:
            return answer
        body = []
        async with aclosing(aiter(answer.async_lines)) as lines:
            async for line in lines:
                body.append(line)
                if len(body) == after:
                    break
        return replace(answer, body=b"".join(body))


class TestSync(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Response]]:
        app = WampBridgeBase(settings)
        declare(app)
        yield Sender(app)


class TestAsync(AdapterConformance):
    @contextmanager
    def mounted(
        self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
    ) -> Iterator[Callable[[Request], Awaitable[Response]]]:
        app = WampBridgeBase(settings)
        declare(app)
        yield AsyncSender(app)


LIMITED = """
from contextlib import contextmanager

from wamp_bridge.core import WampBridgeBase
from wamp_bridge.core.testing.conformance import AdapterConformance


class TestLimited(AdapterConformance):
    kinds = ("sync",)
    concurrent = False
    streams = False

    @contextmanager
    def mounted(self, declare, settings):
        app = WampBridgeBase(settings)
        declare(app)
        yield app.handle
"""


def test_what_an_adapter_lacks_it_has_no_tests_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_limited=LIMITED)
    plugins = ("-p", "no:cacheprovider", "-p", "no:asyncio")
    result = pytester.runpytest_inprocess("--collect-only", "-q", *plugins)
    assert result.ret == 0
    result.stdout.fnmatch_lines("*test_an_event_and_its_details_arrive[[]sync[]]")
    for lacking in ("*async*", "*test_two_calls_run_at_once*", "*each_step*", "*skip*"):
        result.stdout.no_fnmatch_line(lacking)


def test_an_adapter_must_say_how_it_is_mounted() -> None:
    class Silent(AdapterConformance):
        pass

    with pytest.raises(NotImplementedError, match="Silent"), Silent().served("sync"):
        pass


@pytest.mark.parametrize("kinds", ["sync", ("asnyc",), ()], ids=repr)
def test_kinds_that_there_are_not_are_no_capability(kinds: Any) -> None:
    with pytest.raises(TypeError, match=r"Mistaken\.kinds must be some of"):
        type("Mistaken", (AdapterConformance,), {"kinds": kinds})


def test_what_sends_may_be_any_asynchronous_callable() -> None:
    class Mounted(AdapterConformance):
        @contextmanager
        def mounted(
            self, declare: Callable[[Declares], None], settings: Mapping[str, Any]
        ) -> Iterator[Callable[[Request], Awaitable[Response]]]:
            app = WampBridgeBase(settings)
            declare(app)
            yield AsyncSender(app)

    with Mounted().served("async") as app:
        assert app.manifest()["procedures"]


def test_exports_are_what_there_is() -> None:
    assert all(hasattr(conformance, name) for name in conformance.__all__)
