"""A long table (a row a test of a visit, as ADaM's basic data structure) spread out to a row a visit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cytoreg.clinical.tables.names import KNOWN
from cytoreg.clinical.tables.repairs import Aside
from cytoreg.errors import LinkError
from cytoreg.tables.sheets import Sheet, as_text

__all__ = ["is_long", "spread", "study_days_of_adam", "units_of_adam"]

OF_A_TEST = ("test", "value", "unit", "base", "baseline_flag", "low", "high")
UNIT_OF_A_NAME = re.compile(r"\(([^()\s]+)\)\s*$")  # `Alanine Aminotransferase (U/L)`
Key = tuple[str, str]


def is_long(sheet: Sheet) -> bool:
    return {"test", "value"} <= set(sheet.columns)


def study_days_of_adam(sheet: Sheet, columns: Sequence[str]) -> Sheet:
    """ADaM's relative days as ours: its day 1 is the day of the first dose, our day 0, and it has no day 0."""
    cells: dict[str, list[Any]] = {}
    for column in columns:
        if column not in sheet.columns:
            continue
        days = []
        for line, cell in enumerate(sheet.cells[column]):
            if cell is not None and not isinstance(cell, int | float):
                try:
                    cell = float(cell)
                except ValueError:
                    raise LinkError(f"{sheet.place(line, column)}: found '{cell}', expected a study day") from None
            if cell == 0:
                raise LinkError(f"{sheet.place(line, column)}: found day 0, but ADaM counts from -1 to 1")
            days.append(None if cell is None else cell - 1 if cell > 0 else cell)
        cells[column] = days
    return sheet.with_cells(**cells)


def units_of_adam(sheet: Sheet) -> Sheet:
    """The unit that ADaM's PARAM holds in brackets, where the table has no column of units."""
    if "unit" in sheet.columns or "PARAM" not in sheet.columns:
        return sheet
    found = [UNIT_OF_A_NAME.search(str(cell)) if cell is not None else None for cell in sheet.cells["PARAM"]]
    return sheet.with_cells(unit=[match[1] if match else None for match in found])


def spread(sheet: Sheet, notes: list[str], aside: Aside) -> Sheet:
    """One row a subject's visit, one column a test: `NAME`, `NAME_unit`, `NAME base`. Every cell keeps the row it stands in.

    sheet: with subject_id, visit, day, test and value. Of two rows of one test and visit that flagged as baseline or
    for analysis (ABLFL, ANL01FL) stands before the first, and the other goes to `aside`. A further column stays where it is one
    value a visit. Raises LinkError for a row without a test, and a test with the name of a column.
    """
    taken = _best(sheet, aside)
    keys = list(dict.fromkeys((subject, visit) for subject, visit, _ in taken))
    tests = list(dict.fromkeys(test for *_, test in taken))
    lines = _lines_of(taken)
    cells: dict[str, list[Any]] = {
        "subject_id": [subject for subject, _ in keys],
        "visit": [visit for _, visit in keys],
    }
    chosen = [_day_of(sheet, lines[key]) for key in keys]
    for column in ("day", "date"):
        if column in sheet.columns:
            cells[column] = [sheet.cells[column][line] for line in chosen]
    dropped = []
    for column in sheet.columns:
        if column in cells or column in OF_A_TEST:
            continue
        values = [_one_value(sheet.cells[column], lines[key]) for key in keys]
        if any(value is Ellipsis for value in values):
            dropped.append(column)
        else:
            cells[column] = values
    if dropped:
        notes.append(
            f"{sheet.name}: columns that differ between the tests of a visit are left out: {', '.join(dropped)}"
        )
    origin: dict[str, list[int]] = {}
    for test in tests:
        name = _column_of(test)
        for behind, column in (("", "value"), ("_unit", "unit"), (" base", "base")):
            if column not in sheet.columns:
                continue
            at = [taken.get((*key, test)) for key in keys]
            values = [None if line is None else sheet.cells[column][line] for line in at]
            if behind and all(value is None for value in values):
                continue
            if (title := f"{name}{behind}") in cells:
                raise LinkError(
                    f"{sheet.name}: a test '{test}' has the name of a column; rename it under `columns:`"
                )
            cells[title] = values
            origin[title] = [
                sheet.rows[lines[key][0] if line is None else line] for key, line in zip(keys, at, strict=True)
            ]
    return Sheet(
        name=sheet.name,
        cells=cells,
        rows=[sheet.rows[lines[key][0]] for key in keys],
        decimal_comma=sheet.decimal_comma,
        error=sheet.error,
        origin=origin,
    )


def _best(sheet: Sheet, aside: Aside) -> dict[tuple[str, str, str], int]:
    """(subject, visit, test) -> the line that stands; the others as lines of `aside`."""
    flags = [sheet.cells[name] for name in ("baseline_flag", "ANL01FL") if name in sheet.columns]
    best: dict[tuple[str, str, str], tuple[bool, int, int]] = {}
    keys = []
    for line, test in enumerate(sheet.cells["test"]):
        if as_text(test) is None:
            raise LinkError(f"{sheet.place(line, 'test')}: found nothing, expected the name of a test")
        cells = (sheet.cells[name][line] for name in ("subject_id", "visit", "test"))
        subject, visit, name = (as_text(cell) or "" for cell in cells)
        flagged = sum(flag[line] == "Y" for flag in flags)
        rank = (sheet.cells["value"][line] is None, -flagged, line)
        keys.append((subject, visit, name))
        best[subject, visit, name] = min(rank, best.get((subject, visit, name), rank))
    taken = {key: rank[2] for key, rank in best.items()}
    for line, (subject, visit, test) in enumerate(keys):
        if taken[subject, visit, test] != line:
            row = sheet.rows[taken[subject, visit, test]]
            aside.append(
                ("visits", subject, visit, "", f"duplicate: '{test}' of this visit stands in row {row} too")
            )
    return dict(sorted(taken.items(), key=lambda item: item[1]))


def _lines_of(taken: Mapping[tuple[str, str, str], int]) -> dict[Key, list[int]]:
    lines: dict[Key, list[int]] = {}
    for (subject, visit, _), line in taken.items():
        lines.setdefault((subject, visit), []).append(line)
    return lines


def _day_of(sheet: Sheet, lines: Sequence[int]) -> int:
    """The line whose day is that of most tests of the visit, the earlier on a tie."""
    days = Counter(sheet.cells["day"][line] for line in lines if sheet.cells["day"][line] is not None)
    if not days:
        return lines[0]
    most = min(days, key=lambda day: (-days[day], day))
    return next(line for line in lines if sheet.cells["day"][line] == most)


def _one_value(values: Sequence[Any], lines: Sequence[int]) -> Any:
    """The one value of a column in these lines; Ellipsis where there are two."""
    known = {values[line] for line in lines} - {None}
    return Ellipsis if len(known) > 1 else next(iter(known), None)


def _column_of(test: str) -> str:
    """A test under our name where it is one but for case (CRP, ESR), else as it is called."""
    return test.casefold() if test.casefold() in KNOWN else test
