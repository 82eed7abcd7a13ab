"""The whole of an analysis: the table of the contract, families, sentences, and tables that are linked first."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse, points, subject_correlation
from cytoreg.stats.adjust import adjusted
from tests.stats import cohort

PLAN = {
    "treatment": {"control": "DMARD"},
    "outcome": {"activity": "das28_crp", "function": "haq_di"},
    "analyses": {
        "rises": {"type": "paired_change", "value": cohort.TREGS, "to": "month1", "by": "arm", "scale": "logit"},
        "differ": {"type": "arm_by_visit", "value": "das28_crp", "contrast_visit": "month3"},
        "goes_with": {"type": "change_correlation", "x": cohort.TREGS, "y": "das28_crp", "to": "month3"},
        "within": {"type": "repeated_correlation", "x": cohort.TREGS, "y": "das28_crp"},
        "time": {"type": "trend", "value": "das28_crp", "on": "day", "block": "arm"},
    },
    "multiplicity": {"families": {"main": ["goes_with", "differ", "rises"]}},
}
COLUMNS = (
    "analysis type term outcome predictor arm visit contrast n_subjects n_observations estimate se df statistic ci_low"
    " ci_high p_value p_adjusted family primary note status"
)


def test_the_associations_table_has_the_columns_of_the_contract() -> None:
    assert analyse({"linked": cohort.linked()}, PLAN).results.columns.tolist() == COLUMNS.split()


def test_holm_within_a_family_is_by_its_definition_over_every_p_of_its_analyses() -> None:
    """Holm 1979: the i-th smallest of m is multiplied by m - i + 1, never below the one before."""
    results = analyse({"linked": cohort.linked()}, PLAN).results
    members = results[results["analysis"].isin(PLAN["multiplicity"]["families"]["main"])]
    other = members["note"].str.startswith(("descriptive", "sensitivity")) | members["p_value"].isna()
    assert other.any()
    family = results[results["family"] == "main"].sort_values("p_value", kind="stable")
    assert sorted(family.index) == sorted(members.index[~other])
    m = len(family)
    assert m > 10  # every arm, visit and contrast, not the three answers alone
    expected = np.minimum(np.maximum.accumulate(family["p_value"].to_numpy() * np.arange(m, 0, -1)), 1)
    assert family["p_adjusted"].to_numpy() == pytest.approx(expected)
    assert results[results["family"] == ""]["p_adjusted"].isna().all()


def test_a_missing_p_counts_as_one() -> None:
    assert adjusted([0.02, math.nan, 0.01], "holm")[::2] == pytest.approx([0.04, 0.03])
    assert adjusted([0.02, math.nan], "benjamini_hochberg")[0] == pytest.approx(0.04)
    p = [0.01, 0.2, 0.03, 0.04]
    assert adjusted(p, "benjamini_hochberg") == pytest.approx(multipletests(p, method="fdr_bh")[1].tolist())


def test_an_analysis_without_data_does_not_stop_the_others_and_counts_in_its_family() -> None:
    table = cohort.linked()
    table["il6"] = np.where(table["subject_id"] == "P001", 3.0, np.nan)
    plan = {
        "analyses": PLAN["analyses"] | {"empty": {"type": "paired_change", "value": "il6", "to": "month1"}},
        "multiplicity": {"families": {"main": ["within", "empty"]}},
    }
    analysis = analyse({"linked": table}, plan)
    results = analysis.results.set_index("analysis")
    within = results.loc["within"].query("primary").iloc[0]
    assert within["p_adjusted"] == pytest.approx(2 * within["p_value"])
    assert analysis.sentences["empty"].startswith("No answer")


def test_the_planted_effects_are_found_and_sentences_say_association_not_cause() -> None:
    analysis = analyse({"linked": cohort.linked()}, PLAN)
    words = analysis.sentences
    assert "the 30 subjects of UC-MSC" in words["rises"]
    assert "rose between baseline and month1" in words["rises"]
    assert "fall of das28_crp" in words["goes_with"]
    assert "lower at visits at which Tregs % of CD4+ was higher" in words["within"]
    for name in ("goes_with", "within", "time"):
        assert "association; it does not show that one causes the other" in words[name]


def test_noise_is_not_told_as_a_finding() -> None:
    table = cohort.linked(seed=2, treg_effect=0, link=0)
    words = analyse({"linked": table}, PLAN).sentences
    assert "showed no clear change" in words["rises"]
    assert "did not clearly go together" in words["goes_with"]
    assert "did not clearly move together" in words["within"]
    assert "was not clearly different between UC-MSC and DMARD" in words["differ"]


def test_the_summary_has_a_line_for_each_row_and_marks_the_answers() -> None:
    analysis = analyse({"linked": cohort.linked()}, PLAN)
    lines = analysis.summary().splitlines()
    assert len([line for line in lines if line.startswith(tuple(PLAN["analyses"]))]) == len(analysis.results)
    assert sum(line.split()[0].endswith("*") for line in lines if line and not line.startswith("*")) == 5
    assert any("outcome.function: the linked table has no column 'haq_di'" in line for line in lines)


def test_row_order_of_the_tables_does_not_change_a_number() -> None:
    table = cohort.linked(subjects=20)
    once = analyse({"linked": table}, PLAN).results
    again = analyse({"linked": table.sample(frac=1, random_state=4).reset_index(drop=True)}, PLAN).results
    numbers = ["estimate", "se", "p_value", "ci_low", "ci_high"]
    assert np.allclose(once[numbers], again[numbers], rtol=1e-4, atol=1e-9, equal_nan=True)


def test_tables_are_linked_first_where_they_are_not() -> None:
    table = cohort.linked(subjects=20)
    samples = table[["subject_id", "visit"]].assign(panel="treg", tube="full")
    samples["sample_id"] = samples["subject_id"] + samples["visit"]
    percentages = pd.DataFrame(
        {"sample_id": samples["sample_id"], "percentage": cohort.TREGS, "value": table[cohort.TREGS]}
    )
    percentages["count"], percentages["ancestor_count"] = (
        table[f"{cohort.TREGS} count"],
        table[f"{cohort.TREGS} of"],
    )
    tables = {
        "samples": samples,
        "percentages": percentages,
        "subjects": table[["subject_id", "arm"]].drop_duplicates(),
        "visits": table[["subject_id", "visit", "day", "das28_crp"]],
    }
    apart, joined = analyse(tables, PLAN), analyse({"linked": table}, PLAN)
    pd.testing.assert_frame_equal(apart.results, joined.results)
    with pytest.raises(AnalysisError, match="samples and percentages belong together"):
        analyse({"samples": samples, "subjects": tables["subjects"]}, PLAN)
    with pytest.raises(AnalysisError, match="expected linked, or samples and percentages"):
        analyse({"populations": percentages}, PLAN)


def test_a_visit_in_two_rows_is_refused() -> None:
    table = cohort.linked(subjects=8)
    with pytest.raises(AnalysisError, match="stands in two rows"):
        analyse({"linked": pd.concat([table, table.iloc[:1]])}, PLAN)


def test_points_are_what_each_analysis_saw() -> None:
    table = cohort.linked()
    results = analyse({"linked": table}, PLAN).results
    for name in PLAN["analyses"]:
        frame = points(name, table, PLAN)
        assert {"subject_id", "arm", "visit", "x", "y"} <= set(frame.columns)
        assert frame.attrs["x_label"]
        rows = results[(results["analysis"] == name) & (results["arm"] == "")]
        if name != "differ":  # whose plot has the baseline too
            assert frame["subject_id"].nunique() == rows["n_subjects"].max()
    change = points("goes_with", table, PLAN).set_index("subject_id")
    wide = table.pivot_table(index="subject_id", columns="visit", values=cohort.TREGS)
    assert change["x"].to_dict() == pytest.approx((wide["month3"] - wide["baseline"]).to_dict())
    with pytest.raises(AnalysisError, match="no analysis 'goes'; did you mean 'goes_with'"):
        points("goes", table, PLAN)


def test_each_subjects_own_correlation_and_its_place_in_the_cohort() -> None:
    table = pd.DataFrame(
        {
            "subject_id": list("AAABBBCCCDD"),
            "x": [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2],
            "y": [3, 2, 1, 1, 3, 2, 1, 2, 9, 1, 2],
        }
    )
    found = subject_correlation(table, "x", "y").set_index("subject_id")
    assert found["n"].to_dict() == {"A": 3, "B": 3, "C": 3, "D": 2}
    assert found["spearman"].iloc[:3].tolist() == pytest.approx([-1, 0.5, 1])
    assert found["share_below"].iloc[:3].tolist() == [0, 0.5, 1]
    assert found.loc["D", ["spearman", "pearson", "share_below"]].isna().all()
    assert found.loc["C", "pearson"] == pytest.approx(np.corrcoef([1, 2, 3], [1, 2, 9])[0, 1])
