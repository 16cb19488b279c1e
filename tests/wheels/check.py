"""Try built wheels as a user has them: in empty environments, far from the sources.

Usage: python -m wheels.check [--all-servers] WHEELS BRIDGE_ENVIRONMENT APP_ENVIRONMENT...

So `nox -s wheels` and, with its option, `nox -s servers` call it. The bridge's environment has the
wheels of core and the server; an app's, which is called as an example is, has those of core and the
adapter, and the example's servers; and all have what these require. Nothing else was installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.demo.shops import SHOPS

from wheels.examples import check_example

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


def check_article(app: Environment, bridge: Environment) -> None:
    """The article's import works, from the environment and not from the sources."""
    app.python("-c", ARTICLE)
    app.python("-c", CORE)
    app.lacks("import wamp_bridge_server")
    bridge.lacks(ARTICLE)
    bridge.lacks("import crossbar")


def check_adapter(name: str, app: Environment) -> None:
    """Core and adapter are there in full, from the environment and not from the sources."""
    app.lacks("import wamp_bridge_server")
    for module in ("wamp_bridge.core", f"wamp_bridge.adapters.{name}"):
        where = f"import sys, {module} as it; sys.exit(not it.__file__.startswith(sys.prefix))"
        app.python("-c", where)
    for distribution in ("wamp-bridge-core", f"wamp-bridge-{name}"):
        app.python("-c", WHOLE, distribution)


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


def main() -> None:
    """Check all."""
    all_servers = sys.argv[1] == "--all-servers"
    arguments = sys.argv[2:] if all_servers else sys.argv[1:]
    wheels, bridge_folder, *folders = (Path(argument).resolve() for argument in arguments)
    bridge = Environment(bridge_folder, wheels)
    apps = {folder.name: Environment(folder, wheels) for folder in folders}
    if "flask" in apps:
        check_article(apps["flask"], bridge)
        check_apart(apps["flask"])
    for name, app in apps.items():
        check_adapter(name, app)
        with tempfile.TemporaryDirectory() as folder:
            check_example(SHOPS[name], app.bin, bridge.bin, Path(folder), all_servers=all_servers)
        print(f"The {name} example works from wheels.", flush=True)
    print("The wheels work: imports, the examples, each distribution without the other.")


if __name__ == "__main__":
    main()
