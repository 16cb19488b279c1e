"""Handlers run behind an app's tweens: transactions, retries, exception views."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import transaction
from pyramid.httpexceptions import HTTPForbidden
from pyramid.response import Response
from pyramid.tweens import EXCVIEW

from wamp_bridge.core import ApplicationError, BridgeError, InvalidArgument, NoSuchProcedure

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyramid.request import Request

    from support.pyramid_shop import Shop


class Journal:
    """A resource that takes part in transactions, and tells how they ended."""

    transaction_manager = None

    def __init__(self, *, refuses: bool = False) -> None:
        self.ends: list[str] = []
        self.refuses = refuses

    def write(self, request: Request) -> None:
        """Take part in the transaction of the request."""
        request.tm.get().join(self)

    def sortKey(self) -> str:  # noqa: N802 - the interface's name
        return "journal"

    def abort(self, _transaction: object) -> None:
        self.ends.append("aborted")

    def tpc_begin(self, _transaction: object) -> None: ...

    def commit(self, _transaction: object) -> None: ...

    def tpc_vote(self, _transaction: object) -> None:
        if self.refuses:
            raise RefusedError("no")

    def tpc_finish(self, _transaction: object) -> None:
        self.ends.append("committed")

    def tpc_abort(self, _transaction: object) -> None:
        self.ends.append("aborted")


class RefusedError(Exception):
    """What a commit raises."""


@pytest.fixture(params=["plain", "with a commit veto"])
def journal(request: pytest.FixtureRequest, shop: Shop) -> Journal:
    """Return what the app's handlers write to, in transactions that pyramid_tm ends."""
    settings = {"tm.manager_hook": "pyramid_tm.explicit_manager"}
    if request.param != "plain":
        settings["tm.commit_veto"] = "pyramid_tm.default_commit_veto"
    shop.config.add_settings(settings)
    shop.config.include("pyramid_tm")
    return Journal()


def handlers(shop: Shop, journal: Journal) -> None:
    def sell(fruit: str, request: Request) -> str:
        journal.write(request)
        if fruit == "plum":
            raise ApplicationError("com.shop.error.sold_out", fruit)
        if fruit == "fig":
            raise LookupError(fruit)
        return fruit

    async def sold(fruit: str, request: Request) -> None:
        sell(fruit, request)

    def unsuited(request: Request) -> object:
        journal.write(request)
        return object()

    shop.config.add_wamp_rpc(sell)
    shop.config.add_wamp_rpc(unsuited)
    shop.config.add_wamp_sub(sold)


def test_what_a_handler_did_is_committed(shop: Shop, journal: Journal) -> None:
    handlers(shop, journal)
    assert shop.bridge.invoke("com.shop.sell", ["apple"]) == "apple"
    assert shop.bridge.publish("com.shop.sold", ["apple"]).status == 204
    assert journal.ends == ["committed"] * 2


def test_what_a_handler_did_that_failed_is_aborted(shop: Shop, journal: Journal) -> None:
    handlers(shop, journal)
    with pytest.raises(ApplicationError) as caught:
        shop.bridge.invoke("com.shop.sell", ["plum"])
    assert (caught.value.uri, caught.value.args) == ("com.shop.error.sold_out", ("plum",))
    with pytest.raises(ApplicationError, match="runtime_error"):
        shop.bridge.invoke("com.shop.sell", ["fig"])
    with pytest.raises(ApplicationError, match="runtime_error"):
        shop.bridge.invoke("com.shop.unsuited")
    assert shop.bridge.publish("com.shop.sold", ["fig"]).status == 500
    assert journal.ends == ["aborted"] * 4


def test_a_commit_that_fails_is_a_failed_request(shop: Shop, journal: Journal) -> None:
    def refused(_error: object, _request: Request) -> Response:
        return Response("later", 503)

    shop.config.add_exception_view(refused, context=RefusedError)
    handlers(shop, journal)
    journal.refuses = True
    assert shop.bridge.publish("com.shop.sold", ["apple"]).status == 503
    assert "committed" not in journal.ends


def test_a_commit_that_fails_is_the_server_s_to_tell_where_the_app_has_no_view_of_it(
    shop: Shop, journal: Journal
) -> None:
    handlers(shop, journal)
    journal.refuses = True
    with pytest.raises(RefusedError):
        shop.bridge.publish("com.shop.sold", ["apple"])


def test_a_retried_request_calls_the_handler_again(shop: Shop, journal: Journal) -> None:
    tries = []

    def busy(request: Request) -> int:
        journal.write(request)
        tries.append(request.environ["retry.attempt"])
        if len(tries) < 3:
            raise transaction.interfaces.TransientError("busy")
        return len(tries)

    shop.config.include("pyramid_retry")
    shop.config.add_wamp_rpc(busy)
    assert shop.bridge.invoke("com.shop.busy") == 3
    assert tries == [0, 1, 2]
    assert journal.ends == ["aborted", "aborted", "committed"]


def views_of_everything(shop: Shop) -> None:
    """Give an app the exception views that many have."""

    def broken(_error: Exception, _request: Request) -> Response:
        return Response("<h1>Sorry</h1>", 500)

    def not_found(_request: Request) -> Response:
        return Response("<h1>Not here</h1>", 404)

    shop.config.add_exception_view(broken, context=Exception)
    shop.config.add_exception_view(broken, context=ApplicationError)
    shop.config.add_notfound_view(not_found)
    shop.config.add_forbidden_view(not_found)


def test_an_app_s_exception_views_leave_the_answers_alone(shop: Shop) -> None:
    def fail(what: str) -> None:
        errors = {
            "application": ApplicationError("com.shop.error.sold_out", "plum"),
            "pyramid": HTTPForbidden(),
            "other": LookupError(what),
        }
        raise errors[what]

    views_of_everything(shop)
    shop.config.add_wamp_rpc(fail)
    for what, uri in {
        "application": "com.shop.error.sold_out",
        "pyramid": "wamp.error.not_authorized",
        "other": "wamp.error.runtime_error",
    }.items():
        with pytest.raises(BridgeError) as caught:
            shop.bridge.invoke("com.shop.fail", [what])
        assert caught.value.uri == uri
    with pytest.raises(NoSuchProcedure):
        shop.bridge.invoke("com.shop.give")
    with pytest.raises(InvalidArgument):
        shop.bridge.invoke("com.shop.fail")
    shop.app.get("/wamp/", status=405)
    assert "Not here" in shop.app.get("/elsewhere", status=404)


WATCHING = """
seen = []

def watching(handler, registry):
    def watch(request):
        if request.path.endswith("/closed/"):
            raise LookupError("closed")
        try:
            return handler(request)
        except Exception as error:
            seen.append(error)
            raise
    return watch
"""


def test_an_app_s_tweens_see_what_a_handler_raised_and_may_raise_themselves(
    shop: Shop, package: Callable[..., str]
) -> None:
    def fail() -> None:
        raise RefusedError("no")

    views_of_everything(shop)
    tween = f"{package(tweens=WATCHING)}.tweens"
    shop.config.add_tween(f"{tween}.watching", under=EXCVIEW)
    shop.config.add_wamp_rpc(fail)
    with pytest.raises(ApplicationError, match="runtime_error"):
        shop.bridge.invoke("com.shop.fail")
    (seen,) = sys.modules[tween].seen
    assert isinstance(seen, RefusedError)
    assert shop.app.post("/wamp/closed/", b"", status=500).text == "<h1>Sorry</h1>"
