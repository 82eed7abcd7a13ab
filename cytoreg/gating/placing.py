"""Places the gates of one step on one sample: draws what is drawn, fits what is automatic, falls back and says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cytoreg.gating import methods
from cytoreg.gating.binding import Bound
from cytoreg.gating.events import Axis, Events, Node
from cytoreg.gating.gates import All, Any_, Gate, Not, Nothing, Reference
from cytoreg.gating.methods import CONTROLS, CannotFit, NoControl
from cytoreg.gating.naming import PART
from cytoreg.gating.placed import DOUBTED, FALLBACK, SURE, Offer, Pass, Placed, Proposal, thinned
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT
from cytoreg.markers import means

__all__ = ["Pending", "Placer", "View", "automatic"]

Array = npt.NDArray[np.float64]


class Pending(Exception):
    """A shared cut is not settled yet."""


@dataclass(frozen=True)
class Seen:
    """All that a method, ours or a plug-in's, is handed of a sample: values, and neither its name nor its keywords."""

    values: Callable[[str], Array]
    values_in: Callable[[str, str], Array | None]
    control: Callable[..., Array | None]


@dataclass(frozen=True)
class View:
    """The values of one step's parent, of other populations of the tube, and of the tube as a control."""

    bound: Bound
    events: Events
    above: Node
    nodes: Mapping[str, Node]
    tube: str

    def seen(self) -> Seen:
        """What of it a method is handed."""
        return Seen(self.values, self.values_in, self.control)

    def values(self, on: str) -> Array:
        return self.events.display(self.above, on)

    def values_in(self, population: str, on: str) -> Array | None:
        node = self.nodes.get(population)
        return None if node is None else self.events.display(node, on)

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        mine, _, lacking = self.tube.partition(":")
        if mine != kind or (kind == "fmo" and not means(lacking, marker, self.bound.template.markers)):
            return None
        if source is None:
            return self.values(on)
        values = self.values_in(source, on)
        return np.empty(0) if values is None else values


@dataclass
class Placer:
    view: View
    settled: Mapping[str, Placed]
    found: Pass
    alone: bool

    def place(self, spec: GateSpec, key: str) -> Gate:
        """The concrete gate of a spec. Raises Pending where a shared cut in it is not settled."""
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
                raise Pending
            placed = self._fit(spec, key)
            if spec.by != "sample" and not self.alone:
                self.found.proposals[key] = Proposal(placed, spec.by, spec, tuple(self._offers(spec)))
                raise Pending
        self.found.placed[key] = placed
        return placed.gate

    def _source_ready(self, spec: GateSpec) -> bool:
        """Whether the populations that a method takes its negative cells from are gated already."""
        sources = [source for part in spec.walk() if (source := getattr(part.params, "source", None))]
        gated = [source for source in sources if source in self.view.bound.parents]
        return all(source in self.found.nodes for source in gated)

    def _fit(self, spec: GateSpec, key: str) -> Placed:
        if reason := self._lacks(spec.on):
            return self._fall_back(spec, CannotFit(reason), key)
        try:
            fit = methods.fit(spec.kind, self.view.seen(), spec.params)
        except CannotFit as problem:
            return self._fall_back(spec, problem, key)
        self.found.fits[key] = fit
        by_control = spec.kind in CONTROLS
        above = self._doubts_above(spec) if by_control else []
        reasons = (*fit.reasons, *(reason for reason, _ in above))
        score = min((fit.score, *(score for _, score in above)))
        if not reasons and score < SURE:
            reasons = (f"the method is not sure of it, its score is {score:.2f}",)
        return Placed(
            fit.gate,
            spec.kind,
            fit.fitted_on,
            "control" if by_control else "own",
            spec.by,
            reasons,
            ("doubt",) if reasons else (),
            min(score, DOUBTED) if reasons else score,
            fit.interval,
            control=self.view.tube if by_control else "",
            steps=tuple(_step(self.view.bound.axes[axis]) for axis in fit.gate.on),
        )

    def _fall_back(self, spec: GateSpec, problem: CannotFit, key: str) -> Placed:
        reason, missing = str(problem), ("no_control",) if isinstance(problem, NoControl) else ()
        if spec.fallback is None:
            flags = (*missing, "not_placed")
            return Placed(Nothing(reason), spec.kind, 0, "own", spec.by, (reason,), flags, 0.0)
        inner = spec.fallback
        placed = self._fit(inner, key) if inner.geometry is None else self._drawn(inner.geometry)
        return replace(
            placed,
            source="fallback",
            scope=spec.by,
            reasons=(f"{spec.kind}: {reason}", *placed.reasons),
            flags=tuple(dict.fromkeys((*missing, f"fallback:{placed.method}", *placed.flags))),
            score=FALLBACK if placed.score is None else min(placed.score, FALLBACK),
            level=placed.level + 1,
        )

    def _doubts_above(self, spec: GateSpec) -> list[tuple[str, float]]:
        """What is doubtful of the gates that a control's events came through: reasons and scores."""
        bound, found = self.view.bound, []
        start = getattr(spec.params, "source", None) or self.view.above.name
        for step in bound.line(start) if start != ROOT else ():
            for key, placed in self.found.placed.items():
                if key.partition(PART)[0] == step and {"doubt", "not_placed"} & set(placed.flags):
                    why = "; ".join(placed.reasons)
                    found.append((f"in the control, {bound.name(step)}: {why}", placed.score or 0.0))
        return found

    def _offers(self, spec: GateSpec, level: int = 0) -> Iterator[Offer]:
        """What this tube puts into a pooled fit, for the gate and for each fallback of it."""
        if getattr(spec.params, "pool", "median") == "pooled" or level:
            from cytoreg.gating.methods import ThresholdParams  # pydantic: drawn gates do without it

            one_cut = isinstance(spec.params, ThresholdParams) and not self._lacks(spec.on)
            if one_cut and (values := self._seen(spec)) is not None:
                yield Offer(spec, level, thinned(values), len(values))
            if spec.fallback is not None:
                yield from self._offers(spec.fallback, level + 1)

    def _seen(self, spec: GateSpec) -> Array | None:
        """The finite values that a method with one cut looks at, ascending."""
        on, source = spec.on[0], getattr(spec.params, "source", None)
        if spec.kind in CONTROLS:
            values = self.view.control(on, on, spec.kind, source)
        else:
            values = self.view.values(on) if source is None else self.view.values_in(source, on)
        return None if values is None else np.sort(values[np.isfinite(values)])

    def _drawn(self, geometry: Gate) -> Placed:
        if reason := self._lacks(geometry.on):
            return Placed(Nothing(reason), "drawn", reasons=(reason,), flags=("not_placed",), score=0.0)
        return Placed(geometry, "drawn")

    def _lacks(self, on: Sequence[str]) -> str:
        absent = [axis for axis in on if axis not in self.view.bound.axes]
        return f"the panel has no {', '.join(absent)}" if absent else ""


def _step(axis: Axis) -> float:
    """2 % of the display scale of an axis, from 0 to the top of its channel; 0 where it has none, as a ratio."""
    with np.errstate(all="ignore"):
        low, high = axis.transform.forward(np.array([0.0, axis.channel.top]))
    span = float(high - low)
    return 0.02 * span if np.isfinite(span) and span > 0 and axis.ratio is None else 0.0


def automatic(spec: GateSpec, key: str) -> Iterator[tuple[str, GateSpec]]:
    """The automatic gates in a spec, each by its key."""
    for i, part in enumerate(spec.parts):
        yield from automatic(part, f"{key}{PART}{i}")
    if spec.params is not None:
        yield key, spec
