"""Does the change of one value go with the change of another: partial correlations of changes, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import DESCRIPTIVE, Estimate, fisher_interval
from cytoreg.stats.questions import ChangeCorrelation
from cytoreg.stats.sentence import NOT_CAUSE, correlation_text, is_clear
from cytoreg.stats.values import Data, change_between, paired_points

__all__ = ["Correlation", "change_correlation", "dummies", "partial_correlation"]

METHOD = "Correlation of changes: partial correlation with what the plan names held fixed, interval by Fisher's z."

LEAST_DF = 2


@dataclass(frozen=True)
class Correlation:
    """A correlation coefficient with its test and 95 % interval; NaN where there is too little to go by."""

    r: float
    df: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float


NOTHING = Correlation(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


def partial_correlation(
    x: Any, y: Any, covariates: Any = None, groups: Any = None, *, method: str = "pearson"
) -> Correlation:
    """The correlation of x and y with covariates held fixed.

    x, y: shape (n,). covariates: shape (n, k) of numbers. groups: shape (n, g) of indicator columns. Both x
    and y are regressed on all of them and the residuals correlated; for method="spearman" x, y and the
    covariates are replaced by their ranks first. With c columns that count, df = n - 2 - c, the test is
    Student's t, and the interval is Fisher's z with variance 1 / (n - c - 3), for ranks times 1 + r^2 / 2
    (Bonett & Wright, Psychometrika 2000;65:23-28). All NaN where df is below 2 or x or y does not vary;
    only r where the residuals lie on one line, which few points do easily.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n = len(x)
    if n == 0:
        return NOTHING
    fixed = np.ones((n, 1))
    numbers = np.empty((n, 0)) if covariates is None else np.asarray(covariates, dtype=float).reshape(n, -1)
    if method == "spearman":
        x, y = stats.rankdata(x), stats.rankdata(y)
        numbers = np.apply_along_axis(stats.rankdata, 0, numbers) if numbers.size else numbers
    if numbers.size:
        numbers = numbers - numbers.mean(axis=0)
        spread = numbers.std(axis=0)
        fixed = np.hstack([fixed, numbers[:, spread > 0] / spread[spread > 0]])
    if groups is not None:
        fixed = np.hstack([fixed, np.asarray(groups, dtype=float).reshape(n, -1)])
    count = int(np.linalg.matrix_rank(fixed)) - 1
    df = n - 2 - count
    if df < LEAST_DF:
        return NOTHING
    rx, ry = residuals(x, fixed), residuals(y, fixed)
    r = correlate(rx, ry, np.ptp(x), np.ptp(y))
    if math.isnan(r):
        return NOTHING
    if abs(r) > 1 - 1e-9:
        return Correlation(r, float(df), math.nan, math.nan, math.nan, math.nan)  # no spread is left to judge by
    low, high = fisher_interval(r, (1 + r * r / 2 if method == "spearman" else 1.0) / (df - 1))
    statistic, p = t_test_of(r, df)
    return Correlation(r, float(df), statistic, p, low, high)


def change_correlation(question: ChangeCorrelation, data: Data) -> list[Estimate]:
    """The adjusted correlation of changes (primary), the same within each arm, and the crude one.

    adjust: `arm` as groups, `baseline` as both values at the start, any other column as it is at the start.
    Within an arm the arm itself is left out. The crude one is called descriptive.
    """
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    values = {
        key: data.value(name, key, data.scale_of(name, question.scale, other))
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    }
    x, y = (change_between(values[key], start, end) for key in ("x", "y"))
    subjects = [subject for subject in x.index if subject in y.index]
    first = [start[subject] for subject in subjects]
    frame = pd.DataFrame({"x": x.loc[subjects, "change"], "y": y.loc[subjects, "change"]})
    frame["arm"] = data.arms().loc[first].to_numpy()
    adjust = question.adjust
    if adjust is None:
        adjust = ("arm", "baseline") if frame["arm"].notna().any() else ("baseline",)
    covariates, groups = pd.DataFrame(index=frame.index), pd.DataFrame(index=frame.index)
    for name in adjust:
        if name == "baseline":
            covariates["baseline x"], covariates["baseline y"] = x.loc[subjects, "from"], y.loc[subjects, "from"]
        elif name in {"arm", data.read.plan.treatment.arm}:
            data.category(data.read.plan.treatment.arm, "adjust")
            groups["arm"] = frame["arm"]
        elif _is_text(data, name):
            groups[name] = data.category(name, "adjust").loc[first].to_numpy()
        else:
            covariates[name] = data.column(name, "adjust").loc[first].to_numpy()

    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="",
        outcome=question.y,
        predictor=question.x,
        visit=question.to,
        contrast=f"{question.to} - {question.from_}",
    )
    kind = question.method.capitalize()

    def row(members: pd.Series, skip: Sequence[str], crude: bool = False) -> Estimate:
        fixed, factors = covariates, groups.drop(columns=[name for name in skip if name in groups.columns])
        if crude:
            fixed, factors = fixed[[]], factors[[]]
        complete = members & fixed.notna().all(axis=1) & factors.notna().all(axis=1)
        part, levels = frame[complete], factors[complete]
        indicator = [dummies(levels[name]) for name in levels.columns]
        result = partial_correlation(
            part["x"],
            part["y"],
            fixed[complete],
            np.hstack(indicator) if indicator else None,
            method=question.method,
        )
        n = len(part)
        return filled(blank, result, subjects=n, pairs=n, counted=f"{n} subjects with both changes")

    everyone = pd.Series(True, index=frame.index)
    rows: list[Estimate] = []
    if adjust:
        term = f"partial {kind} correlation of changes, adjusted for {' and '.join(adjust)}"
        rows.append(replace(row(everyone, ()), term=term, primary=True))
    arms = sorted({arm for arm in frame["arm"] if arm is not None})
    if len(arms) > 1:
        rest = [name for name in adjust if name not in {"arm", data.read.plan.treatment.arm}]
        term = f"{kind} correlation of changes within the arm"
        term += f", adjusted for {' and '.join(rest)}" if rest else ""
        rows += [replace(row(frame["arm"] == arm, ("arm",)), term=term, arm=arm) for arm in arms]
    crude = replace(row(everyone, (), crude=True), term=f"crude {kind} correlation of changes")
    note = "; ".join(part for part in (DESCRIPTIVE, crude.note) if part)
    rows.append(replace(crude, note=note, primary=not adjust))
    return rows


def dummies(labels: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Indicator columns of all labels but the first, shape (n, levels - 1)."""
    names = [str(label) for label in labels]
    levels = sorted(set(names))[1:]
    return np.array([[float(name == level) for level in levels] for name in names]).reshape(
        len(names), len(levels)
    )


def residuals(values: Any, design: Any) -> Any:
    """What is left of values after their least-squares fit on the columns of a design."""
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def correlate(rx: Any, ry: Any, range_x: float, range_y: float) -> float:
    """The correlation of two residuals of mean zero; NaN where one is nothing but rounding."""
    sx, sy = float(np.sqrt((rx * rx).sum())), float(np.sqrt((ry * ry).sum()))
    if sx <= 1e-10 * range_x or sy <= 1e-10 * range_y or range_x == 0 or range_y == 0:
        return math.nan
    return float(np.clip((rx @ ry) / (sx * sy), -1.0, 1.0))


def t_test_of(r: float, df: float) -> tuple[float, float]:
    """Student's t of a correlation, and its two-sided p."""
    if abs(r) >= 1:
        return math.copysign(math.inf, r), 0.0
    statistic = r * math.sqrt(df / (1 - r * r))
    return statistic, float(2 * stats.t.sf(abs(statistic), df))


def filled(blank: Estimate, result: Correlation, *, subjects: int, pairs: int, counted: str) -> Estimate:
    """The row of a correlation, with the reason where there is none, or none that can be tested."""
    note = ""
    if math.isnan(result.r):
        note = f"{counted}: too few, or a value that does not vary"
    elif math.isnan(result.p_value):
        note = f"{counted} lie on one line after adjustment: no interval and no p-value can be given"
    return replace(
        blank,
        n_subjects=subjects,
        n_observations=pairs,
        estimate=result.r,
        df=result.df,
        statistic=result.statistic,
        p_value=result.p_value,
        ci_low=result.ci_low,
        ci_high=result.ci_high,
        note=note,
    )


def _is_text(data: Data, name: str) -> bool:
    return name in data.linked.columns and not pd.api.types.is_numeric_dtype(data.linked[name])


def sentence(question: ChangeCorrelation, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    if not is_clear(row):
        start = f"The changes of {question.x} and {question.y} {_span(question)} did not clearly go together"
    else:
        other = "rise" if row.estimate > 0 else "fall"
        start = f"A larger rise of {question.x} {_span(question)} went with a larger {other} of {question.y}"
    return f"{start} in {row.n_subjects} subjects ({correlation_text(row)}). {NOT_CAUSE}"


def _span(question: ChangeCorrelation) -> str:
    return f"from {question.from_} to {question.to}"


def title(question: ChangeCorrelation, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Did the change of {say(question.x)} go with the change of {say(question.y)}?"


def points(question: ChangeCorrelation, data: Data) -> tuple[pd.DataFrame, str, str]:
    """The two changes, each on its scale."""
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    x, y = (
        change_between(data.value(name, key, data.scale_of(name, question.scale, other)), start, end)["change"]
        for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
    )
    frame = paired_points(x, y, start, question.to, data)
    return frame, f"change of {question.x}", f"change of {question.y}"
