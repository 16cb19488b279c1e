"""What the shop's page has from npm."""

from __future__ import annotations

import asyncio
import shutil

from examples.demo.programs import EXAMPLES

PAGE = EXAMPLES / "page"
AUTOBAHN = PAGE / "node_modules" / "autobahn-browser" / "autobahn.min.js"

_NPM = ("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
_NPM_SECONDS = 120.0


async def fetch_autobahn() -> None:
    """Install autobahn-js, the first time; where that fails, say that the page won't be live."""
    if AUTOBAHN.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        reason = "npm is not installed, and autobahn-js comes from npm"
    else:
        print("  ... npm installs autobahn-js, the first time", flush=True)
        reason = await _install(npm)
    if not AUTOBAHN.exists():
        print(f"  ... the page won't be live: {reason}", flush=True)


async def _install(npm: str) -> str:
    """Have npm install what the page needs; why that failed, if it did."""
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
        return f"npm didn't install autobahn-js within {_NPM_SECONDS:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return f"npm didn't install autobahn-js\n{output.decode(errors='replace').strip()}"
