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

NAN = math.nan
KEYS = ("analysis", "term", "arm", "visit", "contrast", "predictor", "outcome")


@pytest.fixture(scope="module")
def bench(root: Path) -> dict[str, ModuleType]:
    sys.path.insert(0, str(root))
    from benchmarks import (
        calibrate,
        calibration_design,
        calibration_draws,
        calibration_judge,
        calibration_page,
        calibration_trials,
    )

    return {
        "run": calibrate,
        "design": calibration_design,
        "draws": calibration_draws,
        "judge": calibration_judge,
        "page": calibration_page,
        "trials": calibration_trials,
    }


def test_rejection_coverage_and_bias_by_hand(bench: dict[str, ModuleType]) -> None:
    values = [[0.01, 1.0, 0.5, 1.5], [0.5, 0.0, -1.0, 0.4], [NAN, 2.0, NAN, NAN], [0.04, -1.0, -2.0, -0.5]]
    found = bench["judge"].rejections(np.array(values), 0.0)
    assert (found["tests"], found["intervals"]) == (3, 3)
    assert found["rejected"] == pytest.approx(2 / 3)
    assert found["covered"] == pytest.approx(1 / 3)
    assert found["bias"] == pytest.approx(0.5)
    assert math.isnan(bench["judge"].rejections(np.empty((0, 4)), 0.0)["rejected"])


def test_limits_are_widened_by_the_monte_carlo_error_and_few_trials_are_not_judged(
    bench: dict[str, ModuleType],
) -> None:
    judge, limits_of, groups = bench["judge"]._judge, bench["judge"].limits_of, bench["design"].GROUPS
    usual, safe = limits_of(groups["change"], "mean change"), limits_of(groups["mediation"], "effect along")
    at = {"tests": 10_000, "intervals": 10_000, "covered": 0.95, "bias": 0.0}
    for rejected, verdict in (
        (0.05, "within"),
        (0.064, "within"),
        (0.066, "outside: rejects"),
        (0.035, "outside: rejects"),
    ):
        assert judge({**at, "rejected": rejected}, usual, True) == verdict
    assert judge({**at, "rejected": 0.02, "covered": 0.98}, safe, True) == "within"
    assert judge({**at, "rejected": 0.063}, safe, True) == "outside: rejects"  # 5.7 + 0.45 points
    assert judge({**at, "rejected": 0.05, "covered": 0.92}, usual, True) == "outside: covers"
    few = {**at, "tests": 75, "intervals": 75, "rejected": 0.4}
    assert judge(few, usual, True) == "too few trials"


def test_exact_tests_are_known_by_their_terms(bench: dict[str, ModuleType]) -> None:
    is_exact, groups = bench["design"].is_exact, bench["design"].GROUPS
    assert is_exact(groups["responder"], "risk difference, p by Fisher's exact test")
    assert is_exact(
        groups["small"], "Hodges-Lehmann change, log odds"
    )  # 20 an arm: SciPy's exact signed-rank test
    assert not is_exact(groups["change"], "Hodges-Lehmann change, log odds")  # 86 an arm: its normal approximation
    assert is_exact(groups["safety"], "Nausea")
    assert not is_exact(groups["methods"], "bias, 40 pairs")


def test_a_family_errs_where_any_of_its_true_nulls_has_a_small_adjusted_p(bench: dict[str, ModuleType]) -> None:
    def chunk(number: int, of_null: list[float], of_other: list[float]) -> dict[str, object]:
        rows = {
            "treg_rises|mean change|UC-MSC||||": of_null,
            "treg_rises|equivalence (TOST), mean change|UC-MSC||||": of_other,
        }
        values = {k: {"values": [[p, None, None, None] for p in v], "primary": True} for k, v in rows.items()}
        return {"scenario": "trial_null", "group": "family", "chunk": number, "rows": values}

    found = bench["judge"].summarise([chunk(0, [0.04, 0.2], [0.001, 0.001]), chunk(1, [0.3, 0.9], [0.001, 0.9])])
    assert found["rejected"].tolist() == [0.25]
    assert found["trials"].tolist() == [4]


def test_a_stated_power_is_judged_by_the_share_of_trials_that_rejected(bench: dict[str, ModuleType]) -> None:
    def power(stated: float) -> str:
        p = [0.01] * 150 + [0.5] * 50  # 75 % rejected, of 200: 3 points and 1.96 x 3.06 are allowed
        rows = {
            "arms_differ|arm difference at month3|UC-MSC|month3|UC-MSC - DMARD||das28_crp": [
                [q, -0.3, -1.0, 1.0] for q in p
            ],
            "enough|power for an effect of -0.25|UC-MSC|month3|||das28_crp": [[None, stated, 0.5, 0.9] for _ in p],
        }
        values = {k: {"values": v, "primary": True} for k, v in rows.items()}
        table = bench["judge"].summarise(
            [{"scenario": "trial_small", "group": "power", "chunk": 0, "rows": values}]
        )
        table = table.set_index("analysis")
        assert table.loc["arms_differ", "truth"] == pytest.approx(bench["design"].SMALL_EFFECT, abs=0.005)
        return str(table.loc["enough", "judgement"])

    assert [power(stated) for stated in (0.75, 0.83, 0.67, 0.85, 0.65)] == ["within"] * 3 + ["outside: error"] * 2


def test_groups_that_share_a_trial_have_the_answers_of_the_package(bench: dict[str, ModuleType]) -> None:
    """Simulated once and asked in one plan: the numbers are those of `analyse`, with every group's own plan."""
    from cytoreg.simulation.trial import simulate_trial
    from cytoreg.stats import analyse

    names = ("change", "correlation", "family")
    groups, plan_of = bench["design"].GROUPS, bench["design"].plan_of
    found = bench["trials"].rows_of("trial_null", names, 7)
    linked = simulate_trial(172, "trial_null", 7).linked()
    for name, column in (("change", "p_value"), ("correlation", "p_value"), ("family", "p_adjusted")):
        results = analyse({"linked": linked}, plan_of(groups[name])).results
        own = {tuple(row[k] for k in KEYS): row for row in results.to_dict("records")}
        assert len(found[name]) >= 3
        for key, values, _, _ in found[name]:
            assert values[0] == own[key][column]
            if name != "family":
                np.testing.assert_array_equal(values[1:], [own[key][k] for k in ("estimate", "ci_low", "ci_high")])
    assert len(found["family"]) == int(results["family"].eq("abstract").sum())  # every row that counts, no other


def test_what_agreement_should_hold_is_what_very_many_draws_have(bench: dict[str, ModuleType]) -> None:
    """The truths by hand against the sample: 40,000 subjects, two methods with the planted errors."""
    draws = bench["draws"]
    draw = np.random.default_rng(3)
    true = draws.BETWEEN * draw.standard_normal(40_000)
    x, y = (
        true + draws.SHIFT + draws.ERROR * draw.standard_normal(40_000),
        true + draws.ERROR * draw.standard_normal(40_000),
    )
    lower, upper = np.quantile(x - y, [0.025, 0.975])
    ccc = 2 * np.cov(x, y)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    truths = draws.TRUTHS
    assert [truths["lower, 40 pairs"], truths["upper, 40 pairs"]] == pytest.approx([lower, upper], abs=0.03)
    assert truths["concordance, 40 pairs"] == pytest.approx(ccc, abs=0.01)
    rows = draws.methods(None, 1)
    assert {row[0][1] for row in rows} == set(truths)


def test_a_chunk_is_run_again_where_a_module_it_hangs_on_changed(bench: dict[str, ModuleType]) -> None:
    run = bench["run"]
    stats = run.ROOT / "cytoreg" / "stats"
    hangs_on = run._that_it_imports({stats / "arms.py"})
    assert {stats / "arms.py", stats / "mmrm.py", stats / "covariances.py"} <= hangs_on
    assert stats / "sentence.py" not in hangs_on
    chunks, failed = run.run_chunks("trial_null", ("change",), 0, {"change": "another"})
    assert not chunks
    assert "changed" in failed["change"]


def test_the_page_says_what_was_run(bench: dict[str, ModuleType]) -> None:
    rows = {
        "treg_rises|mean change, log odds|UC-MSC|month1|||": [[0.5, 0.1, -1.0, 1.0]] * 100
        + [[0.01, 0.9, 0.1, 1.0]] * 25,
        "activity_falls|mean change|UC-MSC|month3|||": [[0.5, 0.1, -1.0, 1.0]] * 119 + [[0.01, 0.9, 0.1, 1.0]] * 6,
    }
    values = {k: {"values": v, "primary": False} for k, v in rows.items()}
    chunk = {"scenario": "trial_null", "group": "change", "chunk": 0, "rows": values}
    said = bench["page"].tables(bench["judge"].summarise([chunk]))
    assert "| trial_null | 2 | 125 | 1 | 1 | 0 | 0 |" in said
    # 25 of 125 = 20 %; 6 % + 1.96 sqrt(0.06 x 0.94 / 125) = 10.2 %; 93.5 % - 4.3
    assert "rejects 20.0 % of 125; at most 10.2 % allowed, covers 80.0 % of 125; at least 89.2 % allowed" in said
    assert "| change: treg_rises, activity_falls | 0 to 125 | 10,000 | 0 | 1,000 |" in said


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
    assert is_null("trial_unlinked", "carried", "effect along Tregs % of CD4+", "UC-MSC", "arm")
    assert not is_null("trial_unlinked", "carried", "effect of treatment on Tregs % of CD4+", "UC-MSC", "arm")
    # IL-6 goes with DAS28 in the simulator, TNF-alpha does not
    assert not is_null("trial_selected", "cytokines_fall", "mean change, natural log", "DMARD", "", "il6")
    assert is_null("trial_selected", "cytokines_fall", "mean change, natural log", "DMARD", "", "tnf_alpha")
    assert bench["design"].only_reported("null_mar", "activity_falls", "mean change")
    assert not bench["design"].only_reported("trial_null", "activity_falls", "mean change")


def test_a_run_goes_on_where_it_stopped(bench: dict[str, ModuleType]) -> None:
    wanted = bench["run"].wanted
    done = {("trial_null", "cytokines"): {0}, ("trial", "cytokines"): {0, 1}}
    jobs = list(wanted(done, {"cytokines", "change"}, {"trial", "trial_null"}, 1.0))
    assert ("trial_null", ("change",), 0) in jobs  # cytokines have their first chunk
    assert ("trial_null", ("change", "cytokines"), 1) in jobs
    assert ("trial", ("change", "cytokines"), 2) in jobs
    assert ("trial", ("change", "cytokines"), 39) in jobs  # 1,000 trials with effects
    assert not [job for job in jobs if job[0] == "trial" and job[2] >= 40]
    assert ("trial_null", ("change",), 399) in jobs  # 10,000 of a closed form, 2,000 of an iterative model
    assert jobs.index(("trial", ("change", "cytokines"), 2)) < jobs.index(
        ("trial_null", ("change", "cytokines"), 3)
    )
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
