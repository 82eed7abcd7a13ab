"""The names of columns we know, and those of the ADaM standard (CDISC ADaM Implementation Guide 1.3) for them."""

from __future__ import annotations

from collections.abc import Mapping

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.scores import HAQ_CATEGORIES, HAQ_ITEMS
from cytoreg.errors import suggest
from cytoreg.tables.sheets import Sheet

__all__ = ["HAQ_AIDS", "HAQ_ANSWERS", "KNOWN", "NUMBERS", "TEXTS", "rename_adam", "rename_declared"]

NUMBERS: Mapping[str, frozenset[str]] = {
    "subjects": frozenset({"age", "disease_duration"}),
    "visits": frozenset({*COMPONENTS, "das28", "das28_esr", "das28_crp", "cdai", "sdai"}),
    "infusions": frozenset({"dose_cells"}),
    "adverse_events": frozenset({"start_day", "end_day"}),
    "labs": frozenset({"low", "high", "base"}),
    "time_to_event": frozenset({"value", "censored"}),
}
TEXTS = frozenset({"subject_id", "visit", "arm", "sex", "product", "test", "unit", "soc", "term", "baseline_flag"})
HAQ_ANSWERS = frozenset({f"haq_{item}" for item in HAQ_ITEMS} | {f"haq_{index}" for index in range(1, 21)})
HAQ_AIDS = frozenset(f"haq_aid_{category}" for category in HAQ_CATEGORIES)
KNOWN = frozenset().union(
    *NUMBERS.values(),
    TEXTS,
    HAQ_ANSWERS,
    HAQ_AIDS,
    {"date", "day", "randomised", "treatment_start", "start", "end", "severity", "serious", "related"},
    {"treatment_emergent", "value"},
)

# Ours -> theirs, the first that is there. Common to all: USUBJID is subject_id.
ADAM_SUBJECT = "USUBJID"
ADAM: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "subjects": {
        "arm": ("TRT01A", "ACTARM", "TRT01P", "ARM"),
        "randomised": ("RANDDT",),
        "treatment_start": ("TRTSDT", "TRTSDTM"),
        "age": ("AGE",),
        "sex": ("SEX",),
    },
    "visits": {
        "visit": ("AVISIT", "VISIT"),
        "date": ("ADT",),
        "day": ("ADY",),
        "test": ("PARAMCD",),
        "value": ("AVAL",),
        "unit": ("AVALU",),
        "base": ("BASE",),
        "baseline_flag": ("ABLFL",),
        "low": ("A1LO", "ANRLO"),
        "high": ("A1HI", "ANRHI"),
        "arm": ("TRTA", "TRTP"),
    },
    "infusions": {
        "date": ("ASTDT", "EXSTDTC"),
        "day": ("ASTDY", "EXSTDY"),
        "dose_cells": ("AVAL", "EXDOSE"),
        "product": ("TRTA", "EXTRT"),
    },
    "adverse_events": {
        "arm": ("TRTA", "TRTP", "TRT01A"),
        "soc": ("AESOC", "AEBODSYS"),
        "term": ("AEDECOD",),
        "start": ("ASTDT", "AESTDTC"),
        "end": ("AENDT", "AEENDTC"),
        "start_day": ("ASTDY", "AESTDY"),
        "end_day": ("AENDY", "AEENDY"),
        "severity": ("AESEV",),
        "serious": ("AESER",),
        "related": ("AREL", "AEREL"),
        "treatment_emergent": ("TRTEMFL",),
    },
    "time_to_event": {
        "arm": ("TRTA", "TRTP"),
        "test": ("PARAMCD",),
        "value": ("AVAL",),
        "censored": ("CNSR",),
        "start": ("STARTDT",),
        "date": ("ADT",),
    },
}
ADAM_TABLES = {**ADAM, "labs": ADAM["visits"]}


def rename_adam(table: str, sheet: Sheet) -> tuple[Sheet, bool]:
    """A sheet with a USUBJID and no subject_id under our names; and whether it was one. Upper and lower case are one.

    A name of ours that the sheet has already stays as it is.
    """
    there = {column.upper(): column for column in reversed(sheet.columns)}
    if ADAM_SUBJECT not in there or "subject_id" in sheet.columns:
        return sheet, False
    names = {there[ADAM_SUBJECT]: "subject_id"}
    for ours, theirs in ADAM_TABLES[table].items():
        found = next((there[name] for name in theirs if name in there), None)
        if found is not None and (ours not in sheet.columns or found == ours):
            names[found] = ours
    return sheet.renamed(names), True


def rename_declared(sheets: Mapping[str, Sheet], columns: Mapping[str, str]) -> dict[str, Sheet]:
    """Columns under the names that `columns` gives them, `{theirs: ours}` or `{ours: theirs}`.

    In a long table a value of its column `test` counts as a column, and gets the name too. Raises what the sheets raise where a name
    is in none.
    """
    renamed = dict(sheets)
    there = {name for sheet in sheets.values() for name in (*sheet.columns, *_tests(sheet))}
    for left, right in columns.items():
        # `{theirs: ours}`, unless only the left one is a name of ours, or only the right one is in a sheet
        ours_first = left in KNOWN if (left in KNOWN) != (right in KNOWN) else left not in there
        old, new = (right, left) if ours_first else (left, right)
        if old not in there:
            error = next(iter(sheets.values())).error
            raise error(f"columns: '{left}: {right}' names no column there is; {suggest(old, there)}")
        for table, sheet in renamed.items():
            if old in sheet.columns:
                renamed[table] = sheet.renamed({old: new})
            elif old in _tests(sheet):
                column = test_column(sheet)
                cells = [new if cell == old else cell for cell in sheet.cells[column]]
                renamed[table] = sheet.with_cells(**{column: cells})
    return renamed


def test_column(sheet: Sheet) -> str:
    """The column of a long table that says what its value is; empty where there is none."""
    return next((name for name in sheet.columns if name in ("test", "PARAMCD", "paramcd")), "")


def _tests(sheet: Sheet) -> set[str]:
    column = test_column(sheet)
    return {str(cell) for cell in sheet.cells[column] if cell is not None} if column else set()
