"""What comes of placing gates: the concrete gate and where it came from, and what tubes tell each other of shared cuts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cytoreg.gating.events import Node
from cytoreg.gating.gates import Gate
from cytoreg.gating.methods import Fit
from cytoreg.gating.spec import GateSpec

__all__ = [
    "DOUBTED",
    "FALLBACK",
    "MOST_OFFERED",
    "SURE",
    "Group",
    "Offer",
    "Pass",
    "Placed",
    "Proposal",
    "thinned",
]

Array = npt.NDArray[np.float64]
MOST_OFFERED = 4096
SURE = 0.5  # below it a gate is in doubt, so that score and flag say the same of every method
FALLBACK = 0.5  # the highest score of a gate that a fallback placed
DOUBTED = 0.49  # the highest score of a gate that there is a reason to doubt


@dataclass(frozen=True)
class Placed:
    """A concrete gate and where it came from.

    method: `drawn` for geometry of the template. source: `own` events, the `control`, or the `fallback`
    that took over. scope: sample, batch, subject or study. reasons: why it may be doubted. score: 0 to 1, doubt
    begins below 0.5; None for geometry that nothing was fitted for. interval: 95 % limits of the cut, where the method
    has its own. level: how many fallbacks down the template. control: the kind of tube whose events made it
    (`fmo:CD25`), empty for a full tube. own: of a shared cut, what this tube alone makes of it. group: what
    the tubes that share it proposed. steps: for each axis of the gate, a difference too small to matter, 2 % of the
    display scale. replicates: the gate in each replicate of the bootstrap, none without one. sways: by how much the events drawn
    to place it move, in each replicate, the log of the share that its population is of the parent; none where they do not.
    """

    gate: Gate
    method: str
    fitted_on: int = 0
    source: str = "own"
    scope: str = "sample"
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    score: float | None = None
    interval: tuple[float, float] | None = None
    level: int = 0
    control: str = ""
    own: Gate | None = None
    group: Group | None = None
    steps: tuple[float, ...] = ()
    replicates: tuple[Gate, ...] = field(default=(), repr=False)
    sways: tuple[float, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Group:
    """Cuts that tubes proposed for one that they share.

    tubes: how many counted. low, high: the outermost. robust_sd: 1.4826 MAD. how: `median`, `pooled` or `pulled`.
    controls: names of the control tubes, where such set it.
    """

    tubes: int
    low: float
    high: float
    robust_sd: float
    how: str = "median"
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offer:
    """Values that a tube puts into a pooled fit: at most some thousand of them, evenly by rank, ascending.

    level: of the spec they were looked at for, how many fallbacks down. n: how many there were.
    """

    spec: GateSpec
    level: int
    values: Array
    n: int


@dataclass(frozen=True)
class Proposal:
    """What one tube would make of a shared cut. spec: as the template asks. offers: for a pooled fit."""

    placed: Placed
    scope: str
    spec: GateSpec
    offers: tuple[Offer, ...] = ()


@dataclass
class Pass:
    """What one pass over the tree found.

    nodes: events of each population gated so far. placed: concrete gates by key (the population's id,
    with PART and 0, 1, ... for the parts of a boolean). applied: the whole gate of each population. proposals:
    shared cuts that must be settled before the pass can go on. awaited: keys of further shared cuts that
    the sample will propose later. fits: what the methods said of the gates that this pass fitted, by key.
    """

    nodes: dict[str, Node]
    placed: dict[str, Placed] = field(default_factory=dict)
    applied: dict[str, Gate] = field(default_factory=dict)
    proposals: dict[str, Proposal] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    fits: dict[str, Fit] = field(default_factory=dict)


def thinned(values: Array, most: int = MOST_OFFERED) -> Array:
    """At most so many of ascending values, evenly by rank, so that every percentile stays where it is."""
    if len(values) <= most:
        return values
    return values[((np.arange(most) + 0.5) * (len(values) / most)).astype(np.int64)]
