"""Bland-Altman, Lin's concordance and intraclass correlations against published examples and R."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats.agreement import intraclass_correlations, limits_of_agreement, lin_concordance
from cytoreg.stats.agreement.compare import compare_methods

# Bland & Altman, Lancet 1986;i:307, table 1: peak flow (l/min), first readings by Wright and mini Wright meter.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Bland & Altman, J Biopharm Stat 2007;17:571, table 1: cardiac output of 12 subjects (l/min), RV and IC.
CARDIAC = {
    1: [(7.83, 6.57), (7.42, 5.62), (7.89, 6.90), (7.12, 6.57), (7.88, 6.35)],
    2: [(6.16, 4.06), (7.26, 4.29), (6.71, 4.26), (6.54, 4.09)],
    3: [(4.75, 4.71), (5.24, 5.50), (4.86, 5.08), (4.78, 5.02), (6.05, 6.01), (5.42, 5.67)],
    4: [(4.21, 4.14), (3.61, 4.20), (3.72, 4.61), (3.87, 4.68), (3.92, 5.04)],
    5: [(3.13, 3.03), (2.98, 2.86), (2.85, 2.77), (3.17, 2.46), (3.09, 2.32), (3.12, 2.43)],
    6: [(5.92, 5.90), (6.42, 5.81), (5.92, 5.70), (6.27, 5.76)],
    7: [(7.13, 5.09), (6.62, 4.63), (6.58, 4.61), (6.93, 5.09)],
    8: [(4.54, 4.72), (4.81, 4.61), (5.11, 4.36), (5.29, 4.20), (5.39, 4.36), (5.57, 4.20)],
    9: [(4.48, 3.17), (4.92, 3.12), (3.97, 2.96)],
    10: [(4.22, 4.35), (4.65, 4.62), (4.74, 3.16), (4.44, 3.53), (4.50, 3.53)],
    11: [(6.78, 7.20), (6.07, 6.09), (6.52, 7.00), (6.42, 7.10), (6.41, 7.40), (5.76, 6.80)],
    12: [(5.06, 4.50), (4.72, 4.20), (4.90, 3.80), (4.80, 3.80), (4.90, 4.20), (5.10, 4.50)],
}
RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def cardiac(*subjects: int) -> tuple[list[float], list[float], list[int]]:
    rows = [(x, y, s) for s in subjects or CARDIAC for x, y in CARDIAC[s]]
    first, second, subject = zip(*rows, strict=True)
    return list(first), list(second), list(subject)


def test_the_published_peak_flow_example() -> None:
    """1986: mean difference -2.1, SD 38.8, limits -79.7 and 75.5 (with 2 SD); 95 % intervals -22.0 to 17.8 of the
    bias, -114.3 to -45.1 and 40.9 to 110.1 of the limits, whose standard error the paper rounds to sqrt(3 / n) SD.
    """
    found = limits_of_agreement(WRIGHT, MINI)
    assert (round(found.bias, 1), round(found.sd, 1)) == (-2.1, 38.8)
    assert (found.bias - 2 * found.sd, found.bias + 2 * found.sd) == pytest.approx((-79.7, 75.5), abs=0.1)
    assert found.bias_ci == pytest.approx((-22.0, 17.8), abs=0.1)
    assert (found.lower_ci[1] - found.lower_ci[0]) / 2 == pytest.approx((114.3 - 45.1) / 2, abs=0.3)
    assert (found.upper_ci[1] - found.upper_ci[0]) / 2 == pytest.approx((110.1 - 40.9) / 2, abs=0.3)
    assert found.upper == pytest.approx(found.bias + 1.96 * found.sd, abs=0.01)


def test_the_published_example_of_repeated_pairs() -> None:
    """2007: bias 0.6021667, within MS 0.170714026, total variance 0.98133606, limits -1.3394565 and 2.5437899."""
    found = limits_of_agreement(*cardiac())
    assert found.bias == pytest.approx(0.6021667, abs=1e-7)
    assert found.sd_within**2 == pytest.approx(0.170714026, rel=1e-6)  # theirs is in single precision
    assert found.sd**2 == pytest.approx(0.98133606, rel=1e-6)
    assert found.lower == pytest.approx(-1.3394565, abs=5e-5)  # the paper has 1.96 for 1.959964
    assert found.upper == pytest.approx(2.5437899, abs=5e-5)
    assert (found.n, found.n_subjects) == (60, 12)


def test_intervals_of_limits_with_repeats_as_published() -> None:
    """Zou 2013, the first four subjects: limits -2.14 (-9.83 to -0.33) and 3.59 (1.77 to 11.27)."""
    found = limits_of_agreement(*cardiac(1, 2, 3, 4))
    assert found.lower - found.lower_ci[0] == pytest.approx(9.83 - 2.14, abs=0.02)
    assert found.lower_ci[1] - found.lower == pytest.approx(2.14 - 0.33, abs=0.02)
    assert found.upper - found.upper_ci[0] == pytest.approx(3.59 - 1.77, abs=0.02)
    assert found.upper_ci[1] - found.upper == pytest.approx(11.27 - 3.59, abs=0.02)


def test_ratios_are_the_exponentials_of_differences_of_logarithms() -> None:
    ratio = limits_of_agreement(WRIGHT, MINI, ratio=True)
    plain = limits_of_agreement(np.log(WRIGHT), np.log(MINI))
    assert (ratio.bias, ratio.lower, ratio.upper) == pytest.approx(np.exp([plain.bias, plain.lower, plain.upper]))
    assert ratio.lower_ci == pytest.approx(np.exp(plain.lower_ci))


def test_a_difference_that_grows_with_the_mean_is_seen() -> None:
    """A method that reads 20 % more: d = 0.2 x, mean = 1.1 x, so the slope is 0.2 / 1.1."""
    x = np.arange(1.0, 11.0)
    found = limits_of_agreement(1.2 * x, x)
    assert found.slope == pytest.approx(0.2 / 1.1)
    assert found.slope_p < 1e-6


@pytest.mark.parametrize(
    ("x", "y", "expected", "scale"),
    [
        (
            [row[0] for row in RATINGS],
            [row[3] for row in RATINGS],
            (0.60526316, -0.05394217, 0.89703287),
            0.80682683,
        ),
        (WRIGHT, MINI, (0.94274243, 0.85049187, 0.97872628), None),
    ],
)
def test_concordance_as_epir(
    x: list[float], y: list[float], expected: tuple[float, float, float], scale: float | None
) -> None:
    """R 4.2.2, epiR: epi.ccc(x, y, ci = "z-transform")$rho.c and $C.b; Lin 1989 with the correction of 2000."""
    found = lin_concordance(x, y)
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=1e-7)
    if scale is not None:
        assert found.accuracy == pytest.approx(scale, abs=1e-7)
    assert found.precision == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_concordance_of_repeated_pairs_leaves_out_subjects() -> None:
    """The jackknife by hand on Fisher's z, with numpy's own moments."""
    x, y, subject = (np.array(part) for part in cardiac())
    found = lin_concordance(x, y, subject)

    def z(keep: np.ndarray) -> float:
        a, b = x[keep], y[keep]
        (va, cov), (_, vb) = np.cov(a, b, ddof=0)
        return float(np.arctanh(2 * cov / (va + vb + (a.mean() - b.mean()) ** 2)))

    whole = z(subject > 0)
    left = np.array([z(subject != s) for s in CARDIAC])
    se = np.sqrt(11 / 12 * ((left - left.mean()) ** 2).sum())  # Efron & Tibshirani 1993, equation 11.5
    half = 2.200985 * se  # t of 11 degrees of freedom
    assert (found.low, found.high) == pytest.approx(np.tanh([whole - half, whole + half]), rel=1e-5)
    assert "12 subjects" in found.note


def test_the_six_intraclass_correlations_as_published() -> None:
    """Shrout & Fleiss 1979, table 4; intervals by R's psych 2.2.9: ICC(x, lmer = FALSE)."""
    expected = {
        "ICC(1,1)": (0.17, -0.1329323, 0.722560),
        "ICC(2,1)": (0.29, 0.0187865, 0.761084),
        "ICC(3,1)": (0.71, 0.3424648, 0.945858),
        "ICC(1,k)": (0.44, -0.8844422, 0.912415),
        "ICC(2,k)": (0.62, 0.0711368, 0.927232),
        "ICC(3,k)": (0.91, 0.6756747, 0.985892),
    }
    found = {icc.form: icc for icc in intraclass_correlations(RATINGS)}
    for form, (value, low, high) in expected.items():
        icc = found[form]
        assert round(icc.value, 2) == value
        assert (icc.low, icc.high) == pytest.approx((low, high), abs=2e-6)
    assert (found["ICC(1,1)"].f, found["ICC(3,1)"].f) == pytest.approx((1.79468, 11.02725), abs=1e-5)
    assert (found["ICC(1,1)"].p_value, found["ICC(2,1)"].p_value) == pytest.approx(
        (0.164768808, 0.000134567), rel=1e-5
    )


@pytest.mark.parametrize("ratings", [[[1, 2, 3]], [[1], [2]], [[1, 2], [3, np.nan]], [[2, 2], [2, 2]]])
def test_ratings_that_cannot_be_are_one_line(ratings: list[list[float]]) -> None:
    with pytest.raises(AnalysisError) as problem:
        intraclass_correlations(ratings)
    assert str(problem.value).startswith("ICC: ")
    assert "\n" not in str(problem.value)


def two_methods() -> pd.DataFrame:
    x, y, subject = cardiac()
    things = [f"{s}/{i}" for i, s in enumerate(subject)]
    parts = [
        pd.DataFrame({"subject": [str(s) for s in subject], "file": things, "method": name, "value": values})
        for name, values in (("RV", x), ("IC", y))
    ]
    return pd.concat(parts).sample(frac=1, random_state=3).reset_index(drop=True)


def test_pairs_are_found_by_the_columns_the_methods_share_in_any_order_of_rows() -> None:
    table = two_methods()
    found = compare_methods(table, factors=["method", "subject"], scale="linear")
    (pair,) = found.pairs
    sign = 1 if (pair.first, pair.second) == ("RV", "IC") else -1
    assert sign * pair.limits.bias == pytest.approx(0.6021667, abs=1e-7)
    assert found.n_rated == 60
    assert set(found.tables()["agreement_pairs"]["as"]) == {"difference", "ratio"}


@pytest.mark.parametrize(
    ("change", "factors", "expected"),
    [
        (lambda t: t.drop(columns="subject"), ["subject"], "there is no column 'subject'"),
        (lambda t: t[t.method == "RV"].drop(columns="subject"), None, "factor 'method' has one level only ('RV')"),
        (
            lambda t: t.drop(columns=["method", "subject"]),
            None,
            "found no column 'method', expected at least two methods",
        ),
        (lambda t: pd.concat([t, t[:1]]), ["method"], "has two values for"),
        (lambda t: t.assign(subject=""), ["subject"], "a value has no subject"),
        (lambda t: t.assign(value=t["value"] - 4), None, "has no place on the logit scale; use --scale linear"),
    ],
)
def test_tables_that_cannot_be_compared_are_one_line(
    change: object, factors: list[str] | None, expected: str
) -> None:
    with pytest.raises(AnalysisError) as problem:
        compare_methods(change(two_methods()), factors=factors)  # type: ignore[operator]
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_few_or_constant_pairs_are_refused() -> None:
    with pytest.raises(AnalysisError, match="found 2 pairs"):
        limits_of_agreement([1, 2], [1, 2])
    with pytest.raises(AnalysisError, match="of one subject"):
        limits_of_agreement([1, 2, 3], [1, 2, 4], ["a", "a", "a"])
    with pytest.raises(AnalysisError, match="values above zero"):
        limits_of_agreement([1, 2, 0], [1, 2, 4], ratio=True)
    with pytest.raises(AnalysisError, match="the same value every time"):
        lin_concordance([1, 2, 3], [2, 2, 2])
