"""What is taken for the error of a measurement, and correlations freed of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from cytoreg.stats import analyse
from cytoreg.stats.measurement import corrected_correlation, reliability
from cytoreg.stats.partial import partial_correlation
from tests.stats import cohort

CHANGES = np.array([[-1, 1, 0, 0], [0, 0, -1, 1]])
STARTS = np.array([[1, 0, 0, 0], [0, 0, 1, 0]])


def made(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True x and y at both visits, the same with error of variance 0.5 and 0.3, and these variances."""
    draw = np.random.default_rng(seed)
    start = draw.normal(size=(n, 2))
    end = 0.5 * start + draw.multivariate_normal([0, 0], [[1, -0.5], [-0.5, 1]], n)
    true = np.column_stack([start[:, 0], end[:, 0], start[:, 1], end[:, 1]])
    errors = np.tile([0.5, 0.5, 0.3, 0.3], (n, 1))
    return true, true + draw.normal(size=(n, 4)) * np.sqrt(errors), errors


def test_without_error_it_is_the_partial_correlation() -> None:
    true, _, errors = made(1)
    found = corrected_correlation(true, errors * 0, np.ones((300, 1)), np.vstack([CHANGES, STARTS]))
    x, y = true[:, 1] - true[:, 0], true[:, 3] - true[:, 2]
    expected = partial_correlation(x, y, true[:, [0, 2]])
    assert found.r == pytest.approx(expected.r)
    assert (found.ci_low, found.ci_high) == pytest.approx((expected.ci_low, expected.ci_high), abs=0.03)


def test_without_covariates_it_is_the_classical_correction_for_attenuation() -> None:
    """Spearman 1904: r divided by the square root of the product of the reliabilities."""
    _, seen, errors = made(2)
    found = corrected_correlation(seen, errors, np.ones((300, 1)), CHANGES)
    x, y = seen[:, 1] - seen[:, 0], seen[:, 3] - seen[:, 2]
    shares = 1 - 1.0 / x.var(ddof=1), 1 - 0.6 / y.var(ddof=1)
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1] / math.sqrt(shares[0] * shares[1]))
    assert reliability(x, np.full(300, 1.0), np.empty((300, 0)))[0] == pytest.approx(shares[0])


def test_the_interval_covers_what_was_planted() -> None:
    """200 samples, truth -0.5: within 3 standard errors of 95 %, where the uncorrected interval mostly misses."""
    hits = np.zeros(2)
    for seed in range(200):
        _, seen, errors = made(seed, 170)
        ends = corrected_correlation(seen, errors, np.ones((170, 1)), np.vstack([CHANGES, STARTS]))
        plain = partial_correlation(seen[:, 1] - seen[:, 0], seen[:, 3] - seen[:, 2], seen[:, [0, 2]])
        hits += [item.ci_low <= -0.5 <= item.ci_high for item in (ends, plain)]
    assert hits[0] / 200 > 0.904
    assert hits[1] / 200 < 0.7


def test_error_above_the_variance_gives_a_reason() -> None:
    _, seen, errors = made(3)
    found = corrected_correlation(seen, errors * 20, np.ones((300, 1)), CHANGES)
    assert math.isnan(found.r) and "hardly more than its error" in found.reason


def rows(table: object, **keys: object) -> dict[str, dict[str, object]]:
    question = {"type": "change_correlation", "x": cohort.TREGS, "y": "das28_crp", "to": "month3"} | keys
    records = analyse({"linked": table}, {"analyses": {"q": question}}).results.to_dict("records")  # type: ignore[dict-item]
    return {str(row["term"]): row for row in records}


RELIABILITY = f"reliability of the change of {cohort.TREGS}"


def test_counting_is_the_floor_and_replicates_stand_above_it() -> None:
    """Binomial: 10^4 p (1 - p) / n by hand, of both ends of the change."""
    table = cohort.linked()
    table[f"{cohort.TREGS} of"] = 5000
    x = table.pivot_table(index="subject_id", columns="visit", values=cohort.TREGS)
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"].reindex(x.index)
    change = x["month3"] - x["baseline"]
    rest = change - change.groupby(arm).transform("mean")
    variance = float((rest**2).sum()) / (len(rest) - 2)
    share = x[["baseline", "month3"]] / 100
    counting = float((1e4 * share * (1 - share) / 5000).sum(axis=1).mean())
    found = rows(table)[RELIABILITY]
    assert found["estimate"] == pytest.approx(1 - counting / variance, abs=1e-3)
    assert "counting alone" in str(found["note"])
    below, above = rows(table, x_sd=0.01)[RELIABILITY], rows(table, x_sd=0.4)[RELIABILITY]
    assert below["estimate"] == found["estimate"]
    assert above["estimate"] == pytest.approx(1 - 2 * 0.16 / variance, abs=0.01)


def test_a_control_sample_gives_the_error_and_is_not_correlated() -> None:
    table = cohort.linked()
    control = table[table["subject_id"] == "P000"].assign(subject_id="control", arm=None)
    control[cohort.TREGS] = [4.0, 5.0, 6.0]  # variance 1, 2 df
    both = pd.concat([table, control], ignore_index=True)
    found = rows(both, control_sample=["control"])[RELIABILITY]
    assert found["n_subjects"] == 60
    assert "the control sample (SD 1, 2 df)" in str(found["note"])
