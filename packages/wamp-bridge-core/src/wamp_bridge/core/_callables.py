"""What a handler is as a function of Python: asynchronous or not, its layers, its place."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from wamp_bridge.core._errors import BlockedLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

_T = TypeVar("_T")
Awaiting: TypeAlias = "Callable[[], Coroutine[Any, Any, _T]]"

# What a module is called while it is run, and in the processes that multiprocessing spawns.
_SCRIPTS: Final = frozenset({"__main__", "__mp_main__"})


def is_async_callable(function: Any) -> bool:
    """Whether calling it gives a coroutine; sees through partials and `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    call = None if inspect.isclass(function) else getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)


def run_awaiting(function: Awaiting[_T]) -> _T:
    """Call an asynchronous function and wait for its end, on a loop of its own.

    In this thread; or in another one, where a loop of this one is busy with us.
    """
    if not _on_a_loop():
        return asyncio.run(function())
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, asyncio.run, function()).result()


def check_off_loop(instead: str) -> None:
    """Let those pass who may wait in this thread, for no event loop runs in it.

    Args:
        instead: What an asynchronous function is to write, as `await acall(...)`.

    Raises:
        BlockedLoop: One runs; says what is to be done.
    """
    if _on_a_loop():
        raise BlockedLoop.explained(
            "this waits in its thread, and here it would hold up the event loop that runs in it: "
            f"write {instead} in an asynchronous function, or call this in another thread"
        )


def place_of(function: Any) -> str:
    """Where a function is written, for a person: `shop.views.buy (shop/views.py:12)`."""
    plain = plain_of(function)
    name = f"{getattr(plain, '__module__', '?')}.{getattr(plain, '__qualname__', repr(plain))}"
    code = getattr(plain, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code is not None else name


def is_of_one_script(first: Any, second: Any) -> bool:
    """Whether two functions are one that was loaded twice: as a script, and by the module's name.

    So it happens where a script tells a server to load it, as `uvicorn.run("main:app")` does.
    """
    functions = [plain_of(function) for function in (first, second)]
    modules = {getattr(function, "__module__", None) for function in functions}
    codes = [getattr(function, "__code__", None) for function in functions]
    if len(modules) == 1 or modules.isdisjoint(_SCRIPTS) or None in codes:
        return False
    one, other = (
        (Path(code.co_filename).resolve(), code.co_firstlineno, code.co_qualname)
        for code in codes
        if code is not None
    )
    return one == other


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """A function's signature; None for one of those written in C that have none."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def plain_of(function: Any) -> Any:
    """The plain function within all layers."""
    *_, (plain, _) = layers(function)
    return plain


def layers(function: Any) -> Iterator[tuple[Any, Sequence[Any]]]:
    """From a function to the plain one within: through partials, methods, decorators, `__call__`.

    Each comes with the arguments that the layer around it puts before those of the caller.
    """
    before: Sequence[Any] = ()
    while True:
        yield function, before
        before = ()
        if isinstance(function, functools.partial):
            function, before = function.func, function.args
        elif isinstance(function, types.MethodType):
            function, before = function.__func__, (function.__self__,)
        elif (wrapped := inspect.unwrap(function)) is not function:
            function = wrapped
        elif hasattr(function, "__code__") or inspect.isclass(function):
            return
        elif hasattr(call := type(function).__call__, "__code__"):
            function, before = call, (function,)
        else:
            return


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
