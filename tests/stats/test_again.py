"""Repeated infusion: R's lm and clubSandwich on values made by a formula, and the trap of re-infusion that follows a relapse."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from cytoreg.stats import analyse
from tests.stats.judged import judged

R = judged("again")
DAYS = [0, 30, 90, 180, 270]
VISITS = ["baseline", "month1", "month3", "month6", "month9"]
PLAN = {"treatment": {"control": "DMARD"}, "analyses": {"q": {"type": "repeat_infusion", "value": "das28"}}}


def rows_of(i: int, values: np.ndarray, treated: bool, again: float) -> list[tuple[object, ...]]:
    found = []
    for place, day in enumerate(DAYS):
        behind = [given for given in ((0.0, again) if treated else ()) if given < day]
        since = day - behind[-1] if behind else math.nan
        found.append((f"P{i:03d}", VISITS[place], float(day), values[place], len(behind), since))
    return [(*row, "UC-MSC" if treated else "DMARD") for row in found]


def frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    names = ["subject_id", "visit", "day", "das28", "infusions_so_far", "days_since_infusion", "arm"]
    return pd.DataFrame(rows, columns=names).astype({"infusions_so_far": float})


def formula() -> pd.DataFrame:
    """The values of benchmarks/judge/again.R."""
    rows = []
    for i in range(1, 49):
        treated = i % 2 == 1
        again = (100.0 if i % 4 == 1 else 190.0) if treated and i % 3 == 0 else math.inf
        place = np.arange(5)
        value = 5 + np.sin(1.7 * i) + 0.5 * np.cos(2.3 * i * (place + 1)) + 0.3 * np.sin(i * i + place)
        value -= 0.2 * place * treated
        second = np.cumsum(np.array(DAYS) > again)
        value -= 0.4 * (second == 1)
        made = rows_of(i, value, treated, again)
        rows += [row for place, row in enumerate(made) if not (place == 3 and i % 7 == 0)]
    return frame(rows)


def of_r(name: str) -> list[object]:
    return [pytest.approx(R[f"{name}.{part}"], rel=1e-6) for part in ("estimate", "se", "df", "p")]


def test_the_comparisons_are_those_of_r_and_clubsandwich() -> None:
    rows = analyse({"linked": formula()}, PLAN).results.set_index("term")
    second = rows.loc["effect of the second infusion"]
    assert second["primary"]
    numbers = ["estimate", "se", "df", "p_value"]
    assert second[numbers].tolist() == of_r("second")
    first = rows.loc["effect of the first infusion"]
    assert first["visit"] == "month3"  # 90 days after the first; the second was seen 80 days later
    assert first[numbers].tolist() == of_r("first.place2")
    less = rows.loc["second infusion less the first"]
    assert less[numbers].tolist() == of_r("less")
    assert second["ci_low"] < second["estimate"] < second["ci_high"]


def relapsing(draw: np.random.Generator, effect: float = 0.0, n: int = 90) -> pd.DataFrame:
    """Nothing has an effect but the second infusion, which is given where the value is high by chance."""
    rows = []
    for i in range(n):
        values = 5.5 + draw.normal(0, 0.6) + draw.normal(0, 0.6, 5)
        treated, again = i % 2 == 1, math.inf
        if treated:
            for place in (2, 3):
                if values[place] > 5.8 and draw.random() < 0.7:
                    again = DAYS[place] + 5.0
                    values[place + 1] += effect
                    break
        rows += rows_of(i, values, treated, again)
    return frame(rows)


def test_regression_to_the_mean_is_no_effect_and_an_effect_is_one() -> None:
    """Re-infusion triggered by relapse: the raw change falls each time, the modelled effect does not."""
    draw = np.random.default_rng(2)
    raw, found, rejected, planted = [], [], 0, []
    for _ in range(24):
        rows = analyse({"linked": relapsing(draw)}, PLAN).results.set_index("term")
        raw.append(rows.loc["raw change after the second infusion", "estimate"])
        found.append(rows.loc["effect of the second infusion", "estimate"])
        rejected += rows.loc["effect of the second infusion", "p_value"] < 0.05
    for _ in range(5):
        rows = analyse({"linked": relapsing(draw, -0.8)}, PLAN).results.set_index("term")
        planted.append(rows.loc["effect of the second infusion", "estimate"])
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(raw) < -0.4
    assert np.mean(found) == pytest.approx(0, abs=3 * error)
    assert rejected <= 4  # of 24 at 5 %: more than 4 has a chance of 0.6 %
    assert np.mean(planted) == pytest.approx(-0.8, abs=3 * np.std(found) / math.sqrt(5))


def test_the_raw_changes_are_never_the_answer() -> None:
    analysis = analyse({"linked": relapsing(np.random.default_rng(3))}, PLAN)
    raw = analysis.results[analysis.results["term"].str.startswith("raw")]
    assert raw["note"].str.startswith("descriptive: not adjusted; holds regression to the mean").all()
    assert not raw["primary"].any()
    assert raw["p_value"].isna().all()
    assert "not given by lot" in analysis.sentences["q"]


def test_all_infused_again_at_one_visit_cannot_be_told_from_time() -> None:
    table = formula()
    table = table[table["arm"] == "UC-MSC"].copy()
    late = table["day"] > 150
    table["infusions_so_far"] = np.where(late, 2.0, (table["day"] > 0).astype(float))
    row = analyse({"linked": table.reset_index(drop=True)}, PLAN | {"treatment": {}}).results.iloc[0]
    assert math.isnan(row["p_value"])
    assert "cannot be told from time" in row["note"]


def test_without_a_control_arm_the_first_infusion_has_no_effect_to_compare_with() -> None:
    table = relapsing(np.random.default_rng(4)).query("arm == 'UC-MSC'").reset_index(drop=True)
    rows = analyse({"linked": table}, PLAN | {"treatment": {}}).results.set_index("term")
    assert math.isfinite(rows.loc["effect of the second infusion", "p_value"])
    assert "without a control arm" in rows.loc["second infusion less the first", "note"]


def test_nobody_infused_again_is_a_reason() -> None:
    table = formula().assign(infusions_so_far=0.0)
    analysis = analyse({"linked": table}, PLAN)
    assert analysis.sentences["q"].startswith("No answer: 0 subjects with a value after a second infusion")
    without = analyse({"linked": table.drop(columns=["infusions_so_far", "days_since_infusion"])}, PLAN)
    assert without.sentences["q"].startswith("No answer: 0 subjects")
