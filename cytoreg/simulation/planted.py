"""What each analysis of a simulated study should find: its estimand in a very large cohort like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cytoreg.simulation.biology import Composition, FloatArray
from cytoreg.simulation.cohort import VISITS
from cytoreg.simulation.disease import ARMS, Effects, components, das28_crp_of, draw_latent, effects_of
from cytoreg.simulation.panels import PANELS, kind_shares

__all__ = ["beside", "expected_cd4", "planted_values"]

PATIENTS = 100_000
_SEED = 20_130_101  # of the large cohort, the same for every study


def planted_values(
    scenario: str | Effects = "effects", *, events: int = 20_000, visits: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """The planted value of each analysis of the simulated plan, by Monte Carlo over 100,000 patients.

    Treg % is measured as by a perfect gate in tubes of `events` events: binomial counts of Tregs among the
    CD4+ cells such a tube holds. DAS28-CRP is computed from whole joints and millimetres. Columns: analysis,
    arm, visit, contrast, quantity, planted, note; the Monte Carlo error is about 0.003. Where the effects are
    such that the value is 0 whatever the rest (no rise in an arm, arms alike, no link), it is 0 exactly.

    Definitions: mean change of the logit, and of the score, last visit minus first; adjusted difference of
    arms at the last visit (coefficient of arm in the analysis of covariance on the first); partial Spearman
    correlation of the changes given arm and both values at the first visit; correlation within patients after
    the means of each visit in each arm are taken out (Bland and Altman, BMJ 1995;310:446).
    """
    effects, _ = effects_of(scenario)
    day_of = dict(visits or VISITS)
    names = list(day_of)
    first, last = names[0], names[-1]
    rng = np.random.default_rng(_SEED)
    arm = np.arange(PATIENTS) % 2
    latent = draw_latent(arm, np.array(list(day_of.values()), dtype=np.float64), effects, rng)
    das28 = das28_crp_of(components(latent.das28, latent.log_cytokine, rng))
    share = _measured(latent.treg, expected_cd4(latent.blood(slice(None), slice(None)), events), rng)
    logit = np.log(share / (1 - share))

    rises, falls = effects.per_arm("treg_rise"), effects.per_arm("das28_fall")
    rows: list[tuple[str, str, str, str, str, float, str]] = []
    change = f"{last} - {first}"
    for index, name in enumerate(ARMS):
        here = arm == index
        rise = float(np.mean(logit[here, -1] - logit[here, 0])) if rises[index] else 0.0
        fall = float(np.mean(das28[here, -1] - das28[here, 0])) if falls[index] else 0.0
        rows.append(
            ("treg_rises", name, last, change, "mean change of logit", rise, "logit of the fraction of CD4+")
        )
        rows.append(("activity_falls", name, last, change, "mean change", fall, "points of DAS28-CRP"))
    arms = f"{ARMS[1]} - {ARMS[0]}"
    adjusted = "adjusted difference"
    activity = _ancova(das28, arm) if falls[0] != falls[1] else 0.0
    rows.append(("arms_differ", "", last, arms, adjusted, activity, "points of DAS28-CRP"))
    treg = _ancova(logit, arm) if rises[0] != rises[1] else 0.0
    rows.append(("treg_arms", "", last, arms, f"{adjusted} of logit", treg, "logit of the fraction of CD4+"))
    changes = (share[:, -1] - share[:, 0], das28[:, -1] - das28[:, 0])
    linked = effects.das28_per_logit != 0
    partial = _partial_spearman(*changes, (arm, share[:, 0], das28[:, 0])) if linked else 0.0
    rows.append(("treg_vs_das28", "", last, change, "partial Spearman", partial, "given arm and both baselines"))
    within = _within(share, das28, arm) if linked else 0.0
    rows.append(("within_patient", "", "", "", "repeated-measures correlation", within, "given visit by arm"))
    table = pd.DataFrame(rows, columns=["analysis", "arm", "visit", "contrast", "quantity", "planted", "note"])
    order = {name: position for position, name in enumerate(plan_order())}
    table["planted"] = table["planted"].round(4)
    return table.sort_values("analysis", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def plan_order() -> tuple[str, ...]:
    """The analyses with a planted value, in the order of the plan."""
    return ("treg_rises", "activity_falls", "arms_differ", "treg_arms", "treg_vs_das28", "within_patient")


def expected_cd4(blood: Composition, events: int) -> FloatArray:
    """CD4+ T cells that a Treg tube of so many events holds, single and alive."""
    panel = PANELS["treg"]
    shares = kind_shares(panel, blood)
    usable = (1 - panel.doublets) * (1 - panel.dead) * (1 - panel.margin)
    return np.rint(events * usable * shares[..., 1:7].sum(axis=-1))


def _measured(treg: FloatArray, cd4: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Counted fraction, a count of none or all moved in by half a cell so that its logit is finite."""
    cells = np.maximum(cd4, 2)
    return np.clip(rng.binomial(cells.astype(np.int64), treg), 0.5, cells - 0.5) / cells


def _ancova(values: FloatArray, arm: NDArray[np.intp]) -> float:
    design: FloatArray = np.column_stack([np.ones(len(arm)), arm, values[:, 0]])
    return float(np.linalg.lstsq(design, values[:, -1], rcond=None)[0][1])


def _partial_spearman(x: FloatArray, y: FloatArray, given: tuple[NDArray[Any], ...]) -> float:
    """Correlation of ranks after the ranks of what is given are taken out by least squares."""
    design = np.column_stack([np.ones(len(x)), *(_ranks(np.asarray(values)) for values in given)])
    left = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in (_ranks(x), _ranks(y))]
    return float(np.corrcoef(*left)[0, 1])


def _within(x: FloatArray, y: FloatArray, arm: NDArray[np.intp]) -> float:
    left = []
    for values in (x, y):
        rest = values - values.mean(axis=1, keepdims=True)
        for index in range(len(ARMS)):
            rest[arm == index] -= rest[arm == index].mean(axis=0)
        left.append(rest.ravel())
    return float(np.corrcoef(*left)[0, 1])


def _ranks(values: NDArray[Any]) -> FloatArray:
    """Average ranks, scaled to mean about zero so that the least squares are well conditioned."""
    return pd.Series(values).rank().to_numpy() / len(values) - 0.5


def beside(planted: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Each planted value with the primary estimate that answers it.

    planted: as `planted_values` or `trial_planted` gives it. found: the `associations` table. Columns: analysis, arm,
    planted, estimate, ci_low, ci_high, term, outcome. The primary row of an analysis by arm is the one of that arm.
    """
    rows = []
    planted = planted.fillna({name: "" for name in ("arm", "contrast", "outcome") if name in planted})
    for value in planted.to_dict("records"):
        answers = found[(found["analysis"] == value["analysis"]) & found["estimate"].notna()]
        if "outcome" in value:  # of a trial: the row is named in full
            same = answers["term"].str.startswith(value["quantity"]) & (answers["arm"] == value["arm"])
            for name in ("outcome", "contrast"):
                same &= (answers[name] == value[name]) | (value[name] == "")
            chosen = answers[same]
        else:
            chosen = (
                answers[answers["arm"] == value["arm"]]
                if value["arm"]
                else answers[answers["primary"].astype(bool)]
            )
        if len(chosen):
            first = chosen.iloc[0]
            row = {key: float(first[key]) for key in ("estimate", "ci_low", "ci_high")}
            named = {key: value[key] for key in ("analysis", "arm")}
            rows.append(
                {
                    **named,
                    "planted": float(value["planted"]),
                    **row,
                    "term": first["term"],
                    "outcome": first["outcome"],
                }
            )
    columns = ["analysis", "arm", "planted", "estimate", "ci_low", "ci_high", "term", "outcome"]
    return pd.DataFrame(rows, columns=columns)
