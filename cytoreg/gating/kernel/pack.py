"""A plan laid out for the compiled kernel: flat arrays of 8-byte fields, every index checked or made here.

A gate that the kernel cannot decide (of a kind it does not know, with a number that is not finite, with an ill
conditioned covariance) leaves its parent's events to NumPy.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Nothing, Polygon, Range, Rectangle, Reference
from cytoreg.gating.kernel import bins, curve
from cytoreg.gating.kernel.plan import Plan

__all__ = ["Packed", "pack"]

CHANNEL = np.dtype([("base", "i8"), ("stride", "i8"), ("wide", "i8")])
SOURCE = np.dtype([("channel", "i8"), ("weight", "f8")])
AXIS = np.dtype(
    [(name, "i8") for name in ("first", "count", "over_first", "over_count")]
    + [(name, "f8") for name in "abc"]
    + [("curved", "i8"), ("offset", "f8")]
    + [(name, "i8") for name in ("shift", "low_key", "n_up", "n_down", "table")]
    + [("error", "f8")]
)
BOUND = np.dtype([("axis", "i8")] + [(name, "f8") for name in ("out_to", "in_from", "in_to", "out_from")])
POLYGON = np.dtype(
    [(name, "i8") for name in ("axis_x", "axis_y", "first", "count", "raster")]
    + [(name, "f8") for name in ("low_x", "low_y", "per_x", "per_y")]
)
ELLIPSE = np.dtype([(name, "i8") for name in ("dims", "axes", "numbers")])
BINNED = np.dtype(
    [(name, "i8") for name in ("axis_x", "axis_y", "cells", "n_x", "n_y")]
    + [(name, "f8") for name in ("low_x", "per_x", "margin_x", "low_y", "per_y", "margin_y")]
)
OP = np.dtype([(name, "i8") for name in ("kind", "domain", "first", "count")])
BOX_OP, POLYGON_OP, ELLIPSE_OP, NOT_OP, SAME_OP, ANY_OP, NOTHING_OP, UNSURE_OP, BINNED_OP = range(9)
SIDE, EDGE = 128, 2  # cells of a raster, and the mark of one that an edge comes near
WORST_CONDITION = 1e8
EVERYTHING = -1


class _Unsupported(Exception):
    """The kernel cannot decide this gate."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Arrays of one plan for `cytoreg_decide`, without the events. channels: the raw channel of each slot."""

    channels: tuple[int, ...]
    sources: npt.NDArray[Any]
    axes: npt.NDArray[Any]
    lines: npt.NDArray[np.float32]
    bounds: npt.NDArray[Any]
    polygons: npt.NDArray[Any]
    vertices: npt.NDArray[np.float64]
    rasters: npt.NDArray[np.uint8]
    ellipses: npt.NDArray[Any]
    numbers: npt.NDArray[np.float64]
    binned: npt.NDArray[Any]
    cells: npt.NDArray[np.uint8]
    operands: npt.NDArray[np.int64]
    ops: npt.NDArray[Any]
    outputs: npt.NDArray[np.int64]

    def header(self, channels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """struct Plan of kernel.c: addresses and lengths. The arrays must outlive its use."""
        fields = [channels.ctypes.data, len(channels), self.sources.ctypes.data]
        fields += [self.axes.ctypes.data, len(self.axes), self.lines.ctypes.data, self.bounds.ctypes.data]
        fields += [self.polygons.ctypes.data, self.vertices.ctypes.data, self.rasters.ctypes.data]
        fields += [self.ellipses.ctypes.data, self.numbers.ctypes.data]
        fields += [self.binned.ctypes.data, self.cells.ctypes.data, self.operands.ctypes.data]
        fields += [self.ops.ctypes.data, len(self.ops), self.outputs.ctypes.data, len(self.outputs)]
        return np.array(fields, dtype=np.int64)


def pack(plan: Plan, library: ctypes.CDLL) -> Packed:
    """Lay out a plan."""
    used = [name for name in plan.axes if any(name in p.gate.on for p in plan.populations)]
    packing = _Packing(plan, library, {name: i for i, name in enumerate(used)})
    for population in plan.populations:
        packing.collect(population.gate)
    channels = plan.channels
    packing.lay_axes({channel: slot for slot, channel in enumerate(channels)})
    for population in plan.populations:
        parent = EVERYTHING if population.parent is None else packing.registers[population.parent]
        packing.registers[population.name] = packing.lay(population.gate, parent)
    return Packed(
        channels=channels,
        sources=_rows(packing.sources, SOURCE),
        axes=_rows(packing.axes, AXIS),
        lines=_joined(packing.lines, np.float32, (0, 2)),
        bounds=_rows(packing.bounds, BOUND),
        polygons=_rows(packing.polygons, POLYGON),
        vertices=_joined(packing.vertices, np.float64, (0, 2)),
        rasters=_joined(packing.rasters, np.uint8, (0,)),
        ellipses=_rows(packing.ellipses, ELLIPSE),
        numbers=np.array(packing.numbers, dtype=np.float64),
        binned=_rows(packing.binned, BINNED),
        cells=_joined(packing.cells, np.uint8, (0,)),
        operands=np.array(packing.operands, dtype=np.int64),
        ops=_rows(packing.ops, OP),
        outputs=np.array([packing.registers[p.name] for p in plan.populations], dtype=np.int64),
    )


@dataclass
class _Packing:
    plan: Plan
    library: ctypes.CDLL
    slots: dict[str, int]
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    registers: dict[str, int] = field(default_factory=dict)
    sources: list[tuple[Any, ...]] = field(default_factory=list)
    axes: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[npt.NDArray[np.float32]] = field(default_factory=list)
    bounds: list[tuple[Any, ...]] = field(default_factory=list)
    polygons: list[tuple[Any, ...]] = field(default_factory=list)
    vertices: list[npt.NDArray[np.float64]] = field(default_factory=list)
    rasters: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    ellipses: list[tuple[Any, ...]] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    binned: list[tuple[Any, ...]] = field(default_factory=list)
    cells: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    ops: list[tuple[int, int, int, int]] = field(default_factory=list)

    def collect(self, gate: Gate) -> None:
        """The display values that polygons and ellipses reach on each axis."""
        match gate:
            case All(parts=parts) | Any_(parts=parts):
                for part in parts:
                    self.collect(part)
            case Not(part=part):
                self.collect(part)
            case Polygon() | Ellipse():
                with contextlib.suppress(_Unsupported):
                    self._widen(gate.on, *_extent(gate))
            case _ if bins.decides(gate):
                self._widen(gate.on, *bins.ends(gate))

    def _widen(self, on: Sequence[str], low: Sequence[Any] | Any, high: Sequence[Any] | Any) -> None:
        for name, least, most in zip(on, low, high, strict=True):
            before = self.spans.get(name, (np.inf, -np.inf))
            self.spans[name] = (min(before[0], float(least)), max(before[1], float(most)))

    def lay_axes(self, slot_of: dict[int, int]) -> None:
        """One row for each axis that a gate uses, its sources, and its table where a polygon or ellipse needs it."""
        n_lines = 0
        for name in self.slots:
            axis, over = self.plan.axes[name], self.plan.axes[name].over
            first = self._lay_sources(axis.sources, slot_of)
            below = self._lay_sources(over.sources, slot_of) if over else 0
            ratio = (below, len(over.sources), over.a, over.b, over.c) if over else (0, 0, 0.0, 0.0, 0.0)
            low, high = self.spans.get(name, (0.0, 0.0))
            curved: tuple[Any, ...]
            if name not in self.spans:  # only limits in linear units look at it
                curved = (1, 0.0, 0, 0, 1, 1, n_lines, 0.0)
                self.lines.append(np.full((2, 2), np.nan, dtype=np.float32))
                n_lines += 2
            elif curve.is_linear(axis.transform):
                self.errors[name] = max(abs(low), abs(high)) * 2.0**-23
                curved = (0, 0.0, 0, 0, 0, 0, 0, 0.0)
            else:
                table = curve.table(axis.transform, low, high)
                self.errors[name] = table.error
                curved = (
                    1,
                    table.offset,
                    table.shift,
                    table.low_key,
                    table.n_up,
                    table.n_down,
                    n_lines,
                    table.error,
                )
                self.lines.append(table.lines)
                n_lines += len(table.lines)
            self.axes.append((first, len(axis.sources), *ratio, *curved))

    def _lay_sources(self, sources: Sequence[tuple[int, float]], slot_of: dict[int, int]) -> int:
        first = len(self.sources)
        self.sources += [(slot_of[channel], weight) for channel, weight in sources]
        return first

    def lay(self, gate: Gate, domain: int) -> int:
        """The operations of a gate on the events of a register; returns the register of what is inside."""
        try:
            return self._lay(gate, domain)
        except _Unsupported:
            return self._op(UNSURE_OP, domain)

    def _lay(self, gate: Gate, domain: int) -> int:
        match gate:
            case Range(on=on, min=low, max=high):
                return self._lay_box(on, (low,), (high,), domain)
            case Rectangle(on=on, min=lows, max=highs):
                return self._lay_box(on, lows, highs, domain)
            case Polygon():
                return self._lay_polygon(gate, domain)
            case Ellipse():
                return self._lay_ellipse(gate, domain)
            case All(parts=()):
                return self._op(BOX_OP, domain)
            case All(parts=parts):
                for part in parts:  # each part looks at what the one before left
                    domain = self.lay(part, domain)
                return domain
            case Any_(parts=parts):
                return self._op(ANY_OP, domain, operands=[self.lay(part, domain) for part in parts])
            case Not(part=part):
                return self._op(NOT_OP, domain, operands=[self.lay(part, domain)])
            case Reference(population=population):
                return self._op(SAME_OP, domain, operands=[self.registers[population]])
            case Nothing():
                return self._op(NOTHING_OP, domain)
            case _ if bins.decides(gate):
                return self._lay_binned(gate, domain)
            case _:
                raise _Unsupported

    def _op(self, kind: int, domain: int, *, first: int = 0, operands: Sequence[int] = ()) -> int:
        if operands:
            first = len(self.operands)
            self.operands += operands
        self.ops.append((kind, domain, first, len(operands)))
        return len(self.ops) - 1

    def _lay_box(self, on: Sequence[str], low: Sequence[float], high: Sequence[float], domain: int) -> int:
        first = len(self.bounds)
        for name, least, most in zip(on, low, high, strict=True):
            if np.isnan(least) or np.isnan(most):
                raise _Unsupported
            found = curve.limits(self.plan.axes[name].transform, least, most)
            self.bounds.append((self.slots[name], found.out_to, found.in_from, found.in_to, found.out_from))
        self.ops.append((BOX_OP, domain, first, len(on)))
        return len(self.ops) - 1

    def _lay_polygon(self, gate: Polygon, domain: int) -> int:
        corners = _corners(gate)
        low, high = _extent(gate)
        with np.errstate(all="ignore"):
            per = ((SIDE - 4) / (high - low)).astype(np.float32).astype(np.float64)
            corner = (low - 2.0 / per).astype(np.float32).astype(np.float64)
            margin = np.array([self.errors[name] for name in gate.on]) * per * 1.01 + SIDE * 2.0**-21
            points = (corners - corner) * per
        raster = sum(len(other) for other in self.rasters)
        if np.isfinite(np.concatenate([per, corner, margin])).all() and np.abs(points).max() < 4 * SIDE:
            cells = np.empty(SIDE * SIDE, dtype=np.uint8)
            points = np.ascontiguousarray(points)
            self.library.cytoreg_raster(
                points.ctypes.data, len(points), float(margin[0]), float(margin[1]), cells.ctypes.data
            )
        else:  # a line, a point, or too large or small for float32: every event is decided in float64
            cells, corner, per = np.full(SIDE * SIDE, EDGE, dtype=np.uint8), np.zeros(2), np.zeros(2)
        self.rasters.append(cells)
        axes = (self.slots[gate.on[0]], self.slots[gate.on[1]])
        first = sum(len(other) for other in self.vertices)
        self.vertices.append(corners)
        self.polygons.append((*axes, first, len(corners), raster, *corner, *per))
        return self._op(POLYGON_OP, domain, first=len(self.polygons) - 1)

    def _lay_ellipse(self, gate: Ellipse, domain: int) -> int:
        precision, _ = _precision(gate)
        self.ellipses.append((len(gate.on), len(self.operands), len(self.numbers)))
        self.operands += [self.slots[name] for name in gate.on]
        self.numbers += [
            *map(float, gate.center),
            *precision.reshape(-1).tolist(),
            float(gate.distance) * float(gate.distance),
        ]
        return self._op(ELLIPSE_OP, domain, first=len(self.ellipses) - 1)

    def _lay_binned(self, gate: Any, domain: int) -> int:
        looks = [self.plan.axes[name].transform for name in gate.on]
        cells = bins.cells_of(gate)
        if cells is None or any(curve.has_gaps(transform) for transform in looks):
            raise _Unsupported
        fields: list[float] = []
        for name, transform, grid in zip(gate.on, looks, gate.grids, strict=True):
            low, per = bins.first_cell(grid)
            margin = 2 * bins.BORDER + 1e-9 * (1 + max(abs(grid.low), abs(grid.high)) * per)
            if not curve.is_linear(transform):
                margin += self.errors[name] * per * 1.01
            fields += [low, per, margin]
            if not np.isfinite(fields).all() or margin >= 0.49:
                raise _Unsupported
        first = sum(len(other) for other in self.cells)
        self.cells.append(cells.reshape(-1))
        self.binned.append((self.slots[gate.on[0]], self.slots[gate.on[1]], first, *cells.shape[::-1], *fields))
        return self._op(BINNED_OP, domain, first=len(self.binned) - 1)


def _extent(gate: Polygon | Ellipse) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the largest display value on each axis that can be inside."""
    if isinstance(gate, Polygon):
        corners = _corners(gate)
        return corners.min(axis=0), corners.max(axis=0)
    center = np.asarray(gate.center, dtype=np.float64)
    half = _precision(gate)[1]
    return center - half, center + half


def _corners(gate: Polygon) -> npt.NDArray[np.float64]:
    corners = np.asarray(gate.vertices, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners) or not np.isfinite(corners).all():
        raise _Unsupported
    with np.errstate(all="ignore"):
        run, rise = (corners - np.roll(corners, 1, axis=0)).T
        slope = run[rise != 0] / rise[rise != 0]
    if not np.isfinite(slope).all():
        raise _Unsupported
    return corners


def _precision(gate: Ellipse) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The inverse covariance, and half the width on each axis, widened by what its rounding may be."""
    covariance = np.asarray(gate.covariance, dtype=np.float64)
    numbers = [*covariance.reshape(-1), *gate.center, gate.distance]
    if not np.isfinite(numbers).all() or covariance.shape != (len(gate.on), len(gate.on)):
        raise _Unsupported
    if np.linalg.cond(covariance) > WORST_CONDITION or np.linalg.eigvalsh((covariance + covariance.T) / 2)[0] <= 0:
        raise _Unsupported
    with np.errstate(all="ignore"):
        half = 1.01 * abs(gate.distance) * np.sqrt(np.diag(covariance))
    if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=0) or not np.isfinite(half).all():
        raise _Unsupported
    return np.linalg.inv(covariance), half


def _rows(rows: Sequence[tuple[Any, ...]], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.array(list(rows), dtype=dtype)


def _joined(parts: Sequence[npt.NDArray[Any]], dtype: Any, empty: tuple[int, ...]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(np.concatenate(parts), dtype=dtype) if parts else np.zeros(empty, dtype=dtype)
