"""When adverse events began, counted from the last infusion before them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.adverse_events import count_by
from cytoreg.clinical.safety.population import Population, emergent_events, population_of

__all__ = ["PERIODS", "onset_table"]

# Days after an infusion up to and including which a period runs, and its name.
PERIODS = (
    (1, "day 0 to 1"),
    (7, "day 2 to 7"),
    (30, "day 8 to 30"),
    (90, "day 31 to 90"),
    (np.inf, "after day 90"),
)
NO_INFUSION = "before any infusion"
UNKNOWN = "day not known"


def onset_table(
    events: pd.DataFrame, subjects: pd.DataFrame, infusions: pd.DataFrame, control: str | None = None
) -> pd.DataFrame:
    """Events by how long after the last infusion they began: level (the period), arm, subjects, percent, events,
    p_value, n.

    infusions: subject_id, day. An event on the day of an infusion counts from that infusion. A subject counts
    once in each period. Percent is of the arm's safety population, infused or not.
    """
    population = population_of(subjects, control)
    return onset_events(emergent_events(events, population)[0], infusions, population)


def onset_events(table: pd.DataFrame, infusions: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from events and population already prepared."""
    since = days_since_infusion(table, infusions)
    names = np.array([name for _, name in PERIODS], dtype=object)
    place = np.searchsorted([last for last, _ in PERIODS], np.nan_to_num(since, nan=0.0))
    level = np.where(np.isnan(since), NO_INFUSION, names[place])
    level = np.where(table["start_day"].isna(), UNKNOWN, level)
    wanted = [name for name in (*names, NO_INFUSION, UNKNOWN) if name in set(level)]
    return count_by(table.assign(level=level), ["level"], population, levels=[(name,) for name in wanted])


def days_since_infusion(table: pd.DataFrame, infusions: pd.DataFrame) -> np.ndarray:
    """Days from the last infusion on or before each event's `start_day`, NaN where there is none; shape (n,)."""
    given = infusions[["subject_id", "day"]].dropna()
    days = {str(subject): np.sort(group.to_numpy(float)) for subject, group in given.groupby("subject_id")["day"]}
    since = np.full(len(table), np.nan)
    for row, (subject, start) in enumerate(zip(table["subject_id"], table["start_day"], strict=True)):
        if subject in days and start == start:
            before = int(np.searchsorted(days[subject], start, side="right"))
            if before:
                since[row] = start - days[subject][before - 1]
    return since
