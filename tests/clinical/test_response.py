"""EULAR and ACR responses against their published definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.clinical import acr, eular_response
from cytoreg.errors import LinkError


@pytest.mark.parametrize(
    ("baseline", "score", "expected"),
    [  # the table of van Gestel et al. 1998: by the score reached and the improvement
        (4.5, 3.2, "good"),
        (4.4, 3.2, "moderate"),  # improved by exactly 1.2
        (3.9, 3.2, "moderate"),
        (3.8, 3.2, "none"),  # improved by exactly 0.6
        (6.4, 5.1, "moderate"),
        (6.0, 5.1, "moderate"),
        (5.7, 5.1, "none"),
        (7.0, 5.2, "moderate"),
        (6.4, 5.2, "none"),
        (5.0, 6.0, "none"),
        (np.nan, 3.0, None),
        (5.0, None, None),
    ],
)
def test_eular_response_is_the_published_table(baseline: float, score: float, expected: str | None) -> None:
    assert eular_response(baseline, score) == expected


def test_eular_response_of_arrays() -> None:
    assert eular_response([6, 6], [3, np.nan]).tolist() == ["good", None]


BEFORE = {"tender68": 20, "swollen66": 10, "patient_global": 60, "evaluator_global": 50, "pain": 70}
BEFORE |= {"haq_di": 1.5, "crp": 20.0}


def improved(by: float, *components: str) -> dict[str, float]:
    return {name: value * (1 - by / 100) if name in components else value for name, value in BEFORE.items()}


def test_acr20_needs_both_counts_and_three_of_five() -> None:
    counts = ("tender68", "swollen66")
    assert acr(BEFORE, improved(20, *counts, "pain", "haq_di", "crp")) is True
    assert acr(BEFORE, improved(20, *counts, "pain", "crp")) is False
    assert acr(BEFORE, improved(20, "tender68", "patient_global", "pain", "haq_di", "crp")) is False
    assert acr(BEFORE, improved(19, *BEFORE) | {"tender68": 17, "swollen66": 8}) is False
    assert acr(BEFORE, improved(20, *BEFORE) | {"tender68": 17}) is False  # 15 %


def test_acr50_and_70_ask_for_more() -> None:
    after = improved(50, *BEFORE)
    assert [acr(BEFORE, after, level) for level in (20, 50, 70)] == [True, True, False]


def test_acr_is_missing_only_where_what_is_known_does_not_decide() -> None:
    after = improved(30, *BEFORE)
    assert acr(BEFORE, after | {"crp": None, "haq_di": None}) is True  # three of five without them
    assert acr(BEFORE, after | {"crp": None, "haq_di": None, "pain": None}) is None
    assert acr(BEFORE, after | {"tender68": None}) is None
    assert acr(BEFORE, after | {"tender68": None, "swollen66": 10}) is False
    assert acr(BEFORE, {"tender68": 20, "swollen66": 1}) is False


def test_a_component_of_zero_at_baseline_counts_as_not_improved() -> None:
    none = BEFORE | {"swollen66": 0}
    assert acr(none, improved(50, *BEFORE) | {"swollen66": 0}) is False
    healthy = BEFORE | {"pain": 0, "haq_di": 0}
    after = improved(50, *BEFORE) | {"pain": 0, "haq_di": 0}
    assert acr(healthy, after) is True  # the three others improved
    assert acr(healthy | {"crp": 0}, after | {"crp": 0}) is False


def test_esr_stands_in_where_crp_is_not_at_both_visits_and_28_joints_for_68() -> None:
    before = {"tender28": 10, "swollen28": 10, "patient_global": 50, "pain": 50, "crp": 9, "esr": 40}
    after = {"tender28": 5, "swollen28": 5, "patient_global": 25, "pain": 25, "crp": None, "esr": 20}
    assert acr(before, after, 50) is True
    assert acr(before, after | {"crp": 9}, 50) is None  # CRP is known, did not improve; two answers are missing
    assert acr(before | {"tender68": 30}, after | {"tender68": 30}) is True  # no swollen66: the 28 are complete


def test_acr_of_frames_has_three_states_in_order() -> None:
    before = pd.DataFrame([BEFORE] * 3)
    after = pd.DataFrame(
        [improved(30, *BEFORE), improved(0), improved(30, *BEFORE) | {"tender68": np.nan}], index=list("abc")
    )
    result = acr(before, after)
    assert result.index.tolist() == ["a", "b", "c"]
    assert result.tolist() == [True, False, pd.NA]


def test_acr_refuses_impossible_input() -> None:
    with pytest.raises(LinkError, match="tender68: found 70, expected a whole number from 0 to 68"):
        acr(BEFORE, BEFORE | {"tender68": 70})
    with pytest.raises(LinkError, match="level 0"):
        acr(BEFORE, BEFORE, level=0)
