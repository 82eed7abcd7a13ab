"""What the kernel is asked: axes over raw channels, and a tree of populations with concrete gates.

Plain data, checked here once: every index that the compiled code follows is one that this module has seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import All, Any_, Gate, Not, Reference
from cytoreg.transforms import Transform

__all__ = ["Axis", "Decided", "Over", "Plan", "Population", "references"]

Sources = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Over:
    """The rest of a ratio a (sum - b) / (over - c), as GatingML's fratio (section 6.6 of GatingML 2.0).

    sources: the weighted sum that divides.
    """

    sources: Sources
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0


@dataclass(frozen=True)
class Axis:
    """A display axis: a weighted sum of raw channels, and its transform.

    sources: (channel, weight) in the order of the spillover matrix; (channel, 1.0) alone is uncompensated.
    transform: never decreases within its domain. over: makes the axis a ratio of two sums.
    """

    sources: Sources
    transform: Transform
    over: Over | None = None

    @property
    def channels(self) -> tuple[int, ...]:
        """The raw channels that are needed."""
        over = self.over.sources if self.over else ()
        return tuple(dict.fromkeys(channel for channel, _ in (*self.sources, *over)))


@dataclass(frozen=True)
class Population:
    """The events of `parent` (None: all events) that are in `gate`."""

    name: str
    gate: Gate
    parent: str | None = None


@dataclass(frozen=True)
class Plan:
    """Axes by the name that gates use, and populations, each after its parent and those its gate refers to.

    n_channels: raw channels of the events. Raises ValueError where a name or index points nowhere.
    """

    n_channels: int
    axes: Mapping[str, Axis]
    populations: Sequence[Population]

    def __post_init__(self) -> None:
        for name, axis in self.axes.items():
            if not axis.sources or (axis.over is not None and not axis.over.sources):
                raise ValueError(f"axis {name!r}: expected at least one channel, found none")
            for channel in axis.channels:
                if not 0 <= channel < self.n_channels:
                    raise ValueError(f"axis {name!r}: there is no channel {channel} of {self.n_channels}")
        known: set[str] = set()
        for population in self.populations:
            for other in (population.parent, *references(population.gate)):
                if other is not None and other not in known:
                    raise ValueError(f"population {population.name!r}: {other!r} does not come before it")
            for axis_name in population.gate.on:
                if axis_name not in self.axes:
                    raise ValueError(f"population {population.name!r}: there is no axis {axis_name!r}")
            if population.name in known:
                raise ValueError(f"population {population.name!r}: there are two of that name")
            known.add(population.name)

    @property
    def channels(self) -> tuple[int, ...]:
        """The raw channels that some gate needs, in ascending order."""
        used = dict.fromkeys(axis for population in self.populations for axis in population.gate.on)
        return tuple(sorted({channel for axis in used for channel in self.axes[axis].channels}))


@dataclass(frozen=True, eq=False)
class Decided:
    """Membership of every population.

    masks: (n_populations, ceil(n_events / 8)) uint8; bit i % 8 of byte i // 8 is event i. counts: events in
    each. n_exact: events that the kernel left to NumPy. kernel: `native` or `numpy`.
    """

    names: tuple[str, ...]
    n_events: int
    masks: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.int64]
    n_exact: int
    kernel: str

    def within(self, kept: npt.NDArray[np.bool_]) -> Decided:
        """The same for some of the events, (n_events,) bool: the others are in no population."""
        masks = self.masks & np.packbits(kept, bitorder="little")
        counts = [int(np.unpackbits(row, count=self.n_events, bitorder="little").sum()) for row in masks]
        return replace(self, masks=masks, counts=np.array(counts, dtype=np.int64))

    def mask(self, name: str) -> npt.NDArray[np.bool_]:
        """Which events are in a population, shape (n_events,)."""
        row = self.masks[self.names.index(name)]
        return np.unpackbits(row, count=self.n_events, bitorder="little").view(np.bool_)

    def count(self, name: str) -> int:
        """How many events a population has."""
        return int(self.counts[self.names.index(name)])

    def index(self, name: str) -> npt.NDArray[np.int64]:
        """Ascending positions of a population's events."""
        return np.flatnonzero(self.mask(name))


def references(gate: Gate) -> Iterator[str]:
    """The populations that a gate refers to."""
    match gate:
        case Reference(population=population):
            yield population
        case All(parts=parts) | Any_(parts=parts):
            for part in parts:
                yield from references(part)
        case Not(part=part):
            yield from references(part)
