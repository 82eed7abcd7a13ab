"""Kaplan-Meier and the Weibull model of losses between visits, beside R's survival."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cytoreg.stats.durability.curves import fit_weibull, kaplan_meier
from tests.stats.durability.test_cox import RELAPSED, WEEKS
from tests.stats.judged import judged

R = judged("durability")
ARMS = {"Maintained": slice(0, 11), "Nonmaintained": slice(11, 23)}


@pytest.mark.parametrize("arm", ARMS)
def test_kaplan_meier_with_log_log_intervals(arm: str) -> None:
    curve = kaplan_meier(WEEKS[ARMS[arm]], RELAPSED[ARMS[arm]])
    for week in (23, 31):
        name = f"aml.{arm}.share{week}"
        assert curve.at(week) == pytest.approx([R[name], R[f"{name}.low"], R[f"{name}.high"]], rel=1e-8)
    middle, low, _ = curve.median()
    assert (middle, low) == (R[f"aml.{arm}.median"], R[f"aml.{arm}.median.low"])


def test_a_median_whose_interval_has_no_upper_end() -> None:
    assert math.isinf(kaplan_meier(WEEKS[:11], RELAPSED[:11]).median()[2])
    assert kaplan_meier([5, 6, 7, 8], [1, 0, 0, 0]).median()[0] == math.inf
    assert kaplan_meier([5, 6, 7, 8], [1, 0, 0, 0]).at(4)[0] == 1


def test_weights_with_a_robust_variance() -> None:
    curve = kaplan_meier(WEEKS, RELAPSED, weights=np.resize([0.7, 1.3, 1.1, 0.9], 23), cluster=np.arange(23))
    name = "aml.weighted.share31"
    assert curve.at(31) == pytest.approx([R[name], R[f"{name}.low"], R[f"{name}.high"]], rel=1e-8)


# last visit with the response and first without (None: never seen), and a covariate
SEEN = [0, 0, 30, 30, 60, 60, 60, 90, 0, 30, 90, 120, 60, 30]
GONE = [30, 30, 60, 60, 90, 90, 120, None, 60, None, 120, None, None, 60]
X = [5.1, 4.2, 6.3, 3.9, 7.1, 5.5, 6.6, 8.0, 3.2, 7.4, 5.9, 7.7, 6.1, 4.4]


def intervals() -> tuple[list[float], list[float], list[bool], list[float]]:
    """A row where the response was kept from 0 on, and one where it was lost."""
    rows = [(0.0, float(s), False, x) for s, x in zip(SEEN, X, strict=True) if s]
    rows += [(float(s), float(e), True, x) for s, e, x in zip(SEEN, GONE, X, strict=True) if e is not None]
    start, stop, lost, x = (list(column) for column in zip(*rows, strict=True))
    return start, stop, lost, x


def test_weibull_of_losses_between_visits() -> None:
    start, stop, lost, x = intervals()
    fit = fit_weibull(start, stop, lost, x)
    assert fit is not None
    found = [fit.beta[0], fit.se[0], fit.shape, fit.log_likelihood]
    assert found == pytest.approx(
        [R[f"weibull.{name}"] for name in ("beta", "se", "shape", "log_likelihood")], rel=1e-4
    )
    plain = fit_weibull(start, stop, lost)
    assert plain is not None
    names = ("weibull.median", "weibull.median.low", "weibull.median.high")
    assert plain.median == pytest.approx([R[name] for name in names], rel=1e-4)


def test_an_interval_cut_in_two_says_the_same() -> None:
    """A covariate that may change between visits: where it does not, the cut is not seen."""
    start, stop, lost, x = intervals()
    cut = start.index(60.0)
    whole = fit_weibull([*start, 0.0], [*stop, 60.0], [*lost, False], [*x, x[cut]])
    parts = fit_weibull([*start, 0.0, 25.0], [*stop, 25.0, 60.0], [*lost, False, False], [*x, x[cut], x[cut]])
    assert whole is not None
    assert parts is not None
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-9)
    assert parts.beta == pytest.approx(whole.beta, rel=1e-4)


def test_without_losses_there_is_no_model() -> None:
    assert fit_weibull([0, 0], [30, 60], [False, False]) is None


def test_a_weibull_model_that_knows_next_to_nothing_has_no_upper_end_and_does_not_raise() -> None:
    start = np.array([60, 30, 60, 30, 60, 0, 30, 60, 30, 60, 60, 30], dtype=float)
    lost = np.isin(np.arange(12), [5, 9])
    fit = fit_weibull(start, start + 30, lost)
    assert fit is not None
    assert fit.median[2] == np.inf
