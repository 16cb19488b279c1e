"""The WAMP session against routers that do what they should not, and against no routers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from support.scripted_router import (
    ABORT,
    CALL,
    CHALLENGE,
    ERROR,
    EVENT,
    HURRIED,
    INTERRUPT,
    INVOCATION,
    REGISTERED,
    RESULT,
    WELCOME,
    obliging,
)
from support.waiting import eventually
from wamp_bridge_server.backends.base import Unavailable, WampError
from wamp_bridge_server.backends.wamp import Identity, Patience, WampBackend

if TYPE_CHECKING:
    from support.listening import Listening
    from support.scripted_router import ScriptedRouter
    from wamp_bridge_server.backends.base import Session


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


async def test_null_is_taken_for_arguments_that_are_not_there(
    scripted: ScriptedRouter, listening: Listening, session: Session
) -> None:
    scripted.answer = obliging
    await session.subscribe("com.a", "exact")
    await session.register("com.f", "exact", "single")
    scripted.send([EVENT, 77, 5, {}, None, None])
    scripted.send([EVENT, 77, 6, {}, None, {"a": None}])
    scripted.send([INVOCATION, 5, 77, {}, [None], None])
    await eventually(lambda: len(listening.events) == 2 and listening.invocations)
    assert [(event.args, event.kwargs) for _, event in listening.events] == [
        ([], {}),
        ([], {"a": None}),
    ]
    [(_, invocation)] = listening.invocations
    assert (invocation.args, invocation.kwargs) == ([None], {})
    answers: list[list[Any]] = [[None, None], [[], None]]
    for answer in answers:
        call = asyncio.create_task(session.call("com.g", [], {}, timeout=30))
        await eventually(lambda: scripted.of_kind(CALL))
        scripted.send([RESULT, scripted.of_kind(CALL)[-1][1], {}, *answer])
        result = await call
        assert (result.args, result.kwargs) == ([], {})
        scripted.received.clear()


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


async def test_a_refusal_has_a_reason_and_is_not_hurried(
    scripted: ScriptedRouter, listening: Listening
) -> None:
    scripted.greeting = [ABORT, {"message": "not you"}, "wamp.error.not_authorized"]
    backend = WampBackend(scripted.url, patience=HURRIED)
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
        patience=HURRIED,
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
        backend = WampBackend(f"{scheme}://127.0.0.1:{port}", patience=HURRIED)
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
    patience = Patience(probe=0.5, silence=2.5, retry=0.02, goodbye=0.2)
    backend = WampBackend(scripted.url, patience=patience)
    backend._listener = listening
    session = backend.session("shop")
    scripted.answer = lambda message: (
        [ERROR, CALL, message[1], {}, "wamp.error.not_authorized"] if message[0] == CALL else None
    )
    await eventually(lambda: len(scripted.of_kind(CALL)) >= 3)
    assert {message[3] for message in scripted.of_kind(CALL)} == {"wamp.session.count"}
    assert listening.joins == ["shop"]
    scripted.answer = lambda _: None
    with pytest.raises(Unavailable, match="silent"):
        await session.call("com.f", [], {}, timeout=30)
    await eventually(lambda: len(listening.joins) == 2)
    await backend.close()
