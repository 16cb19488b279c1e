"""Bodies in CBOR and MessagePack: the same values, the same limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cbor2
import msgpack
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from support.signing import sign
from support.waiting import eventually
from wamp_bridge_server.errors import Malformed, Unprocessable
from wamp_bridge_server.http import bodies
from wamp_bridge_server.http.forms import BY_MEDIA_TYPE, FORMS, Form
from wamp_bridge_server.http.negotiation import wanted
from wamp_bridge_server.values import NotJson

if TYPE_CHECKING:
    import httpx

    from support.clients import Client
    from support.servers import CallbackServer
    from wamp_bridge_server.bridge import Bridge

SECRET = "whsec_" + "A" * 43 + "="
JSON, CBOR, PACK = "application/json", "application/cbor", "application/msgpack"
WRITE: Any = {CBOR: cbor2.dumps, PACK: msgpack.packb, "application/vnd.msgpack": msgpack.packb}
READ: Any = {CBOR: cbor2.loads, PACK: msgpack.unpackb, "application/vnd.msgpack": msgpack.unpackb}
wamp_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(lambda text: not text.startswith("\0"))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
VALUES = [b"\x00\xff", 2**64 - 1, -(2**63), None, 0.5, "é", {"in": [b"", {}]}, True]


@pytest.fixture
def router_url() -> str:
    return "memory:"


def headers(form: str) -> dict[str, str]:
    return {"Content-Type": form, "Accept": form}


async def ask(shop: Client, path: str, body: Any, form: str) -> httpx.Response:
    return await shop.http.post(path, content=WRITE[form](body), headers=headers(form))


async def echo(shop: Client, app: CallbackServer) -> None:
    app.answering = lambda posted: web.json_response(posted.document["args"])
    await shop.post("/register/", {"endpoints": {"com.echo": app.url}})


@pytest.mark.parametrize("form", WRITE)
async def test_values_come_and_go_as_they_are(shop: Client, app: CallbackServer, form: str) -> None:
    await echo(shop, app)
    answered = await ask(shop, "/call/com.echo/", {"params": VALUES}, form)
    assert answered.headers["content-type"] == form
    assert READ[form](answered.content) == {"result": VALUES, "args": [VALUES], "kwargs": {}}
    assert app.of_type("invocation")[0]["args"][0] == "\0AP8="  # callbacks are JSON
    published = await ask(shop, "/publish/com.topic/", {"kwargs": {"a": b"b"}}, form)
    assert READ[form](published.content).keys() == {"publication"}


@pytest.mark.parametrize("form", [CBOR, PACK])
async def test_the_outcome_of_an_asynchronous_call_has_bytes(
    shop: Client, app: CallbackServer, form: str
) -> None:
    await echo(shop, app)
    told = {**headers(form), "Prefer": "respond-async", "Idempotency-Key": "once"}
    begun = await shop.http.post(
        "/call/com.echo/", content=WRITE[form]({"args": [b"\xff"]}), headers=told
    )
    assert READ[form](begun.content)["status"] == "pending"

    async def outcome() -> Any:
        read = await shop.http.get(begun.headers["location"], headers={"Accept": form})
        entry = READ[form](read.content)
        return entry if entry["status"] == "succeeded" else None

    await eventually(outcome)
    assert (await outcome())["result"] == [b"\xff"]
    again = await shop.post("/call/com.echo/", {"args": ["\0/w=="]}, status=None)
    assert again["result"] == ["\0/w=="]


async def test_a_kept_answer_is_given_in_the_form_that_is_wanted_now(
    shop: Client, app: CallbackServer
) -> None:
    await echo(shop, app)
    for form in (CBOR, PACK, JSON, CBOR):
        answered = await shop.http.post(
            "/call/com.echo/",
            content=cbor2.dumps({"params": [b"\xff"]}),
            headers={"Content-Type": CBOR, "Accept": form, "Idempotency-Key": "once"},
        )
        assert answered.headers["content-type"] == form
        result = BY_MEDIA_TYPE[form].read(answered.content, dict[str, Any])["result"]
        assert result == (["\0/w=="] if form == JSON else [b"\xff"])
    assert len(app.of_type("invocation")) == 1


@pytest.mark.parametrize("form", [CBOR, PACK])
async def test_errors_are_problems_in_json(shop: Client, form: str) -> None:
    answered = await ask(shop, "/call/com.nobody/", {}, form)
    assert answered.status_code == 404
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.json()["error"] == "wamp.error.no_such_procedure"


@pytest.mark.parametrize("form", [CBOR, PACK])
async def test_the_token_may_stand_in_the_body(anonymous: httpx.AsyncClient, form: str) -> None:
    for token, status in (("token-of-shop", 200), ("wrong", 401), (b"token-of-shop", 401)):
        answered = await anonymous.post(
            "/heartbeat/", content=WRITE[form]({"token": token}), headers=headers(form)
        )
        assert answered.status_code == status
    nothing = await anonymous.post("/heartbeat/", content=b"", headers=headers(form))
    assert nothing.status_code == 401
    garbage = await anonymous.post("/heartbeat/", content=b"\xc1\xff", headers=headers(form))
    assert garbage.status_code == 400


async def test_a_signature_is_of_the_octets_as_they_came(
    bridge: Bridge, anonymous: httpx.AsyncClient
) -> None:
    body = cbor2.dumps({"endpoints": []})
    host = bridge.url.removeprefix("http://").rstrip("/")
    for sent, status in ((body, 200), (cbor2.dumps({"endpoints": ["a"]}), 401)):
        signed = sign(SECRET, "POST", host, "/heartbeat/", body, media_type=CBOR)
        answered = await anonymous.post("/heartbeat/", content=sent, headers=signed)
        assert answered.status_code == status, answered.text


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("form", "body", "status"),
    [
        *((form, WRITE[form]({"params": [nested(62)]}), 404) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": [nested(63)]}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": nested(300)}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": [float("nan")]}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": {1: 2}}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": {b"a": 2}}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": ["\0text"]}), 422) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": []}) + b"\0", 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"params": []})[:-1], 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]([]), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"timeout": float("inf")}), 400) for form in (CBOR, PACK)),
        *((form, WRITE[form]({"timeout": b"5"}), 400) for form in (CBOR, PACK)),
        (CBOR, cbor2.dumps({"params": [2**64]}), 422),
        (CBOR, cbor2.dumps({"params": [-(2**63) - 1]}), 422),
        (CBOR, b"\xa1\x66params\x81\xf7", 400),  # undefined
        (CBOR, b"\xa1\x66params\x81\xc1\x00", 400),  # a time
        (CBOR, b"\xa1\x66params\x82\xd8\x1c\x80\xd8\x1d\x00", 400),  # a shared value
        (CBOR, b"\xa2\x66params\x80\x66params\x80", 400),  # a key twice
        (CBOR, b"\xbf\x66params\x9f\x01\xff\xff", 404),  # of indefinite length
        (CBOR, b"\xa1\x66params\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 400),
        (PACK, b"\x81\xa6params\x91\xd6\xff\x00\x00\x00\x00", 400),  # a time
        (PACK, b"\x81\xa6params\x91\xd4\x05\x00", 400),  # an extension
        (PACK, b"\x81\xa6params\xdd\xff\xff\xff\xff", 400),
        (PACK, b"\x81\xa6params\x91\xa1\xff", 400),  # no UTF-8
    ],
)
async def test_what_no_form_may_carry_is_refused(
    shop: Client, form: str, body: bytes, status: int
) -> None:
    answered = await shop.http.post("/call/com.nobody/", content=body, headers=headers(form))
    assert answered.status_code == status, answered.text


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ([], JSON),
        (["*/*"], JSON),
        (["application/*"], JSON),
        (["application/cbor"], CBOR),
        (["Application/CBOR ; Q=0.5"], CBOR),
        (["application/cbor, application/json"], JSON),
        (["application/json;q=0.5, application/cbor;q=0.6"], CBOR),
        (["application/json;q=0.5", "application/vnd.msgpack"], "application/vnd.msgpack"),
        (["application/msgpack, */*"], PACK),
        (["application/cbor;q=0, */*;q=0.1"], JSON),
        (["application/json;q=0, application/*"], CBOR),
        (["application/cbor;q=nonsense"], JSON),
        (["application/cbor;q=1.5"], JSON),
        (["text/html"], JSON),
        ([",,;q="], JSON),
    ],
)
def test_accept_is_read_as_the_standard_has_it(accept: list[str], name: str) -> None:
    form, media_type = wanted(accept)
    assert (form, media_type) == (BY_MEDIA_TYPE[name], name)


@given(wamp_values)
def test_each_form_carries_what_the_others_do(value: Any) -> None:
    document = {"params": [value]}
    kept = FORMS[0].write(FORMS[0].writable(document))
    for form in FORMS:
        try:
            written = form.write(form.writable(document))
        except NotJson:
            assert form.media_types[0] == PACK  # which has no integers beyond 64 bits
            continue
        read = form.read(written, bodies.Call)
        assert form.values(read.params, written, "params") == [value]
        assert form.read(form.of_json(kept), bodies.Call) == read
        assert FORMS[0].read(form.as_json(written), bodies.Call) == FORMS[0].read(kept, bodies.Call)


@given(st.sampled_from(FORMS), st.binary(max_size=60))
def test_nothing_but_a_refusal_comes_of_any_octets(form: Form, octets: bytes) -> None:
    for read in (form.token, lambda body: form.read(body, bodies.Call)):
        try:
            read(octets)
        except (Malformed, Unprocessable):
            continue
