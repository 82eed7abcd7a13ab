"""A short version of `make coverage`: planted values lie in the intervals of whole runs, as a rule."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd


def test_most_intervals_of_three_small_studies_hold_the_planted_values(root: Path) -> None:
    sys.path.insert(0, str(root))
    from benchmarks.coverage import one_seed

    found = pd.concat([one_seed(seed, subjects=12, events=4000) for seed in (1, 2, 3)]).dropna()
    held = (found["ci_low"] <= found["planted"]) & (found["planted"] <= found["ci_high"])
    assert len(found) == 24
    assert (
        held.sum() >= 20
    )  # of 24 intervals of 95 %, 20 or more hold in 99.9 % of such triples were they independent
