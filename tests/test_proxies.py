"""The configurations of docs/proxies.md, with a real nginx and a real Caddy before a bridge.

Not run where these are not installed: Debian's `nginx-light` and `caddy` will do.
"""

from __future__ import annotations

import getpass
import shutil
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from repository.lot import ROOT
from repository.pages import blocks
from support.certificates import write_certificate
from support.processes import Child, free_port, listening
from support.raw import RawAnswer, ask_raw
from support.served import SECRET, ServedBridge
from support.signing import sign
from support.waiting import eventually_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "bridge.example.com"

NGINX = """\
daemon off; worker_processes 1; user {user}; pid {folder}/nginx.pid; error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""


def shown(caption: str) -> str:
    """A file as the page shows it."""
    found = blocks(ROOT / "docs/proxies.md")
    return next(block.text for block in found if block.caption == caption)


def replaced(text: str, **by: str) -> str:
    for name, value in by.items():
        assert name in text, name
        text = text.replace(name, value)
    return text


def nginx(folder: Path, port: int, bridge: int) -> Child:
    cert, key = write_certificate(folder)
    site = replaced(
        shown("bridge.conf"),
        **{
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "127.0.0.1:8181": f"127.0.0.1:{bridge}",
            "/etc/ssl/bridge.example.com.crt": str(cert),
            "/etc/ssl/bridge.example.com.key": str(key),
        },
    )
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, site=site, user=getpass.getuser()))
    return Child("nginx", "-c", str(path), "-p", str(folder), "-e", "stderr", folder=folder)


def caddy(folder: Path, port: int, bridge: int) -> Child:
    cert, key = write_certificate(folder)
    head = f"{{\nadmin off\nauto_https disable_redirects\nhttps_port {port}\n}}\n"
    site = replaced(
        shown("Caddyfile"),
        **{
            "bridge.example.com {": f"{HOST} {{\n bind 127.0.0.1\n tls {cert} {key}\n",
            "127.0.0.1:8181": f"127.0.0.1:{bridge}",
        },
    )
    path = folder / "Caddyfile"
    path.write_text(head + site)
    command = ("caddy", "run", "--config", str(path), "--adapter", "caddyfile")
    return Child(*command, environ={"HOME": str(folder)}, folder=folder)


@contextmanager
def before(
    bridge: ServedBridge, start: Callable[[Path, int, int], Child], folder: Path
) -> Iterator[str]:
    """A proxy before a bridge; its URL."""
    port = free_port()
    with start(folder, port, bridge.address[1]) as child:

        def up() -> bool:
            assert child.running, child.output
            return listening(port)

        eventually_sync(up, within=20)
        yield f"https://127.0.0.1:{port}"


def tls() -> ssl.SSLContext:
    """As a client of HOST, for which the certificate of tests isn't."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def signed(
    url: str, method: str, target: str, body: bytes = b"", *more: tuple[str, str], host: str = HOST
) -> RawAnswer:
    """Ask, signed, through a proxy."""
    headers = [*sign(SECRET, method, host, target, body), *more]
    return await ask_raw(url, method, target, headers, body, tls=tls(), sni=HOST)


@pytest.mark.parametrize("start", [nginx, caddy])
async def test_a_proxy_as_the_page_shows_it(
    tmp_path: Path, start: Callable[[Path, int, int], Child]
) -> None:
    if shutil.which(start.__name__) is None:
        pytest.skip(f"{start.__name__} is not installed")
    environ = {"WAMP_BRIDGE_SERVER_PUBLIC_URLS": f"https://{HOST}"}
    with (
        ServedBridge(tmp_path, "memory:", environ=environ) as bridge,
        before(bridge, start, tmp_path) as url,
    ):
        for target in (
            "/publish/com.shop.sold/",
            "/publish/com.sh%6fp.s%4Fld?",
            "/publish/com.shop%2Fsold/?a=%7e&b=c+d&&=%zz",
            "/publish/%E2%98%95.~;x=1/",
        ):
            answer = await signed(url, "POST", target, b'{"args": ["book"]}')
            assert answer.status == 200, (target, answer)
        # The host that the client names is the one that counts, whatever else it says.
        other = await signed(url, "GET", "/sources/", b"", host="other.example")
        assert b"sources" not in other.body
        spoofed = ("x-forwarded-host", HOST), ("forwarded", f"host={HOST}")
        other = await signed(url, "GET", "/sources/", b"", *spoofed, host="other.example")
        assert b"sources" not in other.body
        # The limits are the bridge's, and its the words.
        large = await signed(url, "POST", "/heartbeat/", b" " * (1024 * 1024 + 1))
        assert (large.status, large.document["status"]) == (413, 413), large
        wide = await signed(url, "GET", "/sources/", b"", ("x-wide", "y" * 25_000))
        assert wide.status == 200
        wider = await signed(url, "GET", "/sources/", b"", *[("x-wide", "y" * 20_000)] * 2)
        assert (wider.status, wider.document["status"]) == (431, 431)
        long = await signed(url, "GET", "/sources/?" + "x" * 17_000)
        assert (long.status, long.document["status"]) == (414, 414)
