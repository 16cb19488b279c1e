"""What an app does in its session: call, publish, register, subscribe."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from autobahn.wamp import message

from wamp_bridge_server.backends.base import CallOptions, Result, Unavailable, WampError
from wamp_bridge_server.backends.values import check_arguments, check_ids, check_names, check_uri
from wamp_bridge_server.backends.wamp.requests import Pattern
from wamp_bridge_server.errors import (
    NO_SUCH_PROCEDURE,
    NO_SUCH_SESSION,
    NOT_AUTHORIZED,
    OPTION_NOT_ALLOWED,
    TIMEOUT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wamp_bridge_server.backends.base import Invoke, Match, PublishOptions
    from wamp_bridge_server.backends.wamp.requests import Holdings
    from wamp_bridge_server.backends.wamp.session import WampSession

_KILL: Final = "wamp.session.kill"
_BURIED: Final = {NO_SUCH_SESSION, NO_SUCH_PROCEDURE, NOT_AUTHORIZED}
_BURIAL_SECONDS: Final = 2.0

_BACKSTOP_SECONDS: Final = 2
"""How much later than we the router gives a call up; Crossbar's clock runs up to 1 s early."""


class Operations:
    """The requests of one joined session; see `backends.base.Session` for what they raise.

    Args:
        session: The session, joined.
        buffer_limit: Bytes that may wait for the network before calls and events are refused.
    """

    def __init__(self, session: WampSession, buffer_limit: int) -> None:
        self.session = session
        self._buffer_limit = buffer_limit
        self._loop = asyncio.get_running_loop()

    async def idle(self) -> None:
        """Wait until no request of ours and no invocation is under way, or the session is over."""
        session, first = self.session, asyncio.FIRST_COMPLETED
        while not session.ended.done():
            all_of_it = [*session.requests.futures, *session.invocations.tasks]
            under_way = [each for each in all_of_it if not each.done()]
            if not under_way:
                return
            await asyncio.wait([session.ended, *under_way], return_when=first)

    async def call(
        self,
        procedure: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        timeout: float,
        options: CallOptions | None = None,
    ) -> Result:
        """Call; the deadline is kept here, and the router has a later one."""
        options = options or CallOptions()
        check_uri(procedure)
        check_arguments(args, kwargs)
        self._check_room()
        backstop = self.session.backstop(math.ceil(timeout) + _BACKSTOP_SECONDS)
        number, future = self.session.requests.ask(
            lambda request: message.Call(
                request,
                procedure,
                list(args),
                dict(kwargs),
                timeout=backstop,
                receive_progress=True if options.progress is not None else None,
            ),
            message.Result,
            _result,
            progress=options.progress,
        )
        timer = self._loop.call_later(timeout, self._expire, number, timeout, options)
        try:
            result: Result = await future
        except asyncio.CancelledError:
            await self._cancel(number, options)
            raise
        finally:
            timer.cancel()
        return result

    async def _cancel(self, number: int, options: CallOptions) -> None:
        """Cancel a call that nobody waits for any more; with `kill`, wait for its callee."""
        if options.cancel != "kill":
            self._give_up(number, options)
            return
        future = self.session.requests.renew(number)
        if future is None or not self._send_cancel(number, options):
            self.session.requests.forget(number)
            return
        try:
            await asyncio.wait([future])
        finally:
            self.session.requests.forget(number)
            future.cancel()
            _unheeded(future)

    async def bury(self, session: int) -> None:
        """Have the router end a session of ours that it may still take for alive.

        After a broken line it does, until it next sends something there; and until then nobody
        else may register what that session holds. Takes two seconds at most.
        """
        if "dealer.session_meta_api" not in self.session.features:
            return
        deadline = self._loop.time() + _BURIAL_SECONDS
        while (left := deadline - self._loop.time()) > 0:
            try:
                # It says goodbye there, to which the answer is that nobody is there any more.
                await self.call(_KILL, [session], {}, left)
            except WampError as error:
                if error.uri in _BURIED:
                    return
            await asyncio.sleep(_BURIAL_SECONDS / 50)

    async def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: PublishOptions
    ) -> int | None:
        """Publish."""
        check_uri(topic)
        check_arguments(args, kwargs)
        chosen = self._publish_options(options)
        self._check_room()

        def build(request: int) -> message.Message:
            return message.Publish(request, topic, list(args), dict(kwargs), **chosen)

        if not options.acknowledge:
            self.session.requests.tell(build)
            return None
        _, future = self.session.requests.ask(
            build, message.Published, lambda reply: reply.publication
        )
        publication: int = await future
        return publication

    def _publish_options(self, options: PublishOptions) -> dict[str, Any]:
        eligible = {
            "eligible": check_ids("eligible", options.eligible),
            "eligible_authid": check_names("eligible_authid", options.eligible_authid),
            "eligible_authrole": check_names("eligible_authrole", options.eligible_authrole),
        }
        exclude = {
            "exclude": check_ids("exclude", options.exclude),
            "exclude_authid": check_names("exclude_authid", options.exclude_authid),
            "exclude_authrole": check_names("exclude_authrole", options.exclude_authrole),
        }
        # Where a router doesn't know these, an event for some would go to all.
        named = [name for name, chosen in eligible.items() if chosen is not None]
        named += [name for name, chosen in exclude.items() if chosen]
        if named:
            self._need("broker.subscriber_blackwhite_listing", named[0])
        exclude_me = options.exclude_me
        if exclude_me:
            self._need("broker.publisher_exclusion", "exclude_me")
        if [] in eligible.values():
            # For Crossbar an empty list is no list, so that an event for nobody would go to all.
            eligible, exclude_me = {"eligible": [self.session.id]}, True
        if options.retain:
            self._need("broker.event_retention", "retain")
        return {
            **eligible,
            **exclude,
            "acknowledge": options.acknowledge,
            "exclude_me": exclude_me,
            "retain": options.retain or None,
        }

    async def register(self, uri: str, match: Match, invoke: Invoke) -> int:
        """Register a procedure."""
        if match != "exact":
            self._need("dealer.pattern_based_registration", f"match {match}")
        if invoke != "single":
            self._need("dealer.shared_registration", f"invoke {invoke}")
        registration: int = await self._obtain(
            self.session.registrations,
            Pattern(uri, match),
            lambda request: message.Register(
                request,
                uri,
                match=None if match == "exact" else match,
                invoke=None if invoke == "single" else invoke,
            ),
            message.Registered,
            lambda reply: reply.registration,
            self._start_unregister,
        )
        return registration

    async def unregister(self, registration: int) -> None:
        """Take a registration back."""
        self.session.registrations.require(registration)
        await self._start_unregister(registration)

    async def subscribe(self, uri: str, match: Match, *, get_retained: bool = False) -> int:
        """Subscribe to a topic."""
        if match != "exact":
            self._need("broker.pattern_based_subscription", f"match {match}")
        if get_retained:
            self._need("broker.event_retention", "get_retained")
        matched = None if match == "exact" else match

        def build(request: int) -> message.Message:
            return message.Subscribe(request, uri, match=matched, get_retained=get_retained or None)

        if get_retained and self.session.subscriptions.holds(Pattern(uri, match)):
            _, future = self.session.requests.ask(
                build, message.Subscribed, lambda reply: reply.subscription
            )
            again: int = await future
            return again
        subscription: int = await self._obtain(
            self.session.subscriptions,
            Pattern(uri, match),
            build,
            message.Subscribed,
            lambda reply: reply.subscription,
            self._start_unsubscribe,
        )
        return subscription

    async def unsubscribe(self, subscription: int) -> None:
        """Take a subscription back."""
        self.session.subscriptions.require(subscription)
        await self._start_unsubscribe(subscription)

    async def _obtain(
        self,
        holdings: Holdings,
        pattern: Pattern,
        build: Any,
        reply: type[message.Message],
        number_of: Any,
        give_back: Any,
    ) -> Any:
        check_uri(*pattern)
        holdings.claim(pattern)
        try:
            _, future = self.session.requests.ask(
                build,
                reply,
                lambda answer: holdings.keep(number_of(answer), pattern),
                # Who asked was cancelled meanwhile, and would not know what to take back.
                undo=lambda number: _unheeded(give_back(number)),
                refuse=lambda _: holdings.release(pattern),
            )
        except Exception:  # nothing was asked
            holdings.release(pattern)
            raise
        return await future

    def _start_unregister(self, registration: int) -> asyncio.Future[Any]:
        return self._give_back(
            self.session.registrations,
            registration,
            lambda request: message.Unregister(request, registration),
            message.Unregistered,
        )

    def _start_unsubscribe(self, subscription: int) -> asyncio.Future[Any]:
        return self._give_back(
            self.session.subscriptions,
            subscription,
            lambda request: message.Unsubscribe(request, subscription),
            message.Unsubscribed,
        )

    def _give_back(
        self, holdings: Holdings, number: int, build: Any, reply: type[message.Message]
    ) -> asyncio.Future[Any]:
        _, future = self.session.requests.ask(
            build,
            reply,
            lambda _: holdings.drop(number),
            refuse=lambda _: holdings.drop(number),
        )
        return future

    def _expire(self, number: int, timeout: float, options: CallOptions) -> None:
        future = self._give_up(number, options)
        if future is not None and not future.done():
            text = f"There was no answer within {timeout:g} s."
            future.set_exception(WampError(TIMEOUT, [text]))

    def _give_up(self, number: int, options: CallOptions) -> asyncio.Future[Any] | None:
        future = self.session.requests.forget(number)
        if future is not None:
            self._send_cancel(number, options)
        return future

    def _send_cancel(self, number: int, options: CallOptions) -> bool:
        """Tell the router, where it can cancel calls; whether it was told."""
        if "dealer.call_canceling" not in self.session.features:
            return False
        self.session.send(message.Cancel(number, options.cancel))
        return True

    def _check_room(self) -> None:
        if self.session.buffered > self._buffer_limit:
            raise Unavailable("the router takes no more at the moment")

    def _need(self, feature: str, option: str) -> None:
        if feature not in self.session.features:
            raise WampError(
                OPTION_NOT_ALLOWED, [f"The router does not offer {option} ({feature})."]
            )


def _result(reply: message.Result) -> Result:
    if reply.payload is not None:
        return Result([reply.payload])
    return Result(reply.args or [], reply.kwargs or {})


def _unheeded(future: asyncio.Future[Any]) -> None:
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
