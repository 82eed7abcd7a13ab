"""Imputed components, non-response and tipping points: what is filled, what stays, and that bias goes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.clinical.derive import derive
from cytoreg.clinical.scores import das28_crp
from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse, read_plan
from cytoreg.stats.missing.chained import impute
from cytoreg.stats.missing.components import imputed_tables
from cytoreg.stats.missing.nonresponse import as_nonresponse
from tests.stats import cohort

VISITS = (("baseline", 0.0), ("month1", 30.0), ("month3", 90.0))


def trial(n: int = 60, seed: int = 1, whole: bool = False) -> pd.DataFrame:
    """Components of DAS28 at three visits; who gained little by month 1 tends to be gone at month 3, in one arm only."""
    draw = np.random.default_rng(seed)
    treated = np.arange(n) % 2 == 1
    subject = draw.normal(0, 1, n)
    frames, globals_ = [], []
    for place, (visit, day) in enumerate(VISITS):
        activity = subject - 0.5 * (place > 0) - 0.8 * treated * (place > 0) + draw.normal(0, 0.4, n)
        globals_.append(np.clip(55 + 15 * activity + draw.normal(0, 5, n), 0, 100))
        joints = 1 / (1 + np.exp(-(activity - 0.6)))
        parts = {
            "subject_id": [f"P{i:04d}" for i in range(n)],
            "visit": visit,
            "day": day,
            "arm": np.where(treated, "UC-MSC", "DMARD"),
            "tender28": draw.binomial(28, joints).astype(float),
            "swollen28": draw.binomial(28, joints).astype(float),
            "crp": np.exp(2 + 0.4 * activity + draw.normal(0, 0.5, n)),
            "patient_global": globals_[-1],
        }
        frames.append(pd.DataFrame(parts))
    if not whole:
        leaves = treated & (globals_[1] - globals_[0] + draw.normal(0, 3, n) > -20)
        frames[2] = frames[2][~leaves]
        frames[1].loc[draw.random(n) < 0.1, "crp"] = np.nan
    return derive(pd.concat(frames, ignore_index=True), None, [], {})


def plan(**missing: object) -> dict[str, object]:
    questions = {"falls": {"type": "paired_change", "value": "das28_crp", "to": "month3", "by": "arm"}}
    return {"treatment": {"control": "DMARD"}, "analyses": questions, "missing": missing}


def test_scores_are_made_of_imputed_components_and_nothing_measured_changes() -> None:
    table = trial()
    read = read_plan(plan(multiple_imputation=3))
    found = imputed_tables(table, read.plan, ["das28_crp"])
    assert len(found.tables) == 3
    measured = found.before["das28_crp"].notna()
    assert 0 < (~measured).sum() < len(found.before)
    assert len(found.before) == 60 * 3  # a row for each missed visit
    for one in found.tables:
        parts = {name: one[name] for name in ("tender28", "swollen28", "crp", "patient_global")}
        assert one["das28_crp"].to_numpy() == pytest.approx(np.asarray(das28_crp(**parts)))
        assert (one.loc[measured, "das28_crp"] == found.before.loc[measured, "das28_crp"]).all()
        assert one["tender28"].between(0, 28).all() and (one["tender28"] % 1 == 0).all()
        assert one["arm"].notna().all()
    assert found.filled("das28_crp").tolist() == (~measured).tolist()
    counts = found.counts.set_index(["column", "visit"])["imputed"]
    assert counts["patient_global", "month3"] == 60 * 3 - len(table)
    assert counts["crp", "month1"] == table.loc[table["visit"] == "month1", "crp"].isna().sum()


def test_the_same_plan_imputes_the_same_in_any_order_of_rows_and_another_seed_does_not() -> None:
    table, read = trial(), read_plan(plan(multiple_imputation=2))
    once = imputed_tables(table, read.plan, ["das28_crp"]).tables[1]
    again = imputed_tables(table.sample(frac=1, random_state=3), read.plan, ["das28_crp"]).tables[1]
    assert once["das28_crp"].tolist() == again["das28_crp"].tolist()
    other = read_plan(plan(multiple_imputation=2) | {"seed": 5})
    assert (
        imputed_tables(table, other.plan, ["das28_crp"]).tables[1]["das28_crp"].tolist()
        != once["das28_crp"].tolist()
    )


@pytest.mark.parametrize("method", ["predictive_mean_matching", "normal"])
def test_what_is_missing_at_random_is_given_back_where_complete_cases_are_biased(method: str) -> None:
    table, whole = trial(1500, seed=4), trial(1500, seed=4, whole=True)
    said = analyse({"linked": table}, plan(multiple_imputation={"m": 5, "method": method})).results
    truth = analyse({"linked": whole}, plan()).results.query("primary").iloc[0]["estimate"]
    pooled = said.query("primary").iloc[0]
    there = said[said["term"].str.contains("values that are there")].iloc[0]
    assert abs(there["estimate"] - truth) > 4 * there["se"]
    assert abs(pooled["estimate"] - truth) < 3 * pooled["se"]
    assert "missing information" in pooled["note"]
    assert there["note"].startswith("sensitivity: not adjusted")


def test_draws_of_the_normal_method_have_the_regressions_mean_and_spread() -> None:
    """One column from another: y = 2 x + e, sd 0.5, a third missing; by the theory of least squares."""
    draw = np.random.default_rng(2)
    x = draw.normal(0, 1, 3000)
    y = 2 * x + draw.normal(0, 0.5, 3000)
    gone = np.arange(3000) % 3 == 0
    values = np.column_stack([x, np.where(gone, np.nan, y)])
    tables = impute(values, np.empty((3000, 0)), [[1], [0]], ["normal", "normal"], m=4, iterations=2, seed=1)
    assert (tables[:, ~gone, 1] == y[~gone]).all()
    rest = tables[:, gone, 1] - 2 * x[gone]
    assert rest.mean() == pytest.approx(0, abs=0.03)
    assert rest.std() == pytest.approx(0.5, rel=0.03)
    assert not (tables[0] == tables[1]).all()


def test_a_missing_response_counts_as_none_also_at_a_missed_visit() -> None:
    table = trial(20)
    table["good"] = pd.array([True if i % 2 else None for i in range(len(table))], dtype="boolean")
    read = read_plan(plan(nonresponder_imputation=["good"]))
    done, counts = as_nonresponse(table, read, ["good"])
    after = done["visit"] != "baseline"
    assert done.loc[after, "good"].isin([0.0, 1.0]).all()
    assert done.loc[after, "good"].sum() == table.loc[table["visit"] != "baseline", "good"].sum()
    assert done.loc[~after, "good"].isna().sum() == table.loc[table["visit"] == "baseline", "good"].isna().sum()
    missed = 20 * 3 - len(table)
    gaps = table.loc[table["visit"] != "baseline", "good"].isna().sum()
    assert missed > 0
    assert counts == {"good": missed + gaps}
    table["good"] = table["das28_crp"]
    with pytest.raises(AnalysisError, match="expected a column of yes and no"):
        as_nonresponse(table, read, ["good"])


def test_the_tipping_point_is_where_the_answer_is_lost() -> None:
    point = {"analysis": "falls", "deltas": [0.5, 1, 20], "arm": "UC-MSC"}
    rows = analyse({"linked": trial()}, plan(multiple_imputation=5, tipping_point=[point])).results
    pooled = rows.query("primary").iloc[0]
    shifted = rows[rows["term"].str.contains("shifted by")]
    filled = 60 * 3 - len(trial())
    assert shifted["estimate"].to_numpy() - pooled["estimate"] == pytest.approx(
        np.array([0.5, 1, 20]) * filled / 30, rel=1e-6
    )  # 30 treated subjects, every missed visit is one of theirs at month 3
    tip = rows[rows["term"] == "tipping point (shift)"].iloc[0]
    assert tip["estimate"] == 20
    assert shifted["p_value"].iloc[0] < 0.05
    assert shifted["estimate"].iloc[-1] > 0 > pooled["estimate"]  # far beyond, in the other direction: lost too
    assert not rows[rows["note"].str.startswith("sensitivity")]["p_adjusted"].notna().any()


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({"tipping_point": [{"analysis": "falls", "deltas": [1]}]}, "declare multiple_imputation beside it"),
        ({"multiple_imputation": {"m": 2, "analyses": ["fals"]}}, "unknown analysis 'fals'; did you mean 'falls'"),
        ({"multiple_imputation": {"m": 2, "visits": ["month9"]}}, "no visit 'month9'"),
        ({"multiple_imputation": 1}, "multiple_imputation"),
    ],
)
def test_a_slip_in_the_strategy_is_named(missing: dict[str, object], expected: str) -> None:
    with pytest.raises(AnalysisError, match=expected):
        analyse({"linked": trial()}, plan(**missing))


def test_a_type_that_cannot_be_imputed_is_refused_by_name() -> None:
    given = plan(multiple_imputation={"m": 2, "analyses": ["dose"]})
    given["analyses"] = {"dose": {"type": "trend", "value": "das28_crp", "on": "day"}}
    with pytest.raises(AnalysisError, match="'dose' is a trend"):
        analyse({"linked": trial()}, given)


def test_a_percentage_with_counts_is_imputed_as_a_percentage() -> None:
    table = cohort.linked(subjects=40)
    gone = (table["visit"] == "month1") & (np.arange(len(table)) % 4 == 0)
    table.loc[gone, [cohort.TREGS, f"{cohort.TREGS} count", f"{cohort.TREGS} of"]] = np.nan
    given = plan(multiple_imputation=2)
    given["analyses"] = {"r": {"type": "paired_change", "value": cohort.TREGS, "to": "month1", "scale": "logit"}}
    analysis = analyse({"linked": table}, given)
    assert analysis.results.query("primary")["n_subjects"].iloc[0] == 40
    assert analysis.imputed is not None
    assert analysis.imputed.set_index(["column", "visit"]).loc[(cohort.TREGS, "month1"), "imputed"] == gone.sum()
