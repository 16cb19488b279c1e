from __future__ import annotations

import functools
import runpy
import threading
from typing import TYPE_CHECKING, Any

import pytest

from wamp_bridge.core import (
    ConfigurationError,
    DuplicateName,
    EventDetails,
    InvocationDetails,
    Registry,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_names_come_from_functions_or_are_given() -> None:
    registry = Registry()

    @registry.rpc()
    def price() -> None: ...

    @registry.rpc("com.other.stock", invoke="roundrobin", concurrency=2, timeout=1.5)
    def stock() -> None: ...

    @registry.sub(".sold", match="prefix", ordered=True, fanout=True, get_retained=True)
    def on_sold() -> None: ...

    @registry.callback()
    def done() -> None: ...

    table = registry.table("com.shop.")
    assert {uri: h.function for uri, h in table.procedures.items()} == {
        "com.shop.price": price,
        "com.other.stock": stock,
    }
    assert {uri: h.function for uri, h in table.topics.items()} == {"sold": on_sold}
    assert {name: h.function for name, h in table.callbacks.items()} == {"done": done}
    assert table.procedures["com.shop.price"].options == {}
    assert table.procedures["com.other.stock"].options == {
        "invoke": "roundrobin",
        "concurrency": 2,
        "timeout": 1.5,
    }
    assert table.topics["sold"].options == {
        "ordered": True,
        "fanout": True,
        "get_retained": True,
    }
    assert table.topics["sold"].match == "prefix"


def test_how_events_are_delivered_is_said_with_a_topic() -> None:
    registry = Registry()
    registry.sub("sold", schedule=(0, 2.5), timeout=3600, dead_letters=0)(lambda: None)
    (handler,) = registry.table().topics.values()
    assert handler.options == {"schedule": [0, 2.5], "timeout": 3600, "dead_letters": 0}


def test_what_is_declared_later_is_in_the_next_table() -> None:
    registry = Registry()
    assert registry.is_empty
    assert not registry.table().procedures
    registry.rpc("f")(lambda: None)
    assert not registry.is_empty
    assert list(registry.table().procedures) == ["f"]
    assert list(registry.table("com.").procedures) == ["com.f"]
    assert list(registry.table().procedures) == ["f"]


def test_registries_know_nothing_of_one_another() -> None:
    one, other = Registry(), Registry()
    one.rpc("f")(lambda: None)
    assert other.is_empty


def test_the_same_name_twice_says_where_both_are() -> None:
    registry = Registry()

    @registry.rpc("f")
    def first() -> None: ...

    with pytest.raises(DuplicateName) as caught:

        @registry.rpc("f")
        def second() -> None: ...

    assert first.__qualname__ in str(caught.value)
    assert "<locals>.second" in str(caught.value)
    assert str(caught.value).count(__file__) == 2
    assert "'f'" in str(caught.value)


def test_a_topic_and_a_procedure_may_have_one_name() -> None:
    registry = Registry()

    @registry.sub()
    @registry.rpc()
    @registry.callback()
    def f() -> None: ...

    table = registry.table()
    assert table.procedures.keys() == table.topics.keys() == table.callbacks.keys() == {"f"}


def test_two_names_that_a_prefix_makes_one_are_told() -> None:
    registry = Registry()
    registry.rpc("price")(lambda: None)
    registry.rpc("com.shop.price")(lambda: None)
    registry.table()
    with pytest.raises(DuplicateName, match=r"'com\.shop\.price'"):
        registry.table("com.shop.")


def test_names_that_are_no_uris_are_refused_where_they_are_declared() -> None:
    registry = Registry()
    for declare in (registry.rpc, registry.sub):
        for name in ("com..x", "com.", "..", "a b", "."):
            with pytest.raises(ConfigurationError, match=__file__):
                declare(name)(lambda: None)
    with pytest.raises(ConfigurationError, match="slash"):
        registry.callback("a/b")(lambda: None)
    registry.sub("com..x", match="wildcard")(lambda: None)


@pytest.mark.parametrize(
    "options",
    [
        {"match": "regex"},
        {"invoke": "all"},
        {"concurrency": 0},
        {"concurrency": True},
        {"concurrency": 1.5},
        {"concurrency": 10_001},
        {"timeout": 0},
        {"timeout": 86_401},
        {"timeout": 10**400},
        {"timeout": float("inf")},
        {"timeout": "1"},
    ],
)
def test_options_that_can_not_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Registry().rpc("f", **options)(lambda: None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": 5}, "schedule must be a list"),
        ({"schedule": "5"}, "schedule must be a list"),
        ({"schedule": b"ab"}, "schedule must be a list"),
        ({"concurrency": 10_001}, "concurrency must be an integer from 1 to 10000"),
        ({"ordered": "no"}, "ordered must be True or False"),
        ({"fanout": 1}, "fanout must be True or False"),
        ({"schedule": []}, "1 to 100 waits"),
        ({"schedule": [0] * 101}, "1 to 100 waits"),
        ({"schedule": [0, -1]}, r"schedule\[1\] must be 0 to 2592000 seconds"),
        ({"schedule": [float("nan")]}, r"schedule\[0\]"),
        ({"schedule": [True]}, r"schedule\[0\]"),
        ({"timeout": 0.05}, r"timeout must be 0\.1 to 3600 seconds"),
        ({"timeout": 3601}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"dead_letters": -1}, "dead_letters must be 0 to 315360000 seconds"),
        ({"dead_letters": float("inf")}, "dead_letters"),
    ],
)
def test_deliveries_that_can_not_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Registry().sub("t", **options)


def test_a_decorator_without_parentheses_says_so() -> None:
    registry = Registry()
    decorators: list[Any] = [registry.rpc, registry.sub, registry.callback]
    for decorator in decorators:
        with pytest.raises(ConfigurationError, match="parentheses"):
            decorator(lambda: None)


@pytest.mark.parametrize("name", ["", 1])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(ConfigurationError):
        Registry().rpc(name)


@pytest.mark.parametrize("function", [lambda: None, functools.partial(max), 3, None])
def test_what_has_no_name_needs_one(function: Any) -> None:
    with pytest.raises(ConfigurationError):
        Registry().rpc()(function)


def test_details_of_the_other_kind_are_refused() -> None:
    registry = Registry()

    def on_event(details: EventDetails) -> None: ...

    def on_call(details: InvocationDetails) -> None: ...

    def on_both(details: InvocationDetails | EventDetails) -> None: ...

    with pytest.raises(ConfigurationError, match="InvocationDetails and not EventDetails"):
        registry.rpc()(on_event)
    with pytest.raises(ConfigurationError, match="EventDetails and not InvocationDetails"):
        registry.sub()(on_call)
    registry.rpc()(on_both)
    registry.sub()(on_both)


def test_threads_may_declare_together() -> None:
    registry = Registry()
    ready = threading.Barrier(8)

    def declare(number: int) -> None:
        ready.wait()
        for i in range(50):
            registry.rpc(f"f{number}_{i}")(lambda: None)
            registry.table()

    threads = [threading.Thread(target=declare, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.table().procedures) == 400


SCRIPT = """
@rpc()
def f():
    return __name__

@rpc("g")
def g():
    pass
"""


@pytest.mark.parametrize("script", ["__main__", "__mp_main__"])
def test_a_script_that_a_server_loads_by_its_name_declares_its_handlers_anew(
    tmp_path: Path, script: str
) -> None:
    registry = Registry()
    path = tmp_path / "main.py"
    path.write_text(SCRIPT)
    for name in (script, "main"):
        runpy.run_path(str(path), {"rpc": registry.rpc}, name)
        table = registry.table().procedures
        assert (list(table), table["f"].function()) == (["f", "g"], name)
    with pytest.raises(DuplicateName):
        runpy.run_path(str(path), {"rpc": registry.rpc}, "main")
    with pytest.raises(DuplicateName):
        runpy.run_path(str(path), {"rpc": registry.rpc}, "other")
    path.write_text("\n" + SCRIPT)
    with pytest.raises(DuplicateName):
        runpy.run_path(str(path), {"rpc": registry.rpc}, script)
