"""Gates as geometry, in display units, and the one rule of what belongs to an edge.

As in GatingML 2.0 (section 5): an interval holds its minimum and not its maximum; an ellipsoid holds its
surface; a polygon is decided by the even-odd rule, and an event exactly on an edge belongs to the side
that the half-open crossing test gives it (left and lower edges in, right and upper edges out). A value
that is not a number lies in no gate; it is therefore in the complement that `not` gives. An infinity (a
ratio over zero) lies in an interval that is open on its side, and outside every polygon and ellipsoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

__all__ = [
    *("All", "Any_", "Ellipse", "Gate", "Not", "Nothing", "Polygon", "Range", "Rectangle", "Reference"),
    *("contains", "is_definite"),
]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_BLOCK = 65_536


@dataclass(frozen=True)
class Range:
    """min <= x < max on one axis."""

    kind: ClassVar[str] = "range"
    on: tuple[str, ...]
    min: float = -np.inf
    max: float = np.inf

    def contains(self, columns: Sequence[Array]) -> Mask:
        """Mask of shape (n,) from one column of shape (n,)."""
        return _between(columns[0], self.min, self.max)

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it; an open side is left out."""
        return {"range": {"on": self.on[0], **_finite("min", self.min), **_finite("max", self.max)}}


@dataclass(frozen=True)
class Rectangle:
    """min <= x < max on each of any number of axes."""

    kind: ClassVar[str] = "rectangle"
    on: tuple[str, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]

    def contains(self, columns: Sequence[Array]) -> Mask:
        """Mask of shape (n,) from one column an axis."""
        inside = _between(columns[0], self.min[0], self.max[0])
        for column, low, high in zip(columns[1:], self.min[1:], self.max[1:], strict=True):
            inside &= _between(column, low, high)
        return inside

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it; an open side is null."""
        return {"rectangle": {"on": list(self.on), "min": _open(self.min), "max": _open(self.max)}}


@dataclass(frozen=True)
class Polygon:
    """The inside of a closed line by the even-odd rule; it may cross itself."""

    kind: ClassVar[str] = "polygon"
    on: tuple[str, ...]
    vertices: tuple[tuple[float, float], ...]

    def contains(self, columns: Sequence[Array]) -> Mask:
        """Mask of shape (n,) from the columns of x and y."""
        x, y = columns
        corners = np.asarray(self.vertices, dtype=np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
        near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
        inside = np.zeros(len(x), dtype=bool)
        for start in range(0, len(near), _BLOCK):
            block = near[start : start + _BLOCK]
            inside[block] = _even_odd(x[block], y[block], corners)
        return inside

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it."""
        return {
            "polygon": {"on": list(self.on), "vertices": [list(map(float, vertex)) for vertex in self.vertices]}
        }


@dataclass(frozen=True)
class Ellipse:
    """Mahalanobis distance from the center at most `distance`, in any number of dimensions.

    The covariance is that of an ellipse: symmetric and positive definite. Files of others (one of GatingML's own
    compliance tests) hold other matrices; the rule (x - center) inverse(covariance) (x - center) <= distance^2 is
    then followed as it stands, and what lies inside is no ellipse.
    """

    kind: ClassVar[str] = "ellipse"
    on: tuple[str, ...]
    center: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    distance: float = 1.0

    def contains(self, columns: Sequence[Array]) -> Mask:
        """Mask of shape (n,) from one column an axis."""
        precision = np.linalg.inv(np.asarray(self.covariance, dtype=np.float64))
        offsets = [column - middle for column, middle in zip(columns, self.center, strict=True)]
        squared = np.zeros(len(columns[0]))
        with np.errstate(invalid="ignore", over="ignore"):  # an infinity ends as one, or as no number: outside
            for i, first in enumerate(offsets):
                for j, second in enumerate(offsets):
                    squared += precision[i, j] * (first * second)
        inside: Mask = squared <= self.distance * self.distance
        return inside

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it."""
        return {
            "ellipse": {
                "on": list(self.on),
                "center": list(map(float, self.center)),
                "covariance": [list(map(float, row)) for row in self.covariance],
                "distance": float(self.distance),
                **({} if is_definite(self.covariance) else {"definite": False}),
            }
        }


@dataclass(frozen=True)
class Reference:
    """The events of another population of the same sample."""

    kind: ClassVar[str] = "population"
    population: str
    on: tuple[str, ...] = ()

    def describe(self) -> str:
        """The population's name."""
        return self.population


@dataclass(frozen=True)
class Nothing:
    """A gate that could not be placed: it holds no event, and no percentage is made of it."""

    kind: ClassVar[str] = "not placed"
    reason: str
    on: tuple[str, ...] = ()

    def contains(self, columns: Sequence[Array]) -> Mask:
        """A mask of False."""
        return np.zeros(len(columns[0]) if columns else 0, dtype=bool)

    def describe(self) -> dict[str, Any]:
        """Why there is no gate."""
        return {"not placed": {"reason": self.reason}}


@dataclass(frozen=True)
class All:
    """Events that are in every part."""

    kind: ClassVar[str] = "all"
    parts: tuple[Gate, ...]

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of all parts, each once."""
        return _axes(self.parts)

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it."""
        return {"all": [part.describe() for part in self.parts]}


@dataclass(frozen=True)
class Any_:
    """Events that are in at least one part."""

    kind: ClassVar[str] = "any"
    parts: tuple[Gate, ...]

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of all parts, each once."""
        return _axes(self.parts)

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it."""
        return {"any": [part.describe() for part in self.parts]}


@dataclass(frozen=True)
class Not:
    """Events that are not in the part."""

    kind: ClassVar[str] = "not"
    part: Gate

    @property
    def on(self) -> tuple[str, ...]:
        """The axes of the part."""
        return self.part.on

    def describe(self) -> dict[str, Any]:
        """The gate as a template would say it."""
        return {"not": self.part.describe()}


Gate = Range | Rectangle | Polygon | Ellipse | Reference | Nothing | All | Any_ | Not


def contains(gate: Gate, columns: Mapping[str, Array], members: Mapping[str, Mask], n: int) -> Mask:
    """Which of n events are in a gate.

    columns: display values by axis, each of shape (n,). members: for each population that the gate
    refers to, which of the n events are in it.
    """
    match gate:
        case All(parts=parts):
            inside = np.ones(n, dtype=bool)
            for part in parts:
                inside &= contains(part, columns, members, n)
            return inside
        case Any_(parts=parts):
            inside = np.zeros(n, dtype=bool)
            for part in parts:
                inside |= contains(part, columns, members, n)
            return inside
        case Not(part=part):
            return ~contains(part, columns, members, n)
        case Reference(population=population):
            return members[population]
        case Nothing():
            return np.zeros(n, dtype=bool)
        case _:
            return gate.contains([columns[axis] for axis in gate.on])


def is_definite(covariance: Sequence[Sequence[float]]) -> bool:
    """Whether a matrix is symmetric and positive definite, as that of an ellipse is."""
    matrix = np.asarray(covariance, dtype=np.float64)
    return bool(np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix).min() > 0)


def _between(x: Array, low: float, high: float) -> Mask:
    if low == -np.inf and high == np.inf:
        return ~np.isnan(x)
    if low == -np.inf:
        return x < high
    if high == np.inf:
        return x >= low
    return (x >= low) & (x < high)


def _even_odd(x: Array, y: Array, corners: Array) -> Mask:
    inside = np.zeros(len(x), dtype=bool)
    x0, y0 = corners[-1]
    for x1, y1 in corners:
        if y0 != y1:
            crosses = (y0 <= y) != (y1 <= y)
            inside ^= crosses & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
        x0, y0 = x1, y1
    return inside


def _axes(parts: Sequence[Gate]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for part in parts for axis in part.on))


def _finite(key: str, value: float) -> dict[str, float]:
    return {key: float(value)} if np.isfinite(value) else {}


def _open(values: Sequence[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
