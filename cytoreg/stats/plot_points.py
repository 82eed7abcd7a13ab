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
from cytoreg.stats.plan import Plan, ReadPlan, read_plan
from cytoreg.stats.questions import home_of
from cytoreg.stats.values import Data

__all__ = ["points", "subject_correlation"]

LEAST_VISITS = 3  # of a subject, for a correlation of its own


def points(
    analysis: str,
    tables: Mapping[str, pd.DataFrame] | pd.DataFrame,
    plan: ReadPlan | Plan | Mapping[str, Any] | Path | str,
) -> pd.DataFrame:
    """What an analysis saw, a row a point: subject_id, arm, visit, x, y; `attrs` has type, x_label and y_label.

    paired_change: x is the value at `from`, y at `to`. change_correlation: the two changes. arm_by_visit: x
    is the study day, or the visit's place where there are no days, y the value, baseline included.
    repeated_correlation: both values at each visit. trend: dose and value, with the column `block`. time_to_loss: the ends of the
    Kaplan-Meier steps. repeat_infusion: the changes after the two infusions. cytokines: as paired_change, of the first value.
    roc: the corners of the curves in percent, those of no arm being over all arms.
    Percentages are shown in percent, and changes on the scale of the analysis. A type without a figure has no rows.

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
    seen = getattr(home_of(question.type), "points", None)
    frame, x_label, y_label = seen(question, data) if seen else (pd.DataFrame(columns=["x", "y"]), "", "")
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
