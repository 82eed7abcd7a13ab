"""Spillover taken out: a matrix from the file or from a table, inverted and applied channel by channel.

Bagwell CB, Adams EG. Ann N Y Acad Sci 1993;677:167-184: observed = true x spillover, so
true = observed x inverse(spillover).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover

__all__ = ["Compensation", "compensation_for", "read_matrix"]

WORST_CONDITION = 1e8


class Compensation:
    """A spillover matrix bound to the channels of one file.

    indices: positions of the k channels in the file. inverse: (k, k) float64.
    """

    def __init__(self, spillover: Spillover, indices: Sequence[int], where: str) -> None:
        self.spillover = spillover
        self.indices = tuple(indices)
        if not np.isfinite(spillover.matrix).all() or np.linalg.cond(spillover.matrix) > WORST_CONDITION:
            raise TemplateError(f"{where}: the spillover matrix {spillover.source} cannot be inverted")
        self.inverse = np.linalg.inv(spillover.matrix)

    def sources(self, index: int) -> tuple[tuple[int, float], ...]:
        """The channels, and their weights, that a channel's compensated value is the sum of."""
        if index not in self.indices:
            return ((index, 1.0),)
        weights = self.inverse[:, self.indices.index(index)]
        return tuple((i, float(weight)) for i, weight in zip(self.indices, weights, strict=True) if weight != 0.0)


def compensation_for(sample: Sample, choice: str | Path | Spillover | None) -> Compensation | None:
    """What takes the spillover out of a file: `from_file`, `none`, a matrix file, or a matrix.

    None means that nothing is to be taken out. Raises TemplateError where a matrix names a channel that
    the file does not have, or cannot be inverted.
    """
    if choice is None or choice == "none":
        return None
    if choice == "from_file":
        spillover = sample.spillover
    elif isinstance(choice, Spillover):
        spillover = choice
    else:
        spillover = read_matrix(Path(choice))
    if spillover is None or spillover.is_identity:
        return None
    positions = {channel.name.casefold(): channel.index for channel in reversed(sample.channels)}
    markers = {channel.marker.casefold(): channel.index for channel in reversed(sample.channels) if channel.marker}
    indices: list[int] = []
    for name in spillover.channels:
        index = positions.get(name.casefold(), markers.get(name.casefold()))
        if index is None:
            raise TemplateError(
                f"{sample.name}: the spillover matrix {spillover.source} has channel {name!r}, the file has: "
                + ", ".join(channel.name for channel in sample.channels)
            )
        if index in indices:
            raise TemplateError(
                f"{sample.name}: the spillover matrix {spillover.source} has two channels for one of the file: "
                f"{spillover.channels[indices.index(index)]!r} and {name!r} are both {sample.channels[index].label}"
            )
        indices.append(index)
    return Compensation(spillover, indices, sample.name)


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


def apply(raw: Sequence[npt.NDArray[Any]], weights: Sequence[float]) -> npt.NDArray[np.float64]:
    """The weighted sum of raw columns in float64, added in the order of the matrix on every machine."""
    total = raw[0].astype(np.float64)
    if weights[0] != 1.0:
        total *= weights[0]
    for column, weight in zip(raw[1:], weights[1:], strict=True):
        total += np.multiply(
            column, weight, dtype=np.float64
        )  # a product of float32 would stay float32 in NumPy 1
    return total
