"""The counting rule `flowjo`: polygons and ellipses decided on a grid of bins of the display axes.

FlowJo does not decide each event against a gate's true shape. It cuts each display axis into bins, moves
vertices and events to whole bins, counts events off the axis in its first and last bin, and decides by the rule
of Java's `Polygon.contains`. Rectangles and ranges are exact. What of this is verified, and on what, stands in
docs/explanation/flowjo.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.events import Axis
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle
from cytoreg.transforms import Arcsinh, Biexponential, Linear

__all__ = ["BinnedEllipse", "BinnedPolygon", "BinnedRange", "BinnedRectangle", "Grid", "grid_of", "on_grid"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_BLOCK = 65_536
_BORDER = 1e-6  # bins: how well the place of a vertex is known


@dataclass(frozen=True)
class Grid:
    """One display axis cut into bins: from `low` to `high` in display units.

    nearest: events and vertices go to the nearest bin, as on a linear axis; else to the bin they are in.
    kept: FlowJo 9 kept events as whole channels, so many to the axis, and moved vertices only to bins.
    """

    low: float
    high: float
    bins: int = 256
    nearest: bool = False
    kept: int | None = None

    def events(self, display: Array) -> Array:
        """The bins of events, float64 of the same shape; what is not a number stays so."""
        if self.kept is not None:
            channel = self._scaled(display, self.kept)
            channel = np.floor(channel) if self.nearest else np.floor(channel + 0.5)
            return np.clip(channel, 0, self.kept - 1) * (self.bins / self.kept)
        bins = self._scaled(display, self.bins)
        return np.clip(np.floor(bins + 0.5) if self.nearest else np.floor(bins), 0, self.bins - 1)

    def vertices(self, display: Array) -> Array:
        """The bins of vertices; those off the axis stay there."""
        bins = self._scaled(display, self.bins)
        if self.nearest or self.kept is not None:
            bins = bins + 0.5
        # one that was drawn on the border of a bin comes from linear values and decimals a digit beside it
        with np.errstate(invalid="ignore"):  # an open end
            return np.where(np.abs(bins - np.round(bins)) < _BORDER, np.round(bins), np.floor(bins))

    def display(self, bins: Array) -> Array:
        """Display units of bins."""
        return self.low + bins * ((self.high - self.low) / self.bins)

    def _scaled(self, display: Array, bins: int) -> Array:
        return (np.asarray(display, dtype=np.float64) - self.low) / (self.high - self.low) * bins


@dataclass(frozen=True)
class BinnedPolygon:
    """A polygon on a grid. shape: the true one, in display units."""

    shape: Polygon
    grids: tuple[Grid, Grid]

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of the shape."""
        return self.shape.on

    def contains(self, columns: Any) -> Mask:
        """Mask of shape (n,) from the display columns of x and y."""
        corners = np.asarray(self.shape.vertices, dtype=np.float64)
        px, py = (grid.vertices(corners[:, i]) for i, grid in enumerate(self.grids))
        mirrored = any(grid.kept is not None for grid in self.grids)
        inside = np.zeros(len(columns[0]), dtype=bool)
        for start in range(0, len(inside), _BLOCK):
            x, y = (
                grid.events(column[start : start + _BLOCK])
                for grid, column in zip(self.grids, columns, strict=True)
            )
            inside[start : start + _BLOCK] = (
                _java_contains(-x, y, -px, py) if mirrored else _java_contains(x, y, px, py)
            )
        return inside

    def describe(self) -> dict[str, Any]:
        """The true shape as a template would say it."""
        return self.shape.describe()


@dataclass(frozen=True)
class BinnedRange:
    """A range of FlowJo 9: events as channels, limits in the nearest bin, the upper one in and the lower one out."""

    shape: Range
    grid: Grid

    @property
    def on(self) -> tuple[str, ...]:
        """The axis of the shape."""
        return self.shape.on

    def contains(self, columns: Any) -> Mask:
        """Mask of shape (n,) from the display column; a limit at an end of the axis holds all beyond it."""
        bins = self.grid.events(columns[0])
        low, high = self.grid.vertices(np.array([self.shape.min, self.shape.max]))
        inside = ~np.isnan(bins)
        if low > 0:
            inside &= bins > low
        if high < self.grid.bins:
            inside &= bins <= high
        return inside

    def describe(self) -> dict[str, Any]:
        """The true shape as a template would say it."""
        return self.shape.describe()


@dataclass(frozen=True)
class BinnedRectangle:
    """A rectangle of FlowJo 9: events and limits in the bin that they are in, its rows one lower than its columns.

    FlowJo 10 decides rectangles exactly; this is for axes whose events were `kept` as channels.
    """

    shape: Rectangle
    grids: tuple[Grid, Grid]

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of the shape."""
        return self.shape.on

    def contains(self, columns: Any) -> Mask:
        """Mask of shape (n,) from the display columns of x and y."""
        inside = np.ones(len(columns[0]), dtype=bool)
        for i, (grid, column) in enumerate(zip(self.grids, columns, strict=True)):
            plain = replace(grid, nearest=False, kept=None)
            low, high = plain.vertices(np.array([self.shape.min[i], self.shape.max[i]])) - i
            bins = plain.events(column)
            inside &= (bins >= low) & (bins < high)
        return inside

    def describe(self) -> dict[str, Any]:
        """The true shape as a template would say it."""
        return self.shape.describe()


@dataclass(frozen=True)
class BinnedEllipse:
    """An ellipse that holds an event where it holds the event's bin. shape: in display units."""

    shape: Ellipse
    grids: tuple[Grid, ...]

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of the shape."""
        return self.shape.on

    def contains(self, columns: Any) -> Mask:
        """Mask of shape (n,) from one display column an axis."""
        binned = [grid.display(grid.events(column)) for grid, column in zip(self.grids, columns, strict=True)]
        return self.shape.contains(binned)

    def describe(self) -> dict[str, Any]:
        """The true shape as a template would say it."""
        return self.shape.describe()


def on_grid(gate: Gate, axes: Mapping[str, Axis]) -> Any:
    """The same gate with its polygons and ellipses (and FlowJo 9's rectangles and ranges) on the grid of their axes."""
    match gate:
        case All(parts=parts):
            return All(tuple(on_grid(part, axes) for part in parts))
        case Any_(parts=parts):
            return Any_(tuple(on_grid(part, axes) for part in parts))
        case Not(part=part):
            return Not(on_grid(part, axes))
        case Polygon():
            x, y = (grid_of(axes[name]) for name in gate.on)
            return BinnedPolygon(gate, (x, y))
        case Range(on=(name,)) if grid_of(axes[name]).kept:
            return BinnedRange(gate, grid_of(axes[name]))
        case Rectangle(on=(_, _)) if all(grid_of(axes[name]).kept for name in gate.on):
            x, y = (grid_of(axes[name]) for name in gate.on)
            return BinnedRectangle(gate, (x, y))
        case Ellipse():
            return BinnedEllipse(gate, tuple(grid_of(axes[name]) for name in gate.on))
        case _:
            return gate


def grid_of(axis: Axis) -> Grid:
    """The bins of an axis: as its template states them, else 256 from end to end of its scale.

    A linear axis goes from 0 to the top of its channel where nothing is stated, as does an arcsinh.
    """
    scale, spec = axis.transform, axis.spec
    linear = isinstance(scale, Linear)
    low, high = (spec.low, spec.high) if spec is not None else (None, None)
    if isinstance(scale, Biexponential):
        ends: tuple[float, float] = (0.0, float(scale.length))
    elif isinstance(scale, Linear | Arcsinh):
        ends = (0.0, float(scale.forward(np.array([axis.channel.top]))[0]))
    else:
        ends = (0.0, float(getattr(scale, "M", 1.0)))
    if low is not None:
        ends = (float(scale.forward(np.array([low]))[0]), ends[1])
    if high is not None:
        ends = (ends[0], float(scale.forward(np.array([high]))[0]))
    if not ends[1] > ends[0]:
        ends = (ends[0], ends[0] + 1.0)
    bins = spec.bins if spec is not None else 256
    return Grid(*ends, bins=bins, nearest=linear, kept=spec.kept if spec is not None else None)


def _java_contains(x: Array, y: Array, px: Array, py: Array) -> Mask:
    """`java.awt.Polygon.contains(double, double)`: even-odd, left and lower edges in, right and upper edges out.

    The arithmetic is Java's, in its order: on whole bins many events lie exactly on an edge.
    """
    inside = np.zeros(len(x), dtype=bool)
    last_x, last_y = px[-1], py[-1]
    for this_x, this_y in zip(px, py, strict=True):
        if this_y != last_y:
            (low_x, low_y), (high_x, high_y) = sorted(
                ((this_x, this_y), (last_x, last_y)), key=lambda point: point[1]
            )
            reached = (y >= low_y) & (y < high_y)
            with np.errstate(invalid="ignore"):
                across = (y - low_y) / (high_y - low_y) * (high_x - low_x)
                inside ^= reached & (x < max(low_x, high_x)) & ((x < min(low_x, high_x)) | (x - low_x < across))
        last_x, last_y = this_x, this_y
    return inside
