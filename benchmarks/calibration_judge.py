"""What the trials of `make calibrate` came to: shares, coverage and bias of each row, and whether they lie within limits.

Each limit is widened by 1.96 Monte Carlo standard errors at the limit, of the number of trials that this row was judged on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.calibration_design import (
    DRAWS,
    GROUPS,
    NULLS,
    SCENARIOS,
    Group,
    is_exact,
    is_null,
    only_reported,
    truth_of_null,
)

__all__ = ["FAMILY_ROW", "KEYS", "LEAST", "Limits", "limits_of", "rejections", "summarise", "within"]

KEYS = ("analysis", "term", "arm", "visit", "contrast", "predictor", "outcome")
FAMILY_ROW = "any adjusted p below 0.05 in the family"
LEAST = 100  # trials below which a figure is shown but not judged
Z = 1.96
LEVEL = 0.05
POWER_ERROR = 0.03  # by how much a stated power may be off; the issue names no figure, this one is ours

Values = np.ndarray[Any, np.dtype[np.float64]]
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Limits:
    """Lowest and highest share of rejections of a true null, and of intervals that hold their estimand."""

    rejected: tuple[float, float]
    covered: tuple[float, float]


@dataclass
class Collected:
    """A row over the trials: found() is (n, 4), of p, estimate, low, high, NaN where a trial has none; n trials were run."""

    primary: bool
    parts: list[Values] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    trials: int = 0

    def found(self) -> Values:
        return np.concatenate(self.parts)


def limits_of(group: Group, term: str) -> Limits:
    """Of a row: exact tests, mediation and families may reject less than 5 %, and their intervals cover more."""
    if group.kind in {"at most", "family"} or is_exact(group, term):
        return Limits((0.0, 0.057), (0.935, 1.0))
    return Limits((0.04, 0.06), (0.935, 0.965))


def within(share: float, low: float, high: float, n: float) -> bool:
    """Whether a share of n trials lies within limits that are widened by their Monte Carlo error."""

    def error(rate: float) -> float:
        return Z * math.sqrt(rate * (1 - rate) / n)

    return low - error(low) <= share <= high + error(high)


def rejections(values: Values, truth: float) -> dict[str, float]:
    """Shares of the trials that gave a p-value or an interval: rejected at 5 %, interval holds the truth; bias."""
    p, estimate, low, high = np.asarray(values, float).reshape(-1, 4).T
    tested, ended = ~np.isnan(p), ~(np.isnan(low) | np.isnan(high))
    held = (low[ended] <= truth) & (truth <= high[ended])
    known = estimate[~np.isnan(estimate)]
    return {
        "tests": int(tested.sum()),
        "rejected": float((p[tested] < LEVEL).mean()) if tested.any() else math.nan,
        "intervals": int(ended.sum()) if not math.isnan(truth) else 0,
        "covered": float(held.mean()) if ended.any() and not math.isnan(truth) else math.nan,
        "bias": float(known.mean()) - truth if len(known) else math.nan,
        "spread": float(known.std(ddof=1)) if len(known) > 1 else math.nan,
    }


def summarise(chunks: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A row an estimate and scenario: trials, share rejected, share of intervals that hold the truth, bias, judgement.

    Columns: scenario, group, the KEYS, null (whether a true null is tested), exact, truth, trials, tests, rejected, intervals,
    covered, bias, spread (sd of the estimates), judgement (within, outside: ..., too few trials, reported).
    """
    rows = _collected(chunks)
    found = [_family(scenario, own) for scenario, own in _families(rows).items()]
    for (scenario, name, key), row in rows.items():
        group, parts = GROUPS[name], dict(zip(KEYS, key.split("|"), strict=True))
        if group.kind == "family":
            continue
        truth = _simulated_power(rows, scenario) if parts["analysis"] == "enough" else math.nan
        told = _told(scenario, group, parts, row, truth)
        if told is not None:
            found.append({"scenario": scenario, "group": name, **parts, **told})
    return pd.DataFrame(found)


def _collected(chunks: Iterable[Mapping[str, Any]]) -> dict[Place, Collected]:
    rows: dict[Place, Collected] = {}
    trials: dict[tuple[str, str], int] = {}
    for chunk in chunks:
        where = (chunk["scenario"], chunk["group"])
        for named, row in chunk["rows"].items():
            key = re.sub(r"F\([^)]*\)\|", "|", named)  # degrees of freedom differ from trial to trial
            kept = rows.setdefault((*where, key), Collected(row["primary"]))
            kept.parts.append(np.array([[math.nan] * 4 if v is None else v for v in row["values"]], dtype=float))
            kept.numbers.append(chunk["chunk"])
        trials[where] = trials.get(where, 0) + max(
            (len(row["values"]) for row in chunk["rows"].values()), default=0
        )
    for (scenario, group, _), row in rows.items():
        row.trials = trials[scenario, group]
    return rows


def _told(
    scenario: str, group: Group, parts: Mapping[str, str], row: Collected, power: float
) -> dict[str, Any] | None:
    """The figures of a row; None for one that is neither a test of a true null nor has a truth or a power.

    power: simulated, the truth of a row that states one.
    """
    analysis, term = parts["analysis"], parts["term"]
    null = is_null(scenario, analysis, term, parts["arm"], parts["predictor"], parts["outcome"])
    truth = truth_of_null(term) if null else power if analysis == "enough" else _truth(scenario, parts)
    if null and np.isnan(row.found()[:, 0]).all():
        return None  # no test: the mean of an arm, a share
    if math.isnan(truth) and (scenario in NULLS or not row.primary):
        return None
    figures = rejections(row.found(), truth)
    exact = is_exact(group, term)
    judged = _judge(figures, limits_of(group, term), null)
    if only_reported(scenario, analysis, term, parts["outcome"]):
        judged = "reported"
    if analysis == "enough":
        judged = _judge_power(figures["bias"], truth, row.trials)
    return {
        "null": null,
        "exact": exact,
        "primary": row.primary,
        "truth": truth,
        "trials": row.trials,
        **figures,
        "judgement": judged,
    }


def _simulated_power(rows: Mapping[Place, Collected], scenario: str) -> float:
    """The share of trials in which the analysis that `enough` gives the power of rejected."""
    for (where, name, key), row in rows.items():
        if where == scenario and name == "power" and row.primary and not key.startswith("enough"):
            return rejections(row.found(), math.nan)["rejected"]
    return math.nan


def _judge_power(error: float, simulated: float, n: int) -> str:
    """By the error of the stated power, and the Monte Carlo error of the simulated one."""
    if n < LEAST or math.isnan(simulated):
        return "too few trials"
    allowed = POWER_ERROR + Z * math.sqrt(simulated * (1 - simulated) / n)
    return "within" if abs(error) <= allowed else "outside: error"


def _truth(scenario: str, parts: Mapping[str, str]) -> float:
    """The estimand of a row where its null is not true; NaN where none is known."""
    if scenario == DRAWS:
        from benchmarks.calibration_draws import TRUTHS

        return TRUTHS.get(parts["term"], math.nan)
    if scenario in NULLS and only_reported(scenario, parts["analysis"], parts["term"], parts["outcome"]):
        return truth_of_null(parts["term"])
    if parts["analysis"] == "variation":
        return _shares(scenario).get(parts["predictor"] or "residual", math.nan)
    if scenario in NULLS:
        return math.nan
    table = _planted(scenario)
    rows = table[(table["analysis"] == parts["analysis"]) & (table["arm"] == parts["arm"])]
    rows = rows[
        (rows["outcome"] == parts["outcome"])
        & ((rows["contrast"] == parts["contrast"]) | (rows["contrast"] == ""))
    ]
    rows = rows[[parts["term"].startswith(quantity) for quantity in rows["quantity"]]]
    return float(rows["planted"].iloc[0]) if len(rows) else math.nan


@lru_cache(maxsize=16)
def _planted(scenario: str) -> pd.DataFrame:
    from cytoreg.simulation.trial_planted import trial_planted

    return trial_planted(SCENARIOS[scenario])


@lru_cache(maxsize=4)
def _shares(scenario: str, patients: int = 20_000) -> dict[str, float]:
    """Shares of the variance of Treg log odds by patient and residual: those of the mean squares of a very large trial.

    Visits have none where nothing happens; a share of zero lies at the end of what a share can be, and is not judged.
    """
    from cytoreg.simulation.trial import TREGS, simulate_trial

    trial = simulate_trial(patients, SCENARIOS[scenario], 20_130_102)
    table = trial.linked(attended_only=False)
    count, of = (table[f"{TREGS} {name}"].to_numpy(float).reshape(patients, -1) for name in ("count", "of"))
    logit = np.log((count + 0.5) / (of - count + 0.5))
    visits = logit.shape[1]
    centred = logit - logit.mean(axis=0)
    between = visits * float(centred.mean(axis=1).var(ddof=1))
    rest = centred - centred.mean(axis=1, keepdims=True)
    error = float((rest**2).sum()) / ((patients - 1) * (visits - 1))
    subject = (between - error) / visits
    return {"subject_id": subject / (subject + error), "residual": error / (subject + error)}


def _judge(figures: Mapping[str, float], limits: Limits, null: bool) -> str:
    """Within its limits, or in what not; what is too few to judge is said."""
    wrong = []
    judged = False
    if null and figures["tests"] >= LEAST:
        judged = True
        if not within(figures["rejected"], *limits.rejected, figures["tests"]):
            wrong.append("rejects")
    if figures["intervals"] >= LEAST:
        judged = True
        if not within(figures["covered"], *limits.covered, figures["intervals"]):
            wrong.append("covers")
    if not judged:
        return "reported" if not null and figures["tests"] >= LEAST else "too few trials"
    return "outside: " + ", ".join(wrong) if wrong else "within"


def _families(rows: Mapping[Place, Collected]) -> dict[str, list[Collected]]:
    """Scenario -> the rows of its family whose null is true."""
    found: dict[str, list[Collected]] = {}
    for (scenario, name, key), row in rows.items():
        parts = dict(zip(KEYS, key.split("|"), strict=True))
        if GROUPS[name].kind == "family" and is_null(
            scenario, parts["analysis"], parts["term"], parts["arm"], parts["predictor"], parts["outcome"]
        ):
            found.setdefault(scenario, []).append(row)
    return found


def _family(scenario: str, rows: list[Collected]) -> dict[str, Any]:
    """How often any adjusted p of a true null is below 0.05, whichever rows of a trial have one."""
    least: dict[int, Values] = {}
    for row in rows:
        for number, values in zip(row.numbers, row.parts, strict=True):
            p = np.where(np.isnan(values[:, 0]), 1.0, values[:, 0])
            least[number] = np.minimum(least.get(number, np.ones(len(p))), p)
    p = np.concatenate(list(least.values()))
    group = GROUPS["family"]
    figures = rejections(np.column_stack([p, *[np.full(len(p), math.nan)] * 3]), math.nan)
    words = {**dict.fromkeys(KEYS, ""), "analysis": "abstract", "term": f"{FAMILY_ROW} ({len(rows)} true nulls)"}
    judged = _judge(figures, limits_of(group, ""), True)
    return {
        "scenario": scenario,
        "group": "family",
        **words,
        "null": True,
        "exact": False,
        "primary": True,
        "truth": math.nan,
        "trials": len(p),
        **figures,
        "judgement": judged,
    }
