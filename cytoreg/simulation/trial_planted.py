"""What the analyses of a simulated trial should find: their estimands in a very large trial that nobody leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cytoreg.simulation.biology import FloatArray
from cytoreg.simulation.course import Course
from cytoreg.simulation.disease import ARMS, acr_of, das28_crp_of
from cytoreg.simulation.planted import expected_cd4
from cytoreg.simulation.trial import simulate_trial

__all__ = ["trial_planted"]

PATIENTS = 60_000
_SEED = 20_130_102  # of the large trial, the same for every study
BETWEEN = f"{ARMS[1]} - {ARMS[0]}"
COLUMNS = ("analysis", "arm", "visit", "contrast", "outcome", "quantity", "planted", "note")


def trial_planted(
    scenario: str | Course = "trial", *, events: int = 20_000, patients: int = PATIENTS
) -> pd.DataFrame:
    """The planted value of analyses of the trial's plan, by Monte Carlo, all visits attended.

    Treg % is counted as by a perfect gate, as in `planted_values`. Columns: analysis, arm, visit, contrast, outcome,
    quantity (how the row of `associations` that answers it begins), planted, note. Changes are those of means; arms_differ
    and treg_arms analyses of covariance on the first visit; treg_vs_das28 a partial Spearman correlation given arm and
    both first values; within_patient a correlation after the means of each visit in each arm are taken out; carried the
    product of least-squares slopes given arm and both first values; adverse_events the rate that both arms were given.
    """
    trial = simulate_trial(patients, scenario, _SEED)
    names = list(trial.day_of)
    latent = trial.followed.latent
    arm = latent.arm.astype(float)
    of = expected_cd4(latent.blood(slice(None), slice(None)), events).astype(np.int64)
    odds = latent.treg / (1 - latent.treg) * np.exp(trial.followed.measured_logit)
    count = np.random.default_rng(_SEED).binomial(of, odds / (1 + odds))
    logit = np.log((count + 0.5) / (of - count + 0.5))
    share, das28 = count / of, das28_crp_of(trial.parts)
    cytokine = {name: np.log(trial.parts[name]) for name in ("tnf_alpha", "il6")}
    rows: list[tuple[str, str, str, str, str, str, float, str]] = []

    def changes(analysis: str, outcome: str, values: FloatArray, visit: str, note: str, *, each_arm: bool) -> None:
        change = values[:, names.index(visit)] - values[:, 0]
        mean = [float(change[arm == index].mean()) for index in (0, 1)]
        for index, name in enumerate(ARMS if each_arm else ()):
            span = f"{visit} - {names[0]}"
            rows.append((analysis, name, visit, span, outcome, "mean change", mean[index], note))
        difference = "difference of mean changes"
        rows.append((analysis, ARMS[1], visit, BETWEEN, outcome, difference, mean[1] - mean[0], note))

    changes("treg_rises", "Tregs % of CD4+", logit, "month1", "logit of the fraction of CD4+", each_arm=True)
    changes("activity_falls", "das28_crp", das28, "month3", "points of DAS28-CRP", each_arm=True)
    changes(
        "function_improves",
        "haq_di",
        np.asarray(trial.parts["haq_di"]),
        "month3",
        "points of HAQ-DI",
        each_arm=True,
    )
    for name, values in cytokine.items():
        changes("cytokines_fall", name, values, "month1", "natural log, as if none were censored", each_arm=True)
    at = names.index("month3")
    for analysis, outcome, values in (
        ("arms_differ", "das28_crp", das28),
        ("treg_arms", "Tregs % of CD4+", logit),
    ):
        found = _slopes(values[:, at], [arm, values[:, 0]])[0]
        rows.append((analysis, ARMS[1], "month3", BETWEEN, outcome, "arm difference at month3", found, ""))
    responded = acr_of(trial.parts, 20)[:, at].astype(float)
    shares = np.array([responded[arm == index].mean() for index in (0, 1)])
    log_odds = np.log(shares / (1 - shares))
    rows.append(
        ("acr_arms", ARMS[1], "month3", BETWEEN, "acr20", "log odds ratio", float(log_odds[1] - log_odds[0]), "")
    )
    ranked = [_ranks(values) for values in (share[:, at] - share[:, 0], das28[:, at] - das28[:, 0])]
    given = [arm, _ranks(share[:, 0]), _ranks(das28[:, 0])]
    partial = _correlation(*(_rest(values, given) for values in ranked))
    rows.append(("treg_vs_das28", "", "month3", "", "das28_crp", "partial Spearman", partial, ""))
    within = [_centred(values, arm).ravel() for values in (share, das28)]
    found = _correlation(within[0], within[1])
    rows.append(("within_patient", "", "", "", "das28_crp", "within-subject correlation, adjusted", found, ""))
    slope = _correlation_slope(_centred(logit, arm).ravel(), within[1])
    rows.append(("apart", "", "", "", "das28_crp", "slope within subjects, adjusted", slope, "points a logit"))
    first = [logit[:, 0], das28[:, 0]]
    to_mediator = _slopes(logit[:, names.index("month1")], [arm, *first])[0]
    from_mediator = _slopes(das28[:, at], [logit[:, names.index("month1")], arm, *first])[0]
    along = to_mediator * from_mediator
    rows.append(("carried", "", "month3", BETWEEN, "das28_crp", "effect along", along, "points of DAS28-CRP"))
    serious = "serious events for a patient-year"
    rows += [("adverse_events", name, "", "", "", serious, trial.course.serious, "") for name in ARMS]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(planted=table["planted"].round(4))


def _slopes(y: FloatArray, on: list[FloatArray]) -> list[float]:
    design: FloatArray = np.column_stack([*on, np.ones(len(y))])
    return [float(value) for value in np.linalg.lstsq(design, y, rcond=None)[0]]


def _rest(y: FloatArray, on: list[FloatArray]) -> FloatArray:
    design: FloatArray = np.column_stack([*on, np.ones(len(y))])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def _centred(values: FloatArray, arm: FloatArray) -> FloatArray:
    rest = values - values.mean(axis=1, keepdims=True)
    for index in range(len(ARMS)):
        rest[arm == index] -= rest[arm == index].mean(axis=0)
    return rest


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _correlation_slope(x: FloatArray, y: FloatArray) -> float:
    return float(x @ y / (x @ x))


def _ranks(values: FloatArray) -> FloatArray:
    return pd.Series(values).rank().to_numpy() / len(values) - 0.5
