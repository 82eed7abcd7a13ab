"""A name in the plan that the table does not have is an error, not an analysis that holds nothing fixed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse
from cytoreg.stats.durability.cox import NotFitted, fit_cox

CORRELATION = {"type": "change_correlation", "x": "treg", "y": "das28_crp", "from": "baseline", "to": "month3"}


def linked() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    rows = [
        {"subject_id": f"P{i}", "visit": visit, "day": day, "arm": ("A", "B")[i % 2], "good": float(i % 3 == 0)}
        for i in range(30)
        for visit, day in (("baseline", 0), ("month3", 90))
    ]
    table = pd.DataFrame(rows)
    return table.assign(treg=draw.uniform(2, 9, len(table)), das28_crp=draw.uniform(2, 6, len(table)))


def plan(**further: object) -> dict[str, object]:
    return {"cytoreg": 1, "analyses": {"link": CORRELATION}, **further}


@pytest.mark.parametrize(
    ("further", "says"),
    [
        (
            {"treatment": {"arm": "armm"}},
            "treatment.arm: no column 'armm' in the linked table; did you mean 'arm'",
        ),
        ({"treatment": {"control": "a"}}, "treatment.control: no arm 'a' in the linked table; did you mean 'A'"),
        ({"missing": {"nonresponder_imputation": ["goood"]}}, "no column 'goood' in the linked table"),
    ],
)
def test_a_misspelt_name_is_an_error(further: dict[str, object], says: str) -> None:
    with pytest.raises(AnalysisError) as refused:
        analyse({"linked": linked()}, plan(**further))
    assert says in str(refused.value)


def test_a_cell_of_text_is_named_with_its_subject_and_visit() -> None:
    table = linked()
    table["treg"] = [f"{value:.1f}" for value in table["treg"]]
    table.loc[7, "treg"] = "n.d."
    with pytest.raises(AnalysisError, match=r"'treg' holds text such as 'n\.d\.', expected numbers \(P3 month3\)"):
        analyse({"linked": table}, plan())


def test_a_score_is_no_percentage() -> None:
    change = {"type": "paired_change", "value": "das28_crp", "to": "month3", "scale": "logit"}
    with pytest.raises(AnalysisError, match="logit needs percentages; 'das28_crp' is none"):
        analyse({"linked": linked()}, plan(analyses={"c": change}))


def test_losses_that_come_in_the_order_of_the_covariate_give_a_reason() -> None:
    """Each loss is that of the highest value at risk, so that the likelihood rises for ever."""
    value = np.arange(8.0)
    with pytest.raises(NotFitted, match="no bound"):
        fit_cox(np.zeros(8), 8 - value, np.ones(8, bool), value)
    spread = np.r_[np.zeros(7), 1.0]  # one of eight has the mark and is lost first
    with pytest.raises(NotFitted, match="no bound"):
        fit_cox(np.zeros(8), np.r_[np.arange(2.0, 9.0), 1.0], np.r_[np.zeros(7), 1.0].astype(bool), spread)
