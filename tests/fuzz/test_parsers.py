"""Each parser by itself, on octets by hypothesis; `nox -s fuzz` has atheris look for worse ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from support.fuzzing.examples import REQUESTS, SEED
from support.fuzzing.parsers import PARSERS
from support.fuzzing.seeds import GRAMMAR, SEEDS
from support.fuzzing.tape import Tape


def test_each_parser_has_seeds() -> None:
    assert list(SEEDS) == list(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_no_parser_raises_but_its_refusal(name: str) -> None:
    changed = st.builds(
        lambda octets, by: Tape(by).changed(octets, GRAMMAR),
        st.sampled_from(SEEDS[name]),
        st.binary(min_size=24, max_size=24),
    )

    @seed(SEED)
    @settings(max_examples=REQUESTS // 100, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(SEEDS[name]) | changed | changed | st.binary(max_size=200))
    def parse(octets: bytes) -> None:
        PARSERS[name](octets)

    parse()
