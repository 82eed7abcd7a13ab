"""A haematology analyser's count of a tube's visit: from its row of the sheet, the visits table, or the labs table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cytoreg.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

    from cytoreg.batch.sheet import Tube

__all__ = ["cells_per_ul_of", "unit_factor"]

# What a unit is in cells per microlitre, by its letters and digits.
UNITS = {
    **dict.fromkeys(("109/l", "10e9/l", "1e9/l", "x109/l", "g/l", "giga/l", "gpt/l"), 1000.0),
    **dict.fromkeys(("103/ul", "10e3/ul", "1e3/ul", "x103/ul", "k/ul", "103/mm3", "k/mm3", "103/mcl"), 1000.0),
    **dict.fromkeys(("cells/ul", "/ul", "1/ul", "cells/mm3", "/mm3", "1/mm3", "cells/mcl", "/mcl"), 1.0),
}
PLAUSIBLE = (
    10.0,
    500_000.0,
)  # cells per microlitre: from deep lymphopenia to leukaemia; beyond it the unit is wrong
Found = tuple[float, str, str]  # cells per microlitre, flag, reason


def unit_factor(unit: str, place: str) -> float:
    """What one of a unit is in cells per microlitre. Raises StudyError, beginning with `place`, for any other unit.

    >>> unit_factor("10^9/L", ""), unit_factor("cells/µL", "")
    (1000.0, 1.0)
    """
    said = unit.strip().casefold().replace("⁹", "9").replace("³", "3").replace("×", "x")
    for mark in "^*· \u00a0":
        said = said.replace(mark, "")
    said = said.replace("µ", "u").replace("μ", "u").removesuffix("cells") if said != "cells/ul" else said
    if said not in UNITS:
        raise StudyError(f"{place}: found the unit {unit!r}, expected 10^9/L or cells/uL")
    return UNITS[said]


def cells_per_ul_of(tube: Tube, clinical: Any, column: str, test: str, unit: str) -> Found:
    """The analyser's count of a tube's visit in cells per microlitre, or the flag and the reason why there is none.

    column: of the samples sheet, or else of the visits table. test: of the labs table, whose own column `unit`
    stands before `unit`. Raises StudyError where there is no such column or test, or a unit is not known.
    """
    if column and column in tube.extra:
        given = tube.extra[column]
        cells = [(given, unit)] if given else []
        place = "the samples sheet"
    else:
        cells, place = _in_clinic(tube, clinical, column, test, unit)
    values = {_number(value) * unit_factor(own, f"{place}, unit of '{test or column}'") for value, own in cells}
    if any(math.isnan(value) for value in values):
        shown = next(value for value, _ in cells if math.isnan(_number(value)))
        return (
            math.nan,
            "no_count",
            f"{place}: {test or column} of this visit is {str(shown)!r}, which is no number",
        )
    if len(values) != 1:
        found = f"stands {len(values)} times with different values" if values else "has no value"
        return math.nan, "no_count", f"{place}: {test or column} of this visit {found}"
    value = values.pop()
    if not PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
        low, high = PLAUSIBLE
        reason = f"{place}: {test or column} of this visit is {value:g} cells/uL, expected {low:g} to {high:,.0f}: is the unit right?"
        return math.nan, "implausible_count", reason
    return value, "", ""


def _in_clinic(tube: Tube, clinical: Any, column: str, test: str, unit: str) -> tuple[list[tuple[Any, str]], str]:
    """The values of the tube's subject and visit, each with its unit, and the table they stand in."""
    table: pd.DataFrame | None = getattr(clinical, "labs" if test else "visits", None)
    place = "the labs table" if test else "the visits table"
    wanted = "value" if test else column
    need = ("visit", "test", "value") if test else ("visit", column)
    if table is None:
        raise StudyError(
            f"absolute: '{test or column}' stands in no column of the samples sheet, and there is no {place[4:]}"
        )
    for name in need:
        if name not in table.columns:
            raise StudyError(f"absolute: {place} has no column '{name}', in which '{test or column}' would stand")
    if test:
        named = table["test"].map(lambda value: str(value).strip().casefold()) == test.casefold()
        if not named.any():
            raise StudyError(f"absolute: {place} has no test '{test}'")
        table = table[named]
    own = table[(table["subject_id"].map(str) == tube.subject_id) & (table["visit"].map(_text) == tube.visit)]
    cells = []
    for row in own.to_dict("records"):
        value = row[wanted]
        if isinstance(sign := row.get(f"{wanted} censored"), str) and sign:
            value = f"{sign}{value:g}"  # a limit is no count
        elif test and isinstance(said_instead := row.get("value_text"), str):
            value = said_instead
        if value is None or value != value:
            continue
        said = row.get("unit") if test else row.get(f"{column}_unit")
        stated = str(said).strip() if said is not None and said == said else ""
        if not (stated or unit):
            raise StudyError(
                f"absolute: {place} does not say the unit of '{test or column}': expected `unit: 10^9/L` or `unit: cells/uL`"
            )
        cells.append((value, stated or unit))
    return cells, place


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
