"""What the shop's page has from npm."""

from __future__ import annotations

import asyncio
import shutil

from examples.demo.programs import EXAMPLES
from examples.demo.stage import DemoError

PAGE = EXAMPLES / "page"
AUTOBAHN = PAGE / "node_modules" / "autobahn-browser" / "autobahn.min.js"

_NPM = ("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_NPM_SECONDS = 120.0


async def fetch_autobahn() -> None:
    """Install autobahn-js, the first time; without npm, say that the page won't be live."""
    if AUTOBAHN.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        print("  ... the page won't be live: npm is not installed, and autobahn-js comes from npm")
        return
    print("  ... npm installs autobahn-js, the first time", flush=True)
    process = await asyncio.create_subprocess_exec(
        npm,
        *_NPM,
        cwd=PAGE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_NPM_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DemoError(f"npm didn't install autobahn-js within {_NPM_SECONDS:g} s") from None
    if process.returncode != 0 or not AUTOBAHN.exists():
        said = output.decode(errors="replace").strip()
        print(f"  ... the page won't be live: npm didn't install autobahn-js\n{said}", flush=True)
