"""Reads a study's clinical tables, whatever form they come in, into one checked shape."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cytoreg.clinical.tables.columns import DATES, check_ranges, require, typed
from cytoreg.clinical.tables.days import add_days, anchors_of, day_zero, in_time, name_visits, randomised_days
from cytoreg.clinical.tables.long import is_long, spread, study_days_of_adam, units_of_adam
from cytoreg.clinical.tables.model import TABLES, UNMATCHED_COLUMNS, Clinical
from cytoreg.clinical.tables.names import rename_adam, rename_declared
from cytoreg.clinical.tables.repairs import Aside, fold_visits, one_spelling, prepare, refuse_two_in_one
from cytoreg.clinical.tables.rules import Rules, Source, read_rules
from cytoreg.clinical.tables.units import convert_units
from cytoreg.clinical.timeline import read_windows
from cytoreg.errors import LinkError, suggest
from cytoreg.tables.database import is_url, read_database
from cytoreg.tables.sheets import Sheet, read_sheet, sheet_of

__all__ = ["clinical_from_frames", "read_clinical"]

ADAM_DAYS = {"adverse_events": ("start_day", "end_day")}  # of the other tables `day`


def read_clinical(
    paths: Mapping[str, Path | str | Source],
    *,
    columns: Mapping[str, str] | None = None,
    windows: Mapping[str, Any] | None = None,
    rules: Rules | Mapping[str, Any] | None = None,
) -> Clinical:
    """Read a study's clinical tables: CSV, TSV, XLSX, Parquet, SAS transport (`.xpt`), or a database's URL.

    paths: any of subjects, visits, infusions, adverse_events, labs, time_to_event. columns: what the lab calls differently,
    as `{theirs: ours}` (or `{ours: theirs}`; the side that is in the sheet is renamed). windows: visits by
    their day, `{month1: {day: 30, window: [-7, 7]}}`, for a visits table without a visit column. rules: what is
    declared of the cells, `{decimal: ",", missing: [n.d.], dates: [DD/MM/YYYY], units: {crp: mg/dL}, repair: [...]}`.

    Raises `LinkError` naming file, row (as in the sheet, the header being row 1) and column for a required
    column that is not there, an id that is missing, a date that is not ISO and fits no declared form, a number that is none,
    a value outside its range, a patient in two arms, and two patients with one id.
    """
    _known_tables(paths)
    declared = read_rules(rules)
    sources = {table: place if isinstance(place, Source) else _source(place) for table, place in paths.items()}
    own = {table: declared.of(table, source.rules) for table, source in sources.items()}
    notes: list[str] = []
    sheets = {table: _sheet(table, source, notes) for table, source in sources.items()}
    return _clinical(sheets, columns, windows, declared, own, notes)


def clinical_from_frames(
    frames: Mapping[str, pd.DataFrame],
    *,
    columns: Mapping[str, str] | None = None,
    windows: Mapping[str, Any] | None = None,
    rules: Rules | Mapping[str, Any] | None = None,
) -> Clinical:
    """The same from DataFrames already in memory; messages call a table by its name and count from row 2."""
    _known_tables(frames)
    declared = read_rules(rules)
    sheets = {table: sheet_of(frame, f"the {table} table") for table, frame in frames.items()}
    return _clinical(sheets, columns, windows, declared, dict.fromkeys(sheets, declared), [])


def _known_tables(given: Mapping[str, Any]) -> None:
    for table in given:
        if table not in TABLES:
            raise LinkError(f"clinical: unknown table '{table}'; {suggest(table, TABLES)}")


def _source(place: Path | str) -> Source:
    return Source(str(place) if is_url(place) else Path(place))


def _sheet(table: str, source: Source, notes: list[str]) -> Sheet:
    if isinstance(source.place, Path):
        return read_sheet(source.place, sheet=source.sheet)
    sheet = read_database(source.place, source.table or table, query=source.query)
    digest = hashlib.sha256(repr((list(sheet.cells), sheet.cells)).encode()).hexdigest()
    notes.append(f"{table}: {len(sheet)} rows read from {sheet.name}, sha256 of what was read {digest[:16]}")
    return sheet


def _clinical(
    sheets: Mapping[str, Sheet],
    columns: Mapping[str, str] | None,
    windows: Mapping[str, Any] | None,
    rules: Rules,
    own: Mapping[str, Rules],
    notes: list[str],
) -> Clinical:
    ordered = read_windows(windows)
    aside: Aside = []
    ready, adam = _named(sheets, columns, rules, own)
    for table, sheet in ready.items():
        require(table, sheet)
        ready[table] = prepare(table, sheet, own[table], notes, aside)
        require(table, ready[table])
    repair = any(one.repairs("visit_case") for one in (rules, *own.values()))
    names = fold_visits(ready, [window.name for window in ordered], repair, notes)
    ready = {table: one_spelling(sheet, names) for table, sheet in ready.items()}
    refuse_two_in_one(ready)

    frames: dict[str, pd.DataFrame] = {
        table: typed(table, ready[table], own[table], notes)
        for table in ("subjects", "infusions")
        if table in ready
    }
    subjects, infusions = frames.get("subjects"), frames.get("infusions")
    zero = day_zero(subjects, infusions)
    if subjects is not None and "randomised" in subjects.columns:
        subjects["randomised_day"] = randomised_days(subjects, zero)
    if infusions is not None:
        add_days(infusions, zero, "infusions", notes)
        infusions = frames["infusions"] = _infusions_once(infusions, aside)
    anchors = anchors_of(subjects, infusions)
    for table, sheet in ready.items():
        if table == "visits":
            timed = in_time(table, sheet, own[table], zero, notes)
            named = name_visits(table, timed, ordered, anchors, aside, tolerant=table in adam)
            frames[table] = _visits(named, own[table], notes, aside)
        elif table == "labs":
            timed = in_time(table, sheet, own[table], zero, notes)
            named = name_visits(table, timed, ordered, anchors, aside, keep_all=True)
            frames[table] = typed(table, named, own[table], notes)
        elif table not in frames:
            frames[table] = typed(table, sheet, own[table], notes)
            if table == "adverse_events":
                for event in ("start", "end"):
                    if event in frames[table].columns:
                        add_days(frames[table], zero, table, [], date=event, day=f"{event}_day")
    for table, frame in frames.items():
        for column in {*DATES.get(table, ())} & set(frame.columns):
            if frame[column].dtype == object:
                frame[column] = pd.to_datetime(frame[column])
    return Clinical(
        **frames,
        notes=tuple(dict.fromkeys(notes)),
        unmatched=pd.DataFrame(aside, columns=list(UNMATCHED_COLUMNS), dtype=object),
        day_zero=zero,
        windows=ordered,
        visit_names=names,
    )


def _named(
    sheets: Mapping[str, Sheet], columns: Mapping[str, str] | None, rules: Rules, own: Mapping[str, Rules]
) -> tuple[dict[str, Sheet], set[str]]:
    """The sheets under our names: what is declared for all, what for one, then ADaM's; and which were ADaM's."""
    ready = rename_declared(sheets, {**(columns or {}), **rules.columns}) if sheets else {}
    for table, sheet in ready.items():
        further = {left: right for left, right in own[table].columns.items() if left not in rules.columns}
        if further:
            ready[table] = rename_declared({table: sheet}, further)[table]
    adam = set()
    for table, sheet in ready.items():
        named, is_adam = rename_adam(table, sheet)
        if is_adam:
            adam.add(table)
            named = study_days_of_adam(named, ADAM_DAYS.get(table, ("day",)))
            named = units_of_adam(named) if table in ("visits", "labs") else named
        ready[table] = named
    return ready, adam


def _visits(sheet: Sheet, rules: Rules, notes: list[str], aside: Aside) -> pd.DataFrame:
    if is_long(sheet):
        sheet = spread(sheet, notes, aside)
    frame = typed("visits", sheet, rules, notes)
    units = {name: unit for name, unit in rules.units.items() if name in frame.columns}
    if missing := set(rules.units) - set(units):
        name = min(missing)
        raise LinkError(f"units: {sheet.name} has no column '{name}'; {suggest(name, frame.columns)}")
    convert_units(frame, sheet, units, notes)
    check_ranges(frame, sheet)
    return frame


def _infusions_once(infusions: pd.DataFrame, aside: Aside) -> pd.DataFrame:
    """Infusions without rows that say again what another says: they would count twice. One without a day is listed."""
    again = infusions.duplicated()
    aside += [
        ("infusions", str(subject), "", "", "duplicate: another row says the same of this infusion")
        for subject in infusions["subject_id"][again]
    ]
    kept = infusions[~again].reset_index(drop=True)
    aside += [
        ("infusions", str(subject), "", "", "has no study day, so it counts for no visit")
        for subject in kept["subject_id"][kept["day"].isna()]
    ]
    return kept
