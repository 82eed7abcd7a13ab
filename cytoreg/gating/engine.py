"""Fit, then apply: one pass over the tree of one sample, each step on its parent's events only.

An automatic method looks at the parent's events and leaves a concrete gate (`placing.py`); the concrete gate decides
the events. A cut that tubes share (`by: batch`) is proposed by each tube and settled elsewhere (`shared.py`);
a pass stops above a cut that is not settled yet and says what it would propose.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from cytoreg.gating.binding import Bound
from cytoreg.gating.binned import on_grid
from cytoreg.gating.events import Events, Node
from cytoreg.gating.gates import All, Any_, Gate, Not, Nothing, Reference, contains
from cytoreg.gating.kernel import Population
from cytoreg.gating.naming import PART
from cytoreg.gating.placed import Pass, Placed, Proposal
from cytoreg.gating.placing import Pending, Placer, View, automatic
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT

__all__ = ["Pass", "Placed", "Proposal", "one_pass", "root_of", "unplaced"]


def one_pass(bound: Bound, events: Events, *, tube: str, settled: Mapping[str, Placed], alone: bool) -> Pass:
    """Gate one sample as far as settled cuts allow.

    tube: `full`, or the control it is (`fmo:MARKER`, `isotype`, `unstained`). settled: concrete gates by key that are not placed again.
    alone: no other tube shares a cut, so that each is settled by this one.
    """
    root = root_of(bound, events)
    found = Pass({ROOT: root})
    if bound.start is not None:
        found.nodes[bound.start] = Node(bound.start, root.positions, root, root.size)
    _decide_drawn(bound, events, found, settled, tube)
    for population in bound.steps:
        name = population.id
        if name in found.nodes:
            continue
        above = found.nodes.get(bound.parents[name])
        needed = [spec.population for spec in population.gate.walk() if spec.population]
        if above is None or any(other not in found.nodes for other in needed):
            continue  # stands below a cut that is not settled
        view = View(bound, events, above, found.nodes, tube)
        placer = Placer(view, settled, found, alone)
        try:
            gate = placer.place(population.gate, name)
        except Pending:
            continue
        found.applied[name] = gate
        found.nodes[name] = (
            Node(name, np.empty(0, dtype=np.int64), above)
            if unplaced(gate, found.applied)
            else _apply(
                on_grid(gate, events.axes) if bound.rule == "flowjo" else gate, name, above, events, found.nodes
            )
        )
    if found.proposals:
        later = [step for step in bound.steps if step.id not in found.nodes]
        shared = {key for step in later for key, spec in automatic(step.gate, step.id) if spec.by != "sample"}
        found.awaited = frozenset(shared - found.placed.keys() - found.proposals.keys())
    return found


def root_of(bound: Bound, events: Events) -> Node:
    """All events of the file, but for those that acquisition quality leaves out where that was asked for."""
    n_events = bound.sample.n_events
    kept = events.quality.kept if events.remove else None
    if kept is None:
        return Node(ROOT, partial(np.arange, n_events), None, n_events)
    return Node(ROOT, np.flatnonzero(kept), None)


def _decide_drawn(bound: Bound, events: Events, found: Pass, settled: Mapping[str, Placed], tube: str) -> None:
    """The populations that nothing must be fitted for any more, in one pass of the kernel over the file."""
    placer = Placer(View(bound, events, found.nodes[ROOT], found.nodes, tube), settled, found, alone=True)
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
        if events.remove and events.quality.kept is not None:
            decided = decided.within(events.quality.kept)
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
    rows = np.flatnonzero(inside)
    return Node(name, above.index[rows], above, taken=rows)


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
