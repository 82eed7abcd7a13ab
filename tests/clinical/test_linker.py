"""The join of laboratory and clinic: one row a subject's visit, and nothing lost without a line saying so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.clinical import Clinical, Linked, link
from cytoreg.clinical.tables import clinical_from_frames
from cytoreg.errors import LinkError

TREGS = "Tregs % of CD4+"
SUBSET = "CD4+ % of lymphocytes"


def tubes(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["sample_id", "subject_id", "visit", "panel", "tube"])


def percents(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["sample_id", "percentage", "value"])
    return frame.assign(count=50, ancestor_count=1000, ci_low=frame["value"] - 1, ci_high=frame["value"] + 1)


def clinic(subjects: list[str], visits: list[tuple[str, str]], **values: object) -> Clinical:
    table = pd.DataFrame(visits, columns=["subject_id", "visit"]).assign(**values)
    return clinical_from_frames({"subjects": pd.DataFrame({"subject_id": subjects, "arm": "A"}), "visits": table})


def reasons(linked: Linked, side: str) -> dict[tuple[str, str, str], str]:
    rows = linked.unmatched[linked.unmatched["side"] == side]
    return {(r.subject_id, r.visit, r.sample_id): r.reason for r in rows.itertuples()}


def test_panels_of_a_visit_meet_in_one_row_with_their_counts() -> None:
    linked = link(
        tubes(("s1", "P01", "b", "treg", "full"), ("s2", "P01", "b", "tbnk", "full")),
        percents(("s1", TREGS, 5.0), ("s2", SUBSET, 40.0)),
        clinic(["P01"], [("P01", "b")]),
    )
    (row,) = linked.table.to_dict("records")
    assert (row[TREGS], row[SUBSET], row["samples"], row["arm"]) == (5.0, 40.0, "s1;s2", "A")
    assert (row[f"{TREGS} count"], row[f"{TREGS} of"]) == (50, 1000)
    assert (row[f"{TREGS} ci_low"], row[f"{TREGS} ci_high"]) == (4, 6)
    assert linked.unmatched.empty


def test_what_does_not_match_is_reported_on_both_sides_with_the_likely_reason() -> None:
    linked = link(
        tubes(
            ("s1", "P01", "b", "treg", "full"),
            ("s2", "P01", "Month1", "treg", "full"),
            ("s3", "PO2", "b", "treg", "full"),
            ("s4", "Q77", "b", "treg", "full"),
            ("s5", "P03", "month9", "treg", "full"),
        ),
        percents(*((f"s{i}", TREGS, 5.0) for i in range(1, 6))),
        clinic(["P01", "P02", "P03"], [("P01", "b"), ("P01", "month1"), ("P02", "b"), ("P03", "month2")]),
    )
    samples, visits = reasons(linked, "samples"), reasons(linked, "visits")
    assert samples["PO2", "b", "s3"] == "spelling? nearest is 'P02'"
    assert samples["Q77", "b", "s4"] == "subject is in no clinical table"
    assert samples["P01", "Month1", "s2"] == "spelling? nearest is 'month1'"
    assert samples["P03", "month9", "s5"] == "visit 'month9' is in no clinical visit of this subject"
    assert visits["P01", "month1", ""] == "spelling? nearest is 'Month1'"
    assert visits["P03", "month2", ""] == "visit 'month2' is in no sample of this subject"  # not a slip of month9
    assert "spelling? nearest is 'PO2'" in reasons(linked, "subjects")["P02", "", ""]
    spelled = linked.table[linked.table["visit"] == "Month1"]
    assert spelled[TREGS].tolist() == [5.0]  # reported, not repaired


def test_of_duplicates_the_first_is_kept_and_the_others_are_listed() -> None:
    linked = link(
        tubes(("s1", "P01", "b", "treg", "full"), ("s2", "P01", "b", "treg", "full")),
        percents(("s1", TREGS, 5.0), ("s2", TREGS, 9.0)),
        clinic(["P01", "P01"], [("P01", "b"), ("P01", "b")], esr=[30, 99]),
    )
    assert linked.table[[TREGS, "esr"]].to_numpy().tolist() == [[5.0, 30.0]]
    assert reasons(linked, "samples") == {("P01", "b", "s2"): "duplicate"}
    assert reasons(linked, "visits") == {("P01", "b", ""): "duplicate"}
    assert reasons(linked, "subjects") == {("P01", "", ""): "duplicate"}


def test_controls_are_neither_linked_nor_reported() -> None:
    linked = link(
        tubes(
            ("s1", "P01", "b", "treg", "full"),
            ("c1", "P01", "b", "treg", "fmo:CD25"),
            ("c2", "", "", "treg", "beads"),
        ),
        percents(("s1", TREGS, 5.0), ("c1", TREGS, 0.1)),
        clinic(["P01"], [("P01", "b")]),
    )
    assert len(linked.table) == 1
    assert linked.unmatched.empty


def test_a_full_tube_without_percentages_or_subject_is_reported() -> None:
    linked = link(
        tubes(
            ("s1", "P01", "b", "treg", "full"), ("s2", "P02", "b", "treg", "full"), ("s3", "", "b", "treg", "full")
        ),
        percents(("s1", TREGS, 5.0), ("sx", TREGS, 5.0)),
        clinic(["P01", "P02"], [("P01", "b"), ("P02", "b")]),
    )
    found = reasons(linked, "samples")
    assert found["P02", "b", "s2"] == "sample has no percentages"
    assert found["", "b", "s3"] == "has no subject_id"
    assert found["", "", "sx"] == "sample is not in the samples sheet"


def test_a_study_of_files_has_a_row_a_file_and_says_which_of_its_sheet_are_not_here() -> None:
    subjects = pd.DataFrame({"subject_id": ["f1.fcs", "f2.fcs", "f3.fcs"], "OVA_Conc": [0, 0.05, 0.5]})
    linked = link(
        tubes(("a", "f1.fcs", "", "act", "full"), ("b", "f3.fcs", "", "act", "full")),
        percents(("a", "CD69+ % of CD4+", 3.0), ("b", "CD69+ % of CD4+", 30.0)),
        clinical_from_frames({"subjects": subjects}),
    )
    assert linked.table[["subject_id", "OVA_Conc", "CD69+ % of CD4+"]].to_numpy().tolist() == [
        ["f1.fcs", 0.0, 3.0],
        ["f3.fcs", 0.5, 30.0],
    ]
    assert linked.unmatched["subject_id"].tolist() == ["f2.fcs"]


def test_without_clinical_tables_the_sheet_alone_makes_the_rows() -> None:
    sheet = tubes(("a", "P1", "b", "t", "full"), ("b", "P10", "b", "t", "full"), ("c", "P2", "b", "t", "full"))
    linked = link(sheet.assign(dose=[1, 3, 2]), percents(("a", TREGS, 1.0)), Clinical())
    assert linked.table["subject_id"].tolist() == ["P1", "P2", "P10"]
    assert linked.table["dose"].tolist() == [1, 2, 3]


def test_one_text_of_two_panels_gives_two_columns() -> None:
    linked = link(
        tubes(("s1", "P01", "b", "treg", "full"), ("s2", "P01", "b", "tbnk", "full")),
        percents(("s1", SUBSET, 41.0), ("s2", SUBSET, 43.0)),
        clinic(["P01"], [("P01", "b")]),
    )
    assert linked.table[[SUBSET, f"{SUBSET} [tbnk]"]].to_numpy().tolist() == [[41.0, 43.0]]
    assert any("panels treg, tbnk" in note for note in linked.notes)


def activity() -> Clinical:
    visits = pd.DataFrame(
        {
            "subject_id": ["A", "A", "A", "B", "B"],
            "visit": ["baseline", "month1", "month3", "baseline", "month1"],
            "day": [-2, 30, 90, 0, 30],
            "tender28": [16, 9, 1, 5, 5],
            "swollen28": [9, 4, 0, 4, 4],
            "esr": [30, 20, 10, 30, 30],
            "crp": [12, 8, 3, 12, 12],
            "patient_global": [60, 30, 10, 50, 50],
            "evaluator_global": [60, 30, 10, 50, 50],
            "pain": [60, 30, 10, 50, 50],
        }
    )
    subjects = pd.DataFrame({"subject_id": ["A", "B"], "arm": ["MSC", "DMARD"]})
    infusions = pd.DataFrame({"subject_id": ["A", "A"], "day": [0, 60]})
    return clinical_from_frames({"subjects": subjects, "visits": visits, "infusions": infusions})


def nothing() -> tuple[pd.DataFrame, pd.DataFrame]:
    return tubes(), percents()


def test_scores_responses_and_infusions_are_computed_from_what_is_there() -> None:
    table = link(*nothing(), activity()).table.set_index(["subject_id", "visit"])
    last = table.loc[("B", "baseline")]
    assert last["das28_esr"] == pytest.approx(4.893, abs=5e-4)
    assert last["das28_crp"] == pytest.approx(4.396, abs=5e-4)
    assert last["cdai"] == 5 + 4 + 5 + 5
    assert last["sdai"] == pytest.approx(19 + 1.2)
    assert last["das28_esr_category"] == "moderate"
    assert table.loc["A", "eular_response"].fillna("").tolist() == ["", "moderate", "good"]
    assert table.loc["B", "eular_response"].fillna("").tolist() == ["", "none"]
    assert table.loc["A", "acr20"].tolist() == [pd.NA, True, True]
    assert table.loc["A", "acr70"].tolist() == [pd.NA, False, True]
    assert table.loc["A", "infusions_so_far"].tolist() == [0, 1, 2]
    assert table.loc["B", "infusions_so_far"].tolist() == [0, 0]


def test_an_infusion_on_the_day_of_a_visit_comes_after_its_blood() -> None:
    clinical = clinical_from_frames(
        {
            "visits": pd.DataFrame({"subject_id": ["A", "A"], "visit": ["b", "m"], "day": [0, 1]}),
            "infusions": pd.DataFrame({"subject_id": ["A"], "day": [0]}),
        }
    )
    assert link(*nothing(), clinical).table["infusions_so_far"].tolist() == [0, 1]


def test_a_score_of_the_table_is_kept_its_gaps_filled_and_a_difference_noted() -> None:
    clinical = activity()
    assert clinical.visits is not None
    own = clinical.visits.assign(das28_esr=[np.nan, np.nan, np.nan, 4.89, 3.0])
    linked = link(*nothing(), Clinical(subjects=clinical.subjects, visits=own))
    table = linked.table.set_index(["subject_id", "visit"])
    assert table.loc["B", "das28_esr"].tolist() == [4.89, 3.0]
    assert table.loc["A", "das28_esr"].notna().all()
    (note,) = [note for note in linked.notes if "28 joints" not in note]
    assert "das28_esr: 1 of 2 visits" in note
    assert "at most 1.89" in note


def test_without_patient_global_the_three_variable_score_is_computed_and_said() -> None:
    clinical = activity()
    assert clinical.visits is not None
    linked = link(
        *nothing(), Clinical(subjects=clinical.subjects, visits=clinical.visits.drop(columns="patient_global"))
    )
    row = linked.table.set_index(["subject_id", "visit"]).loc[("B", "baseline")]
    assert row["das28_esr"] == pytest.approx(4.688, abs=5e-4)
    assert any("three-variable" in note for note in linked.notes)


def test_haq_items_become_the_index() -> None:
    items = {f"haq_{index}": [1, 2] for index in range(1, 21)}
    visits = pd.DataFrame({"subject_id": ["A", "B"], "visit": ["b", "b"], **items, "haq_aid_grip": ["yes", "no"]})
    table = link(*nothing(), clinical_from_frames({"visits": visits})).table
    assert table["haq_di"].tolist() == [9 / 8, 2]


def test_infusions_of_a_stranger_are_reported() -> None:
    clinical = activity()
    extra = pd.DataFrame({"subject_id": ["A", "Z"], "day": [0.0, 0.0]})
    linked = link(*nothing(), Clinical(subjects=clinical.subjects, visits=clinical.visits, infusions=extra))
    assert list(reasons(linked, "infusions")) == [("Z", "", "")]


def test_a_percentage_with_the_name_of_a_clinical_column_is_refused() -> None:
    with pytest.raises(LinkError, match="column 'esr' has the name of a percentage"):
        link(
            tubes(("s1", "P01", "b", "treg", "full")),
            percents(("s1", "esr", 5.0)),
            clinic(["P01"], [("P01", "b")], esr=[3]),
        )
    with pytest.raises(LinkError, match="samples: has no column 'subject_id'"):
        link(pd.DataFrame({"sample_id": []}), percents(), Clinical())
