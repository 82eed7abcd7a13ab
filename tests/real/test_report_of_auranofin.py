"""The report's page of the real auranofin trial: who is in each answer, who is left out and why, counted apart by pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cytoreg.reports.cohort import cohort_page
from cytoreg.reports.results import read_results
from cytoreg.study import analyse


def test_each_answer_says_its_standing_estimand_checks_and_who_is_left_out(
    auranofin: Path,
) -> None:
    (auranofin / "plan.yaml").write_text(
        "cytoreg: 1\ntreatment: {control: '1'}\nanalyses:\n"
        "  moves: {type: paired_change, value: self_assessment, from: '1', to: '5', by: arm}\n"
        "  alone: {type: paired_change, value: self_assessment, from: '1', to: '3'}\n"
        "multiplicity: {families: {main: [moves]}}\n"
    )
    analyse(auranofin)
    wide = pd.read_csv(auranofin / "trial.csv").pivot_table(index="id", columns="time", values="y")
    both = int(wide[[1, 5]].notna().all(axis=1).sum())
    page = cohort_page(read_results(auranofin / "results"))
    moves, alone = (next(a for a in page["answers"] if a.name == name) for name in ("moves", "alone"))
    said = "; ".join(moves.conduct.left_out).replace("\xa0", " ")
    assert f"{both} of 302 patients are in it, {302 - both} left out" in said
    for visit in (1, 5):
        lost = 302 - int(wide[visit].notna().sum())
        assert f"self_assessment at {visit}: {lost} patients with the visit and without the value" in said
    assert moves.conduct.standing == "confirmatory: declared in the plan, in the family “main”"
    assert alone.conduct.standing.startswith("declared in the plan, in no family")
    for answer in (moves, alone):
        assert answer.sentence and answer.figure
        assert [words for words, _ in answer.conduct.estimand] == [
            *("Treatment", "Population", "Variable", "Intercurrent events", "Summary", "Missing values")
        ]
        assert answer.conduct.checks.startswith("normality of the changes")
    assert not page["has_truth"]
