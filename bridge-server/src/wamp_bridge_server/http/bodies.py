"""The bodies of the requests (protocol, section 1), as structs that decode them.

An unknown member is refused, for it may be a mistyped one. Types are checked here; whether a value
is allowed is the services' to say.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wamp_bridge_server.backends.base import PublishOptions


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every body may hold: the token, the article's way."""

    token: str | None = None


class Registration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A procedure's callback URL with its options."""

    url: str
    match: str | None = None
    invoke: str | None = None
    concurrency: int | None = None
    timeout: float | None = None


class Subscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A topic's callback URL with its options."""

    url: str
    match: str | None = None
    ordered: bool | None = None
    get_retained: bool | None = None
    concurrency: int | None = None
    schedule: list[float] | None = None
    timeout: float | None = None
    dead_letters: float | None = None


class Register(_Body):
    """`POST /register/`."""

    endpoints: dict[str, str | Registration]
    lease: float | None = None


class Subscribe(_Body):
    """`POST /subscribe/`."""

    endpoints: dict[str, str | Subscription]
    lease: float | None = None


class TakeBack(_Body):
    """`POST /unregister/` and `POST /unsubscribe/`."""

    endpoints: list[str] | dict[str, str | None]
    match: str | None = None


class Payload(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Arguments, in the article's way or in WAMP's."""

    params: list[Any] | dict[str, Any] | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether it says nothing of arguments."""
        return self.params is None and self.args is None and self.kwargs is None


class _Payload(Payload):
    """Arguments beside what every body may hold."""

    token: str | None = None


class CallOptions(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The options of a call, by WAMP's names; `cancel_mode` is the `mode` of its CANCEL."""

    cancel_mode: str | None = None
    receive_progress: bool = False


class Call(_Payload):
    """`POST /call/PROCEDURE/`."""

    timeout: float | None = None
    callback: str | None = None
    options: CallOptions | None = None


class CancelCall(_Body):
    """`DELETE /calls/ID/`."""

    mode: str | None = None


class PublicationOptions(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The options of a publication, by WAMP's names."""

    acknowledge: bool = True
    exclude_me: bool = False
    exclude: list[int] | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: list[int] | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    retain: bool = False

    def for_wamp(self) -> PublishOptions:
        """Themselves as the backends take them."""
        return PublishOptions(**msgspec.structs.asdict(self))


class OneOfSeveral(Payload):
    """An event of several that are published in one request; its options instead of all's."""

    options: PublicationOptions | None = None


class Publish(_Payload):
    """`POST /publish/TOPIC/`: an event, or several."""

    options: PublicationOptions | None = None
    events: list[OneOfSeveral] | None = None


class SignUrl(_Body):
    """`POST /events/TOPIC/url/`."""

    match: str | None = None
    lifetime: float | None = None
    origin: str | None = None


class Announce(_Body):
    """`POST /announce/`."""

    url: str
    wait: bool = False


class Withdraw(_Body):
    """`POST /withdraw/`."""

    url: str


class Heartbeat(_Body):
    """`POST /heartbeat/`."""

    endpoints: list[str] | dict[str, str | None] | None = None


class DeadLetters(_Body):
    """`POST /dead-letters/replay/`: which; all where nothing is said."""

    endpoint: str | None = None
    uri: str | None = None
    since: float | None = None
    until: float | None = None
    error: str | None = None
    limit: int | None = None


class Nothing(_Body):
    """A request that the path says all of."""


register = msgspec.json.Decoder(Register)
subscribe = msgspec.json.Decoder(Subscribe)
take_back = msgspec.json.Decoder(TakeBack)
call = msgspec.json.Decoder(Call)
cancel_call = msgspec.json.Decoder(CancelCall)
publish = msgspec.json.Decoder(Publish)
sign_url = msgspec.json.Decoder(SignUrl)
announce = msgspec.json.Decoder(Announce)
withdraw = msgspec.json.Decoder(Withdraw)
heartbeat = msgspec.json.Decoder(Heartbeat)
dead_letters = msgspec.json.Decoder(DeadLetters)
nothing = msgspec.json.Decoder(Nothing)
