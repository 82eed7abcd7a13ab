"""Every automatic gate fitted again in each replicate, to the events that its parent has there, drawn again.

A method that cuts one axis is fitted to a histogram of each replicate (`recut`); one that finds several numbers says how
they move (`influence`); any other, as a plug-in, is fitted to the drawn events themselves. Where a replicate cannot be
fitted the template's fallback is, as for the sample itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cytoreg.gating import methods
from cytoreg.gating.binding import Bound
from cytoreg.gating.events import Events, Node
from cytoreg.gating.gates import Gate, Nothing
from cytoreg.gating.methods import CONTROLS, CannotFit, Fit, cut_range
from cytoreg.gating.methods._density import HISTOGRAM_BINS, Histogram, bins_of, histogram_grid, in_bins
from cytoreg.gating.methods._influence import Influence
from cytoreg.gating.methods._order import crossed
from cytoreg.gating.placing import View
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.uncertainty.draws import generator, poisson
from cytoreg.gating.uncertainty.shapes import Bits
from cytoreg.gating.uncertainty.strips import Strip, unpacked

__all__ = ["Refits"]

Array = npt.NDArray[np.float64]
BENT = 0.1  # of the replicates: more that a linear move leads out of what can be, and each is fitted anew
NOWHERE = Nothing("it could not be placed in this replicate")


@dataclass(frozen=True, eq=False)
class _Draw:
    """Of one axis of one population: its bins, its own events in each, and how many more than expected each replicate drew, (b, bins)."""

    low: float
    step: float
    events: npt.NDArray[np.int64]
    beyond: Array


@dataclass(frozen=True, eq=False)
class _Numbers:
    """How far drawn events moved the numbers of a fit, (b, p), and the inverse of the covariance of that."""

    influence: Influence
    moved: Array
    inverse: Array


@dataclass
class Refits:
    """Refits gates of one sample in b replicates. strips: of the populations gated so far. fits: what placed the
    sample's own gates, by key, where that is known."""

    bound: Bound
    events: Events
    nodes: Mapping[str, Node]
    strips: Mapping[str, Strip]
    fits: Mapping[str, Fit]
    tube: str
    seed: int
    b: int
    _histograms: dict[tuple[str, str], Histogram | None] = field(default_factory=dict)
    _draws: dict[tuple[str, str], _Draw] = field(default_factory=dict)
    _drawn_by: dict[str, tuple[str, str] | _Numbers] = field(default_factory=dict)

    def gates(self, spec: GateSpec, key: str, above: str, level: int) -> list[Gate]:
        """A gate a replicate, (b,). above: the parent. level: how many fallbacks down the sample's own gate was placed."""
        return self._gates(spec, key, above, level, 0)

    def _gates(self, spec: GateSpec, key: str, above: str, level: int, here: int) -> list[Gate]:
        if spec.geometry is not None:
            usable = all(axis in self.bound.axes for axis in spec.on)
            return [spec.geometry if usable else NOWHERE] * self.b
        found: list[Gate | None] = [None] * self.b
        if all(axis in self.bound.axes for axis in spec.on):
            found = self._fitted(spec, key, above, level == here)
        if any(gate is None for gate in found) and spec.fallback is not None:
            instead = self._gates(spec.fallback, key, above, level, here + 1)
            found = [other if gate is None else gate for gate, other in zip(found, instead, strict=True)]
        return [NOWHERE if gate is None else gate for gate in found]

    def _fitted(self, spec: GateSpec, key: str, above: str, placed_it: bool) -> list[Gate | None]:
        looked_at = getattr(spec.params, "source", None) or above
        view = View(self.bound, self.events, self.nodes[above], self.nodes, self.tube)
        if spec.kind in CONTROLS and view.control(spec.on[0], spec.on[0], spec.kind, None) is None:
            return [None] * self.b
        if looked_at not in self.nodes or looked_at not in self.strips:
            return [None] * self.b
        if recut := methods.recut_of(spec.kind):
            values = self.histogram(looked_at, spec.on[0])
            if placed_it and looked_at == above and spec.kind not in CONTROLS:
                self._drawn_by[key] = (above, spec.on[0])
            cuts = np.full(self.b, np.nan) if values is None else recut(values, spec.params)
            return [
                cut_range(spec.on[0], cut, spec.params.keep) if np.isfinite(cut) else None for cut in cuts.tolist()
            ]
        try:
            fit = (self.fits.get(key) if placed_it else None) or methods.fit(spec.kind, view, spec.params)
        except CannotFit:
            fit = None
        if fit is not None and fit.influence is not None:
            moved = self._moved(fit.influence(), key, above, placed_it)
            if sum(gate is None for gate in moved) <= BENT * self.b:
                return moved
            self._drawn_by.pop(key, None)  # so flat a fit that a straight line does not follow it
        return self._drawn(spec, key, above)

    def histogram(self, population: str, axis: str) -> Histogram | None:
        """The events of a population on one axis in each replicate, each drawn Poisson(1) times; None without any.

        Gates that look at the same events of the same axis get the same draw, and so move together.
        """
        if (population, axis) not in self._histograms:
            self._histograms[population, axis] = self._histogram(population, axis)
        return self._histograms[population, axis]

    def _histogram(self, population: str, axis: str) -> Histogram | None:
        node, strip = self.nodes[population], self.strips[population]
        values = self.events.display(node, axis)
        values = values[np.isfinite(values)] if not np.isfinite(values.sum()) else values
        if not len(values):
            return None
        low, step = histogram_grid(values)
        all_of_them = in_bins(values, low, step)
        means = np.broadcast_to(all_of_them, (self.b, HISTOGRAM_BINS))
        if len(strip.index):
            beside = self.events.display_at(strip.index, axis)
            fine = np.isfinite(beside)
            bins, bits, own = bins_of(beside[fine], low, step), strip.bits[fine], strip.own[fine]
            means = means - np.bincount(bins[own], minlength=HISTOGRAM_BINS)
            means = means + _by_replicate(bins, bits, self.b)
        rng = generator(self.seed, "events", population, axis, all_of_them)
        found = Histogram(low, step, poisson(means, rng))
        self._draws[population, axis] = _Draw(low, step, all_of_them, found.counts - means)
        return found

    def sways(self, key: str, child: Node, above: Node) -> Array | None:
        """By how much the events drawn to place a gate move the log of the share that a child is of its parent, (b,).

        None where they move it by nothing that is known: it was placed on other events, or not in this walk.
        """
        by = self._drawn_by.get(key)
        if by is None or not 0 < child.count < above.count:
            return None
        if isinstance(by, _Numbers):
            gate = by.influence.gate(by.influence.numbers)
            if gate is None:
                return None
            # of the pulls and of the share only the fitted events know, and each counts once among all of the parent
            return by.moved @ by.inverse @ by.influence.held(gate) / child.count
        if (draw := self._draws.get(by)) is None:
            return None
        values = self.events.display(child, by[1])
        part = in_bins(values[np.isfinite(values)], draw.low, draw.step) / np.maximum(draw.events, 1)
        moved: Array = np.einsum("ij,j->i", draw.beyond, part / child.count - 1.0 / above.count)
        return moved

    def _moved(self, influence: Influence, key: str, above: str, placed_it: bool) -> list[Gate | None]:
        """Gates whose numbers are moved by events drawn again, and by those that came or went."""
        worth, directions = np.linalg.eigh(influence.spread)
        root = directions * np.sqrt(np.maximum(worth, 0.0))
        # of rounded numbers: the same draw where only the last bits differ, as with and without the compiled kernel
        rng = generator(self.seed, "numbers", key, " ".join(f"{number:.5e}" for number in influence.numbers))
        moved = rng.standard_normal((self.b, len(worth))) @ root.T
        if placed_it:
            known = worth > 1e-12 * max(float(worth.max()), 0.0)
            inverse = (directions[:, known] / worth[known]) @ directions[:, known].T
            self._drawn_by[key] = _Numbers(influence, moved.copy(), inverse)
        strip = self.strips[above]
        if len(strip.index):
            columns = [self.events.display_at(strip.index, axis) for axis in influence.on]
            came = unpacked(strip.bits, self.b).astype(np.float64) - strip.own[:, None]
            moved += crossed(came, np.nan_to_num(influence.pull(columns)))
        return [influence.gate(influence.numbers + row) if np.isfinite(row).all() else None for row in moved]

    def _drawn(self, spec: GateSpec, key: str, above: str) -> list[Gate | None]:
        """Fitted to drawn events, one replicate after the other."""
        source = getattr(spec.params, "source", None)
        seen: list[str] = [above, *([source] if source in self.strips and source is not None else [])]
        gates: list[Gate | None] = []
        pools = {name: np.union1d(self.nodes[name].index, self.strips[name].index) for name in seen}
        bits = {name: self.strips[name].bits_at(self.nodes[name], pool, self.b) for name, pool in pools.items()}
        values = {
            name: {axis: self.events.display_at(pool, axis) for axis in spec.on} for name, pool in pools.items()
        }
        rng = generator(self.seed, "drawn", key, *(np.sort(values[above][axis]) for axis in spec.on))
        order = {name: np.lexsort([values[name][axis] for axis in spec.on]) for name in seen}
        for replicate in range(self.b):
            taken = {}
            for name in seen:
                inside = order[name][(bits[name][order[name]] >> np.uint64(replicate)) & np.uint64(1) == 1]
                taken[name] = np.repeat(inside, rng.poisson(1.0, len(inside)))
            drawn = {name: {axis: values[name][axis][rows] for axis in spec.on} for name, rows in taken.items()}
            try:
                gates.append(methods.fit(spec.kind, _Drawn(above, drawn), spec.params).gate)
            except CannotFit:
                gates.append(None)
        return gates


@dataclass(frozen=True)
class _Drawn:
    """What a method sees of one replicate: columns of the parent and of the population that it looks at."""

    above: str
    columns: Mapping[str, Mapping[str, Array]]

    def values(self, on: str) -> Array:
        return self.columns[self.above][on]

    def values_in(self, population: str, on: str) -> Array | None:
        found = self.columns.get(population)
        return None if found is None else found.get(on)

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        return self.values(on) if source is None else self.values_in(source, on)


def _by_replicate(bins: npt.NDArray[np.int64], bits: Bits, b: int) -> npt.NDArray[np.int64]:
    """Events in each bin in each replicate, (b, HISTOGRAM_BINS). bins, bits: (m,).

    The bytes of eight replicates are added as one number, in blocks of so many events that no byte overflows.
    """
    found = np.zeros((HISTOGRAM_BINS, 64), dtype=np.int64)
    if len(bins):
        order = np.argsort(bins.astype(np.int16), kind="stable")
        there, starts, sizes = np.unique(bins[order], return_index=True, return_counts=True)
        ends = (starts + sizes).tolist()
        blocks = np.concatenate([np.arange(a, z, 255) for a, z in zip(starts.tolist(), ends, strict=True)])
        eights = unpacked(bits[order], 64).view(np.uint64)
        sums = np.add.reduceat(eights, blocks, axis=0).view(np.uint8)
        found[there] = np.add.reduceat(sums, np.searchsorted(blocks, starts), axis=0, dtype=np.int64)
    return found[:, :b].T
