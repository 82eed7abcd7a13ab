"""Long tables, ADaM's names, databases, and windows with the baseline's own rule."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
from pathlib import Path

import pandas as pd
import pytest

from cytoreg.clinical import read_clinical
from cytoreg.clinical.tables import clinical_from_frames
from cytoreg.errors import CytoregError, LinkError, MissingDependency

ADSL = pd.DataFrame(
    {
        "USUBJID": ["01-1", "01-2"],
        "TRT01P": ["B", "A"],
        "TRT01A": ["A", "A"],
        "TRTSDT": [dt.date(2021, 1, 10), dt.date(2021, 2, 1)],
        "AGE": [50, 60],
        "SEX": ["F", "M"],
    }
)
ADLB = pd.DataFrame(
    [
        ("01-1", "Baseline", -3, "CRP", "C-reactive protein (mg/dL)", 2.0, 2.0, "Y", 0.0, 0.5),
        ("01-1", "Week 2", 15, "CRP", "C-reactive protein (mg/dL)", 1.0, 2.0, None, 0.0, 0.5),
        ("01-1", "Baseline", 1, "ALT", "Alanine Aminotransferase (U/L)", 20.0, 20.0, "Y", 6.0, 34.0),
        ("01-1", "Baseline", -9, "ALT", "Alanine Aminotransferase (U/L)", 99.0, 20.0, None, 6.0, 34.0),
        ("01-2", None, 40, "ALT", "Alanine Aminotransferase (U/L)", 30.0, 21.0, None, 6.0, 34.0),
    ],
    columns=["USUBJID", "AVISIT", "ADY", "PARAMCD", "PARAM", "AVAL", "BASE", "ABLFL", "A1LO", "A1HI"],
)


def test_adam_names_are_understood_and_a_long_table_is_spread_out() -> None:
    clinical = clinical_from_frames({"subjects": ADSL, "visits": ADLB, "labs": ADLB})
    assert clinical.subjects is not None
    assert clinical.visits is not None
    assert clinical.labs is not None
    assert clinical.unmatched is not None
    assert clinical.subjects[["subject_id", "arm", "age", "sex"]].to_numpy().tolist() == [
        ["01-1", "A", 50, "F"],  # treated with A, whatever was planned
        ["01-2", "A", 60, "M"],
    ]
    rows = clinical.visits.set_index("visit")
    assert rows.loc["Baseline", ["crp", "ALT", "ALT base", "crp_unit", "ALT_unit"]].tolist() == [
        20,
        20,
        20,
        "mg/L",
        "U/L",
    ]
    assert rows.loc["Week 2", "crp"] == 10
    assert rows["day"].tolist() == [
        -3,
        14,
    ]  # ADaM's day 15 is our 14; of days -3 and 0 (ALT) the earlier, each of one test
    reasons = clinical.unmatched["reason"].tolist()  # 5 rows in: 3 in cells, 2 listed
    assert len(reasons) == 2
    assert "duplicate: 'ALT' of this visit stands in row 4 too" in reasons
    assert "has no visit name, and the study has no windows" in reasons
    assert clinical.labs[["test", "value", "low", "high", "unit"]].iloc[3].tolist() == ["ALT", 99, 6, 34, "U/L"]
    assert clinical.day_zero["01-2"] == dt.date(2021, 2, 1)


def test_adverse_events_and_times_to_event_of_adam() -> None:
    events = pd.DataFrame(
        {
            "USUBJID": ["01-1", "01-1"],
            "AEBODSYS": ["SKIN", "SKIN"],
            "AEDECOD": ["PRURITUS", "RASH"],
            "ASTDT": ["2021-01-12", "2021-01"],
            "ASTDY": [3, None],
            "AESEV": ["MILD", "MILD"],
            "TRTEMFL": ["Y", None],
        }
    )
    times = pd.DataFrame(
        {"USUBJID": ["01-1"], "PARAMCD": ["TTDE"], "AVAL": [2], "CNSR": [0], "STARTDT": ["2021-01-10"]}
    )
    clinical = clinical_from_frames({"subjects": ADSL, "adverse_events": events, "time_to_event": times})
    assert clinical.adverse_events is not None
    assert clinical.time_to_event is not None
    assert clinical.adverse_events["start_day"].fillna(-1).tolist() == [2, -1]
    assert clinical.adverse_events[["soc", "term"]].iloc[0].tolist() == ["SKIN", "PRURITUS"]
    assert any("row 3, column start: 1 dates without a day or month" in note for note in clinical.notes)
    assert clinical.time_to_event[["test", "value", "censored"]].iloc[0].tolist() == ["TTDE", 2, 0]


def test_a_long_table_of_a_clinic_names_the_row_of_a_wrong_value() -> None:
    long = pd.DataFrame(
        [("P1", "b", "esr", 30), ("P1", "b", "tender28", 31)], columns=["subject_id", "visit", "test", "value"]
    )
    with pytest.raises(LinkError, match="row 3, column tender28: found 31"):
        clinical_from_frames({"visits": long})
    german = long.replace({"esr": "BSG", "tender28": "Gelenke"})
    renamed = clinical_from_frames({"visits": german}, columns={"BSG": "esr"}).visits
    assert renamed is not None
    assert renamed[["esr", "Gelenke"]].to_numpy().tolist() == [[30, 31]]


def test_baseline_is_the_last_before_treatment_and_other_windows_take_the_nearest() -> None:
    days = [-20, -3, 2, 27, 33, 34]
    visits = pd.DataFrame({"subject_id": "A", "day": days, "esr": range(6)})
    windows = {"baseline": {"day": 0, "window": [-28, 5]}, "month1": {"day": 30, "window": [-7, 7]}}
    infusions = pd.DataFrame({"subject_id": ["A"], "day": [0]})
    clinical = clinical_from_frames({"visits": visits, "infusions": infusions}, windows=windows)
    assert clinical.visits is not None
    assert clinical.unmatched is not None
    # day 2 is nearer to 0 than -3, but after the infusion; 27 and 33 are as near to 30: the earlier
    assert clinical.visits[["visit", "day"]].to_numpy().tolist() == [["baseline", -3], ["month1", 27]]
    assert len(clinical.visits) + len(clinical.unmatched) == len(visits)
    reasons = " | ".join(clinical.unmatched["reason"])
    assert "another row is the last before treatment" in reasons
    assert "day 2 is after the start of treatment on day 0" in reasons


def test_each_test_of_a_long_table_has_its_own_nearest_row() -> None:
    rows = [("A", 27, "esr", 1), ("A", 31, "esr", 2), ("A", 27, "crp", 3), ("A", 31, "crp", None)]
    visits = pd.DataFrame(rows, columns=["subject_id", "day", "test", "value"])
    clinical = clinical_from_frames({"visits": visits}, windows={"m1": {"day": 30, "window": [-7, 7]}})
    assert clinical.visits is not None
    assert clinical.visits[["esr", "crp"]].to_numpy().tolist() == [[2, 3]]


def test_an_infusion_that_is_told_twice_counts_once() -> None:
    infusions = pd.DataFrame({"subject_id": ["A", "A", "A"], "day": [0, 0, 30]})
    clinical = clinical_from_frames({"infusions": infusions})
    assert clinical.infusions is not None
    assert clinical.unmatched is not None
    assert clinical.infusions["day"].tolist() == [0, 30]
    assert clinical.unmatched["side"].tolist() == ["infusions"]


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "clinic.db") as connection:
        connection.execute("create table visits (subject_id text, visit text, date text, crp real)")
        connection.execute("insert into visits values ('P01', 'b', '2021-01-01', 12.5), ('P02', 'b', null, null)")
        connection.execute("create table dm (subject_id text, arm text)")
        connection.execute("insert into dm values ('P01', 'MSC'), ('P02', 'DMARD')")
    connection.close()
    return f"sqlite:///{tmp_path / 'clinic.db'}"


def test_a_table_of_a_database(database: str) -> None:
    clinical = read_clinical({"visits": database})
    assert clinical.visits is not None
    assert clinical.visits["subject_id"].tolist() == ["P01", "P02"]
    assert clinical.visits["crp"].fillna(-1).tolist() == [12.5, -1]
    assert any(note.startswith("visits: 2 rows read from sqlite") for note in clinical.notes)
    with pytest.raises(LinkError, match="has no table 'subjects'; there are: dm, visits"):
        read_clinical({"subjects": database})
    with pytest.raises(LinkError, match="there is no such file"):
        read_clinical({"subjects": database.replace("clinic", "other")})


def test_a_study_names_table_sheet_and_query(tmp_path: Path, database: str) -> None:
    from cytoreg.study import load_study
    from cytoreg.study.running import clinical_of

    assert database.endswith("clinic.db")
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        pd.DataFrame({"note": ["see the other sheet"]}).to_excel(book, sheet_name="Read me", index=False)
        pd.DataFrame({"subject_id": ["P01"], "day": [0]}).to_excel(book, sheet_name="Given", index=False)
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nclinical:\n"
        "  subjects: {file: 'sqlite:///clinic.db', table: dm}\n"  # relative to the study's folder
        "  visits: {file: 'sqlite:///clinic.db', query: select * from visits where crp > 0}\n"
        "  infusions: {file: book.xlsx, sheet: Given}\n"
        "  units: {crp: mg/dL}\n"
    )
    study = load_study(tmp_path)
    clinical = clinical_of(study)
    assert clinical.subjects["arm"].tolist() == ["MSC", "DMARD"]
    assert clinical.visits["crp"].tolist() == [125]
    assert clinical.infusions["subject_id"].tolist() == ["P01"]
    assert sorted(study.inputs()) == ["book.xlsx", "study.yaml"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("visit: v.csv", "line 3, key clinical.visit: unknown table; did you mean 'visits'"),
        ("visits: {file: v.csv, shet: A}", "key clinical.visits.shet: unknown key 'shet'; did you mean 'sheet'"),
        ("visits: {file: v.csv, table: A}", "`table` and `query` are of a database"),
        ("repair: [dirt]", "key clinical.repair"),
        ("visits: w.csv", "key clinical.visits: there is no file"),
    ],
)
def test_a_wrong_clinical_block_is_named(tmp_path: Path, line: str, expected: str) -> None:
    from cytoreg.study import load_study

    (tmp_path / "v.csv").write_text("subject_id,visit\nP1,b\n")
    (tmp_path / "study.yaml").write_text(f"cytoreg: 1\nclinical:\n  {line}\n")
    with pytest.raises(CytoregError) as problem:
        load_study(tmp_path)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingDependency, match=r"cytoreg\[sql\]"):
        read_clinical({"visits": "sqlite:///x.db"})


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    with pytest.raises(CytoregError) as problem:
        read_clinical({"visits": "nosuchdb://anna:secret@host/clinic"})
    assert "secret" not in str(problem.value)
