"""Cox's regression beside R's survival: ties, delayed entry, weights, strata, robust variance, proportional hazards."""

from __future__ import annotations

import csv
import io
import math
import shutil
import subprocess

import numpy as np
import pytest

from cytoreg.stats.durability.cox import Cox, NotFitted, fit_cox
from tests.stats.judged import judged

R = judged("durability")
# Remission of leukaemia in weeks, with and without maintenance (Miller RG, Survival Analysis, 1981; aml in R).
WEEKS = [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45]
RELAPSED = [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
WITHOUT = [0] * 11 + [1] * 12


def same(fit: Cox, name: str) -> None:
    for place, beta in enumerate(fit.beta, 1):
        assert beta == pytest.approx(R[f"{name}.beta{place}"], rel=1e-7)
        assert math.sqrt(fit.covariance[place - 1, place - 1]) == pytest.approx(R[f"{name}.se{place}"], rel=1e-7)
        if f"{name}.zph{place}.p" in R:
            assert fit.proportional(place - 1) == pytest.approx(R[f"{name}.zph{place}.p"], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(R[f"{name}.log_likelihood"], rel=1e-9)
    assert fit.null_log_likelihood == pytest.approx(R[f"{name}.null_log_likelihood"], rel=1e-9)


def test_ties_by_efron_and_the_test_of_proportional_hazards() -> None:
    same(fit_cox(np.zeros(23), WEEKS, RELAPSED, WITHOUT), "aml.cox")


def test_weights_and_the_robust_variance() -> None:
    weights = np.resize([0.7, 1.3, 1.1, 0.9], 23)
    same(
        fit_cox(np.zeros(23), WEEKS, RELAPSED, WITHOUT, weights=weights, cluster=np.arange(23)), "aml.weighted.cox"
    )


def test_the_counting_process_of_coxphs_help_page() -> None:
    start, stop = [1, 2, 5, 2, 1, 7, 3, 4, 8, 8], [2, 3, 6, 7, 8, 9, 9, 9, 14, 17]
    same(fit_cox(start, stop, [1] * 7 + [0] * 3, [1, 0, 0, 1, 0, 1, 1, 1, 0, 0]), "ten")


def of_r(expression: str) -> dict[str, np.ndarray]:
    """A data set that R has, column by column."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not here to give the data set")
    code = f"suppressMessages(library(survival)); write.csv({expression}, row.names = FALSE)"
    done = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("R's package survival is not here to give the data set")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def test_heart_transplants() -> None:
    heart = of_r("transform(heart, transplant = as.numeric(transplant == '1'))")
    x = np.column_stack([heart[name] for name in ("age", "year", "surgery", "transplant")])
    same(fit_cox(heart["start"], heart["stop"], heart["event"], x), "heart")
    weighted = fit_cox(
        heart["start"],
        heart["stop"],
        heart["event"],
        x[:, [0, 2]],
        strata=heart["transplant"],
        weights=np.resize([0.7, 1.3, 1.1, 0.9], len(x)),
        cluster=heart["id"],
    )
    same(weighted, "heart.weighted")


def test_primary_biliary_cirrhosis_as_published() -> None:
    expression = (
        "{b <- pbc[1:312, c('id', 'time', 'status')]; l <- tmerge(b, b, id = id, death = event(time, status));"
        "l <- tmerge(l, pbcseq, id = id, bili = tdc(day, bili), protime = tdc(day, protime)); l[, c('tstart', 'tstop',"
        "'death', 'bili', 'protime')]}"
    )
    long = of_r(expression)
    fit = fit_cox(long["tstart"], long["tstop"], long["death"] == 2, np.log(np.c_[long["bili"], long["protime"]]))
    same(fit, "pbcseq")
    assert fit.beta == pytest.approx([1.24121, 3.98340], abs=1e-5)  # the vignette on time-dependent covariates


def test_strata_entry_and_ties_beside_statsmodels() -> None:
    from statsmodels.duration.hazard_regression import PHReg

    draw = np.random.default_rng(5)
    n = 150
    start = draw.integers(0, 4, n).astype(float)
    stop, dead = start + draw.integers(1, 8, n) - 0.5, draw.random(n) < 0.6
    x, strata = draw.normal(size=(n, 2)), draw.integers(0, 3, n)
    other = PHReg(stop, x, status=dead, entry=start, strata=strata, ties="efron").fit()
    ours = fit_cox(start, stop, dead, x, strata=strata)
    assert ours.beta == pytest.approx(other.params, rel=1e-6)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(other.bse, rel=1e-6)


def test_the_corrected_variance_is_the_plain_one_where_one_is_lost_at_a_time_of_many() -> None:
    draw = np.random.default_rng(6)
    n = 4000
    x, time = draw.normal(size=n), draw.exponential(size=n)
    dead = np.zeros(n, bool)
    dead[np.argsort(time)[:300]] = True
    fit = fit_cox(np.zeros(n), time, dead, x)
    assert fit.corrected[0, 0] == pytest.approx(fit.covariance[0, 0], rel=2e-3)


def test_where_visits_make_many_ties_the_corrected_variance_is_that_of_the_estimates() -> None:
    """200 at risk, each lost at a visit with chance 0.85: the plain variance of Efron's model is too large."""
    draw = np.random.default_rng(7)
    found, plain, corrected = [], [], []
    for _ in range(600):
        visits = draw.geometric(0.85, 200)
        x = draw.normal(size=200)
        fit = fit_cox(np.zeros(200), np.minimum(visits, 4), visits <= 4, x)
        found.append(fit.beta[0])
        plain.append(fit.covariance[0, 0])
        corrected.append(fit.corrected[0, 0])
    spread = np.var(found)  # known to 6 %, one standard error
    assert np.mean(plain) / spread > 1.15
    assert np.mean(corrected) / spread == pytest.approx(1, abs=0.18)


@pytest.mark.parametrize(
    ("x", "dead", "reason"),
    [
        ([1.0] * 6, [1] * 6, "the same in all"),
        ([1, 2, 3, 4, 5, 6], [0] * 6, "no losses"),
        ([6, 5, 4, 3, 2, 1], [1] * 6, "no bound"),
    ],
)
def test_what_cannot_be_fitted_has_a_reason(x: list[float], dead: list[int], reason: str) -> None:
    with pytest.raises(NotFitted, match=reason):
        fit_cox(np.zeros(6), np.arange(1, 7), dead, x)
