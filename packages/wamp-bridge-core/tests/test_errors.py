from __future__ import annotations

import copy
import pickle
import re

import pytest

import wamp_bridge.core
from wamp_bridge.core import (
    ApplicationError,
    BadRequest,
    BridgeError,
    BridgeUnreachable,
    CallTimeout,
    Canceled,
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidArgument,
    InvalidURI,
    NoSuchProcedure,
    NotFound,
    ServerError,
    Unauthorized,
    Unavailable,
    Unprocessable,
    _errors,
)
from wamp_bridge.core._errors import error_of, status_of

ALL = [thing for thing in vars(_errors).values() if isinstance(thing, type)]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^([ │├└─]*)(\w+)(?=\s|$)", _errors.__doc__ or "", re.MULTILINE)
    tree: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for lead, name in drawn:
        if not hasattr(_errors, name):
            continue
        while above and above[-1][0] >= len(lead):
            above.pop()
        tree[name] = above[-1][1] if above else None
        above.append((len(lead), name))
    real = {
        error.__name__: next((base.__name__ for base in error.__bases__ if base in ALL), None)
        for error in ALL
        if issubclass(error, BridgeError)
    }
    assert tree == real


def test_every_error_is_exported() -> None:
    for error in ALL:
        if issubclass(error, BridgeError):
            assert getattr(wamp_bridge.core, error.__name__) is error


def test_an_application_error_carries_what_it_was_given() -> None:
    error = ApplicationError("com.shop.sold_out", "book", 3, self="me", uri="it", args=[1])
    assert error.uri == "com.shop.sold_out"
    assert error.args == ("book", 3)
    assert error.kwargs == {"self": "me", "uri": "it", "args": [1]}
    assert error.status == 500
    assert str(error) == "com.shop.sold_out: book, 3, self='me', uri='it', args=[1]"


def test_an_application_error_is_shown_as_it_was_made() -> None:
    shown = "ApplicationError('com.shop.sold_out', 'book', left=0)"
    assert repr(ApplicationError("com.shop.sold_out", "book", left=0)) == shown


def test_an_application_error_without_arguments_is_shown_by_its_uri() -> None:
    assert str(ApplicationError("com.shop.sold_out")) == "com.shop.sold_out"


def test_an_application_error_has_the_status_of_a_known_uri() -> None:
    assert ApplicationError("wamp.error.invalid_argument").status == 400


def test_an_application_error_needs_a_uri() -> None:
    with pytest.raises(InvalidURI):
        ApplicationError("sold out")


@pytest.mark.parametrize(
    "error",
    [
        ApplicationError("com.shop.sold_out", "book", left=0),
        BridgeError(),
        Forbidden("not yours", who="joe"),
        ConfigurationError("WAMP_BRIDGE_URL is not set"),
        BridgeUnreachable.explained("connection refused"),
        error_of(503, "wamp.error.unavailable", ["a"], {"b": 1}, retry_after=2.0, request_id="r"),
    ],
)
def test_errors_survive_pickling_and_copying(error: BridgeError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert twin.args == error.args
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


@pytest.mark.parametrize(
    ("status", "uri", "kind"),
    [
        (400, None, BadRequest),
        (400, "wamp.error.invalid_argument", InvalidArgument),
        (401, None, Unauthorized),
        (401, "wamp.error.not_authorized", Unauthorized),
        (403, "wamp.error.not_authorized", Forbidden),
        (404, None, NotFound),
        (404, "wamp.error.no_such_procedure", NoSuchProcedure),
        (409, "wamp.error.procedure_already_exists", Conflict),
        (409, "wamp.error.canceled", Canceled),
        (503, "wamp.error.canceled", Canceled),
        (422, None, Unprocessable),
        (500, "com.shop.sold_out", ApplicationError),
        (500, "wamp.error.runtime_error", ApplicationError),
        (500, None, ServerError),
        (502, None, ServerError),
        (503, None, Unavailable),
        (504, "wamp.error.timeout", CallTimeout),
        (418, None, BridgeError),
    ],
)
def test_what_the_bridge_answers_has_the_class_that_says_most(
    status: int, uri: str | None, kind: type[BridgeError]
) -> None:
    error = error_of(status, uri, ["why"], {"more": 1})
    assert type(error) is kind
    assert error.status == status
    assert error.uri == uri or uri is None
    assert (error.args, error.kwargs) == (("why",), {"more": 1})


def test_an_answer_may_carry_a_uri_that_no_one_could_raise() -> None:
    assert error_of(500, "not a uri").uri == "not a uri"


def test_statuses_are_those_of_the_protocol() -> None:
    assert status_of("wamp.error.no_such_procedure") == 404
    assert status_of("wamp.error.not_authorized") == 403
    assert status_of("wamp.error.timeout") == 504
    assert status_of("wamp.error.unavailable") == 503
    assert status_of("com.shop.sold_out") == 500


def test_what_is_explained_stays_on_this_side() -> None:
    error = BridgeUnreachable.explained("http://10.0.0.1/ refused")
    assert str(error) == "http://10.0.0.1/ refused"
    assert error.args == ()
    assert error.kwargs == {}
