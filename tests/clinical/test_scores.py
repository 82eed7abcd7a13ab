"""Disease activity against published examples, the borders of its categories, and what may go in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg import clinical
from cytoreg.clinical.scores import HAQ_CATEGORIES, HAQ_ITEMS
from cytoreg.errors import LinkError

JOINTS = {"tender28": 5, "swollen28": 4}


def test_das28_of_the_worked_example() -> None:
    """TJC 5, SJC 4, ESR 30 mm/h, CRP 12 mg/L, global 50 mm, by the calculator of das-score.nl."""
    assert clinical.das28_esr(**JOINTS, esr=30, patient_global=50) == pytest.approx(4.893, abs=5e-4)
    assert clinical.das28_crp(**JOINTS, crp=12, patient_global=50) == pytest.approx(4.396, abs=5e-4)
    assert clinical.das28_esr(**JOINTS, esr=30, patient_global=None) == pytest.approx(4.688, abs=5e-4)
    assert clinical.das28_crp(**JOINTS, crp=12, patient_global=None) == pytest.approx(4.159, abs=5e-4)


def test_das28_of_no_disease_is_what_the_constants_leave() -> None:
    none = {"tender28": 0, "swollen28": 0}
    assert clinical.das28_esr(**none, esr=1, patient_global=0) == 0
    assert clinical.das28_crp(**none, crp=0, patient_global=0) == pytest.approx(0.96)


def test_esr_of_0_counts_as_1_whose_logarithm_is_0() -> None:
    scores = clinical.das28_esr(tender28=[5] * 3, swollen28=[4] * 3, esr=[0, 0.5, 1], patient_global=[50] * 3)
    assert np.ptp(scores) == 0
    assert np.isfinite(scores).all()


def test_a_missing_component_makes_the_score_missing_and_only_that_one() -> None:
    scores = clinical.das28_crp(
        tender28=pd.Series([5, 5, None], dtype="Int64"),
        swollen28=[4, 4, 4],
        crp=pd.Series([12.0, np.nan, 12.0]),
        patient_global=[50, 50, 50],
    )
    assert np.isnan(scores).tolist() == [False, True, True]
    assert np.isnan(clinical.das28_esr(**JOINTS, esr=30, patient_global=float("nan")))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"tender28": 29}, "tender28: found 29, expected a whole number from 0 to 28 joints"),
        ({"swollen28": -1}, "swollen28: found -1"),
        ({"tender28": 4.5}, "tender28: found 4.5, expected a whole number"),
        ({"esr": 201}, "esr: found 201, expected 0 to 200 mm/h"),
        ({"patient_global": 101}, "patient_global: found 101, expected 0 to 100 mm"),
        ({"esr": "thirty"}, "esr: found 'thirty', expected a number"),
        ({"esr": [30, 999]}, r"esr \(value 2 of 2\): found 999"),
    ],
)
def test_a_component_out_of_range_is_named_with_what_was_found_and_expected(change: dict, found: str) -> None:
    with pytest.raises(LinkError, match=found):
        clinical.das28_esr(**({**JOINTS, "esr": 30, "patient_global": 50} | change))


def test_crp_and_components_of_different_length_are_refused() -> None:
    with pytest.raises(LinkError, match="crp: found 501, expected 0 to 500 mg/L"):
        clinical.das28_crp(**JOINTS, crp=501, patient_global=50)
    with pytest.raises(LinkError, match="differ in length"):
        clinical.das28_crp(tender28=[1, 2], swollen28=[1, 2, 3], crp=1, patient_global=None)


def test_das28_categories_at_their_borders() -> None:
    """Fransen & van Riel 2005: remission < 2.6, low to 3.2, moderate to 5.1."""
    scores = [0, 2.59, 2.6, 3.2, 3.21, 5.1, 5.11, np.nan]
    expected = ["remission", "remission", "low", "low", "moderate", "moderate", "high", None]
    assert clinical.das28_category(scores).tolist() == expected
    assert clinical.das28_category(5.1 + 1e-12) == "moderate"  # rounding of a computed score is no disease


def test_cdai_and_sdai_with_their_borders() -> None:
    """Aletaha & Smolen 2005: CDAI 2.8, 10, 22; SDAI 3.3, 11, 26, the border belonging to the lower category."""
    parts = {"tender28": 6, "swollen28": 3, "patient_global": 4.5, "evaluator_global": 2.5}
    assert clinical.cdai(**parts) == 16
    assert clinical.sdai(**parts, crp=1.2) == pytest.approx(17.2)
    expected = ["remission", "low", "low", "moderate", "moderate", "high"]
    assert clinical.cdai_category([2.8, 2.9, 10, 10.1, 22, 22.1]).tolist() == expected
    assert clinical.sdai_category([3.3, 3.4, 11, 11.1, 26, 26.1]).tolist() == expected
    with pytest.raises(LinkError, match="patient_global: found 45, expected 0 to 10 cm"):
        clinical.cdai(**(parts | {"patient_global": 45}))


def test_haq_di_is_the_mean_of_the_worst_answer_of_each_category() -> None:
    answers = dict.fromkeys(HAQ_ITEMS, 0)
    assert clinical.haq_di(answers) == 0
    assert clinical.haq_di(answers | {"toilet": 3, "wash_body": 1}) == pytest.approx(3 / 8)
    assert len(HAQ_ITEMS) == 20
    assert len(HAQ_CATEGORIES) == 8


def test_haq_aids_raise_a_category_to_2_and_never_lower_it() -> None:
    answers = dict.fromkeys(HAQ_ITEMS, 0) | {"toilet": 3}
    assert clinical.haq_di(answers, aids={"grip": True, "hygiene": True, "reach": False}) == pytest.approx(5 / 8)
    assert clinical.haq_di(answers, aids=["grip"]) == pytest.approx(5 / 8)


def test_haq_needs_six_categories_and_an_aid_does_not_answer_one() -> None:
    six = {item: 1 for name in list(HAQ_CATEGORIES)[:6] for item in HAQ_CATEGORIES[name]}
    five = {item: 1 for name in list(HAQ_CATEGORIES)[:5] for item in HAQ_CATEGORIES[name]}
    assert clinical.haq_di(six) == 1
    assert np.isnan(clinical.haq_di(five))
    assert np.isnan(clinical.haq_di(five, aids=["grip"]))


def test_haq_of_many_visits_and_of_wrong_answers() -> None:
    table = np.ones((3, 20))
    table[1] = np.nan
    table[2, -1] = 3
    assert clinical.haq_di(table).tolist() == pytest.approx([1, np.nan, 10 / 8], nan_ok=True)
    with pytest.raises(LinkError, match="HAQ item dress: found 4, expected 0, 1, 2 or 3"):
        clinical.haq_di([4, *[0] * 19])
    with pytest.raises(LinkError, match="unknown; did you mean 'toilet'"):
        clinical.haq_di({"toilett": 1})
    with pytest.raises(LinkError, match="expected 20 in each row"):
        clinical.haq_di([1, 2])
