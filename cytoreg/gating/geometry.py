"""Geometry as a template writes it: the schema of each shape, and the gate that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle, is_definite
from cytoreg.schema import Finite, Limits, Schema

__all__ = ["GEOMETRY", "SIGNS", "Quadrant"]

INFINITY = float("inf")
SIGNS = ("++", "+-", "-+", "--")


class _Range(Schema):
    on: str
    min: float = -INFINITY
    max: float = INFINITY

    def check(self) -> None:
        if not self.min <= self.max:  # equal: a gate that holds nothing, as programs may draw it
            raise ValueError(f"expected min below max, found {self.min:g} and {self.max:g}")

    def gate(self) -> Gate:
        return Range((self.on,), self.min, self.max)


_Axes = Annotated[tuple[str, ...], Limits(shortest=1)]


class _Rectangle(Schema):
    on: _Axes
    min: tuple[float | None, ...]
    max: tuple[float | None, ...]

    def check(self) -> None:
        if not len(self.on) == len(self.min) == len(self.max):
            raise ValueError(
                f"{len(self.on)} axes need as many min and max, found {len(self.min)}, {len(self.max)}"
            )
        for axis, low, high in zip(self.on, *self._limits(), strict=True):
            if not low <= high:
                raise ValueError(f"expected min below max on {axis}, found {low:g} and {high:g}")

    def gate(self) -> Gate:
        return Rectangle(self.on, *self._limits())

    def _limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        low = tuple(-INFINITY if value is None else value for value in self.min)
        high = tuple(INFINITY if value is None else value for value in self.max)
        return low, high


class _Polygon(Schema):
    on: tuple[str, str]
    vertices: Annotated[tuple[tuple[Finite, Finite], ...], Limits(shortest=3)]

    def gate(self) -> Gate:
        return Polygon(self.on, self.vertices)


class _Ellipse(Schema):
    on: _Axes
    center: tuple[Finite, ...]
    covariance: tuple[tuple[Finite, ...], ...]
    distance: Annotated[float, Limits(finite=True, above=0, most=1e154)] = 1.0  # its square is compared with
    definite: bool = True

    def check(self) -> None:
        import numpy as np

        k = len(self.on)
        if len(self.center) != k or len(self.covariance) != k or any(len(row) != k for row in self.covariance):
            raise ValueError(f"{k} axes need a center of {k} numbers and a covariance of {k} x {k}")
        if self.definite and not is_definite(self.covariance):
            raise ValueError("the covariance must be symmetric and positive definite")
        if np.linalg.matrix_rank(np.asarray(self.covariance)) < k:
            raise ValueError("the covariance cannot be inverted")

    def gate(self) -> Gate:
        return Ellipse(self.on, self.center, self.covariance, self.distance)


class Quadrant(Schema):
    """Dividers on each axis, and which of the parts between them is kept.

    at: one divider an axis, or an ascending list of them. keep: `++` and so on for one divider on each of two
    axes; else a number an axis, counted from 0 for what lies below the first divider, null for anywhere.
    """

    on: Annotated[tuple[str, ...], Limits(shortest=2)]
    at: tuple[tuple[Finite, ...], ...]
    keep: str | tuple[int | None, ...] | None = None

    @classmethod
    def prepared(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """One divider of an axis may stand without a list."""
        cuts = data.get("at")
        if not isinstance(cuts, list):
            return data
        return {**data, "at": [cut if isinstance(cut, list) else [cut] for cut in cuts]}

    def check(self) -> None:
        if len(self.at) != len(self.on):
            raise ValueError(f"{len(self.on)} axes need dividers at {len(self.on)} places, found {len(self.at)}")
        for axis, cuts in zip(self.on, self.at, strict=True):
            if not cuts or any(left >= right for left, right in pairwise(cuts)):
                raise ValueError(f"expected ascending dividers on {axis}, found {list(cuts)}")
        if isinstance(self.keep, str):
            if not self._is_plain() or self.keep not in SIGNS:
                raise ValueError(f"expected one of {', '.join(SIGNS)}, found {self.keep!r}")
        elif self.keep is not None:
            if len(self.keep) != len(self.on):
                raise ValueError(
                    f"{len(self.on)} axes need {len(self.on)} numbers to keep, found {len(self.keep)}"
                )
            for axis, cuts, place in zip(self.on, self.at, self.keep, strict=True):
                if place is not None and not 0 <= place <= len(cuts):
                    raise ValueError(f"{axis} has the parts 0 to {len(cuts)}, found {place}")
        elif not self._is_plain():
            raise ValueError("keep is required: which part between the dividers of each axis")

    def gate(self) -> Gate:
        if isinstance(self.keep, str):
            return self._part([sign == "+" for sign in self.keep])
        return self._part(self.keep or ())

    def parts(self) -> dict[str, Rectangle]:
        """The four of one divider on each of two axes, by name."""
        x, y = self.on
        return {f"{x}{k[0]}{y}{k[1]}": self._part([sign == "+" for sign in k]) for k in SIGNS}

    def _is_plain(self) -> bool:
        return len(self.on) == 2 and all(len(cuts) == 1 for cuts in self.at)

    def _part(self, keep: Sequence[int | None]) -> Rectangle:
        edges = [(-INFINITY, *cuts, INFINITY) for cuts in self.at]
        low = tuple(-INFINITY if i is None else edge[i] for i, edge in zip(keep, edges, strict=True))
        high = tuple(INFINITY if i is None else edge[i + 1] for i, edge in zip(keep, edges, strict=True))
        return Rectangle(self.on, low, high)


GEOMETRY: dict[str, Any] = {
    "range": _Range,
    "rectangle": _Rectangle,
    "polygon": _Polygon,
    "ellipse": _Ellipse,
    "quadrant": Quadrant,
}
