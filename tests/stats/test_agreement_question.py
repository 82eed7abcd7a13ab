"""The `agreement` type of a plan: components of a linked table, against closed forms of a balanced one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats import analyse

VALUE = "Tregs % of CD4+"


def linked(seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = []
    for subject in range(8):
        level = draw.normal(-3, 0.6)
        for visit in range(4):
            n = 20_000
            count = round(n / (1 + np.exp(-(level + draw.normal(0, 0.2)))))
            rows.append((f"S{subject}", f"v{visit}", "AB"[visit % 2], 100 * count / n, count, n, 2.0 + level))
    columns = ["subject_id", "visit", "operator", VALUE, f"{VALUE} count", f"{VALUE} of", "score"]
    return pd.DataFrame(rows, columns=columns)


def plan(**keys: object) -> dict[str, object]:
    return {"analyses": {"who": {"type": "agreement", "value": VALUE, "components": ["subject_id"], **keys}}}


def test_share_between_subjects_is_the_intraclass_correlation_of_the_balanced_table_on_the_logit_scale() -> None:
    table = linked()
    count, n = table[f"{VALUE} count"], table[f"{VALUE} of"]
    logit = np.log((count + 0.5) / (n - count + 0.5)).to_numpy().reshape(8, 4)
    between = 4 * logit.mean(axis=1).var(ddof=1)
    within = logit.var(axis=1, ddof=1).mean()
    result = analyse({"linked": table}, plan())
    rows = result.results.set_index("predictor")
    assert rows.loc["subject_id", "estimate"] == pytest.approx(
        (between - within) / (between + 3 * within), rel=1e-5
    )
    assert rows.loc["", "estimate"] == pytest.approx(4 * within / (between + 3 * within), rel=1e-5)
    assert rows.loc["subject_id", "primary"]
    assert (
        0
        < rows.loc["subject_id", "ci_low"]
        < rows.loc["subject_id", "estimate"]
        < rows.loc["subject_id", "ci_high"]
        < 1
    )
    assert rows.loc["subject_id", "p_value"] < 0.001
    said = result.sentences["who"]
    assert f"in 32 values, {100 * rows.loc['subject_id', 'estimate']:.0f} % (95 % interval" in said
    assert "between the levels of subject_id" in said


def test_two_components_and_their_combination() -> None:
    result = analyse({"linked": linked()}, plan(components=["subject_id*operator"], scale="linear")).results
    assert result["predictor"].tolist() == ["subject_id", "operator", "subject_id:operator", ""]
    assert result["estimate"].sum() == pytest.approx(1)


def test_too_little_or_one_level_is_a_reason_not_a_number() -> None:
    few = analyse({"linked": linked().head(4)}, plan())
    assert "at least 6" in few.sentences["who"]
    one = linked().assign(operator="A")
    said = analyse({"linked": one}, plan(components=["operator"])).sentences["who"]
    assert said.startswith("No answer")
    assert "one level only ('A')" in said


def test_wrong_names_are_errors_with_the_key() -> None:
    with pytest.raises(AnalysisError, match=r"components.*no column 'operater'.*did you mean 'operator'"):
        analyse({"linked": linked()}, plan(components=["operater"]))
    with pytest.raises(AnalysisError, match="logit needs a percentage"):
        analyse({"linked": linked()}, plan(value="score", scale="logit"))
    with pytest.raises(AnalysisError, match="components"):
        analyse({"linked": linked()}, plan(components=[]))
