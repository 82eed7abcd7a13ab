"""The link as arithmetic: rows in are rows linked and rows listed, whatever the tables; changes and exposure by hand."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cytoreg.clinical import link
from cytoreg.clinical.tables import clinical_from_frames

TREGS = "Tregs % of CD4+"
NO_SAMPLES = pd.DataFrame(columns=["sample_id", "subject_id", "percentage", "value"])
PEOPLE = st.sampled_from(["P1", "P2", "P3", "Q4"])
VISITS = st.sampled_from(["baseline", "m1", "m3"])
DAYS = st.one_of(st.none(), st.integers(-40, 120))
WINDOWS = {
    "baseline": {"day": 0, "window": [-28, 3]},
    "m1": {"day": 30, "window": [-10, 25]},
    "m3": {"day": 60, "window": [-20, 20]},
}


def parts(column: pd.Series) -> list[str]:
    return [part for text in column.dropna() for part in str(text).split(";") if part]


@given(
    tubes=st.lists(st.tuples(PEOPLE, st.one_of(st.just(""), VISITS), DAYS), max_size=8),
    visits=st.lists(st.tuples(PEOPLE, st.one_of(st.none(), VISITS), DAYS), max_size=8),
    roster=st.lists(PEOPLE, unique=True, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_rows_in_are_rows_linked_and_rows_listed(
    tubes: list[tuple[str, str, int | None]], visits: list[tuple[str, str | None, int | None]], roster: list[str]
) -> None:
    zero = dt.date(2021, 6, 1)
    sheet = pd.DataFrame(
        [
            (f"s{i}", who, when, "treg", "full", "" if day is None else str(zero + dt.timedelta(days=day)))
            for i, (who, when, day) in enumerate(tubes)
        ],
        columns=["sample_id", "subject_id", "visit", "panel", "tube", "drawn_at"],
    )
    values = pd.DataFrame({"sample_id": sheet["sample_id"], "percentage": TREGS, "value": 5.0})
    clinic = pd.DataFrame(visits, columns=["subject_id", "visit", "day"]).astype({"visit": object, "day": float})
    clinic["mark"] = [float(i) for i in range(len(clinic))]
    subjects = pd.DataFrame({"subject_id": roster, "randomised": [zero] * len(roster)}, dtype=object)
    clinical = clinical_from_frames({"subjects": subjects, "visits": clinic}, windows=WINDOWS)
    linked = link(sheet, values, clinical)

    assert not linked.table.duplicated(["subject_id", "visit"]).any()
    assert set(linked.table["subject_id"]) <= set(roster)
    mine = linked.unmatched[linked.unmatched["side"] == "samples"]
    joined = parts(linked.table["samples"])
    assert len(joined) == len(set(joined))  # none doubled
    assert sorted(set(joined) | set(parts(mine["sample_id"]))) == sorted(sheet["sample_id"])  # none lost
    left_out = mine[
        ~mine["reason"].str.contains("is in no clinical visit|has no clinical visit|spelling\\? nearest is 'm")
    ]
    assert not set(parts(left_out["sample_id"])) & set(joined)

    theirs = linked.unmatched[linked.unmatched["side"] == "visits"]
    stays = theirs["reason"].str.contains("in no sample of this subject|has no sample|nearest is '(?:m|b)")
    gone = theirs[~stays]
    n_gone = int((gone["visit"] == "").sum()) + len(parts(gone["visit"]))
    marks = linked.table["mark"].dropna() if "mark" in linked.table.columns else pd.Series(dtype=float)
    assert not marks.duplicated().any()
    assert len(marks) + n_gone == len(clinic)


@given(st.lists(st.tuples(PEOPLE, VISITS, st.sampled_from(["esr", "IL6"]), st.integers(1, 9)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_every_row_of_a_long_table_is_a_cell_or_a_line(rows: list[tuple[str, str, str, int]]) -> None:
    long = pd.DataFrame(rows, columns=["subject_id", "visit", "test", "value"])
    clinical = clinical_from_frames({"visits": long})
    assert clinical.visits is not None
    assert clinical.unmatched is not None
    tests = [name for name in ("esr", "IL6") if name in clinical.visits.columns]
    assert int(clinical.visits[tests].notna().to_numpy().sum()) + len(clinical.unmatched) == len(rows)
    first = {}
    for who, visit, test, value in rows:
        first.setdefault((who, visit, test), value)
    for row in clinical.visits.to_dict("records"):
        for test in tests:
            assert first.get((row["subject_id"], row["visit"], test), np.nan) == pytest.approx(
                row[test], nan_ok=True
            )


def study() -> dict[str, pd.DataFrame]:
    visits = pd.DataFrame(
        {
            "subject_id": ["A"] * 5 + ["B"] * 2,
            "visit": ["screening", "baseline", "m1", "m3", "m4", "baseline", "m1"],
            "day": [-20, 0, 30, 60, 90, 0, 31],
            "esr": [44, 40, 30, 35, 20, 50, 51],
            "il6": ["9", "8", "<2", "6", "5", "7", "7"],
        }
    )
    infusions = pd.DataFrame({"subject_id": ["A", "A"], "day": [0, 60], "dose_cells": [4e7, 2e7]})
    subjects = pd.DataFrame({"subject_id": ["A", "B"], "age": [50, 60]})
    return {"visits": visits, "infusions": infusions, "subjects": subjects}


def test_changes_and_exposure_by_hand() -> None:
    table = link(NO_SAMPLES, NO_SAMPLES, clinical_from_frames(study())).table.set_index(["subject_id", "visit"])
    mine = table.loc["A"]
    assert mine["esr change"].fillna(999).tolist() == [999, 999, -10, -5, -20]
    # m4 is behind the infusion of day 60, whose last value before is 35; m3 itself is drawn before that infusion
    assert mine["esr since infusion"].fillna(999).tolist() == [999, 999, -10, -5, -15]
    assert mine["infusions_so_far"].tolist() == [0, 0, 1, 1, 2]
    assert mine["dose_so_far"].tolist() == [0, 0, 4e7, 4e7, 6e7]
    assert mine["days_since_infusion"].fillna(-1).tolist() == [-1, -1, 30, 60, 30]
    assert mine["il6 change"].fillna(999).tolist() == [
        999,
        999,
        999,
        -2,
        -3,
    ]  # no change to a value below its limit
    assert table.loc[("B", "m1"), "esr change"] == 1
    assert np.isnan(table.loc[("B", "m1"), "esr since infusion"])
    assert table.loc[("B", "m1"), "dose_so_far"] == 0
    assert not [name for name in table.columns if name.startswith("age ")]


def test_a_percentage_changes_in_points_and_a_sample_has_the_day_it_was_drawn() -> None:
    frames = study()
    subjects = frames["subjects"].assign(randomised=["2021-05-20", "2021-05-20"])
    infusions = frames["infusions"].drop(columns="day").assign(date=["2021-06-01", "2021-07-31"])
    clinical = clinical_from_frames({**frames, "subjects": subjects, "infusions": infusions})
    sheet = pd.DataFrame(
        [
            ("s1", "A", "baseline", "2021-06-01"),
            ("s2", "A", "unplanned", "2021-06-11T08:30"),
            ("s3", "B", "unplanned", "2021-06-11"),
            ("s4", "B", "late", "last week"),
        ],
        columns=["sample_id", "subject_id", "visit", "drawn_at"],
    )
    values = pd.DataFrame({"sample_id": ["s1", "s2"], "percentage": TREGS, "value": [4.0, 6.5]})
    linked = link(sheet, values, clinical)
    table = linked.table.set_index(["subject_id", "visit"])
    assert table.loc[("A", "unplanned"), "day"] == 10
    assert table.loc[("A", "unplanned"), f"{TREGS} change"] == 2.5
    assert table.loc[("A", "unplanned"), f"{TREGS} since infusion"] == 2.5
    assert table.loc[("B", "unplanned"), "day"] == 22  # from randomisation, as B has no infusion
    assert np.isnan(table.loc[("B", "late"), "day"])
    assert "samples: 1 of 4 cells of drawn_at are no ISO date such as 2021-04-30: no study day" in linked.notes


def test_a_tube_without_a_visit_gets_that_of_its_window() -> None:
    infusions = pd.DataFrame({"subject_id": ["A"], "date": ["2021-06-01"]})
    visits = pd.DataFrame({"subject_id": ["A"], "date": ["2021-07-01"], "esr": [30]})
    clinical = clinical_from_frames({"infusions": infusions, "visits": visits}, windows=WINDOWS)
    drawn = {"a": "2021-05-20", "b": "2021-05-30", "c": "2021-06-02", "d": "2021-06-29", "e": "2021-12-24"}
    sheet = pd.DataFrame({"sample_id": list(drawn), "subject_id": "A", "drawn_at": list(drawn.values())})
    linked = link(sheet, NO_SAMPLES, clinical)
    assert dict(zip(linked.table["visit"], linked.table["samples"], strict=True)) == {"baseline": "b", "m1": "d"}
    why = dict(zip(linked.unmatched["sample_id"], linked.unmatched["reason"], strict=True))
    assert why["a"] == "duplicate: another tube was drawn nearer to 'baseline'"
    assert why["c"] == "day 1 is after the start of treatment, so it is no baseline"
    assert why["e"] == "day 206 is in no visit window"


def test_a_subject_on_one_side_only_is_listed_once() -> None:
    rows = [("P1", "b"), ("P1", "m1"), ("P2", "b"), ("P2", "m1")]
    visits = pd.DataFrame(rows, columns=["subject_id", "visit"])
    sheet = pd.DataFrame(
        [("s1", "P1", "b"), ("s2", "P3", "b"), ("s3", "P3", "m1"), ("s4", "XY9", "b"), ("s5", "XY9", "m1")],
        columns=["sample_id", "subject_id", "visit"],
    )
    roster = pd.DataFrame({"subject_id": ["P1", "P2", "P3"]})
    listed = link(sheet, NO_SAMPLES, clinical_from_frames({"subjects": roster, "visits": visits})).unmatched
    found = Counter(zip(listed["side"], listed["subject_id"], listed["sample_id"], listed["reason"], strict=True))
    assert found == {
        ("samples", "XY9", "s4;s5", "subject is in no clinical table (2 samples)"): 1,
        ("visits", "P1", "", "visit 'm1' is in no sample of this subject"): 1,
        ("samples", "P3", "s2;s3", "subject has no clinical visit (2 samples)"): 1,
        ("subjects", "P2", "", "subject has no sample"): 1,
    }
    alone = link(sheet, NO_SAMPLES, clinical_from_frames({"visits": visits})).unmatched
    assert ("visits", "P2", "b;m1", "subject has no sample (2 visits)") in set(
        zip(alone["side"], alone["subject_id"], alone["visit"], alone["reason"], strict=True)
    )


def test_results_and_events_of_a_stranger_are_listed() -> None:
    roster = pd.DataFrame({"subject_id": ["P1"]})
    labs = pd.DataFrame({"subject_id": ["P1", "Z", "Z"], "test": "ALT", "value": [1, 2, 3]})
    listed = link(NO_SAMPLES, NO_SAMPLES, clinical_from_frames({"subjects": roster, "labs": labs})).unmatched
    assert listed[["side", "subject_id", "reason"]].to_numpy().tolist() == [
        ["labs", "Z", "subject is not in the subjects table (2 rows)"]
    ]
