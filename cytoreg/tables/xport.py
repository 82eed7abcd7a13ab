"""Reads a SAS transport file (version 5, one dataset): the format in which trials hand in their ADaM tables.

After the record layout that SAS publishes (technical paper TS-140). Numbers are IBM floating point; pandas.read_sas gives
5.4e-79 for their zero and may lose the last row of a narrow table, hence our own.
"""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cytoreg.errors import CytoregError

__all__ = ["read_xport"]

CARD = 80
NAMESTR = struct.Struct(">hhhh8s40s8shhh2s8shhl52s")
EPOCH = dt.date(1960, 1, 1)
DATES = frozenset({"DATE", "DDMMYY", "MMDDYY", "YYMMDD", "YYMMDDN", "DDMMYYN", "MMDDYYN", "E8601DA", "IS8601DA"})
DATETIMES = frozenset({"DATETIME", "E8601DT", "IS8601DT", "DATEAMPM", "MDYAMPM"})
MISSING = frozenset(
    {0x2E, 0x5F, *range(0x41, 0x5B)}
)  # `.`, `._` and `.A` to `.Z`, the other seven bytes being zero
LIBRARY = b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!"
MEMBER = b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!"
NAMES = b"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!"
ROWS = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!"


@dataclass(frozen=True)
class _Variable:
    name: str
    numeric: bool
    start: int
    length: int
    format: str


def read_xport(path: Path, error: type[CytoregError]) -> dict[str, list[Any]]:
    """Columns of the one dataset: text without trailing blanks, floats, dates by their format; missing ones None.

    Raises `error` where it is no version 5 transport file, is cut short, or holds several datasets.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    if not content.startswith(LIBRARY):
        raise error(
            f"{path.name}: found no SAS transport header of version 5, expected a file of PROC COPY with XPORT"
        )
    members = [at for at in range(0, len(content), CARD) if content.startswith(MEMBER, at)]
    if len(members) != 1:
        raise error(f"{path.name}: found {len(members)} datasets, expected one a file")
    size = _whole(content[members[0] + 74 : members[0] + 78]) or NAMESTR.size
    at = content.find(NAMES, members[0])
    number = _whole(content[at + 54 : at + 58]) if at > 0 else 0
    start = at + CARD
    ends = start + size * number
    body = ends + -ends % CARD
    if not number or size < NAMESTR.size or not content.startswith(ROWS, body):
        raise error(f"{path.name}: the description of its columns is damaged or cut short")
    variables = [_variable(content[start + size * i :][: NAMESTR.size]) for i in range(number)]
    width = max(variable.start + variable.length for variable in variables)
    data = content[body + CARD :]
    rows = _row_count(data, width)
    if rows is None:
        raise error(f"{path.name}: the last row is cut short")
    table = np.frombuffer(data, np.uint8, count=rows * width).reshape(rows, width)
    return {variable.name: _column(table, variable) for variable in variables}


def _whole(digits: bytes) -> int:
    return int(digits) if digits.strip().isdigit() else 0


def _variable(record: bytes) -> _Variable:
    kind, _, length, _, name, _, form, *_, position, _ = NAMESTR.unpack(record)
    return _Variable(_text(name), kind == 1, position, length, _text(form).upper())


def _row_count(data: bytes, width: int) -> int | None:
    """Rows before the blanks that fill the last card; None where a row is cut short.

    A row of a number is never blank, as a missing number is a full stop, so that only a table of text alone could end
    in a row that looks like filling.
    """
    rows, rest = divmod(len(data), width)
    if data[rows * width :].strip(b" "):
        return None
    filling = rest
    while rows and filling + width < CARD and not data[(rows - 1) * width : rows * width].strip(b" "):
        rows, filling = rows - 1, filling + width
    return rows


def _column(table: np.ndarray, variable: _Variable) -> list[Any]:
    cells = np.ascontiguousarray(table[:, variable.start : variable.start + variable.length])
    if not variable.numeric:
        return (
            [_text(cell) or None for cell in cells.view(f"S{variable.length}")[:, 0].tolist()]
            if len(cells)
            else []
        )
    values: list[Any] = [None if value != value else value for value in ibm_floats(cells).tolist()]
    if variable.format in DATES:
        return [None if value is None else EPOCH + dt.timedelta(days=value) for value in values]
    if variable.format in DATETIMES:
        midnight = dt.datetime.combine(EPOCH, dt.time())
        return [None if value is None else midnight + dt.timedelta(seconds=value) for value in values]
    return values


def ibm_floats(cells: np.ndarray) -> np.ndarray:
    """IBM hexadecimal floats as float64, missing ones NaN. cells: uint8, shape (n, 2 to 8), the first byte first.

    A number is ``(-1)^sign * mantissa / 2^56 * 16^(exponent - 64)``: 1 bit, 7 bits and, below them, 56 bits.
    """
    whole = np.zeros((len(cells), 8), np.uint8)
    whole[:, : cells.shape[1]] = cells
    bits = whole.view(">u8")[:, 0].astype(np.uint64)
    mantissa = bits & np.uint64((1 << 56) - 1)
    exponent = ((bits >> np.uint64(56)) & np.uint64(0x7F)).astype(np.int64) - 64
    values = np.ldexp(mantissa.astype(np.float64), (4 * exponent - 56).astype(np.int32))
    values = np.where(bits >> np.uint64(63), -values, values)
    missing = (mantissa == 0) & np.isin(whole[:, 0], list(MISSING))
    return np.where(missing, np.nan, values)


def _text(content: bytes) -> str:
    stripped = content.rstrip(b" \x00")
    try:
        return stripped.decode("utf-8")
    except UnicodeDecodeError:
        return stripped.decode("cp1252", errors="replace")
