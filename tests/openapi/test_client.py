"""A client that a generator made from `/openapi.json` registers, calls and publishes."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from openapi.exploring import served
from support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


PACKAGE = "made_client"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Yield what imports a module of the client, once that is made."""
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


async def generate(url: str, folder: Path) -> None:
    """Have the client made. Warnings of the generator name the forms that it doesn't write."""
    config = folder / "generator.yaml"
    config.write_text("post_hooks: []\n")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openapi_python_client", "generate"),
        *("--url", f"{url}openapi.json", "--meta", "none", "--config", str(config)),
        *("--output-path", str(folder / PACKAGE)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "Unable to process" not in output.decode()


async def test_a_generated_client_works(tmp_path: Path, made: Callable[[str], Any]) -> None:
    async with served(tmp_path) as (bridge, app):
        await generate(bridge.url, tmp_path)
        api, models = "api.default", made("models")
        client = made("client").AuthenticatedClient(
            bridge.url.rstrip("/"),
            "token-of-shop",
            verify_ssl=False,
            httpx_args={"trust_env": False},
        )
        async with client:
            endpoints = models.RegisterEndpoints.from_dict({"com.shop.price": app.url})
            registered = await made(f"{api}.register").asyncio(
                client=client, body=models.Register(endpoints=endpoints)
            )
            assert registered.registrations[0].uri == "com.shop.price"

            called = await made(f"{api}.call").asyncio(
                "com.shop.price", client=client, body=models.Call(params=["book", None, 2.5])
            )
            assert called.result == ["book", None, 2.5]

            topics = models.SubscribeEndpoints.from_dict({"com.shop.sold": app.url})
            await made(f"{api}.subscribe").asyncio(
                client=client, body=models.Subscribe(endpoints=topics)
            )
            published = await made(f"{api}.publish").asyncio(
                "com.shop.sold", client=client, body=models.Publish(args=["book"])
            )
            assert isinstance(published.publication, int)
            await eventually(lambda: app.of_type("event")[-1:])

            missing = await made(f"{api}.call").asyncio("com.nobody", client=client)
            assert isinstance(missing, models.Problem)
            assert missing.error == "wamp.error.no_such_procedure"

            entry = registered.registrations[0]
            gone = await made(f"{api}.delete_registration").asyncio_detailed(
                entry.id, client=client
            )
            assert gone.status_code == httpx.codes.NO_CONTENT
