"""Study days, visit windows, which visit is a subject's baseline, and in which order visits come."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from cytoreg.errors import LinkError, suggest

__all__ = [
    "Anchor",
    "Window",
    "baseline_rows",
    "days_from",
    "natural_key",
    "read_windows",
    "visit_order",
    "window_of",
]

Anchor = Literal["first_infusion", "randomised"]
ANCHOR_COLUMNS: Mapping[str, str] = {"first_infusion": "first_infusion_day", "randomised": "randomised_day"}
BASELINE = "baseline"
EARLY_NAMES = ("screening", "baseline")


@dataclass(frozen=True)
class Window:
    """A visit by its day: due on `day`, accepted from `day + low` to `day + high`, both included."""

    name: str
    day: float
    low: float
    high: float

    def holds(self, day: float) -> bool:
        return self.day + self.low <= day <= self.day + self.high


def read_windows(windows: Mapping[str, Any] | None) -> tuple[Window, ...]:
    """`{month1: {day: 30, window: [-7, 7]}}` as windows by day; a `LinkError` names the key that is wrong."""
    found = []
    for name, given in (windows or {}).items():
        if not isinstance(given, Mapping) or "day" not in given:
            raise LinkError(f"windows.{name}: found {given!r}, expected such as {{day: 30, window: [-7, 7]}}")
        for key in given:
            if key not in {"day", "window"}:
                raise LinkError(f"windows.{name}: unknown key '{key}'; {suggest(str(key), ['day', 'window'])}")
        try:
            low, high = (float(value) for value in given.get("window", (0, 0)))
            day = float(given["day"])
        except (TypeError, ValueError):
            raise LinkError(
                f"windows.{name}: found {dict(given)!r}, expected such as {{day: 30, window: [-7, 7]}}"
            ) from None
        if low > high:
            raise LinkError(f"windows.{name}.window: found [{low:g}, {high:g}], expected the smaller number first")
        found.append(Window(str(name), day, low, high))
    return tuple(sorted(found, key=lambda window: window.day))


def window_of(day: float, windows: Sequence[Window]) -> Window | None:
    """The window a day lies in: the one due nearest, the earlier on a tie; None outside all.

    >>> both = (Window("month1", 30, -7, 15), Window("month2", 60, -20, 7))
    >>> [window.name if (window := window_of(day, both)) else None for day in (44, 45, 46, 90)]
    ['month1', 'month1', 'month2', None]
    """
    holding = [window for window in windows if window.holds(day)]
    return min(holding, key=lambda window: (abs(day - window.day), window.day)) if holding else None


def days_from(dates: Sequence[dt.date | None], references: Sequence[dt.date | None]) -> list[float]:
    """Whole days from reference to date; 0 is the reference day itself, NaN where either is missing."""
    return [
        float((date - reference).days) if date is not None and reference is not None else math.nan
        for date, reference in zip(dates, references, strict=True)
    ]


def baseline_rows(
    table: pd.DataFrame,
    *,
    last_on_or_before: Anchor = "first_infusion",
    otherwise: Anchor = "randomised",
) -> pd.Series:
    """Each subject's baseline row: subject_id -> index label of `table`.

    Where a subject has days, the last row on or before the day of the anchor (`otherwise` for a subject
    without the first), which is day 0 for a subject with neither; the earlier of two rows of one day. Where
    it has no days, or no row so early and no infusion that would make a later row a treated one, the visit
    named `baseline`. A subject without such a row is left out.
    """
    nothing = pd.Series(np.nan, index=table.index)
    day = table.get("day", nothing).to_numpy(dtype=float, na_value=np.nan)
    first = table.get(ANCHOR_COLUMNS["first_infusion"], nothing)
    anchor = table.get(ANCHOR_COLUMNS[last_on_or_before], nothing)
    last = anchor.fillna(table.get(ANCHOR_COLUMNS[otherwise], nothing)).fillna(0.0).to_numpy(dtype=float)
    code, subjects = pd.factorize(table["subject_id"])
    known = code >= 0
    place = np.full(len(subjects), -1)
    treated, dated = np.zeros(len(subjects), dtype=bool), np.zeros(len(subjects), dtype=bool)
    treated[code[known & first.notna().to_numpy()]] = True
    dated[code[known & ~np.isnan(day)]] = True
    is_named = [str(visit).casefold() == BASELINE for visit in table["visit"]]
    named = np.flatnonzero(known & np.array(is_named, dtype=bool))[
        ::-1
    ]  # the first of a subject is written last, and stays
    place[code[named]] = named
    place[treated & dated] = -1
    early = np.flatnonzero(known & (day <= last))
    early = early[np.lexsort((-early, day[early]))]  # likewise the latest day, and the first of equal days
    place[code[early]] = early
    found = {str(subjects[i]): table.index[place[i]] for i in np.flatnonzero(place >= 0)}
    return pd.Series(found, dtype=object)


def visit_order(table: pd.DataFrame) -> list[str]:
    """Visit names in the order of time: by median day; names without a day by the numbers in them.

    >>> visit_order(pd.DataFrame({"visit": ["month10", "month3", "baseline"]}))
    ['baseline', 'month3', 'month10']
    """
    names = list(dict.fromkeys(str(visit) for visit in table["visit"]))
    medians: dict[str, float] = {}
    if "day" in table.columns and table["day"].notna().any():
        middle = table["day"].groupby(table["visit"].astype(str)).median().dropna()
        medians = {str(name): float(day) for name, day in middle.items()}
    if all(name in medians for name in names):
        return sorted(names, key=lambda name: (medians[name], natural_key(name)))
    return sorted(names, key=natural_key)


def natural_key(name: str) -> tuple[Any, ...]:
    """Sorts month3 before month10, and screening and baseline before all."""
    word = name.strip().casefold()
    rank = EARLY_NAMES.index(word) if word in EARLY_NAMES else len(EARLY_NAMES)
    parts = re.split(r"(\d+)", word)
    return (rank, *((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part))
