"""Non-responder imputation: a response that is missing at a visit after baseline counts as none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cytoreg.clinical.timeline import baseline_rows, visit_order
from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.missing.components import scheduled_visits, with_missed_visits
from cytoreg.stats.plan import ReadPlan

__all__ = ["after_baseline", "as_nonresponse"]


def as_nonresponse(
    table: pd.DataFrame, read: ReadPlan, columns: Sequence[str], visits: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table with 0 for each missing value of `columns` at a scheduled visit after baseline; how many, by column.

    visits: those that were due; None: those that half of the subjects or more were seen at. Visits that a subject with a baseline missed get a row. A subject without a baseline row stays as it is. Raises
    `AnalysisError` where a column is not there or is no column of yes and no.
    """
    scheduled = scheduled_visits(table, visits)
    before, subjects = with_missed_visits(table, read.plan, scheduled)
    due = after_baseline(before, read, subjects) & before["visit"].isin(scheduled)
    done, counts = before.copy(), {}
    for name in columns:
        values = _truths(before, name, read)
        gone = values.isna() & due
        done[name] = values.mask(gone, 0.0)
        counts[name] = int(gone.sum())
    return done, counts


def after_baseline(table: pd.DataFrame, read: ReadPlan, subjects: Sequence[str]) -> pd.Series:
    """Whether a row is of a visit after its subject's baseline, by index label."""
    rule = read.plan.baseline
    start = baseline_rows(table, last_on_or_before=rule.last_on_or_before, otherwise=rule.otherwise)
    order = {visit: at for at, visit in enumerate(visit_order(table))}
    at = table["visit"].map(order)
    first = table["subject_id"].map({s: at.loc[start[s]] for s in subjects if s in start.index})
    return pd.Series((at > first).to_numpy(bool), index=table.index)


def _truths(table: pd.DataFrame, name: str, read: ReadPlan) -> pd.Series:
    place = read.document.where(("missing", "nonresponder_imputation"))
    if name not in table.columns:
        raise AnalysisError(f"{place}: no column '{name}' in the linked table; {suggest(name, table.columns)}")
    values = table[name]
    try:
        numbers = pd.Series([np.nan if pd.isna(v) else float(v) for v in values], index=values.index)
    except (TypeError, ValueError):
        found = next(str(v) for v in values if isinstance(v, str))
        raise AnalysisError(
            f"{place}: column '{name}' holds text such as '{found}', expected yes and no"
        ) from None
    wrong = numbers[numbers.notna() & ~numbers.isin([0.0, 1.0])]
    if len(wrong):
        raise AnalysisError(f"{place}: column '{name}' holds {wrong.iloc[0]:g}, expected a column of yes and no")
    return numbers
