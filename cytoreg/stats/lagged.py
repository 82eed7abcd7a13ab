"""Which of two values moves first: the later change of one on the earlier change of the other, both ways round.

A level at one visit tells of what a subject always was, and subjects who are always high in one value may always be high
in the other: an earlier level then foretells a later change without anything moving first (Hamaker EL, Kuiper RM, Grasman
RPPP. Psychol Methods 2015;20:102-116). Changes are free of what a subject always was. Least squares of changes has a trap of
its own: the earlier change of a value is held fixed, and it shares the value at its end with the later one (Nickell S.
Econometrica 1981;49:1417-1426); where both values go together at one visit and one wavers longer than the other, a lead is
found that is none. So the values at the visit before serve as instruments for the changes (Anderson TW, Hsiao C. J Econom
1982;18:47-82). Errors of measurement, which stand in those values and in the changes alike, can still look like a lead;
the values one visit earlier are free of that, and tell much less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.stats.cluster_robust import cluster_robust
from cytoreg.stats.estimate import SENSITIVITY, Estimate
from cytoreg.stats.partial import dummies
from cytoreg.stats.questions import Lagged
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of
from cytoreg.stats.values import LEAST_SUBJECTS, Data

__all__ = ["lagged"]

METHOD = (
    "Which value moves first: the change of one value up to a later visit on the earlier change of the other, with its own "
    "earlier change and what each visit does to each arm held fixed, by two-stage least squares with both values at the visit "
    "before as instruments for the two earlier changes (Anderson and Hsiao); cluster-robust variance (CR2) with Bell and "
    "McCaffrey's degrees of freedom; both directions."
)
LEAST_DF = 4.0
LEAST_F = 10.0
"""Of the first stage, below which instruments are called weak: Staiger D, Stock JH. Econometrica 1997;65:557-586."""
LEVELS = (
    "by levels, as there are too few visits for changes: a lasting difference between subjects can look like one value "
    "leading the other"
)
WAVERING = (
    "by least squares: where both go together at a visit and one wavers longer than the other, that alone can look like "
    "a lead"
)
MEASURED = "errors of measurement that last no longer than a visit can look like a lead; by the values a visit earlier they cannot"
INSTRUMENTS, EARLIER = "by the values before, ", "by the values a visit earlier, "
CHANGES, OF_LEVELS = "", "by level"
"""How a row is told: changes with instruments, with earlier ones, by least squares; levels by least squares."""


@dataclass(frozen=True)
class _Steps:
    """What is regressed: outcome, predictor, own history, cell of visit and arm, subject; a row a step of a subject.

    before: both values at the start of the earlier change, or a lag before it, (rows, 2).
    """

    outcome: Any
    predictor: Any
    own: Any
    before: Any
    cell: Any
    subject: Any


def lagged(question: Lagged, data: Data) -> list[Estimate]:
    """x first then y (primary), y first then x; then both with earlier instruments, by least squares of changes, and by levels.

    With lag k, in the order of visits: ``y(t + k) - y(t)`` on ``x(t) - x(t - k)``, with ``y(t) - y(t - k)`` and visit x
    arm held fixed; instruments ``x(t - k)`` and ``y(t - k)``, or ``x(t - 2 k)`` and ``y(t - 2 k)``. On levels: on ``x(t)``,
    with ``y(t)`` and visit x arm held fixed; this answers where nobody has the 2 k + 1 visits that changes need, and the note
    says what it cannot tell apart.
    """
    x, y = (
        data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    wide = {question.x: _wide(x, data), question.y: _wide(y, data)}
    arms = data.arms().groupby(data.linked["subject_id"].astype(str)).first().reindex(wide[question.x].index)
    rows: dict[str, list[Estimate]] = {how: [] for how in (INSTRUMENTS, EARLIER, CHANGES, OF_LEVELS)}
    for how, found in rows.items():
        for earlier, later in ((question.x, question.y), (question.y, question.x)):
            blank = Estimate(
                analysis=data.analysis,
                type=question.type,
                term=_term(earlier, later, how),
                outcome=later,
                predictor=earlier,
                contrast=f"{question.lag} visit{'s' if question.lag > 1 else ''} later",
            )
            steps = _steps(wide[earlier], wide[later], arms, question.lag, how)
            found.append(_row(blank, steps, instruments=how in (INSTRUMENTS, EARLIER)))
    by_levels = rows[INSTRUMENTS][0].n_observations == 0 < rows[OF_LEVELS][0].n_observations
    first, remark, others = (
        (OF_LEVELS, LEVELS, ()) if by_levels else (INSTRUMENTS, MEASURED, (EARLIER, CHANGES, OF_LEVELS))
    )
    answer = [replace(row, note=_joined(row.note, remark)) for row in rows[first]]
    back = [
        replace(row, note=_joined(SENSITIVITY, row.note, WAVERING if how == CHANGES else ""))
        for how in others
        for row in rows[how]
        if row.n_observations
    ]
    return [replace(answer[0], primary=True), answer[1], *back]


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _term(first: str, second: str, how: str) -> str:
    """`change of das28 on the earlier change of Tregs`."""
    what = "level" if how == OF_LEVELS else "change"
    told = how if how in (INSTRUMENTS, EARLIER) else ""
    return f"change of {second} on the earlier {what} of {first}, {told}adjusted for its own and visit*arm"


def _wide(values: pd.Series, data: Data) -> pd.DataFrame:
    """Subjects by visits in their order."""
    order = data.visits()
    place = pd.Index(order).get_indexer(pd.Index(data.linked["visit"]))
    who, subjects = pd.factorize(data.linked["subject_id"].astype(str))
    table = np.full((len(subjects), len(order)), np.nan)
    table[who, place] = values.to_numpy(float)
    return pd.DataFrame(table, index=subjects, columns=order)


def _steps(first: pd.DataFrame, second: pd.DataFrame, arms: pd.Series, lag: int, how: str) -> _Steps:
    x, y = first.reindex(second.index).to_numpy(float), second.to_numpy(float)
    subjects, visits = y.shape
    back = {OF_LEVELS: 0, EARLIER: 2 * lag}.get(how, lag)
    places = np.arange(back, visits - lag)
    later = y[:, places + lag] - y[:, places]
    before = x[:, places - back], y[:, places - back]
    own, seen = (
        value[:, places] if how == OF_LEVELS else value[:, places] - value[:, places - lag] for value in (y, x)
    )
    arm = np.array(["" if pd.isna(name) else str(name) for name in arms.reindex(second.index)], dtype=object)
    cell = np.array([[f"{place}\x1f{name}" for place in places] for name in arm], dtype=object)
    who = np.repeat(np.arange(subjects)[:, None], len(places), axis=1)
    keep = np.logical_and.reduce([np.isfinite(value) for value in (later, seen, own, *before)])
    if not keep.size:
        empty = np.empty(0)
        return _Steps(empty, empty, empty, np.empty((0, 2)), empty.astype(object), empty.astype(int))
    told = np.column_stack([value[keep] for value in before])
    return _Steps(later[keep], seen[keep], own[keep], told, cell.reshape(keep.shape)[keep], who[keep])


def _row(blank: Estimate, steps: _Steps, *, instruments: bool) -> Estimate:
    n = len(np.unique(steps.subject))
    blank = replace(blank, n_subjects=n, n_observations=len(steps.outcome))
    if n < LEAST_SUBJECTS:
        return replace(blank, note=f"{n} subjects with the visits that a step needs: at least {LEAST_SUBJECTS}")
    cells = _basis(np.column_stack([np.ones(len(steps.outcome)), dummies(steps.cell)]))
    unit = float(np.std(steps.predictor))
    if unit == 0 or len(steps.outcome) <= cells.shape[1] + 3 or np.ptp(steps.outcome) == 0:
        return replace(blank, note="too few steps, or a value that does not vary")
    asked = np.column_stack([steps.predictor / unit, steps.own / (np.std(steps.own) or 1.0), cells])
    note, design, outcome = "", asked, steps.outcome
    if instruments:
        told = _basis(np.column_stack([cells, steps.before]))
        design = told @ (told.T @ asked)
        if _rank(design) == asked.shape[1]:
            # the errors are those of the values themselves, not of what the instruments tell of them
            slopes = np.linalg.lstsq(design, outcome, rcond=None)[0]
            outcome = outcome + (design - asked) @ slopes
            note = _strength(asked, design, told)
    if _rank(design) < asked.shape[1]:
        return replace(blank, note="what is held fixed explains the earlier value wholly")
    found = cluster_robust(outcome, design, steps.subject)
    if not found.df >= LEAST_DF:
        return replace(
            blank, note=f"fewer than {LEAST_DF:.0f} degrees of freedom: too few subjects bear on this slope"
        )
    return replace(
        blank,
        estimate=found.estimate / unit,
        se=found.se / unit,
        df=found.df,
        statistic=found.statistic,
        p_value=found.p_value,
        ci_low=found.ci_low / unit,
        ci_high=found.ci_high / unit,
        note=note,
    )


def _basis(columns: Any) -> Any:
    """Orthonormal columns (n, rank) of the same span."""
    left, sizes, _ = np.linalg.svd(
        columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-300), full_matrices=False
    )
    return left[:, sizes > 1e-8 * sizes[0]]


def _rank(design: Any) -> int:
    return int(np.linalg.matrix_rank(design, tol=1e-8 * len(design)))


def _strength(asked: Any, design: Any, told: Any) -> str:
    """The conditional F of the first stage for the first column, told where it is weak.

    Sanderson E, Windmeijer F. J Econom 2016;190:212-221: what the instruments tell of the value beyond the other one.
    asked: (n, p) first the value, then the other and the cells; design: the same as told by the instruments; told: basis of
    instruments and cells.
    """
    others = np.linalg.lstsq(design[:, 1:], asked[:, 0], rcond=None)[0]
    apart = asked[:, 0] - asked[:, 1:] @ others
    explained = told @ (told.T @ apart)
    cells = _basis(asked[:, 2:])
    own = explained - cells @ (cells.T @ explained)
    error = float(np.sum((apart - explained) ** 2)) / max(1, len(apart) - told.shape[1])
    strength = float(own @ own) / error if error > 0 else np.inf
    if strength >= LEAST_F:
        return ""
    return f"weak instruments (conditional F {strength:.1f}, below {LEAST_F:.0f}): the interval is wide"


def sentence(question: Lagged, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    when = f"{question.lag} visit{'s' if question.lag > 1 else ''} later"
    levels = "earlier level" in row.term
    what = f"a higher {question.x}" if levels else f"a rise of {question.x}"
    if not is_clear(row):
        start = f"{what[0].upper()}{what[1:]} was not clearly followed by a change of {question.y} {when}"
    else:
        start = f"{what[0].upper()}{what[1:]} was followed by a {'rise' if row.estimate > 0 else 'fall'} of "
        start += f"{question.y} {when}"
    numbers = f"{row.estimate:+.3g} per unit, 95 % interval {row.ci_low:+.3g} to {row.ci_high:+.3g}; {p_of(row)}"
    order = "Coming first is no proof of causing: errors of measurement and what moves both may do the same."
    return f"{start} ({row.n_observations} steps of {row.n_subjects} subjects; {numbers}). {NOT_CAUSE} {order}"


def title(question: Lagged, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Does {say(question.x)} move before {say(question.y)}?"
