"""Correlations of changes against other formulas for the same thing, and how often they find nothing in noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from cytoreg.stats.estimate import Estimate
from cytoreg.stats.partial import partial_correlation
from cytoreg.stats.starts import HANGS, said_of_starts, warned_of_starts
from tests.stats import cohort


def data(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    z = draw.normal(size=(n, 2))
    return z @ [1, 0.5] + draw.normal(size=n), z @ [-1, 1] + draw.normal(size=n), z


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_partial_correlation_is_that_of_the_inverse_correlation_matrix(method: str) -> None:
    """Whittaker, Graphical Models (1990), 5.7: -p_xy / sqrt(p_xx p_yy) of the precision matrix P."""
    x, y, z = data(3)
    table = np.column_stack([x, y, z])
    if method == "spearman":
        table = np.apply_along_axis(stats.rankdata, 0, table)
    precision = np.linalg.inv(np.corrcoef(table.T))
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    found = partial_correlation(x, y, z, method=method)
    assert found.r == pytest.approx(expected)
    assert found.df == 40 - 2 - 2
    t = expected * np.sqrt(36 / (1 - expected**2))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 36))


def test_without_covariates_it_is_scipy() -> None:
    x, y, _ = data(4)
    for method, test in (("pearson", stats.pearsonr(x, y)), ("spearman", stats.spearmanr(x, y))):
        found = partial_correlation(x, y, method=method)
        assert (found.r, found.p_value) == pytest.approx((test.statistic, test.pvalue))
    interval = stats.pearsonr(x, y).confidence_interval()
    found = partial_correlation(x, y)
    assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high))


def test_groups_are_held_fixed_as_by_subtracting_their_means() -> None:
    x, y, _ = data(5)
    group = np.arange(40) % 2
    centred = [v - np.where(group, v[group == 1].mean(), v[group == 0].mean()) for v in (x, y)]
    found = partial_correlation(x, y, groups=group[:, None])
    assert found.r == pytest.approx(np.corrcoef(*centred)[0, 1])
    assert found.df == 37


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_too_few_give_nothing(n: int) -> None:
    assert np.isnan(partial_correlation(np.arange(n), np.arange(n)).r)


def test_a_value_that_the_covariates_explain_wholly_gives_nothing() -> None:
    _, y, z = data(6)
    assert np.isnan(partial_correlation(z[:, 0] * 3 + 1, y, z).r)
    assert np.isnan(partial_correlation(np.ones(40), y).r)


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_noise_is_called_an_association_one_time_in_twenty(method: str) -> None:
    """800 null samples of 25: the false-positive rate at 5 % lies within 3 standard errors."""
    draw = np.random.default_rng(11)
    hits = 0
    for _ in range(800):
        z = draw.normal(size=(25, 2))
        x, y = z[:, 0] + draw.normal(size=25), z[:, 0] - z[:, 1] + draw.normal(size=25)
        hits += partial_correlation(x, y, z, method=method).p_value < 0.05
    assert 0.027 < hits / 800 < 0.073


PLAN = {
    "analyses": {
        "q": {
            "type": "change_correlation",
            "x": cohort.TREGS,
            "y": "das28_crp",
            "from": "baseline",
            "to": "month3",
        }
    }
}


def test_the_planted_link_is_found_adjusted_within_arms_and_crudely() -> None:
    rows = analyse({"linked": cohort.linked()}, PLAN).results
    adjusted, one, two, crude, *_ = (row for _, row in rows.iterrows())
    assert rows["primary"].tolist() == [True] + [False] * (len(rows) - 1)
    assert adjusted["estimate"] < -0.2
    assert adjusted["p_value"] < 0.05
    assert adjusted["df"] == 60 - 2 - 3  # arm and two baselines
    assert (one["arm"], two["arm"]) == ("DMARD", "UC-MSC")
    assert one["df"] == 30 - 2 - 2
    assert crude["note"].startswith("descriptive: not adjusted")


def test_the_adjusted_row_is_the_partial_correlation_of_changes_by_hand() -> None:
    table = cohort.linked(seed=9)
    wide = table.pivot_table(index="subject_id", columns="visit", values=[cohort.TREGS, "das28_crp"])
    arm = table.drop_duplicates("subject_id").set_index("subject_id")["arm"].loc[wide.index] == "UC-MSC"
    x, y = (wide[name]["month3"] - wide[name]["baseline"] for name in (cohort.TREGS, "das28_crp"))
    start = wide.xs("baseline", axis=1, level=1)
    expected = partial_correlation(x, y, start, arm.to_numpy(float)[:, None], method="spearman")
    found = analyse({"linked": table}, PLAN).results.iloc[0]
    assert found["estimate"] == pytest.approx(expected.r)
    assert found["p_value"] == pytest.approx(expected.p_value)


def test_without_arms_a_plan_may_ask_for_no_adjustment() -> None:
    question = PLAN["analyses"]["q"] | {"adjust": [], "method": "pearson"}
    table = cohort.linked().drop(columns="arm")
    rows = analyse({"linked": table}, {"analyses": {"q": question}}).results
    wide = table.pivot_table(index="subject_id", columns="visit", values=[cohort.TREGS, "das28_crp"])
    x, y = (wide[name]["month3"] - wide[name]["baseline"] for name in (cohort.TREGS, "das28_crp"))
    assert rows["primary"].tolist() == [True, False, False]
    assert rows["estimate"].iloc[0] == pytest.approx(stats.pearsonr(x, y).statistic)
    assert not rows["term"].str.contains("crude").any()


@pytest.mark.parametrize("adjust", [[], ["baseline"]])
def test_arms_are_held_fixed_whatever_the_plan_says(adjust: list[str]) -> None:
    asked = [PLAN["analyses"]["q"] | {"adjust": given} for given in (adjust, ["arm", *adjust])]
    left, named = (analyse({"linked": cohort.linked()}, {"analyses": {"q": q}}).results.iloc[0] for q in asked)
    assert left["estimate"] == named["estimate"]
    assert "arm held fixed though the plan does not name it" in left["note"]


def test_other_columns_at_the_start_may_be_held_fixed() -> None:
    table = cohort.linked()
    table["age"] = table["subject_id"].str[1:].astype(float)
    table["sex"] = np.where(table["age"] % 3 == 0, "f", "m")
    question = PLAN["analyses"]["q"] | {"adjust": ["baseline", "age", "sex"]}
    found = analyse({"linked": table}, {"analyses": {"q": question}}).results.iloc[0]
    assert found["df"] == 60 - 2 - 5  # two baselines, age, sex, and the arm


def test_points_that_lie_on_one_line_give_a_correlation_and_no_test() -> None:
    """Few points do so easily; an infinite t would be no evidence."""
    found = partial_correlation([1, 2, 3, 4, 5.0], [2, 4, 6, 8, 10.0], method="spearman")
    assert found.r == pytest.approx(1)
    assert math.isnan(found.p_value) and math.isnan(found.ci_low)


def test_kendall_is_that_of_r_on_residuals() -> None:
    """cor.test(round(resid(lm(GPA ~ TUCE)), 9), round(resid(lm(GRADE ~ TUCE)), 9), method = "kendall", exact = FALSE), R 4.2.2.

    Of the data spector; rounded, since R takes noise of 1e-16 for an order. z = 2.0307 is of 32 values; one degree of freedom is lost to TUCE.
    """
    import statsmodels.api as sm

    table = sm.datasets.spector.load_pandas().data
    found = partial_correlation(table["GPA"], table["GRADE"], table["TUCE"], method="kendall")
    assert found.r == pytest.approx(0.255385132, abs=1e-8)
    shrunk = math.sqrt((2 * 32 + 5) / (32 * 31) * (31 * 30) / (2 * 31 + 5))
    assert found.statistic == pytest.approx(2.030709078 * shrunk, abs=1e-7)


def asked(table: object, **keys: object) -> list[dict[str, object]]:
    question = PLAN["analyses"]["q"] | keys
    return analyse({"linked": table}, {"analyses": {"q": question}}).results.to_dict("records")  # type: ignore[dict-item]


def test_a_change_is_set_against_the_mean_and_never_its_own_start() -> None:
    """Oldham 1962: of values that only waver, change and start correlate by -0.7, change and mean not at all."""
    draw = np.random.default_rng(12)
    table = cohort.linked(subjects=200)
    table["das28_crp"] = draw.normal(size=len(table))
    rows = asked(table, x="das28_crp", x_as="start", method="pearson")
    wide = table.pivot_table(index="subject_id", columns="visit", values="das28_crp")
    change, start = wide["month3"] - wide["baseline"], wide["baseline"]
    assert np.corrcoef(change, start)[0, 1] < -0.6
    assert abs(rows[0]["estimate"]) < 0.2  # type: ignore[arg-type, operator]
    assert "mathematical coupling" in str(rows[0]["note"])
    assert not any("crude" in str(row["term"]) for row in rows)
    other = asked(table, x_as="start", adjust=[])[0]
    assert "start of das28_crp held fixed" in str(other["note"])


def test_a_change_is_not_correlated_with_itself() -> None:
    with pytest.raises(AnalysisError, match="its change goes with itself"):
        asked(cohort.linked(), x="das28_crp")


@pytest.mark.parametrize("adjust", [None, [], ["arm"]])
def test_what_is_not_adjusted_never_answers(adjust: list[str] | None) -> None:
    """Both values move with the arm and nothing else: the crude correlation is no answer, in no family, in no sentence."""
    table = cohort.linked(subjects=120, treg_effect=3.0, link=0.0)
    table.loc[(table["arm"] == "UC-MSC") & (table["visit"] != "baseline"), "das28_crp"] -= 2
    questions = {
        "c": PLAN["analyses"]["q"] | {"adjust": adjust},
        "r": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp", "adjust": adjust},
        "w": {"type": "within_between", "x": cohort.TREGS, "y": "das28_crp", "adjust": adjust},
    }
    plan = {"analyses": questions, "multiplicity": {"families": {"all": list(questions)}}}
    found = analyse({"linked": table}, plan)
    crude = found.results[found.results["note"].str.startswith("descriptive")]
    assert set(crude["analysis"]) == {"c", "r", "w"}
    assert (crude["p_value"] < 0.05).all()
    assert not crude["primary"].any()
    assert crude["p_adjusted"].isna().all()
    for name, row in crude.set_index("analysis").iterrows():
        assert f"{row['estimate']:+.2f}" not in found.sentences[str(name)]
    assert "did not clearly" in found.sentences["r"]


def of_levels(lasting: float, together: float, seed: int = 3, subjects: int = 600) -> pd.DataFrame:
    """Half of the variance is of lasting levels that correlate by `lasting`, half of visits, by `together`."""
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(subjects):
        level = draw.multivariate_normal([0, 0], [[1, lasting], [lasting, 1]])
        for place, visit in enumerate(("baseline", "month3")):
            x, y = (
                level
                + draw.multivariate_normal([0, 0], [[1, together], [together, 1]])
                + place * (i % 2) * np.array([1, -1])
            )
            rows.append((f"P{i:03d}", visit, 90.0 * place, "MSC" if i % 2 else "DMARD", x, y))
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "x", "y"])


def test_levels_that_go_together_pass_for_a_link_of_changes_and_it_is_said() -> None:
    """No changes go together: with the starts held fixed a link is found, without them none, and the reader is told."""
    table = of_levels(0.8, 0.0)
    question = PLAN["analyses"]["q"] | {"x": "x", "y": "y", "method": "pearson"}
    found = analyse({"linked": table}, {"analyses": {"q": question}})
    rows = found.results
    free = rows[rows["term"].str.contains("starts not held fixed")].iloc[0]
    assert rows["primary"].iloc[0] and rows["p_value"].iloc[0] < 0.01
    wide = table.pivot_table(index="subject_id", columns="visit", values=["x", "y"])
    arm = np.arange(600) % 2
    change = [wide[name]["month3"] - wide[name]["baseline"] for name in ("x", "y")]
    centred = [c - np.where(arm, c[arm == 1].mean(), c[arm == 0].mean()) for c in change]
    assert free["estimate"] == pytest.approx(np.corrcoef(*centred)[0, 1])
    assert free["p_value"] > 0.05 and free["note"].startswith("sensitivity") and not free["primary"]
    assert "the answer hangs on the starts" in rows["note"].iloc[0]
    assert "a link of changes is not shown" in found.sentences["q"]


def test_a_link_of_changes_is_not_warned_of() -> None:
    question = PLAN["analyses"]["q"] | {"x": "x", "y": "y"}
    found = analyse({"linked": of_levels(0.5, 0.4)}, {"analyses": {"q": question}})
    assert found.results["p_value"].iloc[0] < 0.05
    assert "hangs" not in found.results["note"].iloc[0]
    assert "not shown" not in found.sentences["q"]


def test_a_warning_of_the_starts_follows_the_pooled_rows() -> None:
    """It is given again after imputed tables have been pooled, and taken back where it no longer holds."""
    answer = Estimate(
        "q", "change_correlation", "partial", "y", estimate=0.3, p_value=0.01, primary=True, note="imputed"
    )
    free = replace(
        answer, term="correlation, starts not held fixed", p_value=0.4, primary=False, note="sensitivity"
    )
    warned = warned_of_starts([answer, free])
    assert warned[0].note == f"imputed; {HANGS}" and warned[1] == free
    assert warned_of_starts(warned) == warned
    assert warned_of_starts([warned[0], replace(free, p_value=0.03)])[0] == answer
    assert HANGS in warned_of_starts([answer, replace(free, p_value=0.03, estimate=-0.3)])[0].note
    assert warned_of_starts([replace(answer, p_value=0.06), free])[0].note == "imputed"
    assert said_of_starts(warned[0]) and not said_of_starts(replace(warned[0], p_adjusted=0.2))
