"""The one place that knows httpx: clients made, requests sent, failures told.

httpx takes longer to import than all of this package; what never asks anything of a bridge, as
the bridge itself, is spared it because only `_client` comes here, and late.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from wamp_bridge.core._event_streams import Deliver, Open, is_event_stream
from wamp_bridge.core._messages import JSON_TYPE, PROTOCOL_HEADER, PROTOCOL_VERSION
from wamp_bridge.core._requests import Answer, Failure, Pause, Send
from wamp_bridge.core._signatures import RequestSigner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from wamp_bridge.core._event_streams import Came, Flow
    from wamp_bridge.core._settings import Settings

_T = TypeVar("_T")

_CONNECT_SECONDS = 5.0


class TokenAuth(httpx.Auth):
    """Who asks: the token, for both kinds of client."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header to the one request."""
        request.headers["authorization"] = self._header
        yield request


class SignatureAuth(httpx.Auth):
    """Who asks: a signature, for both kinds of client. A request sent again is signed anew."""

    requires_request_body = True

    def __init__(self, signer: RequestSigner) -> None:
        self._signer = signer

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers to the one request."""
        signed = self._signer.sign(
            request.method,
            request.headers["host"],
            request.url.raw_path.decode("ascii"),
            content_type=request.headers.get("content-type"),
            body=request.content,
        )
        request.headers.update(signed)
        yield request


def open_client(settings: Settings, transport: httpx.BaseTransport | None) -> httpx.Client:
    """A client that waits in its thread."""
    return httpx.Client(transport=transport, **_client_options(settings))


def open_async_client(
    settings: Settings, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """A client that waits on its loop."""
    return httpx.AsyncClient(transport=transport, **_client_options(settings))


def send(client: httpx.Client, step: Send) -> Answer | Failure:
    """Carry out one step of an exchange."""
    try:
        return _answer_of(client.request(**_request_options(step)))
    except httpx.RequestError as error:
        return _failure_of(error)


async def send_async(client: httpx.AsyncClient, step: Send) -> Answer | Failure:
    """Carry out one step of an exchange."""
    try:
        return _answer_of(await client.request(**_request_options(step)))
    except httpx.RequestError as error:
        return _failure_of(error)


def stream(client: httpx.Client, flow: Flow[_T]) -> Generator[_T, None, None]:
    """Carry out all steps of a flow; what it delivers."""
    came: Came = None
    with ExitStack() as opened:
        while True:
            try:
                step = flow.send(came)
            except StopIteration:
                return
            came = None
            if isinstance(step, Deliver):
                yield step.item
            elif isinstance(step, Pause):
                opened.close()
                time.sleep(step.seconds)
            elif isinstance(step, Open):
                try:
                    response = client.send(_request_of(client, step), stream=True)
                    opened.callback(response.close)
                    if not (came := _is_stream(response)):
                        response.read()
                        came = _answer_of(response)
                except httpx.RequestError as error:
                    came = _failure_of(error)
                else:
                    chunks = response.iter_bytes()
            else:
                try:
                    came = next(chunks, None)
                except httpx.RequestError as error:
                    came = _failure_of(error)


async def stream_async(client: httpx.AsyncClient, flow: Flow[_T]) -> AsyncGenerator[_T, None]:
    """Carry out all steps of a flow; what it delivers."""
    came: Came = None
    async with AsyncExitStack() as opened:
        while True:
            try:
                step = flow.send(came)
            except StopIteration:
                return
            came = None
            if isinstance(step, Deliver):
                yield step.item
            elif isinstance(step, Pause):
                await opened.aclose()
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Open):
                try:
                    response = await client.send(_request_of(client, step), stream=True)
                    opened.push_async_callback(response.aclose)
                    if not (came := _is_stream(response)):
                        await response.aread()
                        came = _answer_of(response)
                except httpx.RequestError as error:
                    came = _failure_of(error)
                else:
                    chunks = response.aiter_bytes()
            else:
                try:
                    came = await anext(chunks, None)
                except httpx.RequestError as error:
                    came = _failure_of(error)


def _request_of(client: httpx.Client | httpx.AsyncClient, step: Open) -> httpx.Request:
    """The request for a stream."""
    budget = step.request.budget
    options = _request_options(Send(step.request, budget))
    connect = min(budget, _CONNECT_SECONDS)
    options["timeout"] = httpx.Timeout(budget, read=step.silence, connect=connect)
    return client.build_request(**options)


def _is_stream(response: httpx.Response) -> bool:
    return response.is_success and is_event_stream(response.headers)


def _client_options(settings: Settings) -> dict[str, Any]:
    return {
        "auth": _auth(settings),
        "base_url": settings.url,
        "headers": {
            "accept": f"{JSON_TYPE}, application/problem+json",
            "user-agent": "wamp-bridge-core",
            PROTOCOL_HEADER: str(PROTOCOL_VERSION),
        },
        # The bridge is a neighbour: what the environment says of proxies is for elsewhere, and
        # a .netrc must not speak for the app.
        "trust_env": False,
        # The system's authorities, as SSL_CERT_FILE may name them; loaded only where needed.
        "verify": ssl.create_default_context() if _is_tls(settings.url) else False,
        "follow_redirects": False,
    }


def _auth(settings: Settings) -> httpx.Auth | None:
    if settings.signs:
        return SignatureAuth(RequestSigner(settings.app or "", settings.secrets))
    return TokenAuth(settings.token) if settings.token is not None else None


def _request_options(step: Send) -> dict[str, Any]:
    request = step.request
    options: dict[str, Any] = {
        "method": request.method,
        "url": request.path,
        "headers": dict(request.headers),
        "timeout": httpx.Timeout(step.within, connect=min(step.within, _CONNECT_SECONDS)),
    }
    if request.body is not None:
        options["content"] = request.body
        options["headers"]["content-type"] = JSON_TYPE
    return options


def _answer_of(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


def _failure_of(error: httpx.RequestError) -> Failure:
    """Why there is no answer; never says more of the request than where it went."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Failure("unsent", reason)
    if isinstance(error, httpx.TimeoutException):
        return Failure("late", reason)
    return Failure("cut", reason)


def _is_tls(url: str | None) -> bool:
    return url is not None and url.startswith("https:")
