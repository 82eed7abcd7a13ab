"""A short version of `make calibrate`, and its arithmetic by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom


@pytest.fixture(scope="module")
def bench(root: Path) -> dict[str, ModuleType]:
    sys.path.insert(0, str(root))
    from benchmarks import calibrate, calibration_design, calibration_page

    return {"run": calibrate, "design": calibration_design, "page": calibration_page}


def test_rejection_coverage_and_bias_by_hand(bench: dict[str, ModuleType]) -> None:
    values = [[0.01, 1.0, 0.5, 1.5], [0.5, 0.0, -1.0, 0.4], [None, 2.0, None, None], [0.04, -1.0, -2.0, -0.5]]
    found = bench["page"].rejections(values, 0.0)
    assert (found["tests"], found["intervals"]) == (3, 3)
    assert found["rejected"] == pytest.approx(2 / 3)
    assert found["covered"] == pytest.approx(1 / 3)
    assert found["bias"] == pytest.approx(0.5)
    assert math.isnan(bench["page"].rejections([], 0.0)["rejected"])


def test_limits_are_widened_by_the_monte_carlo_error_and_few_trials_are_not_judged(
    bench: dict[str, ModuleType],
) -> None:
    judge = bench["page"]._judge
    at = {"tests": 10_000, "intervals": 10_000, "covered": 0.95, "bias": 0.0}
    for rejected, verdict in (
        (0.05, "within"),
        (0.064, "within"),
        (0.066, "outside: rejects"),
        (0.035, "outside: rejects"),
    ):
        assert judge({**at, "rejected": rejected}, "asymptotic", True, False, "trial_null") == verdict
    assert judge({**at, "rejected": 0.02}, "at most", True, False, "trial_null") == "within"
    assert judge({**at, "rejected": 0.05, "covered": 0.92}, "asymptotic", True, False, "x") == "outside: covers"
    few = {**at, "tests": 75, "intervals": 75, "rejected": 0.4}
    assert judge(few, "asymptotic", True, False, "trial_null") == "too few trials"


def test_which_rows_are_tests_of_a_true_null(bench: dict[str, ModuleType]) -> None:
    is_null = bench["design"].is_null
    assert is_null("trial_null", "treg_rises", "mean change, log odds", "UC-MSC", "")
    truth = bench["design"].truth_of_null
    assert [
        truth(term) for term in ("log odds ratio", "log hazard of loss", "area under the curve", "mean change")
    ] == [0, 0, 0.5, 0]
    assert not is_null("trial_null", "treg_rises", "equivalence (TOST), mean change", "UC-MSC", "")
    assert not is_null("trial", "treg_vs_das28", "partial Spearman", "", "")
    assert not is_null("trial_unlinked", "arms_differ", "arm difference at month3", "UC-MSC", "arm")
    assert is_null("trial_unlinked", "within_patient", "within-subject correlation", "", "")
    assert not is_null("trial_selected", "activity_falls", "mean change", "UC-MSC", "")  # regression to the mean
    assert is_null("trial_selected", "activity_falls", "difference of mean changes", "UC-MSC", "")


def test_a_run_goes_on_where_it_stopped(bench: dict[str, ModuleType]) -> None:
    wanted = bench["run"].wanted
    jobs = list(wanted({("trial_null", "again"): {0}, ("trial", "again"): {0, 1}}, {"again"}, set(), 0.05))
    assert ("trial_relapse", "again", 0) in jobs
    assert ("trial", "again", 0) not in jobs
    assert ("trial", "again", 2) in jobs
    assert {job[0] for job in wanted({}, {"arms"}, {"trial_null"}, 0.05)} == {"trial_null"}


def test_declared_analyses_hold_their_level_where_careless_ones_do_not(bench: dict[str, ModuleType]) -> None:
    """Arms and visits differ, no link within a patient: 30 small trials. A test at 5 % rejects more than 5 of 30 by chance once
    in 300 times; pooled over the arms the same correlation rejects most of them."""
    from cytoreg.simulation.trial import TREGS, simulate_trial
    from cytoreg.stats import analyse

    plan = bench["run"].plan_of(bench["design"].GROUPS["correlation"])
    p: dict[str, list[float]] = {"declared": [], "within": [], "crude": []}
    for seed in range(30):
        linked = simulate_trial(64, "trial_unlinked", 500 + seed).linked()
        results = analyse({"linked": linked}, plan).results
        primary = results[results["primary"]].set_index("analysis")["p_value"]
        p["declared"].append(primary["treg_vs_das28"])
        p["within"].append(primary["within_patient"])
        both = linked.pivot_table(index="subject_id", columns="visit", values=[TREGS, "das28_crp"])
        x, y = (both[name]["month3"] - both[name]["baseline"] for name in (TREGS, "das28_crp"))
        p["crude"].append(_p_of_correlation(x, y))
    rejected = {name: int((np.array(values) < 0.05).sum()) for name, values in p.items()}
    limit = int(binom.ppf(0.998, 30, 0.05))
    assert rejected["declared"] <= limit
    assert rejected["within"] <= limit
    assert rejected["crude"] >= 18


def _p_of_correlation(x: pd.Series, y: pd.Series) -> float:
    from scipy.stats import spearmanr

    both = pd.concat([x, y], axis=1).dropna()
    return float(spearmanr(both.iloc[:, 0], both.iloc[:, 1]).pvalue)
