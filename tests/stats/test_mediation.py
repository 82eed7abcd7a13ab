"""Mediation against R's lm on a real trial, statsmodels' own, and its level where there is no effect."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.mediation import Mediation

from cytoreg.stats import analyse
from cytoreg.stats.mediation import coefficient


def cohort(a: float, b: float, seed: int = 1, subjects: int = 80) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(subjects):
        arm, treg, activity = i % 2, draw.normal(5), draw.normal(5)
        later = 0.5 * treg + a * arm + draw.normal()
        end = 0.5 * activity + b * later - 0.4 * arm + draw.normal()
        values = (("baseline", treg, activity), ("month1", later, np.nan), ("month3", np.nan, end))
        rows += [
            (f"P{i}", visit, 30.0 * t, "MSC" if arm else "DMARD", x, y) for t, (visit, x, y) in enumerate(values)
        ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "treg", "activity"])


def plan(**keys: object) -> dict[str, object]:
    question = {"type": "mediation", "mediator": "treg", "outcome": "activity"}
    question |= {"mediator_at": "month1", "outcome_at": "month3"}
    return {"treatment": {"control": "DMARD"}, "analyses": {"q": question | keys}}


def test_the_auranofin_trial_as_r_has_it(real: Path) -> None:
    """Self-assessment at month 1 between arm and month 5: lm(y1 ~ t + baseline), lm(y5 ~ t + y1 + baseline), R 4.2.2."""
    table = pd.read_csv(real / "clinical_tables" / "ra_auranofin_trial.csv")
    start = table.drop_duplicates("id").assign(time=0, y=lambda rows: rows["baseline"])
    table = pd.concat([start, table])
    linked = pd.DataFrame(
        {
            "subject_id": table["id"].astype(str),
            "visit": table["time"].map({0: "baseline", 1: "month1", 3: "month3", 5: "month5"}),
            "day": table["time"] * 30.0,
            "arm": table["trt"].map({1: "placebo", 2: "auranofin"}),
            "self": table["y"],
        }
    )
    asked = plan(mediator="self", outcome="self", outcome_at="month5") | {"treatment": {"control": "placebo"}}
    rows = analyse({"linked": linked}, asked).results
    along, direct, whole, first, second = (
        row for _, row in rows.iterrows()
    )  # none by changes: both would hold one start
    assert along["n_subjects"] == 291
    assert along["estimate"] == pytest.approx(0.1007947959, abs=1e-9)
    assert along["p_value"] == pytest.approx(0.04931433, abs=1e-8)  # the larger of the two
    assert (direct["estimate"], direct["se"]) == pytest.approx((0.2741850694, 0.09558013351), abs=1e-9)
    assert (whole["estimate"], whole["se"]) == pytest.approx((0.3749798653, 0.1076522307), abs=1e-9)
    assert (first["estimate"], first["se"]) == pytest.approx((0.18877666997, 0.09562186364), abs=1e-9)
    assert (second["estimate"], second["se"]) == pytest.approx((0.5339367195, 0.05850530764), abs=1e-9)
    assert whole["estimate"] == pytest.approx(direct["estimate"] + along["estimate"])
    assert "nothing unmeasured" in along["note"]


def test_the_effect_and_interval_are_those_of_statsmodels() -> None:
    table = cohort(1.0, -0.6, subjects=200)
    row = analyse({"linked": table}, plan()).results.iloc[0]
    frame = table.pivot_table(index="subject_id", columns="visit", values=["treg", "activity"])
    frame.columns = [f"{name}_{visit}" for name, visit in frame.columns]
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"]
    frame["t"] = (arm.reindex(frame.index) == "MSC").astype(float)
    starts = ["treg_baseline", "activity_baseline", "one"]
    frame["one"] = 1.0
    outcome = sm.OLS(frame["activity_month3"].to_numpy(), frame[["t", "treg_month1", *starts]].to_numpy())
    mediator = Sure(frame["treg_month1"].to_numpy(), frame[["t", *starts]].to_numpy())
    spread = row["ci_high"] - row["ci_low"]
    a, b = mediator.fit(), outcome.fit()
    exact = [product_quantile(q, a.params[0], a.bse[0], b.params[1], b.bse[1], b.df_resid) for q in (0.025, 0.975)]
    assert row["estimate"] == pytest.approx(a.params[0] * b.params[1])
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(exact, abs=0.02 * spread)
    # statsmodels takes its draws from `rng`, and before 0.15 from the legacy generator
    seeded = {"rng": 1} if "rng" in inspect.signature(Mediation.fit).parameters else {}
    np.random.seed(1)  # noqa: NPY002
    found = Mediation(outcome, mediator, [0, 0], 1).fit(n_rep=500, **seeded).summary().loc["ACME (average)"]
    assert row["estimate"] == pytest.approx(found["Estimate"], abs=0.05 * spread)
    # 5 standard errors of a 2.5 % quantile of 500 normal draws, which is 0.03 of the interval
    assert row["ci_low"] == pytest.approx(found["Lower CI bound"], abs=0.15 * spread)
    assert row["ci_high"] == pytest.approx(found["Upper CI bound"], abs=0.15 * spread)


class Sure(sm.OLS):
    """statsmodels draws a new mediator for each patient and arm, whose noise widens its interval: 1.2 times here.

    That is the effect in these patients had they been drawn again, not the product of two coefficients.
    """

    def get_distribution(self, params: np.ndarray, scale: float, exog: np.ndarray | None = None) -> object:
        return super().get_distribution(params, 1e-12, exog=exog)


def product_quantile(q: float, a: float, a_se: float, b: float, b_se: float, df: float) -> float:
    """Of (a + a_se S) (b + b_se T), S and T being Student's t of df + 1 and df, by integration instead of draws."""

    s = np.linspace(-8, 8, 4001)
    first = a + a_se * s
    weight = stats.t.pdf(s, df + 1) * (s[1] - s[0])

    def below(value: float) -> float:
        share = stats.t.cdf((value / first - b) / b_se, df)
        return float(weight @ np.where(first > 0, share, 1 - share)) - q

    return float(brentq(below, a * b - 8 * abs(a * b), a * b + 8 * abs(a * b)))


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.8, 0.0), (0.0, 0.8)])
def test_noise_is_called_mediation_no_oftener_than_said(a: float, b: float) -> None:
    """400 trials of 60 without an effect along the mediator: at most 5.7 % and 3 standard errors."""
    draw = np.random.default_rng(4)
    hits = 0
    for _ in range(400):
        arm = np.arange(60) % 2.0
        middle = a * arm + draw.normal(size=60)
        end = b * middle + 0.5 * arm + draw.normal(size=60)
        ones = np.ones(60)
        first = coefficient(middle, np.column_stack([arm, ones]), 0)
        second = coefficient(end, np.column_stack([middle, arm, ones]), 0)
        hits += max(first.p, second.p) < 0.05
    assert hits / 400 < 0.057 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_what_is_planted_is_found_and_said_with_care() -> None:
    found = analyse({"linked": cohort(1.2, -0.7)}, plan())
    row = found.results.iloc[0]
    assert row["primary"] and row["ci_low"] < -0.84 < row["ci_high"] < 0
    assert "only if nothing unmeasured moves both" in found.sentences["q"]
    again = analyse({"linked": cohort(1.2, -0.7)}, plan()).results.iloc[0]
    assert again["ci_low"] == row["ci_low"]


def test_one_arm_gives_a_reason_and_the_order_of_visits_is_judged() -> None:
    table = cohort(1.0, 1.0)
    row = analyse({"linked": table[table["arm"] == "MSC"]}, plan() | {"treatment": {}}).results.iloc[0]
    assert np.isnan(row["p_value"])
    assert "1 groups of arm with all values: two are needed" in row["note"]
    whole = cohort(1.0, 1.0).sort_values(["subject_id", "day"]).groupby("subject_id").ffill()
    whole["subject_id"] = cohort(1.0, 1.0).sort_values(["subject_id", "day"])["subject_id"]
    same = analyse({"linked": whole}, plan(mediator_at="month3")).results.iloc[0]
    assert "which came first cannot be told" in same["note"]


def levels(lasting: float, seed: int = 5, subjects: int = 1500) -> pd.DataFrame:
    """Treatment moves Tregs and nothing else does; lasting levels of Tregs and activity correlate."""
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(subjects):
        arm, level = i % 2, draw.multivariate_normal([5, 5], [[1, lasting], [lasting, 1]])
        start, later = level + draw.normal(size=2), level + draw.normal(size=2) + np.array([1.0, 0.0]) * arm
        values = (("baseline", *start), ("month1", later[0], np.nan), ("month3", np.nan, later[1]))
        rows += [
            (f"P{i}", visit, 30.0 * t, "MSC" if arm else "DMARD", x, y) for t, (visit, x, y) in enumerate(values)
        ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "treg", "activity"])


def test_levels_that_go_together_pass_for_mediation_and_the_changes_show_it() -> None:
    table = levels(0.8)
    found = analyse({"linked": table}, plan())
    rows = found.results.set_index("term")
    answer, changes = rows.iloc[0], rows.loc["effect along the change of treg, starts not held fixed"]
    assert answer["p_value"] < 0.01 and changes["p_value"] > 0.05
    assert "the answer hangs on the starts" in answer["note"]
    assert "With the starts not held fixed it was not found" in found.sentences["q"]
    assert changes["note"].startswith("sensitivity") and not changes["primary"]
    wide = table.pivot_table(index="subject_id", columns="visit", values=["treg", "activity"])
    moved, gained = (
        wide["treg"]["month1"] - wide["treg"]["baseline"],
        wide["activity"]["month3"] - wide["activity"]["baseline"],
    )
    arm = (table.drop_duplicates("subject_id").set_index("subject_id")["arm"].loc[wide.index] == "MSC").to_numpy(
        float
    )
    first = sm.OLS(moved, sm.add_constant(arm)).fit()
    second = sm.OLS(gained, sm.add_constant(np.column_stack([arm, moved]))).fit()
    assert changes["estimate"] == pytest.approx(first.params.iloc[1] * second.params.iloc[2])
    assert changes["p_value"] == pytest.approx(max(first.pvalues.iloc[1], second.pvalues.iloc[2]))


def test_what_is_carried_is_found_by_changes_too_and_not_warned_of() -> None:
    found = analyse({"linked": cohort(1.2, -0.7, subjects=200)}, plan())
    assert found.results["p_value"].iloc[[0, -1]].max() < 0.05
    assert "hangs on the starts" not in found.results["note"].iloc[0]
    assert "starts" not in found.sentences["q"]
