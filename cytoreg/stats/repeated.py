"""Do two values move together within subjects over their visits: repeated-measures correlation.

Bland & Altman, BMJ 1995;310:446; its interval as in Bakdash & Marusich, Front Psychol 2017;8:456. Both take the visits of a
subject, once its level is taken out, to be independent. Where each value has a course of its own in a subject they are not,
and the test rejects too often: the answer to a question therefore has the same coefficient, and the error that shows when
one subject after the other is left out (MacKinnon JG, Nielsen MO, Webb MD. J Appl Econom 2023;38:671-694).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import DESCRIPTIVE, Estimate, fisher_interval
from cytoreg.stats.partial import NOTHING, Correlation, correlate, filled, residuals, t_test_of
from cytoreg.stats.questions import RepeatedCorrelation
from cytoreg.stats.sentence import NOT_CAUSE, correlation_text, is_clear
from cytoreg.stats.values import LEAST_SUBJECTS, Data, visit_points
from cytoreg.stats.visit_arm import confirmatory, design_of

__all__ = ["Within", "clustered_correlation", "repeated_correlation", "repeated_measures_correlation"]

METHOD = (
    "Correlation within subjects: repeated-measures correlation (analysis of covariance with "
    "subject as a factor) with what the plan names taken out; test and interval by the jackknife over subjects on Fisher's z, "
    "which holds where the visits of a subject are not independent."
)

LEAST_DF = 3
JACKKNIFE = "error by the jackknife over subjects: their visits need not be independent"
BY_VISITS = "takes the visits of a subject to be independent"


@dataclass(frozen=True)
class Within:
    """A within-subject correlation, and the subjects and pairs it rests on."""

    correlation: Correlation
    n_subjects: int
    n_pairs: int


def repeated_measures_correlation(subject: Any, x: Any, y: Any, covariates: Any = None) -> Within:
    """The common correlation of x and y within subjects: analysis of covariance with subject as a factor.

    subject, x, y: shape (n,); subjects with fewer than two complete pairs say nothing and are left out.
    covariates: shape (n, k), taken out of x and y beside the subjects. With n pairs of s subjects and c
    covariate columns that count, df = n - s - c - 1; p is that of Student's t with df, and the interval is
    Fisher's z with variance 1 / (df - 1). All NaN where df is below 3.
    """
    pairs = _pairs(subject, x, y, covariates)
    r = pairs.r
    if math.isnan(r):
        return Within(NOTHING, pairs.n_subjects, len(pairs.owner))
    statistic, p = t_test_of(r, pairs.df)
    low, high = fisher_interval(r, 1.0 / (pairs.df - 1))
    return Within(Correlation(r, float(pairs.df), statistic, p, low, high), pairs.n_subjects, len(pairs.owner))


def clustered_correlation(subject: Any, x: Any, y: Any, covariates: Any = None) -> Within:
    """The same coefficient, with a test and an interval that hold where the visits of a subject are not independent.

    With z = atanh(r) and z_i that without subject i, of s, everything else taken out anew, the variance of z is
    (s - 1) / s times the sum of (z_i - z)^2 (CV3 of MacKinnon, Nielsen & Webb), and z over its root is Student's t with
    s - 1 degrees of freedom. Only r, without test and interval, with fewer than 4 subjects.
    """
    pairs = _pairs(subject, x, y, covariates)
    r, s = pairs.r, pairs.n_subjects
    if math.isnan(r):
        return Within(NOTHING, s, len(pairs.owner))
    alone = replace(NOTHING, r=r)  # no test
    if s < LEAST_SUBJECTS or abs(r) > 1 - 1e-9:
        return Within(alone, s, len(pairs.owner))
    z = math.atanh(r)
    without = pairs.without_each()
    variance = float((s - 1) / s * ((np.arctanh(np.clip(without, -1, 1)) - z) ** 2).sum())
    if not (math.isfinite(variance) and variance > 0):
        return Within(alone, s, len(pairs.owner))
    se, df = math.sqrt(variance), s - 1.0
    half = float(stats.t.ppf(0.975, df)) * se
    p = float(2 * stats.t.sf(abs(z) / se, df))
    found = Correlation(r, df, z / se, p, math.tanh(z - half), math.tanh(z + half))
    return Within(found, s, len(pairs.owner))


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Complete pairs of subjects with two or more, each subject's mean taken out.

    owner: (n,), the place of the subject. x, y: (n,). fixed: (n, c), orthonormal columns of what is taken out. r: NaN, and
    df is below 3, where there is too little.
    """

    owner: Any
    n_subjects: int
    x: Any
    y: Any
    fixed: Any
    r: float
    df: int

    def without_each(self) -> Any:
        """The coefficient without each subject, (s,): from sums of products less those of the subject."""
        unit = [values / np.linalg.norm(values) for values in (self.x, self.y)]
        columns = np.column_stack([self.fixed, *unit])
        own = np.zeros((self.n_subjects, columns.shape[1], columns.shape[1]))
        np.add.at(own, self.owner, columns[:, :, None] * columns[:, None, :])
        left = own.sum(axis=0) - own
        c = self.fixed.shape[1]
        # a column that only this subject bears on is gone with it, so the inverse is a generalised one
        across = left[:, :c, c:]
        inverse = np.linalg.pinv(left[:, :c, :c], rcond=1e-9, hermitian=True) if c else left[:, :c, :c]
        rest = left[:, c:, c:] - across.transpose(0, 2, 1) @ inverse @ across
        spread = np.diagonal(rest, axis1=1, axis2=2).copy()
        spread[spread < 1e-12] = math.nan  # rounding: only this subject varied
        return rest[:, 0, 1] / np.sqrt(spread.prod(axis=1))


def _pairs(subject: Any, x: Any, y: Any, covariates: Any) -> _Pairs:
    frame = pd.DataFrame({"subject": list(subject), "x": np.asarray(x, float), "y": np.asarray(y, float)})
    table = (
        np.empty((len(frame), 0)) if covariates is None else np.asarray(covariates, float).reshape(len(frame), -1)
    )
    keep = frame[["x", "y"]].notna().all(axis=1).to_numpy() & np.isfinite(table).all(axis=1)
    keep &= (frame["subject"].where(keep).map(frame["subject"][keep].value_counts()) >= 2).to_numpy()
    frame, table = frame[keep], table[keep]
    owner, names = pd.factorize(frame["subject"])
    empty = np.empty((len(frame), 0))
    if not len(frame):
        return _Pairs(owner, 0, empty, empty, empty, math.nan, 0)
    within = frame[["x", "y"]] - frame[["x", "y"]].groupby(owner).transform("mean")
    taken_out = pd.DataFrame(table, index=frame.index)
    fixed = _basis((taken_out - taken_out.groupby(owner).transform("mean")).to_numpy())
    df = len(frame) - len(names) - fixed.shape[1] - 1
    x, y = within["x"].to_numpy(), within["y"].to_numpy()
    r = math.nan
    if df >= LEAST_DF:
        r = correlate(residuals(x, fixed), residuals(y, fixed), np.ptp(frame["x"]), np.ptp(frame["y"]))
    return _Pairs(owner, len(names), x, y, fixed, r, df)


def _basis(columns: Any) -> Any:
    """Orthonormal columns that span the same."""
    if not columns.size:
        return columns[:, :0]
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > size.max() * max(columns.shape) * np.finfo(float).eps]


def repeated_correlation(question: RepeatedCorrelation, data: Data) -> list[Estimate]:
    """The within-subject correlation with `adjust` taken out (primary), and the one without, as descriptive.

    adjust: columns, `visit`, `arm`, and products such as `visit*arm`, which takes out what visits do in each
    arm, and is taken out whatever else is named.
    """
    x, y = (
        data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    adjust, remark = confirmatory(question.adjust, data)
    blank = Estimate(analysis=data.analysis, type=question.type, term="", outcome=question.y, predictor=question.x)
    subject = data.linked["subject_id"]
    adjusted = _row(blank, clustered_correlation(subject, x, y, design_of(adjust, data)))
    term = f"within-subject correlation, adjusted for {' and '.join(adjust)}"
    tested = not math.isnan(adjusted.p_value)
    note = "; ".join(part for part in (adjusted.note, JACKKNIFE if tested else "", remark) if part)
    crude = _row(blank, repeated_measures_correlation(subject, x, y))
    crude_note = "; ".join(part for part in (DESCRIPTIVE, crude.note or BY_VISITS) if part)
    return [
        replace(adjusted, term=term, primary=True, note=note),
        replace(crude, term="within-subject correlation", note=crude_note),
    ]


def _row(blank: Estimate, within: Within) -> Estimate:
    counted = f"{within.n_pairs} pairs of {within.n_subjects} subjects"
    row = filled(blank, within.correlation, subjects=within.n_subjects, pairs=within.n_pairs, counted=counted)
    if math.isnan(row.p_value) and abs(row.estimate) <= 1 - 1e-9:
        few = f"{within.n_subjects} subjects: at least {LEAST_SUBJECTS} are needed for an interval and a p-value"
        hung = "a value varies in one subject alone: no interval and no p-value can be given"
        return replace(row, note=few if within.n_subjects < LEAST_SUBJECTS else hung)
    return row


def sentence(question: RepeatedCorrelation, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    if not is_clear(row):
        start = f"Within subjects, {question.x} and {question.y} did not clearly move together over the visits"
    else:
        other = "higher" if row.estimate > 0 else "lower"
        start = f"Within subjects, {question.y} was {other} at visits at which {question.x} was higher"
    return (
        f"{start} ({row.n_observations} visits of {row.n_subjects} subjects, judged by the spread between subjects; "
        f"{correlation_text(row)}). {NOT_CAUSE}"
    )


def title(question: RepeatedCorrelation, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Do {say(question.x)} and {say(question.y)} move together over a patient's visits?"


def points(question: RepeatedCorrelation, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Both values at each visit."""
    frame = visit_points(data)
    frame["x"], frame["y"] = data.column(question.x, "x"), data.column(question.y, "y")
    return frame, question.x, question.y
