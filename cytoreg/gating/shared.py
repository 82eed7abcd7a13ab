"""A cut that several tubes share: proposed by each, settled once, whatever the order of the tubes.

Where controls made a cut only controls count, else the full tubes; what a control makes of a cut that it is no
control for is left out. Of these, those count that needed the fewest fallbacks. The cut is the median of the
proposals (`pool: median`), or one fit to the events of all (`pool: pooled`). With `pull` each tube keeps its own cut
unless it lies far from the others'.

How far a tube's own cut lies from the others' is counted in robust SDs, 1.4826 times the median absolute deviation
with the factors for small groups of Croux C, Rousseeuw PJ (Compstat 1992, 411-428); beyond 3.5 it is an outlier
(Iglewicz B, Hoaglin DC. How to Detect and Handle Outliers, ASQC 1993).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import numpy.typing as npt

from cytoreg.gating import methods
from cytoreg.gating.gates import Gate, Nothing, Range
from cytoreg.gating.methods import CannotFit
from cytoreg.gating.methods._fit import graded
from cytoreg.gating.placed import DOUBTED, FALLBACK, MOST_OFFERED, SURE, Group, Offer, Placed, Proposal, thinned

__all__ = ["FAR", "cut_of", "far_from", "robust_sd", "settle", "settle_each"]

Array = npt.NDArray[np.float64]
FAR = 3.5  # robust SDs
FEWEST = 5  # tubes, below which nothing is called far
_SMALL = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}


def settle_each(offered: Mapping[str, tuple[str, Proposal]]) -> dict[str, Placed]:
    """The gate of each tube that shares a cut. offered: name -> kind of tube and what it proposes, at least one.

    All get the same, but for what is their own: `own` (what a tube alone makes of it), the flag
    `far_from_others`, and with `pull` the cut itself.
    """
    names = sorted(offered)
    spec = offered[names[0]][1].spec
    shared = settle((offered[name][0], offered[name][1].placed) for name in names)
    if shared.control and shared.group is not None:
        used = [name for name in names if offered[name][1].placed.control == shared.control]
        shared = replace(shared, group=replace(shared.group, controls=tuple(used)))
    if getattr(spec.params, "pool", "median") == "pooled":
        shared = _pooled([offered[name] for name in names], spec.params.weigh, shared)
    comparable = {
        name: cut
        for name in names
        if _comparable(offered[name], shared) and (cut := cut_of(offered[name][1].placed)) is not None
    }
    steps = shared.steps or max((offered[name][1].placed.steps for name in comparable), default=())
    step = steps[0] if steps else 0.0
    distance = dict(zip(comparable, far_from(list(comparable.values()), step), strict=True))
    return {
        name: _for_tube(shared, offered[name][1].placed, distance.get(name), getattr(spec.params, "pull", None))
        if offered[name][0] == "full"
        else shared
        for name in names
    }


def settle(proposals: Iterable[tuple[str, Placed]]) -> Placed:
    """One gate from what tubes propose, the median; their order does not matter.

    proposals: the kind of tube (`full`, `fmo:MARKER`, ...) and its gate, at least one.
    """
    everything = list(proposals)
    counting = [placed for tube, placed in everything if tube == "full" or _by_control(placed)]
    offered = counting or [placed for _, placed in everything]
    usable = [placed for placed in offered if isinstance(placed.gate, Range)]
    if usable:
        best = min(map(_rank, usable))
        return _median([placed for placed in usable if _rank(placed) == best])
    reasons = sorted({reason for placed in offered for reason in placed.reasons})
    first = min(offered, key=lambda placed: (placed.method, placed.source))
    flags = tuple(sorted({flag for placed in offered for flag in placed.flags}))
    gate = Nothing("; ".join(reasons))
    return Placed(gate, first.method, 0, first.source, first.scope, tuple(reasons), flags, 0.0)


def far_from(cuts: Sequence[float], step: float = 0.0) -> list[float]:
    """How many robust SDs each cut lies from the median of all; 0 where they are too few to say.

    step: the robust SD is taken to be no smaller than this, so that equal cuts make no outlier of one beside them.

    >>> [round(z, 2) for z in far_from([1.0, 1.1, 0.9, 1.05, 3.0], 0.05)]
    [-0.56, 0.56, -1.68, 0.0, 21.81]
    """
    if len(cuts) < FEWEST:
        return [0.0] * len(cuts)
    spread, middle = max(robust_sd(cuts), step), median(cuts)
    return [(cut - middle) / spread if spread > 0 else 0.0 if cut == middle else float("inf") for cut in cuts]


def robust_sd(cuts: Sequence[float]) -> float:
    """1.4826 times the median absolute deviation, corrected for the number of cuts; 0 for fewer than two."""
    n = len(cuts)
    if n < 2:
        return 0.0
    middle = median(cuts)
    return 1.4826 * median(abs(cut - middle) for cut in cuts) * _SMALL.get(n, n / (n - 0.8))


def cut_of(placed: Placed) -> float | None:
    """The place of a gate that is one cut on one axis, else None."""
    gate = placed.gate
    if not isinstance(gate, Range) or np.isfinite(gate.min) == np.isfinite(gate.max):
        return None
    return float(gate.min if np.isfinite(gate.min) else gate.max)


def _by_control(placed: Placed) -> bool:
    return bool(placed.control) or placed.source == "control"


def _rank(placed: Placed) -> tuple[int, int]:
    return placed.level, ("control", "own", "fallback").index(placed.source)


def _comparable(offered: tuple[str, Proposal], shared: Placed) -> bool:
    """A full tube's own cut by the same method as the shared one: nothing else can be told to be far from it."""
    tube, proposal = offered
    placed = proposal.placed
    return (
        tube == "full" and not shared.control and placed.level == shared.level and placed.method == shared.method
    )


def _for_tube(shared: Placed, own: Placed, distance: float | None, pull: float | None) -> Placed:
    """A tube's gate: the shared one, or with `pull` its own; and how far its own lies from the others'."""
    mine = replace(shared, own=own.gate)
    keeps = pull is not None and shared.group is not None and not isinstance(shared.gate, Nothing)
    if distance is None:  # it has no cut of its own that could be compared
        return _pulled(mine, "it could not place its own") if keeps else mine
    far = abs(distance) > FAR
    said, score = (
        f"alone this tube is cut {abs(distance):.1f} robust SDs from the others",
        graded(abs(distance), FAR, FAR / 2),
    )
    if keeps and pull is not None and shared.group is not None:
        if abs(distance) > pull:
            return _pulled(mine, said)
        mine = replace(own, own=own.gate, group=replace(shared.group, how="own"), scope=shared.scope)
    if far:
        return replace(
            mine,
            reasons=(*mine.reasons, said),
            flags=(*mine.flags, "far_from_others"),
            score=min(mine.score if mine.score is not None else 1.0, score),
        )
    return mine


def _pulled(mine: Placed, why: str) -> Placed:
    group = replace(mine.group, how="pulled") if mine.group is not None else None
    score = min(mine.score if mine.score is not None else 1.0, 0.5)
    return replace(
        mine, reasons=(*mine.reasons, f"pulled: {why}"), flags=(*mine.flags, "pulled"), score=score, group=group
    )


def _median(chosen: Sequence[Placed]) -> Placed:
    """The median of cuts of one rank."""
    gates = [placed.gate for placed in chosen if isinstance(placed.gate, Range)]
    low, high = median(gate.min for gate in gates), median(gate.max for gate in gates)
    first = min(chosen, key=lambda placed: (placed.method, placed.control))
    reasons = _kinds(chosen)
    flags = {flag for placed in chosen for flag in placed.flags if flag != "doubt"}
    doubted = sum("doubt" in placed.flags for placed in chosen)
    if 2 * doubted > len(chosen):
        flags.add("doubt")
        if len(chosen) > 1:
            reasons.add(f"{doubted} of {len(chosen)} proposals were doubtful")
    cuts = [gate.min if np.isfinite(gate.min) else gate.max for gate in gates]
    if len(cuts) > 1:
        reasons.add(f"median of {len(cuts)} cuts from {min(cuts):.3g} to {max(cuts):.3g}")
    scores = [placed.score for placed in chosen if placed.score is not None]
    score = median(scores) if scores else None
    if score is not None and "doubt" in flags:
        score = min(score, DOUBTED)
    elif score is not None and score < SURE:
        flags.add("doubt")
        reasons.add(f"the proposals were not sure of it, their median score is {score:.2f}")
    return Placed(
        Range(gates[0].on, low, high),
        first.method,
        sum(placed.fitted_on for placed in chosen),
        first.source,
        first.scope,
        tuple(sorted(reasons)),
        tuple(sorted(flags)),
        score,
        first.interval if len(chosen) == 1 else None,
        first.level,
        first.control,
        group=Group(len(cuts), float(min(cuts)), float(max(cuts)), robust_sd(cuts)),
        steps=max(placed.steps for placed in chosen),
        replicates=_replicates(chosen, gates[0].on),
    )


def _replicates(chosen: Sequence[Placed], on: tuple[str, ...]) -> tuple[Range | Nothing, ...]:
    """In each replicate of the bootstrap the median of what the tubes would make of the cut there."""
    replicates: list[Range | Nothing] = []
    for i in range(max(len(placed.replicates) for placed in chosen)):
        there = [placed.replicates[i] if placed.replicates else placed.gate for placed in chosen]
        cuts = [gate for gate in there if isinstance(gate, Range) and gate.on == on]
        replicates.append(
            Range(on, median(gate.min for gate in cuts), median(gate.max for gate in cuts))
            if cuts
            else Nothing("no tube could place it in this replicate")
        )
    return tuple(replicates)


def _moved(gate: Gate, used: Sequence[Placed]) -> tuple[Gate, ...]:
    """A pooled cut, in each replicate moved by the mean of how far the tubes' own cuts are moved there."""
    cuts = [placed for placed in used if placed.replicates and isinstance(placed.gate, Range)]
    if not cuts or not isinstance(gate, Range):
        return ()
    replicates = []
    for i in range(len(cuts[0].replicates)):
        away = []
        for placed in cuts:
            there, own = placed.replicates[i], placed.gate
            if isinstance(there, Range) and isinstance(own, Range):
                ends = [(there.min, own.min), (there.max, own.max)]
                away += [a - b for a, b in ends if np.isfinite(a) and np.isfinite(b)]
        shift = sum(away) / len(away) if away else 0.0
        replicates.append(Range(gate.on, gate.min + shift, gate.max + shift))
    return tuple(replicates)


def _kinds(chosen: Sequence[Placed]) -> set[str]:
    """The reasons of several proposals; of those that differ in a number only the first, and how many there are."""
    kinds: dict[str, list[str]] = {}
    for placed in chosen:
        for reason in placed.reasons:
            kinds.setdefault(re.sub(r"\d+(\.\d+)?", "#", reason), []).append(reason)
    return {min(said) + (f" ({len(said)} tubes)" if len(set(said)) > 1 else "") for said in kinds.values()}


def _pooled(offered: Sequence[tuple[str, Proposal]], weigh: str, shared: Placed) -> Placed:
    """One fit to the values of all tubes that count, at the first of gate and fallbacks that can be placed.

    shared: the median of the tubes' own cuts, which stands where no pooled fit can be placed.
    """
    failed = []
    by_level: dict[int, list[Offer]] = {}
    for tube, proposal in offered:
        for offer in proposal.offers:
            if (tube == "full") != (offer.spec.kind in methods.CONTROLS):
                by_level.setdefault(offer.level, []).append(offer)
    for level in sorted(by_level):
        spec = by_level[level][0].spec
        usable = [o for o in by_level[level] if o.n >= (1 if weigh == "events" else spec.params.min_events)]
        values = _joined(usable, weigh)
        try:
            fit = methods.fit(spec.kind, _PooledView(values), spec.params)
        except CannotFit as problem:
            failed.append(f"{spec.kind}, pooled: {problem}")
            continue
        flags = [*(["doubt"] if fit.reasons else []), *([f"fallback:{spec.kind}"] if level else [])]
        group = replace(shared.group or Group(0, float("nan"), float("nan"), 0.0), how="pooled")
        said = f"one fit to {sum(o.n for o in usable)} events of {len(usable)} tubes, each {weigh[:-1]} weighing the same"
        return replace(
            shared,
            gate=fit.gate,
            method=spec.kind,
            fitted_on=sum(offer.n for offer in usable),
            source="control" if spec.kind in methods.CONTROLS else "fallback" if level else "own",
            reasons=(*failed, *fit.reasons, said),
            flags=tuple(flags),
            score=min(fit.score, *([DOUBTED] if fit.reasons else []), *([FALLBACK] if level else [1.0])),
            interval=fit.interval,
            level=level,
            group=replace(group, tubes=len(usable)),
            replicates=_moved(
                fit.gate,
                [p.placed for tube, p in offered if (tube == "full") != (spec.kind in methods.CONTROLS)],
            ),
        )
    return replace(shared, reasons=(*failed, *shared.reasons))


def _joined(offers: Sequence[Offer], weigh: str) -> Array:
    """The values of several tubes, ascending: as many of each (`tubes`), or in proportion to its events (`events`)."""
    if not offers:
        return np.empty(0)
    if weigh == "tubes":
        each = [min(MOST_OFFERED, round(median(offer.n for offer in offers)))] * len(offers)
    else:
        share = min(1.0, *(len(offer.values) / offer.n for offer in offers))
        each = [max(1, round(offer.n * share)) for offer in offers]
    return np.sort(np.concatenate([_of(offer.values, n) for offer, n in zip(offers, each, strict=True)]))


def _of(values: Array, n: int) -> Array:
    """n of ascending values, evenly by rank; where there are fewer, some stand twice."""
    return thinned(values, n) if len(values) > n else values[((np.arange(n) + 0.5) * len(values) / n).astype(int)]


@dataclass(frozen=True)
class _PooledView:
    """What a method sees of many tubes: the values that they offered, wherever it looks."""

    pool: Array

    def values(self, on: str) -> Array:
        return self.pool

    def values_in(self, population: str, on: str) -> Array | None:
        return self.pool

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        return self.pool if len(self.pool) else None
