"""Does the conformance suite notice when a check is gone? Takes each away in turn, to see.

Run by `nox -s mutations`. Each mutation is made in a copy of core, which the suites of all
adapters are then run with: every one of them must fail. What a framework refuses by itself, before
core could, is named below, and its suite must then pass, or the entry here is stale.

Arguments are names of mutations; all of them if there are none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "packages/wamp-bridge-core/src"
PLUGIN = Path(__file__).with_name("first_failures.py")
SUITES = {
    name: f"packages/wamp-bridge-{name}/tests/test_conformance.py"
    for name in ("core", "flask", "django", "fastapi", "pyramid")
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A check, and how core would read without it."""

    name: str
    module: str
    old: str
    new: str


_MATCHES = """self._matches(headers.get(SIGNATURE_HEADER, ""), message_id, timestamp, body)"""
_METHOD = """        if request.method != "POST":
            raise error_of(405, None, ["only POST is served here"])
"""
_SIZE = """        if len(request.body) > self.max_body:
            raise TooLarge(f"the body is longer than {self.max_body} octets")
"""
_DELIVERY = "        delivery_id = self._verified(request)\n"
_NO_SECRET = """raise VerificationError("the request is not signed by this app's bridge")
        return self._signer"""
_MATCH = "handler is not None and handler.match == endpoint.match"
_PROCEDURE = "handler = _matching(table.procedures, envelope.endpoint)"
_TOPIC = "handler = _matching(table.topics, envelope.endpoint)"
_BY_PATH = (
    "handler = table.{}.get(unescape_segment(request.path.strip('/').rpartition('/')[2] or 'x'))"
)
_NO_OBJECT = """    if not isinstance(members, dict):
        raise EnvelopeError("the body must be a JSON object")
"""

MUTATIONS = (
    Mutation("signature", "_webhooks", _MATCHES, "True"),
    Mutation(
        "signature of the body",
        "_webhooks",
        "            mac.update(body)\n",
        "",
    ),
    Mutation(
        "age, old",
        "_webhooks",
        "abs(now - int(timestamp)) > TOLERANCE_SECONDS",
        "int(timestamp) - now > TOLERANCE_SECONDS",
    ),
    Mutation(
        "age, future",
        "_webhooks",
        "abs(now - int(timestamp)) > TOLERANCE_SECONDS",
        "now - int(timestamp) > TOLERANCE_SECONDS",
    ),
    Mutation("form of the id", "_webhooks", "_ID.fullmatch(message_id) is None", "False"),
    Mutation(
        "form of the timestamp", "_webhooks", "_TIMESTAMP.fullmatch(timestamp) is None", "False"
    ),
    Mutation("number of signatures", "_webhooks", "len(given) > _MAX_SIGNATURES", "False"),
    Mutation(
        "no secret",
        "_dispatch",
        _NO_SECRET,
        'return request.headers.get(ID_HEADER, "")\n        return self._signer',
    ),
    Mutation("method", "_dispatch", _METHOD, ""),
    Mutation("size", "_dispatch", _SIZE, ""),
    Mutation(
        "content type",
        "_dispatch",
        '        _check_content_type(request.headers.get("content-type", JSON_TYPE))\n',
        "",
    ),
    Mutation(
        "charset", "_dispatch", 'charset not in ("", "charset=utf-8", "charset=utf8")', "False"
    ),
    Mutation(
        "signature first",
        "_dispatch",
        _DELIVERY,
        '        _check_content_type(request.headers.get("content-type", JSON_TYPE))\n' + _DELIVERY,
    ),
    Mutation(
        "function name: a procedure's from the path",
        "_dispatch",
        _PROCEDURE,
        _BY_PATH.format("procedures"),
    ),
    Mutation(
        "function name: a topic's from the path", "_dispatch", _TOPIC, _BY_PATH.format("topics")
    ),
    Mutation(
        "function name: a callback's from the path", "_dispatch", "if url is None:", "if True:"
    ),
    Mutation("function name: its match", "_dispatch", _MATCH, "True"),
    Mutation("arguments", "_dispatch", "if handler.binder is not None:", "if False:"),
    Mutation("JSON: an object", "_envelopes", _NO_OBJECT, ""),
    Mutation("JSON: NaN", "_json", 'raise InvalidJSON(f"{text} is no JSON")', "return float(text)"),
    Mutation("JSON: range", "_json", "if math.isinf(number):", "if False:"),
    Mutation("JSON: depth", "_json", "if levels <= 0:", "if False:"),
    Mutation(
        "JSON: syntax",
        "_json",
        "    except ValueError as error:\n        raise InvalidJSON",
        "    except KeyError as error:\n        raise InvalidJSON",
    ),
    Mutation(
        "what an exception tells",
        "_dispatch",
        '"the handler failed; the log of its app says why"',
        "repr(error)",
    ),
)

# Adapters whose framework refuses the same by itself, before core could.
HELD_BY_THE_FRAMEWORK = {("method", "fastapi"): "Starlette's routes take POST alone"}


def main(names: list[str]) -> int:
    """Try the mutations; the exit status."""
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    width = max(len(mutation.name) for mutation in chosen)
    print("".ljust(width), *(name.ljust(8) for name in SUITES), "first failures", sep=" | ")
    wrong = 0
    for mutation in [None, *chosen]:
        found = run(mutation)
        shown = "(nothing)" if mutation is None else mutation.name
        kinds = {name: kind_of(failures) for name, failures in found.items()}
        failed = [failure for failures in found.values() for failure in failures if failure]
        tests = dict.fromkeys(failure.rpartition("::")[2] for failure in failed)
        print(
            shown.ljust(width),
            *(kind.ljust(8) for kind in kinds.values()),
            "; ".join(tests),
            sep=" | ",
            flush=True,
        )
        for name, kind in kinds.items():
            held = mutation is not None and (mutation.name, name) in HELD_BY_THE_FRAMEWORK
            if kind != ("passes" if mutation is None or held else "fails"):
                wrong += 1
                print(f"    {name} should not be so: {found[name]}", flush=True)
    return 1 if wrong else 0


def run(mutation: Mutation | None) -> dict[str, list[str | None]]:
    """Run the suites with a mutated core: the first test that fails, or None, of each class."""
    with tempfile.TemporaryDirectory(prefix="wamp-bridge-mutation-") as folder:
        copy = Path(folder, "src")
        shutil.copytree(CORE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            mutate(copy, mutation)
        Path(folder, f"{PLUGIN.stem}.py").write_text(PLUGIN.read_text("utf-8"), encoding="utf-8")
        report = Path(folder, "report.json")
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(copy), folder]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WAMP_BRIDGE_MUTATIONS_REPORT": str(report),
        }
        options = ["-q", "-p", PLUGIN.stem, "-p", "no:cacheprovider", "--tb=no", "-r", "N"]
        result = subprocess.run(
            [sys.executable, "-m", "pytest", *SUITES.values(), *options],
            cwd=ROOT,
            env=environ,
            check=False,
            capture_output=True,
            text=True,
        )
        if result.returncode not in (0, 1) or not report.exists():
            raise RuntimeError(f"the suites can't be run:\n{result.stdout}\n{result.stderr}")
        told = json.loads(report.read_text(encoding="utf-8"))
    if told["broken"]:
        raise RuntimeError("\n".join(told["broken"]))
    if not told["core"].startswith(str(copy)):
        raise RuntimeError(f"the suites ran with {told['core']}")
    return {
        name: [first for suite, first in told["suites"].items() if suite.startswith(f"{path}::")]
        for name, path in SUITES.items()
    }


def kind_of(failures: list[str | None]) -> str:
    """What became of an adapter's suites; some adapters have two kinds of app, and so two."""
    if not failures:
        raise RuntimeError("an adapter has no suite")
    if all(failures):
        return "fails"
    return "differs" if any(failures) else "passes"


def mutate(source: Path, mutation: Mutation) -> None:
    """Take the check out of the copy."""
    path = source / "wamp_bridge/core" / f"{mutation.module}.py"
    text = path.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise RuntimeError(f"{mutation.name}: core reads otherwise now, so mend this file")
    path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
