"""Fit, then apply: one pass over the tree of one sample, each step on its parent's events only.

An automatic method looks at the parent's events and leaves a concrete gate; the concrete gate decides the
events. A cut that tubes share (`by: batch`) is proposed by each tube and settled elsewhere (`shared.py`);
a pass stops above a cut that is not settled yet and says what it would propose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from cytoreg.gating import methods
from cytoreg.gating.binding import Bound
from cytoreg.gating.binned import on_grid
from cytoreg.gating.events import Events, Node
from cytoreg.gating.gates import All, Any_, Gate, Not, Nothing, Reference, contains
from cytoreg.gating.kernel import Population
from cytoreg.gating.methods import CannotFit, Fit
from cytoreg.gating.naming import PART
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT

__all__ = ["Pass", "Placed", "Proposal", "one_pass", "unplaced"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """A concrete gate and where it came from.

    method: `drawn` for geometry of the template. source: `own` events, the `control`, or the `fallback`
    that took over. scope: sample, batch, subject or study. reasons: why it may be doubted.
    """

    gate: Gate
    method: str
    fitted_on: int = 0
    source: str = "own"
    scope: str = "sample"
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What one tube would make of a shared cut."""

    placed: Placed
    scope: str


@dataclass
class Pass:
    """What one pass over the tree found.

    nodes: events of each population gated so far. placed: concrete gates by key (the population's id,
    with PART and 0, 1, ... for the parts of a boolean). applied: the whole gate of each population. proposals:
    shared cuts that must be settled before the pass can go on.
    """

    nodes: dict[str, Node]
    placed: dict[str, Placed] = field(default_factory=dict)
    applied: dict[str, Gate] = field(default_factory=dict)
    proposals: dict[str, Proposal] = field(default_factory=dict)


class _Pending(Exception):
    """A shared cut is not settled yet."""


def one_pass(bound: Bound, events: Events, *, tube: str, settled: Mapping[str, Placed], alone: bool) -> Pass:
    """Gate one sample as far as settled cuts allow.

    tube: `full`, or `fmo:MARKER` for a control. settled: concrete gates by key that are not placed again.
    alone: no other tube shares a cut, so that each is settled by this one.
    """
    n_events = bound.sample.n_events
    root = Node(ROOT, partial(np.arange, n_events), None, n_events)
    found = Pass({ROOT: root})
    if bound.start is not None:
        found.nodes[bound.start] = Node(bound.start, root.positions, root, n_events)
    _decide_drawn(bound, events, found, settled, tube)
    for population in bound.steps:
        name = population.id
        if name in found.nodes:
            continue
        above = found.nodes.get(bound.parents[name])
        needed = [spec.population for spec in population.gate.walk() if spec.population]
        if above is None or any(other not in found.nodes for other in needed):
            continue  # stands below a cut that is not settled
        view = _View(bound, events, above, found.nodes, tube)
        placer = _Placer(view, settled, found, alone)
        try:
            gate = placer.place(population.gate, name)
        except _Pending:
            continue
        found.applied[name] = gate
        found.nodes[name] = (
            Node(name, np.empty(0, dtype=np.int64), above)
            if unplaced(gate, found.applied)
            else _apply(
                on_grid(gate, events.axes) if bound.rule == "flowjo" else gate, name, above, events, found.nodes
            )
        )
    return found


def _decide_drawn(bound: Bound, events: Events, found: Pass, settled: Mapping[str, Placed], tube: str) -> None:
    """The populations that nothing must be fitted for any more, in one pass of the kernel over the file."""
    placer = _Placer(_View(bound, events, found.nodes[ROOT], found.nodes, tube), settled, found, alone=True)
    ready = [Population(name, All(())) for name in found.nodes]
    known = dict.fromkeys(found.nodes)  # in order: a parent comes first
    for population in bound.steps:
        name = population.id
        needed = {bound.parents[name], *(spec.population for spec in population.gate.walk() if spec.population)}
        if name in known or not needed <= known.keys() or not _is_drawn(population.gate, name, settled):
            continue
        gate = placer.place(population.gate, name)
        found.applied[name] = gate
        if unplaced(gate, found.applied):
            gate = Nothing("")
        elif bound.rule == "flowjo":
            gate = on_grid(gate, events.axes)
        ready.append(Population(name, gate, bound.parents[name]))
        known[name] = None
    if len(known) > len(found.nodes):
        decided = events.decide(ready)
        for name in [name for name in known if name not in found.nodes]:
            positions = partial(decided.index, name)
            found.nodes[name] = Node(name, positions, found.nodes[bound.parents[name]], decided.count(name))


def _is_drawn(spec: GateSpec, key: str, settled: Mapping[str, Placed]) -> bool:
    if spec.population is not None:
        return True
    if spec.parts:
        return all(_is_drawn(part, f"{key}{PART}{i}", settled) for i, part in enumerate(spec.parts))
    return spec.geometry is not None or key in settled


def _apply(gate: Gate, name: str, above: Node, events: Events, nodes: Mapping[str, Node]) -> Node:
    columns = {axis: events.display(above, axis) for axis in gate.on}
    members = {other: _member(nodes[other], above, events.sample.n_events) for other in _references(gate)}
    inside = contains(gate, columns, members, len(above.index))
    return Node(name, above.index[inside], above)


def _member(other: Node, above: Node, n_events: int) -> npt.NDArray[np.bool_]:
    member = np.zeros(n_events, dtype=bool)
    member[other.index] = True
    return member[above.index]


def unplaced(gate: Gate, applied: Mapping[str, Gate]) -> bool:
    """Whether a gate, or one that it refers to, could not be placed: the complement of a gate that is nowhere
    is not everything, but as unknown as the gate itself.

    A line of references may be hundreds of gates long, and branch in each: each population is asked once.
    """
    waiting, asked = [gate], set()
    while waiting:
        match waiting.pop():
            case Nothing():
                return True
            case All(parts=parts) | Any_(parts=parts):
                waiting.extend(parts)
            case Not(part=part):
                waiting.append(part)
            case Reference(population=population) if population in applied and population not in asked:
                asked.add(population)
                waiting.append(applied[population])
            case _:
                pass
    return False


def _references(gate: Gate) -> tuple[str, ...]:
    match gate:
        case Reference(population=population):
            return (population,)
        case All(parts=parts) | Any_(parts=parts):
            return tuple(name for part in parts for name in _references(part))
        case Not(part=part):
            return _references(part)
        case _:
            return ()


@dataclass(frozen=True)
class _View:
    """What a method may see; it knows neither the patient nor the outcome."""

    bound: Bound
    events: Events
    above: Node
    nodes: Mapping[str, Node]
    tube: str

    def values(self, on: str) -> Array:
        return self.events.display(self.above, on)

    def values_in(self, population: str, on: str) -> Array | None:
        node = self.nodes.get(population)
        return None if node is None else self.events.display(node, on)

    def control(self, marker: str, on: str) -> Array | None:
        kind, _, lacking = self.tube.partition(":")
        return self.values(on) if kind == "fmo" and lacking.casefold() == marker.casefold() else None


@dataclass
class _Placer:
    view: _View
    settled: Mapping[str, Placed]
    found: Pass
    alone: bool

    def place(self, spec: GateSpec, key: str) -> Gate:
        """The concrete gate of a spec. Raises _Pending where a shared cut in it is not settled."""
        if spec.population is not None:
            return Reference(spec.population)
        if spec.parts:
            parts = tuple(self.place(part, f"{key}{PART}{i}") for i, part in enumerate(spec.parts))
            return Not(parts[0]) if spec.kind == "not" else All(parts) if spec.kind == "all" else Any_(parts)
        if spec.geometry is not None:
            self.found.placed[key] = Placed(spec.geometry, "drawn")
            return spec.geometry
        placed = self.settled.get(key)
        if placed is None:
            if not self._source_ready(spec):
                raise _Pending
            placed = self._fit(spec)
            if spec.by != "sample" and not self.alone:
                self.found.proposals[key] = Proposal(placed, spec.by)
                raise _Pending
        self.found.placed[key] = placed
        return placed.gate

    def _source_ready(self, spec: GateSpec) -> bool:
        """Whether the populations that a method takes its negative cells from are gated already."""
        sources = [source for part in spec.walk() if (source := getattr(part.params, "source", None))]
        gated = [source for source in sources if source in self.view.bound.parents]
        return all(source in self.found.nodes for source in gated)

    def _fit(self, spec: GateSpec) -> Placed:
        scope = spec.by
        if reason := self._lacks(spec.on):
            return self._fall_back(spec, reason)
        try:
            fit = methods.fit(spec.kind, self.view, spec.params)
        except CannotFit as problem:
            return self._fall_back(spec, str(problem))
        source = "control" if spec.kind == "fmo" else "own"
        return Placed(fit.gate, spec.kind, fit.fitted_on, source, scope, fit.reasons, _flags(fit))

    def _fall_back(self, spec: GateSpec, reason: str) -> Placed:
        missing = ("no_control",) if reason.startswith("no FMO control") else ()
        if spec.fallback is None:
            return Placed(Nothing(reason), spec.kind, 0, "own", spec.by, (reason,), (*missing, "not_placed"))
        inner = spec.fallback
        placed = self._fit(inner) if inner.geometry is None else self._drawn(inner.geometry)
        return Placed(
            placed.gate,
            placed.method,
            placed.fitted_on,
            "fallback",
            spec.by,
            (f"{spec.kind}: {reason}", *placed.reasons),
            tuple(dict.fromkeys((*missing, f"fallback:{placed.method}", *placed.flags))),
        )

    def _drawn(self, geometry: Gate) -> Placed:
        if reason := self._lacks(geometry.on):
            return Placed(Nothing(reason), "drawn", reasons=(reason,), flags=("not_placed",))
        return Placed(geometry, "drawn")

    def _lacks(self, on: Sequence[str]) -> str:
        absent = [axis for axis in on if axis not in self.view.bound.axes]
        return f"the panel has no {', '.join(absent)}" if absent else ""


def _flags(fit: Fit) -> tuple[str, ...]:
    return ("doubt",) if fit.reasons else ()
