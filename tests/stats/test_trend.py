"""Trend on a dose with blocks: regression by demeaning, and the permutation test by scipy's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cytoreg.stats import analyse
from cytoreg.stats.trend import blocked_rank_test

VALUE = "CD69+ % of CD4+"


def wells(seed: int = 0, effect: float = 20.0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rows = [
        (f"{block}{dose}", "", block, dose, 10 * index + effect * dose + draw.normal(0, 2))
        for index, block in enumerate("ABCD")
        for dose in (0, 0.05, 0.5)
    ]
    return pd.DataFrame(rows, columns=["subject_id", "visit", "Treatment", "OVA_Conc", VALUE])


PLAN = {"analyses": {"dose": {"type": "trend", "value": VALUE, "on": "OVA_Conc", "block": "Treatment"}}}


def test_slope_with_blocks_is_that_of_values_and_doses_less_their_block_means() -> None:
    """Frisch & Waugh 1933."""
    table = wells()
    less_mean = table[[VALUE, "OVA_Conc"]] - table.groupby("Treatment")[[VALUE, "OVA_Conc"]].transform("mean")
    x, y = less_mean["OVA_Conc"].to_numpy(), less_mean[VALUE].to_numpy()
    slope = x @ y / (x @ x)
    se = np.sqrt(((y - slope * x) ** 2).sum() / (12 - 4 - 1) / (x @ x))
    found = analyse({"linked": table}, PLAN).results.iloc[0]
    assert found["primary"]
    assert found[["estimate", "se", "df"]].tolist() == pytest.approx([slope, se, 7])
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(abs(slope / se), 7))


def test_without_blocks_it_is_a_simple_regression() -> None:
    table = wells()
    plan = {"analyses": {"dose": {"type": "trend", "value": VALUE, "on": "OVA_Conc"}}}
    found = analyse({"linked": table}, plan).results.iloc[0]
    fit = stats.linregress(table["OVA_Conc"], table[VALUE])
    assert found[["estimate", "se", "p_value"]].tolist() == pytest.approx([fit.slope, fit.stderr, fit.pvalue])


def test_in_one_block_the_rank_row_is_spearman_with_its_exact_p() -> None:
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=7), draw.normal(size=7)

    def rho(pairing: np.ndarray) -> float:
        return float(stats.spearmanr(x, pairing).statistic)

    expected = stats.permutation_test((y,), rho, permutation_type="pairings", n_resamples=10_000)
    r, p = blocked_rank_test(y, x, ["all"] * 7)
    assert r == pytest.approx(rho(y))
    assert p == pytest.approx(expected.pvalue)


def test_four_blocks_that_all_rise_are_the_rarest_of_1296_arrangements() -> None:
    doses = [0, 0.05, 0.5] * 4
    blocks = np.repeat(list("ABCD"), 3)
    r, p = blocked_rank_test(np.tile([1, 2, 3], 4) + np.repeat([0, 10, 20, 30], 3), doses, blocks)
    assert r == pytest.approx(1)
    assert p == pytest.approx(2 / 6**4)


def test_what_blocks_do_is_no_trend() -> None:
    doses = np.repeat([0, 1], 4)
    blocks = np.repeat(["low", "high"], 4)
    r, p = blocked_rank_test(np.arange(8), doses, blocks)
    assert np.isnan(r)
    assert np.isnan(p)
    table = wells().assign(OVA_Conc=lambda t: t["Treatment"].map({"A": 0, "B": 1, "C": 2, "D": 3}))
    rows = analyse({"linked": table}, PLAN).results
    assert rows["estimate"].isna().all()
    assert rows["note"].str.contains("within a block").all()


def test_drawn_arrangements_come_near_the_complete_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    table = wells(seed=3, effect=5)
    given = (table[VALUE], table["OVA_Conc"], table["Treatment"])
    _, complete = blocked_rank_test(*given)
    monkeypatch.setattr("cytoreg.stats.trend.EXACT_ARRANGEMENTS", 0)
    _, drawn = blocked_rank_test(*given)
    assert drawn == pytest.approx(complete, abs=4 * np.sqrt(complete * (1 - complete) / 9999) + 1e-4)
    assert blocked_rank_test(*given)[1] == drawn  # the same arrangements every time


def test_too_few_units_give_a_reason() -> None:
    rows = analyse({"linked": wells().head(3)}, PLAN).results
    assert rows["note"].tolist() == ["3 units: at least 4 are needed"] * 2
