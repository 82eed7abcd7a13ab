"""A cut that several tubes share: proposed by each, settled once, the same for all of the batch.

Where a control made a proposal only controls count; else the full tubes' own; else their fallbacks. What a
control would make of a cut that it is no control for is left out. The cut is the median of the proposals, so
that one odd tube does not move it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from cytoreg.gating.engine import Placed
from cytoreg.gating.gates import Nothing, Range

__all__ = ["settle"]


def settle(proposals: Iterable[tuple[str, Placed]]) -> Placed:
    """One gate from what tubes propose; their order does not matter.

    proposals: the kind of tube (`full`, `fmo:MARKER`) and its gate, at least one.
    """
    everything = list(proposals)
    counting = [placed for tube, placed in everything if tube == "full" or placed.source == "control"]
    offered = counting or [placed for _, placed in everything]
    usable = [placed for placed in offered if isinstance(placed.gate, Range)]
    for source in ("control", "own", "fallback"):
        chosen = [placed for placed in usable if placed.source == source]
        if chosen:
            return _median(chosen)
    reasons = sorted({reason for placed in offered for reason in placed.reasons})
    first = min(offered, key=lambda placed: (placed.method, placed.source))
    flags = tuple(sorted({flag for placed in offered for flag in placed.flags}))
    return Placed(Nothing("; ".join(reasons)), first.method, 0, first.source, first.scope, tuple(reasons), flags)


def _median(chosen: Sequence[Placed]) -> Placed:
    gates = [placed.gate for placed in chosen if isinstance(placed.gate, Range)]
    low, high = median(gate.min for gate in gates), median(gate.max for gate in gates)
    first = min(chosen, key=lambda placed: placed.method)
    reasons = {reason for placed in chosen for reason in placed.reasons if not _of_one_tube(reason)}
    flags = {flag for placed in chosen for flag in placed.flags if flag != "doubt"}
    doubted = sum("doubt" in placed.flags for placed in chosen)
    if 2 * doubted > len(chosen):
        flags.add("doubt")
        reasons.add(f"{doubted} of {len(chosen)} proposals were doubtful")
    cuts = [gate.min if np.isfinite(gate.min) else gate.max for gate in gates]
    if len(cuts) > 1:
        reasons.add(f"median of {len(cuts)} cuts from {min(cuts):.3g} to {max(cuts):.3g}")
    return Placed(
        Range(gates[0].on, low, high),
        first.method,
        sum(placed.fitted_on for placed in chosen),
        first.source,
        first.scope,
        tuple(sorted(reasons)),
        tuple(sorted(flags)),
    )


def _of_one_tube(reason: str) -> bool:
    return reason.startswith("placed on ")
