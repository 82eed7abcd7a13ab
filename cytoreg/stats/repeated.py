"""Do two values move together within subjects over their visits: repeated-measures correlation.

Bland & Altman, BMJ 1995;310:446; its interval as in Bakdash & Marusich, Front Psychol 2017;8:456.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.stats.correlation import NOTHING, Correlation, correlate, dummies, filled, residuals, t_test_of
from cytoreg.stats.estimate import DESCRIPTIVE, Estimate, fisher_interval
from cytoreg.stats.questions import RepeatedCorrelation
from cytoreg.stats.sentence import NOT_CAUSE, correlation_text, is_clear
from cytoreg.stats.values import Data, visit_points

__all__ = ["Within", "repeated_correlation", "repeated_measures_correlation"]

METHOD = (
    "Correlation within subjects: repeated-measures correlation (analysis of covariance with "
    "subject as a factor) with what the plan names taken out."
)

LEAST_DF = 3


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
    frame = pd.DataFrame({"subject": list(subject), "x": np.asarray(x, float), "y": np.asarray(y, float)})
    table = (
        np.empty((len(frame), 0)) if covariates is None else np.asarray(covariates, float).reshape(len(frame), -1)
    )
    keep = frame[["x", "y"]].notna().all(axis=1).to_numpy() & np.isfinite(table).all(axis=1)
    keep &= (frame["subject"].where(keep).map(frame["subject"][keep].value_counts()) >= 2).to_numpy()
    frame, table = frame[keep], table[keep]
    subjects = frame["subject"].nunique()
    if not len(frame):
        return Within(NOTHING, 0, 0)
    who = frame["subject"]
    within = frame[["x", "y"]] - frame[["x", "y"]].groupby(who).transform("mean")
    taken_out = pd.DataFrame(table, index=frame.index)
    fixed = (taken_out - taken_out.groupby(who).transform("mean")).to_numpy()
    rank = int(np.linalg.matrix_rank(fixed)) if fixed.size else 0
    df = len(frame) - subjects - rank - 1
    if df < LEAST_DF:
        return Within(NOTHING, subjects, len(frame))
    rx, ry = (residuals(within[name].to_numpy(), fixed) for name in ("x", "y"))
    r = correlate(rx, ry, np.ptp(frame["x"]), np.ptp(frame["y"]))
    if math.isnan(r):
        return Within(NOTHING, subjects, len(frame))
    statistic, p = t_test_of(r, df)
    low, high = fisher_interval(r, 1.0 / (df - 1))
    return Within(Correlation(r, float(df), statistic, p, low, high), subjects, len(frame))


def repeated_correlation(question: RepeatedCorrelation, data: Data) -> list[Estimate]:
    """The within-subject correlation with `adjust` taken out (primary), and the one without, as descriptive.

    adjust: columns, `visit`, `arm`, and products such as `visit*arm`, which takes out what visits do in each
    arm.
    """
    x, y = (
        data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    adjust = question.adjust
    if adjust is None:
        adjust = ("visit*arm",) if data.arms().notna().any() else ("visit",)
    blank = Estimate(analysis=data.analysis, type=question.type, term="", outcome=question.y, predictor=question.x)
    rows: list[Estimate] = []
    subject = data.linked["subject_id"]
    if adjust:
        adjusted = repeated_measures_correlation(subject, x, y, _design(adjust, data))
        term = f"within-subject correlation, adjusted for {' and '.join(adjust)}"
        rows.append(replace(_row(blank, adjusted), term=term, primary=True))
    crude = _row(blank, repeated_measures_correlation(subject, x, y))
    note = "; ".join(part for part in (DESCRIPTIVE, crude.note) if part)
    rows.append(replace(crude, term="within-subject correlation", note=note, primary=not adjust))
    return rows


def _design(adjust: Sequence[str], data: Data) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Columns for each term; a product of groups is the groups of their combinations."""
    columns: list[Any] = []
    for term in adjust:
        cells = pd.Series("", index=data.linked.index)
        slopes = np.ones((len(cells), 1))
        missing = np.zeros(len(cells), dtype=bool)
        for name in (part.strip() for part in term.split("*")):
            if name in {"visit", "arm"} or not _is_number(data, name):
                column = data.read.plan.treatment.arm if name == "arm" else name
                labels = data.category(column, "adjust")
                missing |= labels.isna().to_numpy()
                cells = cells + "\x1f" + labels.fillna("")
            else:
                slopes = slopes * data.column(name, "adjust").to_numpy()[:, None]
        indicator = np.hstack([np.ones((len(cells), 1)), dummies(cells)])
        indicator[missing] = np.nan
        columns += [indicator, indicator * slopes]
    return np.hstack(columns)


def _is_number(data: Data, name: str) -> bool:
    return name in data.linked.columns and pd.api.types.is_numeric_dtype(data.linked[name])


def _row(blank: Estimate, within: Within) -> Estimate:
    counted = f"{within.n_pairs} pairs of {within.n_subjects} subjects"
    return filled(blank, within.correlation, subjects=within.n_subjects, pairs=within.n_pairs, counted=counted)


def sentence(question: RepeatedCorrelation, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    if not is_clear(row):
        start = f"Within subjects, {question.x} and {question.y} did not clearly move together over the visits"
    else:
        other = "higher" if row.estimate > 0 else "lower"
        start = f"Within subjects, {question.y} was {other} at visits at which {question.x} was higher"
    return (
        f"{start} ({row.n_observations} visits of {row.n_subjects} subjects; {correlation_text(row)}). {NOT_CAUSE}"
    )


def title(question: RepeatedCorrelation, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Do {say(question.x)} and {say(question.y)} move together over a patient's visits?"


def points(question: RepeatedCorrelation, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Both values at each visit."""
    frame = visit_points(data)
    frame["x"], frame["y"] = data.column(question.x, "x"), data.column(question.y, "y")
    return frame, question.x, question.y
