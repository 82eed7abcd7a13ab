"""Tables as clinics have them: each fault is put right where it is declared, else one line says where it is."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from cytoreg.clinical import Clinical, link, read_clinical
from cytoreg.errors import LinkError

NO_SAMPLES = pd.DataFrame(columns=["sample_id", "subject_id", "percentage", "value"])


def read(folder: Path, rules: dict | None = None, **texts: str) -> Clinical:
    paths = {}
    for table, text in texts.items():
        paths[table] = folder / f"{table}.csv"
        paths[table].write_text(text, encoding="utf-8")
    return read_clinical(paths, rules=rules)


def refused(folder: Path, expected: str, rules: dict | None = None, **texts: str) -> None:
    with pytest.raises(LinkError) as problem:
        read(folder, rules, **texts)
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_trailing_blanks(tmp_path: Path) -> None:
    text = "subject_id,visit,esr\nP01,b,40\nP01 ,m1,20\n"
    refused(tmp_path, "visits.csv, row 3, column subject_id: found 'P01' with blanks around it", visits=text)
    clinical = read(tmp_path, {"repair": "blanks"}, visits=text)
    assert clinical.visits is not None
    assert clinical.visits["subject_id"].tolist() == ["P01", "P01"]
    assert any("row 3" in note and "as declared" in note for note in clinical.notes)


def test_a_word_for_no_value(tmp_path: Path) -> None:
    text = "subject_id,visit,esr,il6\nP01,b,40,n.d.\nP02,b,N.D.,3\nP03,b,1,4\n"
    refused(tmp_path, "visits.csv, row 3, column esr: found 'N.D.', expected a number; if it stands", visits=text)
    clinical = read(tmp_path, {"missing": ["n.d."]}, visits=text)
    assert clinical.visits is not None
    assert clinical.visits["esr"].isna().tolist() == [False, True, False]
    assert clinical.visits["il6"].isna().tolist() == [True, False, False]


def test_decimal_commas(tmp_path: Path) -> None:
    text = 'subject_id,visit,esr\nP01,b,"40,5"\nP02,b,7\n'
    refused(
        tmp_path, "visits.csv, row 2, column esr: found '40,5', expected a number; if it is a decimal", visits=text
    )
    clinical = read(tmp_path, {"decimal": ","}, visits=text)
    assert clinical.visits is not None
    assert clinical.visits["esr"].tolist() == [40.5, 7]
    both = text + "P03,b,1.234\n"  # 1.234 or 1234: nobody can know
    refused(
        tmp_path, "row 4, column esr: found '1.234' in a column with decimal commas", {"decimal": ","}, visits=both
    )
    mixed = read(tmp_path, {"decimal": [",", "."]}, visits=both)
    assert mixed.visits is not None
    assert mixed.visits["esr"].tolist() == [40.5, 7, 1.234]


def test_two_patients_with_one_id(tmp_path: Path) -> None:
    text = "subject_id,age,site\nP01,54,A\nP02,40,A\nP01,61,B\n"
    refused(
        tmp_path,
        "subjects.csv, row 4, column age: two patients with one id? 'P01' has '61' here and '54'",
        subjects=text,
    )
    fix = {"table": "subjects", "where": {"subject_id": "P01", "site": "B"}, "set": {"subject_id": "P01-B"}}
    clinical = read(tmp_path, {"repair": [fix]}, subjects=text)
    assert clinical.subjects is not None
    assert clinical.subjects["subject_id"].tolist() == ["P01", "P02", "P01-B"]
    assert clinical.subjects["age"].tolist() == [54, 40, 61]
    stale = {"table": "subjects", "row": 3, "where": {"subject_id": "P01"}, "set": {"subject_id": "P9"}}
    refused(
        tmp_path,
        "repair: subjects.csv has no row with row 3, subject_id 'P01'",
        {"repair": [stale]},
        subjects=text,
    )


def test_a_row_left_out_as_declared_is_listed(tmp_path: Path) -> None:
    text = "subject_id,age\nP01,54\nP01,61\n"
    fix = {"table": "subjects", "row": 3, "leave_out": "entered twice"}
    linked = link(
        NO_SAMPLES,
        NO_SAMPLES,
        read(tmp_path, {"repair": [fix]}, subjects=text, visits="subject_id,visit\nP01,b\n"),
    )
    (line,) = linked.unmatched.to_dict("records")
    assert (line["side"], line["subject_id"], line["reason"]) == (
        "subjects",
        "P01",
        "left out as declared: entered twice",
    )


def test_visit_names_that_differ_in_case(tmp_path: Path) -> None:
    text = "subject_id,visit\nP01,Month1\nP02,month1\n"
    refused(
        tmp_path,
        "visits.csv, row 3, column visit: found 'month1', which is 'Month1' in row 2 of visits.csv",
        visits=text,
    )
    clinical = read(tmp_path, {"repair": "visit_case"}, visits=text)
    tubes = pd.DataFrame(
        {"sample_id": ["s"], "subject_id": ["P02"], "visit": ["MONTH1"], "panel": "t", "tube": "full"}
    )
    table = link(tubes, NO_SAMPLES, clinical).table
    assert table["visit"].tolist() == ["Month1", "Month1"]
    assert table["samples"].fillna("").tolist() == ["", "s"]  # the samples sheet's spelling is one of them too


def test_dates_in_two_forms(tmp_path: Path) -> None:
    visits = "subject_id,visit,date\nP01,b,2021-02-01\nP01,m1,13/03/2021\nP01,m2,{}\n"
    text = visits.format("2021-04-02")
    infusions = "subject_id,date\nP01,2021-02-01\n"
    refused(
        tmp_path,
        "visits.csv, row 3, column date: found '13/03/2021', expected an ISO date",
        visits=text,
        infusions=infusions,
    )
    clinical = read(tmp_path, {"dates": "DD/MM/YYYY"}, visits=text, infusions=infusions)
    assert clinical.visits is not None
    assert clinical.visits["day"].tolist() == [0, 40, 60]
    two = {"dates": ["DD/MM/YYYY", "MM/DD/YYYY"]}
    unclear = visits.format("03/04/2021")
    refused(
        tmp_path,
        "row 4, column date: found '03/04/2021', which the declared forms read as 2021-04-03",
        two,
        visits=unclear,
    )
    read(tmp_path, two, visits=visits.format("04/04/2021"))  # both forms say the same day


def test_serial_dates_of_a_spreadsheet(tmp_path: Path) -> None:
    # 44197 is 1 January 2021 (Microsoft's documentation of DATEVALUE counts 1 January 1900 as 1)
    text = "subject_id,visit,date\nP01,b,44197\nP01,m1,2021-01-31\n"
    refused(tmp_path, "visits.csv, row 2, column date: found 44197, expected an ISO date", visits=text)
    clinical = read(tmp_path, {"dates": "excel"}, visits=text)
    assert clinical.visits is not None
    assert [date.date() for date in clinical.visits["date"]] == [dt.date(2021, 1, 1), dt.date(2021, 1, 31)]


def test_a_patient_in_both_arms(tmp_path: Path) -> None:
    text = "subject_id,arm\nP01,MSC\nP02,DMARD\nP01,DMARD\n"
    expected = "subjects.csv, row 4, column arm: patient 'P01' is in arm 'DMARD' here and in 'MSC' in row 2 of subjects.csv"
    refused(tmp_path, expected, subjects=text)
    fix = {"table": "subjects", "row": 4, "where": {"arm": "DMARD"}, "set": {"arm": "MSC"}}
    clinical = read(tmp_path, {"repair": [fix]}, subjects=text, visits="subject_id,visit\nP01,b\nP02,b\n")
    linked = link(NO_SAMPLES, NO_SAMPLES, clinical)
    assert linked.table["arm"].tolist() == ["MSC", "DMARD"]
    assert linked.unmatched["reason"].tolist() == ["duplicate"]  # the row that said the same twice
    other = "subject_id,visit,arm\nP01,b,DMARD\n"
    refused(
        tmp_path,
        "visits.csv, row 2, column arm: patient 'P01' is in arm",
        subjects="subject_id,arm\nP01,MSC\n",
        visits=other,
    )


def test_values_below_a_limit_are_kept_as_censored(tmp_path: Path) -> None:
    text = "subject_id,visit,il6,crp,crp_unit,group\nP01,b,<2.5,<0.3,mg/dL,<65\nP02,b,7,1,mg/dL,>=65\nP03,b,> 1000,,,<65\n"
    visits = read(tmp_path, visits=text).visits
    assert visits is not None
    assert visits["il6"].tolist() == [2.5, 7, 1000]
    assert visits["il6 censored"].tolist() == ["<", "", ">"]
    assert visits["crp"].fillna(-1).tolist() == [3, 10, -1]
    assert visits["crp censored"].tolist() == ["<", "", ""]
    assert visits["group"].tolist() == ["<65", ">=65", "<65"]  # names of groups, not limits


def test_units_of_whole_columns_and_a_value_out_of_its_range_in_them(tmp_path: Path) -> None:
    text = "subject_id,visit,crp,patient_global\nP01,b,1.5,7.5\nP02,b,2,11\n"
    units = {"crp": "mg/dL", "patient_global": "0-10"}
    refused(
        tmp_path,
        "visits.csv, row 3, column patient_global: found 110, expected 0 to 100 mm (the sheet says 11)",
        {"units": units},
        visits=text,
    )
    visits = read(tmp_path, {"units": units}, visits=text.replace(",11", ",4")).visits
    assert visits is not None
    assert visits["crp"].tolist() == [15, 20]
    assert visits["patient_global"].tolist() == [75, 40]
    refused(
        tmp_path,
        "units: visits.csv has no column 'CRP'; did you mean 'crp'",
        {"units": {"CRP": "mg/dL"}},
        visits=text,
    )
    refused(tmp_path, "units: crp: found 'g', expected mg/L or mg/dL", {"units": {"crp": "g"}}, visits=text)
    against = text.replace("patient_global", "crp_unit").replace("7.5", "mg/L").replace(",11", ",")
    refused(
        tmp_path,
        "row 2, column crp_unit: found 'mg/L', but `units:` declares",
        {"units": {"crp": "mg/dL"}},
        visits=against,
    )


def test_a_scale_that_looks_like_cm_is_said(tmp_path: Path) -> None:
    rows = "".join(f"P{i},b,{i}.5\n" for i in range(1, 7))
    notes = read(tmp_path, visits=f"subject_id,visit,pain\n{rows}").notes
    assert any("column pain: all 6 values are at most 10" in note for note in notes)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"repairs": ["blanks"]}, "unknown key 'repairs'; did you mean 'repair'"),
        ({"dates": "tomorrow"}, "found the form 'tomorrow', expected such as DD/MM/YYYY"),
        ({"repair": [{"table": "visits", "set": {"esr": 1}}]}, "expected `row` or `where`"),
        ({"repair": [{"row": 3, "set": {"esr": 1}}]}, "found no table"),
    ],
)
def test_a_wrong_rule_is_named(tmp_path: Path, rules: dict, expected: str) -> None:
    refused(tmp_path, expected, rules, visits="subject_id,visit\nP01,b\n")
