"""Who responds: closed forms of tables, strategies declared in the plan, and what is said."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from tests.stats import cohort


def plan(**question: object) -> dict:
    return {
        "treatment": {"control": "DMARD"},
        "analyses": {"q": {"type": "responder", "outcome": "acr20"} | question},
    }


def of_table(yes: dict[str, int], no: dict[str, int]) -> pd.DataFrame:
    """Subjects of two arms with and without the outcome at month3; the baseline visit before it."""
    answers = [(arm, 1.0) for arm, n in yes.items() for _ in range(n)]
    answers += [(arm, 0.0) for arm, n in no.items() for _ in range(n)]
    rows = []
    for number, (arm, answer) in enumerate(answers):
        rows.append((f"P{number:03d}", "baseline", 0.0, arm, math.nan))
        rows.append((f"P{number:03d}", "month3", 90.0, arm, answer))
    return pd.DataFrame(rows, columns=["subject_id", "visit", "day", "arm", "acr20"])


def with_link(seed: int = 3, slope: float = 2.0) -> pd.DataFrame:
    """A cohort whose response after baseline follows the rise of Treg %."""
    table = cohort.linked(seed=seed, subjects=80)
    start = table[table["visit"] == "baseline"].set_index("subject_id")[cohort.TREGS]
    rise = table[cohort.TREGS] - table["subject_id"].map(start)
    chance = 1 / (1 + np.exp(-(slope * rise - 0.5)))
    answer = np.random.default_rng(seed).random(len(table)) < chance
    return table.assign(acr20=pd.array(np.where(table["visit"] == "baseline", None, answer), dtype="boolean"))


def test_arms_of_a_table_have_the_odds_ratio_of_its_cells() -> None:
    table = of_table({"UC-MSC": 18, "DMARD": 9}, {"UC-MSC": 12, "DMARD": 21})
    analysis = analyse({"linked": table}, plan(at="month3"))
    rows = analysis.results.set_index("term")
    main = rows.loc["log odds ratio"]
    assert main["primary"]
    assert main["estimate"] == pytest.approx(math.log(18 * 21 / (9 * 12)))
    assert main["se"] == pytest.approx(math.sqrt(1 / 18 + 1 / 21 + 1 / 9 + 1 / 12))
    cells = [(18, 30, 27 / 60), (9, 30, 27 / 60)]
    g = 2 * sum(
        y * math.log(y / n / share) + (n - y) * math.log((n - y) / n / (1 - share)) for y, n, share in cells
    )
    assert main["statistic"] == pytest.approx(g)
    exact = rows.loc["risk difference, p by Fisher's exact test"]
    assert exact["estimate"] == pytest.approx(0.3)
    assert exact["p_value"] == pytest.approx(fisher_exact([[18, 12], [9, 21]])[1])
    assert "odds multiplied by 3.5 " in analysis.sentences["q"]


def test_newcombes_interval_is_that_of_his_example() -> None:
    """Newcombe (Stat Med 1998;17:873-890), table II, method 10: 56/70 - 48/80 has 0.0524 to 0.3339."""
    table = of_table({"UC-MSC": 56, "DMARD": 48}, {"UC-MSC": 14, "DMARD": 32})
    rows = analyse({"linked": table}, plan(at="month3")).results.set_index("term")
    row = rows.loc["risk difference, p by Fisher's exact test"]
    assert [row["estimate"], row["ci_low"], row["ci_high"]] == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


def test_an_arm_without_any_response_is_penalised_and_that_is_said() -> None:
    table = of_table({"UC-MSC": 8, "DMARD": 0}, {"UC-MSC": 12, "DMARD": 20})
    row = analyse({"linked": table}, plan(at="month3")).results.iloc[0]
    assert "Firth" in row["note"]
    assert row["estimate"] == pytest.approx(math.log((8.5 / 12.5) / (0.5 / 20.5)), abs=1e-6)
    assert 0 < row["ci_low"] < row["estimate"] < row["ci_high"]


def test_missing_responses_count_as_none_only_where_that_is_declared() -> None:
    table = of_table({"UC-MSC": 18, "DMARD": 12}, {"UC-MSC": 12, "DMARD": 18})
    lost = (table["arm"] == "DMARD") & (table["acr20"] == 1) & (table["subject_id"] < "P024")
    n = int(lost.sum())
    assert n == 6
    table["acr20"] = table["acr20"].mask(lost)
    rows = analyse({"linked": table}, plan(at="month3")).results
    assert rows["n_subjects"].iloc[0] == 60 - n
    assert rows["estimate"].iloc[0] == pytest.approx(math.log(18 / 12 / (6 / 18)))
    declared = plan(at="month3") | {"missing": {"nonresponder_imputation": ["acr20"]}}
    rows = analyse({"linked": table}, declared).results
    main = rows[rows["primary"]].iloc[0]
    assert main["n_subjects"] == 60
    assert main["estimate"] == pytest.approx(math.log(18 / 12 / (6 / 24)))


def test_a_planted_link_is_found_with_arm_and_baseline_held_fixed() -> None:
    analysis = analyse({"linked": with_link()}, plan(at="month3", value=cohort.TREGS))
    row = analysis.results[analysis.results["primary"]].iloc[0]
    assert row["term"] == "log odds ratio, adjusted for arm and baseline"
    assert row["ci_low"] < 2.0 < row["ci_high"]
    assert row["p_value"] < 0.05
    assert "does not show that one causes the other" in analysis.sentences["q"]
    crude = analysis.results[analysis.results["term"] == "log odds ratio, crude"].iloc[0]
    assert crude["note"].startswith("descriptive")


def test_all_visits_are_answered_by_gee_with_visits_held_fixed() -> None:
    analysis = analyse({"linked": with_link()}, plan(value=cohort.TREGS))
    row = analysis.results[analysis.results["primary"]].iloc[0]
    assert row["term"] == "log odds ratio over all visits (GEE, exchangeable)"
    assert row["n_observations"] == 160
    assert row["n_subjects"] == 80
    assert row["ci_low"] < 2.0 < row["ci_high"]
    assert "over all visits after baseline" in analysis.sentences["q"]


def test_too_few_answers_give_a_reason_and_wrong_columns_an_error() -> None:
    table = of_table({"UC-MSC": 2, "DMARD": 0}, {"UC-MSC": 12, "DMARD": 12})
    row = analyse({"linked": table}, plan(at="month3")).results.iloc[0]
    assert np.isnan(row["p_value"])
    assert "fewer than 3 subjects with" in row["note"]
    with pytest.raises(AnalysisError, match="holds 2, expected a column of yes and no"):
        analyse({"linked": table.assign(acr20=2.0)}, plan(at="month3"))
    with pytest.raises(AnalysisError, match="'baseline' is that of `value`"):
        analyse({"linked": table}, plan(at="month3", adjust=["baseline"]))
