"""The values that gates look at: decoded, compensated and transformed for the events that need it, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.compensation import Compensation, apply
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.sample import Sample
from cytoreg.gating import kernel
from cytoreg.gating.axes import AxisSpec
from cytoreg.quality import Quality, clock_index, quality_of
from cytoreg.transforms import Transform
from cytoreg.transforms.choosing import Chosen

__all__ = ["Axis", "BoundRatio", "Events", "Node", "Sources"]

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Sources = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class BoundRatio:
    """A * (x - B) / (y - C): the weighted channels that x and y are the sums of, and the constants."""

    above: Sources
    below: Sources
    A: float = 1.0
    B: float = 0.0
    C: float = 0.0


@dataclass(frozen=True)
class Axis:
    """An axis of the template bound to a channel of the file and to a display scale.

    channel: for a ratio, that of its numerator. sources: the channels and weights that its compensated value is
    the sum of, where the axis states its compensation; None is the compensation of all. spec: what the template
    states of the axis; None for a marker. compensation: what was taken out of it. wanted: the channels as
    the compensation calls them, or as the file does: one, or the two of a ratio. chosen: where a parameter of the
    transform was chosen from data, on what.
    """

    name: str
    channel: Channel
    transform: Transform
    sources: Sources | None = None
    ratio: BoundRatio | None = None
    spec: AxisSpec | None = None
    compensation: Compensation | None = None
    wanted: tuple[str, ...] = ()
    chosen: Chosen | None = None

    def describe(self) -> dict[str, Any]:
        """What the axis is, for the record of a gate."""
        said: dict[str, Any] = {"channel": self.channel.name, "transform": self.transform.describe()}
        if self.spec is not None and self.spec.ratio is not None:
            said["ratio"] = self.spec.ratio.describe()
        if self.spec is not None and self.spec.compensation is not None:
            said["compensation"] = self.spec.compensation
        if self.chosen is not None:
            said["chosen"] = self.chosen.describe()
        return said


@dataclass(frozen=True, eq=False)
class Node:
    """Events of one population.

    positions: (n,) ascending positions in the file, or what gives them when they are asked for. above: the node it
    was cut from. size: n, where it is known before. taken: the rows of the events in the node above, where they are known.
    """

    name: str
    positions: Index | Callable[[], Index]
    above: Node | None
    size: int | None = None
    taken: Index | None = None

    @cached_property
    def index(self) -> Index:
        """Ascending positions of the events in the file, shape (n,)."""
        return self.positions() if callable(self.positions) else self.positions

    @cached_property
    def rows(self) -> Index:
        """Ascending rows of the events in the node above, shape (n,)."""
        if self.taken is not None or self.above is None:
            return self.index if self.taken is None else self.taken
        return np.searchsorted(self.above.index, self.index)

    @property
    def count(self) -> int:
        """How many events there are."""
        return len(self.index) if self.size is None else self.size


class Events:
    """Columns of one sample, kept for the populations that asked for them.

    A population below one that has a column takes its part of that column; nothing is computed twice. remove: for
    which reasons of acquisition events are left out before any gate (`quality.REMOVABLE`).
    """

    def __init__(
        self,
        sample: Sample,
        axes: Mapping[str, Axis],
        compensation: Compensation | None,
        remove: Sequence[str] = (),
    ) -> None:
        self.sample = sample
        self.remove = tuple(remove)
        self.axes = axes
        self.compensation = compensation
        self._wanted: tuple[str, ...] = ()
        self._raw: dict[int, npt.NDArray[Any]] = {}
        self._loaded: set[str] = set()
        self._linear: dict[tuple[str, str], Array] = {}
        self._display: dict[tuple[str, str], Array] = {}

    def want(self, names: Sequence[str]) -> None:
        """Axes that are decoded together when the first column of any is asked for."""
        self._wanted = tuple(names)

    def load(self, names: Sequence[str]) -> None:
        """Decode all that some axes need, and those that are wanted, in one pass through the file."""
        names = [name for name in (*names, *self._wanted) if name not in self._loaded]
        if not names:
            return
        needed = [index for name in names for source in self._sources(self.axes[name]) for index, _ in source]
        needed += [self.axes[name].channel.index for name in names]
        needed += [] if (clock := clock_index(self.sample)) is None else [clock]  # what `quality` asks for
        missing = [index for index in dict.fromkeys(needed) if index not in self._raw]
        if missing:
            self._raw.update(zip(missing, self.sample.columns(missing), strict=True))
        self._loaded.update(names)

    @cached_property
    def quality(self) -> Quality:
        """How the tube was acquired, judged by the channels of the axes."""
        self.load(list(self.axes))
        indices = dict.fromkeys(axis.channel.index for axis in self.axes.values())
        if self.axes and (clock := clock_index(self.sample)) is not None:
            indices[clock] = None
        channels = self.sample.channels
        return quality_of(self.sample, {channels[index]: self._raw[index] for index in indices}, self.remove)

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

    def display_at(self, index: Index, name: str) -> Array:
        """Display values of events at some positions in the file, float64; not kept."""
        return self.axes[name].transform.forward(self._compute_linear(Node("", index, None), name))

    def decide(self, populations: Sequence[kernel.Population]) -> kernel.Decided:
        """Membership of populations with concrete gates, in one pass over all events."""
        names = dict.fromkeys(axis for population in populations for axis in population.gate.on)
        plan = kernel.Plan(len(self.sample.channels), {name: self._look(name) for name in names}, populations)
        if not names:  # nothing is looked at
            return kernel.decide(plan, np.empty((self.sample.n_events, plan.n_channels), dtype=np.float32))
        if all(index in self._raw for index in plan.channels):
            return kernel.decide(plan, [self._raw.get(index) for index in range(plan.n_channels)])
        sweep = kernel.Sweep(plan, self.sample.n_events)

        def take(start: int, columns: list[npt.NDArray[Any]]) -> None:
            placed = dict(zip(plan.channels, columns, strict=True))
            sweep.take(start, [placed.get(index) for index in range(plan.n_channels)])

        self.sample.sweep(plan.channels, take)
        return sweep.finish()

    def _look(self, name: str) -> kernel.Axis:
        axis = self.axes[name]
        sources = self._sources(axis)
        ratio = axis.ratio
        over = None if ratio is None else kernel.Over(sources[1], ratio.A, ratio.B, ratio.C)
        return kernel.Axis(sources[0], axis.transform, over)

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
            rows, step = node.rows, node.above
            while step is not None and step is not above:
                rows, step = step.rows[rows], step.above
            values = cache[(above.name, name)][rows]
        cache[key] = values
        return values

    def _compute_linear(self, node: Node, name: str) -> Array:
        self.load([name])
        axis = self.axes[name]
        values = [self._summed(source, node) for source in self._sources(axis)]
        if axis.ratio is None:
            return values[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return axis.ratio.A * (values[0] - axis.ratio.B) / (values[1] - axis.ratio.C)

    def _summed(self, sources: Sources, node: Node) -> Array:
        whole = node.count == self.sample.n_events
        columns = [self._raw[i] if whole else self._raw[i][node.index] for i, _ in sources]
        return apply(columns, [weight for _, weight in sources])

    def _compute_display(self, node: Node, name: str) -> Array:
        return self.axes[name].transform.forward(self.linear(node, name))

    def _sources(self, axis: Axis) -> tuple[Sources, ...]:
        """The weighted channels of an axis; of a ratio, of what stands above and below the line."""
        if axis.ratio is not None:
            return (axis.ratio.above, axis.ratio.below)
        if axis.sources is not None:
            return (axis.sources,)
        index = axis.channel.index
        return (self.compensation.sources(index) if self.compensation else ((index, 1.0),),)
