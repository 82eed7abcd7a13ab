"""The columns of safety tables under our names or ADaM's (CDISC ADaMIG 1.3, OCCDS 1.1), with their cells read.

Our day 0 is the first infusion; ADaM has no day 0 and calls that day 1, so days of ADaM columns move by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import LinkError, suggest

__all__ = [
    *("EVENTS", "LABS", "SEVERITIES", "SUBJECTS", "TIMES"),
    *("check_severities", "number", "numbers", "our_columns", "text", "truths"),
]

Names = Mapping[str, tuple[str, ...]]

SUBJECTS: Names = {
    "subject_id": ("USUBJID", "SUBJID"),
    "arm": ("TRT01A", "ACTARM", "TRTA", "TRT01P", "ARM"),
    "safety": ("SAFFL", "safety_population"),
    "exposure_days": ("TRTDURD", "TRTDUR"),
    "first_dose": ("TRTSDT",),
    "last_dose": ("TRTEDT",),
}
EVENTS: Names = {
    "subject_id": ("USUBJID", "SUBJID"),
    "soc": ("AEBODSYS", "AESOC"),
    "term": ("AEDECOD", "AETERM"),
    "severity": ("AESEV", "ASEV", "AETOXGR"),
    "serious": ("AESER",),
    "related": ("AEREL", "AREL"),
    "treatment_emergent": ("TRTEMFL",),
    "start_day": ("ASTDY", "AESTDY"),
    "safety": ("SAFFL",),
}
LABS: Names = {
    "subject_id": ("USUBJID", "SUBJID"),
    "test": ("PARAMCD", "LBTESTCD", "PARAM"),
    "visit": ("AVISIT", "VISIT"),
    "visit_number": ("AVISITN", "VISITNUM"),
    "day": ("ADY", "LBDY"),
    "value": ("AVAL", "LBSTRESN"),
    "unit": ("AVALU", "LBSTRESU"),
    "low": ("A1LO", "ANRLO", "LBSTNRLO"),
    "high": ("A1HI", "ANRHI", "LBSTNRHI"),
    "is_baseline": ("baseline_flag", "ABLFL", "LBBLFL"),
    "kind": ("PARAMTYP",),
    "specimen": ("LBSPEC",),
    "safety": ("SAFFL",),
}
TIMES: Names = {
    "subject_id": ("USUBJID", "SUBJID"),
    "test": ("PARAMCD", "PARAM"),
    "value": ("AVAL",),
    "censored": ("CNSR",),
}
SEVERITIES = {
    "MILD": 1,
    "MODERATE": 2,
    "SEVERE": 3,
    "LIFE THREATENING": 4,
    "LIFE-THREATENING": 4,
    "FATAL": 5,
    "DEATH": 5,
    **{str(grade): grade for grade in range(1, 6)},
    **{f"GRADE {grade}": grade for grade in range(1, 6)},
}
ADAM_DAYS = frozenset({"ASTDY", "AESTDY", "ADY", "LBDY"})
YES = frozenset({"y", "yes", "true", "1", "1.0"})
NO = frozenset({"", "n", "no", "false", "0", "0.0"})
SAS_ZERO = 1e-70  # pandas.read_sas gives 5.4e-79 for the zero of a transport file


def our_columns(frame: pd.DataFrame, names: Names, what: str, needed: Sequence[str]) -> pd.DataFrame:
    """The columns under our names, ids and texts stripped; ADaM's are taken where ours are not there.

    Raises LinkError where a needed column is in neither spelling.
    """
    there = {str(column).casefold(): column for column in frame.columns}
    found: dict[str, Any] = {}
    for ours, others in names.items():
        # ours as it is written, for ADaM's VISIT is not our visit where AVISIT stands beside it
        spelled = ours if ours in frame.columns else next((n for n in others if n.casefold() in there), None)
        if spelled is None:
            continue
        cells = frame[ours] if spelled == ours else frame[there[spelled.casefold()]]
        if ours in {"start_day", "day"}:
            days = numbers(cells, f"{what}, column {spelled}")
            found[ours] = np.where(days > 0, days - 1, days) if spelled in ADAM_DAYS else days
        elif ours in {"exposure_days", "first_dose", "last_dose", "visit_number", "low", "high", "censored"}:
            found[ours] = cells if ours.endswith("_dose") else numbers(cells, f"{what}, column {spelled}")
        elif ours == "value":  # of a laboratory table as it is written, for `<2.5` is a value
            found[ours] = numbers(cells, f"{what}, column {spelled}") if "censored" in names else cells.tolist()
        else:
            found[ours] = pd.array([text(cell) for cell in cells.tolist()], dtype="str")
    for ours in needed:
        if ours not in found:
            expected = " or ".join((ours, *names[ours][:2]))
            raise LinkError(f"{what}: has no column {expected}; {suggest(ours, [str(c) for c in frame.columns])}")
    return pd.DataFrame(found, index=pd.RangeIndex(len(frame)))


def text(cell: Any) -> str:
    """A cell as stripped text; missing ones are empty, whole numbers without their decimal point."""
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bytes):
        return cell.decode("latin-1").strip()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def number(cell: Any) -> tuple[float, str]:
    """A laboratory value and whether it is censored: `<2.5` is (2.5, "<"). What is no number is NaN."""
    word = text(cell)
    sign = word[0] if word[:1] in {"<", ">"} else ""
    try:
        value = float(word.lstrip("<>=≤≥ ")) if word else math.nan
    except ValueError:
        return math.nan, ""
    return (0.0 if abs(value) < SAS_ZERO else value), sign


def numbers(cells: Any, place: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column as float64, missing cells NaN. Raises LinkError naming the first cell that is no number."""
    if pd.api.types.is_numeric_dtype(cells):
        values = cells.to_numpy(dtype=float, na_value=math.nan)
        return np.where(np.abs(values) < SAS_ZERO, 0.0, values)
    listed = cells.tolist()
    read = [number(cell)[0] for cell in listed]
    for row, (cell, value) in enumerate(zip(listed, read, strict=True)):
        if math.isnan(value) and text(cell):
            raise LinkError(f"{place}, row {row + 2}: found '{text(cell)}', expected a number")
    return np.array(read, dtype=float)


def truths(words: pd.Series, place: str) -> pd.Series:
    """Y or N as booleans; empty is no. words: indexed by row, from 0. Raises LinkError naming the row of any other word."""
    lower = words.str.casefold()
    odd = ~lower.isin(YES | NO)
    if odd.any():
        row = int(words.index[odd.to_numpy()][0])
        raise LinkError(f"{place}, row {row + 2}: found '{words[row]}', expected Y or N")
    return lower.isin(YES)


def check_severities(words: pd.Series, place: str) -> None:
    """Raises LinkError naming the row of a word that is no severity; empty is not known. words: indexed by row, from 0."""
    odd = ~words.str.upper().isin([*SEVERITIES, ""])
    if odd.any():
        row = int(words.index[odd.to_numpy()][0])
        raise LinkError(
            f"{place}, row {row + 2}: found '{words[row]}', expected mild, moderate, severe, life-threatening, "
            "fatal or a grade from 1 to 5"
        )
