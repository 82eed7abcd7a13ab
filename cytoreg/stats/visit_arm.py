"""What visits do to each arm, as columns to be held fixed: a trend that two values share is no association of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.stats.partial import dummies
from cytoreg.stats.values import Data

__all__ = ["confirmatory", "design_of"]


def confirmatory(adjust: Sequence[str] | None, data: Data) -> tuple[tuple[str, ...], str]:
    """What is held fixed in the answer to a question over visits, and what to note of it.

    None: visit*arm, or visit where there are not two arms. Terms that a plan names instead stand beside that one and never
    in its place: without it, arms or visits that differ make an association out of nothing.
    """
    arm = data.read.plan.treatment.arm
    whole = {"visit", "arm"} if len(set(data.arms().dropna())) > 1 else {"visit"}
    term = "visit*arm" if len(whole) > 1 else "visit"
    if adjust is None:
        return (term,), ""
    named = [{"arm" if part.strip() == arm else part.strip() for part in name.split("*")} for name in adjust]
    if any(whole <= parts and parts <= {"visit", "arm"} for parts in named):
        return tuple(adjust), ""
    note = f"{term} taken out though the plan does not name it: a shared trend makes an association out of nothing"
    return (*adjust, term), note


def design_of(adjust: Sequence[str], data: Data) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Columns for each term, (n, k), the level of each included; a product of groups is the groups of their
    combinations, and a row that has no group is NaN throughout."""
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
        columns.append(indicator)
        if not (slopes == 1).all():
            columns.append(indicator * slopes)
    return np.hstack(columns) if columns else np.empty((len(data.linked), 0))


def _is_number(data: Data, name: str) -> bool:
    return name in data.linked.columns and pd.api.types.is_numeric_dtype(data.linked[name])
