"""All safety tables of a study: what its adverse events and laboratory values give, in the order of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cytoreg.clinical.safety import (
    adverse_events,
    ctcae,
    exposure,
    labs,
    liver,
    onset,
    population,
    shift,
    survival,
)
from cytoreg.clinical.safety.columns import SUBJECTS, our_columns, text
from cytoreg.clinical.safety.population import DAYS_IN_YEAR, Population
from cytoreg.errors import LinkError
from cytoreg.tables.schema import SAFETY

__all__ = ["SAFETY_TABLES", "Safety", "safety_tables"]

SAFETY_TABLES = SAFETY


@dataclass(frozen=True)
class Safety:
    """tables: those of `SAFETY_TABLES` that the study's tables allow. unmatched: side, subject_id and reason of
    rows that belong to no subject. notes: what a reader should know, without naming a subject.
    """

    tables: Mapping[str, pd.DataFrame]
    unmatched: pd.DataFrame
    notes: tuple[str, ...] = ()


def safety_tables(
    subjects: pd.DataFrame,
    events: pd.DataFrame | None = None,
    lab_values: pd.DataFrame | None = None,
    *,
    infusions: pd.DataFrame | None = None,
    visits: pd.DataFrame | None = None,
    times: pd.DataFrame | None = None,
    control: str | None = None,
    arm: str = "arm",
) -> Safety:
    """The safety tables of a study's clinical tables (ours or ADaM's).

    infusions, visits: subject_id, day (and date), for day 0, the onset after an infusion, and how long a subject
    was watched where the subjects table does not say it. times: times to events, subject_id, test, value, censored
    (or ADTTE). control: the arm others are compared with. arm: the
    column of the subjects that holds it.
    """
    if arm != "arm" and arm in subjects.columns:
        subjects = subjects.assign(arm=subjects[arm])
    people = population.population_of(subjects, control)
    notes = list(people.notes)
    references = _references(subjects, infusions)
    tables: dict[str, pd.DataFrame] = {}
    missed: list[tuple[str, str, str]] = []
    everyone = set(our_columns(subjects, SUBJECTS, "subjects", ("subject_id",))["subject_id"])
    if events is not None:
        missed += _strangers("adverse_events", events, everyone)
        counted, said = population.emergent_events(_with_day(events, "start", "start_day", references), people)
        notes += said
        people = _watched(people, [visits, infusions, counted.rename(columns={"start_day": "day"})], notes)
        tables |= _event_tables(counted, people, infusions, notes)
    if lab_values is not None:
        missed += _strangers("labs", lab_values, everyone)
        values, said = labs.read_labs(_with_day(lab_values, "date", "day", references), people)
        notes += said
        tables |= _lab_tables(values, people, notes)
    if times is not None:
        missed += _strangers("time_to_event", times, everyone)
        found = survival.time_to_event(times, people)
        tables["time_to_event"] = pd.concat([*[t for t in (tables.get("time_to_event"), found) if t is not None]])
    unmatched = pd.DataFrame(missed, columns=["side", "subject_id", "reason"])
    ordered = {name: _ordered(tables[name], columns) for name, columns in SAFETY_TABLES.items() if name in tables}
    return Safety(ordered, unmatched, tuple(dict.fromkeys(notes)))


def _event_tables(
    counted: pd.DataFrame, people: Population, infusions: pd.DataFrame | None, notes: list[str]
) -> dict[str, pd.DataFrame]:
    keys = ["soc", "term", "arm"]
    found = adverse_events.count_events(counted, people)
    groups = [adverse_events.group_events(counted, people)]
    if people.years.isna().any():
        unknown = int(people.years.isna().sum())
        notes.append(
            f"adverse events: {unknown} subjects have no exposure, so their arms have no rate per patient-year"
        )
    rates = exposure.rate_events(counted, people).drop(columns=["events", "subjects"])
    found = found.merge(rates, on=keys, how="left", sort=False)
    if infusions is not None and "day" in infusions.columns and counted["start_day"].notna().any():
        after = onset.onset_events(counted, infusions, people)
        groups.append(after.assign(measure="onset after the last infusion"))
    first = survival.first_events(counted, people)
    first["event"] = ("first adverse event: " + first.pop("soc")).str.replace(r": $", "", regex=True)
    grouped = pd.concat([group for group in groups if len(group)] or groups[:1], ignore_index=True)
    tables = {"adverse_events": found, "adverse_event_groups": grouped}
    return tables | ({"time_to_event": first} if len(first) else {})


def _lab_tables(values: pd.DataFrame, people: Population, notes: list[str]) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    try:
        tables["labs"] = labs.changes_of(values, people)
    except LinkError as problem:  # grades and shifts go by each row's own unit and range
        notes.append(f"{problem}; no summary of the values is made")
    tables["lab_shifts"] = shift.lab_shifts(values, people)
    tables["lab_grades"], said = ctcae.grades_of(values, people)
    notes += said
    tests = set(map(ctcae.canonical, values["test"]))
    if tests & {"ALT", "AST"}:
        tables["liver"] = liver.liver_cases(values, people)
        if "BILI" in tests:
            shifts = liver.liver_shifts(values, people)
            tables["lab_shifts"] = pd.concat([tables["lab_shifts"], shifts], ignore_index=True)
    return tables


def _ordered(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    return table.reindex(columns=list(columns)).reset_index(drop=True)


def _strangers(side: str, table: pd.DataFrame, everyone: set[str]) -> list[tuple[str, str, str]]:
    """Rows whose subject the subjects table does not have, one line each subject."""
    ids = our_columns(table, {"subject_id": ("USUBJID", "SUBJID")}, side, ("subject_id",))["subject_id"]
    counts = ids[~ids.isin(everyone)].value_counts(sort=False)
    return [
        (side, str(subject), f"no such subject in the subjects table ({count} rows)")
        for subject, count in counts.items()
    ]


def _references(subjects: pd.DataFrame, infusions: pd.DataFrame | None) -> dict[str, pd.Timestamp]:
    """The date of each subject's day 0: of the first dated infusion, else of randomisation."""
    found: dict[str, pd.Timestamp] = {}
    if {"subject_id", "randomised"} <= set(subjects.columns) and not pd.api.types.is_numeric_dtype(
        subjects["randomised"]
    ):
        dates = pd.to_datetime(subjects["randomised"], errors="coerce")
        found = {str(s): date for s, date in zip(subjects["subject_id"], dates, strict=True) if date == date}
    if infusions is not None and "date" in infusions.columns:
        dates = pd.to_datetime(infusions["date"], errors="coerce")
        first = dates.groupby(infusions["subject_id"].astype(str)).min().dropna()
        found |= {str(subject): date for subject, date in first.items()}
    return found


def _with_day(table: pd.DataFrame, date: str, day: str, references: Mapping[str, pd.Timestamp]) -> pd.DataFrame:
    """The table with its `day` column, from dates where it has none; a column of numbers already is days."""
    if day in table.columns or date not in table.columns or "subject_id" not in table.columns:
        return table
    cells = table[date]
    as_numbers = (
        pd.to_numeric(cells, errors="coerce") if cells.dtype != "datetime64[ns]" else pd.Series(dtype=float)
    )
    if len(as_numbers) and as_numbers.notna().sum() == cells.notna().sum():
        return table.assign(**{day: as_numbers})
    dates = pd.to_datetime(cells, errors="coerce", format="ISO8601")
    odd = dates.isna() & cells.notna() & (cells.map(text) != "")
    if odd.any():
        row = int(np.flatnonzero(odd.to_numpy())[0])
        raise LinkError(
            f"column {date}, row {row + 2}: found '{cells.iloc[row]}', expected a date such as 2026-03-31"
        )
    starts = pd.to_datetime(table["subject_id"].map(text).map(references))
    return table.assign(**{day: (dates - starts).dt.days.astype(float)})


def _watched(people: Population, tables: list[pd.DataFrame | None], notes: list[str]) -> Population:
    """The population with its exposure taken from the last day anything is known of a subject, where nothing says it."""
    if not people.years.isna().all():
        return people
    days = [
        table[["subject_id", "day"]].dropna() for table in tables if table is not None and "day" in table.columns
    ]
    if not days:
        return people
    every = pd.concat(days, ignore_index=True)
    last = every.groupby(every["subject_id"].astype(str))["day"].max()
    years = people.arm.index.to_series().map(last).clip(lower=0).astype(float)
    notes.append(
        "adverse events: exposure is counted from day 0 to the last visit, infusion or event of a subject"
    )
    found = np.array([(day + 1) / DAYS_IN_YEAR if not math.isnan(day) else math.nan for day in years])
    return replace(people, years=pd.Series(found, index=people.arm.index))
