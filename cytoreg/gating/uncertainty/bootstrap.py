"""The bootstrap of gate placement: every fitted gate on the way down placed again in each replicate, and who is in it then.

It walks the tree beside the pass that gated the sample. A replicate's child looks at the replicate's parent. The events
that are counted are those of the file, never drawn ones: what varies is where the gates stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cytoreg.gating.binding import Bound
from cytoreg.gating.engine import unplaced
from cytoreg.gating.events import Events, Node
from cytoreg.gating.gates import Gate
from cytoreg.gating.naming import PART
from cytoreg.gating.placed import Pass, Placed
from cytoreg.gating.placing import automatic
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT
from cytoreg.gating.uncertainty.refits import Refits
from cytoreg.gating.uncertainty.shapes import Bits, Mask, Moving, ones
from cytoreg.gating.uncertainty.strips import Strip, agreed, among, merged

__all__ = ["Replicates", "replicate"]

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Replicates:
    """counts: events of each population in each replicate, (b,); -1 where the population could not be placed.

    fitted: populations with a fitted gate of their own, above them, or in what they refer to. sways: by how much the
    events drawn to place its own gate move the log of the share that a population is of its parent, (b,).
    """

    counts: Mapping[str, npt.NDArray[np.int64]]
    b: int
    fitted: frozenset[str] = frozenset()
    sways: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def failed(self, population: str) -> float:
        """The share of replicates in which a population could not be placed."""
        counts = self.counts.get(population)
        return 0.0 if counts is None else float(np.mean(counts < 0))


def replicate(bound: Bound, events: Events, found: Pass, *, tube: str, seed: int, b: int) -> Replicates:
    """Place every gate of a pass again in b replicates (at most 64).

    The gates of `found.placed` and `found.proposals` get their replicates, so that tubes that share a cut, and a later
    pass, have the same ones; where a gate has them already it keeps them.
    """
    return _Walk(bound, events, found, tube, seed, b).walk()


class _Walk:
    def __init__(self, bound: Bound, events: Events, found: Pass, tube: str, seed: int, b: int) -> None:
        self.bound, self.events, self.found, self.b = bound, events, found, b
        self.strips: dict[str, Strip] = {}
        self.refits = Refits(bound, events, found.nodes, self.strips, found.fits, tube, seed, b)
        self.moving: dict[str, Moving] = {}
        self.fitted: set[str] = set()
        self.sways: dict[str, npt.NDArray[np.float64]] = {}

    def walk(self) -> Replicates:
        nodes = self.found.nodes
        self.strips[ROOT] = Strip.empty(self.b)
        if self.bound.start is not None:
            self.strips[self.bound.start] = Strip.empty(self.b)
        for step in self.bound.steps:
            above = self.bound.parents[step.id]
            if above not in self.strips:
                continue
            others = {spec.population for spec in step.gate.walk() if spec.population}
            if step.gate.is_fitted or self.fitted & {above, *others}:
                self.fitted.add(step.id)
            for key, spec in automatic(step.gate, step.id):
                self._place(key, spec, above)
            if step.id in nodes and step.id not in self.strips and step.id in self.found.applied:
                if step.id not in self.fitted:
                    self.strips[step.id] = Strip.empty(self.b)
                elif unplaced(self.found.applied[step.id], self.found.applied):
                    self.strips[step.id] = replace(Strip.empty(self.b), placed=np.uint64(0))
                elif others <= self.strips.keys():
                    self.strips[step.id] = self._strip(step.gate, step.id, above)
                    self._sway(step.gate, step.id, above)
        counts = {}
        for name, strip in self.strips.items():
            each = strip.counts(nodes[name], self.b)
            placed = (int(strip.placed) >> np.arange(self.b, dtype=np.uint64).astype(object)) & 1
            counts[name] = np.where(placed.astype(bool), each, -1)
        return Replicates(counts, self.b, frozenset(self.fitted), self.sways)

    def _place(self, key: str, spec: GateSpec, above: str) -> None:
        """The replicates of one automatic gate, kept with it."""
        placed = self.found.placed.get(key)
        proposal = self.found.proposals.get(key)
        if placed is not None:
            placed = self.found.placed[key] = self._with(placed, spec, key, above)
            self.moving[key] = Moving(placed.gate, placed.replicates, self.bound.axes, self.bound.rule == "flowjo")
        elif proposal is not None and not proposal.placed.replicates:
            self.found.proposals[key] = replace(proposal, placed=self._with(proposal.placed, spec, key, above))

    def _sway(self, spec: GateSpec, name: str, above: str) -> None:
        """How the draws that placed a population's gate move its share, kept with the gate; a complement's is the mirror image."""
        child, parent = self.found.nodes[name], self.found.nodes[above]
        other = spec.parts[0].population if spec.kind == "not" else None
        if other in self.sways and self.bound.parents[other] == above and 0 < child.count < parent.count:
            self.sways[name] = -self.sways[other] * (self.found.nodes[other].count / child.count)
        for key, _ in automatic(spec, name):
            placed = self.found.placed.get(key)
            if placed is None or not placed.replicates:
                continue
            if not placed.sways and (moved := self.refits.sways(key, child, parent)) is not None:
                placed = self.found.placed[key] = replace(placed, sways=tuple(moved.tolist()))
            if placed.sways:
                self.sways[name] = self.sways.get(name, 0.0) + np.array(placed.sways)

    def _with(self, placed: Placed, spec: GateSpec, key: str, above: str) -> Placed:
        if placed.replicates:
            return placed
        return replace(placed, replicates=tuple(self.refits.gates(spec, key, above, placed.level)))

    def _strip(self, spec: GateSpec, key: str, above: str) -> Strip:
        node, parent = self.found.nodes[key], self.found.nodes[above]
        over = self.strips[above]
        near: Index = parent.index[self._edge(spec, key, parent) & agreed(parent.index, over)]
        index = merged(near, over.index)
        bits = self._bits(spec, key, index) & over.bits_at(parent, index, self.b)
        own = among(node.index, index)
        placed = over.placed & self._placed(spec, key)
        bits &= placed
        keep = np.where(own, bits != ones(self.b), bits != 0)  # on any other event all agree
        return Strip(index[keep], bits[keep], own[keep], placed)

    def _edge(self, spec: GateSpec, key: str, parent: Node) -> Mask:
        """Which of the parent's events replicates may decide differently by this gate alone."""
        if spec.population is not None:
            return among(self.strips[spec.population].index, parent.index)
        edge = np.zeros(parent.count, dtype=bool)
        for i, part in enumerate(spec.parts):
            edge |= self._edge(part, f"{key}{PART}{i}", parent)
        if key in self.moving:
            moving = self.moving[key]
            edge |= moving.edge({axis: self.events.display(parent, axis) for axis in moving.on}, parent.count)
        return edge

    def _bits(self, spec: GateSpec, key: str, index: Index) -> Bits:
        if spec.population is not None:
            other = spec.population
            return self.strips[other].bits_at(self.found.nodes[other], index, self.b)
        if spec.parts:
            parts = [self._bits(part, f"{key}{PART}{i}", index) for i, part in enumerate(spec.parts)]
            if spec.kind == "not":
                return ~parts[0] & ones(self.b)
            joined = np.bitwise_and if spec.kind == "all" else np.bitwise_or
            bits: Bits = joined.reduce(np.stack(parts), axis=0)
            return bits
        moving = self.moving.get(key) or self._still(key)
        return moving.bits({axis: self.events.display_at(index, axis) for axis in moving.on}, len(index))

    def _still(self, key: str) -> Moving:
        gate: Gate = self.found.placed[key].gate
        return Moving(gate, (gate,) * self.b, self.bound.axes, self.bound.rule == "flowjo")

    def _placed(self, spec: GateSpec, key: str) -> np.uint64:
        placed = ones(self.b)
        if spec.population is not None:
            return self.strips[spec.population].placed
        for i, part in enumerate(spec.parts):
            placed &= self._placed(part, f"{key}{PART}{i}")
        return placed & self.moving[key].placed if key in self.moving else placed
