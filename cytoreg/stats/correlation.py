"""Does the change of one value go with the change of another: partial correlations of changes, with intervals.

Two arms that both move make a correlation out of nothing, so that arms are always held fixed. A change holds its own
start with the opposite sign (mathematical coupling: Oldham, J Chronic Dis 1962;15:969-977), so that it is never set
against its start: with the mean of start and end in its place. With starts held fixed the question is whether who ends
higher in x than the starts foretell ends higher in y; without, whether x and y move together within patients (`starts`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.measurement import MeasurementError, corrected_correlation, measurement_error, reliability
from cytoreg.stats.partial import dummies, filled, partial_correlation
from cytoreg.stats.questions import ChangeCorrelation
from cytoreg.stats.sentence import NOT_CAUSE, correlation_text, is_clear
from cytoreg.stats.starts import NOT_HELD, said_of_starts, warned_of_starts
from cytoreg.stats.values import Data, change_between, paired_points

__all__ = ["change_correlation"]

METHOD = (
    "Correlation of changes: partial correlation with the arm and what the plan names held fixed; beside it, where the "
    "error of measurement is known, the correlation of true changes by the moments of errors in variables (Fuller)."
)
OLDHAM = (
    "a change holds its own start with the opposite sign, so that the two correlate without any reason (mathematical "
    "coupling): the change is set against the mean of start and end (Oldham)"
)
ARM_ADDED = (
    "arm held fixed though the plan does not name it: arms that both move make a correlation out of nothing"
)
START_ADDED = (
    "start of {} held fixed though the plan does not name it: its change holds it (mathematical coupling)"
)


@dataclass(frozen=True)
class _Seen:
    """Subjects with both values at both visits, and what is held fixed."""

    x: pd.DataFrame  # from, to, change
    y: pd.DataFrame
    first: list[Any]  # row of the linked table at the start
    last: list[Any]
    arm: pd.Series
    covariates: pd.DataFrame
    groups: pd.DataFrame
    baselines: tuple[str, ...]  # columns of covariates that are measured with error
    adjust: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def arms(self) -> list[str]:
        return sorted({arm for arm in self.arm if arm is not None})


def change_correlation(question: ChangeCorrelation, data: Data) -> list[Estimate]:
    """The adjusted correlation of changes (primary), the same within each arm, the crude one, and that of true changes.

    adjust: `arm` as groups, `baseline` as both values at the start, any other column as it is at the start.
    Where there are arms, they are held fixed whatever `adjust` says; within an arm the arm itself is left out. The
    crude one is called descriptive. Where starts are held fixed, the changes with arms alone held fixed stand beside it, as a
    sensitivity analysis; where the answer is not found there, its note and sentence warn (`warned_of_starts`). Where the
    error of a value is known (see `measurement_error`) there follow the reliability of its change and the correlation of
    true changes, as a sensitivity analysis.
    """
    values = _values(question, data)
    seen = _seen(question, data, values)
    kind = question.method.capitalize()
    what = {"change": "changes", "start": "the change with the start"}[question.x_as]
    if _is_oldham(question):
        what = "the change with the mean of start and end"
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="",
        outcome=question.y,
        predictor=question.x,
        visit=question.to,
        contrast=f"{question.to} - {question.from_}",
    )
    x = _first_of(question, seen)

    def row(members: pd.Series, groups: pd.DataFrame, fixed: pd.DataFrame) -> Estimate:
        complete = members & fixed.notna().all(axis=1) & groups.notna().all(axis=1)
        result = partial_correlation(
            x[complete],
            seen.y["change"][complete],
            fixed[complete],
            _indicators(groups[complete]),
            method=question.method,
        )
        n = int(complete.sum())
        return filled(blank, result, subjects=n, pairs=n, counted=f"{n} subjects with both changes")

    everyone = pd.Series(True, index=seen.x.index)
    main = row(everyone, seen.groups, seen.covariates)
    partial = "partial " if seen.adjust else ""
    adjusted_for = f", adjusted for {' and '.join(seen.adjust)}" if seen.adjust else ""
    note = "; ".join(part for part in (main.note, *seen.remarks) if part)
    rows = [replace(main, term=f"{partial}{kind} correlation of {what}{adjusted_for}", primary=True, note=note)]
    if len(seen.arms) > 1:
        rest = [name for name in seen.adjust if name not in {"arm", data.read.plan.treatment.arm}]
        term = f"{kind} correlation of {what} within the arm"
        term += f", adjusted for {' and '.join(rest)}" if rest else ""
        groups = seen.groups.drop(columns="arm", errors="ignore")
        rows += [replace(row(seen.arm == arm, groups, seen.covariates), term=term, arm=arm) for arm in seen.arms]
    if seen.adjust and not _is_oldham(question):
        crude = row(everyone, seen.groups[[]], seen.covariates[[]])
        crude_note = "; ".join(part for part in (DESCRIPTIVE, crude.note) if part)
        rows.append(replace(crude, term=f"crude {kind} correlation of {what}", note=crude_note))
    if seen.baselines and question.x_as == "change":
        starts = [name for name in seen.covariates.columns if name.startswith("baseline ")]
        free = row(everyone, seen.groups, seen.covariates.drop(columns=starts))
        rest = [name for name in seen.adjust if name != "baseline"]
        term = f"{kind} correlation of {what}, {NOT_HELD}"
        term += f", adjusted for {' and '.join(rest)}" if rest else ""
        rows.append(replace(free, term=term, note="; ".join(filter(None, [SENSITIVITY, free.note]))))
    return warned_of_starts(rows) + _true_rows(question, data, values, seen, blank, what + adjusted_for)


def _values(question: ChangeCorrelation, data: Data) -> dict[str, pd.Series]:
    if question.x == question.y and question.x_as == "change":
        place = data.read.where(data.analysis, "y")
        raise AnalysisError(f"{place}: x and y are one column, '{question.x}'; its change goes with itself")
    return {
        key: data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    }


def _is_oldham(question: ChangeCorrelation) -> bool:
    return question.x == question.y


def _first_of(question: ChangeCorrelation, seen: _Seen) -> pd.Series:
    if _is_oldham(question):
        return (seen.x["from"] + seen.x["to"]) / 2
    return seen.x["change" if question.x_as == "change" else "from"]


def _seen(question: ChangeCorrelation, data: Data, values: dict[str, pd.Series]) -> _Seen:
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    x, y = (change_between(values[key], start, end) for key in ("x", "y"))
    left_out = set(question.control_sample)
    subjects = [subject for subject in x.index if subject in y.index and subject not in left_out]
    x, y = x.loc[subjects], y.loc[subjects]
    first, last = [start[subject] for subject in subjects], [end[subject] for subject in subjects]
    arm = pd.Series(data.arms().loc[first].to_numpy(), index=x.index, dtype=object)
    adjust, remarks = question.adjust, []
    many = len(set(arm.dropna())) > 1
    if adjust is None:
        adjust = ("arm", "baseline") if arm.notna().any() else ("baseline",)
    if many and not {"arm", data.read.plan.treatment.arm} & set(adjust):
        adjust, remarks = ("arm", *adjust), [ARM_ADDED]
    if _is_oldham(question):
        adjust, remarks = tuple(name for name in adjust if name != "baseline"), [*remarks, OLDHAM]
    elif question.x_as == "start" and "baseline" not in adjust:
        adjust, remarks = (*adjust, "baseline"), [*remarks, START_ADDED.format(question.y)]
    covariates, groups = pd.DataFrame(index=x.index), pd.DataFrame(index=x.index)
    baselines: tuple[str, ...] = ()
    for name in adjust:
        if name == "baseline":
            baselines = ("y",) if question.x_as == "start" else ("x", "y")
            for key in baselines:
                covariates[f"baseline {key}"] = (x if key == "x" else y)["from"]
        elif name in {"arm", data.read.plan.treatment.arm}:
            data.category(data.read.plan.treatment.arm, "adjust")
            groups["arm"] = arm
        elif _is_text(data, name):
            groups[name] = data.category(name, "adjust").loc[first].to_numpy()
        else:
            covariates[name] = data.column(name, "adjust").loc[first].to_numpy()
    return _Seen(x, y, first, last, arm, covariates, groups, baselines, tuple(adjust), tuple(remarks))


def _indicators(groups: pd.DataFrame) -> Any:
    made = [dummies(groups[name]) for name in groups.columns]
    return np.hstack(made) if made else None


def _true_rows(
    question: ChangeCorrelation,
    data: Data,
    values: dict[str, pd.Series],
    seen: _Seen,
    blank: Estimate,
    what: str,
) -> list[Estimate]:
    """The reliability of each change whose error is known, and the correlation with the errors taken out."""
    errors: dict[str, MeasurementError | None] = {}
    for key, name, other, sd in (
        ("x", question.x, question.y, question.x_sd),
        ("y", question.y, question.x, question.y_sd),
    ):
        scale = data.scale_of(name, question.scale, other)
        errors[key] = measurement_error(name, scale, data, values[key], sd, question.control_sample)
    if not any(errors.values()) or not len(seen.x):
        return []
    complete = (seen.covariates.notna().all(axis=1) & seen.groups.notna().all(axis=1)).to_numpy()
    n = int(complete.sum())
    indicators = _indicators(seen.groups[complete])
    noise = {key: _errors_of(error, seen, complete) for key, error in errors.items()}
    said = [
        f"error of {name} by {error.source}" if error else f"error of {name} not known, taken as none"
        for name, error in ((question.x, errors["x"]), (question.y, errors["y"]))
    ]
    rows = []
    arm_only = [dummies(seen.arm[complete])] if len(seen.arms) > 1 else []
    groups = np.hstack(arm_only) if arm_only else np.empty((n, 0))
    for key, name, frame in (("x", question.x, seen.x), ("y", question.y, seen.y)):
        error = errors[key]
        if error is None or (key == "y" and _is_oldham(question)):
            continue
        share, low, high = reliability(frame["change"][complete], noise[key].sum(axis=1), groups)
        row = replace(blank, term=f"reliability of the change of {name}", outcome=name, predictor="")
        row = replace(row, n_subjects=n, n_observations=2 * n, estimate=share, ci_low=low, ci_high=high)
        rows.append(replace(row, note=f"{SENSITIVITY}; error by {error.source}"))
    keys = ("x",) if _is_oldham(question) else ("x", "y")
    frames = {"x": seen.x, "y": seen.y}
    measured = np.column_stack([frames[key][end][complete] for key in keys for end in ("from", "to")])
    held = [np.eye(len(keys) * 2)[2 * keys.index(key)] for key in seen.baselines]
    pair = _combinations(question)
    numbers = [name for name in seen.covariates.columns if not name.startswith("baseline ")]
    parts = [np.ones((n, 1)), seen.covariates.loc[complete, numbers].to_numpy(float)]
    fixed = np.hstack([*parts, *([indicators] if indicators is not None else [])])
    dfs = [error.df if (error := errors[key]) else math.inf for key in keys for _ in range(2)]
    found = corrected_correlation(
        measured,
        np.hstack([noise[key] for key in keys]),
        fixed,
        np.vstack([*pair, *held]),
        [df / 2 for df in dfs],  # both ends share one estimate, and so vary together
    )
    note = "; ".join([SENSITIVITY, *([found.reason] if found.reason else []), *said])
    row = replace(blank, term=f"Pearson correlation of {what}, corrected for measurement error", note=note)
    row = replace(
        row, n_subjects=n, n_observations=n, estimate=found.r, ci_low=found.ci_low, ci_high=found.ci_high
    )
    return [*rows, row]


def _combinations(question: ChangeCorrelation) -> list[list[float]]:
    """What is correlated, as combinations of x at the start, at the end, and y at both."""
    if _is_oldham(question):
        return [[0.5, 0.5], [-1, 1]]
    return [[-1, 1, 0, 0] if question.x_as == "change" else [1, 0, 0, 0], [0, 0, -1, 1]]


def _errors_of(error: MeasurementError | None, seen: _Seen, complete: Any) -> Any:
    """(n, 2): error variances at the start and at the end; a value without one has the mean of the others."""
    if error is None:
        return np.zeros((int(complete.sum()), 2))
    ends = [error.variance.loc[rows].to_numpy(float)[complete] for rows in (seen.first, seen.last)]
    table = np.column_stack(ends)
    known = table[np.isfinite(table)]
    return np.where(np.isfinite(table), table, known.mean() if len(known) else 0.0)


def _is_text(data: Data, name: str) -> bool:
    return name in data.linked.columns and not pd.api.types.is_numeric_dtype(data.linked[name])


def sentence(question: ChangeCorrelation, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    if question.x_as == "start":
        return _sentence_of_start(question, row)
    if not is_clear(row):
        start = f"The changes of {question.x} and {question.y} {_span(question)} did not clearly go together"
    else:
        other = "rise" if row.estimate > 0 else "fall"
        start = f"A larger rise of {question.x} {_span(question)} went with a larger {other} of {question.y}"
    return f"{start} in {row.n_subjects} subjects ({correlation_text(row)}).{said_of_starts(row)} {NOT_CAUSE}"


def _sentence_of_start(question: ChangeCorrelation, row: Estimate) -> str:
    what = "the mean of start and end" if _is_oldham(question) else f"{question.x} at {question.from_}"
    if not is_clear(row):
        start = f"The change of {question.y} {_span(question)} did not clearly go with {what}"
    else:
        other = "rise" if row.estimate > 0 else "fall"
        start = f"Where {what} was higher, {question.y} had a larger {other} {_span(question)}"
    return f"{start} in {row.n_subjects} subjects ({correlation_text(row)}). {NOT_CAUSE}"


def _span(question: ChangeCorrelation) -> str:
    return f"from {question.from_} to {question.to}"


def title(question: ChangeCorrelation, say: Callable[[str], str]) -> str:
    """What is asked."""
    if question.x_as == "start":
        return f"Did the change of {say(question.y)} go with {say(question.x)} at {question.from_}?"
    return f"Did the change of {say(question.x)} go with the change of {say(question.y)}?"


def points(question: ChangeCorrelation, data: Data) -> tuple[pd.DataFrame, str, str]:
    """The two changes (or what stands in place of the first), each on its scale."""
    start = data.rows_at(question.from_, "from")
    seen = _seen(question, data, _values(question, data))
    frame = paired_points(_first_of(question, seen), seen.y["change"], start, question.to, data)
    label = f"change of {question.x}" if question.x_as == "change" else f"{question.x} at {question.from_}"
    if _is_oldham(question):
        label = f"{question.x}, mean of start and end"
    return frame, label, f"change of {question.y}"
