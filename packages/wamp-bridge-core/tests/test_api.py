"""What core exports, what its documentation tells and what can be imported is the same."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
from importlib.metadata import requires
from typing import Any

import pytest

from wamp_bridge import core

PRIVATE = [
    importlib.import_module(f"{core.__name__}.{module.name}")
    for module in pkgutil.iter_modules(core.__path__)
    if module.name.startswith("_")
]
# Public to the other modules of core, and to nobody else: what they make is what is exported.
INTERNAL = {
    "_announce": (),
    "_transport": ("SignatureAuth", "TokenAuth"),
    "_binding": ("Binder",),
    "_calling": ("AsyncCalling", "Calling"),
    "_topics": ("AsyncTopics", "Topics"),
    "_asking": ("Asking", "AsyncAsking"),
    "_event_streams": ("Deliver", "Message", "Open", "Reader", "Receive"),
    "_dispatch": ("HandlerCall",),
    "_registry": ("Table",),
    "_requests": ("Outgoing", "Answer", "Failure", "Send", "Pause"),
    "_serving": ("Lookout", "Role"),
    "_steps": ("Stepping",),
    "_streamed_calls": ("AsyncStreamedCalls", "Ended", "StreamedCalls"),
    "_stand_in": ("StandIn",),
}


def test_exports_are_sorted_and_are_there() -> None:
    assert core.__all__ == sorted(core.__all__)
    assert len(set(core.__all__)) == len(core.__all__)
    for name in core.__all__:
        assert hasattr(core, name)


def test_nothing_else_is_public() -> None:
    public = {
        name
        for name, thing in vars(core).items()
        if not name.startswith("_") and not isinstance(thing, types.ModuleType)
    }
    assert public == set(core.__all__)


def test_every_public_class_of_a_private_module_is_exported_or_internal() -> None:
    for module in PRIVATE:
        short = module.__name__.rpartition(".")[2]
        for name, thing in vars(module).items():
            if inspect.isclass(thing) and thing.__module__ == module.__name__:
                exported = name in core.__all__
                internal = name.startswith("_") or name in INTERNAL.get(short, ())
                assert exported != internal, f"{module.__name__}.{name}"


def documented(name: str, thing: Any) -> list[str]:
    """What of a thing is public and says nothing of itself."""
    silent = [] if inspect.getdoc(thing) else [name]
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            function = getattr(value, "__func__", value)
            public = isinstance(function, types.FunctionType | property)
            if public and not member.startswith("_") and not function.__doc__:
                silent.append(f"{name}.{member}")
    return silent


@pytest.mark.parametrize("name", core.__all__)
def test_every_export_is_documented(name: str) -> None:
    thing = getattr(core, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert documented(name, thing) == []


def test_no_framework_and_only_one_library_is_needed() -> None:
    needed = [each for each in requires("wamp-bridge-core") or [] if "extra ==" not in each]
    (only,) = needed
    assert only.startswith("httpx")


def test_importing_core_imports_no_library_at_all() -> None:
    """httpx takes longer to import than all of core; what asks nothing of a bridge is spared it."""
    script = (
        "import sys, sysconfig, wamp_bridge.core, wamp_bridge.core.testing\n"
        "site = sysconfig.get_path('purelib')\n"
        "print(*sorted({name.partition('.')[0] for name, module in sys.modules.items()"
        " if (getattr(module, '__file__', None) or '').startswith(site)}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{script}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert loaded == []


def test_the_namespaces_have_no_init() -> None:
    import wamp_bridge  # noqa: PLC0415 - the namespace itself

    assert wamp_bridge.__file__ is None
