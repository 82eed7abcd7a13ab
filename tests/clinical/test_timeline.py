"""Which visit is baseline, and in which order visits come."""

from __future__ import annotations

import pandas as pd
import pytest

from cytoreg.clinical.timeline import baseline_rows, visit_order


def table(*days: float, anchor: float | None = None, randomised: float | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"subject_id": "A", "visit": [f"v{i}" for i in range(len(days))], "day": days})
    return frame.assign(first_infusion_day=anchor, randomised_day=randomised).astype({"day": float})


@pytest.mark.parametrize(
    ("frame", "row"),
    [
        (table(-20, -3, 5, anchor=0), 1),
        (table(-20, 0, 0, anchor=0), 1),  # two rows of one day: the earlier
        (table(0, 30, 60, anchor=40, randomised=0), 1),  # the first infusion stands before randomisation
        (table(-5, 2, 9, randomised=3), 1),
        (table(-5, 2, 9), 0),  # neither: day 0
    ],
)
def test_baseline_is_the_last_row_on_or_before_the_anchor(frame: pd.DataFrame, row: int) -> None:
    assert baseline_rows(frame).to_dict() == {"A": row}


def test_no_row_before_treatment_is_no_baseline() -> None:
    assert baseline_rows(table(5, 30, anchor=0)).empty


def test_without_days_baseline_is_the_visit_of_that_name() -> None:
    frame = pd.DataFrame({"subject_id": ["A", "A", "B"], "visit": ["month1", "baseline", "month1"]})
    assert baseline_rows(frame).to_dict() == {"A": 1}


def test_visits_come_by_day_and_without_days_by_their_numbers() -> None:
    frame = pd.DataFrame({"visit": ["late", "early", "late"], "day": [90.0, 1.0, 95.0]})
    assert visit_order(frame) == ["early", "late"]
    assert visit_order(frame.drop(columns="day").replace("late", "month10").replace("early", "month9")) == [
        "month9",
        "month10",
    ]
