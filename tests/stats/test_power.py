"""Power of declared analyses: R's power.t.test, statsmodels, Fisher's z by hand, and trials that are simulated."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from cytoreg.stats.power import Basis
from tests.stats import cohort
from tests.stats.judged import judged

R = judged("power")


def paired(n: int, sd: float) -> pd.DataFrame:
    """Changes of mean 0 and exactly that SD."""
    change = stats.norm.ppf((np.arange(n) + 0.5) / n)
    change *= sd / change.std(ddof=1)
    rows = [
        (f"P{i}", visit, 5 + c * place)
        for i, c in enumerate(change)
        for place, visit in enumerate(("baseline", "m1"))
    ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "v"])


def plan(effect: float, **keys: object) -> dict:
    asked = {"type": "paired_change", "value": "v", "to": "m1"}
    return {"analyses": {"a": asked, "p": {"type": "power", "analysis": "a", "effect": effect} | keys}}


def test_the_paired_t_test_is_rs() -> None:
    analysis = analyse({"linked": paired(20, 1.5)}, plan(1.0))
    rows = analysis.results[analysis.results["analysis"] == "p"].set_index("term")["estimate"]
    assert rows["power for an effect of 1"] == pytest.approx(R["paired.power"], rel=1e-6)
    assert rows["subjects for a power of 80 %"] == math.ceil(R["paired.n80"])
    assert rows["subjects for a power of 90 %"] == math.ceil(R["paired.n90"])
    assert "81 of 100 such studies" in analysis.sentences["p"]


def test_a_declared_number_of_subjects_in_place_of_those_there_are() -> None:
    from statsmodels.stats.power import TTestPower

    rows = analyse({"linked": paired(20, 1.5)}, plan(1.0, subjects=35)).results
    row = rows[(rows["analysis"] == "p") & rows["primary"]].iloc[0]
    assert row["estimate"] == pytest.approx(TTestPower().power(1 / 1.5, 35, 0.05), rel=1e-6)


def test_two_samples_are_rs() -> None:
    test = Basis(subjects=30, se=1.2 * math.sqrt(2 / 15), df=28)
    assert test.power(1.0) == pytest.approx(R["two.power"], rel=1e-6)
    assert test.power(-1.0) == test.power(1.0)
    assert test.power(0.0) == pytest.approx(0.05)


def test_a_correlation_by_fishers_z() -> None:
    """Of r = 0.3 with 85 subjects: 80 % (Cohen 1988, table 3.4.1)."""
    table = cohort.linked(subjects=85)
    asked = {
        "type": "change_correlation",
        "x": cohort.TREGS,
        "y": "das28_crp",
        "to": "month3",
        "method": "pearson",
    }
    given = {"analyses": {"a": asked | {"adjust": []}, "p": {"type": "power", "analysis": "a", "effect": 0.3}}}
    rows = analyse({"linked": table.drop(columns="arm")}, given).results
    row = rows[(rows["analysis"] == "p") & rows["primary"]].iloc[0]
    df = rows[(rows["analysis"] == "a") & rows["primary"]].iloc[0]["df"]
    assert row["estimate"] == pytest.approx(
        stats.norm.sf(1.959964 - math.atanh(0.3) * math.sqrt(df - 1)), abs=1e-6
    )


def test_the_power_is_the_share_of_simulated_trials_that_reject() -> None:
    draw = np.random.default_rng(8)
    test = Basis(subjects=12, se=2.0 / math.sqrt(12), df=11)
    changes = draw.normal(1.4, 2.0, (20_000, 12))
    found = stats.ttest_1samp(changes, 0, axis=1).pvalue < 0.05
    assert test.power(1.4) == pytest.approx(found.mean(), abs=0.011)  # three standard errors


def test_its_interval_covers_the_true_power() -> None:
    """The spread is estimated; 95 of 100 intervals hold the power at the true one."""
    draw = np.random.default_rng(9)
    n, true = 20, Basis(20, 1.5 / math.sqrt(20), 19).power(1.0)
    held = 0
    for _ in range(400):
        test = Basis(n, draw.normal(0, 1.5, n).std(ddof=1) / math.sqrt(n), n - 1)
        low, high = sorted(test.power(1.0, widened=w) for w in test.widest())
        held += low <= true <= high
    assert held / 400 == pytest.approx(0.95, abs=0.033)


def test_an_effect_of_nothing_needs_no_number_of_subjects() -> None:
    rows = analyse({"linked": paired(20, 1.5)}, plan(0.0)).results
    rows = rows[rows["analysis"] == "p"]
    assert rows["estimate"].iloc[0] == pytest.approx(0.05)
    assert rows["estimate"].iloc[1:].isna().all()


def test_what_it_cannot_be_the_power_of() -> None:
    with pytest.raises(AnalysisError, match=r"no analysis 'b' to give the power of"):
        analyse({"linked": paired(20, 1.5)}, plan(1.0, analysis="b"))
    with pytest.raises(AnalysisError, match=r"no analysis 'p' to give the power of"):
        analyse({"linked": paired(20, 1.5)}, plan(1.0, analysis="p"))
    few = analyse({"linked": paired(3, 1.5)}, plan(1.0))
    assert few.sentences["p"].startswith("No answer: a: 3 subjects")
