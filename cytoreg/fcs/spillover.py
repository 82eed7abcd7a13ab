"""Spillover matrices of files: $SPILLOVER (FCS 3.1, 3.2.21), SPILL, and $COMP of FCS 2.0 and 3.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel, Problem, quoted

__all__ = ["Spillover", "find_spillover"]


@dataclass(frozen=True, eq=False)
class Spillover:
    """How much of each fluorochrome is seen in each detector.

    channels: the $PnN of the k detectors, sorted by parameter number. matrix: (k, k) float64, row i the
    fluorochrome of detector i, column j the detector; 1 on the diagonal. source: the keyword or file.
    """

    channels: tuple[str, ...]
    matrix: npt.NDArray[np.float64]
    source: str = ""

    def __post_init__(self) -> None:
        k = len(self.channels)
        if self.matrix.shape != (k, k):
            raise ValueError(f"{k} channels need a matrix of {k} x {k}, not {self.matrix.shape}")
        self.matrix.setflags(write=False)

    @property
    def is_identity(self) -> bool:
        """Whether the matrix changes nothing."""
        return bool(np.array_equal(self.matrix, np.eye(len(self.channels))))


def find_spillover(text: Mapping[str, str], channels: Sequence[Channel]) -> tuple[Spillover | None, list[Problem]]:
    """The first usable matrix among $SPILLOVER, SPILL, SPILLOVER and $COMP, sorted by parameter number."""
    problems: list[Problem] = []
    for key in ("$SPILLOVER", "SPILL", "SPILLOVER", "$COMP", "COMP"):
        value = text.get(key, "")
        if not value.strip(", 0\x00"):
            continue
        found, problem = _parse(key, value, channels)
        if found is not None:
            return found, problems
        problems.append(Problem(problem, key, "the matrix was not used", affects_numbers=True))
    return None, problems


def _parse(key: str, value: str, channels: Sequence[Channel]) -> tuple[Spillover | None, str]:
    fields = [field.strip() for field in value.replace("\n", ",").split(",")]
    while fields and not fields[-1]:
        fields.pop()
    try:
        k = int(float(fields[0]))
    except (ValueError, IndexError, OverflowError):
        return None, f"expected the number of channels first, found {quoted(fields[0]) if fields else 'nothing'}"
    named = not key.endswith("COMP") or len(fields) == 1 + k + k * k
    expected = 1 + k + k * k if named else 1 + k * k
    if k < 1 or len(fields) != expected:
        return None, f"{k} channels need {expected} fields, found {len(fields)}"
    try:
        matrix = np.array([float(field) for field in fields[-k * k :]], dtype=np.float64).reshape(k, k)
    except ValueError:
        return None, "a coefficient is not a number"
    if not np.isfinite(matrix).all():
        return None, "a coefficient is not finite"
    if named:
        indices, missing = _indices(fields[1 : 1 + k], channels)
        if missing:
            return None, f"no channel is called {missing}"
    elif k <= len(channels):
        fluorescent = [channel.index for channel in channels if not channel.is_scatter_or_time]
        if len(fluorescent) < k:
            return None, f"{k} channels without names, where the file has {len(fluorescent)} of fluorescence"
        indices = fluorescent[:k]
    else:
        return None, f"{k} channels, where the file has {len(channels)}"
    if len(set(indices)) != k:
        return None, "a channel stands twice"
    order = np.argsort(indices, kind="stable")
    names = tuple(channels[indices[i]].name for i in order)
    return Spillover(names, np.ascontiguousarray(matrix[np.ix_(order, order)]), key), ""


def _indices(names: Sequence[str], channels: Sequence[Channel]) -> tuple[list[int], str]:
    """Positions of channels given by $PnN, by $PnS, or by parameter number from 1."""
    by_name = {channel.name: channel.index for channel in reversed(channels)}
    by_marker = {channel.marker: channel.index for channel in reversed(channels) if channel.marker}
    indices = []
    for name in names:
        if name in by_name:
            indices.append(by_name[name])
        elif name in by_marker:
            indices.append(by_marker[name])
        elif name.isdecimal() and 1 <= int(name) <= len(channels):
            indices.append(int(name) - 1)
        else:
            return [], repr(name[:40])
    return indices, ""
