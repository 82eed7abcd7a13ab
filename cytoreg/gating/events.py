"""The values that gates look at: decoded, compensated and transformed for the events that need it, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.compensation import Compensation, apply
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.sample import Sample
from cytoreg.transforms import Transform

__all__ = ["Axis", "Events", "Node"]

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """A marker of the template bound to a channel of the file and to a display scale."""

    name: str
    channel: Channel
    transform: Transform


@dataclass(frozen=True, eq=False)
class Node:
    """Events of one population: index, (n,) ascending positions in the file. above: the node it was cut from."""

    name: str
    index: Index
    above: Node | None


class Events:
    """Columns of one sample, kept for the populations that asked for them.

    A population below one that has a column takes its part of that column; nothing is computed twice.
    """

    def __init__(self, sample: Sample, axes: Mapping[str, Axis], compensation: Compensation | None) -> None:
        self.sample = sample
        self.axes = axes
        self.compensation = compensation
        self._raw: dict[int, npt.NDArray[Any]] = {}
        self._linear: dict[tuple[str, str], Array] = {}
        self._display: dict[tuple[str, str], Array] = {}

    def load(self, names: Sequence[str]) -> None:
        """Decode all that some axes need, in one pass through the file."""
        needed = [index for name in names for index, _ in self._sources(self.axes[name].channel.index)]
        missing = [index for index in dict.fromkeys(needed) if index not in self._raw]
        if missing:
            self._raw.update(zip(missing, self.sample.columns(missing), strict=True))

    def raw(self, name: str) -> npt.NDArray[Any]:
        """Uncompensated linear values of all events on one axis."""
        self.load([name])
        return self._raw[self.axes[name].channel.index]

    def linear(self, node: Node, name: str) -> Array:
        """Compensated linear values of a population's events, float64."""
        return self._cached(self._linear, node, name, self._compute_linear)

    def display(self, node: Node, name: str) -> Array:
        """Display values of a population's events, float64."""
        return self._cached(self._display, node, name, self._compute_display)

    def _cached(self, cache: dict[tuple[str, str], Array], node: Node, name: str, compute: Any) -> Array:
        key = (node.name, name)
        if key in cache:
            return cache[key]
        above = node.above
        while above is not None and (above.name, name) not in cache:
            above = above.above
        if above is None:
            values = compute(node, name)
        else:
            values = cache[(above.name, name)][np.searchsorted(above.index, node.index)]
        cache[key] = values
        return values

    def _compute_linear(self, node: Node, name: str) -> Array:
        self.load([name])
        sources = self._sources(self.axes[name].channel.index)
        whole = len(node.index) == self.sample.n_events
        columns = [self._raw[i] if whole else self._raw[i][node.index] for i, _ in sources]
        return apply(columns, [weight for _, weight in sources])

    def _compute_display(self, node: Node, name: str) -> Array:
        return self.axes[name].transform.forward(self.linear(node, name))

    def _sources(self, index: int) -> tuple[tuple[int, float], ...]:
        return self.compensation.sources(index) if self.compensation else ((index, 1.0),)
