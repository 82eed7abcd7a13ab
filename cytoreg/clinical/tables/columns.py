"""The cells of a sheet with their types, checked one by one: ids, numbers, censored numbers, dates, yes and no."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.tables.dates import parse_date
from cytoreg.clinical.tables.names import HAQ_AIDS, HAQ_ANSWERS, NUMBERS, TEXTS
from cytoreg.clinical.tables.rules import Rules
from cytoreg.errors import LinkError, suggest
from cytoreg.tables.sheets import Sheet, as_number, as_text

__all__ = ["CENSORED", "DATES", "check_ranges", "require", "typed"]

CENSORED = " censored"  # behind a column's name: the column that holds `<`, `>` or an empty text
LIMIT = re.compile(r"^(<=|>=|<|>|≤|≥)\s*(.+)$")
SIGNS = {"<": "<", "<=": "<", "≤": "<", ">": ">", ">=": ">", "≥": ">"}
MEASURED = frozenset({"esr", "crp"})  # components a laboratory may give a limit of
DATES = {
    "visits": ("date",),
    "subjects": ("randomised", "treatment_start"),
    "infusions": ("date",),
    "adverse_events": ("start", "end"),
    "labs": ("date",),
    "time_to_event": ("start", "date"),
}
ANSWERS = {"true": True, "yes": True, "false": False, "no": False}  # of a response in a column we do not know
TRUTHS = {"true": 1.0, "yes": 1.0, "y": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "n": 0.0, "0": 0.0}


def require(table: str, sheet: Sheet) -> None:
    """Raises LinkError where a column that the table cannot do without is missing, or a row has no subject."""
    if "subject_id" not in sheet.columns:
        raise LinkError(f"{sheet.name}: has no column 'subject_id'; {suggest('subject_id', sheet.columns)}")
    if table == "infusions" and not {"date", "day"} & set(sheet.columns):
        raise LinkError(f"{sheet.name}: has neither a column 'date' nor 'day'; {suggest('date', sheet.columns)}")
    for line, cell in enumerate(sheet.cells["subject_id"]):
        if as_text(cell) is None:
            raise LinkError(f"{sheet.place(line, 'subject_id')}: found nothing, expected a subject")


def typed(table: str, sheet: Sheet, rules: Rules, notes: list[str]) -> pd.DataFrame:
    """A sheet as a DataFrame. Raises LinkError with file, row and column for a cell that is not what its column holds."""
    data: dict[str, Any] = {}
    for column, cells in sheet.cells.items():
        if column == "randomised" and table == "subjects":
            data[column] = _dates_or_days(sheet, column, rules)
        elif column in DATES.get(table, ()):
            data[column] = _dates(sheet, column, rules, partial=table == "adverse_events", notes=notes)
        elif column == "day":
            data[column] = _numbers(sheet, column)
        elif table == "visits" and column in MEASURED:
            data.update(_limits(sheet, column))
        elif table == "infusions" and column == "dose_cells":
            data[column] = _doses(sheet, column)
        elif column in NUMBERS.get(table, ()) or (table == "visits" and column in HAQ_ANSWERS):
            data[column] = _numbers(sheet, column)
        elif table == "visits" and column in HAQ_AIDS:
            data[column] = _truths(sheet, column)
        elif table == "labs" and column == "value":
            data.update(_results(sheet, column))
        elif column in TEXTS or column.endswith("_unit"):
            data[column] = pd.array([as_text(cell) for cell in cells], dtype=object)
        else:
            data.update(_as_they_are(table, sheet, column, notes))
    return pd.DataFrame(data, index=range(len(sheet)))


def check_ranges(frame: pd.DataFrame, sheet: Sheet) -> None:
    """Raises LinkError naming the row of a component outside its range; values are in our units already."""
    for name, component in COMPONENTS.items():
        if name in frame.columns:
            for line, value in enumerate(frame[name].tolist()):
                if (wrong := component.problem(value)) is not None:
                    said = sheet.cells[name][line]
                    as_said = "" if _shown(said) == f"{value:g}" else f" (the sheet says {said})"
                    raise LinkError(f"{sheet.place(line, name)}: {wrong}{as_said}")
    for name in HAQ_ANSWERS & set(frame.columns):
        for line, value in enumerate(frame[name].tolist()):
            if not math.isnan(value) and value not in (0, 1, 2, 3):
                raise LinkError(f"{sheet.place(line, name)}: found {value:g}, expected 0, 1, 2 or 3")


def _shown(cell: Any) -> str:
    try:
        return f"{float(cell):g}"
    except (TypeError, ValueError):
        return ""


def _number(sheet: Sheet, column: str, line: int) -> float:
    cell = sheet.cells[column][line]
    try:
        return as_number(cell, sheet.place(line, column), decimal_comma=sheet.decimal_comma)
    except LinkError as problem:
        raise LinkError(f"{problem}{_hint(cell)}") from None


def _hint(cell: Any) -> str:
    text = str(cell)
    if re.match(r"^[-+]?\d+,\d+$", text):
        return '; if it is a decimal comma, declare `decimal: ","`'
    return (
        f"; if it stands for a missing value, declare `missing: ['{text}']`" if not re.search(r"\d", text) else ""
    )


def _numbers(sheet: Sheet, column: str) -> list[float]:
    return [_number(sheet, column, line) for line in range(len(sheet))]


def _doses(sheet: Sheet, column: str) -> list[float]:
    doses = _numbers(sheet, column)
    for line, dose in enumerate(doses):
        if dose < 0:
            raise LinkError(f"{sheet.place(line, column)}: found {dose:g}, expected a number of cells, 0 or more")
    return doses


def _limit(cell: Any, sheet: Sheet) -> tuple[float, str] | None:
    """`<2.5` as (2.5, "<"); None for what is no such value."""
    if not isinstance(cell, str) or (match := LIMIT.match(cell)) is None:
        return None
    try:
        return as_number(match[2], "", decimal_comma=sheet.decimal_comma), SIGNS[match[1]]
    except LinkError:
        return None


def _limits(sheet: Sheet, column: str) -> dict[str, Any]:
    """A column of numbers of which some may be limits, with the column of their signs where some are."""
    values, signs = [], []
    for line, cell in enumerate(sheet.cells[column]):
        found = _limit(cell, sheet)
        value, sign = found if found is not None else (_number(sheet, column, line), "")
        values.append(value)
        signs.append(sign)
    return _with_signs(column, values, signs)


def _with_signs(column: str, values: list[float], signs: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {column: values}
    if any(signs):
        data[f"{column}{CENSORED}"] = pd.array(signs, dtype=object)
    return data


def _as_they_are(table: str, sheet: Sheet, column: str, notes: list[str]) -> dict[str, Any]:
    """Numbers, of which a visit's may be limits, where every cell is one; of a visit yes and no, where every cell says one;
    else text, with a note where most were numbers.
    """
    values: list[float] = []
    signs: list[str] = []
    odd: list[int] = []
    for line, cell in enumerate(sheet.cells[column]):
        if table == "visits" and (found := _limit(cell, sheet)) is not None:
            values.append(found[0])
            signs.append(found[1])
            continue
        try:
            values.append(as_number(cell, "", decimal_comma=sheet.decimal_comma))
        except LinkError:
            odd.append(line)
        signs.append("")
    present = [line for line, cell in enumerate(sheet.cells[column]) if cell is not None]
    if table == "visits" and present and len(odd) == len(present):
        said = [None if cell is None else str(as_text(cell)).casefold() for cell in sheet.cells[column]]
        if set(said) - {None} <= set(ANSWERS):
            return {column: pd.array([None if word is None else ANSWERS[word] for word in said], dtype="boolean")}
    if not odd and not _groups(values, signs, len(present)):
        return _with_signs(column, values, signs)
    if odd and len(odd) < len(present) / 2:
        cell = sheet.cells[column][odd[0]]
        notes.append(
            f"{sheet.place(odd[0], column)}: {len(odd)} of {len(present)} values are not numbers (the first is '{cell}'),"
            f" so the column is kept as text{_hint(cell)}"
        )
    return {column: pd.array([as_text(cell) for cell in sheet.cells[column]], dtype=object)}


def _groups(values: Sequence[float], signs: Sequence[str], present: int) -> bool:
    """Whether a column of limits alone names groups (`<65` and `>=65`), and no values below one limit."""
    kinds = {(value, sign) for value, sign in zip(values, signs, strict=True) if sign}
    return present > 0 and sum(map(bool, signs)) == present and len(kinds) > 1


def _results(sheet: Sheet, column: str) -> dict[str, Any]:
    """Results of different tests: numbers, limits with their sign, and `value_text` with every other answer."""
    values, signs, texts = [], [], []
    for cell in sheet.cells[column]:
        found, text = _limit(cell, sheet), None
        try:
            value = found[0] if found else as_number(cell, "", decimal_comma=sheet.decimal_comma)
        except LinkError:
            value, text = math.nan, as_text(cell)
        values.append(value)
        signs.append(found[1] if found else "")
        texts.append(text)
    data = _with_signs(column, values, signs)
    if any(text is not None for text in texts):
        data["value_text"] = pd.array(texts, dtype=object)
    return data


def _truths(sheet: Sheet, column: str) -> list[float]:
    values = []
    for line, cell in enumerate(sheet.cells[column]):
        word = str(as_text(cell)).casefold()
        if cell is not None and word not in TRUTHS:
            raise LinkError(f"{sheet.place(line, column)}: found '{cell}', expected yes or no")
        values.append(TRUTHS.get(word, math.nan))
    return values


def _dates(sheet: Sheet, column: str, rules: Rules, *, partial: bool, notes: list[str]) -> Any:
    cells = sheet.cells[column]
    dates = [parse_date(c, sheet.place(i, column), rules.dates, partial=partial) for i, c in enumerate(cells)]
    lost = [
        line
        for line, (date, cell) in enumerate(zip(dates, cells, strict=True))
        if date is None and cell is not None
    ]
    if lost:
        notes.append(
            f"{sheet.place(lost[0], column)}: {len(lost)} dates without a day or month (the first is '{cells[lost[0]]}')"
            " give no study day"
        )
    return pd.array(dates, dtype=object)


def _dates_or_days(sheet: Sheet, column: str, rules: Rules) -> Any:
    cells = sheet.cells[column]
    if not any(form.casefold() == "excel" for form in rules.dates):
        try:
            return [as_number(cell, "") for cell in cells]
        except (LinkError, TypeError):
            pass
    return pd.array(
        [parse_date(c, sheet.place(i, column), rules.dates) for i, c in enumerate(cells)], dtype=object
    )
