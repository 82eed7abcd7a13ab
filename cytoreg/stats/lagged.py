"""Which of two values moves first: the later change of one on the earlier change of the other, both ways round.

A level at one visit tells of what a subject always was, and subjects who are always high in one value may always be high
in the other: an earlier level then foretells a later change without anything moving first (Hamaker EL, Kuiper RM, Grasman
RPPP. Psychol Methods 2015;20:102-116). Changes are free of what a subject always was, and so give the answer where there
are visits enough; the same on levels stands beside them. Changes have a trap of their own: where both values go together at
one visit and one wavers longer than the other, the earlier change of one tells how far the other is from its usual level
(its own earlier change does not wholly: Nickell S. Econometrica 1981;49:1417-1426), and a lead is found that is none.
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
    "Which value moves first: least squares of the change of one value up to a later visit on the earlier change of the "
    "other, with its own earlier change and what each visit does to each arm held fixed; cluster-robust variance (CR2) "
    "with Bell and McCaffrey's degrees of freedom; both directions."
)
LEAST_DF = 4.0
LEVELS = (
    "by levels, as there are too few visits for changes: a lasting difference between subjects can look like one value "
    "leading the other"
)


WAVERING = (
    "where both go together at a visit and one wavers longer than the other, that alone can look like a lead"
)


@dataclass(frozen=True)
class _Steps:
    """What is regressed: outcome, predictor, own history, cell of visit and arm, subject; a row a step of a subject."""

    outcome: Any
    predictor: Any
    own: Any
    cell: Any
    subject: Any


def lagged(question: Lagged, data: Data) -> list[Estimate]:
    """x first then y (primary), y first then x; then both on levels, as a sensitivity analysis.

    With lag k, in the order of visits: ``y(t + k) - y(t)`` on ``x(t) - x(t - k)``, with ``y(t) - y(t - k)`` and visit x
    arm held fixed. On levels: on ``x(t)``, with ``y(t)`` and visit x arm held fixed; this answers where there are fewer
    than 2 k + 1 visits, and the note says what it cannot tell apart.
    """
    x, y = (
        data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    wide = {question.x: _wide(x, data), question.y: _wide(y, data)}
    arms = data.arms().groupby(data.linked["subject_id"].astype(str)).first().reindex(wide[question.x].index)
    by_change: list[Estimate] = []
    by_level: list[Estimate] = []
    for first, second in ((question.x, question.y), (question.y, question.x)):
        for rows, changes in ((by_change, True), (by_level, False)):
            blank = Estimate(
                analysis=data.analysis,
                type=question.type,
                term=_term(first, second, question.lag, changes),
                outcome=second,
                predictor=first,
                contrast=f"{question.lag} visit{'s' if question.lag > 1 else ''} later",
            )
            rows.append(_row(blank, _steps(wide[first], wide[second], arms, question.lag, changes)))
    if np.isfinite(by_change[0].p_value) or not np.isfinite(by_level[0].p_value):
        rows = [replace(row, note="; ".join(filter(None, [row.note, WAVERING]))) for row in by_change]
        rows[0] = replace(rows[0], primary=True)
        return rows + [replace(row, note="; ".join(filter(None, [SENSITIVITY, row.note]))) for row in by_level]
    remark = "; ".join(filter(None, [by_level[0].note, LEVELS]))
    return [replace(by_level[0], primary=True, note=remark), by_level[1]]


def _term(first: str, second: str, lag: int, changes: bool) -> str:
    """`change of das28 on the earlier change of Tregs`."""
    what = "the earlier change of" if changes else "the earlier level of"
    return f"change of {second} on {what} {first}, adjusted for its own and visit*arm"


def _wide(values: pd.Series, data: Data) -> pd.DataFrame:
    """Subjects by visits in their order."""
    order = data.visits()
    place = pd.Index(order).get_indexer(pd.Index(data.linked["visit"]))
    who, subjects = pd.factorize(data.linked["subject_id"].astype(str))
    table = np.full((len(subjects), len(order)), np.nan)
    table[who, place] = values.to_numpy(float)
    return pd.DataFrame(table, index=subjects, columns=order)


def _steps(first: pd.DataFrame, second: pd.DataFrame, arms: pd.Series, lag: int, changes: bool) -> _Steps:
    x, y = first.reindex(second.index).to_numpy(float), second.to_numpy(float)
    subjects, visits = y.shape
    start = lag if changes else 0
    places = np.arange(start, visits - lag)
    later = y[:, places + lag] - y[:, places]
    before = (x[:, places] - x[:, places - lag], y[:, places] - y[:, places - lag]) if changes else None
    seen, own = before if before is not None else (x[:, places], y[:, places])
    arm = np.array(["" if pd.isna(name) else str(name) for name in arms.reindex(second.index)], dtype=object)
    cell = np.array([[f"{place}\x1f{name}" for place in places] for name in arm], dtype=object)
    who = np.repeat(np.arange(subjects)[:, None], len(places), axis=1)
    keep = np.isfinite(later) & np.isfinite(seen) & np.isfinite(own)
    if not keep.size:
        empty = np.empty(0)
        return _Steps(empty, empty, empty, empty.astype(object), empty.astype(int))
    return _Steps(later[keep], seen[keep], own[keep], cell.reshape(keep.shape)[keep], who[keep])


def _row(blank: Estimate, steps: _Steps) -> Estimate:
    n = len(np.unique(steps.subject))
    blank = replace(blank, n_subjects=n, n_observations=len(steps.outcome))
    if n < LEAST_SUBJECTS:
        return replace(blank, note=f"{n} subjects with the visits that a step needs: at least {LEAST_SUBJECTS}")
    nuisance = np.column_stack([np.ones(len(steps.outcome)), dummies(steps.cell), steps.own])
    rank = int(np.linalg.matrix_rank(nuisance))
    unit = float(np.std(steps.predictor))
    if unit == 0 or len(steps.outcome) <= rank + 2 or np.ptp(steps.outcome) == 0:
        return replace(blank, note="too few steps, or a value that does not vary")
    left = np.linalg.svd(nuisance / np.maximum(np.linalg.norm(nuisance, axis=0), 1e-300), full_matrices=False)[0]
    design = np.column_stack([steps.predictor / unit, left[:, :rank]])
    if np.linalg.matrix_rank(design, tol=1e-8 * len(design)) < rank + 1:
        return replace(blank, note="what is held fixed explains the earlier value wholly")
    found = cluster_robust(steps.outcome, design, steps.subject)
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
    )


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
    order = "Coming first is no proof of causing: errors of measurement, what moves both, and a value that wavers longer "
    order += "than the other may do the same."
    return f"{start} ({row.n_observations} steps of {row.n_subjects} subjects; {numbers}). {NOT_CAUSE} {order}"


def title(question: Lagged, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Does {say(question.x)} move before {say(question.y)}?"
