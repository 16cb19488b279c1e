"""Try built wheels as a user has them: in empty environments, far from the sources.

Usage: check.py APP_ENVIRONMENT BRIDGE_ENVIRONMENT WHEELS, as `nox -s wheels` calls it. The first
has the wheels of core and the Flask adapter, the second those of core and the server, and what they
require; nothing else was installed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
DEADLINE = 300.0  # seconds; the router's environment may have to be made first

ARTICLE = "from wamp_bridge.adapters.flask import publish, call, rpc, sub, dispatcher"
CORE = "from wamp_bridge.core import ApplicationError, Bridge"

# Every file that a distribution brought is there, as it was brought.
WHOLE = """
import sys
from importlib.metadata import files

missing = [str(path) for path in files(sys.argv[1]) if not path.locate().is_file()]
sys.exit(f"missing: {missing}" if missing else 0)
"""


class Environment:
    """A virtual environment, and the wheels that it can get."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.bin = folder / "bin"
        self._wheels = wheels

    def python(self, *arguments: str | Path) -> None:
        """Run its Python, far from the sources; it has to succeed."""
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([self.bin / "python", *arguments], cwd="/", env=environ, check=True)

    def lacks(self, statement: str) -> None:
        """Make sure that an import fails because the module isn't there."""
        code = f"try:\n    {statement}\nexcept ModuleNotFoundError:\n    sys.exit()"
        self.python("-c", f"import sys\n{code}\nsys.exit('this should fail: {statement}')")

    def install(self, name: str) -> None:
        """Install a wheel and nothing else."""
        wheel = next(self._wheels.glob(f"{name.replace('-', '_')}-*.whl"))
        self.python("-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)

    def uninstall(self, name: str) -> None:
        """Take a distribution away."""
        self.python("-m", "pip", "uninstall", "-q", "-y", name)


def check_imports(app: Environment, bridge: Environment) -> None:
    """The article's import works, from the environment and not from the sources."""
    app.python("-c", ARTICLE)
    app.python("-c", CORE)
    app.lacks("import wamp_bridge_server")
    bridge.lacks(ARTICLE)
    bridge.lacks("import crossbar")
    for module in ("wamp_bridge.core", "wamp_bridge.adapters.flask"):
        where = f"import sys, {module} as it; sys.exit(not it.__file__.startswith(sys.prefix))"
        app.python("-c", where)


def check_apart(app: Environment) -> None:
    """Core and adapter go one by one, and each leaves the other whole."""
    app.uninstall("wamp-bridge-flask")
    app.lacks(ARTICLE)
    app.python("-c", CORE)
    app.python("-c", WHOLE, "wamp-bridge-core")
    app.install("wamp-bridge-flask")

    app.uninstall("wamp-bridge-core")
    app.lacks(CORE)
    app.python("-c", WHOLE, "wamp-bridge-flask")
    app.install("wamp-bridge-core")
    app.python("-c", ARTICLE)


def check_example(app: Environment, bridge: Environment, folder: Path) -> None:
    """The Flask example answers a call that comes through a real router."""
    shutil.copytree(ROOT / "examples" / "flask", folder / "flask")
    listen, router, web = (f"127.0.0.1:{port}" for port in free_ports(3))
    dev: list[str | Path] = [bridge.bin / "wamp-bridge", "dev", "--app", "shop"]
    dev += ["--listen", listen, "--router-listen", router, "--data", folder / "data"]
    with running(dev, folder) as lines:
        settings = dict(exports(lines))
        settings |= {
            "WAMP_BRIDGE_CALLBACK_URL": f"http://{web}/wamp/",
            "SHOP_DATABASE": str(folder / "shop.db"),
        }
        flask: list[str | Path] = [app.bin / "flask", "--app", "shop", "run"]
        flask += ["--port", web.rpartition(":")[2]]
        with running(flask, folder / "flask", settings):
            answer = call(settings, "com.shop.price", ["teapot"])
            assert answer["result"] == 30.0, answer


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Iterator[str]]:
    """A program that runs meanwhile; what it writes, line by line."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(settings or {}), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.send_signal(signal.SIGINT)


def exports(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Read what `wamp-bridge dev` prints for an app, until it is ready."""
    for line in lines:
        if line.startswith("ready "):
            return
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            yield name, value.strip("'\"")
    raise SystemExit("the bridge ended before it was ready")


def call(settings: Mapping[str, str], procedure: str, params: list[object]) -> dict[str, object]:
    """Call a procedure, as soon as it is there."""
    request = urllib.request.Request(
        f"{settings['WAMP_BRIDGE_URL'].rstrip('/')}/call/{procedure}/",
        data=json.dumps({"params": params}).encode(),
        headers={
            "Authorization": f"Bearer {settings['WAMP_BRIDGE_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    end = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(request) as response:
                answer: dict[str, object] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            if error.code != 404 or time.monotonic() > end:  # 404: not announced yet
                raise SystemExit(f"{error.code}: {text}") from error
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main() -> None:
    """Check all."""
    app_folder, bridge_folder, wheels = (Path(argument).resolve() for argument in sys.argv[1:])
    app, bridge = Environment(app_folder, wheels), Environment(bridge_folder, wheels)
    check_imports(app, bridge)
    check_apart(app)
    with tempfile.TemporaryDirectory() as folder:
        check_example(app, bridge, Path(folder))
    print("The wheels work: imports, the Flask example, each distribution without the other.")


if __name__ == "__main__":
    main()
