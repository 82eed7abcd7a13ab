"""Study days from dates, and the visit that a day belongs to: baseline the last before treatment, elsewhere the nearest."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cytoreg.clinical.tables.dates import parse_date
from cytoreg.clinical.tables.repairs import Aside
from cytoreg.clinical.tables.rules import Rules
from cytoreg.clinical.timeline import BASELINE, Window, days_from, window_of
from cytoreg.errors import LinkError
from cytoreg.tables.sheets import Sheet, as_number, as_text

__all__ = ["add_days", "anchors_of", "day_zero", "in_time", "name_visits", "randomised_days"]


def day_zero(subjects: pd.DataFrame | None, infusions: pd.DataFrame | None) -> dict[str, dt.date]:
    """The date of each subject's day 0: the first dated infusion, else the start of treatment, else randomisation."""
    zero: dict[str, dt.date] = {}
    for frame, column in ((subjects, "randomised"), (subjects, "treatment_start"), (infusions, "date")):
        if frame is None or column not in frame.columns:
            continue
        first: dict[str, dt.date] = {}
        for subject, date in zip(frame["subject_id"], frame[column], strict=True):
            if isinstance(date, dt.date):
                first[subject] = min(date, first.get(subject, date))
        zero.update(first)
    return zero


def randomised_days(subjects: pd.DataFrame, zero: Mapping[str, dt.date]) -> Sequence[float]:
    if subjects["randomised"].dtype != object:
        return [float(value) for value in subjects["randomised"]]
    dates = [date if isinstance(date, dt.date) else None for date in subjects["randomised"]]
    return days_from(dates, [zero.get(subject) for subject in subjects["subject_id"]])


def anchors_of(subjects: pd.DataFrame | None, infusions: pd.DataFrame | None) -> dict[str, float]:
    """The last day on which a visit may be each subject's baseline: that of the first infusion, else of randomisation."""
    anchors: dict[Any, float] = {}
    if subjects is not None and "randomised_day" in subjects.columns:
        anchors.update(subjects.groupby("subject_id")["randomised_day"].min().dropna().to_dict())
    if infusions is not None:
        anchors.update(infusions.groupby("subject_id")["day"].min().dropna().to_dict())
    return {str(subject): float(day) for subject, day in anchors.items()}


def add_days(
    frame: pd.DataFrame,
    zero: Mapping[str, dt.date],
    table: str,
    notes: list[str],
    *,
    date: str = "date",
    day: str = "day",
) -> None:
    """A column of study days, in place: the table's own, filled from dates where it is missing."""
    if date not in frame.columns:
        if day not in frame.columns:
            frame[day] = math.nan
        return
    dates = [value if isinstance(value, dt.date) else None for value in frame[date]]
    from_dates = pd.Series(
        days_from(dates, [zero.get(subject) for subject in frame["subject_id"]]), index=frame.index, dtype=float
    )
    frame[day] = frame[day].astype(float).fillna(from_dates) if day in frame.columns else from_dates
    without = sum(value is not None and math.isnan(at) for value, at in zip(dates, frame[day], strict=True))
    if without:
        notes.append(
            f"{table}: {without} dated rows have no study day, as their subject has neither a dated infusion"
            " nor a treatment start or randomised date"
        )


def in_time(table: str, sheet: Sheet, rules: Rules, zero: Mapping[str, dt.date], notes: list[str]) -> Sheet:
    """The sheet with `date` as dates and `day` as study days (None where not known)."""
    said: dict[str, Any] = {"subject_id": [as_text(cell) for cell in sheet.cells["subject_id"]]}
    if "date" in sheet.columns:
        cells = sheet.cells["date"]
        dates = [parse_date(cell, sheet.place(line, "date"), rules.dates) for line, cell in enumerate(cells)]
        said["date"] = pd.array(dates, dtype=object)
    if "day" in sheet.columns:
        said["day"] = [
            as_number(cell, sheet.place(line, "day"), decimal_comma=sheet.decimal_comma)
            for line, cell in enumerate(sheet.cells["day"])
        ]
    frame = pd.DataFrame(said)
    add_days(frame, zero, table, notes)
    timed = {"day": [None if day != day else day for day in frame["day"].tolist()]}
    if "date" in frame.columns:
        timed["date"] = list(frame["date"])
    return sheet.with_cells(**timed)


def name_visits(
    table: str,
    sheet: Sheet,
    windows: Sequence[Window],
    anchors: Mapping[str, float],
    aside: Aside,
    *,
    keep_all: bool = False,
    tolerant: bool = False,
) -> Sheet:
    """The sheet with a visit in each row, from its own column or from the windows; rows left without one go to `aside`.

    sheet: with study days (`in_time`). A window's visit is of the row nearest to its day, the earlier on a tie; that of a
    window named `baseline` is the last row on or before the subject's anchor. In a long table each test has its own.
    keep_all: rows without a visit stay, without one. tolerant: a table of many unscheduled visits; a row without a name is set aside,
    not an error.
    """
    if "visit" not in sheet.columns and not windows:
        if keep_all:
            return sheet
        raise LinkError(f"{sheet.name}: has no column 'visit' and the study has no windows to name visits by day")
    names = [as_text(cell) for cell in sheet.cells.get("visit", [None] * len(sheet))]
    subjects = [as_text(cell) or "" for cell in sheet.cells["subject_id"]]
    tests = sheet.cells.get("test", [None] * len(sheet))
    values = sheet.cells.get("value", [0] * len(sheet))
    nearest: dict[tuple[str, str, Any], tuple[bool, float, float, int]] = {}
    found: dict[int, Window] = {}
    gone: dict[int, tuple[str, str]] = {}
    for line, (subject, given) in enumerate(zip(subjects, sheet.cells["day"], strict=True)):
        if names[line] is not None:
            continue
        if not windows and not keep_all and not tolerant:
            raise LinkError(f"{sheet.place(line, 'visit')}: found nothing, expected the name of a visit")
        day = math.nan if given is None else float(given)
        window = None if math.isnan(day) else window_of(day, windows)
        if window is None:
            reason = "its study day is not known" if math.isnan(day) else f"day {day:g} is in no visit window"
            gone[line] = ("", reason if windows else "has no visit name, and the study has no windows")
            continue
        if window.name.casefold() == BASELINE and day > (anchor := anchors.get(subject, 0.0)):
            gone[line] = (
                "",
                f"day {day:g} is after the start of treatment on day {anchor:g}, so it is no baseline",
            )
            continue
        names[line], found[line] = window.name, window
        is_baseline = window.name.casefold() == BASELINE
        rank = (values[line] is None, -day if is_baseline else abs(day - window.day), day, line)
        key = (subject, window.name, tests[line])
        nearest[key] = min(rank, nearest.get(key, rank))
    for line, window in found.items():
        if nearest[subjects[line], window.name, tests[line]][3] != line:
            is_baseline = window.name.casefold() == BASELINE
            why = (
                "is the last before treatment"
                if is_baseline
                else f"lies nearer to day {window.day:g} of '{window.name}'"
            )
            gone[line] = (window.name, f"duplicate: another row {why}")
            names[line] = None
    if keep_all:
        return sheet.with_cells(visit=names)
    aside += [(table, subjects[line], visit, "", reason) for line, (visit, reason) in sorted(gone.items())]
    return sheet.with_cells(visit=names).kept([line for line in range(len(sheet)) if line not in gone])
