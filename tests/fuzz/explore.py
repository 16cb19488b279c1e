"""Has atheris feed each parser what leads it to new places: `python tests/fuzz/explore.py [RUNS]`.

Each parser is fed in a process of its own, for libFuzzer ends the one it runs in. What made one
fail is left in `crash-...` in the folder where this was started.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
RUNS = 100_000
LONGEST = 400


def feed(name: str, runs: int, seed: str) -> None:
    """Feed one parser; does not return."""
    with atheris.instrument_imports(include=["wamp_bridge", "wamp_bridge_server"]):
        from support.fuzzing.parsers import PARSERS  # noqa: PLC0415 - to be instrumented
    from support.fuzzing.seeds import GRAMMAR, SEEDS  # noqa: PLC0415 - imports those, too

    logging.disable()  # the SDK says each time what it refuses

    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, octets in enumerate(SEEDS[name]):
            Path(corpus, str(number)).write_bytes(octets)
        words = Path(folder, "words")
        quoted = ("".join(f"\\x{octet:02x}" for octet in piece) for piece in GRAMMAR if piece)
        words.write_text("".join(f'"{text}"\n' for text in quoted))
        options = (f"-atheris_runs={runs}", f"-seed={seed}", f"-max_len={LONGEST}")
        quiet = ("-verbosity=0", "-print_final_stats=0", f"-dict={words}", "-timeout=20")
        atheris.Setup([sys.argv[0], *options, *quiet, str(corpus)], PARSERS[name])
        atheris.Fuzz()


def main(runs: int = RUNS, seed: str = "1") -> int:
    """Feed all of them, one after the other; the number of those that failed."""
    from support.fuzzing.parsers import PARSERS  # noqa: PLC0415 - on the path by now

    print(f"FUZZ_SEED={seed}")
    failed = []
    for name in PARSERS:
        command = [sys.executable, __file__, name, str(runs), seed]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if line.startswith("Done")]
        print(f"{name}: {said[-1] if said else 'FAILED'}")
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout, done.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    match sys.argv[1:]:
        case [name, runs, seed]:
            feed(name, int(runs), seed)
        case [runs, seed]:
            sys.exit(main(int(runs), seed))
        case [runs]:
            sys.exit(main(int(runs)))
        case _:
            sys.exit(main())
