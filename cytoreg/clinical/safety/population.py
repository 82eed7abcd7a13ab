"""Who is counted: the safety population by the arm that was given, and its treatment-emergent events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.columns import EVENTS, SUBJECTS, check_severities, our_columns, truths
from cytoreg.clinical.timeline import natural_key
from cytoreg.errors import LinkError, suggest

__all__ = ["NOT_GIVEN", "Population", "emergent_events", "population_of"]

NOT_GIVEN = "not given"
DAYS_IN_YEAR = 365.25


@dataclass(frozen=True)
class Population:
    """The safety population.

    arm: subject -> arm. arms: their names, control first. control: its name, or None. years: subject ->
    years of exposure, NaN where nothing says how long (shape of `arm`). notes: what a reader should know.
    """

    arm: pd.Series
    arms: tuple[str, ...]
    control: str | None
    years: pd.Series
    notes: tuple[str, ...] = ()

    @property
    def sizes(self) -> Mapping[str, int]:
        counts = self.arm.value_counts()
        return {arm: int(counts[arm]) for arm in self.arms}


def population_of(subjects: pd.DataFrame, control: str | None = None) -> Population:
    """The safety population of a subjects table (ours or ADSL): those flagged SAFFL = Y, all where nothing flags.

    Raises LinkError for a subject in two arms, and for a control that is no arm.
    """
    table = our_columns(subjects, SUBJECTS, "subjects", ("subject_id", "arm"))
    notes = []
    if "safety" in table.columns:
        safe = truths(table["safety"], "subjects, column safety")
        if not safe.all():
            notes.append(f"{int((~safe).sum())} of {len(table)} subjects are not of the safety population")
        table = table[safe.to_numpy()]
    else:
        notes.append("no column says who is of the safety population (SAFFL), so every subject is")
    table = table.assign(arm=table["arm"].replace("", NOT_GIVEN))
    twice = table.groupby("subject_id")["arm"].nunique()
    if (twice > 1).any():
        raise LinkError(f"subjects: {int((twice > 1).sum())} subjects stand in two arms, expected one arm each")
    years = pd.Series(_exposure_days(table) / DAYS_IN_YEAR, index=table.index)
    table = table.assign(years=years).drop_duplicates("subject_id")
    arms = sorted(set(table["arm"]), key=lambda arm: (arm != control, arm == NOT_GIVEN, natural_key(arm)))
    if control is not None and control not in arms:
        raise LinkError(f"control: found '{control}', which is no arm of the subjects; {suggest(control, arms)}")
    indexed = table.set_index("subject_id")
    return Population(indexed["arm"], tuple(arms), control, indexed["years"], tuple(notes))


def emergent_events(events: pd.DataFrame, population: Population) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The treatment-emergent events of the population, and notes on what is not counted.

    Gives subject_id, arm, soc, term, severity, serious (bool; None where no column says it), related, start_day (days since the first dose,
    which is day 0). Emergent are those flagged (TRTEMFL = Y); without a flag those from day 0 on, and those
    whose day is not known.
    """
    table = our_columns(events, EVENTS, "adverse events", ("subject_id", "term"))
    for column in ("soc", "severity", "related"):
        if column not in table.columns:
            table[column] = ""
    if "start_day" not in table.columns:
        table["start_day"] = np.nan
    serious = "serious" in table.columns
    table["serious"] = truths(table["serious"], "adverse events, column serious") if serious else None
    table["soc"] = table["soc"].replace("", "NOT CODED")
    table["term"] = table["term"].replace("", "NOT CODED")
    notes = []
    for column, what in (("soc", "body systems"), ("term", "terms")):
        spellings = table[column].groupby(table[column].str.casefold()).unique()
        twice = spellings[spellings.map(len) > 1]
        if len(twice):
            notes.append(
                f"adverse events: {len(twice)} {what} are written in ways that differ in case, such as"
                f" '{twice.iloc[0][0]}' and '{twice.iloc[0][1]}', and are counted apart"
            )
    known = table["subject_id"].isin(population.arm.index)
    if not known.all():
        notes.append(
            f"adverse events: {int((~known).sum())} of {len(table)} are of subjects who are not of the safety population"
        )
    table = table[known]
    if "treatment_emergent" in table.columns:
        emergent = truths(table["treatment_emergent"], "adverse events, column treatment_emergent")
    else:
        emergent = ~(table["start_day"] < 0)
        notes.append(
            "adverse events: no column says which are treatment-emergent; those from day 0 on are counted"
        )
    if not emergent.all():
        notes.append(f"adverse events: {int((~emergent).sum())} of {len(table)} are not treatment-emergent")
    table = table[emergent.to_numpy()]
    check_severities(table["severity"], "adverse events, column severity")
    table = table.reset_index(drop=True)
    return table.assign(arm=table["subject_id"].map(population.arm)), tuple(notes)


def _exposure_days(table: pd.DataFrame) -> np.ndarray:
    """Days of exposure, the first and the last included."""
    if "exposure_days" in table.columns:
        return table["exposure_days"].to_numpy(dtype=float)
    if {"first_dose", "last_dose"} <= set(table.columns):
        first, last = table["first_dose"], table["last_dose"]
        if pd.api.types.is_numeric_dtype(first) and pd.api.types.is_numeric_dtype(last):
            return (last - first + 1).to_numpy(dtype=float)
        return ((pd.to_datetime(last) - pd.to_datetime(first)).dt.days + 1).to_numpy(dtype=float)
    return np.full(len(table), np.nan)
