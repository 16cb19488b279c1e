"""From a request of the bridge to the answer: checked, decoded, looked up, handed to the handler.

The flow is one generator. It yields the `HandlerCall`, which a synchronous or an asynchronous
driver runs, and last the `Response`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from wamp_bridge.core._answers import NO_CONTENT, error_answer, manifest_answer, result_answer
from wamp_bridge.core._callables import is_cancelled, run_awaiting
from wamp_bridge.core._deliveries import (
    current_delivery,
    delivered,
    event_details,
    invocation_details,
    outcome_of,
    progress_of,
)
from wamp_bridge.core._envelopes import (
    Envelope,
    EventEnvelope,
    InvocationEnvelope,
    ManifestEnvelope,
    ProgressEnvelope,
    parse_envelope,
)
from wamp_bridge.core._errors import (
    BridgeError,
    ConfigurationError,
    InvalidURI,
    NoSuchProcedure,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    VerificationError,
    error_of,
)
from wamp_bridge.core._messages import JSON_TYPE, InvocationDetails, Response
from wamp_bridge.core._steps import (
    STREAM_TYPE,
    AsyncLines,
    Lines,
    Stepping,
    is_steps,
    last_of,
    result_of,
)
from wamp_bridge.core._uris import unescape_segment
from wamp_bridge.core._webhooks import ID_HEADER, WebhookSigner

if TYPE_CHECKING:
    import contextvars
    from collections.abc import (
        Awaitable,
        Callable,
        Coroutine,
        Iterator,
        Mapping,
        Sequence,
    )
    from types import TracebackType

    from wamp_bridge.core._callables import Awaiting
    from wamp_bridge.core._deliveries import Details
    from wamp_bridge.core._messages import Endpoint, Request
    from wamp_bridge.core._registry import Handler, Registry
    from wamp_bridge.core._settings import Settings

MAX_BODY: Final = 2 * 1024 * 1024
"""What the bridge takes from anybody is 1 MiB; an envelope and its details come on top."""

_STREAMED: Final = {"content-type": STREAM_TYPE, "cache-control": "no-store"}

_logger = logging.getLogger("wamp_bridge")


class HandlerCall:
    """A handler with its arguments, to be called within `with`, which keeps what it raised.

    Attributes:
        handler: Whose function is called.
        streams: Whether what a generator yields is wanted, and not its result alone.
        value: What it returned; set by the driver.
        error: What it raised, or None.
    """

    __slots__ = ("_args", "_kwargs", "_token", "delivery", "error", "handler", "streams", "value")

    def __init__(
        self,
        handler: Handler,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        delivery: tuple[Details, Any],
    ) -> None:
        self.handler = handler
        self.value: Any = None
        self.error: Exception | None = None
        self._args = args
        self._kwargs = kwargs
        self.delivery = delivery
        self.streams = isinstance(delivery[0], InvocationDetails) and delivery[0].progress
        self._token: contextvars.Token[tuple[Details | None, Any]] | None = None

    def __call__(self) -> Any:
        try:
            value = self.handler.function(*self._args, **self._kwargs)
            return result_of(value) if inspect.isgenerator(value) and not self.streams else value
        except StopIteration as error:
            # No future takes one, so who waits for a thread's would wait for ever. A coroutine's
            # is this error, too (PEP 479).
            raise RuntimeError("the handler raised StopIteration") from error

    def __enter__(self) -> Self:
        self._token = current_delivery.set(self.delivery)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if self._token is not None:
            current_delivery.reset(self._token)
        if isinstance(error, asyncio.CancelledError) and not is_cancelled():
            self.error = RuntimeError("the handler awaited what was cancelled")
            self.error.__cause__ = error
            return True
        if isinstance(error, Exception):
            self.error = error
            return True
        return False  # a cancelled task or an interpreter that ends is not the handler's error


class Dispatcher:
    """Serves what the bridge posts to an app.

    Safe to share among threads.

    Args:
        registry: The app's handlers.
        settings: Secrets, prefix and whether to verify.
        max_body: Octets; a longer body is refused. An adapter need not read further.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        *,
        max_body: int = MAX_BODY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.max_body = max_body
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._signer = WebhookSigner(settings.secrets) if settings.secrets else None

    def dispatch(
        self, request: Request, *, run_async: Callable[[Awaiting[Any]], Any] | None = None
    ) -> Response:
        """Serve a request in this thread.

        Args:
            request: As it came.
            run_async: What runs an asynchronous handler, a function without arguments, and waits
                for it; on a loop of its own if left out.
        """
        run = run_async or run_awaiting
        for step in self._flow(request):
            if isinstance(step, Stepping):
                return Response(200, _STREAMED, lines=Lines(step))
            if not isinstance(step, HandlerCall):
                return step
            with step:
                value = step()
                waiting = _awaiting(value, step)
                step.value = value if waiting is None else run(waiting)
        raise AssertionError("the flow ends with a response")

    async def dispatch_async(
        self,
        request: Request,
        *,
        run_sync: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
    ) -> Response:
        """Serve a request on the running loop.

        Args:
            request: As it came.
            run_sync: What runs a synchronous handler; a thread of the loop's pool if left out.
        """
        run = run_sync or asyncio.to_thread
        for step in self._flow(request):
            if isinstance(step, Stepping):
                return Response(200, _STREAMED, async_lines=AsyncLines(step, run))
            if not isinstance(step, HandlerCall):
                return step
            try:
                with step:
                    value = step() if step.handler.is_async else await run(step)
                    waiting = _awaiting(value, step)
                    step.value = value if waiting is None else await waiting()
            except asyncio.CancelledError:
                request.gone.set()  # for a handler in a thread, which goes on
                raise
        raise AssertionError("the flow ends with a response")

    def _flow(self, request: Request) -> Iterator[HandlerCall | Stepping | Response]:
        try:
            delivery_id = self._checked(request)
            envelope = parse_envelope(request.body)
            if isinstance(envelope, ManifestEnvelope):
                yield manifest_answer(self._registry.table(self._settings.prefix))
                return
            call = self._call_for(envelope, request, delivery_id)
        except BridgeError as error:
            yield self._refusal(error, request)
            return
        if call is None:
            yield NO_CONTENT
            return
        yield call
        if call.streams and is_steps(call.value):
            yield self._stepping(call, request)
        else:
            yield self._answer(call, request)

    def _checked(self, request: Request) -> str:
        """Refuse what the bridge can't have sent; the delivery's id."""
        if request.method != "POST":
            raise error_of(405, None, ["only POST is served here"])
        if len(request.body) > self.max_body:
            raise TooLarge(f"the body is longer than {self.max_body} octets")
        delivery_id = self._verified(request)
        _check_content_type(request.headers.get("content-type", JSON_TYPE))
        return delivery_id

    def _verified(self, request: Request) -> str:
        if not self._settings.verify:
            return request.headers.get(ID_HEADER, "")
        if self._signer is None:
            raise VerificationError("the request is not signed by this app's bridge")
        return self._signer.verify(request.headers, request.body, self._clock())

    def _refusal(self, error: BridgeError, request: Request) -> Response:
        if isinstance(error, ConfigurationError):
            _logger.error("wamp-bridge can't serve this app: %s", error)
            error = BridgeError("the app is not set up rightly; its log says why")
        elif isinstance(error, VerificationError) and self._signer is None:
            _logger.error("refused what may be the bridge: WAMP_BRIDGE_SECRET is not set")
        else:
            _logger.warning(
                "refused a request of the bridge for /%s with %d: %s",
                _shown(request.path.lstrip("/")),
                error.status,
                _shown(str(error)),
            )
        return error_answer(error)

    def _stepping(self, call: HandlerCall, request: Request) -> Stepping:
        """The answer in steps that a handler's generator makes."""

        def failed(error: Exception, is_meant: bool) -> bytes:
            return self._error_answer(error, call, request, is_meant=is_meant).body + b"\n"

        within = functools.partial(delivered, call.delivery)
        return Stepping(call.value, within, failed, request.gone.set)

    def _answer(self, call: HandlerCall, request: Request) -> Response:
        """The answer to what a handler returned or raised."""
        if call.error is not None:
            return self._error_answer(call.error, call, request)
        if call.handler.kind != "procedure":
            return NO_CONTENT
        try:
            return result_answer(call.value)
        except BridgeError as unsuited:  # what it returned is none of JSON
            return self._error_answer(unsuited, call, request, is_meant=False)

    def _error_answer(
        self, error: Exception, call: HandlerCall, request: Request, *, is_meant: bool = True
    ) -> Response:
        """The answer to an error: told, where it is meant for the caller, else logged."""
        try:
            told = self._registry.wamp_error(error) if is_meant else None
            if told is not None:
                return dataclasses.replace(error_answer(told), error=error)
        except BridgeError as unsuited:  # what it was raised with is none of JSON
            error = unsuited
        _logger.error(
            "%s failed (request %s)",
            call.handler.place,
            _shown(request.headers.get("request-id", "-")),
            exc_info=error,
        )
        answer = error_answer(BridgeError("the handler failed; the log of its app says why"))
        return dataclasses.replace(answer, error=error)

    def _call_for(
        self, envelope: Envelope, request: Request, delivery_id: str
    ) -> HandlerCall | None:
        table = self._registry.table(self._settings.prefix)
        if isinstance(envelope, InvocationEnvelope):
            handler = _matching(table.procedures, envelope.endpoint)
            if handler is None:
                raise NoSuchProcedure(f"no procedure {envelope.endpoint.uri} is served here")
            details: Any = invocation_details(envelope, delivery_id, request)
            return _bound(handler, envelope.args, envelope.kwargs, (details, request.native))
        if isinstance(envelope, EventEnvelope):
            handler = _matching(table.topics, envelope.endpoint)
            if handler is None:
                raise NotFound(f"no topic {envelope.endpoint.uri} is followed here")
            details = event_details(envelope, delivery_id, request.headers)
            return _bound(handler, envelope.args, envelope.kwargs, (details, request.native))
        assert not isinstance(envelope, ManifestEnvelope)  # noqa: S101 - answered by the flow
        name = _callback_name(envelope.callback, request.path)
        handler = table.callbacks.get(name)
        if handler is None:
            raise NotFound(f"no callback {name} is here")
        if isinstance(envelope, ProgressEnvelope):
            if not handler.options.get("progress"):
                return None
            outcome: Any = progress_of(envelope, delivery_id)
        else:
            outcome = outcome_of(envelope, delivery_id, request.headers)
        return _bound(handler, [outcome], {}, (outcome, request.native))


def _matching(handlers: Mapping[str, Handler], endpoint: Endpoint) -> Handler | None:
    handler = handlers.get(endpoint.uri)
    return handler if handler is not None and handler.match == endpoint.match else None


def _bound(
    handler: Handler,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    delivery: tuple[Details, Any],
) -> HandlerCall:
    if handler.binder is not None:
        args, kwargs = handler.binder.bind(args, kwargs, *delivery)
    return HandlerCall(handler, args, kwargs, delivery)


def _callback_name(url: str | None, path: str) -> str:
    """Which callback an outcome is for: as the signed body says, else as the path does."""
    if url is None:
        return path.strip("/").removeprefix("callback/")
    try:
        folder, _, segment = urlsplit(url).path.rstrip("/").rpartition("/")
        if folder.endswith("/callback"):
            return unescape_segment(segment)
    except (ValueError, InvalidURI):
        pass
    raise NotFound("the outcome is for no callback of this app")


def _check_content_type(value: str) -> None:
    kind, _, rest = value.partition(";")
    charset = rest.replace('"', "").replace(" ", "").lower()
    if kind.strip().lower() != JSON_TYPE or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise UnsupportedMediaType("the body must be application/json in UTF-8")


def _shown(text: str) -> str:
    """A text of another's, fit for one line of a log."""
    return text[:200].encode("unicode_escape").decode("ascii")


def _awaiting(value: Any, call: HandlerCall) -> Callable[[], Coroutine[Any, Any, Any]] | None:
    """What waits for a handler's value; None where that is there."""
    if inspect.isawaitable(value):
        return functools.partial(_awaited, value)
    if inspect.isasyncgen(value) and not call.streams:
        return functools.partial(last_of, value)
    return None


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
