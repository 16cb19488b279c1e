"""What is run on this repository, as short sessions; `nox -l` lists them.

`nox` alone runs all that must be green before a change lands, the tests last. What is installed
comes from uv.lock; nothing is taken from the machine but a Python.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "imports", "docs", "wheels", "tests"]

ROOT = Path(__file__).parent

# The Pythons that `matrix` looks for.
PYTHONS = ("3.11", "3.12", "3.13")


class Framework(NamedTuple):
    """A version of a framework, which `frameworks` tries."""

    adapter: str
    requirements: list[str]
    """What is installed over the lock."""
    python: str | None = None
    """The first that takes it, where that isn't every one of ours."""


# Oldest first. Flask 2.3 asks Werkzeug for an attribute that Werkzeug 3.1 no longer has, and the
# test client of FastAPI's older Starlettes warns of today's anyio.
FRAMEWORKS = {
    "django-5.2.0": Framework("django", ["django==5.2"]),
    "django-5.2": Framework("django", ["django==5.2.*"]),
    "django-6.0": Framework("django", ["django==6.0.*"], python="3.12"),
    "django-6.1": Framework("django", ["django==6.1.*"], python="3.12"),
    "flask-2.3": Framework("flask", ["flask==2.3.*", "werkzeug==2.3.*"]),
    "flask-3.0": Framework("flask", ["flask==3.0.*"]),
    "flask-3.1": Framework("flask", ["flask==3.1.*"]),
    "fastapi-0.112": Framework(
        "fastapi", ["fastapi==0.112.2", "starlette==0.38.6", "anyio==4.9.*"]
    ),
    "fastapi-0.115": Framework("fastapi", ["fastapi==0.115.*", "anyio==4.9.*"]),
    "fastapi-0.165": Framework("fastapi", ["fastapi==0.165.*"]),
    "pyramid-2.0": Framework("pyramid", ["pyramid==2.0.*"]),
    "pyramid-2.1": Framework("pyramid", ["pyramid==2.1.*"]),
}

# Tests mostly wait for routers and servers to start, so four at once keep two cores busy. A file's
# tests stay together, for what they share is started once then.
AT_ONCE = ("--numprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
# They start Python hundreds of times, which takes twice as long where nothing is kept compiled.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
# What finds the tests' own modules in a program that isn't run by pytest.
BESIDE = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
# What each example is served with, besides its adapter; and with what else it can be served.
EXAMPLES = {
    "flask": ["gunicorn"],
    "django": ["gunicorn", "whitenoise"],
    "fastapi": ["uvicorn", "python-multipart"],
    "pyramid": ["waitress"],
}
SERVERS = {
    "flask": ["waitress"],
    "django": ["uvicorn", "waitress"],
    "fastapi": ["gunicorn", "uvicorn-worker"],
    "pyramid": ["gunicorn"],
}

# What mypy is run over, one run each: files of one name may stand in two test folders.
TYPED = (
    ("packages/wamp-bridge-core/src", "packages/wamp-bridge-flask/src", "bridge-server/src"),
    ("noxfile.py", "conftest.py", "docs/conf.py", "tests"),
    ("packages/wamp-bridge-core/tests", "packages/wamp-bridge-core/typing_tests"),
    ("packages/wamp-bridge-core/typing_tests",),
    ("packages/wamp-bridge-django/src",),
    ("packages/wamp-bridge-django/tests",),
    ("packages/wamp-bridge-flask/tests",),
    ("packages/wamp-bridge-fastapi/src",),
    ("packages/wamp-bridge-fastapi/tests",),
    ("packages/wamp-bridge-pyramid/src",),
    ("packages/wamp-bridge-pyramid/tests",),
    ("bridge-server/tests",),
    ("examples",),
    ("benchmarks",),
)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, on the Python at hand; arguments go to pytest."""
    test_all(session)


@nox.session
@nox.parametrize("version", PYTHONS)
def matrix(session: nox.Session, version: str) -> None:
    """All tests on each Python that is found on this machine; none is downloaded."""
    python = next(find_pythons(version), None)
    if python is None:
        session.skip(f"no Python {version} here")
    test_all(session, "--python", python)


def test_all(session: nox.Session, *options: str) -> None:
    """Run all tests in an environment that `sync` makes with these options."""
    sync(session, "tests", "--compile-bytecode", *options)
    session.run("pytest", *AT_ONCE, *session.posargs, env=COMPILED)


@nox.session
@nox.parametrize("framework", list(FRAMEWORKS))
def frameworks(session: nox.Session, framework: str) -> None:
    """Each adapter's tests with each version of its framework."""
    adapter, requirements, needed = FRAMEWORKS[framework]
    options: list[str] = []
    if needed is not None:
        versions = PYTHONS[PYTHONS.index(needed) :]
        python = next((each for version in versions for each in find_pythons(version)), None)
        if python is None:
            session.skip(f"{framework} takes no Python before {needed}, and there is none here")
        options = ["--python", python]
    sync(session, "tests", *options)
    session.install(*requirements)
    session.run("pytest", f"packages/wamp-bridge-{adapter}/tests", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff's rules and its format."""
    sync(session, "lint", only=True)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, over sources, tests and examples."""
    sync(session, "types")
    for paths in TYPED:
        session.run("mypy", *paths)


@nox.session
def imports(session: nox.Session) -> None:
    """Who may import whom: the contracts in pyproject.toml."""
    sync(session, "imports")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, as HTML in docs/_build; a warning is an error."""
    sync(session, "docs")
    session.run("sphinx-build", "-E", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every wheel into dist/, then run the examples from nothing but wheels."""
    check_wheels(session, EXAMPLES)


@nox.session
def servers(session: nox.Session) -> None:
    """As `wheels`, the examples under each server that suits them; `-- NAME` for one of them.

    Under each they are killed and started again and, where it reloads them, changed.
    """
    names = session.posargs or list(EXAMPLES)
    needs = {name: EXAMPLES[name] + SERVERS[name] for name in names}
    check_wheels(session, needs, "--all-servers")


def check_wheels(session: nox.Session, needs: Mapping[str, list[str]], *options: str) -> None:
    """Build every wheel, and try examples in environments that have what they need and no more."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("uv", "build", "-q", "--all-packages", "--wheel", "--out-dir", dist)
    bridge = environment(session, "bridge", ["server"])
    examples = [environment(session, name, [name], others) for name, others in needs.items()]
    check = ("python", "-m", "wheels.check")
    session.run(*check, *options, dist, bridge, *examples, env=BESIDE)


def environment(
    session: nox.Session, name: str, wheels: Iterable[str], requirements: Iterable[str] = ()
) -> Path:
    """Make a fresh environment with core's wheel, these of ours, and what else is required."""
    folder = Path(session.virtualenv.location) / name
    session.run_install("uv", "venv", "-q", "--clear", "--seed", folder)
    files = [next((ROOT / "dist").glob(f"wamp_bridge_{each}-*.whl")) for each in ("core", *wheels)]
    pip = (folder / "bin" / "python", "-m", "pip", "install", "-qq")
    session.run_install(*pip, *files, *requirements, external=True)
    return folder


@nox.session
def tutorials(session: nox.Session) -> None:
    """Follow each framework's tutorial from an empty home, and say how long it takes; `-- NAME`."""
    sync(session, "tests")
    session.run("python", "-m", "tutorials.check", *session.posargs, env=BESIDE)


@nox.session
def mutations(session: nox.Session) -> None:
    """Take each check of the dispatcher away: the conformance suite of every adapter must fail."""
    sync(session, "tests")
    session.run("python", "tests/mutations/check.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Ten times the fuzzed requests of the default tests, and atheris on each parser.

    `FUZZED_REQUESTS` and `FUZZ_SEED` in the environment say how many, and by which seed: another
    one each time if left out.
    """
    sync(session, "fuzz")
    seed = os.environ.get("FUZZ_SEED") or str(secrets.randbelow(2**31))
    count = os.environ.get("FUZZED_REQUESTS", "100000")
    environ = {"FUZZED_REQUESTS": count, "FUZZ_SEED": seed}
    session.run("pytest", "-s", "tests/fuzz", *session.posargs, env=environ)
    session.run("python", "tests/fuzz/explore.py", count, seed)


@nox.session
def schemathesis(session: nox.Session) -> None:
    """What `/openapi.json` says of the bridge is so, in 100,000 cases.

    `SCHEMATHESIS_CASES` in the environment says how many.
    """
    sync(session, "tests")
    environ = {"SCHEMATHESIS_CASES": os.environ.get("SCHEMATHESIS_CASES", "100000")}
    session.run("pytest", "-s", "tests/openapi/test_schemathesis.py", *session.posargs, env=environ)


@nox.session
def faults(session: nox.Session) -> None:
    """Kill, stop and cut the parts under load: nothing may be lost; `-- --help` tells more."""
    sync(session, "tests")
    session.run("python", "-m", "faults.check", *session.posargs, env=BESIDE)


@nox.session
def soak(session: nox.Session) -> None:
    """The bridge under load for three minutes, or `-- --minutes 30`: nothing of it may grow."""
    sync(session, "tests")
    session.run("python", "-m", "faults.soak", *session.posargs, env=BESIDE)


@nox.session
def demo(session: nox.Session) -> None:
    """A router, the bridge, a web app and a WAMP peer talk; `-- NAME --stay`: which app, and stay.

    NAME is that of a folder of examples/, flask if left out; with `--stay` they are left running.
    """
    sync(session, "tests")
    session.run(
        *("python", "-m", "examples.demo", *session.posargs),
        interrupt_timeout=30,  # it has much to end
        terminate_timeout=30,
    )


@nox.session
def browser(session: nox.Session) -> None:
    """The examples' page in the machine's Chromium; needs that and npm."""
    sync(session, "browser")
    session.run("pytest", "examples/page/tests", *session.posargs)


@nox.session
def routers(session: nox.Session) -> None:
    """The bridge at other routers than Crossbar, and with JavaScript; needs npm."""
    sync(session, "tests")
    # Its requirements are nothing of ours, and may be at odds with them.
    python = Path(session.virtualenv.location) / "xconn" / "bin" / "python"
    session.run_install("uv", "venv", "-q", "--clear", python.parent.parent)
    pinned = ("--require-hashes", "-r", "tests/routers/xconn/requirements.txt")
    session.run_install("uv", "pip", "install", "-q", "--python", python, *pinned)
    environ = {"XCONN_PYTHON": str(python)}
    session.run("pytest", "tests/routers", *session.posargs, env=environ)


def sync(session: nox.Session, group: str, *options: str, only: bool = False) -> None:
    """Make the session's environment what uv.lock says: a dependency group and, or `only`, us."""
    which = f"--only-group={group}" if only else f"--group={group}"
    session.run_install(
        "uv", "sync", "-q", "--frozen", "--active", "--no-default-groups", which, *options
    )


def find_pythons(version: str) -> Iterator[str]:
    """Find the interpreters of a version by running them.

    A name on the PATH proves nothing: pyenv's shims are there for versions that are switched off.
    """
    path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    pyenvs = [folder.parent for folder in path if folder.name == "shims"]
    pyenvs += [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    candidates = [folder / f"python{version}" for folder in path]
    for pyenv in pyenvs:
        candidates += sorted(pyenv.glob(f"versions/{version}*/bin/python"))
    question = "import sys; print('{}.{}'.format(*sys.version_info))"
    for candidate in candidates:
        if shutil.which(candidate) is None:
            continue
        answer = subprocess.run(
            [candidate, "-c", question], capture_output=True, text=True, check=False
        )
        if answer.stdout.strip() == version:
            yield str(candidate)
