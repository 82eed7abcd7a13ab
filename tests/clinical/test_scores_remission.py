"""Remission, ACR-N and the HAQ's important difference at their borders; scores against public calculators."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from cytoreg import clinical
from cytoreg.clinical import Clinical, link
from cytoreg.clinical.derive import ACR_LEVELS
from cytoreg.clinical.remission import REMISSIONS
from cytoreg.clinical.response import acr_joints
from cytoreg.errors import LinkError


def test_das28_of_a_public_calculator() -> None:
    """4s-dawn.com/DAS28: 4 tender, 5 swollen, global 12 mm: ESR 44 gives 4.56, CRP 44 mg/L gives 4.24."""
    joints = {"tender28": 4, "swollen28": 5, "patient_global": 12}
    assert clinical.das28_esr(**joints, esr=44) == pytest.approx(4.56, abs=5e-3)
    assert clinical.das28_crp(**joints, crp=44) == pytest.approx(4.24, abs=5e-3)


def test_the_least_and_most_a_score_can_be() -> None:
    """medicalalgorithms.com: DAS28-CRP from 0.96 (three variables 1.15); CDAI from 0 to 76."""
    none = {"tender28": 0, "swollen28": 0}
    assert clinical.das28_crp(**none, crp=0, patient_global=0) == pytest.approx(0.96)
    assert clinical.das28_crp(**none, crp=0, patient_global=None) == pytest.approx(1.15)
    most = {"tender28": 28, "swollen28": 28, "patient_global": 10, "evaluator_global": 10}
    assert clinical.cdai(**most) == 76
    assert clinical.sdai(**most, crp=10) == 86  # rheumakit.com: 0 to 86 with CRP to 10 mg/dL


def test_remission_by_a_score_at_its_border() -> None:
    assert clinical.remission_das28([2.5999, 2.6, 2.6 - 1e-12, np.nan]).tolist() == [True, False, False, pd.NA]
    assert clinical.remission_cdai([2.8, 2.8 + 1e-12, 2.81, np.nan]).tolist() == [True, True, False, pd.NA]
    assert clinical.remission_sdai([3.3, 3.31, None]).tolist() == [True, False, pd.NA]
    assert [clinical.remission_das28(2.59), clinical.remission_cdai(None)] == [True, None]


@pytest.mark.parametrize("part", ["tender28", "swollen28", "crp", "patient_global"])
@pytest.mark.parametrize(("year", "limit"), [(2011, 10), (2022, 20)])
def test_boolean_remission_is_lost_with_one_part_above_its_limit(part: str, year: int, limit: int) -> None:
    """Felson et al. 2011: all at most 1 (CRP in mg/dL, global of 10); Studenic et al. 2023: the global at most 2."""
    at_limit = {"tender28": 1, "swollen28": 1, "crp": 10, "patient_global": limit}
    assert clinical.remission_boolean(**at_limit, year=year) is True
    above = at_limit | {part: at_limit[part] + (1 if part in ("tender28", "swollen28") else 0.1)}
    assert clinical.remission_boolean(**above, year=year) is False


def test_boolean_remission_with_a_part_missing_is_decided_only_by_one_above() -> None:
    found = clinical.remission_boolean(
        tender28=[0, 2, 0], swollen28=[0, 0, 0], crp=[None, None, 5], patient_global=[5, 5, None]
    )
    assert found.tolist() == [pd.NA, False, pd.NA]


BEFORE = {"tender68": 20, "swollen66": 10, "patient_global": 60, "evaluator_global": 50, "pain": 70}
BEFORE |= {"haq_di": 1.5, "crp": 20.0}


def visit(*percent: float) -> dict[str, float]:
    """A visit improved by these percentages, in the order of `BEFORE`."""
    return {name: value * (1 - p / 100) for (name, value), p in zip(BEFORE.items(), percent, strict=True)}


@pytest.mark.parametrize(
    ("percent", "expected"),
    [  # the lowest of tender, swollen and the third best of five (Siegel & Zhen 2005)
        ((60, 50, 80, 70, 45, 30, 10), 45),
        ((25, 50, 80, 70, 45, 30, 10), 25),
        ((60, 10, 80, 70, 45, 30, 10), 10),
        ((100, 100, 100, 100, 100, 0, 0), 100),
        ((100, 100, 100, 100, 0, 0, 0), 0),
        ((-50, 100, 100, 100, 100, 100, 100), -50),
        ((60, 50, -20, -20, -40, 30, 10), -20),
    ],
)
def test_acr_n(percent: tuple[float, ...], expected: float) -> None:
    assert clinical.acr_n(BEFORE, visit(*percent)) == pytest.approx(expected)


def test_acr_n_is_the_largest_level_that_is_a_response() -> None:
    """The two definitions, one a number and one a yes or no, agree over a grid of visits."""
    for percent in itertools.islice(itertools.product((0, 20, 50, 70), repeat=7), 0, None, 37):
        after = visit(*percent)
        after |= {"tender68": round(after["tender68"]), "swollen66": round(after["swollen66"])}
        level = clinical.acr_n(BEFORE, after)
        for asked in ACR_LEVELS:
            assert clinical.acr(BEFORE, after, asked) is bool(level >= asked - 1e-9), (percent, asked)


def test_acr_n_is_missing_only_where_what_is_missing_could_change_it() -> None:
    after = visit(30, 50, 80, 70, 45, 30, 10)
    assert clinical.acr_n(BEFORE, after | {"crp": None}) == pytest.approx(
        30
    )  # the tender count is lower than any third
    assert np.isnan(clinical.acr_n(BEFORE, visit(60, 60, 80, 70, 45, 30, 10) | {"crp": None}))
    assert np.isnan(clinical.acr_n(BEFORE, after | {"tender68": None}))


def test_zero_at_baseline_is_no_improvement_and_a_rise_from_it_a_worsening() -> None:
    none = BEFORE | {"swollen66": 0}
    assert clinical.acr_n(none, visit(*[50] * 7) | {"swollen66": 0}) == 0
    assert clinical.acr_n(none, visit(*[50] * 7) | {"swollen66": 3}) == -100


def test_which_joints_a_response_goes_by() -> None:
    small = {"tender28": 10, "swollen28": 10}
    assert acr_joints(BEFORE, visit(*[0] * 7)) == "68/66"
    assert acr_joints(small, small) == "28"
    assert acr_joints({"pain": 3}, {"pain": 3}) is None


def test_the_important_difference_of_the_haq() -> None:
    """0.22 (Wells 1993): of the steps of an eighth that the index has, 0.25 is the first to reach it."""
    assert clinical.haq_improved([1.5] * 4, [1.25, 1.375, 1.28, None]).tolist() == [True, False, True, pd.NA]
    with pytest.raises(LinkError, match="haq_di: found 4, expected 0 to 3"):
        clinical.haq_improved(4, 1)


def linked(visits: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    samples = pd.DataFrame(columns=["sample_id", "subject_id", "visit", "panel", "tube"])
    percentages = pd.DataFrame(
        columns=["sample_id", "percentage", "value", "count", "ancestor_count", "ci_low", "ci_high"]
    )
    found = link(samples, percentages, Clinical(visits=visits))
    return found.table.set_index("visit"), found.notes


def test_a_linked_table_has_each_definition_as_a_column() -> None:
    visits = pd.DataFrame(
        {
            "subject_id": ["A"] * 3,
            "visit": ["baseline", "month1", "month3"],
            "day": [0.0, 30, 90],
            "tender28": [8, 1, 0],
            "swollen28": [6, 1, 0],
            "crp": [20.0, 9, 2],
            "patient_global": [60.0, 15, 5],
            "evaluator_global": [50.0, 10, 0],
            "pain": [60.0, 20, 5],
            "haq_di": [1.5, 1.375, 0.5],
        }
    )
    table, notes = linked(visits)
    assert table.loc["month3", list(REMISSIONS)].tolist() == [True] * 5
    assert table.loc["baseline", list(REMISSIONS)].tolist() == [False] * 5
    # month1: CDAI 1+1+1.5+1 = 4.5 and SDAI 5.4 are above; of the Boolean ones only that of 2022 allows a global of 15 mm
    assert table.loc["month1", list(REMISSIONS[1:])].tolist() == [False, False, False, True]
    assert table["acr_n"].tolist()[1:] == pytest.approx(
        [200 / 3, 1100 / 12]
    )  # third best: pain; pain after evaluator 100
    assert table["haq_improved"].tolist()[1:] == [False, True]
    assert table["acr_joints"].tolist()[1:] == ["28", "28"]
    assert any("28 joints" in note for note in notes)


def test_a_remission_that_the_clinic_recorded_itself_is_kept() -> None:
    visits = pd.DataFrame(
        {"subject_id": ["A"], "visit": ["baseline"], "day": [0.0], "cdai": [1.0], "remission_cdai": [0.0]}
    )
    assert linked(visits)[0]["remission_cdai"].tolist() == [0.0]
