"""What is played: each direction in which a web app and WAMP can talk."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import httpx
from examples.demo.programs import PeerError, run_peer
from examples.demo.stage import DemoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from examples.demo.cast import Cast
    from examples.demo.shops import Shop

    Scene: TypeAlias = Callable[[Cast], Awaitable[None]]


async def client_calls(cast: Cast) -> None:
    """A WAMP client calls a function of the app, which has @rpc()."""
    since = cast.stage.length
    await cast.stage.say("client", 'calls com.shop.price("teapot")')
    answer = await run_peer("call.py", "com.shop.price", "teapot", "--router", cast.router)
    await cast.stage.hear("shop", "is asked for the price of a teapot", since)
    await cast.stage.say("client", f"receives {answer}")
    if not isinstance(answer, float):
        raise DemoError("the price should have been a number")


async def shop_calls(cast: Cast) -> None:
    """The app calls a WAMP procedure with call(), and has the result at once."""
    since = cast.stage.length
    await cast.stage.say("browser", f"GET {cast.shop}/quotes/teapot")
    answer = await cast.http.get(f"{cast.shop}/quotes/teapot")
    await cast.stage.hear("supplier", "is asked what a teapot costs", since)
    await cast.stage.hear("shop", "hears from the supplier", since)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.OK or answer.json()["price"] != 24:  # noqa: PLR2004
        raise DemoError("the price should have been the supplier's")


async def shop_calls_back(cast: Cast) -> None:
    """The app doesn't wait: call(..., callback=...), and a @callback() hears the result."""
    since = cast.stage.length
    await cast.stage.say("browser", f"POST {cast.shop}/deliveries product=tea quantity=10")
    form = {"product": "tea", "quantity": "10"}
    answer = await post(cast, "/deliveries", form)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.ACCEPTED:
        raise DemoError("the shop should have answered 202")
    await cast.stage.hear("supplier", "sends 10 x tea", since)
    await cast.stage.hear("shop", "receives 10 x tea", since)


async def client_publishes(cast: Cast) -> None:
    """A WAMP client publishes, and a function of the app with @sub() hears it."""
    since = cast.stage.length
    await cast.stage.say("client", 'publishes com.supplier.price_changed("teapot", 26)')
    topic = "com.supplier.price_changed"
    await run_peer("publish.py", topic, "teapot", "26", "--router", cast.router)
    await cast.stage.hear("shop", "hears that a teapot costs 26.00 now", since)


async def shop_publishes(cast: Cast) -> None:
    """The app publishes with publish(), and every WAMP client that subscribed hears it."""
    since = cast.stage.length
    await cast.stage.say("browser", f"POST {cast.shop}/orders product=tea quantity=2")
    form = {"product": "tea", "quantity": "2"}
    answer = await post(cast, "/orders", form)
    await cast.stage.hear("supplier", "hears that the shop sold 2 x tea", since)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.CREATED:
        raise DemoError("the shop should have answered 201")


async def user_calls(cast: Cast) -> None:
    """Who joins with a user name and a password calls what that user may, and nothing else."""
    since = cast.stage.length
    await cast.stage.say("client", 'joins as ann, calls com.shop.set_price("teapot", 31)')
    await call_as("ann", "wonderland", cast)
    await cast.stage.hear("shop", "hears from ann that a teapot costs 31.00 now", since)
    await cast.stage.say("client", 'joins as bob, calls com.shop.set_price("teapot", 31)')
    try:
        await call_as("bob", "builder", cast)
    except PeerError as error:
        if "wamp.error.not_authorized" not in str(error):
            raise
        await cast.stage.say("client", "receives wamp.error.not_authorized")
    else:
        raise DemoError("bob should have been refused")


async def call_as(user: str, password: str, cast: Cast) -> None:
    """Set a price, as a user."""
    who = ["--user", user, "--password", password, "--router", cast.users_router]
    await run_peer("call.py", "com.shop.set_price", "teapot", "31", *who)


async def post(cast: Cast, path: str, form: Mapping[str, str]) -> httpx.Response:
    """Send a form, as the page does."""
    return await cast.http.post(f"{cast.shop}{path}", data=form, headers=cast.kind.form_headers)


def scenes(kind: Shop) -> dict[str, Scene]:
    """What is played with a shop."""
    app = kind.framework
    played: dict[str, Scene] = {
        f"WAMP calls {app}": client_calls,
        f"{app} calls WAMP": shop_calls,
        f"{app} calls WAMP, with a callback": shop_calls_back,
        f"WAMP publishes to {app}": client_publishes,
        f"{app} publishes to WAMP": shop_publishes,
    }
    if kind.knows_users:
        played[f"{app}'s users join WAMP"] = user_calls
    return played


async def play(number: int, name: str, scene: Scene, cast: Cast) -> bool:
    """One scene; whether it went as it should."""
    paint = cast.stage.paint
    print(f"\n{paint(f'{number}. {name}', 1)}\n   {scene.__doc__}\n", flush=True)
    try:
        await scene(cast)
    except (DemoError, httpx.HTTPError) as error:
        print(f"    {paint('FAILED', 31)}: {error}", flush=True)
        return False
    return True
