"""Cells per microlitre: numbers by hand, limits beside statsmodels', and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import confint_poisson_2indep

from cytoreg.batch.concentration import Factor, cells_per_bead, gate_error, product, share, with_cv


def by_beads(cells: int, beads: int, added: float, volume: float, cv: float = 0.0) -> Factor:
    return product([cells_per_bead(cells, beads), with_cv(added / volume, cv)])


def test_the_formula_of_counting_tubes_by_hand() -> None:
    """2,000 cells and 5,000 of 50,000 beads in 50 uL: a tenth of the tube, 5 uL, holds 2,000 cells: 400 a uL.

    Its standard error on the log scale is sqrt(1/2000 + 1/5000) = 0.026458, so the limits are about 400 / 1.05323 and
    400 x 1.05323.
    """
    found = by_beads(2000, 5000, 50_000, 50)
    assert found.value == pytest.approx(400)
    assert found.low == pytest.approx(379.8, rel=2e-3)
    assert found.high == pytest.approx(421.3, rel=2e-3)


def test_pipetting_error_adds_on_the_log_scale() -> None:
    """With a CV of 3 % beside it: sqrt(0.026458^2 + 0.03^2) = 0.04, exp(1.96 x 0.04) = 1.08155."""
    found = by_beads(2000, 5000, 50_000, 50, 0.03)
    assert found.high / found.value == pytest.approx(1.0816, rel=1e-3)
    assert found.value / found.low == pytest.approx(1.0816, rel=1e-3)


@pytest.mark.parametrize(("cells", "beads"), [(3, 900), (40, 5000), (700, 1200)])
def test_limits_of_the_ratio_are_those_of_statsmodels(cells: int, beads: int) -> None:
    found = cells_per_bead(cells, beads)
    low, high = proportion_confint(cells, cells + beads, method="wilson")
    assert (found.low, found.high) == pytest.approx((low / (1 - low), high / (1 - high)))
    score = confint_poisson_2indep(cells, 1, beads, 1, method="score", compare="ratio")
    assert (found.low, found.high) == pytest.approx(score, rel=0.01)


def test_treg_counts_of_two_tubes_by_hand() -> None:
    """5 % of 4,000 CD4+ cells are Tregs, and CD4+ are 800 (720 to 890) a uL: 40 a uL.

    The share's standard error on the log scale is sqrt((1 - 0.05) / 200) = 0.0689; the CD4+ count's upper distance
    is ln(890 / 800) = 0.1066; together sqrt((1.96 x 0.0689)^2 + 0.1066^2) = 0.1722: 40 x 1.188 = 47.5.
    """
    found = product([Factor(800, 720, 890), share(200, 4000)])
    assert found.value == pytest.approx(40)
    assert found.high == pytest.approx(47.5, rel=0.01)
    assert found.low == pytest.approx(40 / math.exp(math.hypot(1.96 * 0.0689, math.log(800 / 720))), rel=0.01)


def test_no_cell_counted_is_0_with_an_upper_limit() -> None:
    """The exact upper limit of 0 events is 3.69 events (Poisson, 97.5 %); the score's is 3.84."""
    found = by_beads(0, 5000, 50_000, 50)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(3.84 / 5000 * 1000, rel=0.01)


def test_no_bead_counted_is_no_number() -> None:
    assert math.isnan(by_beads(100, 0, 50_000, 50).value)
    assert math.isnan(product([share(0, 0), with_cv(100)]).high)


def test_a_gate_that_may_stand_elsewhere_widens_the_limits_and_one_not_estimated_does_not() -> None:
    plain = by_beads(2000, 5000, 50_000, 50)
    nothing = product([plain, gate_error(20, math.nan, math.nan)])
    assert (nothing.value, nothing.low, nothing.high) == pytest.approx((plain.value, plain.low, plain.high))
    wider = product([plain, gate_error(20, 16, 25)])  # a factor of 1.25 either way
    both = math.exp(math.hypot(math.log(1.25), math.log(plain.high / plain.value)))
    assert wider.high / wider.value == pytest.approx(both)
    assert product([plain, gate_error(20, 0, 25)]).low == 0


@pytest.mark.parametrize("cells", [8, 50, 2000])
def test_limits_of_bead_counts_hold_the_truth_as_often_as_they_say(cells: int) -> None:
    """Cells and beads are Poisson, pipetting log-normal with a CV of 2 %, 5,000 beads expected."""
    rng = np.random.default_rng(11)
    n, cv, truth = 4000, 0.02, cells / 5000 * 1000
    pipetted = np.exp(math.sqrt(math.log1p(cv * cv)) * rng.standard_normal(n))
    counted = zip(rng.poisson(cells * pipetted), rng.poisson(5000, n), strict=True)
    found = [by_beads(int(c), int(b), 50_000, 50, cv) for c, b in counted]
    assert 0.93 <= np.mean([f.low <= truth <= f.high for f in found]) <= 0.97


@pytest.mark.parametrize(("cd4", "percent"), [(300, 5.0), (4000, 3.0), (20_000, 8.0)])
def test_limits_of_treg_counts_hold_the_truth_as_often_as_they_say(cd4: int, percent: float) -> None:
    """CD4+ per uL by 6,000 beads of one tube, Tregs of CD4+ in another."""
    rng = np.random.default_rng(5)
    n, cells = 4000, 3000
    truth = cells / 6000 * 1000 * percent / 100
    held = []
    for c, b, tregs in zip(
        rng.poisson(cells, n), rng.poisson(6000, n), rng.binomial(cd4, percent / 100, n), strict=True
    ):
        found = product([by_beads(int(c), int(b), 50_000, 50), share(int(tregs), cd4)])
        held.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(held) <= 0.97


def test_limits_of_a_haematology_count_times_a_share_hold_the_truth_as_often_as_they_say() -> None:
    """The analyser's CV is 4 %, and 1,500 of 10,000 lymphocytes are CD4+."""
    rng = np.random.default_rng(7)
    n, cv = 4000, 0.04
    given = 1800 * np.exp(math.sqrt(math.log1p(cv * cv)) * rng.standard_normal(n))
    held = []
    for per_ul, cells in zip(given, rng.binomial(10_000, 0.15, n), strict=True):
        found = product([with_cv(float(per_ul), cv), share(int(cells), 10_000)])
        held.append(found.low <= 1800 * 0.15 <= found.high)
    assert 0.93 <= np.mean(held) <= 0.97
