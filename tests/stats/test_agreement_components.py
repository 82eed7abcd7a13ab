"""Variance components against R's lme4, a likelihood written out in full, and closed forms of balanced tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from cytoreg.errors import AnalysisError
from cytoreg.stats.agreement import variance_components
from cytoreg.stats.agreement.components import terms_of
from cytoreg.stats.agreement.reml import evaluate, model_of

# Davies & Goldsmith, Statistical Methods in Research and Production (1972): yield of 6 batches, 5 samples each.
DYESTUFF = [
    *(1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560),
    *(1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445),
]
BATCH = [name for name in "ABCDEF" for _ in range(5)]
# Shrout & Fleiss 1979, table 2: six subjects rated by four judges.
RATINGS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
SUBJECT = [str(i) for i in range(6) for _ in range(4)]
JUDGE = [str(j) for _ in range(6) for j in range(4)]


def test_one_factor_as_lme4() -> None:
    """R 4.2.2, lme4 1.1-31: lmer(Yield ~ 1 + (1|Batch), Dyestuff); REMLcrit, VarCorr, summary."""
    found = variance_components(DYESTUFF, {"batch": BATCH}, intervals=False)
    assert found.criterion == pytest.approx(319.6542768, abs=1e-6)
    assert [row.sd for row in found.components] == pytest.approx([42.000595, 49.510100], rel=1e-6)
    assert (found.mean, found.mean_se) == pytest.approx((1527.5, 19.3834122), rel=1e-6)


def test_profile_interval_as_lme4() -> None:
    """R: confint(profile(lmer(Yield ~ 1 + (1|Batch), Dyestuff, REML=FALSE))); lme4 profiles the likelihood itself."""
    found = variance_components(DYESTUFF, {"batch": BATCH}, reml=False)
    assert found.criterion == pytest.approx(327.3270599, abs=1e-6)
    batch, residual = found.components
    assert (batch.sd_low, batch.sd_high) == pytest.approx((12.198535, 84.063047), rel=5e-4)
    assert (residual.sd_low, residual.sd_high) == pytest.approx((38.229985, 67.657696), rel=1e-4)


def test_crossed_factors_as_lme4() -> None:
    """R: lmer(y ~ 1 + (1|s) + (1|r)) of the ratings (bobyqa, rhoend 1e-10), and confint with REML = FALSE."""
    factors = {"subject": SUBJECT, "judge": JUDGE}
    found = variance_components(RATINGS.ravel(), factors, intervals=False)
    assert found.criterion == pytest.approx(91.27866712, abs=1e-6)
    assert [row.sd for row in found.components] == pytest.approx([1.5986105, 2.2900753, 1.0096754], rel=1e-5)
    assert found.of("subject").p_value == pytest.approx(0.000148256, rel=1e-4)
    ml = variance_components(RATINGS.ravel(), factors, reml=False)
    profiled = {
        "subject": (0.8367286, 3.319020),
        "judge": (1.1007075, 5.126734),
        "residual": (0.7337003, 1.518837),
    }
    for name, (low, high) in profiled.items():
        row = ml.of(name)
        assert (row.sd_low, row.sd_high) == pytest.approx((low, high), rel=2e-3)


def test_balanced_crossed_table_is_its_mean_squares() -> None:
    """Searle, Casella & McCulloch, Variance Components (1992), section 4.7: REML is ANOVA where no estimate is below 0."""
    n, k = RATINGS.shape
    rows, columns, grand = RATINGS.mean(axis=1), RATINGS.mean(axis=0), RATINGS.mean()
    ms_rows = k * ((rows - grand) ** 2).sum() / (n - 1)
    ms_columns = n * ((columns - grand) ** 2).sum() / (k - 1)
    ms_error = ((RATINGS - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    found = variance_components(RATINGS.ravel(), {"subject": SUBJECT, "judge": JUDGE}, intervals=False)
    expected = [(ms_rows - ms_error) / k, (ms_columns - ms_error) / n, ms_error]
    assert [row.variance for row in found.components] == pytest.approx(expected, rel=1e-5)


def full_deviance(values: Any, factors: list[list[str]], variances: list[float]) -> float:
    """-2 log restricted likelihood with the n x n covariance written out (Patterson & Thompson 1971)."""
    y, ones = np.asarray(values, float), np.ones((len(values), 1))
    v = variances[-1] * np.eye(len(y))
    for levels, variance in zip(factors, variances, strict=False):
        v += variance * (np.array(levels)[:, None] == np.array(levels)[None, :])
    inverse = np.linalg.inv(v)
    information = ones.T @ inverse @ ones
    rest = y - (ones.T @ inverse @ y / information).item()
    determinants = np.linalg.slogdet(v)[1] + np.log(information.item())
    return float((len(y) - 1) * np.log(2 * np.pi) + determinants + rest @ inverse @ rest)


def test_likelihood_and_slope_are_those_of_the_full_covariance() -> None:
    y = RATINGS.ravel()
    codes = [np.unique(levels, return_inverse=True)[1] for levels in (SUBJECT, JUDGE)]
    model = model_of(y, np.ones((24, 1)), codes)
    for ratios, residual in (([0.7, 2.0], 1.3), ([0.0, 0.4], 3.0), ([5.0, 0.01], 0.2)):
        found, slope, in_residual = evaluate(model, np.array(ratios), residual)

        def at(a: float, b: float, s: float) -> float:
            return full_deviance(y, [SUBJECT, JUDGE], [a * s, b * s, s])

        assert found.deviance == pytest.approx(at(*ratios, residual), abs=1e-8)
        h = 1e-5
        a, b = ratios
        assert slope[0] == pytest.approx((at(a + 2 * h, b, residual) - at(a, b, residual)) / (2 * h), rel=1e-3)
        assert slope[1] == pytest.approx((at(a, b + h, residual) - at(a, b - h, residual)) / (2 * h), rel=1e-4)
        wanted = (at(a, b, residual + h) - at(a, b, residual - h)) / (2 * h)
        assert in_residual == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["subject", "judge", "residual"])
def test_at_the_ends_of_a_share_the_full_likelihood_has_fallen_by_half_of_3_84(which: int) -> None:
    y = RATINGS.ravel()
    found = variance_components(y, {"subject": SUBJECT, "judge": JUDGE})
    row = found.components[which]
    for end in (row.share_low, row.share_high):
        # the best of all variances of which this share is the wanted one, by a search without slopes
        def deviance(free: Any, share: float = end) -> float:
            total, split = np.exp(free[0]), 1 / (1 + np.exp(-free[1]))
            parts = [split * (1 - share), (1 - split) * (1 - share)]
            parts.insert(which, share)
            return full_deviance(y, [SUBJECT, JUDGE], [max(total * part, 1e-12) for part in parts])

        best = min(
            minimize(deviance, [np.log(8.0), s], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).fun
            for s in (-3.0, 0.0, 3.0)
        )
        assert best - found.criterion == pytest.approx(3.841459, abs=2e-3)


def test_a_component_that_is_not_there_is_zero_with_an_interval_that_holds_zero() -> None:
    values = [1.0, 3.0, 2.0, 2.0, 1.0, 3.0, 3.0, 1.0]  # the pairs have one mean
    found = variance_components(values, {"tube": list("aabbccdd")})
    tube = found.of("tube")
    assert (tube.variance, tube.share, tube.sd_low, tube.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert tube.sd_high > 0
    assert "estimated as zero: tube" in found.notes


def test_terms() -> None:
    assert terms_of(["a*b", "c"]) == ["a", "b", "a:b", "c"]
    assert terms_of(["a : b"]) == ["a:b"]


@pytest.mark.parametrize(
    ("factors", "terms", "expected"),
    [
        ({"batch": ["A"] * 30}, None, "factor 'batch' has one level only ('A')"),
        ({"batch": BATCH}, ["bach"], "no factor 'bach'; did you mean 'batch'?"),
        ({"tube": [str(i) for i in range(30)]}, None, "factor 'tube' has 30 levels for 30 values"),
        ({"batch": BATCH, "day": [x.lower() for x in BATCH]}, None, "'day' and 'batch' have the same levels"),
        ({}, None, "no factor is named"),
    ],
)
def test_bad_factors_are_one_line(factors: dict[str, list[str]], terms: list[str] | None, expected: str) -> None:
    with pytest.raises(AnalysisError) as problem:
        variance_components(DYESTUFF, factors, terms)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_values_that_do_not_vary_are_refused() -> None:
    with pytest.raises(AnalysisError, match="do not vary"):
        variance_components([2.0] * 30, {"batch": BATCH})
