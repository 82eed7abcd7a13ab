"""One gate in all its replicates: which of them hold an event, as the bits of one number, decided exactly only near the edge.

Bit b of an event's 64 bits says whether it is in replicate b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.binned import on_grid
from cytoreg.gating.events import Axis
from cytoreg.gating.gates import Ellipse, Gate, Nothing, Polygon, Range

__all__ = ["Bits", "Mask", "Moving", "gathered", "none_of", "ones"]

Array = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
_ANGLES = 360


def ones(b: int) -> np.uint64:
    """The bits of an event that is in all of b replicates."""
    return np.uint64((1 << b) - 1)


def none_of(n: int) -> Bits:
    """The bits of n events that are in no replicate."""
    return np.zeros(n, dtype=np.uint64)


def gathered(inside: npt.NDArray[np.bool_]) -> Bits:
    """Bits from booleans (b, n)."""
    bits = none_of(inside.shape[1])
    for i, row in enumerate(inside):
        bits |= row.astype(np.uint64) << np.uint64(i)
    return bits


@dataclass(frozen=True, eq=False)
class Moving:
    """A gate and its replicates. gates: one a replicate; a Nothing where it could not be placed."""

    gate: Gate
    gates: Sequence[Gate]
    axes: Mapping[str, Axis]
    binned: bool = False

    @property
    def placed(self) -> np.uint64:
        """The replicates in which it could be placed."""
        return np.uint64(sum(1 << i for i, gate in enumerate(self.gates) if not isinstance(gate, Nothing)))

    @property
    def on(self) -> tuple[str, ...]:
        """Every axis that a replicate looks at: a fallback may look at others."""
        return tuple(dict.fromkeys(axis for gate in (self.gate, *self.gates) for axis in gate.on))

    def edge(self, columns: Mapping[str, Array], n: int) -> Mask:
        """Which of n events not all of gate and replicates decide alike, (n,); some more may be among them."""
        everything = [self.gate, *(gate for gate in self.gates if not isinstance(gate, Nothing))]
        if len({(type(gate), gate.on) for gate in everything}) == 1 and not self.binned:
            values = [columns[axis] for axis in self.gate.on]
            match self.gate:
                case Range():
                    return _near_cut(values[0], everything)
                case Ellipse() if (
                    len(self.gate.on) == 2 and (edge := _near_ellipse(values, everything)) is not None
                ):
                    return edge
                case Polygon() if _same_corners(everything):
                    return _near_line(values, everything)
        return np.ones(n, dtype=bool)

    def bits(self, columns: Mapping[str, Array], n: int) -> Bits:
        """The replicates that hold each of n events."""
        cuts = [gate for gate in self.gates if isinstance(gate, Range)]
        only_cuts = len(cuts) + sum(isinstance(gate, Nothing) for gate in self.gates) == len(self.gates)
        plain = not self.binned or not any(axis.spec is not None and axis.spec.kept for axis in self.axes.values())
        if only_cuts and plain and len({gate.on for gate in cuts}) == 1:
            return _cut_bits(columns[cuts[0].on[0]], self.gates)
        if self.gates and all(isinstance(gate, Ellipse | Nothing) for gate in self.gates) and not self.binned:
            return _ellipse_bits(columns, n, self.gates)
        bits = none_of(n)
        for i, gate in enumerate(self.gates):
            if not isinstance(gate, Nothing):
                shape: Any = on_grid(gate, self.axes) if self.binned else gate
                inside = shape.contains([columns[axis] for axis in gate.on])
                bits |= inside.astype(np.uint64) << np.uint64(i)
        return bits


def _near_cut(values: Array, gates: Sequence[Gate]) -> Mask:
    near = np.zeros(len(values), dtype=bool)
    for ends in (
        [gate.min for gate in gates if isinstance(gate, Range)],
        [gate.max for gate in gates if isinstance(gate, Range)],
    ):
        low, high = min(ends), max(ends)
        if low < high:
            near |= (values >= low) & (values < high)
    return near


def _cut_bits(values: Array, gates: Sequence[Gate]) -> Bits:
    bits = np.full(len(values), ones(len(gates)), dtype=np.uint64)
    lows = np.array([gate.min if isinstance(gate, Range) else np.inf for gate in gates])
    highs = np.array([gate.max if isinstance(gate, Range) else -np.inf for gate in gates])
    if (lows > -np.inf).any():
        bits &= _at_or_above(values, lows)
    if (highs < np.inf).any():
        bits &= ~_at_or_above(values, highs)
    bits[np.isnan(values)] = 0
    endless = values == np.inf
    if endless.any():  # an open end holds infinity too
        bits[endless] = gathered((highs == np.inf)[:, None])[0]
    return bits


def _at_or_above(values: Array, cuts: Array) -> Bits:
    """The cuts that each value is at or above: one search in the sorted cuts, and a table of who they are."""
    order = np.argsort(cuts, kind="stable")
    table = np.zeros(len(cuts) + 1, dtype=np.uint64)
    np.bitwise_or.accumulate(np.uint64(1) << order.astype(np.uint64), out=table[1:])
    return table[np.searchsorted(cuts[order], values, side="right")]


def _near_ellipse(values: Sequence[Array], gates: Sequence[Gate]) -> Mask | None:
    """Between the smallest and the largest ellipse about the first one's center that the edges of all lie between."""
    first = gates[0]
    assert isinstance(first, Ellipse)
    root = np.linalg.cholesky(np.asarray(first.covariance))
    to_circle = np.linalg.inv(root)
    angle = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    reach = []
    for gate in gates:
        assert isinstance(gate, Ellipse)
        try:
            line = np.linalg.cholesky(np.asarray(gate.covariance)) @ circle * gate.distance
        except np.linalg.LinAlgError:
            return None
        off = to_circle @ (line + (np.asarray(gate.center) - np.asarray(first.center))[:, None])
        if not _around_origin(off):
            return None
        reach.append((off * off).sum(axis=0))
    squared = np.concatenate(reach)
    low, high = 0.998 * float(squared.min()), 1.002 * float(squared.max())
    x, y = (column - middle for column, middle in zip(values, first.center, strict=True))
    with np.errstate(invalid="ignore", over="ignore"):
        u = to_circle[0, 0] * x
        v = to_circle[1, 0] * x + to_circle[1, 1] * y
        away = u * u + v * v
        return (away >= low) & (away <= high)


def _around_origin(line: Array) -> bool:
    """Whether a closed line goes round the origin."""
    turned = np.diff(np.unwrap(np.arctan2(line[1], line[0])))
    return bool(abs(turned.sum()) > np.pi)


def _ellipse_bits(columns: Mapping[str, Array], n: int, gates: Sequence[Gate]) -> Bits:
    bits = none_of(n)
    for i, gate in enumerate(gates):
        if isinstance(gate, Ellipse):
            bits |= gate.contains([columns[axis] for axis in gate.on]).astype(np.uint64) << np.uint64(i)
    return bits


def _same_corners(gates: Sequence[Gate]) -> bool:
    """Whether polygons are convex, turn the same way, and have the same number of corners."""
    corners = [np.asarray(gate.vertices) for gate in gates if isinstance(gate, Polygon)]
    if len({len(each) for each in corners}) != 1:
        return False
    all_corners = np.stack(corners)
    side = np.roll(all_corners, -1, axis=1) - all_corners
    after = np.roll(side, -1, axis=1)
    turn = side[..., 0] * after[..., 1] - side[..., 1] * after[..., 0]
    return bool((turn > 0).all() or (turn < 0).all())


def _near_line(values: Sequence[Array], gates: Sequence[Gate]) -> Mask:
    """Events that are not on one and the same side of an edge in all of some convex polygons.

    An edge is the line a x + b y + c = 0 in coordinates about the middle of the events; what differs between the
    replicates is bounded by the largest differences of a, b and c.
    """
    x, y = values
    fine = np.isfinite(x) & np.isfinite(y)
    if not fine.any():
        return fine
    middle = [float(np.mean(column[fine])) for column in (x, y)]
    size = [max(float(np.std(column[fine])), 1e-300) for column in (x, y)]
    u, v = ((column - m) / s for column, m, s in zip((x, y), middle, size, strict=True))
    corners = np.stack([(np.asarray(g.vertices) - middle) / size for g in gates if isinstance(g, Polygon)])
    side = np.roll(corners, -1, axis=1) - corners
    lines = np.stack([-side[..., 1], side[..., 0]], axis=-1)
    lines /= np.linalg.norm(lines, axis=-1, keepdims=True)
    offset = -(lines * corners).sum(axis=-1)
    near = np.zeros(len(x), dtype=bool)
    with np.errstate(invalid="ignore"):
        for edge in range(corners.shape[1]):
            a, b = lines[:, edge, 0], lines[:, edge, 1]
            c = offset[:, edge]
            da, db, dc = (float(np.abs(each - each[0]).max()) for each in (a, b, c))
            reach = (da * np.abs(u) + db * np.abs(v) + dc) * (1 + 1e-9) + 1e-12
            near |= np.abs(a[0] * u + b[0] * v + c[0]) <= reach
    return near
