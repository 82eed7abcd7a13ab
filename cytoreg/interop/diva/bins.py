"""How FACSDiva decides a region: on a grid of 256 bins an axis, a row at a time.

BD has not published it. The rule was found from an experiment that holds Diva's own counts and means of each
population (docs/explanation/diva.md says what is verified, and on what): an event lies in the bin below it; in
row j, the region holds the bins from round(left) to round(right), left and right being where its outline, whose
corners are not rounded, meets the lower edge of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import Any_, Gate, Polygon, Range, Rectangle

__all__ = ["BINS", "Scale", "cells", "interval", "outline", "part", "rectangle"]

BINS = 256
FAR = 1000.0  # beyond the axis, in axis widths: values off the axis count in its first or last bin


@dataclass(frozen=True)
class Scale:
    """An axis as Diva shows it: display units from `low` to `high`, cut into 256 bins."""

    low: float
    high: float

    def bins(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """Display units in bins, not rounded."""
        return (np.asarray(values, dtype=np.float64) - self.low) * (BINS / (self.high - self.low))

    def edge(self, bin_: int) -> float:
        """Where a bin begins, in display units; the first and the last reach beyond the axis."""
        width = self.high - self.low
        if bin_ <= 0:
            return self.low - FAR * width
        if bin_ >= BINS:
            return self.high + FAR * width
        return self.low + bin_ * (width / BINS)


def cells(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """The bins of a polygon, (256, 256) by [y, x]. corners: (n, 2), in bins. It may cross itself."""
    held = np.zeros((BINS, BINS), dtype=bool)
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    for row in range(BINS):
        crosses = (y0 <= row) != (y1 <= row)
        if not crosses.any():
            continue
        rise = y1[crosses] - y0[crosses]
        along = (row - y0[crosses]) / rise  # from 0 to 1: a slope could be too steep for a number
        at = np.sort(x0[crosses] + along * (x1[crosses] - x0[crosses]))
        for left, right in zip(_nearest(at[::2]), _nearest(at[1::2]), strict=True):
            if right >= 0 and left < BINS:
                held[row, max(left, 0) : right + 1] = True
    return held


def outline(on: tuple[str, str], held: npt.NDArray[np.bool_], x: Scale, y: Scale) -> Gate:
    """The gate that holds exactly these bins: a polygon along their edges, or several."""
    polygons: list[Polygon] = []
    open_: list[list[tuple[int, int, int]]] = []
    for row in range(BINS + 1):
        runs = _runs(held[row]) if row < BINS else []
        polygons += [_along(on, strip, x, y) for strip in open_[len(runs) :]]
        open_ = open_[: len(runs)] + [[] for _ in range(len(runs) - len(open_))]
        for strip, (left, right) in zip(open_, runs, strict=True):
            strip.append((row, left, right))
    if not polygons:
        return Range((on[0],), 0.0, 0.0)
    return polygons[0] if len(polygons) == 1 else Any_(tuple(polygons))


def rectangle(on: tuple[str, str], corners: npt.NDArray[np.float64], x: Scale, y: Scale) -> Gate:
    """A rectangle by the same rule. corners: (n, 2), in bins."""
    left, right = _nearest(np.array([corners[:, 0].min(), corners[:, 0].max()]))
    bottom, top = int(np.ceil(corners[:, 1].min())), int(np.floor(corners[:, 1].max()))
    return Rectangle(
        on,
        (_from(x, left), _from(y, bottom)),
        (max(_to(x, right), _from(x, left)), max(_to(y, top), _from(y, bottom))),
    )


def interval(on: str, ends: npt.NDArray[np.float64], x: Scale) -> Gate:
    """An interval: from round(low) to round(high). ends: (n,), in bins."""
    left, right = _nearest(np.array([ends.min(), ends.max()]))
    return Range((on,), _from(x, left), max(_to(x, right), _from(x, left)))


def part(
    on: tuple[str, str], corners: npt.NDArray[np.float64], at: tuple[float, float], x: Scale, y: Scale
) -> Gate:
    """One part of a quadrant gate, whose parts share no bin: `at`, in bins, is where the dividers cross."""
    column, row = _nearest(np.array([at[0]]))[0], int(np.ceil(at[1]))
    right, above = corners[:, 0].mean() > at[0], corners[:, 1].mean() > at[1]
    low = (_from(x, column) if right else -np.inf, _from(y, row) if above else -np.inf)
    high = (np.inf if right else _from(x, column), np.inf if above else _from(y, row))
    return Rectangle(on, low, high)


def _from(scale: Scale, bin_: int) -> float:
    return -np.inf if bin_ <= 0 else scale.edge(bin_)


def _to(scale: Scale, bin_: int) -> float:
    return np.inf if bin_ >= BINS - 1 else scale.edge(bin_ + 1)


def _nearest(at: npt.NDArray[np.float64]) -> list[int]:
    return [int(value) for value in np.floor(at + 0.5)]


def _runs(row: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First bin and the one after the last of each run."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], row.view(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _along(on: tuple[str, str], strip: list[tuple[int, int, int]], x: Scale, y: Scale) -> Polygon:
    """One run a row: up along the left ends, down along the right ones."""
    up = [(x.edge(left), y.edge(row + end)) for row, left, _ in strip for end in (0, 1)]
    down = [(x.edge(right), y.edge(row + end)) for row, _, right in reversed(strip) for end in (1, 0)]
    return Polygon(on, tuple(_plain(up + down)))


def _plain(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the points in the middle of a straight line."""
    kept: list[tuple[float, float]] = []
    for point in points:
        while len(kept) > 1 and kept[-1][0] == kept[-2][0] == point[0]:
            kept.pop()
        kept.append(point)
    return kept
