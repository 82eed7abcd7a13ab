"""Whole visits that are missing: the imputed values must keep the arms apart from the first pass on."""

from __future__ import annotations

import numpy as np
import pytest

from cytoreg.stats.missing.chained import Method, impute

PATIENTS, ITEMS, GAP = 2000, 6, 2.0


def left_for_good(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six items of one state at two visits; who is worse at the first is less often seen at the second.

    At the second visit the treated are better by GAP. The items of a visit hang closely together.
    """
    draw = np.random.default_rng(seed)
    arm = np.arange(PATIENTS) % 2.0
    first = draw.standard_normal(PATIENTS)
    second = 0.6 * first - GAP * arm + 0.8 * draw.standard_normal(PATIENTS)
    states = np.column_stack([first] * ITEMS + [second] * ITEMS)
    values = states + 0.3 * draw.standard_normal(states.shape)
    gone = draw.random(PATIENTS) < 1 / (1 + np.exp(-1.5 * first))
    values[gone, ITEMS:] = np.nan
    return values, arm, second


@pytest.mark.parametrize("method", ["normal", "predictive_mean_matching"])
def test_the_difference_of_arms_is_that_of_all_patients(method: Method) -> None:
    values, arm, second = left_for_good(seed=1)
    others = [[place for place in range(2 * ITEMS) if place != column] for column in range(2 * ITEMS)]
    tables = impute(values, arm[:, None], others, [method] * (2 * ITEMS), m=5, iterations=1, seed=1)
    late = tables[:, :, ITEMS:].mean(axis=(0, 2))
    found = late[arm == 1].mean() - late[arm == 0].mean()
    whole = second[arm == 1].mean() - second[arm == 0].mean()
    assert whole == pytest.approx(-GAP, abs=0.1)
    assert found == pytest.approx(whole, abs=0.1)  # from a random start it is about half of it
    assert late.mean() == pytest.approx(second.mean(), abs=0.1)
