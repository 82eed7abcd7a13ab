"""Laboratory values: baseline, change, shifts (against R), CTCAE 5.0 at its borders, Hy's law."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from cytoreg.clinical.safety import (
    ctcae_grade,
    general_association,
    grade_table,
    hys_law,
    hys_law_shifts,
    lab_changes,
    safety_tables,
    shift_table,
)
from cytoreg.clinical.safety.ctcae import canonical
from cytoreg.clinical.safety.ctcae_criteria import CRITERIA
from cytoreg.errors import LinkError

SUBJECTS = pd.DataFrame({"subject_id": ["A", "B", "C"], "arm": ["cells", "cells", "DMARD"]})


def labs(
    *rows: tuple[object, ...], columns: str = "subject_id test visit day value unit low high"
) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=columns.split())


ALT = labs(
    ("A", "ALT", "screening", -10, 50, "U/L", 5, 40),
    ("A", "ALT", "baseline", 0, 30, "U/L", 5, 40),
    ("A", "ALT", "month1", 30, 45, "U/L", 5, 40),
    ("A", "ALT", "month3", 90, "<4", "U/L", 5, 40),
    ("B", "ALT", "baseline", -1, 41, "U/L", 5, 40),
    ("B", "ALT", "month1", 31, 20, "U/L", 5, 40),
    ("C", "ALT", "month1", 30, 90, "U/L", 5, 40),
)


def test_baseline_is_the_last_value_on_or_before_day_0() -> None:
    table = lab_changes(ALT, SUBJECTS, "DMARD").set_index(["visit", "arm"])
    assert table.loc[("month1", "cells"), ["n", "change_n", "change"]].tolist() == [2, 2, (15 - 21) / 2]
    assert table.loc[("month3", "cells"), "change"] == 4 - 30  # `<4` counts as its limit
    assert np.isnan(table.loc[("month1", "DMARD"), "change"])  # no baseline, no change
    assert list(dict.fromkeys(table.index.get_level_values("visit"))) == [
        "screening",
        "baseline",
        "month1",
        "month3",
    ]


def test_without_days_the_visit_named_baseline_is_the_baseline() -> None:
    table = lab_changes(ALT.drop(columns="day"), SUBJECTS, "DMARD").set_index(["visit", "arm"])
    assert table.loc[("month1", "cells"), "change"] == (15 - 21) / 2


def test_a_flag_names_the_baseline_against_the_days() -> None:
    flagged = ALT.assign(is_baseline=["Y"] + [""] * 6)
    table = lab_changes(flagged, SUBJECTS, "DMARD").set_index(["visit", "arm"])
    assert table.loc[("month1", "cells"), ["change_n", "change"]].tolist() == [1, 45 - 50]


def test_a_subject_shifts_once_to_the_worst_of_both_sides() -> None:
    table = shift_table(ALT, SUBJECTS, "DMARD")
    cells = table[table["subjects"] > 0][["arm", "baseline", "after", "subjects", "percent"]]
    assert cells.to_numpy().tolist() == [
        ["cells", "normal", "low and high", 1, 100.0],
        ["cells", "high", "normal", 1, 100.0],
    ]


def test_general_association_is_that_of_r() -> None:
    """mantelhaen.test(array(c(10,4,3,2,8,5,1,2,9, 3,6,2,7,1,4,5,5,5), c(3,3,2))), R 4.2.2: 8.3094860411364, 4 df."""
    first, second = [[10, 2, 1], [4, 8, 2], [3, 5, 9]], [[3, 7, 5], [6, 1, 5], [2, 4, 5]]
    found = general_association([first, second])
    assert found == pytest.approx((8.3094860411364, 4, 0.0808770034036), rel=1e-9)
    empty_level = [[[*row, 0] for row in stratum] for stratum in (first, second)]
    assert general_association([*empty_level, [[0, 0, 0, 1]] + [[0] * 4] * 2]) == pytest.approx(found)
    assert np.isnan(general_association([[[3, 0], [4, 0]]])[2])  # nobody differs


# Common Terminology Criteria for Adverse Events 5.0: the value at which each grade ends, and one beyond it.
RELATIVE = [
    ("Alanine aminotransferase increased", (1, 3, 5, 20)),
    ("Aspartate aminotransferase increased", (1, 3, 5, 20)),
    ("Alkaline phosphatase increased", (1, 2.5, 5, 20)),
    ("GGT increased", (1, 2.5, 5, 20)),
    ("Blood bilirubin increased", (1, 1.5, 3, 10)),
    ("Creatinine increased", (1, 1.5, 3, 6)),
]


@pytest.mark.parametrize(("term", "borders"), RELATIVE)
def test_grades_in_multiples_of_the_upper_limit_at_their_borders(term: str, borders: tuple[float, ...]) -> None:
    at = [40 * border for border in borders]
    assert ctcae_grade(term, at, high=40).tolist() == [0, 1, 2, 3]
    assert ctcae_grade(term, [value + 0.1 for value in at], high=40).tolist() == [1, 2, 3, 4]
    assert np.isnan(ctcae_grade(term, [100, np.nan])).all()


@pytest.mark.parametrize(("term", "borders"), RELATIVE[:5])
def test_an_abnormal_baseline_is_what_liver_tests_are_graded_by(term: str, borders: tuple[float, ...]) -> None:
    """1.5 times the baseline begins grade 1 of ALT and AST, 2 times that of ALP and GGT, anything above it of bilirubin."""
    first = {"Alkaline phosphatase increased": 2.0, "GGT increased": 2.0, "Blood bilirubin increased": 1.0}.get(
        term, 1.5
    )
    graded = ctcae_grade(term, [100 * first - 1, 100 * first + 1, 100 * borders[1] + 1], high=40, baseline=100)
    assert graded.tolist() == [0, 1, 2]
    assert ctcae_grade(term, 100 * first, high=40, baseline=100) == (0 if first == 1 else 1)
    assert ctcae_grade(term, 81, high=40, baseline=40) == ctcae_grade(term, 81, high=40)  # at the limit is normal


def test_creatinine_is_also_graded_by_its_own_baseline() -> None:
    """Above 1.5 times the baseline grade 2, above 3 times grade 3, whatever the limit says."""
    graded = ctcae_grade(
        "Creatinine increased", [75, 76, 150, 151, 90], high=100, baseline=[50, 50, 50, 50, np.nan]
    )
    assert graded.tolist() == [0, 2, 2, 3, 0]


@pytest.mark.parametrize(
    ("term", "unit", "low", "borders"),
    [
        ("Anemia", "g/dL", 12, (12, 10, 8)),
        ("Anemia", "g/L", 120, (120, 100, 80)),
        ("Neutrophil count decreased", "10^9/L", 1.8, (1.8, 1.5, 1.0, 0.5)),
        ("Neutrophil count decreased", "/mm3", 1800, (1800, 1500, 1000, 500)),
        ("Lymphocyte count decreased", "GI/L", 1.0, (1.0, 0.8, 0.5, 0.2)),
        ("Platelet count decreased", "x10^9/L", 150, (150, 75, 50, 25)),
        ("White blood cell decreased", "/µL", 4000, (4000, 3000, 2000, 1000)),
        ("Hypoalbuminemia", "g/L", 35, (35, 30, 20)),
    ],
)
def test_grades_in_amounts_at_their_borders(term: str, unit: str, low: float, borders: tuple[float, ...]) -> None:
    grades = list(range(len(borders)))
    assert ctcae_grade(term, list(borders), low=low, unit=unit).tolist() == grades
    beyond = [border * (1 - 1e-6) for border in borders]
    assert ctcae_grade(term, beyond, low=low, unit=unit).tolist() == [grade + 1 for grade in grades]
    assert np.isnan(ctcae_grade(term, list(borders), low=low, unit="furlongs")).all()
    assert np.isnan(ctcae_grade(term, borders[0], unit=unit)).all()  # whether grade 0 or 1 needs the range
    assert ctcae_grade(term, borders[-1] / 2, unit=unit) == len(borders)  # a low one does not


def test_too_much_potassium_sodium_and_lymphocytes() -> None:
    assert ctcae_grade("Hyperkalemia", [5, 5.1, 5.6, 6.1, 7.1], high=5, unit="mmol/L").tolist() == [0, 1, 2, 3, 4]
    assert ctcae_grade("Hypokalemia", [3.5, 3.4, 2.9, 2.4], low=3.5, unit="mmol/L").tolist() == [0, 1, 3, 4]
    assert ctcae_grade("Hypernatremia", [146, 151, 156, 161], high=145, unit="mmol/L").tolist() == [1, 2, 3, 4]
    assert ctcae_grade("Lymphocyte count increased", [4, 4.1, 20.1], unit="10^9/L").tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("term", "high", "by_mass", "molar"),
    [
        ("Hypercalcemia", True, (11.5, 12.5, 13.5), (2.9, 3.1, 3.4)),
        ("Hypocalcemia", False, (8.0, 7.0, 6.0), (2.0, 1.75, 1.5)),
        ("Hypomagnesemia", False, (1.2, 0.9, 0.7), (0.5, 0.4, 0.3)),
        ("Hypoglycemia", False, (55, 40, 30), (3.0, 2.2, 1.7)),
        ("Cholesterol high", True, (300, 400, 500), (7.75, 10.34, 12.92)),
    ],
)
def test_each_unit_has_the_borders_that_the_criteria_give_it(
    term: str, high: bool, by_mass: tuple[float, ...], molar: tuple[float, ...]
) -> None:
    beyond, limit = (
        (1 + 1e-6, 0.0) if high else (1 - 1e-6, 1e6)
    )  # every value is beyond the range: grade 1 at least
    for unit, borders in (("mg/dL", by_mass), ("mmol/L", molar)):
        at = ctcae_grade(term, list(borders), low=limit, high=limit, unit=unit)
        past = ctcae_grade(term, [border * beyond for border in borders], low=limit, high=limit, unit=unit)
        assert (at.tolist(), past.tolist()) == ([1, 2, 3], [2, 3, 4])


def test_terms_that_skip_a_grade_or_begin_elsewhere() -> None:
    assert ctcae_grade("Hyponatremia", [135, 134, 129, 124, 119], low=135, unit="mmol/L").tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert ctcae_grade("Hypermagnesemia", [2.4, 3.0, 3.1, 8.1], high=2.4, unit="mg/dL").tolist() == [0, 1, 3, 4]
    assert ctcae_grade("Hypertriglyceridemia", [149, 150, 301, 501, 1001], unit="mg/dL").tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert ctcae_grade("INR increased", [1.2, 1.3, 1.6, 2.6]).tolist() == [0, 1, 2, 3]
    assert ctcae_grade("Lipase increased", [60, 61, 91, 301], high=60).tolist() == [0, 1, 2, 3]
    assert ctcae_grade("CPK increased", [200, 501, 1001, 2001], high=200, baseline=900).tolist() == [0, 2, 3, 4]
    assert ctcae_grade("CD4 lymphocytes decreased", [499, 199, 49], low=500, unit="cells/uL").tolist() == [2, 3, 4]
    assert ctcae_grade("Anemia", [6.2, 6.1, 4.8], low=7.4, unit="mmol/L").tolist() == [1, 2, 3]


def test_a_milliequivalent_of_an_ion_with_two_charges_is_half_a_millimole() -> None:
    assert ctcae_grade("Hypermagnesemia", 1.7, low=1.3, high=2.1, unit="mEq/L") == 0
    assert ctcae_grade("Hypomagnesemia", 0.9, low=1.3, unit="mEq/L") == 2  # 0.45 mmol/L
    assert ctcae_grade("Hypercalcemia", 4.8, high=5.3, unit="mEq/L") == 0
    assert ctcae_grade("Hypercalcemia (ionized)", [2.3, 4.8], high=[2.6, 5.3], unit="mEq/L").tolist() == [0, 4]
    assert ctcae_grade("Hypocalcemia (ionized)", 4.5, low=4.4, unit="mg/dL") == 0
    assert ctcae_grade("Hyperkalemia", 5.6, high=5, unit="mEq/L") == 2
    assert np.isnan(ctcae_grade("Hypoglycemia", 4, low=3.9, unit="mEq/L")).all()


@pytest.mark.parametrize("term", [c.term for c in CRITERIA if c.units and c.limits[0] is None])
def test_no_accepted_unit_makes_a_value_within_its_range_a_high_grade(term: str) -> None:
    """Usual ranges in the unit of the criterion, put into each unit that is taken."""
    usual = {
        "HGB": (120, 160),
        "NEUT": (1.8, 7.5),
        "LYM": (1, 4),
        "CD4": (0.5, 1.5),
        "PLAT": (150, 400),
        "WBC": (4, 10),
        "ALB": (35, 50),
        "K": (3.5, 5),
        "SODIUM": (135, 145),
        "CACR": (8.6, 10.2),
        "CAION": (1.15, 1.3),
        "MG": (1.7, 2.2),
        "GLUC": (70, 99),
        "CHOL": (120, 200),
    }
    molar = {"HGB": (7.4, 9.9), "CACR": (2.15, 2.55), "MG": (0.7, 0.9), "GLUC": (3.9, 5.5), "CHOL": (3.1, 5.2)}
    criterion = next(found for found in CRITERIA if found.term == term)
    for units, (low, high) in (
        (criterion.units, usual[criterion.test]),
        (criterion.molar_units, molar.get(criterion.test, (0, 0))),
    ):
        for unit, factor in units.items():
            graded = ctcae_grade(
                term, [low / factor, high / factor], low=low / factor, high=high / factor, unit=unit
            )
            assert graded.tolist() == [0, 0], unit


def test_other_specimens_and_fractions_are_other_tests() -> None:
    names = (
        "Glucose (urine)",
        "Cholesterol (HDL)",
        "CK (MB)",
        "Calcium (ionized)",
        "ALT (SGPT)",
        "Neutrophils (10^9/L)",
        "Lymphocytes (abs)",
    )
    assert [canonical(name) for name in names] == [*names[:3], "CAION", "ALT", "NEUT", "LYM"]
    same = (
        "PT-INR",
        "Alanine Aminotransferase (IU)",
        "aPTT (sec)",
        "Creatinine (enzymatic)",
        "Calcium (corrected)",
    )
    assert [canonical(name) for name in same] == ["INR", "ALT", "APTT", "CREAT", "CACR"]
    subjects = pd.DataFrame({"subject_id": ["a"], "arm": ["x"]})
    rows = [
        ("a", "GLUC", spec, visit, value, "mg/dL", 70, 99)
        for visit in ("BASELINE", "W4")
        for spec, value in (("URINE", 0), ("SERUM", 80))
    ]
    labs = pd.DataFrame(
        rows, columns=["USUBJID", "LBTESTCD", "LBSPEC", "VISIT", "LBSTRESN", "LBSTRESU", "LBSTNRLO", "LBSTNRHI"]
    )
    graded = grade_table(labs, subjects)
    assert set(graded["term"]) == {"Hypoglycemia"} and graded["subjects"].sum() == 0


def test_names_of_tests_and_terms() -> None:
    assert [canonical(name) for name in ("Alanine Aminotransferase (U/L)", "hb", "Platelets", "SGOT", "CRP")] == [
        *("ALT", "HGB", "PLAT", "AST", "CRP")
    ]
    assert [canonical(name) for name in ("Calcium, corrected (mg/dL)", "Calcium", "CD4 count", "CD8 count")] == [
        *("CACR", "Calcium", "CD4", "CD8 count")
    ]
    with pytest.raises(LinkError, match="unknown term 'Anaemia'; did you mean 'Anemia'"):
        ctcae_grade("Anaemia", 1)
    assert len({criterion.term for criterion in CRITERIA}) == len(CRITERIA)


def test_a_subject_counts_at_the_worst_grade() -> None:
    table = grade_table(ALT, SUBJECTS, "DMARD").set_index(["grade", "arm"])
    assert table["subjects"].to_dict() == {
        **dict.fromkeys(itertools.product(("1", "2", "3", "4", "3 or 4"), ("cells", "DMARD")), 0),
        ("1", "cells"): 1,  # 45 of 40
        ("1", "DMARD"): 1,  # 90 of 40, no baseline
    }
    assert table.loc[("1", "cells"), ["n", "graded", "percent"]].tolist() == [2, 2, 50]


def liver(*rows: tuple[str, str, float, float, float, float]) -> pd.DataFrame:
    """subject, visit, day, and ALT, bilirubin and ALP in multiples of their upper limits of 40, 20 and 100."""
    limits = {"ALT": 40.0, "BILI": 20.0, "ALP": 100.0}
    cells = [
        (subject, test, visit, day, ratio * limit, "", 0.0, limit)
        for subject, visit, day, *ratios in rows
        for (test, limit), ratio in zip(limits.items(), ratios, strict=True)
        if ratio == ratio
    ]
    return labs(*cells)


@pytest.mark.parametrize(
    ("rows", "together", "case"),
    [
        ([("A", "m1", 30, 3.1, 2.1, 1.0)], 1, 1),
        ([("A", "m1", 30, 3.0, 2.1, 1.0)], 0, 0),  # at the limit is not above it
        ([("A", "m1", 30, 3.1, 2.0, 1.0)], 0, 0),
        ([("A", "m1", 30, 3.1, 2.1, 2.0)], 1, 0),  # cholestatic
        ([("A", "m1", 30, 3.1, 1.0, 1.0), ("A", "m2", 60, 1.0, 2.1, 1.0)], 1, 1),  # bilirubin 30 days later
        ([("A", "m1", 30, 3.1, 1.0, 1.0), ("A", "m2", 61, 1.0, 2.1, 1.0)], 0, 0),
        ([("A", "m1", 30, 1.0, 2.1, 1.0), ("A", "m2", 40, 3.1, 1.0, 1.0)], 0, 0),  # bilirubin came first
    ],
)
def test_hys_law(rows: list[tuple[str, str, float, float, float, float]], together: int, case: int) -> None:
    start = [(subject, "baseline", 0.0, 1.0, 1.0, 1.0) for subject in ("A", "B", "C")]
    table = hys_law(liver(*start, *rows), SUBJECTS, "DMARD")
    counts = table[table["arm"] == "cells"].set_index("level")["subjects"]
    assert counts["ALT or AST > 3 and bilirubin > 2 x ULN"] == together
    assert counts["Hy's law"] == case


def test_hys_law_before_treatment_is_no_case_and_without_alp_it_says_so() -> None:
    values = liver(("A", "baseline", 0, 4, 3, np.nan), ("A", "m1", 30, 1, 1, np.nan))
    table = hys_law(values, SUBJECTS, "DMARD")
    assert table["subjects"].sum() == 0
    assert "Hy's law, ALP not measured" in set(table["level"])


def test_shifts_of_the_modified_limits() -> None:
    values = liver(
        ("A", "baseline", 0, 1, 1, 1),
        ("A", "m1", 30, 1.6, 1.6, 1),
        ("B", "baseline", 0, 1.6, 1, 1),
        ("B", "m1", 30, 1, 1, 1),
    )
    table = hys_law_shifts(values, SUBJECTS, "DMARD")
    seen = table[table["subjects"] > 0].set_index("test")[["baseline", "after"]].agg("-".join, axis=1)
    assert seen.loc["ALT or AST > 1.5 x ULN"].tolist() == ["normal-high", "high-normal"]
    assert seen.loc["both at one visit"].tolist() == ["normal-normal", "normal-high"]


def test_two_units_of_a_test_leave_it_without_a_summary_and_the_rest_as_it_is() -> None:
    mixed = ALT.assign(unit=["U/L"] * 6 + ["µkat/L"])
    with pytest.raises(
        LinkError, match="labs, test ALT: found values in U/L and µkat/L, expected one unit a test"
    ):
        lab_changes(mixed, SUBJECTS)
    found = safety_tables(SUBJECTS, lab_values=mixed, control="DMARD")
    assert "labs" not in found.tables
    assert len(found.tables["lab_shifts"])
    assert any("found values in U/L and µkat/L" in note for note in found.notes)


def test_tables_without_a_row_give_tables_without_a_row() -> None:
    empty = safety_tables(SUBJECTS, pd.DataFrame({"subject_id": [], "term": []}), ALT[:0], control="DMARD")
    assert empty.tables["adverse_events"]["events"].tolist() == [0, 0]
    assert len(empty.tables["lab_shifts"]) == len(empty.tables["lab_grades"]) == 0
