"""Puts right what a study declares, cell by cell, and says of everything else where it stands; nothing is lost silently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from cytoreg.clinical.tables.rules import Correction, Rules
from cytoreg.errors import LinkError, suggest
from cytoreg.tables.sheets import Sheet, as_text

__all__ = ["fold_visits", "one_spelling", "prepare", "refuse_two_in_one"]

NAMES = ("subject_id", "visit", "arm", "test")  # what rows are matched by: a blank here makes two of one
COMMA_NUMBER = re.compile(r"^([<>]=?|[≤≥])?\s*[-+]?\d+,\d+([eE][-+]?\d+)?$")
POINT_NUMBER = re.compile(r"^([<>]=?|[≤≥])?\s*[-+]?\d+\.\d+([eE][-+]?\d+)?$")
Aside = list[tuple[str, str, str, str, str]]  # side, subject_id, visit, sample_id, reason


def prepare(table: str, sheet: Sheet, rules: Rules, notes: list[str], aside: Aside) -> Sheet:
    """The sheet with declared missing words, corrections, blanks and decimal commas read; `aside` gets rows left out.

    Raises LinkError for a blank around a name that is not declared, and a correction that finds nothing.
    """
    sheet = _missing(sheet, rules.missing, notes)
    _blanks(sheet, rules, notes)
    for correction in rules.corrections(table):
        sheet = _correct(table, sheet, correction, notes, aside)
    return _commas(sheet, rules.decimal, notes) if rules.decimal else sheet


def _missing(sheet: Sheet, words: Sequence[str], notes: list[str]) -> Sheet:
    if not words:
        return sheet
    folded = {word.strip().casefold() for word in words}
    cells: dict[str, list[Any]] = {}
    for column, values in sheet.cells.items():
        hits = [isinstance(value, str) and value.casefold() in folded for value in values]
        if any(hits) and column not in NAMES:
            cells[column] = [None if hit else value for value, hit in zip(values, hits, strict=True)]
            first = sheet.place(hits.index(True), column)
            notes.append(
                f"{first}: {sum(hits)} values declared as missing ({', '.join(words)}) are missing values"
            )
    return sheet.with_cells(**cells)


def _blanks(sheet: Sheet, rules: Rules, notes: list[str]) -> None:
    for column in NAMES:
        lines = sheet.padded.get(column, ())
        if not lines or column not in sheet.columns:
            continue
        place, value = sheet.place(lines[0], column), sheet.cells[column][lines[0]]
        if not rules.repairs("blanks"):
            raise LinkError(
                f"{place}: found '{value}' with blanks around it ({len(lines)} such rows);"
                " put it right, or declare `repair: blanks`"
            )
        notes.append(f"{place}: blanks around {len(lines)} values were taken off, as declared")


def _correct(table: str, sheet: Sheet, correction: Correction, notes: list[str], aside: Aside) -> Sheet:
    for column in (*correction.where, *correction.put):
        if column not in sheet.columns:
            raise LinkError(f"repair: {sheet.name} has no column '{column}'; {suggest(column, sheet.columns)}")
    lines = [
        line
        for line, row in enumerate(sheet.rows)
        if correction.row in (None, row)
        and all(_same(sheet.cells[column][line], value) for column, value in correction.where.items())
    ]
    if not lines:
        meant = [f"row {correction.row}"] if correction.row is not None else []
        meant += [f"{column} '{value}'" for column, value in correction.where.items()]
        raise LinkError(f"repair: {sheet.name} has no row with {', '.join(meant)}: has the table changed?")
    rows = ", ".join(str(sheet.rows[line]) for line in lines[:5]) + (" ..." if len(lines) > 5 else "")
    if correction.leave_out:
        for line in lines:
            who = (
                as_text(sheet.cells[name][line]) if name in sheet.columns else ""
                for name in ("subject_id", "visit")
            )
            subject, visit = (text or "" for text in who)
            aside.append((table, subject, visit, "", f"left out as declared: {correction.leave_out}"))
        notes.append(f"{sheet.name}, row {rows}: left out as declared")
        gone = set(lines)
        return sheet.kept([line for line in range(len(sheet)) if line not in gone])
    cells = {column: list(sheet.cells[column]) for column in correction.put}
    for column, value in correction.put.items():
        for line in lines:
            cells[column][line] = value
    notes.append(f"{sheet.name}, row {rows}: {', '.join(correction.put)} put right as declared")
    return sheet.with_cells(**cells)


def _same(cell: Any, value: Any) -> bool:
    return as_text(cell) == as_text(value) or (
        isinstance(cell, int | float) and isinstance(value, int | float) and float(cell) == float(value)
    )


def _commas(sheet: Sheet, marks: Sequence[str], notes: list[str]) -> Sheet:
    """Text such as `40,5` with a point; where the comma alone is declared, a point in a number is an error."""
    cells: dict[str, list[Any]] = {}
    for column, values in sheet.cells.items():
        commas = [isinstance(value, str) and COMMA_NUMBER.match(value) is not None for value in values]
        if column in NAMES or not any(commas):
            continue
        if "," in marks:
            for line, value in enumerate(values):
                if "." not in marks and isinstance(value, str) and POINT_NUMBER.match(value):
                    raise LinkError(
                        f"{sheet.place(line, column)}: found '{value}' in a column with decimal commas;"
                        ' put it right, or declare `decimal: [",", "."]` if both are decimals'
                    )
            cells[column] = [
                value.replace(",", ".") if hit else value for value, hit in zip(values, commas, strict=True)
            ]
            first = sheet.place(commas.index(True), column)
            notes.append(f"{first}: {sum(commas)} values with a decimal comma were read as declared")
    return sheet.with_cells(**cells)


def fold_visits(
    sheets: dict[str, Sheet], declared: Sequence[str], repair: bool, notes: list[str]
) -> dict[str, str]:
    """Visit names that differ in case: folded name -> the one name they stand for where `repair` declares it.

    declared: the names of the windows, which stand before what the sheets say first. Raises LinkError naming the first
    row of a second spelling where it is not declared.
    """
    first: dict[str, tuple[str, str]] = {name.casefold(): (name, "the windows") for name in declared}
    seconds: dict[str, set[str]] = {}
    for sheet in sheets.values():
        for line, cell in enumerate(sheet.cells.get("visit", ())):
            name = as_text(cell)
            if name is None:
                continue
            kept, where = first.setdefault(name.casefold(), (name, f"row {sheet.rows[line]} of {sheet.name}"))
            if kept != name:
                if not repair:
                    raise LinkError(
                        f"{sheet.place(line, 'visit')}: found '{name}', which is '{kept}' in {where};"
                        " put it right, or declare `repair: visit_case`"
                    )
                seconds.setdefault(kept, set()).add(name)
    notes += [
        f"visits {', '.join(sorted(names))} were read as '{kept}', as declared (`repair: visit_case`)"
        for kept, names in seconds.items()
    ]
    return {folded: name for folded, (name, _) in first.items()} if repair else {}


def one_spelling(sheet: Sheet, names: dict[str, str]) -> Sheet:
    """The sheet with each visit under the one name that stands for its spellings."""
    if not names or "visit" not in sheet.columns:
        return sheet
    visits = [as_text(cell) for cell in sheet.cells["visit"]]
    return sheet.with_cells(visit=[None if name is None else names.get(name.casefold(), name) for name in visits])


def refuse_two_in_one(sheets: dict[str, Sheet]) -> None:
    """Raises LinkError for two patients with one id (rows of the subjects table that differ), one in two arms, and an
    arm in two spellings that differ in case, which would be two arms.
    """
    arms: dict[str, tuple[str, str]] = {}
    spelled: dict[str, tuple[str, str]] = {}
    for table in ("subjects", "visits"):
        if (sheet := sheets.get(table)) is None:
            continue
        ids = [as_text(cell) or "" for cell in sheet.cells["subject_id"]]
        for line, cell in enumerate(sheet.cells.get("arm", ())):
            arm = as_text(cell)
            if arm is None:
                continue
            place = f"row {sheet.rows[line]} of {sheet.name}"
            kept, where = spelled.setdefault(arm.casefold(), (arm, place))
            if kept != arm:
                raise LinkError(
                    f"{sheet.place(line, 'arm')}: found '{arm}', which is '{kept}' in {where}; put it right, or declare"
                    f" `repair: [{{table: {table}, where: {{arm: {arm}}}, set: {{arm: {kept}}}}}]`"
                )
            kept, where = arms.setdefault(ids[line], (arm, place))
            if kept != arm:
                raise LinkError(
                    f"{sheet.place(line, 'arm')}: patient '{ids[line]}' is in arm '{arm}' here and in '{kept}' in {where};"
                    f" put it right, or declare `repair: [{{table: {table}, row: {sheet.rows[line]}, set: {{arm: ...}}}}]`"
                )
    if (sheet := sheets.get("subjects")) is None:
        return
    first: dict[str, int] = {}
    for line, cell in enumerate(sheet.cells["subject_id"]):
        subject = as_text(cell) or ""
        before = first.setdefault(subject, line)
        for column, values in sheet.cells.items():
            one, other = values[before], values[line]
            if one is not None and other is not None and not _same(one, other):
                raise LinkError(
                    f"{sheet.place(line, column)}: two patients with one id? '{subject}' has '{other}' here and '{one}'"
                    f" in row {sheet.rows[before]}; put it right, or declare"
                    f" `repair: [{{table: subjects, row: {sheet.rows[line]}, set: {{subject_id: ...}}}}]`"
                )
