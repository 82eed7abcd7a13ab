"""Spillover taken out: a matrix from the file or from a table, inverted and applied channel by channel.

Bagwell CB, Adams EG. Ann N Y Acad Sci 1993;677:167-184: observed = true x spillover, so
true = observed x inverse(spillover).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover

__all__ = ["Compensation", "Matrix", "apply", "compensation_for", "read_matrix"]

WORST_CONDITION = 1e8


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


class Compensation:
    """A matrix bound to the channels of one file.

    matrix: (k, m) float64, a row a fluorochrome, a column a detector. indices: positions of the m detectors in
    the file. fluorochromes: the k names. inverse: (m, k), so that true = observed x inverse; of a matrix that
    is not square, the pseudo-inverse (least squares). name: `from_file`, the name of a template's matrix, or
    where it was read.
    """

    def __init__(
        self,
        matrix: npt.NDArray[np.float64],
        indices: Sequence[int],
        fluorochromes: Sequence[str],
        where: str,
        name: str = "",
    ) -> None:
        self.name = name
        self.matrix = matrix
        self.indices = tuple(indices)
        self.fluorochromes = tuple(fluorochromes)
        if not np.isfinite(matrix).all() or np.linalg.cond(matrix) > WORST_CONDITION:
            raise TemplateError(f"{where} cannot be inverted")
        square = matrix.shape[0] == matrix.shape[1]
        self.inverse = np.linalg.inv(matrix) if square else np.linalg.pinv(matrix)

    def sources(self, index: int) -> tuple[tuple[int, float], ...]:
        """The channels, and their weights, that a channel's compensated value is the sum of.

        A channel that the matrix does not hold is as it is.
        """
        if index not in self.indices:
            return ((index, 1.0),)
        if len(self.fluorochromes) != len(self.indices):
            raise ValueError("a detector of a matrix that is not square has no compensated value of its own")
        return self._column(self.indices.index(index))

    def sources_of(self, fluorochrome: str) -> tuple[tuple[int, float], ...]:
        """The same of a fluorochrome, by the name that the matrix gives it."""
        return self._column(self.fluorochromes.index(fluorochrome))

    def _column(self, place: int) -> tuple[tuple[int, float], ...]:
        weights = self.inverse[:, place]
        return tuple((i, float(weight)) for i, weight in zip(self.indices, weights, strict=True) if weight != 0.0)


def compensation_for(sample: Sample, choice: str | Path | Spillover | Matrix | None) -> Compensation | None:
    """What takes the spillover out of a file: `from_file`, `none`, a matrix file, or a matrix.

    None means that nothing is to be taken out. Raises TemplateError where a matrix names a channel that
    the file does not have, or cannot be inverted.
    """
    if choice is None or choice == "none":
        return None
    if isinstance(choice, Matrix):
        values = np.array(choice.values, dtype=np.float64)
        where = f"{sample.name}: the matrix {choice.name!r}"
        return Compensation(
            values, _detectors(sample, choice.detectors, where), choice.fluorochromes, where, choice.name
        )
    if choice == "from_file":
        spillover = sample.spillover
    elif isinstance(choice, Spillover):
        spillover = choice
    else:
        spillover = read_matrix(Path(choice))
    if spillover is None or spillover.is_identity:
        return None
    where = f"{sample.name}: the spillover matrix {spillover.source}"
    name = "from_file" if choice == "from_file" else spillover.source
    indices = _detectors(sample, spillover.channels, where)
    return Compensation(spillover.matrix, indices, spillover.channels, where, name)


def _detectors(sample: Sample, names: Sequence[str], where: str) -> list[int]:
    """Positions of a matrix' channels in a file, by $PnN, else by $PnS."""
    exact = {channel.name: channel.index for channel in reversed(sample.channels)}
    folded = {channel.name.casefold(): channel.index for channel in reversed(sample.channels)}
    markers = {channel.marker.casefold(): channel.index for channel in reversed(sample.channels) if channel.marker}
    indices: list[int] = []
    for name in names:
        index = exact.get(name, folded.get(name.casefold(), markers.get(name.casefold())))
        if index is None:
            raise TemplateError(
                f"{where} has channel {name!r}, the file has: "
                + ", ".join(channel.name for channel in sample.channels)
            )
        if index in indices:
            raise TemplateError(
                f"{where} has two channels for one of the file: "
                f"{names[indices.index(index)]!r} and {name!r} are both {sample.channels[index].label}"
            )
        indices.append(index)
    return indices


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
