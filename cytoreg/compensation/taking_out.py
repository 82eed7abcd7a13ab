"""Spillover taken out: a matrix from the file, a table or single stains, inverted and applied channel by channel.

Bagwell CB, Adams EG. Ann N Y Acad Sci 1993;677:167-184: observed = true x spillover, so
true = observed x inverse(spillover).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.compensation.controls import SingleStains
from cytoreg.compensation.matrix import Matrix, read_matrix
from cytoreg.errors import TemplateError
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover

__all__ = ["Compensation", "apply", "compensation_for"]

WORST_CONDITION = 1e8


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


def compensation_for(
    sample: Sample, choice: str | Path | Spillover | Matrix | SingleStains | None
) -> Compensation | None:
    """What takes the spillover out of a file: `from_file`, `none`, a matrix or its file, single stains or their folder.

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
    elif isinstance(choice, SingleStains) or Path(choice).is_dir():
        from cytoreg.compensation.estimate import spillover_of

        spillover = spillover_of(choice if isinstance(choice, SingleStains) else SingleStains(Path(choice)))[0]
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
