"""A plan is read as a whole before anything is computed, and a slip in it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse, read_plan
from cytoreg.stats.plan import plan_hash
from tests.stats import cohort

PLAN = """cytoreg: 1
outcome: {response: acr20, activity: das28_crp, function: haq_di}
treatment: {arm: arm, control: DMARD, infusions: infusions}
baseline: {last_on_or_before: first_infusion, otherwise: randomised}
analyses:
  treg_rises:     {type: paired_change, value: Tregs % of CD4+, from: baseline, to: month1, by: arm, scale: logit}
  arms_differ:    {type: arm_by_visit, value: das28_crp, contrast_visit: month3}
  treg_vs_das28:  {type: change_correlation, x: Tregs % of CD4+, y: das28_crp, from: baseline, to: month3, adjust: [arm, baseline]}
  within_patient: {type: repeated_correlation, x: Tregs % of CD4+, y: das28_crp, adjust: [visit*arm]}
  dose:           {type: trend, value: Tregs % of CD4+, on: day, block: arm}
multiplicity: {method: holm, families: {primary: [treg_vs_das28, arms_differ]}}
missing: {nonresponder_imputation: [acr20], multiple_imputation: 20}
"""


def test_the_plan_of_the_contract_is_read_and_answered(tmp_path: Path) -> None:
    path = tmp_path / "analysis.yaml"
    path.write_text(PLAN)
    analysis = analyse({"linked": cohort.linked()}, path)
    assert list(analysis.sentences) == ["treg_rises", "arms_differ", "treg_vs_das28", "within_patient", "dose"]
    assert analysis.results.groupby("analysis")["primary"].sum().eq(1).all()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "scale: logit",
            "scal: logit",
            "line 6, key analyses.treg_rises.scal: unknown key 'scal'; did you mean 'scale'",
        ),
        (
            "type: trend",
            "type: trnd",
            "line 10, key analyses.dose.type: unknown type 'trnd'; did you mean 'trend'",
        ),
        ("to: month1, ", "", "line 6, key analyses.treg_rises.to: is required"),
        ("scale: logit", "scale: sqrt", "key analyses.treg_rises.scale: input should be"),
        ("[treg_vs_das28,", "[treg,", "family 'primary' names the unknown analysis 'treg'"),
        ("treatment:", "treatmnt:", "line 3, key treatmnt: unknown key 'treatmnt'; did you mean 'treatment'"),
        (
            "x: Tregs % of CD4+, y: das28_crp, from",
            "x: Treg % of CD4+, y: das28_crp, from",
            "line 8, key analyses.treg_vs_das28.x: no column 'Treg % of CD4+' in the linked table; did you mean 'Tregs % of CD4+'",
        ),
        (
            "contrast_visit: month3",
            "contrast_visit: month5",
            "key analyses.arms_differ.contrast_visit: no visit 'month5'",
        ),
        ("control: DMARD", "control: Placebo", "line 3, key treatment.control: no arm 'Placebo'"),
        ("block: arm", "block: batch", "key analyses.dose.block: no column 'batch'"),
        ("[visit*arm]", "[visit*sex]", "key analyses.within_patient.adjust: no column 'sex'"),
        ("on: day", "on: arm", "key analyses.dose.on: column 'arm' holds text such as 'DMARD', expected numbers"),
        ("scale: logit", "scale: 3", "analyses.treg_rises.scale"),
    ],
)
def test_a_slip_is_named_with_file_line_key_and_the_nearest_word(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    path = tmp_path / "analysis.yaml"
    path.write_text(PLAN.replace(old, new))
    with pytest.raises(AnalysisError) as problem:
        analyse({"linked": cohort.linked()}, path)
    assert "analysis.yaml" in str(problem.value)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_an_analysis_belongs_to_one_family() -> None:
    text = PLAN.replace("arms_differ]}", "arms_differ], other: [arms_differ]}")
    with pytest.raises(AnalysisError, match="'arms_differ' is in two families"):
        read_plan(text)


def test_the_hash_is_of_what_a_plan_says_not_of_how_it_is_written() -> None:
    spaced = PLAN.replace("{type: trend, value: Tregs % of CD4+,", "{value:   Tregs % of CD4+, type: trend,")
    assert plan_hash(read_plan(spaced).plan) == plan_hash(read_plan(PLAN).plan)
    assert plan_hash(read_plan(PLAN.replace("month1", "month3")).plan) != plan_hash(read_plan(PLAN).plan)


def test_a_mapping_or_a_plan_serves_as_well_as_a_file() -> None:
    read = read_plan(PLAN)
    again = read_plan(read.plan)
    assert plan_hash(again.plan) == plan_hash(read.plan)
    mapping = {"analyses": {"d": {"type": "trend", "value": "das28_crp", True: "day"}}}  # YAML 1.1's `on`
    assert read_plan(mapping).plan.analyses["d"].on == "day"  # type: ignore[union-attr]
