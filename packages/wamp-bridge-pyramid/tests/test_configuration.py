"""Where handlers come from, where the dispatcher is, where settings come from; several apps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import respx
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationConflictError, ConfigurationExecutionError
from pyramid.threadlocal import get_current_request

from support.pyramid_shop import ADAPTER, SECRET, Shop
from wamp_bridge.adapters import pyramid as adapter
from wamp_bridge.adapters.pyramid import WampBridge
from wamp_bridge.core import ConfigurationError, DuplicateName, Forbidden, generate_secret

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLERS = """
from wamp_bridge.adapters.pyramid import callback, rpc, sub

@rpc()
def price(fruit):
    return 12

@sub("com.supplier.changed")
async def changed(fruit):
    pass

@callback()
def delivered(outcome):
    pass
"""


def test_the_names_of_the_module_belong_to_one_bridge() -> None:
    names = ("call", "callback", "publish", "rpc", "sub")
    (owner,) = {getattr(adapter, name).__self__ for name in names}
    assert not isinstance(owner, WampBridge)


def test_a_scan_finds_what_is_declared(shop: Shop, package: Callable[..., str]) -> None:
    shop.config.scan(package(handlers=HANDLERS))
    manifest = shop.bridge.manifest()
    assert list(manifest["procedures"]) == ["com.shop.price"]
    assert list(manifest["topics"]) == ["com.supplier.changed"]
    assert manifest["callbacks"] == ["delivered"]
    assert shop.bridge.invoke("com.shop.price", ["fig"]) == 12
    assert shop.bridge.publish("com.supplier.changed", ["fig"]).status == 204


def test_each_app_serves_what_its_own_scan_found(package: Callable[..., str]) -> None:
    scanned = package(
        first="from wamp_bridge.adapters.pyramid import rpc\n@rpc()\ndef which(): return 1\n",
        second="from wamp_bridge.adapters.pyramid import rpc\n@rpc()\ndef which(): return 2\n",
    )
    first, second, both, none = Shop(), Shop(), Shop(prefix="com.both"), Shop()
    first.config.scan(f"{scanned}.first")
    second.config.scan(f"{scanned}.second")
    both.config.scan(f"{scanned}.first")
    both.config.add_wamp_rpc(f"{scanned}.second.which", "other")
    assert [app.bridge.invoke("com.shop.which") for app in (first, second)] == [1, 2]
    assert sorted(both.bridge.manifest()["procedures"]) == ["com.both.other", "com.both.which"]
    assert none.bridge.manifest()["procedures"] == {}


def test_an_app_that_is_set_up_anew_starts_with_nothing(package: Callable[..., str]) -> None:
    scanned = package(handlers=HANDLERS)
    for _ in range(2):
        shop = Shop()
        shop.config.scan(scanned)
        assert shop.bridge.invoke("com.shop.price", ["fig"]) == 12


def test_an_imported_handler_is_not_found_twice(shop: Shop, package: Callable[..., str]) -> None:
    name = package(handlers=HANDLERS, views="from .handlers import price, changed\n")
    shop.config.scan(name)
    assert list(shop.bridge.manifest()["procedures"]) == ["com.shop.price"]


def test_a_scan_before_the_adapter_is_included_says_so(package: Callable[..., str]) -> None:
    shop = Shop(include=False)
    with pytest.raises(ConfigurationError, match=r"changed .*config.include.* must come before"):
        shop.config.scan(package(handlers=HANDLERS))


def test_a_method_is_no_handler() -> None:
    with pytest.raises(ConfigurationError, match=r"price .* is a method"):

        class Shop:
            @adapter.rpc()
            def price(self) -> None: ...


def test_two_handlers_of_one_name_are_in_conflict(shop: Shop, package: Callable[..., str]) -> None:
    name = package(handlers=HANDLERS, more=HANDLERS.replace("price", "price  "))
    shop.config.scan(name)
    with pytest.raises(ConfigurationConflictError) as caught:
        shop.config.commit()
    told = str(caught.value)
    for module in ("handlers", "more"):
        assert told.count(f"{name}/{module}.py") == 3
    assert "('wamp_bridge', 'procedure', 'com.shop.price')" in told


def test_names_that_are_one_with_the_prefix_are_in_conflict(shop: Shop) -> None:
    shop.config.add_wamp_rpc(where, "price")
    shop.config.add_wamp_rpc(where, "com.shop.price")
    shop.config.add_wamp_sub(where, "price")
    shop.config.add_wamp_callback(where, "price")
    with pytest.raises(ConfigurationConflictError) as caught:
        shop.config.commit()
    told = str(caught.value)
    assert told.count(__file__) == 2
    assert 'shop.config.add_wamp_rpc(where, "com.shop.price")' in told


def test_an_app_overrides_what_it_includes(shop: Shop) -> None:
    def addon(config: Any) -> None:
        config.add_wamp_rpc(lambda: "the addon's", "price")

    shop.config.include(addon)
    shop.config.add_wamp_rpc(lambda: "the app's", "price")
    assert shop.bridge.invoke("com.shop.price") == "the app's"


def test_a_conflict_after_a_commit_is_found_too(shop: Shop) -> None:
    shop.config.add_wamp_rpc(where)
    shop.config.commit()
    shop.config.add_wamp_rpc(where)
    with pytest.raises(ConfigurationExecutionError) as caught:
        shop.config.commit()
    assert caught.value.etype is DuplicateName


def test_a_configurator_that_commits_at_once_is_served_too() -> None:
    shop = Shop(include=False)
    shop.config = Configurator(settings=shop.config.registry.settings, autocommit=True)
    shop.config.include(ADAPTER)
    shop.config.add_wamp_rpc(where)
    with pytest.raises(DuplicateName, match="where"):
        shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == "/wamp/rpc/com.shop.where/"


def test_handlers_can_be_looked_up(shop: Shop) -> None:
    shop.config.add_wamp_rpc(where)
    shop.config.commit()
    (found,) = shop.config.introspector.get_category("wamp handlers")
    assert found["introspectable"].type_name == "wamp procedure"
    assert found["introspectable"]["handler"].function is where


def test_options_that_can_not_be_are_refused_where_they_are_given(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="invoke"):
        shop.config.add_wamp_rpc(where, invoke="all")
    with pytest.raises(ConfigurationError, match="parentheses"):
        adapter.rpc(where)  # type: ignore[arg-type]  # the mistake it is about


@pytest.mark.parametrize(
    ("included", "setting", "place"),
    [
        (None, None, "/wamp/"),
        (None, "hooks/wamp", "/hooks/wamp/"),
        ("/bridge", None, "/bridge/"),
        ("bridge/", "hooks", "/bridge/"),
    ],
)
def test_where_the_dispatcher_is_mounted(
    included: str | None, setting: str | None, place: str
) -> None:
    settings = {} if setting is None else {"route_prefix": setting}
    shop = Shop(include=False, place=place, **settings)
    shop.config.include(ADAPTER, route_prefix=included)
    shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == f"{place}rpc/com.shop.where/"


def test_an_including_package_s_prefix_goes_before() -> None:
    def api(config: Any) -> None:
        config.include(ADAPTER, route_prefix="wamp")

    shop = Shop(include=False, place="/api/v1/wamp/")
    shop.config.include(api, route_prefix="api/v1")
    shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == "/api/v1/wamp/rpc/com.shop.where/"


def test_the_ini_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMP_BRIDGE_TOKEN", "of-the-environment")
    monkeypatch.setenv("WAMP_BRIDGE_TIMEOUT", "3")
    shop = Shop(announce="false", secret=f"\n{SECRET}\n{generate_secret()}")
    settings = shop.wamp.settings
    assert (settings.token, settings.timeout, settings.announce) == ("token", 3.0, False)
    assert len(settings.secrets) == 2


def test_settings_that_are_added_after_the_include_count(shop: Shop) -> None:
    shop.config.add_settings({"wamp_bridge.prefix": "com.late"})
    shop.config.add_wamp_rpc(where)
    assert list(shop.bridge.manifest()["procedures"]) == ["com.late.where"]


def test_an_app_with_a_setting_that_can_not_work_does_not_start() -> None:
    shop = Shop(callback_url="http://shop.test/wamp")
    with pytest.raises(ConfigurationExecutionError, match="must end in a slash"):
        shop.config.make_wsgi_app()


def test_apps_have_secrets_of_their_own() -> None:
    first, second = Shop(), Shop(secret=generate_secret())
    second.bridge.manifest()
    second.secret = first.secret
    with pytest.raises(Forbidden):
        second.bridge.manifest()


@respx.mock
def test_calls_and_publications_go_to_the_bridge_of_the_current_app() -> None:
    def ask(request: Any) -> list[Any]:
        explicit = [request.wamp.call("f", ["x"]), request.wamp.publish("t")]
        return [*explicit, adapter.call("f", ["x"]), adapter.publish("t")]

    apps = []
    for number in (1, 2):
        url = f"http://bridge{number}.test/"
        answer: Any = {"result": number, "args": [number], "kwargs": {}}
        respx.post(f"{url}call/com.shop.f/").respond(json=answer)
        respx.post(f"{url}publish/com.shop.t/").respond(json={"publication": number})
        shop = Shop(url=url)
        shop.config.add_route("ask", "/ask")
        shop.config.add_view(ask, route_name="ask", renderer="json")
        apps.append(shop)
    for number, shop in enumerate(apps, 1):
        assert shop.app.get("/ask").json == [number] * 4


def test_outside_every_app_it_must_be_plain_which_one_is_meant() -> None:
    first, _second = Shop(url="http://of-the-first.test/"), Shop()
    bare = Shop(include=False)
    with pytest.raises(ConfigurationError, match="context"):
        adapter.call("f")
    with bare.current(), pytest.raises(ConfigurationError, match="context"):
        adapter.publish("t")
    with first.current():
        assert adapter._adapter.current.settings.url == "http://of-the-first.test/"


@respx.mock
def test_a_callback_is_given_by_its_name(shop: Shop) -> None:
    taken = {"id": "c", "status": "pending"}
    route = respx.post("http://bridge.test/call/com.slow/").respond(202, json=taken)
    shop.config.add_wamp_callback(where, "settled")
    shop.config.commit()
    with shop.current():
        for call in (adapter.call, shop.wamp.call):
            assert call("com.slow", callback="settled").id == "c"
            asked = json.loads(route.calls.last.request.content)
            assert asked["callback"] == "http://shop.test/wamp/callback/settled/"
            with pytest.raises(ConfigurationError, match="unsettled"):
                call("com.slow", callback="unsettled")


def test_nothing_but_a_signature_is_asked_for(shop: Shop) -> None:
    shop.config.testing_securitypolicy(permissive=False)
    shop.config.set_default_permission("rule")
    shop.config.set_default_csrf_options(require_csrf=True)
    shop.config.add_wamp_rpc(where)
    assert shop.bridge.invoke("com.shop.where") == "/wamp/rpc/com.shop.where/"


def test_an_app_that_is_only_set_up_looks_for_no_server(shop: Shop) -> None:
    shop.config.add_wamp_rpc(where)
    shop.config.commit()
    assert shop.wamp.announcer._lookout is None
    shop.config.make_wsgi_app()
    assert shop.wamp.announcer._lookout is not None


def where(*_args: object) -> str:
    path: str = get_current_request().path
    return path
