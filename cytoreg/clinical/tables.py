"""The clinic's tables as checked DataFrames: clean ids, study days, visits named, values in range."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.scores import HAQ_CATEGORIES, HAQ_ITEMS
from cytoreg.clinical.timeline import Window, days_from, read_windows, window_of
from cytoreg.errors import LinkError, suggest
from cytoreg.tables.sheets import Sheet, as_date, as_number, as_text, read_sheet, sheet_of

__all__ = ["TABLES", "UNMATCHED_COLUMNS", "Clinical", "clinical_from_frames", "read_clinical"]

TABLES = ("subjects", "visits", "infusions", "adverse_events", "labs")
UNMATCHED_COLUMNS = ("side", "subject_id", "visit", "sample_id", "reason")

NUMBERS: Mapping[str, frozenset[str]] = {
    "subjects": frozenset({"age", "disease_duration"}),
    "visits": frozenset({*COMPONENTS, "day", "das28", "das28_esr", "das28_crp", "cdai", "sdai"}),
    "infusions": frozenset({"day", "dose_cells"}),
}
TEXTS = frozenset({"subject_id", "visit", "arm", "sex", "product"})
HAQ_ANSWERS = frozenset({f"haq_{item}" for item in HAQ_ITEMS} | {f"haq_{index}" for index in range(1, 21)})
HAQ_AIDS = frozenset(f"haq_aid_{category}" for category in HAQ_CATEGORIES)
KNOWN = frozenset().union(*NUMBERS.values(), TEXTS, HAQ_ANSWERS, HAQ_AIDS, {"date", "randomised"})
VISUAL_SCALES = ("patient_global", "evaluator_global", "pain")
SCALE_UNITS = {"mm": 1.0, "cm": 10.0}  # what a unit of a visual analogue scale is in mm of 100
CRP_UNITS = {"mg/l": 1.0, "mg/dl": 10.0}  # what a unit is in mg/L


@dataclass(frozen=True)
class Clinical:
    """A study's clinical tables after checking; a table the study has not is None.

    subjects: subject_id, arm, ..., and `randomised_day` where `randomised` was there. visits: subject_id,
    visit, `day`, and the values. infusions: subject_id, `day`, .... Days count from the subject's first
    dated infusion, which is day 0, or from randomisation where there is none; a table's own `day` column is
    kept as it is.
    adverse_events, labs: as they came. unmatched: rows set aside because no window, or another row's, is
    theirs.
    notes: what a reader should know of the tables, without naming a subject.
    """

    subjects: pd.DataFrame | None = None
    visits: pd.DataFrame | None = None
    infusions: pd.DataFrame | None = None
    adverse_events: pd.DataFrame | None = None
    labs: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    unmatched: pd.DataFrame | None = None


def read_clinical(
    paths: Mapping[str, Path],
    *,
    columns: Mapping[str, str] | None = None,
    windows: Mapping[str, Any] | None = None,
) -> Clinical:
    """Read a study's clinical tables (CSV, TSV, XLSX, Parquet).

    paths: any of subjects, visits, infusions, adverse_events, labs. columns: what the lab calls differently,
    as `{theirs: ours}` (or `{ours: theirs}`; the side that is in the sheet is renamed). windows: visits by
    their day, `{month1: {day: 30, window: [-7, 7]}}`, for a visits table without a visit column.

    Raises `LinkError` naming file, row (as in the sheet, the header being row 1) and column for a required
    column that is not there, an id that is missing, a date that is not ISO, a number that is none, and a
    value outside its range.
    """
    _known_tables(paths)
    return _clinical({table: read_sheet(Path(path)) for table, path in paths.items()}, columns, windows)


def clinical_from_frames(
    frames: Mapping[str, pd.DataFrame],
    *,
    columns: Mapping[str, str] | None = None,
    windows: Mapping[str, Any] | None = None,
) -> Clinical:
    """The same from DataFrames already in memory; messages call a table by its name and count from row 2."""
    _known_tables(frames)
    sheets = {table: sheet_of(frame, f"the {table} table") for table, frame in frames.items()}
    return _clinical(sheets, columns, windows)


def _known_tables(given: Mapping[str, Any]) -> None:
    for table in given:
        if table not in TABLES:
            raise LinkError(f"clinical: unknown table '{table}'; {suggest(table, TABLES)}")


def _clinical(
    sheets: Mapping[str, Sheet], columns: Mapping[str, str] | None, windows: Mapping[str, Any] | None
) -> Clinical:
    ordered = read_windows(windows)
    notes: list[str] = []
    sheets = _rename(sheets, columns or {})
    frames = {table: _frame(table, sheet, notes) for table, sheet in sheets.items()}
    subjects, visits, infusions = (frames.get(table) for table in ("subjects", "visits", "infusions"))
    references = _references(subjects, infusions)
    if subjects is not None and "randomised" in subjects.columns:
        subjects["randomised_day"] = _randomised_days(subjects, references)
    for name, frame in (("visits", visits), ("infusions", infusions)):
        if frame is not None:
            _add_days(frame, references, name, notes)
    unmatched = None
    if visits is not None:
        visits, unmatched = _name_visits(visits, sheets["visits"], ordered)
        frames["visits"] = visits
    for frame in frames.values():
        for column in {"date", "randomised"} & set(frame.columns):
            if frame[column].dtype == object:
                frame[column] = pd.to_datetime(frame[column])
    return Clinical(**frames, notes=tuple(notes), unmatched=unmatched)


def _rename(sheets: Mapping[str, Sheet], columns: Mapping[str, str]) -> dict[str, Sheet]:
    renamed = dict(sheets)
    there = {column for sheet in sheets.values() for column in sheet.columns}
    for left, right in columns.items():
        # `{theirs: ours}`, unless only the left one is a name of ours, or only the right one is in a sheet
        ours_first = left in KNOWN if (left in KNOWN) != (right in KNOWN) else left not in there
        old, new = (right, left) if ours_first else (left, right)
        if old not in there:
            raise LinkError(f"columns: '{left}: {right}' names no column there is; {suggest(old, there)}")
        for table, sheet in renamed.items():
            if old in sheet.columns:
                renamed[table] = sheet.renamed({old: new})
    return renamed


def _frame(table: str, sheet: Sheet, notes: list[str]) -> pd.DataFrame:
    """A sheet's cells with their types, checked one by one."""
    _require(table, sheet)
    data: dict[str, Any] = {}
    for column, cells in sheet.cells.items():
        if column == "subject_id":
            data[column] = _ids(sheet)
        elif column == "date" and table in {"visits", "infusions"}:
            data[column] = [as_date(cell, sheet.place(i, column)) for i, cell in enumerate(cells)]
        elif column == "randomised" and table == "subjects":
            data[column] = _dates_or_days(sheet, column)
        elif column in NUMBERS.get(table, ()) or (table == "visits" and column in HAQ_ANSWERS):
            data[column] = _numbers(sheet, column)
        elif table == "visits" and column in HAQ_AIDS:
            data[column] = _truths(sheet, column)
        elif column in TEXTS or column.endswith("_unit"):
            data[column] = pd.array([as_text(cell) for cell in cells], dtype=object)
        else:
            data[column] = _numbers_if_all_are(sheet, column, notes)
    frame = pd.DataFrame(data)
    if table == "visits":
        _convert_crp(frame, sheet, notes)
        _convert_scales(frame, sheet, notes)
        _check_ranges(frame, sheet)
    return frame


def _require(table: str, sheet: Sheet) -> None:
    if "subject_id" not in sheet.columns:
        raise LinkError(f"{sheet.name}: has no column 'subject_id'; {suggest('subject_id', sheet.columns)}")
    if table == "infusions" and not {"date", "day"} & set(sheet.columns):
        raise LinkError(f"{sheet.name}: has neither a column 'date' nor 'day'; {suggest('date', sheet.columns)}")


def _ids(sheet: Sheet) -> Any:
    ids = [as_text(cell) for cell in sheet.cells["subject_id"]]
    for line, value in enumerate(ids):
        if value is None:
            raise LinkError(f"{sheet.place(line, 'subject_id')}: found nothing, expected a subject")
    return pd.array(ids, dtype=object)


def _numbers(sheet: Sheet, column: str) -> list[float]:
    return [
        as_number(cell, sheet.place(line, column), decimal_comma=sheet.decimal_comma)
        for line, cell in enumerate(sheet.cells[column])
    ]


def _numbers_if_all_are(sheet: Sheet, column: str, notes: list[str]) -> Any:
    """Numbers where every cell is one; else the text as it is, with a note where most were numbers."""
    values: list[float] = []
    odd: list[str] = []
    for cell in sheet.cells[column]:
        try:
            values.append(as_number(cell, "", decimal_comma=sheet.decimal_comma))
        except LinkError:
            odd.append(str(cell))
    if not odd:
        return values
    present = sum(cell is not None for cell in sheet.cells[column])
    if len(odd) < present / 2:
        notes.append(
            f"{sheet.name}, column {column}: {len(odd)} of {present} values are not numbers"
            f" (the first is '{odd[0]}'), so the column is kept as text"
        )
    return pd.array([as_text(cell) for cell in sheet.cells[column]], dtype=object)


def _truths(sheet: Sheet, column: str) -> list[float]:
    words = {"true": 1.0, "yes": 1.0, "y": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "n": 0.0, "0": 0.0}
    values = []
    for line, cell in enumerate(sheet.cells[column]):
        word = str(as_text(cell)).casefold()
        if cell is not None and word not in words:
            raise LinkError(f"{sheet.place(line, column)}: found '{cell}', expected yes or no")
        values.append(words.get(word, math.nan))
    return values


def _dates_or_days(sheet: Sheet, column: str) -> Any:
    cells = sheet.cells[column]
    try:
        return [as_number(cell, "") for cell in cells]
    except LinkError:
        return pd.array([as_date(cell, sheet.place(i, column)) for i, cell in enumerate(cells)], dtype=object)


def _convert_crp(frame: pd.DataFrame, sheet: Sheet, notes: list[str]) -> None:
    if "crp" not in frame.columns or "crp_unit" not in frame.columns:
        return
    factors = []
    for line, unit in enumerate(frame["crp_unit"].tolist()):
        key = "mg/l" if unit is None else str(unit).casefold()
        if key not in CRP_UNITS:
            raise LinkError(f"{sheet.place(line, 'crp_unit')}: found '{unit}', expected mg/L or mg/dL")
        factors.append(CRP_UNITS[key])
    if any(factor != 1 for factor in factors):
        frame["crp"] = frame["crp"] * factors
        frame["crp_unit"] = "mg/L"
        notes.append(f"{sheet.name}, column crp: values in mg/dL were converted to mg/L")


def _convert_scales(frame: pd.DataFrame, sheet: Sheet, notes: list[str]) -> None:
    """Globals and pain declared in cm of 10 become mm of 100; any other value keeps one unit a column.

    Raises LinkError naming the row where a unit differs from the first one, or is no unit of a 100 mm scale.
    """
    for column in [name for name in frame.columns if name.endswith("_unit") and name != "crp_unit"]:
        value = column.removesuffix("_unit")
        units = [None if unit is None or unit != unit else str(unit).strip() for unit in frame[column].tolist()]
        if value in VISUAL_SCALES:
            for line, unit in enumerate(units):
                if unit is not None and unit.casefold() not in SCALE_UNITS:
                    raise LinkError(f"{sheet.place(line, column)}: found '{unit}', expected mm or cm")
            factors = [1.0 if unit is None else SCALE_UNITS[unit.casefold()] for unit in units]
            if value in frame.columns and any(factor != 1 for factor in factors):
                frame[value] = frame[value] * factors
                frame[column] = "mm"
                notes.append(f"{sheet.name}, column {value}: values in cm were converted to mm")
            continue
        first = next((unit for unit in units if unit is not None), None)
        for line, unit in enumerate(units):
            if unit is not None and first is not None and unit.casefold() != first.casefold():
                raise LinkError(
                    f"{sheet.place(line, column)}: found '{unit}', expected '{first}' as above: "
                    "one column holds one unit (crp and 100 mm scales are converted, others are not)"
                )


def _check_ranges(frame: pd.DataFrame, sheet: Sheet) -> None:
    for name, component in COMPONENTS.items():
        if name in frame.columns:
            for line, value in enumerate(frame[name].tolist()):
                if (wrong := component.problem(value)) is not None:
                    raise LinkError(f"{sheet.place(line, name)}: {wrong}")
    for name in HAQ_ANSWERS & set(frame.columns):
        for line, value in enumerate(frame[name].tolist()):
            if not math.isnan(value) and value not in (0, 1, 2, 3):
                raise LinkError(f"{sheet.place(line, name)}: found {value:g}, expected 0, 1, 2 or 3")


def _references(subjects: pd.DataFrame | None, infusions: pd.DataFrame | None) -> dict[str, dt.date]:
    """The date of each subject's day 0: the first dated infusion, else randomisation."""
    references: dict[str, dt.date] = {}
    if subjects is not None and "randomised" in subjects.columns and subjects["randomised"].dtype == object:
        for subject, date in zip(subjects["subject_id"], subjects["randomised"], strict=True):
            if isinstance(date, dt.date):
                references.setdefault(subject, date)
    if infusions is not None and "date" in infusions.columns:
        first: dict[str, dt.date] = {}
        for subject, date in zip(infusions["subject_id"], infusions["date"], strict=True):
            if isinstance(date, dt.date):
                first[subject] = min(date, first.get(subject, date))
        references.update(first)
    return references


def _randomised_days(subjects: pd.DataFrame, references: Mapping[str, dt.date]) -> Sequence[float]:
    if subjects["randomised"].dtype != object:
        return [float(value) for value in subjects["randomised"]]
    dates = [date if isinstance(date, dt.date) else None for date in subjects["randomised"]]
    return days_from(dates, [references.get(subject) for subject in subjects["subject_id"]])


def _add_days(frame: pd.DataFrame, references: Mapping[str, dt.date], table: str, notes: list[str]) -> None:
    """The `day` column: the table's own, filled from dates where it is missing."""
    if "date" not in frame.columns:
        if "day" not in frame.columns:
            frame["day"] = math.nan
        return
    dates = [date if isinstance(date, dt.date) else None for date in frame["date"]]
    from_dates = pd.Series(
        days_from(dates, [references.get(subject) for subject in frame["subject_id"]]),
        index=frame.index,
        dtype=float,
    )
    frame["day"] = frame["day"].fillna(from_dates) if "day" in frame.columns else from_dates
    without = sum(date is not None and math.isnan(day) for date, day in zip(dates, frame["day"], strict=True))
    if without:
        notes.append(
            f"{table}: {without} dated rows have no study day, as their subject has neither a dated infusion"
            " nor a randomised date"
        )


def _name_visits(
    visits: pd.DataFrame, sheet: Sheet, windows: Sequence[Window]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Visits with a name each, from their own column or from the windows, and the rows left without one."""
    if "visit" not in visits.columns and not windows:
        raise LinkError(f"{sheet.name}: has no column 'visit' and the study has no windows to name visits by day")
    names: list[Any] = list(visits["visit"]) if "visit" in visits.columns else [None] * len(visits)
    subjects = [str(subject) for subject in visits["subject_id"]]
    nearest: dict[tuple[str, str], tuple[float, float, int]] = {}
    aside: list[tuple[str, str, str]] = []  # subject, visit, reason
    keep = [True] * len(visits)
    by_window: dict[int, Window] = {}
    for line, (subject, day) in enumerate(zip(subjects, visits["day"], strict=True)):
        if names[line] is not None:
            continue
        if not windows:
            raise LinkError(f"{sheet.place(line, 'visit')}: found nothing, expected the name of a visit")
        window = None if math.isnan(day) else window_of(day, windows)
        if window is None:
            keep[line] = False
            reason = "its study day is not known" if math.isnan(day) else f"day {day:g} is in no visit window"
            aside.append((subject, "", reason))
            continue
        names[line] = window.name
        by_window[line] = window
        rank = (abs(day - window.day), day, line)
        nearest[subject, window.name] = min(rank, nearest.get((subject, window.name), rank))
    for line, window in by_window.items():
        subject = subjects[line]
        if nearest[subject, window.name][2] != line:
            keep[line] = False
            reason = f"duplicate: another row lies nearer to day {window.day:g} of '{window.name}'"
            aside.append((subject, window.name, reason))
    named = visits.assign(visit=pd.array(names, dtype=object))[keep].reset_index(drop=True)
    unmatched = pd.DataFrame(
        [("visits", subject, visit, "", reason) for subject, visit, reason in aside],
        columns=list(UNMATCHED_COLUMNS),
        dtype=object,
    )
    return named, unmatched
