"""What is played: each direction in which a Flask app and WAMP can talk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from examples.demo.programs import run_peer
from examples.demo.stage import DemoError

if TYPE_CHECKING:
    from examples.demo.cast import Cast


async def client_calls(cast: Cast) -> None:
    """A WAMP client calls a function of the Flask app, which has @rpc()."""
    since = cast.stage.length
    await cast.stage.say("client", 'calls com.shop.price("teapot")')
    answer = await run_peer("call.py", "com.shop.price", "teapot", "--router", cast.router)
    await cast.stage.hear("shop", "is asked for the price of a teapot", since)
    await cast.stage.say("client", f"receives {answer}")
    if not isinstance(answer, float):
        raise DemoError("the price should have been a number")


async def shop_calls(cast: Cast) -> None:
    """The Flask app calls a WAMP procedure with call(), and has the result at once."""
    since = cast.stage.length
    await cast.stage.say("browser", f"GET {cast.shop}/quotes/teapot")
    answer = await cast.http.get(f"{cast.shop}/quotes/teapot")
    await cast.stage.hear("supplier", "is asked what a teapot costs", since)
    await cast.stage.hear("shop", "hears from the supplier", since)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.OK or answer.json()["price"] != 24:  # noqa: PLR2004
        raise DemoError("the price should have been the supplier's")


async def shop_calls_back(cast: Cast) -> None:
    """The Flask app doesn't wait: call(..., callback=...), and a @callback() hears the result."""
    since = cast.stage.length
    await cast.stage.say("browser", f"POST {cast.shop}/deliveries product=tea quantity=10")
    form = {"product": "tea", "quantity": "10"}
    answer = await cast.http.post(f"{cast.shop}/deliveries", data=form)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.ACCEPTED:
        raise DemoError("the shop should have answered 202")
    await cast.stage.hear("supplier", "sends 10 x tea", since)
    await cast.stage.hear("shop", "receives 10 x tea", since)


async def client_publishes(cast: Cast) -> None:
    """A WAMP client publishes, and a function of the Flask app with @sub() hears it."""
    since = cast.stage.length
    await cast.stage.say("client", 'publishes com.supplier.price_changed("teapot", 26)')
    topic = "com.supplier.price_changed"
    await run_peer("publish.py", topic, "teapot", "26", "--router", cast.router)
    await cast.stage.hear("shop", "hears that a teapot costs 26.00 now", since)


async def shop_publishes(cast: Cast) -> None:
    """The Flask app publishes with publish(), and every WAMP client that subscribed hears it."""
    since = cast.stage.length
    await cast.stage.say("browser", f"POST {cast.shop}/orders product=tea quantity=2")
    form = {"product": "tea", "quantity": "2"}
    answer = await cast.http.post(f"{cast.shop}/orders", data=form)
    await cast.stage.hear("supplier", "hears that the shop sold 2 x tea", since)
    await cast.stage.say("browser", f"receives {answer.status_code} {answer.text.strip()}")
    if answer.status_code != httpx.codes.CREATED:
        raise DemoError("the shop should have answered 201")


SCENES = {
    "WAMP calls Flask": client_calls,
    "Flask calls WAMP": shop_calls,
    "Flask calls WAMP, with a callback": shop_calls_back,
    "WAMP publishes to Flask": client_publishes,
    "Flask publishes to WAMP": shop_publishes,
}


async def play(name: str, cast: Cast) -> bool:
    """One scene; whether it went as it should."""
    scene = SCENES[name]
    number = list(SCENES).index(name) + 1
    paint = cast.stage.paint
    print(f"\n{paint(f'{number}. {name}', 1)}\n   {scene.__doc__}\n", flush=True)
    try:
        await scene(cast)
    except (DemoError, httpx.HTTPError) as error:
        print(f"    {paint('FAILED', 31)}: {error}", flush=True)
        return False
    return True
