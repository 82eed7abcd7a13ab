"""A study with adverse events and laboratory values: tables in the results, a safety page, and what it must not say."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import cytoreg
from cytoreg import StudyError, reports
from cytoreg.tables.schema import SAFETY

SUBJECTS = "subject_id,arm,randomised\n" + "".join(
    f"Patient-{n},{'Cellmabine' if n % 2 else 'Placebovia'},2026-01-01\n" for n in range(1, 9)
)
INFUSIONS = "subject_id,date,dose_cells,product\n" + "".join(
    f"Patient-{n},2026-01-05,4e7,UCX\n" for n in (1, 3, 5, 7)
)
VISITS = "subject_id,visit,date,crp\n" + "".join(
    f"Patient-{n},{visit},{date},{n}\n"
    for n in range(1, 9)
    for visit, date in (("baseline", "2026-01-02"), ("month3", "2026-04-01"))
)
EVENTS = """subject_id,soc,term,start,end,severity,serious,related,treatment_emergent
Patient-1,Skin,<b>Rash</b> & itch,2026-01-06,2026-01-09,mild,N,possible,Y
Patient-1,Skin,<b>Rash</b> & itch,2026-02-06,,moderate,N,none,Y
Patient-3,Infusion,Fever after Cellmabine,2026-01-05,,mild,N,probable,Y
Patient-2,Infections,Cold,2026-03-01,,mild,N,none,Y
Patient-99,Infections,Cold,2026-03-01,,mild,N,none,Y
"""
LABS = "subject_id,visit,test,value,unit,low,high,date\n" + "".join(
    f"Patient-{n},{visit},ALT,{value},U/L,5,40,{date}\n"
    for n in range(1, 9)
    for visit, value, date in (("baseline", 30, "2026-01-02"), ("month3", 30 + 15 * (n == 1), "2026-04-01"))
)
PLAN = """cytoreg: 1
treatment: {arm: arm, control: Placebovia, infusions: infusions}
analyses: {crp: {type: arm_by_visit, value: crp, contrast_visit: month3}}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that has been run once."""
    folder = written(tmp_path_factory.mktemp("safety"))
    cytoreg.run(folder)
    return folder


def written(tmp_path: Path) -> Path:
    for name, text in (
        ("subjects.csv", SUBJECTS),
        ("infusions.csv", INFUSIONS),
        ("visits.csv", VISITS),
        ("events.csv", EVENTS),
        ("labs.csv", LABS),
        ("plan.yaml", PLAN),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nstudy: safe\nplan: plan.yaml\nclinical: {subjects: subjects.csv, visits: visits.csv,"
        " infusions: infusions.csv, adverse_events: events.csv, labs: labs.csv}\n",
        encoding="utf-8",
    )
    return tmp_path


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "results" / f"{name}.csv", keep_default_na=False)


def test_a_run_leaves_the_safety_tables_without_a_patient_in_them(done: Path) -> None:
    for name in set(SAFETY):
        table = (done / "results" / f"{name}.csv").read_text(encoding="utf-8")
        assert "Patient-" not in table, name
        assert table.splitlines()[0].split(",") == [*SAFETY[name], "schema_version"]
    events = read(done, "adverse_events")
    rash = events[(events["soc"] == "Skin") & (events["term"] != "")].set_index("arm")
    assert rash.loc["Cellmabine", ["subjects", "events", "n"]].tolist() == [1, 2, 4]
    # day 0 is the infusion of 5 January, the last day known the visit of 1 April, day 86: 87 days each
    assert float(rash.loc["Cellmabine", "patient_years"]) == pytest.approx(4 * 87 / 365.25)
    groups = read(done, "adverse_event_groups")
    onset = groups[groups["measure"].str.startswith("onset") & (groups["arm"] == "Cellmabine")].set_index("level")
    assert onset["events"].to_dict() == {"day 0 to 1": 2, "day 31 to 90": 1, "before any infusion": 0}
    grades = read(done, "lab_grades")
    assert grades[(grades["grade"] == 1) | (grades["grade"] == "1")]["subjects"].sum() == 1


def test_events_of_nobody_stand_among_what_did_not_match(done: Path) -> None:
    unmatched = read(done, "unmatched")
    assert unmatched[unmatched["side"] == "adverse_events"]["subject_id"].tolist() == ["Patient-99"]


def test_the_page_says_what_the_tables_say_and_escapes_it(done: Path) -> None:
    report = reports.build(done / "results")
    page = (report.parent / "safety.html").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert '<a href="safety.html">Safety</a>' in report.read_text(encoding="utf-8")
    assert (
        "3 patients have a treatment-emergent adverse event, 4 events in all. No serious adverse event is recorded."
        in page
    )
    assert "&lt;b&gt;Rash&lt;/b&gt; &amp; itch" in page
    assert "<b>" not in page
    assert "Patient-" not in page
    assert re.search(r"1 \(25\.0 %\) \[2\]", page)
    assert not re.search(r"""https?:|["'(=]//|@import|url\(""", page)


def test_a_blinded_page_knows_no_arm_and_no_product(done: Path) -> None:
    report = reports.build(done / "results", blinded=True)
    page = (report.parent / "safety.html").read_text(encoding="utf-8")
    for hidden in ("Cellmabine", "Placebovia", "UCX", "infusion", "Fisher"):
        assert hidden not in re.sub(r"Blinded: arms, infusions and", "", page), hidden
    assert "All patients" in page
    assert "3 (37.5 %) [4]" in page  # any event, of all eight


def test_a_table_that_cannot_be_counted_is_one_line(tmp_path: Path) -> None:
    study = written(tmp_path)
    (study / "events.csv").write_text(EVENTS.replace("moderate", "nasty"), encoding="utf-8")
    with pytest.raises(StudyError, match=r"severity, row \d+: found 'nasty', expected mild"):
        cytoreg.run(study)


def test_tables_of_an_earlier_run_do_not_stay(done: Path) -> None:
    """The last of this file: it runs the study again without its safety tables."""
    text = (done / "study.yaml").read_text(encoding="utf-8")
    (done / "study.yaml").write_text(
        text.replace(", adverse_events: events.csv, labs: labs.csv", ""), encoding="utf-8"
    )
    run = cytoreg.run(done)
    assert not [name for name in SAFETY if (run.folder / f"{name}.csv").exists()]
    assert not (run.report.parent / "safety.html").exists()
    assert "safety.html" not in run.report.read_text(encoding="utf-8")
