"""Limits of placement and of both together, against the formulas worked by hand and another library's t."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from cytoreg.gating.uncertainty import limits, wilson
from cytoreg.gating.uncertainty.intervals import t95


@pytest.mark.parametrize("df", [15, 30, 63])
def test_t_is_that_of_scipy(df: int) -> None:
    assert t95(df) == pytest.approx(stats.t.ppf(0.975, df), abs=2e-4)


@pytest.mark.parametrize("count", [0, 1, 40, 99, 100])
def test_without_any_movement_the_limits_are_wilson_s(count: int) -> None:
    found = limits(count, 100, np.full(64, count), np.full(64, 100))
    assert found.both == found.count == wilson(count, 100)
    assert found.gate == (count, count)
    assert limits(count, 100).both == wilson(count, 100)
    assert all(math.isnan(limit) for limit in limits(count, 100).gate)


def test_both_are_added_on_the_logit_scale_each_side_by_itself() -> None:
    counts, totals = np.array([80, 90, 100, 110, 120] * 12), np.full(60, 1000)
    found = limits(100, 1000, counts, totals)
    middle, logits = logit(0.1), logit(counts / totals)
    reach = stats.t.ppf(0.975, 59) * math.hypot(np.std(logits, ddof=1), np.mean(logits) - middle)
    low, high = (logit(limit / 100) for limit in wilson(100, 1000))
    assert found.gate == pytest.approx((100 * expit(middle - reach), 100 * expit(middle + reach)), abs=1e-3)
    expected = (middle - math.hypot(middle - low, reach), middle + math.hypot(high - middle, reach))
    assert found.both == pytest.approx(tuple(100 * expit(np.array(expected))), abs=1e-3)


def test_what_counting_and_placement_have_in_common_is_added_too() -> None:
    rng = np.random.default_rng(0)
    totals, sways = np.full(64, 100_000), 0.02 * rng.standard_normal(64)
    counts = np.rint(100_000 * expit(logit(0.1) + sways)).astype(np.int64)
    found = limits(10_000, 100_000, counts, totals, sways * 0.9)
    apart = limits(10_000, 100_000, counts, totals)
    against = limits(10_000, 100_000, counts, totals, -sways)
    assert against.both == apart.both  # it takes nothing away
    logits = logit(counts / totals)
    spread = np.std(logits, ddof=1)
    reach = stats.t.ppf(0.975, 63) * math.hypot(spread, np.mean(logits) - logit(0.1))
    # the drawn log share as a logit, and the binomial SD of that
    both = (
        np.corrcoef(logits, sways)[0, 1] * np.std(sways, ddof=1) * 0.9 / 0.9 / math.sqrt(1 / (100_000 * 0.1 * 0.9))
    )
    for ours, limit in zip(found.both, wilson(10_000, 100_000), strict=True):
        away = abs(logit(limit / 100) - logit(0.1))
        expected = math.sqrt(away**2 + reach**2 + 2 * min(1.0, both) * away * reach)
        assert abs(logit(ours / 100) - logit(0.1)) == pytest.approx(expected, rel=1e-4)
    assert found.both[0] < apart.both[0] < apart.both[1] < found.both[1]


def test_at_the_ends_the_limits_stay_on_the_scale() -> None:
    found = limits(0, 500, np.array([0, 3, 8, 1] * 16), np.full(64, 500))
    assert found.both[0] == found.gate[0] == 0
    assert found.both[1] > wilson(0, 500)[1]
    full = limits(500, 500, 500 - np.array([0, 3, 8, 1] * 16), np.full(64, 500))
    assert full.both[1] == full.gate[1] == 100
    assert full.both[0] == pytest.approx(100 - found.both[1])


def test_replicates_without_events_above_say_nothing() -> None:
    assert limits(5, 10, np.array([5, 0]), np.array([10, 0])).both == wilson(5, 10)
    assert all(math.isnan(limit) for limit in limits(0, 0, np.array([1, 2]), np.array([3, 4])).both)
