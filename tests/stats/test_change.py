"""Paired change: published Wilcoxon and Hodges-Lehmann values, t by its formula, scales of percentages."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cytoreg.stats import analyse
from cytoreg.stats.change import hodges_lehmann
from tests.stats import cohort
from tests.stats.judged import judged

# Hamilton depression scale of nine patients before and after a tranquilliser (Hollander & Wolfe 1973, p. 29;
# also the example of wilcox.test in R): V = 40, two-sided p = 0.0391, Hodges-Lehmann change -0.46.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


R = judged("change")


def depression() -> pd.DataFrame:
    rows = [(f"P{i}", visit, v[i]) for i in range(9) for visit, v in (("baseline", BEFORE), ("after", AFTER))]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "hamilton"])


def plan(**question: object) -> dict:
    return {"analyses": {"q": {"type": "paired_change"} | question}}


def test_wilcoxon_and_hodges_lehmann_of_hollander_and_wolfe() -> None:
    rows = analyse({"linked": depression()}, plan(value="hamilton", to="after")).results
    ranks = rows[rows["term"].str.startswith("Hodges")].iloc[0]
    assert ranks["p_value"] == pytest.approx(0.0390625)
    assert 45 - ranks["statistic"] == 40  # scipy gives the smaller of the two rank sums
    assert ranks["estimate"] == pytest.approx(-0.46, abs=0.005)


def test_hodges_lehmann_interval_holds_what_the_exact_test_does_not_reject() -> None:
    changes = np.array(AFTER) - np.array(BEFORE)
    _, low, high = hodges_lehmann(changes)

    def p_of(shift: float) -> float:
        return float(stats.wilcoxon(changes - shift, method="exact").pvalue)

    assert p_of(low + 1e-6) > 0.05 >= p_of(low - 1e-6)
    assert p_of(high - 1e-6) > 0.05 >= p_of(high + 1e-6)


def test_mean_change_is_the_paired_t_test() -> None:
    rows = analyse({"linked": depression()}, plan(value="hamilton", to="after")).results
    mean = rows[rows["primary"]].iloc[0]
    test = stats.ttest_rel(AFTER, BEFORE)
    interval = test.confidence_interval()
    found = mean[["statistic", "df", "p_value", "ci_low", "ci_high"]].tolist()
    assert found == pytest.approx([test.statistic, 8, test.pvalue, interval.low, interval.high])


def test_by_arm_the_treated_arm_answers_where_the_control_is_declared() -> None:
    question = plan(value=cohort.TREGS, to="month1", by="arm")
    table = cohort.linked()
    rows = analyse({"linked": table}, question | {"treatment": {"control": "DMARD"}}).results
    assert rows["arm"].tolist() == ["DMARD", "DMARD", "UC-MSC", "UC-MSC", "", "", "UC-MSC"]
    assert rows[rows["primary"]]["arm"].tolist() == ["UC-MSC"]
    undeclared = analyse({"linked": table}, question).results
    assert undeclared[undeclared["primary"]]["arm"].tolist() == [""]


def test_logit_change_uses_counts_and_gives_0_and_100_percent_a_place() -> None:
    counts = [(0, 100), (10, 20), (50, 60), (100, 100), (30, 45)]
    rows = [
        (f"P{i}", visit, pair[k], pair[k], 100)
        for i, pair in enumerate(counts)
        for k, visit in enumerate(("baseline", "month1"))
    ]
    table = pd.DataFrame(rows, columns=["subject_id", "visit", "T % of C", "T % of C count", "T % of C of"])
    found = analyse({"linked": table}, plan(value="T % of C", to="month1", scale="logit")).results.iloc[0]
    by_hand = [math.log((b + 0.5) / (100.5 - b)) - math.log((a + 0.5) / (100.5 - a)) for a, b in counts]
    assert found["estimate"] == pytest.approx(np.mean(by_hand))
    assert found["n_subjects"] == 5


def test_log_change_leaves_out_what_has_no_logarithm() -> None:
    table = depression().replace({"hamilton": {0.50: 0.0}})
    found = analyse({"linked": table}, plan(value="hamilton", to="after", scale="log")).results.iloc[0]
    assert found["n_subjects"] == 8
    ratios = np.log(np.delete(AFTER, 1)) - np.log(np.delete(BEFORE, 1))
    assert found["estimate"] == pytest.approx(ratios.mean())


def test_too_few_subjects_give_a_reason_and_no_number() -> None:
    table = depression()
    few = table[table["subject_id"].isin(["P0", "P1", "P2"])]
    analysis = analyse({"linked": few}, plan(value="hamilton", to="after"))
    assert analysis.results[["estimate", "p_value"]].isna().all(axis=None)
    assert analysis.results["note"].str.contains("3 subjects with both visits: at least 4").all()
    assert analysis.sentences["q"].startswith("No answer: 3 subjects")


def test_no_change_at_all_is_said_and_not_divided_by() -> None:
    table = depression().assign(hamilton=2.0)
    rows = analyse({"linked": table}, plan(value="hamilton", to="after")).results
    assert rows["estimate"].tolist() == [0, 0]
    assert rows["p_value"].isna().all()


def test_t_wilcoxon_and_hodges_lehmann_are_those_of_r() -> None:
    rows = analyse({"linked": depression()}, plan(value="hamilton", to="after")).results
    mean, ranks = rows.iloc[0], rows.iloc[1]
    keys = ("estimate", "se", "statistic", "df", "low", "high", "p")
    found = mean[["estimate", "se", "statistic", "df", "ci_low", "ci_high", "p_value"]].tolist()
    assert found == pytest.approx([R[f"hamilton.t.{key}"] for key in keys], rel=1e-9)
    found = ranks[["estimate", "ci_low", "ci_high", "p_value"]].tolist()
    # R finds the ends by the order of pairwise means as well
    assert found == pytest.approx([R[f"hamilton.wilcoxon.{key}"] for key in ("estimate", "low", "high", "p")])


def test_difference_of_arms_is_welchs_and_only_it_compares_them() -> None:
    arm = {f"P{i}": "treated" if i < 5 else "control" for i in range(9)}
    table = depression().assign(arm=lambda t: t["subject_id"].map(arm))
    question = plan(value="hamilton", to="after", by="arm") | {"treatment": {"control": "control"}}
    row = analyse({"linked": table}, question).results.iloc[-1]
    assert row["term"] == "difference of mean changes"
    assert row["contrast"] == "treated - control"
    found = row[["estimate", "df", "ci_low", "ci_high", "p_value"]].tolist()
    keys = ("estimate", "df", "low", "high", "p")
    assert found == pytest.approx([R[f"hamilton.welch.{key}"] for key in keys], rel=1e-9)


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    analysis = analyse({"linked": depression()}, plan(value="hamilton", to="after", equivalence=[-1, 0.1]))
    row = analysis.results[analysis.results["term"] == "equivalence (TOST), mean change"].iloc[0]
    assert row["p_value"] == pytest.approx(R["hamilton.tost.p"], rel=1e-9)
    assert analysis.sentences["q"].endswith("of -1 to 0.1 (equivalence (TOST), p = 0.003).")


def test_no_change_is_not_read_from_a_large_p() -> None:
    table = depression()
    table["hamilton"] += np.where(table["visit"] == "after", 0.4, 0.0)
    said = analyse({"linked": table}, plan(value="hamilton", to="after")).sentences["q"]
    assert "showed no clear change" in said
    assert said.endswith("This does not show that there is no change.")
