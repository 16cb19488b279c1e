"""Octets from hypothesis, of which fuzzed things are made.

How many things, and by which seed, the environment may say: `FUZZED_REQUESTS` and `FUZZ_SEED`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.fuzzing.tape import Tape

REQUESTS = int(os.environ.get("FUZZED_REQUESTS", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))

OCTETS = 60
"""For one thing; what needs more goes on with the plainest choices."""
TOGETHER = 128
"""As many at once as hypothesis makes octets for."""


def batches(count: int) -> list[list[Tape]]:
    """At least so many tapes, in batches."""
    print(f"FUZZ_SEED={SEED}")
    found: list[bytes] = []
    size = TOGETHER * OCTETS

    @seed(SEED)
    @settings(
        max_examples=-(-count // TOGETHER),
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=size, max_size=size))
    def keep(octets: bytes) -> None:
        found.append(octets)

    keep()
    return [[Tape(octets[at : at + OCTETS]) for at in range(0, size, OCTETS)] for octets in found]
