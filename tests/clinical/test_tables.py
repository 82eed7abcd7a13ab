"""Clinic sheets in: formats, names, days, windows, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cytoreg.clinical import read_clinical
from cytoreg.clinical.tables import clinical_from_frames
from cytoreg.errors import LinkError

VISITS = pd.DataFrame(
    {
        "subject_id": ["P01", "P01", "P02"],
        "visit": ["baseline", "month1", "baseline"],
        "day": [0, 30, -1],
        "tender28": [10, 4, 12],
        "esr": [40.5, 20, None],
        "il6": ["12.5", "3", ""],
    }
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "xlsx", "parquet"])
def test_the_four_formats_hold_the_same_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"visits.{suffix}"
    if suffix == "xlsx":
        VISITS.to_excel(path, index=False)
    elif suffix == "parquet":
        VISITS.to_parquet(path)
    else:
        VISITS.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    visits = read_clinical({"visits": path}).visits
    assert visits is not None
    assert visits["subject_id"].tolist() == ["P01", "P01", "P02"]
    assert visits["tender28"].tolist() == [10, 4, 12]
    assert visits["il6"].tolist() == pytest.approx([12.5, 3, float("nan")], nan_ok=True)
    assert visits["esr"].isna().tolist() == [False, False, True]


def test_a_number_as_id_in_a_spreadsheet_is_the_same_id_as_in_text(tmp_path: Path) -> None:
    pd.DataFrame({"subject_id": [7.0, 8.0], "arm": [1, 2]}).to_excel(tmp_path / "s.xlsx", index=False)
    subjects = read_clinical({"subjects": tmp_path / "s.xlsx"}).subjects
    assert subjects is not None
    assert subjects["subject_id"].tolist() == ["7", "8"]
    assert subjects["arm"].tolist() == ["1", "2"]


def test_semicolons_and_decimal_commas_of_a_european_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("subject_id;visit;esr\nP01;baseline;40,5\n", encoding="utf-8-sig")
    visits = read_clinical({"visits": path}).visits
    assert visits is not None
    assert visits["esr"].tolist() == [40.5]


def write(folder: Path, text: str, name: str = "visits.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "subject_id,visit,tender28\nP01,b,3\n\nP02,b,31\n",
            "visits.csv, row 4, column tender28: found 31, expected a whole",
        ),
        ("subject_id,visit,esr\nP01,b,high\n", "visits.csv, row 2, column esr: found 'high', expected a number"),
        (
            "subject_id,visit,date\nP01,b,30/04/2021\n",
            "row 2, column date: found '30/04/2021', expected an ISO date",
        ),
        ("subject_id,visit\nP01,b\n,b\n", "row 3, column subject_id: found nothing"),
        ("subject,visit\nP01,b\n", "has no column 'subject_id'; did you mean 'subject'"),
        ("subject_id,visit,esr\nP01,b,1,9\n", "row 2: found 4 cells, expected the header's 3"),
        ("subject_id,visit,visit\nP01,b,c\n", "row 1: column 'visit' stands twice"),
        ("subject_id,day\nP01,3\n", "has no column 'visit' and the study has no windows"),
        ("subject_id,visit\nP01,\n", "row 2, column visit: found nothing"),
        ("", "the table is empty"),
        ("subject_id,visit,haq_dress\nP01,b,5\n", "column haq_dress: found 5, expected 0, 1, 2 or 3"),
        ("subject_id,visit,crp,crp_unit\nP01,b,5,g/L\n", "column crp_unit: found 'g/L', expected mg/L or mg/dL"),
    ],
)
def test_an_error_names_file_row_and_column(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(LinkError) as problem:
        read_clinical({"visits": write(tmp_path, text)})
    assert expected in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="there is no such file"):
        read_clinical({"visits": tmp_path / "visits.csv"})
    with pytest.raises(LinkError, match=r"expected one of \.csv"):
        read_clinical({"visits": write(tmp_path, "x", "visits.docx")})
    with pytest.raises(LinkError, match="cannot be read as a spreadsheet"):
        read_clinical({"visits": write(tmp_path, "x", "visits.xlsx")})
    with pytest.raises(LinkError, match="unknown table 'visit'; did you mean 'visits'"):
        read_clinical({"visit": tmp_path / "visits.csv"})


def test_crp_in_mg_per_dl_is_converted_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, "subject_id,visit,crp,crp_unit\nP01,b,1.5,mg/dL\nP02,b,8,mg/L\n")
    clinical = read_clinical({"visits": path})
    assert clinical.visits is not None
    assert clinical.visits["crp"].tolist() == [15, 8]
    assert any("mg/dL were converted" in note for note in clinical.notes)


@pytest.mark.parametrize("columns", [{"PatNr": "subject_id", "BSG": "esr"}, {"subject_id": "PatNr", "esr": "BSG"}])
def test_columns_of_a_lab_are_renamed_either_way_round(tmp_path: Path, columns: dict[str, str]) -> None:
    paths = {
        "visits": write(tmp_path, "PatNr,visit,BSG\nP01,b,40\n"),
        "subjects": write(tmp_path, "subject_id,arm\nP01,A\n", "subjects.csv"),
    }
    clinical = read_clinical(paths, columns=columns)
    assert clinical.visits is not None
    assert clinical.visits["esr"].tolist() == [40]
    with pytest.raises(LinkError, match="names no column there is"):
        read_clinical(paths, columns=columns | {"Nr": "tender28"})


def test_text_among_numbers_is_kept_and_noted() -> None:
    frame = VISITS.assign(il6=["n.d.", "3", "4"])
    clinical = clinical_from_frames({"visits": frame})
    assert clinical.visits is not None
    assert clinical.visits["il6"].tolist() == ["n.d.", "3", "4"]
    (note,) = clinical.notes
    assert note.startswith(
        "the visits table, row 2, column il6: 1 of 3 values are not numbers (the first is 'n.d.')"
    )


def test_study_day_counts_from_the_first_infusion_else_from_randomisation() -> None:
    subjects = pd.DataFrame({"subject_id": ["A", "B"], "randomised": ["2021-01-01", "2021-01-01"]})
    infusions = pd.DataFrame({"subject_id": ["A", "A"], "date": ["2021-03-01", "2021-01-11"]})
    visits = pd.DataFrame({"subject_id": ["A", "B"], "visit": ["v", "v"], "date": ["2021-01-31", "2021-01-31"]})
    clinical = clinical_from_frames({"subjects": subjects, "visits": visits, "infusions": infusions})
    assert clinical.visits is not None
    assert clinical.infusions is not None
    assert clinical.subjects is not None
    assert clinical.visits["day"].tolist() == [20, 30]
    assert clinical.infusions["day"].tolist() == [49, 0]
    assert clinical.subjects["randomised_day"].tolist() == [-10, 0]


def test_a_window_names_a_visit_the_nearest_row_wins_and_the_earlier_on_a_tie() -> None:
    visits = pd.DataFrame(
        {"subject_id": ["A"] * 5 + ["B"], "day": [0, 28, 32, 33, 60, 36], "esr": [1, 2, 3, 4, 5, 6]}
    )
    windows = {"baseline": {"day": 0}, "month1": {"day": 30, "window": [-7, 7]}}
    clinical = clinical_from_frames({"visits": visits}, windows=windows)
    assert clinical.visits is not None
    assert clinical.unmatched is not None
    kept = clinical.visits[["subject_id", "visit", "day"]].to_numpy().tolist()
    assert kept == [["A", "baseline", 0], ["A", "month1", 28], ["B", "month1", 36]]
    reasons = clinical.unmatched["reason"].tolist()
    assert len(reasons) == 3  # 32 and 33 lose against 28, 60 is in no window: no row is lost without a line
    assert "day 60 is in no visit window" in reasons
    assert sum(reason.startswith("duplicate") for reason in reasons) == 2


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ({"m1": 30}, r"windows.m1: found 30, expected such as"),
        ({"m1": {"day": 30, "windw": [-1, 1]}}, "unknown key 'windw'; did you mean 'window'"),
        ({"m1": {"day": 30, "window": [7, -7]}}, "expected the smaller number first"),
    ],
)
def test_a_wrong_window_is_named(windows: dict, expected: str) -> None:
    with pytest.raises(LinkError, match=expected):
        clinical_from_frames({"visits": VISITS}, windows=windows)


def test_a_global_in_cm_becomes_mm_and_a_column_of_two_units_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text(
        "subject_id,visit,patient_global,patient_global_unit,tnf_alpha,tnf_alpha_unit\n"
        "P1,baseline,7.5,cm,10,pg/mL\nP1,month1,40,mm,8,pg/mL\n",
        encoding="utf-8",
    )
    clinical = read_clinical({"visits": path})
    assert clinical.visits is not None
    assert clinical.visits["patient_global"].tolist() == [75.0, 40.0]
    assert any("converted to mm" in note for note in clinical.notes)
    path.write_text(path.read_text(encoding="utf-8").replace("8,pg/mL", "0.008,ng/mL"), encoding="utf-8")
    with pytest.raises(LinkError, match="row 3, column tnf_alpha_unit: found 'ng/mL', expected 'pg/mL'"):
        read_clinical({"visits": path})
