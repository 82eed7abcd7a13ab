"""What was declared before anything was seen: the lock, its chain, and what a later plan makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cytoreg.errors import StudyError
from cytoreg.study import analyse, load_study, run
from cytoreg.study.plan_lock import LOCK, TOO_LATE, read_lock
from cytoreg.tables import read_json

PLAN = """cytoreg: 1
treatment: {control: DMARD}
analyses:
  falls: {type: paired_change, value: das28_crp, to: month3}
"""
LATER = PLAN + "  more:  {type: paired_change, value: das28_crp, to: month1}\n"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of clinical tables alone, typed in."""
    rows = ["subject_id,visit,day,das28_crp"]
    for number in range(8):
        for place, (visit, day) in enumerate((("baseline", 0), ("month1", 30), ("month3", 90))):
            rows.append(f"P{number},{visit},{day},{5.5 + 0.1 * (number % 3) - (0.3 + 0.05 * number) * place:.2f}")
    (tmp_path / "visits.csv").write_text("\n".join(rows) + "\n")
    arms = [f"P{number},{'UC-MSC' if number % 2 else 'DMARD'}" for number in range(8)]
    (tmp_path / "subjects.csv").write_text("subject_id,arm\n" + "\n".join(arms) + "\n")
    (tmp_path / "analysis.yaml").write_text(PLAN)
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nstudy: s\nclinical: {subjects: subjects.csv, visits: visits.csv}\nplan: analysis.yaml\n"
    )
    return tmp_path


def test_an_analysis_added_after_the_first_results_is_exploratory(study: Path) -> None:
    run(study)
    assert [line["event"] for line in read_lock(study / LOCK)] == ["declared", "answered"]
    assert analyse(study).exploratory == {}
    assert len(read_lock(study / LOCK)) == 2  # the same plan again is nothing new
    (study / "analysis.yaml").write_text(LATER)
    found = analyse(study)
    assert list(found.exploratory) == ["more"]
    said = read_json(study / "results" / "provenance.json")
    assert list(said["exploratory"]) == ["more"]
    assert said["plan_lock"]["plans_answered"] == 2
    assert said["plan_lock"]["plan_hash"] == read_lock(study / LOCK)[0]["plan_hash"]
    assert said["estimands"]["falls"]["variable"] == "change of das28_crp from baseline to month3"
    page = (study / "results" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Exploratory: more (not in the plan declared on" in page


def test_another_plan_is_measured_against_the_studys_own(study: Path) -> None:
    (study / "other.yaml").write_text(LATER)
    found = analyse(study, study / "other.yaml")  # first of all; the study's own plan is declared before it
    assert list(found.exploratory) == ["more"]
    lines = read_lock(study / LOCK)
    assert [(line["event"], line.get("other")) for line in lines] == [
        ("declared", False),
        ("declared", True),
        ("answered", None),
    ]


def test_a_plan_declared_after_the_data_were_linked_is_too_late(study: Path) -> None:
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("plan: analysis.yaml\n", ""))
    run(study)
    assert not (study / LOCK).exists()
    (study / "study.yaml").write_text(text)
    assert analyse(study).exploratory == {"falls": TOO_LATE}


def test_a_plan_may_be_changed_until_it_is_answered(study: Path) -> None:
    from cytoreg.stats import read_plan
    from cytoreg.study.plan_lock import declare

    loaded = load_study(study)
    declare(loaded, study / "results", read_plan(study / "analysis.yaml"))
    (study / "analysis.yaml").write_text(LATER)
    run(study)
    assert analyse(study).exploratory == {}


def test_results_of_a_version_without_a_lock_are_taken_over(study: Path) -> None:
    run(study)
    (study / LOCK).unlink()
    provenance = study / "results" / "provenance.json"
    said = json.loads(provenance.read_text())
    del said["plan_lock"]
    provenance.write_text(json.dumps(said))
    (study / "analysis.yaml").write_text(LATER)
    assert list(analyse(study).exploratory) == ["more"]


def test_a_lock_that_is_gone_does_not_make_an_exploratory_question_a_planned_one(study: Path) -> None:
    run(study)
    (study / "analysis.yaml").write_text(LATER)
    analyse(study)
    (study / LOCK).unlink()
    found = analyse(study)
    assert set(found.exploratory) == set(found.sentences)
    assert all("is gone" in why for why in found.exploratory.values())


def test_a_line_that_was_changed_or_lost_is_named(study: Path) -> None:
    run(study)
    lines = (study / LOCK).read_text().splitlines()
    (study / LOCK).write_text("\n".join([lines[0].replace("month3", "month1"), *lines[1:]]) + "\n")
    with pytest.raises(StudyError, match=r"plan\.lock, line 1: its hash is not that of what it says"):
        analyse(study)
    (study / LOCK).write_text(lines[1] + "\n")
    with pytest.raises(StudyError, match=r"plan\.lock, line 1"):
        analyse(study)
    (study / LOCK).write_text(json.dumps({"a": 1}) + "\n")
    with pytest.raises(StudyError, match="found no line of a plan's lock"):
        analyse(study)
