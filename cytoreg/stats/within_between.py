"""Do two values go together within subjects, and between them: a person-mean-centred mixed model.

x is split into each subject's mean and the deviation of each visit from it, whose slopes need not agree (Neuhaus JM,
Kalbfleisch JD. Biometrics 1998;54:638-645). What visits do to each arm is held fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.stats.estimate import DESCRIPTIVE, Estimate
from cytoreg.stats.mmrm import NotConverged
from cytoreg.stats.questions import WithinBetween
from cytoreg.stats.random_slopes import RandomModel, Slope, fit_random
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of
from cytoreg.stats.values import LEAST_SUBJECTS, Data, visit_points
from cytoreg.stats.visit_arm import confirmatory, design_of

__all__ = ["within_between"]

METHOD = (
    "Within and between subjects: linear mixed model on each subject's mean and each visit's deviation from it, with what "
    "visits do to each arm held fixed, by REML, Kenward–Roger degrees of freedom; the slope within differs between "
    "subjects unless the plan says otherwise."
)

TERMS = {
    "within": "slope within subjects",
    "between": "slope between subjects' means",
    "context": "difference of the slopes between and within",
}


def within_between(question: WithinBetween, data: Data) -> list[Estimate]:
    """The slope within subjects (primary), that between their means, their difference; and within, unadjusted.

    The model is ``y ~ (x - mean x) + mean x + adjust``, each subject with an intercept and, with slopes=random, a slope
    within of its own. A model with slopes that does not settle gives way to one common slope, and the note says so.
    """
    x, y = (
        data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    adjust, remark = confirmatory(question.adjust, data)
    blank = Estimate(
        analysis=data.analysis, type=question.type, term=TERMS["within"], outcome=question.y, predictor=question.x
    )
    fixed = design_of(adjust, data)
    crude_fixed = np.ones((len(x), 1))
    rows = _rows(
        question, data, x, y, fixed, replace(blank, primary=True), f", adjusted for {' and '.join(adjust)}"
    )
    first = rows[0]
    rows[0] = replace(first, note="; ".join(part for part in (first.note, remark) if part))
    crude = _rows(question, data, x, y, crude_fixed, blank, "")[0]
    note = "; ".join(part for part in (DESCRIPTIVE, crude.note) if part)
    return [*rows, replace(crude, note=note)]


def _rows(
    question: WithinBetween, data: Data, x: pd.Series, y: pd.Series, fixed: Any, blank: Estimate, said: str
) -> list[Estimate]:
    keep = (x.notna() & y.notna()).to_numpy() & np.isfinite(fixed).all(axis=1)
    subject = data.linked["subject_id"][keep].astype(str)
    x, y, fixed = x[keep], y[keep], fixed[keep]
    blank = replace(blank, n_subjects=subject.nunique(), n_observations=len(x), term=blank.term + said)
    many = int((subject.value_counts() >= 2).sum())
    if many < LEAST_SUBJECTS:
        return [
            replace(blank, note=f"{many} subjects with two visits or more: at least {LEAST_SUBJECTS} are needed")
        ]
    mean = x.groupby(subject).transform("mean")
    within, between = (x - mean).to_numpy(float), (mean - mean.mean()).to_numpy(float)
    units = [float(values.std()) for values in (within, between, y.to_numpy(float))]
    least = 1e-12 * max(float(np.abs(x).max()), 1e-300)
    for unit, floor, reason in zip(
        units,
        (least, least, 0.0),
        ("x does not vary within subjects", "all subjects have one mean of x", "y does not vary"),
        strict=True,
    ):
        if unit <= floor:
            return [replace(blank, note=reason)]
    pair = np.column_stack([within / units[0], between / units[1]])
    basis = _basis(fixed)
    if np.linalg.matrix_rank(np.hstack([basis, pair]), tol=1e-7 * len(x)) < basis.shape[1] + 2:
        return [replace(blank, note="what is held fixed explains x wholly: nothing is left to judge by")]
    model, remark = _fit(question, y.to_numpy(float) / units[2], np.hstack([pair, basis]), subject, pair[:, 0])
    if model is None:
        return [replace(blank, note=remark)]
    size = basis.shape[1] + 2
    rows = []
    for name, weights in (
        ("within", (units[2] / units[0], 0.0)),
        ("between", (0.0, units[2] / units[1])),
        ("context", (-units[2] / units[0], units[2] / units[1])),
    ):
        found = model.slope(np.r_[weights, np.zeros(size - 2)])
        note = remark if name == "within" else ""
        rows.append(_filled(replace(blank, term=TERMS[name] + said, note=note), found))
    return [rows[0], *(replace(row, primary=False) for row in rows[1:])]


def _fit(
    question: WithinBetween, y: Any, design: Any, subject: pd.Series, within: Any
) -> tuple[RandomModel | None, str]:
    ones = np.ones((len(y), 1))
    remark = ""
    if question.slopes == "random":
        try:
            return fit_random(y, design, subject, np.column_stack([ones, within])), ""
        except NotConverged as problem:
            remark = f"one slope for all subjects: that with slopes of their own could not be fitted ({problem})"
    try:
        return fit_random(y, design, subject, ones), remark
    except NotConverged as problem:
        return None, f"the mixed model could not be fitted: {problem}"


def _basis(fixed: Any) -> Any:
    """Orthonormal columns that span those held fixed and a level."""
    whole = np.column_stack([np.ones(len(fixed)), fixed])
    scale = np.linalg.norm(whole, axis=0)
    left, size, _ = np.linalg.svd(whole[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return left[:, size > 1e-9 * size[0]] * math.sqrt(len(fixed))


def _filled(row: Estimate, found: Slope) -> Estimate:
    return replace(
        row,
        estimate=found.estimate,
        se=found.se,
        df=found.df,
        statistic=found.statistic,
        p_value=found.p_value,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
    )


def sentence(question: WithinBetween, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    if not is_clear(row):
        start = (
            f"Within subjects, {question.y} did not clearly differ between visits of higher and lower {question.x}"
        )
    else:
        other = "higher" if row.estimate > 0 else "lower"
        start = f"Within subjects, {question.y} was {other} at visits at which {question.x} was higher"
    interval = f"{row.estimate:+.3g} per unit, 95 % interval {row.ci_low:+.3g} to {row.ci_high:+.3g}; {p_of(row)}"
    return f"{start} ({row.n_observations} visits of {row.n_subjects} subjects; {interval}). {NOT_CAUSE}"


def title(question: WithinBetween, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Does {say(question.y)} go with {say(question.x)} within a patient, and between patients?"


def points(question: WithinBetween, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Both values at each visit."""
    frame = visit_points(data)
    frame["x"], frame["y"] = data.column(question.x, "x"), data.column(question.y, "y")
    return frame, question.x, question.y
