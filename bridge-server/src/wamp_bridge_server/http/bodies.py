"""The bodies of the requests (protocol, section 1), as structs that decode them.

An unknown member is refused, for it may be a mistyped one. Types are checked here; whether a value
is allowed is the services' to say. What stands in `Meta` is for the readers of `/openapi.json`.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec
from msgspec import Meta

from wamp_bridge_server.backends.base import CancelMode, Invoke, Match, PublishOptions
from wamp_bridge_server.http.routes import PATTERN_SCHEMA, URI_SCHEMA
from wamp_bridge_server.services.checks import (
    MAX_CALL_SECONDS,
    MAX_CONCURRENCY,
    MAX_LEASE_SECONDS,
    MAX_URL_LENGTH,
    MIN_LEASE_SECONDS,
)

MOST_EVENTS = 1000
"""In one request."""

LEAST_URL_SECONDS = 1.0
"""For which a signed URL is good."""

Uri = Annotated[str, Meta(description="A WAMP URI.", extra_json_schema=URI_SCHEMA)]
Pattern = Annotated[
    str, Meta(description="A WAMP URI, or a pattern of some.", extra_json_schema=PATTERN_SCHEMA)
]
Url = Annotated[
    str,
    Meta(
        description="A URL of the app, http or https, that its configuration allows.",
        extra_json_schema={"pattern": "^https?://", "maxLength": MAX_URL_LENGTH},
    ),
]
MatchText = Annotated[
    str,
    Meta(description="exact where left out.", extra_json_schema={"enum": list(get_args(Match))}),
]
InvokeText = Annotated[
    str,
    Meta(
        description="Which of several callees serves a call; single where left out.",
        extra_json_schema={"enum": list(get_args(Invoke))},
    ),
]
Concurrency = Annotated[
    int,
    Meta(
        description="How many requests the app gets at once for this endpoint.",
        extra_json_schema={"minimum": 1, "maximum": MAX_CONCURRENCY},
    ),
]
CallSeconds = Annotated[
    float,
    Meta(
        description="Seconds that a call may take.",
        extra_json_schema={"exclusiveMinimum": 0, "maximum": MAX_CALL_SECONDS},
    ),
]
Lease = Annotated[
    float,
    Meta(
        description="Seconds after which the endpoints go when nobody renews them.",
        extra_json_schema={"minimum": MIN_LEASE_SECONDS, "maximum": MAX_LEASE_SECONDS},
    ),
]
Wait = Annotated[float, Meta(description="Seconds.", extra_json_schema={"minimum": 0})]
SessionIds = Annotated[
    list[Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 2**53})]],
    Meta(description="WAMP session ids."),
]


Token = Annotated[str | None, Meta(description="The app's token, where no header has it.")]
CancelModeText = Annotated[
    str,
    Meta(
        description="What becomes of the callee: killnowait tells it, kill waits for it, too, and "
        "skip leaves it alone.",
        extra_json_schema={"enum": list(get_args(CancelMode))},
    ),
]


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every body may hold: the token, the article's way."""

    token: Token = None


class Registration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A procedure's callback URL with its options."""

    url: Url
    match: MatchText | None = None
    invoke: InvokeText | None = None
    concurrency: Concurrency | None = None
    timeout: CallSeconds | None = None


class Subscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A topic's callback URL with its options."""

    url: Url
    match: MatchText | None = None
    ordered: Annotated[
        bool | None, Meta(description="One event at a time, in the order they came.")
    ] = None
    get_retained: Annotated[
        bool | None, Meta(description="Have the event that the router retains sent, once.")
    ] = None
    concurrency: Concurrency | None = None
    schedule: Annotated[
        list[Wait] | None, Meta(description="The waits before each attempt to deliver an event.")
    ] = None
    timeout: Annotated[
        float | None, Meta(description="Seconds that an attempt may take, 0.1 to 3600.")
    ] = None
    dead_letters: Annotated[
        float | None, Meta(description="Seconds for which dead letters are kept.")
    ] = None


class Register(_Body):
    """Procedures and what serves them."""

    endpoints: dict[Pattern, Url | Registration]
    lease: Lease | None = None


class Subscribe(_Body):
    """Topics and where their events go."""

    endpoints: dict[Pattern, Url | Subscription]
    lease: Lease | None = None


class TakeBack(_Body):
    """URIs, or URIs with the URL of each."""

    endpoints: list[str] | dict[str, str | None]
    match: MatchText | None = None


class Payload(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Arguments, in the article's way or in WAMP's."""

    params: Annotated[
        list[Any] | dict[str, Any] | None,
        Meta(description="Positional arguments, or keyword arguments; not beside args and kwargs."),
    ] = None
    args: Annotated[list[Any] | None, Meta(description="Positional arguments.")] = None
    kwargs: Annotated[dict[str, Any] | None, Meta(description="Keyword arguments.")] = None

    @property
    def empty(self) -> bool:
        """Whether it says nothing of arguments."""
        return self.params is None and self.args is None and self.kwargs is None


class _Payload(Payload):
    """Arguments beside what every body may hold."""

    token: Token = None


class CallOptions(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The options of a call, by WAMP's names; `cancel_mode` is the `mode` of its CANCEL."""

    cancel_mode: CancelModeText | None = None
    receive_progress: Annotated[
        bool,
        Meta(
            description="Have progress sent to the callback, which there must be; false where left "
            "out."
        ),
    ] = False


class Call(_Payload):
    """A call."""

    timeout: CallSeconds | None = None
    callback: Annotated[
        Url | None, Meta(description="Where the outcome is sent; the call isn't waited for then.")
    ] = None
    options: CallOptions | None = None


class CancelCall(_Body):
    """How a call is cancelled, where the query doesn't say it."""

    mode: CancelModeText | None = None


class PublicationOptions(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The options of a publication, by WAMP's names."""

    acknowledge: Annotated[
        bool, Meta(description="Have the publication's id answered; true where left out.")
    ] = True
    exclude_me: Annotated[
        bool, Meta(description="Leave out the app itself; false where left out.")
    ] = False
    exclude: SessionIds | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: SessionIds | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    retain: Annotated[
        bool,
        Meta(description="Have the router keep it for later subscribers; false where left out."),
    ] = False

    def for_wamp(self) -> PublishOptions:
        """Themselves as the backends take them."""
        return PublishOptions(**msgspec.structs.asdict(self))


class OneOfSeveral(Payload):
    """An event of several; its options stand in the place of those of all."""

    options: PublicationOptions | None = None


class Publish(_Payload):
    """A publication, or several."""

    options: PublicationOptions | None = None
    events: Annotated[
        list[OneOfSeveral] | None,
        Meta(
            description="Several, in their order; not beside arguments.",
            extra_json_schema={"minItems": 1, "maxItems": MOST_EVENTS},
        ),
    ] = None


class SignUrl(_Body):
    """What a signed URL is for."""

    match: MatchText | None = None
    lifetime: Annotated[
        float | None,
        Meta(
            description="Seconds for which it opens streams.",
            extra_json_schema={"minimum": LEAST_URL_SECONDS},
        ),
    ] = None
    origin: Annotated[
        str | None,
        Meta(
            description="Scheme, host and port of the one page that it is for.",
            extra_json_schema={"pattern": "^https?://"},
        ),
    ] = None


class Announce(_Body):
    """The app's dispatcher."""

    url: Url
    wait: Annotated[
        bool, Meta(description="Answer when its manifest is in force; false where left out.")
    ] = False


class Withdraw(_Body):
    """The app's dispatcher."""

    url: str


class Heartbeat(_Body):
    """Which endpoints' leases are renewed; all of them where nothing is said."""

    endpoints: list[str] | dict[str, str | None] | None = None


class DeadLetters(_Body):
    """Which dead letters; all where nothing is said."""

    endpoint: str | None = None
    uri: str | None = None
    since: float | None = None
    until: float | None = None
    error: str | None = None
    limit: Annotated[int, Meta(extra_json_schema={"minimum": 1})] | None = None


class Nothing(_Body):
    """Nothing but the token: the path says it all."""


_Nothing = "Null, false, 0 or an empty text count as nothing."
CrossbarArgs = Annotated[Any, Meta(description=f"A list. {_Nothing}")]
CrossbarKwargs = Annotated[Any, Meta(description=f"An object. {_Nothing}")]
CrossbarToken = Annotated[Any, Meta(description="A text: the app's token, where no header has it.")]


class CrossbarCall(msgspec.Struct):
    """Crossbar.io's body of a call."""

    procedure: Uri
    args: CrossbarArgs = None
    kwargs: CrossbarKwargs = None
    token: CrossbarToken = None


class CrossbarPublish(msgspec.Struct):
    """Crossbar.io's body of a publication."""

    topic: Uri
    args: CrossbarArgs = None
    kwargs: CrossbarKwargs = None
    options: Annotated[
        Any, Meta(description="An object, as of a publication; others are left out.")
    ] = None
    token: CrossbarToken = None
