"""Units as columns or the study declare them, brought to ours: CRP in mg/L, globals and pain in mm of 100."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from cytoreg.errors import LinkError, suggest
from cytoreg.tables.sheets import Sheet

__all__ = ["VISUAL_SCALES", "convert_units"]

VISUAL_SCALES = ("patient_global", "evaluator_global", "pain")
SCALE_UNITS = {"mm": 1.0, "0-100": 1.0, "cm": 10.0, "0-10": 10.0}  # what one is in mm of 100
CRP_UNITS = {"mg/l": 1.0, "ug/ml": 1.0, "µg/ml": 1.0, "mg/dl": 10.0}  # what one is in mg/L
CONVERTED: Mapping[
    str, tuple[str, str, Mapping[str, float]]
] = {  # column -> our unit, what to expect, the factors
    "crp": ("mg/L", "mg/L or mg/dL", CRP_UNITS),
    **dict.fromkeys(VISUAL_SCALES, ("mm", "mm or cm (0-100 or 0-10)", SCALE_UNITS)),
}
ENOUGH = 5  # values of a scale from which none above 10 is worth a note
TOO_MANY = 20  # values from which none above 10 is no chance: mm of 100 have to be declared


def convert_units(frame: pd.DataFrame, sheet: Sheet, declared: Mapping[str, str], notes: list[str]) -> None:
    """Brings a visits table's values to our units, in place; adds `NAME_unit` where `declared` says it.

    declared: column -> unit of the whole column (`units:`). Raises LinkError naming the row where a unit is not known,
    differs from the declared one or, in a column we do not convert, from the first.
    """
    for name in declared:
        if name not in frame.columns:
            raise LinkError(f"units: {sheet.name} has no column '{name}'; {suggest(name, frame.columns)}")
    named = [str(name).removesuffix("_unit") for name in frame.columns if str(name).endswith("_unit")]
    for name in dict.fromkeys([*named, *declared]):
        units = _units_of(frame, sheet, name, declared.get(name))
        if name not in CONVERTED:
            _one_unit(units, sheet, name)
            frame[f"{name}_unit"] = pd.array(units, dtype=object)
            continue
        ours, expected, factors = CONVERTED[name]
        by_line = []
        for line, unit in enumerate(units):
            if unit is not None and unit.casefold() not in factors:
                where = sheet.place(line, f"{name}_unit") if f"{name}_unit" in sheet.columns else f"units: {name}"
                raise LinkError(f"{where}: found '{unit}', expected {expected}")
            by_line.append(1.0 if unit is None else factors[unit.casefold()])
        if name in frame.columns and any(factor != 1 for factor in by_line):
            for column in (name, f"{name} base"):  # ADaM's BASE is in the unit of its value
                if column in frame.columns and pd.api.types.is_numeric_dtype(frame[column]):
                    frame[column] = frame[column] * by_line
            frame[f"{name}_unit"] = ours
            said = next(unit for unit, factor in zip(units, by_line, strict=True) if factor != 1)
            notes.append(f"{sheet.name}, column {name}: values in {said} were converted to {ours}")
    _doubtful_scales(frame, sheet, notes)


def _units_of(frame: pd.DataFrame, sheet: Sheet, name: str, declared: str | None) -> list[str | None]:
    column = f"{name}_unit"
    if column not in frame.columns:
        return [declared] * len(frame)
    own = [None if unit is None or unit != unit else str(unit).strip() for unit in frame[column].tolist()]
    if declared is not None:
        for line, unit in enumerate(own):
            if unit is not None and unit.casefold() != declared.casefold():
                raise LinkError(
                    f"{sheet.place(line, column)}: found '{unit}', but `units:` declares '{declared}' for the column"
                )
    return [declared if unit is None else unit for unit in own]


def _one_unit(units: list[str | None], sheet: Sheet, name: str) -> None:
    first = next((unit for unit in units if unit is not None), None)
    for line, unit in enumerate(units):
        if unit is not None and first is not None and unit.casefold() != first.casefold():
            raise LinkError(
                f"{sheet.place(line, f'{name}_unit')}: found '{unit}', expected '{first}' as above: "
                "one column holds one unit (crp and 100 mm scales are converted, others are not)"
            )


def _doubtful_scales(frame: pd.DataFrame, sheet: Sheet, notes: list[str]) -> None:
    for name in VISUAL_SCALES:
        if name in frame.columns and f"{name}_unit" not in frame.columns:
            known = frame[name].dropna()
            if len(known) >= ENOUGH and 0 < known.max() <= 10:
                if len(known) >= TOO_MANY:
                    raise LinkError(
                        f"{sheet.name}, column {name}: all {len(known)} values are at most 10, so that their unit is not clear;"
                        f" declare `units: {{{name}: cm}}` (0 to 10) or `units: {{{name}: mm}}` (0 to 100)"
                    )
                notes.append(
                    f"{sheet.name}, column {name}: all {len(known)} values are at most 10 and were read as mm of 100;"
                    f" if they are cm of 10, declare `units: {{{name}: cm}}`"
                )
