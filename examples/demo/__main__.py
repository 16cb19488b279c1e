"""A web app and a WAMP program talk with each other through the bridge, in all directions.

`nox -s demo` runs this. It starts a router and the bridge (`wamp-bridge dev`), the shop of
examples/flask, or of the framework that is named, and the supplier of examples/peers; it shows
what they say, and ends with status 0 if each direction worked. With `--stay` all goes on until
Ctrl-C, or until one of them ends, which is status 1.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from examples.demo.cast import TOKEN, Cast, raise_curtain
from examples.demo.programs import EXAMPLES, Program, outlast
from examples.demo.scenes import play, scenes
from examples.demo.shops import SHOPS, Shop
from examples.demo.stage import SCENE_SECONDS, DemoError, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping


async def main(kind: Shop, *, stay: bool) -> bool:
    """Start everybody, let them talk, end everybody; whether each direction worked."""
    stage = Stage()
    programs: list[Program] = []
    with tempfile.TemporaryDirectory(prefix="wamp-bridge-demo-") as folder:
        async with httpx.AsyncClient(trust_env=False, timeout=SCENE_SECONDS) as http:
            try:
                print("starting everybody", flush=True)
                cast = await raise_curtain(kind, stage, programs, http, Path(folder))
                print(who_is_who(cast), flush=True)
                worked = {
                    name: await play(number, name, scene, cast)
                    for number, (name, scene) in enumerate(scenes(kind).items(), start=1)
                }
                show_outcome(worked, stage)
                if stay:
                    print(what_to_try(cast), flush=True)
                    await outlast(programs)
                return all(worked.values())
            except DemoError as error:
                print(f"\n{error}", file=sys.stderr, flush=True)
                return False
            finally:
                await asyncio.gather(*(program.stop() for program in programs))


def who_is_who(cast: Cast) -> str:
    """Who talks with whom by what."""
    return f"""
    browser ──HTTP── shop ──HTTP── bridge ──WAMP── router ──WAMP── supplier
                                                     └─────WAMP── client

        shop   a {cast.kind.framework} app under {cast.kind.server} at {cast.shop}/
      bridge   wamp-bridge at {cast.bridge}
      router   Crossbar at {cast.router}
    supplier   a program that speaks WAMP and knows nothing of HTTP
      client   another, which comes and goes"""


def show_outcome(worked: Mapping[str, bool], stage: Stage) -> None:
    """What worked and what didn't."""
    print()
    width = max(map(len, worked))
    for name, good in worked.items():
        verdict = stage.paint("works", 32) if good else stage.paint("FAILED", 31)
        print(f"  {name:<{width}}  {verdict}")
    print(flush=True)


def what_to_try(cast: Cast) -> str:
    """Lines to paste into another terminal."""
    headers = [f"{name}: {value}" for name, value in cast.kind.form_headers.items()]
    form = shlex.join(["curl", *(word for header in headers for word in ("-H", header))])
    python = shlex.quote(sys.executable)
    peers = shlex.quote(str(EXAMPLES / "peers"))
    post = "curl -H 'Content-Type: application/json' -d"
    quote = f"{cast.bridge}call/com.supplier.quote/"
    ordered = f"{cast.bridge}publish/com.shop.ordered/"
    return f"""\
All of it goes on until Ctrl-C, and what is said appears here.
The shop's page is {cast.shop}/, best seen in two windows.
In another terminal:

  # a WAMP client calls the shop, and publishes to it
  {python} {peers}/call.py com.shop.price tea --router {cast.router}
  {python} {peers}/publish.py com.supplier.price_changed tea 4 --router {cast.router}

  # a browser makes the shop call, call without waiting, and publish
  curl {cast.shop}/quotes/kettle
  {form} -d product=kettle -d quantity=3 {cast.shop}/deliveries
  {form} -d product=kettle -d quantity=1 {cast.shop}/orders

{users_to_try(cast)}  # anybody with a token talks with the bridge itself
  {post} '{{"token": "{TOKEN}", "params": ["tea"]}}' {quote}
  {post} '{{"token": "{TOKEN}", "params": ["tea", 9]}}' {ordered}
  curl -H 'Authorization: Bearer {TOKEN}' {cast.bridge}registrations/
"""


def users_to_try(cast: Cast) -> str:
    """Lines for what only users may do."""
    if not cast.kind.knows_users:
        return ""
    call = shlex.join([sys.executable, str(EXAMPLES / "peers" / "call.py")])
    who = f"--router {cast.users_router} --user ann --password wonderland"
    return f"""\
  # a user, as whom you can log in on the page, too; bob, whose password is builder, may not
  {call} com.shop.set_price tea 5 {who}

"""


async def until_told_to_end(kind: Shop, *, stay: bool) -> int:
    """The exit status; SIGTERM and Ctrl-C end everything that was started."""
    task = asyncio.ensure_future(main(kind, stay=stay))
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not task.cancelling():  # a second time would cut the farewells short
            task.cancel()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, end)
    try:
        return 0 if await task else 1
    except asyncio.CancelledError:
        print("\nended")
        return 0 if stay else 130


if __name__ == "__main__":
    parser = ArgumentParser(description="A web app and a WAMP program talk with each other.")
    parser.add_argument("shop", nargs="?", choices=SHOPS, default="flask", help="its framework")
    parser.add_argument("--stay", action="store_true", help="go on until Ctrl-C")
    options = parser.parse_args()
    sys.exit(asyncio.run(until_told_to_end(SHOPS[options.shop], stay=options.stay)))
