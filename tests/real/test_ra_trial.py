"""Arm x visit, responders and GEE on a real trial of 302 patients, against R (benchmarks/judge/arms.R, responder.R).

Auranofin against placebo: Bombardier et al., Am J Med 1986;81:565-578. A response is a self-assessment of 4 or 5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytoreg.stats import Analysis, analyse
from cytoreg.stats.binary import fit_gee
from cytoreg.stats.mmrm import fit_mmrm
from tests.stats.judged import judged

R, RESPONSE = judged("arms"), judged("responder")
VISITS = ("month1", "month3", "month5")
ARM = {"type": "arm_by_visit", "value": "y", "contrast_visit": "month5"}
GOOD = {"type": "responder", "outcome": "good"}


@pytest.fixture(scope="module")
def trial(real: Path) -> pd.DataFrame:
    return pd.read_csv(real / "clinical_tables" / "ra_auranofin_trial.csv")


@pytest.fixture(scope="module")
def linked(trial: pd.DataFrame) -> pd.DataFrame:
    first = trial.drop_duplicates("id").assign(y=lambda t: t["baseline"], time=0)
    rows = pd.concat([first, trial], ignore_index=True)
    return pd.DataFrame(
        {
            "subject_id": rows["id"].astype(str),
            "visit": rows["time"].map({0: "baseline", 1: "month1", 3: "month3", 5: "month5"}),
            "day": rows["time"] * 30.0,
            "arm": rows["trt"].map({1: "placebo", 2: "auranofin"}),
            "age": rows["age"],
            "y": rows["y"],
            "good": (rows["y"] >= 4).astype("boolean").mask(rows["y"].isna()),
        }
    )


def answered(linked: pd.DataFrame, **given: object) -> Analysis:
    return analyse({"linked": linked}, {"treatment": {"control": "placebo"}, "analyses": {"q": given}})


def primary(analysis: Analysis) -> pd.Series:
    return analysis.results[analysis.results["primary"]].iloc[0]


@pytest.mark.parametrize("covariance", ["unstructured", "toeplitz", "ar1"])
def test_estimates_are_those_of_gls_and_emmeans(linked: pd.DataFrame, covariance: str) -> None:
    rows = answered(linked, **ARM, covariance=covariance).results
    for visit in VISITS:
        contrast = rows[rows["term"] == f"arm difference at {visit}"].iloc[0]
        name = f"ra.{covariance}.difference.{visit}"
        assert contrast["estimate"] == pytest.approx(R[f"{name}.estimate"], abs=1e-5)
        # gls does not have Kenward and Roger's correction, which 302 patients hardly need
        assert contrast["se"] == pytest.approx(R[f"{name}.se"], rel=5e-3)
        means = rows[rows["term"] == f"mean at {visit}"].set_index("arm")["estimate"]
        for arm in ("placebo", "auranofin"):
            assert means[arm] == pytest.approx(R[f"ra.{covariance}.mean.{arm}.{visit}.estimate"], abs=1e-5)


@pytest.mark.parametrize("covariance", ["unstructured", "toeplitz", "ar1"])
def test_log_likelihood_and_standard_errors_are_those_of_gls(trial: pd.DataFrame, covariance: str) -> None:
    seen = trial.dropna(subset=["y"])
    place = seen["time"].map({1: 0, 3: 1, 5: 2}).to_numpy()
    at, active = np.eye(3)[place], (seen["trt"] == 2).to_numpy(float)
    slope = (seen["baseline"] - seen["baseline"].mean()).to_numpy()
    x = np.column_stack([at, at * active[:, None], at * slope[:, None]])
    fit = fit_mmrm(seen["y"], x, seen["id"], place, covariance)
    # gls has the baseline uncentred, and no column of a visit without its reference: the same space, determinant 1
    assert fit.log_likelihood == pytest.approx(R[f"ra.{covariance}.log_likelihood"], abs=1e-5)
    for number, visit in enumerate(VISITS):
        name = f"ra.{covariance}.difference.{visit}"
        assert fit.beta[3 + number] == pytest.approx(R[f"{name}.estimate"], abs=1e-5)
        assert np.sqrt(fit.covariance[3 + number, 3 + number]) == pytest.approx(R[f"{name}.se"], rel=1e-5)


def test_kenward_roger_is_that_of_pbkrtest_and_emmeans(linked: pd.DataFrame) -> None:
    rows = answered(linked, **ARM, covariance="compound_symmetry").results
    for visit in VISITS:
        found = rows[rows["term"] == f"arm difference at {visit}"].iloc[0]
        name = f"ra.compound_symmetry.difference.{visit}"
        expected = [R[f"{name}.{key}"] for key in ("estimate", "se", "df", "p.value")]
        assert found[["estimate", "se", "df", "p_value"]].tolist() == pytest.approx(expected, rel=1e-5)
    joint = rows[rows["term"] == "arm x visit (F)"].iloc[0]
    expected = [R[f"ra.compound_symmetry.arm_x_visit.{key}"] for key in ("f", "df", "p")]
    assert joint[["statistic", "df", "p_value"]].tolist() == pytest.approx(expected, rel=1e-5)


def test_ancova_at_month_5_is_that_of_lm(linked: pd.DataFrame) -> None:
    found = primary(answered(linked, **ARM, model="ancova"))
    expected = [R[f"ra.ancova.month5.{key}"] for key in ("estimate", "se", "t", "p")]
    assert found[["estimate", "se", "statistic", "p_value"]].tolist() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("name", "adjust"), [("ra.month5", []), ("ra.month5.adjusted", ["age"])])
def test_responders_at_month_5_are_those_of_glm(linked: pd.DataFrame, name: str, adjust: list[str]) -> None:
    rows = answered(linked, **GOOD, at="month5", adjust=adjust).results
    found = rows.iloc[0]
    expected = [RESPONSE[f"{name}.{key}"] for key in ("estimate", "se", "chi2", "p")]
    assert found[["estimate", "se", "statistic", "p_value"]].tolist() == pytest.approx(expected, rel=1e-6)
    interval = [RESPONSE[f"{name}.low"], RESPONSE[f"{name}.high"]]
    assert found[["ci_low", "ci_high"]].tolist() == pytest.approx(interval, abs=1e-4)
    exact = rows[rows["term"].str.contains("Fisher")].iloc[0]
    assert exact["p_value"] == pytest.approx(RESPONSE["ra.month5.fisher.p"], rel=1e-6)


def test_non_responder_imputation_is_glm_with_missing_as_none(linked: pd.DataFrame) -> None:
    plan = {
        "treatment": {"control": "placebo"},
        "analyses": {"q": GOOD | {"at": "month5"}},
        "missing": {"nonresponder_imputation": ["good"]},
    }
    found = primary(analyse({"linked": linked}, plan))
    assert found["n_subjects"] == 302
    expected = [RESPONSE[f"ra.month5.nonresponse.{key}"] for key in ("estimate", "chi2", "p")]
    assert found[["estimate", "statistic", "p_value"]].tolist() == pytest.approx(expected, rel=1e-6)


def test_an_early_change_goes_with_the_response_as_in_glm(linked: pd.DataFrame) -> None:
    found = primary(answered(linked, **GOOD, at="month5", value="y", value_at="month1"))
    expected = [RESPONSE[f"ra.change.{key}"] for key in ("estimate", "se", "chi2")]
    assert found[["estimate", "se", "statistic"]].tolist() == pytest.approx(expected, rel=1e-6)
    interval = [RESPONSE["ra.change.low"], RESPONSE["ra.change.high"]]
    assert found[["ci_low", "ci_high"]].tolist() == pytest.approx(interval, abs=1e-4)


@pytest.mark.parametrize("structure", ["exchangeable", "independence"])
def test_gee_is_that_of_geepack(linked: pd.DataFrame, trial: pd.DataFrame, structure: str) -> None:
    name = f"ra.gee.{structure}.armauranofin"
    found = primary(answered(linked, **GOOD, correlation=structure))
    assert found["estimate"] == pytest.approx(RESPONSE[f"{name}.estimate"], rel=1e-6)
    assert found["contrast"] == "auranofin - placebo"
    seen = trial.dropna(subset=["y"])
    active = (seen["trt"] == 2).to_numpy(float)
    x = np.column_stack([np.eye(3)[seen["time"].map({1: 0, 3: 1, 5: 2})], active])
    fit = fit_gee(seen["y"] >= 4, x, seen["id"], structure)
    assert np.sqrt(fit.robust[3, 3]) == pytest.approx(RESPONSE[f"{name}.se"], rel=1e-6)
    # Mancl and DeRouen's error, which the row has, is a little larger
    assert found["se"] == pytest.approx(np.sqrt(fit.corrected[3, 3]))
    assert 1 < found["se"] / RESPONSE[f"{name}.se"] < 1.02


def test_gee_of_arm_by_visit_is_that_of_geepack(trial: pd.DataFrame) -> None:
    seen = trial.dropna(subset=["y"])
    active = (seen["trt"] == 2).to_numpy(float)
    at = np.eye(3)[seen["time"].map({1: 0, 3: 1, 5: 2})]
    fit = fit_gee(seen["y"] >= 4, np.column_stack([at, active, at[:, 1:] * active[:, None]]), seen["id"])
    name = "ra.gee.crossed.exchangeable"
    assert fit.correlation == pytest.approx(RESPONSE[f"{name}.alpha"], rel=1e-6)
    for place, term in ((3, "armauranofin"), (4, "visit3:armauranofin"), (5, "visit5:armauranofin")):
        assert fit.beta[place] == pytest.approx(RESPONSE[f"{name}.{term}.estimate"], rel=1e-5)
        assert np.sqrt(fit.robust[place, place]) == pytest.approx(RESPONSE[f"{name}.{term}.se"], rel=1e-6)
