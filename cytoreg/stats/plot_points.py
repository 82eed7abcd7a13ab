"""The data points behind an analysis, for its plot, and each subject's own correlation over visits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats

from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.analysis import linked_table
from cytoreg.stats.plan import (
    ArmByVisit,
    ChangeCorrelation,
    PairedChange,
    Plan,
    Question,
    ReadPlan,
    RepeatedCorrelation,
    read_plan,
)
from cytoreg.stats.values import Data, change_between

__all__ = ["points", "subject_correlation"]

LEAST_VISITS = 3  # of a subject, for a correlation of its own
COLUMNS = ["subject_id", "arm", "visit", "x", "y"]


def points(
    analysis: str,
    tables: Mapping[str, pd.DataFrame] | pd.DataFrame,
    plan: ReadPlan | Plan | Mapping[str, Any] | Path | str,
) -> pd.DataFrame:
    """What an analysis saw, a row a point: subject_id, arm, visit, x, y; `attrs` has type, x_label and y_label.

    paired_change: x is the value at `from`, y at `to`. change_correlation: the two changes. arm_by_visit: x
    is the study day, or the visit's place where there are no days, y the value, baseline included.
    repeated_correlation: both values at each visit. trend: dose and value, with the column `block`.
    Percentages are shown in percent, and changes on the scale of the analysis.

    tables: the linked table, or tables as `analyse` takes them. Raises `AnalysisError` for an unknown
    analysis.
    """
    read = read_plan(plan)
    if analysis not in read.plan.analyses:
        raise AnalysisError(
            f"{read.document.name}: no analysis '{analysis}'; {suggest(analysis, read.plan.analyses)}"
        )
    given = {"linked": tables} if isinstance(tables, pd.DataFrame) else tables
    data = Data(linked_table(given)[0], read, analysis)
    question = read.plan.analyses[analysis]
    frame, x_label, y_label = _points(question, data)
    frame = frame.dropna(subset=["x", "y"]).reset_index(drop=True)
    frame.attrs.update(type=question.type, x_label=x_label, y_label=y_label)
    return frame


def subject_correlation(linked: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Each subject's own correlation of two columns over its visits, and where it lies in the cohort.

    Columns: subject_id, n (visits with both values), spearman, pearson, and `share_below`, the share of the
    other subjects whose Spearman correlation is lower (ties count half). Correlations are NaN below 3 visits
    or where a value does not vary. Raises `AnalysisError` where a column is not there.
    """
    for name in (x, y):
        if name not in linked.columns:
            raise AnalysisError(f"linked table: no column '{name}'; {suggest(name, linked.columns)}")
    rows = []
    for subject, visits in linked.groupby("subject_id", sort=False):
        both = visits[[x, y]].astype(float).dropna()
        rank = plain = math.nan
        if len(both) >= LEAST_VISITS and (both.max() > both.min()).all():
            rank = float(stats.spearmanr(both[x], both[y]).statistic)
            plain = float(stats.pearsonr(both[x], both[y]).statistic)
        rows.append((str(subject), len(both), rank, plain))
    frame = pd.DataFrame(rows, columns=["subject_id", "n", "spearman", "pearson"])
    known = frame["spearman"].dropna()
    below = (known.rank() - 1) / (len(known) - 1) if len(known) > 1 else known * math.nan
    frame["share_below"] = below.reindex(frame.index)
    return frame


def _points(question: Question, data: Data) -> tuple[pd.DataFrame, str, str]:
    linked, arms = data.linked, data.arms()
    base = pd.DataFrame({"subject_id": linked["subject_id"], "arm": arms, "visit": linked["visit"]})
    if isinstance(question, PairedChange | ChangeCorrelation):
        start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
        if isinstance(question, PairedChange):
            pair = change_between(data.column(question.value, "value"), start, end)
            x, y = pair["from"], pair["to"]
            labels = (f"{question.value} at {question.from_}", f"{question.value} at {question.to}")
        else:
            x, y = (
                change_between(data.value(name, key, data.scale_of(name, question.scale, other)), start, end)[
                    "change"
                ]
                for key, name, other in (("x", question.x, question.y), ("y", question.y, question.x))
            )
            labels = (f"change of {question.x}", f"change of {question.y}")
        frame = pd.DataFrame({"x": x, "y": y}).dropna()
        frame = frame.rename_axis("subject_id").reset_index()
        frame["arm"] = [arms.loc[start[subject]] for subject in frame["subject_id"]]
        frame["visit"] = question.to
        return frame[COLUMNS], *labels
    if isinstance(question, ArmByVisit):
        order = {name: float(index) for index, name in enumerate(data.visits())}
        days = linked["day"].astype(float)
        has_days = bool(days.notna().any())
        base["x"] = days if has_days else linked["visit"].map(order)
        base["y"] = data.column(question.value, "value")
        return base, "study day" if has_days else "visit", question.value
    if isinstance(question, RepeatedCorrelation):
        base["x"], base["y"] = data.column(question.x, "x"), data.column(question.y, "y")
        return base, question.x, question.y
    base["x"], base["y"] = data.column(question.on, "on"), data.column(question.value, "value")
    base["block"] = data.category(question.block, "block") if question.block else ""
    return base, question.on, question.value
