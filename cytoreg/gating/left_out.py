"""What a gate leaves out of its picture, as boxes to veil: an outline alone does not say which side of it is kept.

Of a gate that also looks at axes that are not shown, or at other populations, only that is veiled which it leaves out
whatever those are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, contains, is_definite

__all__ = ["Box", "left_out"]

Box = tuple[float, float, float, float]
Mask = npt.NDArray[np.bool_]
STEPS = 96  # cells an axis, where an edge is not straight


def left_out(gate: Gate, axes: Sequence[str], spans: Sequence[tuple[float, float]]) -> list[Box]:
    """Boxes (x from, x to, y from, y to) in display units within the spans; y from 0 to 1 on one axis.

    None for a single closed line, inside of which is what is kept.
    """
    if _is_closed(gate, axes) or not any(axis in axes for axis in gate.on):
        return []
    edges = [_edges(gate, axis, span) for axis, span in zip(axes, spans, strict=True)]
    edges += [[0.0, 1.0]] * (2 - len(edges))
    middles = [[(a + b) / 2 for a, b in pairwise(cuts)] for cuts in edges]
    x, y = (column.ravel() for column in np.meshgrid(*middles))
    columns = dict(zip(axes, (x, y), strict=False))
    out = ~_possible(gate, columns, len(x)).reshape(len(middles[1]), len(middles[0]))
    return _boxes(out, *edges)


def _is_closed(gate: Gate, axes: Sequence[str]) -> bool:
    match gate:
        case Polygon(on=on):
            return set(on) == set(axes)
        case Ellipse(on=on):
            return set(on) == set(axes) and is_definite(gate.covariance)
        case Rectangle(on=on, min=low, max=high):
            return len(on) == 2 and list(on) == list(axes) and all(map(math.isfinite, (*low, *high)))
    return False


def _possible(gate: Gate, columns: Mapping[str, npt.NDArray[np.float64]], n: int) -> Mask:
    """Where an event may be in the gate, whatever it is on what is not shown."""
    match gate:
        case All(parts=parts):
            return np.logical_and.reduce(
                [np.ones(n, dtype=bool), *(_possible(part, columns, n) for part in parts)]
            )
        case Any_(parts=parts):
            return np.logical_or.reduce(
                [np.zeros(n, dtype=bool), *(_possible(part, columns, n) for part in parts)]
            )
        case Not(part=part):
            return ~_sure(part, columns, n)
        case Rectangle() if not _is_shown(gate, columns):
            return _possible(All(_sides(gate)), columns, n)
        case _ if _is_shown(gate, columns):
            return contains(gate, columns, {}, n)
    return np.ones(n, dtype=bool)


def _sure(gate: Gate, columns: Mapping[str, npt.NDArray[np.float64]], n: int) -> Mask:
    """Where an event is in the gate, whatever it is on what is not shown."""
    match gate:
        case All(parts=parts):
            return np.logical_and.reduce([np.ones(n, dtype=bool), *(_sure(part, columns, n) for part in parts)])
        case Any_(parts=parts):
            return np.logical_or.reduce([np.zeros(n, dtype=bool), *(_sure(part, columns, n) for part in parts)])
        case Not(part=part):
            return ~_possible(part, columns, n)
        case _ if _is_shown(gate, columns):
            return contains(gate, columns, {}, n)
    return np.zeros(n, dtype=bool)


def _is_shown(gate: Gate, columns: Mapping[str, object]) -> bool:
    """Whether the picture says all that a gate of geometry looks at."""
    return isinstance(gate, Range | Rectangle | Polygon | Ellipse) and all(axis in columns for axis in gate.on)


def _sides(gate: Rectangle) -> tuple[Gate, ...]:
    return tuple(Range((axis,), low, high) for axis, low, high in zip(gate.on, gate.min, gate.max, strict=True))


def _edges(gate: Gate, axis: str, span: tuple[float, float]) -> list[float]:
    """Where cells begin and end on an axis: at each straight edge of the gate, and in small steps if it has others."""
    cuts = {cut for cut in _cuts(gate, axis) if span[0] < cut < span[1]}
    if _is_curved(gate):
        cuts.update(np.linspace(*span, STEPS + 1)[1:-1].tolist())
    return [span[0], *sorted(cuts), span[1]]


def _cuts(gate: Gate, axis: str) -> list[float]:
    match gate:
        case All(parts=parts) | Any_(parts=parts):
            return [cut for part in parts for cut in _cuts(part, axis)]
        case Not(part=part):
            return _cuts(part, axis)
        case Range(on=on, min=low, max=high):
            return [low, high] if on[0] == axis else []
        case Rectangle(on=on, min=lows, max=highs):
            return [cut for i, name in enumerate(on) if name == axis for cut in (lows[i], highs[i])]
    return []


def _is_curved(gate: Gate) -> bool:
    match gate:
        case All(parts=parts) | Any_(parts=parts):
            return any(map(_is_curved, parts))
        case Not(part=part):
            return _is_curved(part)
    return isinstance(gate, Polygon | Ellipse)


def _boxes(out: Mask, across: Sequence[float], up: Sequence[float]) -> list[Box]:
    """Cells as few boxes: runs of a row, which go on upwards as long as the next row has the same."""
    open_since: dict[tuple[int, int], int] = {}
    boxes: list[Box] = []
    for row in range(len(out) + 1):
        runs = set(_runs(out[row])) if row < len(out) else set()
        for run in [run for run in open_since if run not in runs]:
            first = open_since.pop(run)
            boxes.append((across[run[0]], across[run[1]], up[first], up[row]))
        for run in runs:
            open_since.setdefault(run, row)
    return sorted(boxes)


def _runs(row: Mask) -> list[tuple[int, int]]:
    """From and to (not included) of each stretch of True."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(steps[::2], steps[1::2], strict=True)]
