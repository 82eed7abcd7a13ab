"""A control that holds the marker after all, as a full tube under its name does.

Then hardly more cells of the full tube lie above its cut than of its own.
"""

from __future__ import annotations

from dataclasses import replace

from cytoreg.gating.binding import Bound
from cytoreg.gating.methods import CONTROLS
from cytoreg.gating.placed import Pass

__all__ = ["doubt_controls", "like_control"]

LIKE_CONTROL = 2.0  # times the control's share above the cut: so few, and half of them may be negative cells
FEWEST_EXPECTED = 5.0  # of the control's share, in all tubes together, below which nothing is said


def like_control(
    kind: str, names: str, count: float, parent: float, expected: float, tubes: int = 1
) -> str | None:
    """Why a control is doubted, or None. count, parent: of full tubes above its cut, and among which; expected: how many if they were
    all negative."""
    if expected < FEWEST_EXPECTED or count > LIKE_CONTROL * expected:
        return None
    return (
        f"{100 * count / parent:.2g} % of the {'tube' if tubes == 1 else f'{tubes} tubes'} lie above the cut and "
        f"{100 * expected / parent:.2g} % of {names}: does that {kind} control hold the marker after all?"
    )


def doubt_controls(bound: Bound, found: Pass) -> None:
    """Flag, in a pass over one tube, the gates whose control it is like. Only a cut that is a population by itself is looked at."""
    for step in bound.steps:
        placed, spec = found.placed.get(step.id), step.gate
        if placed is None or placed.source != "control" or spec.kind not in CONTROLS or spec.kind != placed.method:
            continue
        above = bound.parents[step.id]
        if spec.params.keep != "above" or not {step.id, above} <= found.nodes.keys():
            continue
        count, parent = found.nodes[step.id].count, found.nodes[above].count
        said = like_control(spec.kind, "the control", count, parent, parent * (1 - spec.params.percentile / 100))
        if said is not None:
            found.placed[step.id] = replace(
                placed,
                score=0.0,
                reasons=(*placed.reasons, said),
                flags=tuple(dict.fromkeys((*placed.flags, "doubt"))),
            )
