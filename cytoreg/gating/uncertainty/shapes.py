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
from cytoreg.gating.kernel import fits

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
        polygons = [
            (i, np.array(gate.vertices, dtype=np.float64))
            for i, gate in enumerate(self.gates)
            if isinstance(gate, Polygon)
        ]
        same = not self.binned and len(polygons) + sum(isinstance(gate, Nothing) for gate in self.gates) == len(
            self.gates
        )
        if polygons and same and len(on := {gate.on for gate in self.gates if isinstance(gate, Polygon)}) == 1:
            x, y = (columns[axis] for axis in on.pop())
            if fits.in_polygons(x, y, polygons, bits):
                return bits
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
    ellipses = [gate for gate in gates if isinstance(gate, Ellipse)]
    roots = _roots(np.array([gate.covariance for gate in ellipses]))
    if not np.isfinite(roots).all() or not (np.diagonal(roots, axis1=1, axis2=2) > 0).all():
        return None
    to_circle = _inverses(roots[:1])[0]
    angle = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    centers = np.array([gate.center for gate in ellipses])
    lines = roots @ circle * np.array([gate.distance for gate in ellipses])[:, None, None]
    off = to_circle @ (lines + (centers - np.asarray(first.center))[:, :, None])  # (gates, 2, angles)
    if not _around_origin(off):
        return None
    squared = (off * off).sum(axis=1)
    low, high = 0.998 * float(squared.min()), 1.002 * float(squared.max())
    x, y = (column - middle for column, middle in zip(values, first.center, strict=True))
    with np.errstate(invalid="ignore", over="ignore"):
        u = to_circle[0, 0] * x
        v = to_circle[1, 0] * x + to_circle[1, 1] * y
        away = u * u + v * v
        return (away >= low) & (away <= high)


def _inverses(matrices: Array) -> Array:
    """Of (m, 2, 2) matrices. In closed form, as `_roots`: LAPACK's threads cost more than so small a matrix."""
    a, b, c, d = (matrices[:, i, j] for i in (0, 1) for j in (0, 1))
    with np.errstate(all="ignore"):
        return np.stack([d, -b, -c, a], axis=1).reshape(-1, 2, 2) / (a * d - b * c)[:, None, None]


def _roots(matrices: Array) -> Array:
    """Lower Cholesky roots of (m, 2, 2) symmetric matrices; not-a-number where one is not positive definite."""
    with np.errstate(all="ignore"):
        first = np.sqrt(matrices[:, 0, 0])
        across = matrices[:, 1, 0] / first
        last = np.sqrt(matrices[:, 1, 1] - across * across)
    return np.stack([first, np.zeros_like(first), across, last], axis=1).reshape(-1, 2, 2)


def _around_origin(lines: Array) -> bool:
    """Whether closed lines, (m, 2, points), all go round the origin."""
    turned = np.diff(np.unwrap(np.arctan2(lines[:, 1], lines[:, 0]), axis=1), axis=1)
    return bool((np.abs(turned.sum(axis=1)) > np.pi).all())


def _ellipse_bits(columns: Mapping[str, Array], n: int, gates: Sequence[Gate]) -> Bits:
    bits = none_of(n)
    there = [(i, gate) for i, gate in enumerate(gates) if isinstance(gate, Ellipse)]
    on = {gate.on for _, gate in there}
    if len(on) == 1 and len(axes := on.pop()) == 2:
        inverse = _inverses(np.array([gate.covariance for _, gate in there], dtype=np.float64))
        numbers = [
            (i, np.array([*gate.center, *precision.ravel(), gate.distance * gate.distance]))
            for (i, gate), precision in zip(there, inverse, strict=True)
        ]
        if fits.in_ellipses(columns[axes[0]], columns[axes[1]], numbers, bits):
            return bits
    for i, gate in enumerate(gates):
        if isinstance(gate, Ellipse):
            inside = gate.contains([columns[axis] for axis in gate.on])
            bits[inside] |= np.uint64(1 << i)
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
