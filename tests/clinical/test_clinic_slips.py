"""Slips of a clinic that would change a number without a word: the row of a visit that stands twice, an arm in two
spellings, a baseline in another unit than its value, a query that writes. Expected values are put together by hand.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytoreg.clinical import acr, haq_di, link, read_clinical, remission_boolean
from cytoreg.clinical.safety import hys_law_shifts, safety_tables, survival_by_arm
from cytoreg.clinical.tables import Source, clinical_from_frames
from cytoreg.errors import LinkError

NO_SAMPLES = pd.DataFrame(columns=["sample_id", "subject_id", "percentage", "value"])
SUBJECTS = pd.DataFrame({"subject_id": ["P1"], "randomised": ["2021-01-03"]})
WINDOWS = {"baseline": {"day": 0, "window": [-14, 0]}, "month1": {"day": 30, "window": [-10, 10]}}
ROWS = [("baseline", -14, 1), ("baseline", -1, 2), ("baseline", 7, 3), ("month1", 22, 4), ("month1", 30, 5)]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_the_row_of_a_visit_is_the_same_whether_the_sheet_names_it_or_the_window_and_in_any_order(
    backwards: bool, named: bool
) -> None:
    rows = pd.DataFrame(ROWS[::-1] if backwards else ROWS, columns=["visit", "day", "il6"]).assign(subject_id="P1")
    visits = rows if named else rows.drop(columns="visit")
    linked = link(
        NO_SAMPLES,
        NO_SAMPLES,
        clinical_from_frames({"subjects": SUBJECTS, "visits": visits}, windows=WINDOWS),
    )
    assert linked.table[["visit", "day", "il6"]].to_numpy().tolist() == [["baseline", -1, 2], ["month1", 30, 5]]
    assert len(linked.unmatched[linked.unmatched["side"] == "visits"]) == 3


def test_of_two_named_rows_as_near_the_earlier_stands() -> None:
    visits = pd.DataFrame({"subject_id": "P1", "visit": "month1", "day": [35, 25], "il6": [1, 2]})
    clinical = clinical_from_frames({"subjects": SUBJECTS, "visits": visits}, windows=WINDOWS)
    assert link(NO_SAMPLES, NO_SAMPLES, clinical).table["day"].tolist() == [25]


def test_a_visit_without_a_window_keeps_the_first_row_of_the_sheet() -> None:
    visits = pd.DataFrame({"subject_id": "P1", "visit": "month9", "day": [275, 270], "il6": [1, 2]})
    clinical = clinical_from_frames({"subjects": SUBJECTS, "visits": visits}, windows=WINDOWS)
    assert link(NO_SAMPLES, NO_SAMPLES, clinical).table["day"].tolist() == [275]


def test_an_arm_in_two_spellings_is_not_two_arms() -> None:
    subjects = pd.DataFrame({"subject_id": ["P1", "P2", "P3"], "arm": ["DMARD", "MSC", "dmard"]})
    with pytest.raises(LinkError, match=r"row 4, column arm: found 'dmard', which is 'DMARD' in row 2"):
        clinical_from_frames({"subjects": subjects})
    repair = [{"table": "subjects", "where": {"arm": "dmard"}, "set": {"arm": "DMARD"}}]
    found = clinical_from_frames({"subjects": subjects}, rules={"repair": repair}).subjects
    assert found is not None
    assert found["arm"].tolist() == ["DMARD", "MSC", "DMARD"]


def test_adams_base_is_converted_with_its_value() -> None:
    long = pd.DataFrame(
        {
            "USUBJID": "a",
            "AVISIT": ["Baseline", "Week 4"],
            "ADY": [1, 30],
            "PARAMCD": "CRP",
            "AVAL": [1.0, 0.5],
            "AVALU": "mg/dL",
            "BASE": 1.0,
        }
    )
    clinical = clinical_from_frames({"visits": long})
    assert clinical.visits is not None
    assert clinical.visits[["crp", "crp base"]].to_numpy().tolist() == [[10, 10], [5, 10]]  # mg/L
    assert not [note for note in link(NO_SAMPLES, NO_SAMPLES, clinical).notes if "BASE" in note]


@pytest.mark.parametrize(
    "query", ["drop table visits", "delete from visits", "-- tidy\nupdate visits set esr = 1"]
)
def test_a_query_that_writes_is_refused_and_writes_nothing(tmp_path: Path, query: str) -> None:
    file = tmp_path / "clinic.db"
    with sqlite3.connect(file) as base:
        base.execute("create table visits (subject_id text, visit text, esr real)")
        base.execute("insert into visits values ('P1', 'b', 40)")
    url = f"sqlite:///{file}"
    with pytest.raises(LinkError, match="expected a query that only reads"):
        read_clinical({"visits": Source(url, query=query)})
    read = read_clinical(
        {"visits": Source(url, query="/* all */ WITH v AS (SELECT * FROM visits) SELECT * FROM v")}
    )
    assert read.visits is not None
    assert read.visits["esr"].tolist() == [40]


def test_a_spreadsheets_unicode_text_is_read(tmp_path: Path) -> None:
    file = tmp_path / "visits.tsv"
    file.write_bytes("subject_id\tvisit\tesr\nJörg\tb\t40\n".encode("utf-16"))
    read = read_clinical({"visits": file}).visits
    assert read is not None
    assert read[["subject_id", "esr"]].to_numpy().tolist() == [["Jörg", 40]]


def test_the_shifts_of_hys_law_are_among_the_tables_of_a_run() -> None:
    rows = [("a", "baseline", 0, 30, 10), ("a", "week 2", 14, 130, 40), ("b", "baseline", 0, 30, 10)]
    rows.append(("b", "week 2", 14, 30, 10))
    labs = pd.DataFrame(
        [
            {"subject_id": who, "visit": visit, "day": day, "test": test, "value": value, "low": 0, "high": high}
            for who, visit, day, alt, bili in rows
            for test, value, high in (("ALT", alt, 40), ("BILI", bili, 20))
        ]
    )
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "arm": ["MSC", "DMARD"]})
    table = safety_tables(subjects, lab_values=labs, control="DMARD").tables["lab_shifts"]
    both = table[(table["test"] == "both at one visit") & (table["arm"] == "MSC") & (table["subjects"] > 0)]
    assert both[["baseline", "after", "subjects"]].to_numpy().tolist() == [["normal", "high", 1]]
    alone = hys_law_shifts(labs, subjects, "DMARD")
    assert len(table[table["test"].isin(alone["test"])]) == len(alone)


def test_yes_and_no_of_a_visit_are_an_outcome_and_other_words_stay_text() -> None:
    visits = pd.DataFrame(
        {
            "subject_id": list("abc"),
            "visit": "m1",
            "day": 30,
            "good": ["yes", "No", None],
            "seen": ["TRUE", "FALSE", "TRUE"],
            "site": ["yes", "no", "north"],
        }
    )
    read = clinical_from_frames({"visits": visits}).visits
    assert read is not None
    assert read["good"].dtype == "boolean"
    assert read["good"].tolist()[:2] == [True, False]
    assert pd.isna(read["good"].iloc[2])
    assert read["seen"].tolist() == [True, False, True]
    assert read["site"].tolist() == ["yes", "no", "north"]


def test_an_infusion_without_a_day_is_listed_and_a_dose_below_zero_refused() -> None:
    given = pd.DataFrame({"subject_id": ["P1", "P1"], "date": ["2021-01-03", None], "dose_cells": [4e7, 4e7]})
    found = clinical_from_frames({"subjects": SUBJECTS, "infusions": given}).unmatched
    assert found["reason"].tolist() == ["has no study day, so it counts for no visit"]
    with pytest.raises(LinkError, match=r"row 3, column dose_cells: found -4e\+07, expected a number of cells"):
        clinical_from_frames({"subjects": SUBJECTS, "infusions": given.assign(dose_cells=[4e7, -4e7])})


def test_a_number_has_no_underscore() -> None:
    visits = pd.DataFrame({"subject_id": ["P1"], "visit": "b", "day": 0, "esr": ["1_2"]})
    with pytest.raises(LinkError, match="column esr: found '1_2', expected a number"):
        clinical_from_frames({"visits": visits})


def test_terms_that_differ_in_case_are_told() -> None:
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "arm": ["MSC", "DMARD"]})
    events = pd.DataFrame({"subject_id": ["a", "b"], "soc": "Skin", "term": ["Rash", "RASH"], "start_day": 3})
    notes = safety_tables(subjects, events, control="DMARD").notes
    assert any(
        "1 terms are written in ways that differ in case, such as 'Rash' and 'RASH'" in note for note in notes
    )


def test_the_log_rank_test_where_an_arm_or_everybody_is_gone() -> None:
    arm = pd.Series(["H"] * 2 + ["P"] * 3 + ["L"] * 3)
    days, event = pd.Series([1.0, 2, 5, 8, 11, 6, 12, 14]), pd.Series([0, 0, 1, 1, 0, 0, 1, 0]).astype(bool)
    found = survival_by_arm(days, event, arm, "P").set_index("arm")
    # R 4.2.2, survival 3.5.3: survdiff(Surv(t, e) ~ arm, data.frame(t = c(1, 2, 5, 8, 11, 6, 12, 14),
    # e = c(0, 0, 1, 1, 0, 0, 1, 0), arm = rep(c("H", "P", "L"), c(2, 3, 3)))): H is gone before the first event
    assert found["p_all"].tolist() == pytest.approx([0.157299207050284] * 3, rel=1e-9)
    assert np.isnan(found.loc["H", "p_value"])
    subjects = pd.DataFrame({"subject_id": ["a", "b"], "arm": ["MSC", "DMARD"]})
    events = pd.DataFrame({"subject_id": ["a", "b"], "soc": "Skin", "term": "Rash", "start_day": 3})
    table = safety_tables(subjects, events, control="DMARD").tables["time_to_event"]
    assert table["p_value"].isna().all()
    assert table["median"].tolist() == [4, 4]


def test_what_is_no_year_no_level_and_no_row_of_aids_is_one_line() -> None:
    with pytest.raises(LinkError, match="found the year 2020, expected 2011 or 2022"):
        remission_boolean(tender28=0, swollen28=0, crp=1, patient_global=1, year=2020)
    with pytest.raises(LinkError, match="found level '20'"):
        acr({}, {}, level="20")  # type: ignore[arg-type]
    with pytest.raises(LinkError, match="found 2 rows, expected as many as of items, 3"):
        haq_di([[1] * 20] * 3, aids=[[1] * 8] * 2)
