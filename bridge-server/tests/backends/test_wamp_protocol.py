"""The WAMP session against a router that does what routers should not, or do without."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from support.listening import Listening, Stuck
from support.scripted_router import ScriptedRouter, scripted_router
from support.waiting import eventually
from wamp_bridge_server.backends.base import PublishOptions, Unavailable, Undeliverable, WampError
from wamp_bridge_server.backends.wamp import Identity, Patience, WampBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wamp_bridge_server.backends.base import Session

WELCOME, ABORT, CHALLENGE, GOODBYE, ERROR = 2, 3, 4, 6, 8
PUBLISH, SUBSCRIBE, SUBSCRIBED, EVENT = 16, 32, 33, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED = 48, 49, 50, 64, 65
UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = 66, 67, 68, 69, 70

PATIENCE = Patience(connect=2, retry=0.02, retry_most=0.1, retry_refused=0.1, goodbye=0.2)


@pytest.fixture
async def scripted(no_task_left: None) -> AsyncIterator[ScriptedRouter]:
    assert no_task_left is None
    async with scripted_router() as router:
        yield router


@pytest.fixture
async def session(scripted: ScriptedRouter, listening: Listening) -> AsyncIterator[Session]:
    """A session of an app, joined; the only one, as the bridge's own can't be told apart."""
    backend = WampBackend(scripted.url, patience=PATIENCE)
    backend._listener = listening
    made = backend.session("shop")
    await eventually(lambda: made.joined)
    yield made
    await backend.close()


def obliging(message: list[Any]) -> list[Any] | None:
    """The answers of a router that says yes."""
    numbers = {SUBSCRIBE: SUBSCRIBED, REGISTER: REGISTERED}
    if message[0] in numbers:
        return [numbers[message[0]], message[1], 77]
    if message[0] == UNREGISTER:
        return [UNREGISTERED, message[1]]
    return None


async def test_hello_announces_what_the_session_can_do(
    scripted: ScriptedRouter, session: Session
) -> None:
    assert session.joined
    _, realm, details = scripted.received[0]
    assert realm == "realm1"
    assert details["authmethods"] == ["anonymous"]
    features = {role: set(about["features"]) for role, about in details["roles"].items()}
    assert features["caller"] >= {"call_canceling", "caller_identification"}
    assert features["callee"] >= {
        "call_canceling",
        "caller_identification",
        "pattern_based_registration",
        "shared_registration",
    }
    assert features["publisher"] >= {"publisher_exclusion", "subscriber_blackwhite_listing"}
    assert features["subscriber"] >= {"pattern_based_subscription", "publisher_identification"}


async def test_requests_are_numbered_without_gaps(
    scripted: ScriptedRouter, session: Session
) -> None:
    options = PublishOptions(acknowledge=False)
    await session.publish("com.a", [], {}, options)
    with pytest.raises(Undeliverable):
        await session.publish("com.a", ["x" * 2**24], {}, options)
    await session.publish("com.a", [], {}, options)
    await eventually(lambda: len(scripted.of_kind(PUBLISH)) == 2)
    assert [message[1] for message in scripted.of_kind(PUBLISH)] == [1, 2]


async def test_a_message_longer_than_the_router_takes_is_refused(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.handshake = b"\x7f\x73\x00\x00"  # 2 ** (9 + 7) bytes
    backend = WampBackend(scripted.url, patience=PATIENCE)
    await backend.start(listening)
    session = backend.session("shop")
    with pytest.raises(Undeliverable, match="more than the router takes"):
        await session.publish("com.a", ["x" * 2**16], {}, PublishOptions(acknowledge=False))
    await session.publish("com.a", ["x" * 60_000], {}, PublishOptions(acknowledge=False))
    assert session.joined
    await backend.close()


@pytest.mark.parametrize(
    ("extra", "feature", "expected"),
    [
        ({"x_cb_node": "n"}, False, 5),  # Crossbar reads seconds, and announces nothing
        ({}, True, 5000),
        ({}, False, None),
    ],
)
async def test_the_router_gets_a_later_deadline_in_its_own_unit(
    scripted: ScriptedRouter,
    listening: Listening,
    extra: dict[str, Any],
    feature: bool,
    expected: int | None,
) -> None:
    scripted.extra = extra
    scripted.roles = {"dealer": {"features": {"call_timeout": feature, "call_canceling": True}}}
    backend = WampBackend(scripted.url, patience=PATIENCE)
    backend._listener = listening
    call = asyncio.create_task(backend.session("shop").call("com.f", [], {}, timeout=2.2))
    await eventually(lambda: scripted.of_kind(CALL))
    assert scripted.of_kind(CALL)[0][2].get("timeout") == expected
    call.cancel()
    await asyncio.wait([call])
    await backend.close()


async def test_a_call_given_up_is_cancelled_and_its_late_answer_ignored(
    scripted: ScriptedRouter, session: Session
) -> None:
    with pytest.raises(WampError, match="timeout"):
        await session.call("com.f", [], {}, timeout=0.05)
    await eventually(lambda: scripted.of_kind(CANCEL))
    request = scripted.of_kind(CALL)[0][1]
    assert scripted.of_kind(CANCEL) == [[CANCEL, request, {"mode": "killnowait"}]]
    scripted.send([RESULT, request, {}, ["late"]])
    scripted.send([ERROR, CALL, request, {}, "wamp.error.canceled"])
    scripted.answer = lambda message: (
        [RESULT, message[1], {}, [1], {"a": 2}] if message[0] == CALL else None
    )
    result = await session.call("com.f", [], {}, timeout=5)
    assert (result.args, result.kwargs) == ([1], {"a": 2})


async def test_a_router_that_cannot_cancel_is_not_asked_to(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.roles = {"dealer": {"features": {}}}
    backend = WampBackend(scripted.url, patience=PATIENCE)
    backend._listener = listening
    session = backend.session("shop")
    with pytest.raises(WampError, match="timeout"):
        await session.call("com.f", [], {}, timeout=0.05)
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.register("com", "prefix", "single")
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.register("com.f", "exact", "roundrobin")
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.subscribe("com", "prefix")
    with pytest.raises(WampError, match="option_not_allowed"):
        await session.publish("com.a", [], {}, PublishOptions(retain=True))
    await backend.close()
    assert [message[0] for message in scripted.received] == [1, CALL, GOODBYE]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xff",
        b"\x81",
        b"\x9f",
        cbor2.dumps("text"),
        cbor2.dumps([]),
        cbor2.dumps(["EVENT"]),
        cbor2.dumps([999, 1, {}]),
        cbor2.dumps([EVENT, 1, 2]),
        cbor2.dumps([EVENT, 1, 2, {"publisher": "x"}]),
        cbor2.dumps([EVENT, 77, 2, {}, [], {1: 2}]),
        cbor2.dumps([EVENT, 77, 2, {}, "no list"]),
        cbor2.dumps([EVENT, 12345, 2, {}]),
        cbor2.dumps([RESULT, 999, {}]),
        cbor2.dumps([RESULT, 1, {"progress": 1}]),
        cbor2.dumps([ERROR, CALL, 999, {}, "com.x"]),
        cbor2.dumps([ERROR, CALL, 999, {}, "not a uri"]),
        cbor2.dumps([ERROR, 3, 999, {}, "com.x"]),
        cbor2.dumps([INTERRUPT, 999, {}]),
        cbor2.dumps([REGISTERED, 999, 1]),
        cbor2.dumps([WELCOME, 5, {"roles": {}}]),
        cbor2.dumps([CHALLENGE, "ticket", {}]),
        cbor2.dumps([EVENT, 77, 2, {}, 0])[:-1] + b"\x81" * 500 + b"\x01",
    ],
    ids=lambda message: message[:16].hex() or "empty",
)
async def test_a_message_that_makes_no_sense_costs_nothing(
    scripted: ScriptedRouter, listening: Listening, session: Session, message: bytes
) -> None:
    scripted.answer = obliging
    await session.subscribe("com.a", "exact")
    scripted.send(message)
    scripted.send([EVENT, 77, 5, {}, ["after"]])
    await eventually(lambda: listening.events)
    assert [event.args for _, event in listening.events] == [["after"]]
    assert listening.leaves == []
    assert scripted.connections == 1


TOO_DEEP = b"\x81" * 500 + b"\x01"


@pytest.mark.parametrize(
    "answer",
    [
        lambda number: cbor2.dumps([RESULT, number, {}, "no list"]),
        lambda number: cbor2.dumps([RESULT, number, {}, [], {1: 2}]),
        lambda number: cbor2.dumps([ERROR, CALL, number, {}, "not a uri"]),
        lambda number: cbor2.dumps([RESULT, number, {}, 0])[:-1] + TOO_DEEP,
        lambda number: cbor2.dumps([ERROR, CALL, number, {}, "com.x", 0])[:-1] + TOO_DEEP,
    ],
    ids=["no list", "no names", "no uri", "deep result", "deep error"],
)
async def test_an_answer_that_cannot_be_read_ends_the_call(
    scripted: ScriptedRouter, listening: Listening, session: Session, answer: Any
) -> None:
    call = asyncio.create_task(session.call("com.f", [], {}, timeout=30))
    await eventually(lambda: scripted.of_kind(CALL))
    scripted.send(answer(scripted.of_kind(CALL)[0][1]))
    with pytest.raises(WampError, match="runtime_error"):
        await call
    assert listening.leaves == []


@pytest.mark.parametrize(
    "invocation",
    [
        cbor2.dumps([INVOCATION, 5, 77, {}, "no list"]),
        cbor2.dumps([INVOCATION, 5, 77, {}, [], {1: 2}]),
        cbor2.dumps([INVOCATION, 5, 77, {"timeout": -1}]),
        cbor2.dumps([INVOCATION, 5, 77, {"enc_algo": "cryptobox"}, b"secret"]),
        cbor2.dumps([INVOCATION, 5, 78, {}]),
        cbor2.dumps([INVOCATION, 5, 77, {}, 0])[:-1] + TOO_DEEP,
    ],
)
async def test_an_invocation_that_cannot_be_served_is_answered(
    scripted: ScriptedRouter, listening: Listening, session: Session, invocation: bytes
) -> None:
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send(invocation)
    await eventually(lambda: scripted.of_kind(ERROR))
    kind, request_kind, request, _, uri, _ = scripted.of_kind(ERROR)[0]
    assert (kind, request_kind, request) == (ERROR, INVOCATION, 5)
    assert uri in {"wamp.error.invalid_argument", "wamp.error.no_such_procedure"}
    assert listening.invocations == []


async def test_encrypted_events_are_left_alone(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    scripted.answer = obliging
    await session.subscribe("com.a", "exact")
    scripted.send([EVENT, 77, 5, {"enc_algo": "cryptobox"}, b"secret"])
    scripted.send([EVENT, 77, 6, {}])
    await eventually(lambda: listening.events)
    assert [event.publication for _, event in listening.events] == [6]


async def test_an_interrupt_cancels_and_is_answered(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    stuck = listening.handlers["com.f"] = Stuck()
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([INVOCATION, 5, 77, {"caller": 9, "timeout": 3000}])
    await stuck.entered.wait()
    assert listening.invocations[0][1].details.deadline_seconds == 3
    scripted.send([INTERRUPT, 5, {"mode": "kill"}])
    await eventually(lambda: scripted.of_kind(ERROR))
    assert scripted.of_kind(ERROR)[0][1:5] == [INVOCATION, 5, {}, "wamp.error.canceled"]
    # One that is interrupted before it has begun is answered as well.
    scripted.send([INVOCATION, 6, 77, {}])
    scripted.send([INTERRUPT, 6, {}])
    await eventually(lambda: len(scripted.of_kind(ERROR)) == 2)
    assert scripted.of_kind(ERROR)[1][1:5] == [INVOCATION, 6, {}, "wamp.error.canceled"]


async def test_a_registration_taken_back_by_the_router_is_noticed(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([UNREGISTERED, 0, {"registration": 77, "reason": "wamp.error.unregistered"}])
    await eventually(lambda: listening.joins == ["shop", "shop"])
    assert "took back" in listening.leaves[0][1]
    await session.register("com.f", "exact", "single")


async def test_pings_are_answered(scripted: ScriptedRouter, session: Session) -> None:
    scripted.send_frame(1, b"are you there?")
    await eventually(lambda: scripted.pongs == [b"are you there?"])
    assert session.joined


async def test_a_goodbye_is_returned_and_the_session_made_again(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    pending = asyncio.create_task(session.call("com.f", [], {}, timeout=30))
    await eventually(lambda: scripted.of_kind(CALL))
    scripted.send([GOODBYE, {}, "wamp.close.system_shutdown"])
    with pytest.raises(Unavailable, match="system_shutdown"):
        await pending
    await eventually(lambda: len(listening.joins) == 2)
    assert scripted.of_kind(GOODBYE)[0][2] == "wamp.close.goodbye_and_out"


async def test_what_is_pending_fails_when_the_connection_goes(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    stuck = listening.handlers["com.f"] = Stuck()
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")
    scripted.send([INVOCATION, 5, 77, {}])
    await stuck.entered.wait()
    scripted.answer = lambda _: None
    waiting = [
        asyncio.create_task(coroutine)
        for coroutine in (
            session.call("com.g", [], {}, timeout=30),
            session.publish("com.a", [], {}, PublishOptions()),
            session.subscribe("com.a", "exact"),
            session.register("com.h", "exact", "single"),
            session.unregister(77),
        )
    ]
    await eventually(lambda: scripted.of_kind(UNREGISTER))
    scripted.drop()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    await eventually(lambda: listening.cancelled == ["com.f"])
    await eventually(lambda: len(listening.joins) == 2)
    scripted.answer = obliging
    await session.register("com.f", "exact", "single")


async def test_a_refusal_has_a_reason_and_is_not_hurried(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.greeting = [ABORT, {"message": "not you"}, "wamp.error.not_authorized"]
    backend = WampBackend(scripted.url, patience=PATIENCE)
    await backend.start(listening)
    await eventually(lambda: "not_authorized: not you" in (backend.reason or ""))
    session = backend.session("shop")
    with pytest.raises(Unavailable, match="not you"):
        await session.call("com.f", [], {}, timeout=5)
    assert not backend.joined
    scripted.greeting = None
    await eventually(lambda: backend.joined and session.joined)
    assert backend.reason is None
    await backend.close()


@pytest.mark.parametrize(
    "greeting",
    [
        [CHALLENGE, "wampcra", {"challenge": "x"}],
        [CHALLENGE, "ticket", {}],
        [EVENT, 1, 2, {}],
        [ABORT, {}, "wamp.error.no_such_realm"],
        [WELCOME],
        ["rubbish"],
    ],
    ids=repr,
)
async def test_what_answers_like_no_router_is_not_joined(
    scripted: ScriptedRouter, listening: Listening, greeting: list[Any]
) -> None:
    scripted.greeting = greeting
    backend = WampBackend(
        scripted.url,
        identity=Identity("wampcra", "shop", "secret") if greeting[1:2] == ["ticket"] else None,
        patience=PATIENCE,
    )
    await backend.start(listening)
    with pytest.raises(Unavailable):
        await backend.session("shop").call("com.f", [], {}, timeout=5)
    await backend.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x7f\x10\x00\x00"])
async def test_other_servers_are_no_routers(
    listening: Listening, no_task_left: None, answer: bytes
) -> None:
    assert no_task_left is None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for scheme in ("rs", "ws"):
        backend = WampBackend(f"{scheme}://127.0.0.1:{port}", patience=PATIENCE)
        await backend.start(listening)
        with pytest.raises(Unavailable):
            await backend.session("shop").call("com.f", [], {}, timeout=5)
        await backend.close()
    server.close()


@pytest.mark.parametrize("scheme", ["rs", "ws"])
async def test_a_server_that_says_nothing_is_given_up(
    listening: Listening, no_task_left: None, scheme: str
) -> None:
    assert no_task_left is None
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    patience = Patience(connect=0.2, retry=0.02, retry_most=0.1)
    backend = WampBackend(f"{scheme}://127.0.0.1:{port}", patience=patience)
    await backend.start(listening)
    session = backend.session("shop")
    with pytest.raises(Unavailable, match="has not let the bridge in yet"):
        await session.call("com.f", [], {}, timeout=0.05)
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        await session.call("com.f", [], {}, timeout=5)
    await eventually(lambda: len(connections) > 4)
    await backend.close()
    server.close()


async def test_a_silent_router_is_asked_and_one_that_stays_silent_given_up(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    patience = Patience(probe=0.2, silence=0.6, retry=0.02, goodbye=0.2)
    backend = WampBackend(scripted.url, patience=patience)
    backend._listener = listening
    session = backend.session("shop")
    scripted.answer = lambda message: (
        [ERROR, CALL, message[1], {}, "wamp.error.not_authorized"] if message[0] == CALL else None
    )
    await eventually(lambda: len(scripted.of_kind(CALL)) >= 5)
    assert {message[3] for message in scripted.of_kind(CALL)} == {"wamp.session.count"}
    assert listening.joins == ["shop"]
    scripted.answer = lambda _: None
    with pytest.raises(Unavailable, match="silent"):
        await session.call("com.f", [], {}, timeout=30)
    await eventually(lambda: len(listening.joins) == 2)
    await backend.close()
