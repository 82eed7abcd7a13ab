"""Matrices of spillover: what a template or a table holds, read and written.

Rows are fluorochromes, columns detectors, the same way as $SPILLOVER of FCS 3.1 (section 3.2.21).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError
from cytoreg.fcs.spillover import Spillover

__all__ = ["Matrix", "matrix_text", "read_matrix"]


@dataclass(frozen=True)
class Matrix:
    """A matrix that a template holds: how much of each fluorochrome is seen in each detector.

    detectors: the m channels of the file. fluorochromes: the k names of what comes out of it (those of the
    detectors where a format has no others). values: k rows of m numbers. k may be less than m, as for spectral
    data (GatingML 2.0, section 4: least squares then). Raises TemplateError where that does not fit.
    """

    name: str
    detectors: tuple[str, ...]
    fluorochromes: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        k, m = len(self.fluorochromes), len(self.detectors)
        if not k or len(self.values) != k or any(len(row) != m for row in self.values):
            shape = " + ".join(str(len(row)) for row in self.values[:4])
            raise TemplateError(
                f"matrix {self.name!r}: {k} fluorochromes and {m} detectors need {k} rows of {m} numbers, found "
                f"{len(self.values)} rows of {shape or 'none'}"
            )
        for what, names in (("fluorochrome", self.fluorochromes), ("detector", self.detectors)):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise TemplateError(f"matrix {self.name!r}: {what} {twice!r} stands twice")
        if k > m:
            raise TemplateError(f"matrix {self.name!r}: {k} fluorochromes cannot be told apart by {m} detectors")

    def describe(self) -> dict[str, Any]:
        """The matrix as a template would say it."""
        return {
            "detectors": list(self.detectors),
            "fluorochromes": list(self.fluorochromes),
            "values": [list(row) for row in self.values],
        }


def read_matrix(path: Path) -> Spillover:
    """A spillover matrix from a CSV or TSV file: channels in the first row, and in the first column if there.

    Raises TemplateError naming the row and column of what is not a number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path}: there is no such compensation matrix") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise TemplateError(f"{path}: the compensation matrix cannot be read ({problem})") from None
    dialect = "\t" if "\t" in text.partition("\n")[0] else ";" if ";" in text.partition("\n")[0] else ","
    rows = [row for row in csv.reader(text.splitlines(), delimiter=dialect) if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise TemplateError(f"{path}: expected a row of channel names and a row for each, found {len(rows)} rows")
    header = [cell.split("::")[0].strip() for cell in rows[0]]
    fits = len(rows[1]) == len(rows) or not header[0] or len(header) == len(rows[1]) - 1
    named_rows = fits and not _is_number(rows[1][0])
    channels = header[1:] if named_rows and len(header) == len(rows[1]) else header
    k = len(channels)
    if len(rows) - 1 != k:
        raise TemplateError(f"{path}: {k} channels in the first row, {len(rows) - 1} rows below it: expected {k}")
    matrix = np.empty((k, k))
    names = []
    for i, row in enumerate(rows[1:]):
        names.append(row[0].split("::")[0].strip() if named_rows else channels[i])
        cells = row[1:] if named_rows else row
        if len(cells) != k:
            raise TemplateError(f"{path}, row {i + 2}: expected {k} numbers, found {len(cells)}")
        for j, cell in enumerate(cells):
            if not _is_number(cell):
                raise TemplateError(
                    f"{path}, row {i + 2}, column {channels[j]}: expected a number, found {cell!r}"
                )
            matrix[i, j] = float(cell)
    if sorted(names) != sorted(channels) or len(set(names)) != k:
        raise TemplateError(f"{path}: the names of the rows are not those of the columns: {names} and {channels}")
    matrix = matrix[[names.index(channel) for channel in channels]]
    return Spillover(tuple(channels), matrix, path.name)


def _is_number(cell: Any) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def matrix_text(
    fluorochromes: Sequence[str], detectors: Sequence[str], values: npt.NDArray[np.float64], corner: str = ""
) -> str:
    """A matrix as CSV: detectors in the first row, a fluorochrome in the first column of each row below.

    Numbers are written with all their digits, so that what is read back is the same matrix.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([corner, *detectors])
    for name, row in zip(fluorochromes, values, strict=True):
        writer.writerow([name, *(repr(float(value)) for value in row)])
    return stream.getvalue()
