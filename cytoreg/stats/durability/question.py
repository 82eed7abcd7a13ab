"""How long does a response last without another infusion, and does that go with a value: the `time_to_loss` question."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.durability.cox import NotFitted, fit_cox
from cytoreg.stats.durability.curves import fit_weibull, kaplan_meier
from cytoreg.stats.durability.risk import LOST, REINFUSED, UNCONFIRMED, Risk, risk_intervals
from cytoreg.stats.durability.weighting import MODEL, reinfusion_weights
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.partial import dummies
from cytoreg.stats.questions import TimeToLoss
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of
from cytoreg.stats.values import Data

__all__ = ["time_to_loss"]

METHOD = (
    "Time to loss of response: from the first response to the first of two failures in a row; Kaplan-Meier with log-log "
    "intervals; Cox's regression (Efron's ties, strata of arm and visit of the first response) on the value at the last "
    "visit before each interval; a Weibull model for losses between visits and a landmark analysis beside it."
)
UNTESTED = True  # without a covariate and with one arm the answer is a duration, which no p goes with

LEAST_LOSSES = 5
LEAST_OF_LEVEL = 3  # intervals with a loss and without, for a level of a factor to have a hazard of its own
NOT_RANDOMISED = "among responders, who were not randomised"
UNIT = {"linear": "unit", "logit": "unit of log odds", "log": "unit of natural log"}
HANDLED = {
    "event": "another infusion counts as loss",
    "censor": "follow-up ends at another infusion, as if it told nothing of what the response would have done",
    "weight": "follow-up ends at another infusion, and those like them stand for them by weights",
}


@dataclass(frozen=True, eq=False)
class _View:
    """The intervals under one declared handling: lost (n,), weight (n,) or None, and the rows of `table`."""

    table: pd.DataFrame
    lost: np.ndarray[Any, np.dtype[np.bool_]]
    weight: np.ndarray[Any, np.dtype[np.float64]] | None
    remark: str = ""


def time_to_loss(question: TimeToLoss, data: Data) -> list[Estimate]:
    """The log hazard of loss per unit of the covariate (primary), its checks, durations, and arms.

    Primary: with a covariate Cox's regression on it, stratified by arm and visit of the first response; without one
    the contrast of arms among responders, or the median duration where there is one arm. Beside it a landmark
    analysis, a Weibull model for losses that happened between visits, the other rule for a last single failure; of
    each arm the median duration and the share that still responds at the declared days.
    """
    value = None
    if question.covariate is not None:
        value = data.value(question.covariate, "covariate", data.scale_of(question.covariate, question.scale, ""))
    risk = risk_intervals(data, question.outcome, value)
    view = _view(risk, question, question.last_failure)
    table = view.table
    lost = table.loc[view.lost, "subject"].nunique()
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="",
        outcome=question.outcome,
        n_subjects=table["subject"].nunique(),
        n_observations=len(table),
    )
    said = _said(risk, question, view, lost)
    rows: list[Estimate] = []
    if question.covariate is not None:
        own = replace(blank, predictor=question.covariate)
        rows += _of_covariate(question, risk, view, own, said)
    arms = sorted({arm for arm in table["arm"] if arm is not None})
    contrasts = _arms(view, arms, data, blank) if len(arms) > 1 else []
    if rows:
        rows += [replace(row, note=f"{DESCRIPTIVE}; {row.note}") for row in contrasts]
    elif contrasts:
        rows += [replace(contrasts[0], primary=True, note=f"{contrasts[0].note}; {said}"), *contrasts[1:]]
    durations = [row for arm in (*arms, "") for row in _durations(view, arm, question, blank)]
    if not rows:
        durations[-1 - len(question.at_days)] = replace(
            durations[-1 - len(question.at_days)], primary=True, note=said
        )
    return rows + durations


def _view(risk: Risk, question: TimeToLoss, last_failure: str) -> _View:
    table = risk.table
    weight, remark = None, ""
    if question.reinfusion == "weight":
        weights = reinfusion_weights(table)
        kept = (table["end"] != REINFUSED).to_numpy()
        table, weight = table[kept].reset_index(drop=True), weights.weight[kept]
        remark = f"weights by a {MODEL}; {weights.reinfused} infused again, largest weight {weights.largest:.2g}"
    end = table["end"].to_numpy()
    lost = end == LOST
    if last_failure == "event":
        lost |= end == UNCONFIRMED
    if question.reinfusion == "event":
        lost |= end == REINFUSED
    return _View(table, lost, weight, remark)


def _said(risk: Risk, question: TimeToLoss, view: _View, lost: int) -> str:
    ends = risk.table["end"]
    single = int((ends == UNCONFIRMED).sum())
    counted = "counted as loss" if question.last_failure == "event" else "not counted as loss"
    parts = [
        f"{risk.responders} responded, {view.table['subject'].nunique()} of them were seen again, {lost} lost it"
    ]
    parts.append(f"{single} failures that no later visit could confirm, {counted}")
    parts.append(f"{int((ends == REINFUSED).sum())} infused again first: {HANDLED[question.reinfusion]}")
    if risk.bracketed:
        parts.append("an infusion between two visits is put on the day of the earlier")
    if risk.carried and question.covariate is not None:
        parts.append(f"{risk.carried} intervals carry an earlier value forward")
    return "; ".join([*parts, view.remark] if view.remark else parts)


def _of_covariate(question: TimeToLoss, risk: Risk, view: _View, blank: Estimate, said: str) -> list[Estimate]:
    unit = f"log hazard of loss per {UNIT[question.scale]} of {question.covariate}"
    main, checked = _cox(view, replace(blank, term=unit, primary=True))
    rows = [replace(main, note="; ".join(part for part in (main.note, checked, said) if part))]
    other = "censor" if question.last_failure == "event" else "event"
    second, _ = _cox(_view(risk, question, other), replace(blank, term=f"{unit}, last single failure: {other}"))
    rows.append(replace(second, note=_aside(second.note)))
    rows.append(_landmark(question, view, replace(blank, term=f"{unit}, landmark at {question.landmark:g} days")))
    rows.append(_between_visits(view, replace(blank, term=f"{unit}, losses between visits (Weibull)")))
    return rows


def _aside(note: str) -> str:
    return f"{SENSITIVITY}; {note}" if note else SENSITIVITY


def _cox(view: _View, blank: Estimate, values: Any = None) -> tuple[Estimate, str]:
    """The row, and the check of proportional hazards. values: (n,) in place of the covariate of the intervals.

    Time is counted in visits: a visit of one day early or late would else set a subject's value of one visit against the
    others' of the visit before, and a trend of the value would be taken for a link.
    """
    x = view.table["value"].to_numpy(float) if values is None else values
    keep = np.isfinite(x)
    table, lost = view.table[keep], view.lost[keep]
    blank = replace(blank, n_subjects=table["subject"].nunique(), n_observations=len(table))
    if lost.sum() < LEAST_LOSSES:
        return replace(blank, note=f"{int(lost.sum())} losses: at least {LEAST_LOSSES} are needed"), ""
    weighted = view.weight is not None
    with_arm = values is None
    strata = [
        f"{arm if with_arm else ''}|{visit}" for arm, visit in zip(table["arm"], table["first_visit"], strict=True)
    ]
    try:
        fit = fit_cox(
            table["start_visit"],
            table["stop_visit"],
            lost,
            x[keep],
            strata=strata,
            weights=view.weight[keep] if view.weight is not None else None,
            cluster=table["subject"].to_numpy() if weighted else None,
        )
    except NotFitted as problem:
        return replace(blank, note=str(problem)), ""
    if not fit.corrected[0, 0] > 1e-9 * fit.covariance[0, 0]:
        return replace(blank, note="all who were at risk together were lost at the same visit"), ""
    p = fit.proportional()
    checked = "proportional hazards could not be checked"
    if math.isfinite(p):
        doubt = "in doubt: the ratio is an average over time" if p < 0.05 else "not in doubt"
        checked = f"proportional hazards {doubt} (p = {p:.2g})"
    return _normal(blank, float(fit.beta[0]), math.sqrt(float(fit.corrected[0, 0]))), checked


def _normal(blank: Estimate, estimate: float, se: float) -> Estimate:
    half = float(stats.norm.ppf(0.975)) * se
    return replace(
        blank,
        estimate=estimate,
        se=se,
        statistic=estimate / se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p_value=float(2 * stats.norm.sf(abs(estimate / se))),
    )


def _landmark(question: TimeToLoss, view: _View, blank: Estimate) -> Estimate:
    """Of those still responding and followed at the landmark, by the last value on or before it."""
    table, day = view.table, question.landmark
    after = (table["stop"] > day).to_numpy()
    later = table[after].assign(start=np.maximum(table.loc[after, "start"], day))
    last = table[table["start"] <= day].groupby("subject")["value"].last()
    later["value"] = later["subject"].map(last)
    found, _ = _cox(_View(later.reset_index(drop=True), view.lost[after], None), blank)
    return replace(found, note=_aside(found.note))


def _between_visits(view: _View, blank: Estimate) -> Estimate:
    keep = view.table["value"].notna().to_numpy()
    table, lost = view.table[keep], view.lost[keep]
    blank = replace(blank, n_subjects=table["subject"].nunique(), n_observations=len(table), note=SENSITIVITY)
    if lost.sum() < LEAST_LOSSES:
        return replace(blank, note=_aside(f"{int(lost.sum())} losses: at least {LEAST_LOSSES} are needed"))
    columns = [table["value"].to_numpy(float)]
    for factor in ("arm", "first_visit"):
        for column in dummies(table[factor].fillna("")).T:
            inside = column == 1
            if (
                min(lost[inside].sum(), (~lost[inside]).sum()) >= LEAST_OF_LEVEL
            ):  # else its ratio may have no bound
                columns.append(column)
    fit = fit_weibull(table["start"], table["stop"], lost, np.column_stack(columns))
    if fit is None:
        return replace(blank, note=_aside("the Weibull model did not converge"))
    done = _normal(blank, float(fit.beta[0]), float(fit.se[0]))
    adjusted = "adjusted for arm and visit of the first response"
    return replace(done, note=_aside(adjusted + ("; re-infusion not weighted" if view.weight is not None else "")))


def _arms(view: _View, arms: list[str], data: Data, blank: Estimate) -> list[Estimate]:
    control, remark = data.control(arms)
    rows = []
    for arm in arms:
        if arm == control:
            continue
        inside = view.table["arm"].isin([arm, control]).to_numpy()
        weight = view.weight[inside] if view.weight is not None else None
        part = _View(view.table[inside], view.lost[inside], weight)
        term = f"log hazard of loss, {arm} against {control}"
        row = replace(
            blank, term=term, predictor=data.read.plan.treatment.arm, arm=arm, contrast=f"{arm} - {control}"
        )
        is_arm = (part.table["arm"] == arm).to_numpy(float)
        row, checked = _cox(part, row, is_arm)
        notes = [NOT_RANDOMISED, row.note, checked, remark]
        rows.append(replace(row, note="; ".join(note for note in notes if note)))
    return rows


def _durations(view: _View, arm: str, question: TimeToLoss, blank: Estimate) -> list[Estimate]:
    inside = (view.table["arm"] == arm).to_numpy() if arm else np.ones(len(view.table), bool)
    table, lost = view.table[inside], view.lost[inside]
    blank = replace(
        blank, arm=arm, n_subjects=table["subject"].nunique(), n_observations=len(table), note=DESCRIPTIVE
    )
    median = replace(blank, term="median days to loss (Kaplan-Meier)")
    shares = [replace(blank, term=f"share still responding at {day:g} days") for day in question.at_days]
    if not lost.any():
        note = f"{DESCRIPTIVE}; no losses" if len(table) else f"{DESCRIPTIVE}; no responder was seen again"
        return [replace(row, note=note) for row in (median, *shares)]
    weight = view.weight[inside] if view.weight is not None else None
    curve = kaplan_meier(table["stop"], lost, start=table["start"], weights=weight, cluster=table["subject"])
    middle, low, high = (end if math.isfinite(end) else math.nan for end in curve.median())
    if math.isnan(middle):
        median = replace(median, note=f"{DESCRIPTIVE}; fewer than half lost it: the median is not reached")
    rows = [replace(median, estimate=middle, ci_low=low, ci_high=high)]
    followed = float(table["stop"].max())
    for row, day in zip(shares, question.at_days, strict=True):
        if day > followed:
            rows.append(replace(row, note=f"{DESCRIPTIVE}; nobody was followed so long"))
            continue
        share, low, high = curve.at(day)
        rows.append(replace(row, estimate=share, ci_low=low, ci_high=high))
    return rows


def sentence(question: TimeToLoss, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    who = f"Among {row.n_subjects} subjects who had reached {question.outcome}"
    if row.term.startswith("median"):
        interval = f" (95 % interval from {row.ci_low:.0f}" + (
            f" to {row.ci_high:.0f})" if math.isfinite(row.ci_high) else " with no upper end)"
        )
        interval = interval if math.isfinite(row.ci_low) else ""
        return f"{who}, half had lost it {row.estimate:.0f} days later{interval}; {HANDLED[question.reinfusion]}."
    ratio, low, high = (math.exp(min(end, 700.0)) for end in (row.estimate, row.ci_low, row.ci_high))
    numbers = f"hazard ratio {ratio:.3g} (95 % interval {low:.3g} to {high:.3g}; {p_of(row)})"
    faster = "faster" if row.estimate > 0 else "more slowly"
    if row.predictor != question.covariate:
        verb = f"lost it {faster}" if is_clear(row) else "did not lose it clearly faster or more slowly"
        treated, _, control = row.contrast.partition(" - ")
        return (
            f"{who}, those of {treated} {verb} than those of {control}: {numbers}. Responders were not randomised: the "
            f"arms may differ in who responds; {HANDLED[question.reinfusion]}."
        )
    verb = f"was lost {faster}" if is_clear(row) else "was not lost clearly faster or more slowly"
    unit = (
        " percentage point"
        if question.scale == "linear" and " % of " in row.predictor
        else f" {UNIT[question.scale]}"
    )
    return (
        f"{who}, it {verb} where {row.predictor} had been higher at the visit before: {numbers} for each{unit}; "
        f"{HANDLED[question.reinfusion]}. {NOT_CAUSE}"
    )


def title(question: TimeToLoss, say: Callable[[str], str]) -> str:
    """What is asked."""
    if question.covariate is None:
        return f"How long does {say(question.outcome)} last without another infusion?"
    return f"Does {say(question.outcome)} last longer where {say(question.covariate)} is higher?"


def points(question: TimeToLoss, data: Data) -> tuple[pd.DataFrame, str, str]:
    """The Kaplan-Meier steps of each arm: x the days since the first response, y the share in percent still responding."""
    view = _view(risk_intervals(data, question.outcome, None), question, question.last_failure)
    table = view.table
    frames = []
    arms = sorted({arm for arm in table["arm"] if arm is not None}) or [""]
    for arm in arms:
        inside = (table["arm"] == arm).to_numpy() if arm else np.ones(len(table), bool)
        own, lost = table[inside], view.lost[inside]
        x, y = [0.0], [100.0]
        if lost.any():
            weight = view.weight[inside] if view.weight is not None else None
            curve = kaplan_meier(own["stop"], lost, start=own["start"], weights=weight, cluster=own["subject"])
            x, y = [0.0, *curve.time], [100.0, *(100 * curve.share)]
        if len(own):
            x, y = [*x, float(own["stop"].max())], [*y, y[-1]]
        frames.append(pd.DataFrame({"subject_id": "", "arm": arm or None, "visit": "", "x": x, "y": y}))
    frame = pd.concat(frames, ignore_index=True)
    return frame, "days since the first response", f"still {question.outcome}, %"
