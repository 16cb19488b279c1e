"""What an adapter's test says, and what the suite makes of it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar

import pytest

from wamp_bridge.core._callables import is_async_callable
from wamp_bridge.core._secrets import generate_secret
from wamp_bridge.core.testing._bridge import SignedBridge
from wamp_bridge.core.testing._servers import PLACE
from wamp_bridge.core.testing.conformance._handlers import Handlers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from wamp_bridge.core._messages import Request, Response
    from wamp_bridge.core.testing.conformance._handlers import Declares, Kind

    Declare: TypeAlias = Callable[[Declares], None]
    Sender: TypeAlias = Callable[[Request], Response]
    AsyncSender: TypeAlias = Callable[[Request], Awaitable[Response]]
    Mounting: TypeAlias = (
        AbstractContextManager[Sender]
        | AbstractContextManager[AsyncSender]
        | AbstractAsyncContextManager[AsyncSender]
    )

_Test = TypeVar("_Test", bound="Callable[..., None]")

PREFIX: Final = "com.example"
_CAPABILITY: Final = "wamp_bridge_capability"
_AT_ONCE: Final = 8
_CLEANING_SECONDS: Final = 10.0


def needs(capability: str) -> Callable[[_Test], _Test]:
    """Mark a test as one for adapters that declare a capability; others don't have it at all."""

    def mark(test: _Test) -> _Test:
        setattr(test, _CAPABILITY, capability)
        return test

    return mark


class MountedApp(SignedBridge):
    """A bridge that reaches an app with the suite's handlers.

    Attributes:
        secrets: Those that the app knows, newest first.
        seen: What its handlers have seen.
        kind: Which handlers it has.
    """

    def __init__(self, send: Sender, secrets: Sequence[str], handlers: Handlers) -> None:
        super().__init__(send, secrets)
        self.send = send
        self.secrets = secrets
        self.seen = handlers.seen
        self.kind = handlers.kind

    def hang_up(self, request: Request, after: int) -> Response:
        """Send a request, and go away after so many parts of its response."""
        gone: Response = _hanging_up(self.send)(request, after)
        return gone

    def send_all(self, requests: Sequence[Request]) -> list[Response]:
        """Send requests together; the responses, in the order of their requests."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(self.send, requests))


class _AsyncMountedApp(MountedApp):
    """The same for what has to be awaited."""

    def __init__(
        self,
        send: AsyncSender,
        secrets: Sequence[str],
        handlers: Handlers,
        runner: asyncio.Runner,
    ) -> None:
        async def sent(request: Request) -> Response:
            return await send(request)

        super().__init__(lambda request: runner.run(sent(request)), secrets, handlers)
        self._sender = send
        self._sent = sent
        self._on = runner

    def hang_up(self, request: Request, after: int) -> Response:
        """Send a request, and go away after so many parts of its response.

        What the app does about it is done on return; not all frameworks wait for that.
        """

        async def gone() -> Response:
            others = asyncio.all_tasks()
            response: Response = await _hanging_up(self._sender)(request, after)
            if left := asyncio.all_tasks() - others:
                await asyncio.wait(left, timeout=_CLEANING_SECONDS)
            return response

        return self._on.run(gone())

    def send_all(self, requests: Sequence[Request]) -> list[Response]:
        """Send requests together; the responses, in the order of their requests."""

        async def send() -> list[Response]:
            return await asyncio.gather(*(self._sent(request) for request in requests))

        return self._on.run(send())


def _hanging_up(send: Any) -> Callable[[Request, int], Any]:
    """What goes away half way: the method `hang_up` of what brings requests to the app."""
    hang_up = getattr(send, "hang_up", None)
    if hang_up is None:
        raise TypeError(f"{send!r} can't hang up; wsgi_sender and asgi_sender make what can")
    method: Callable[[Request, int], Any] = hang_up
    return method


class MountsAnApp:
    """What every test of the suite stands on.

    Attributes:
        kinds: The capability to serve synchronous and asynchronous handlers.
        concurrent: The capability to serve several requests at once.
        streams: The capability to answer in steps, and to notice who goes away meanwhile.
    """

    kinds: ClassVar[tuple[Kind, ...]] = ("sync", "async")
    concurrent: ClassVar[bool] = True
    streams: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not cls.kinds or not set(MountsAnApp.kinds).issuperset(cls.kinds):
            raise TypeError(
                f"{cls.__name__}.kinds must be some of {MountsAnApp.kinds}, not {cls.kinds!r}"
            )
        for name in dir(cls):
            capability = getattr(getattr(cls, name), _CAPABILITY, None)
            if capability is not None and not getattr(cls, capability):
                setattr(cls, name, None)

    def mounted(self, declare: Declare, settings: Mapping[str, Any]) -> Mounting:
        """Mount a dispatcher; the one thing that an adapter's test has to say.

        A context manager or an asynchronous one, as `contextlib.contextmanager` makes it, that
        yields what brings a request to the dispatcher and its response back: a function,
        synchronous or asynchronous. `wsgi_sender` and `asgi_sender` make it of an app. The
        request's path is percent-encoded and below `WAMP_BRIDGE_CALLBACK_URL`.

        Args:
            declare: To be called with a new `WampBridge`, or with what looks like one: it
                declares handlers with its `rpc`, `sub` and `callback`.
            settings: By their names in the environment; all that the app is told, for the suite
                empties the environment of them.
        """
        raise NotImplementedError(f"{type(self).__name__} must say how its adapter is mounted")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Have what is about handlers tested with each kind that the adapter serves."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.kinds)

    @pytest.fixture(autouse=True)
    def _no_settings_from_outside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.settings():
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def app(self, kind: Kind) -> Iterator[MountedApp]:
        """Yield an app whose handlers are of one kind."""
        with self.served(kind) as app:
            yield app

    @pytest.fixture
    def any_app(self) -> Iterator[MountedApp]:
        """Yield an app, for what handlers have no part in."""
        with self.served(self.kinds[0]) as app:
            yield app

    def settings(self) -> dict[str, Any]:
        """Settings for an app, with two secrets that rotate."""
        return {
            "WAMP_BRIDGE_URL": "http://bridge.test/",
            "WAMP_BRIDGE_APP": "example",
            "WAMP_BRIDGE_TOKEN": "token",
            "WAMP_BRIDGE_SECRET": [generate_secret(), generate_secret()],
            "WAMP_BRIDGE_CALLBACK_URL": PLACE,
            "WAMP_BRIDGE_PREFIX": PREFIX,
            "WAMP_BRIDGE_TIMEOUT": 10.0,
            "WAMP_BRIDGE_ANNOUNCE": False,
            "WAMP_BRIDGE_VERIFY": True,
        }

    @contextmanager
    def served(self, kind: Kind, **changed: Any) -> Iterator[MountedApp]:
        """Mount an app; `changed` settings are named without `WAMP_BRIDGE_`."""
        settings = self.settings()
        settings |= {f"WAMP_BRIDGE_{name.upper()}": value for name, value in changed.items()}
        handlers = Handlers(kind)
        secrets = settings["WAMP_BRIDGE_SECRET"]
        mounting: Any = self.mounted(handlers.declare, settings)
        with asyncio.Runner() as runner, ExitStack() as stack:
            if hasattr(mounting, "__aenter__"):
                mounted = AsyncExitStack()
                stack.callback(lambda: runner.run(mounted.aclose()))
                send = runner.run(mounted.enter_async_context(mounting))
            else:
                send = stack.enter_context(mounting)
            if is_async_callable(send):
                yield _AsyncMountedApp(send, secrets, handlers, runner)
            else:
                yield MountedApp(send, secrets, handlers)
