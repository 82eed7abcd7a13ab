"""Geometry as a template writes it: the schema of each shape, and the gate that it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import Field, FiniteFloat, field_validator, model_validator

from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle, is_definite
from cytoreg.yamlfile import StrictModel

__all__ = ["GEOMETRY", "SIGNS", "Quadrant"]

INFINITY = float("inf")
SIGNS = ("++", "+-", "-+", "--")


class _Range(StrictModel):
    on: str
    min: float = -INFINITY
    max: float = INFINITY

    @model_validator(mode="after")
    def _some_width(self) -> _Range:
        if not self.min <= self.max:  # equal: a gate that holds nothing, as programs may draw it
            raise ValueError(f"expected min below max, found {self.min:g} and {self.max:g}")
        return self

    def gate(self) -> Gate:
        return Range((self.on,), self.min, self.max)


class _Rectangle(StrictModel):
    on: list[str] = Field(min_length=1)
    min: list[float | None]
    max: list[float | None]

    @model_validator(mode="after")
    def _one_each(self) -> _Rectangle:
        if not len(self.on) == len(self.min) == len(self.max):
            raise ValueError(
                f"{len(self.on)} axes need as many min and max, found {len(self.min)}, {len(self.max)}"
            )
        for axis, low, high in zip(self.on, *self._limits(), strict=True):
            if not low <= high:
                raise ValueError(f"expected min below max on {axis}, found {low:g} and {high:g}")
        return self

    def gate(self) -> Gate:
        return Rectangle(tuple(self.on), *self._limits())

    def _limits(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        low = tuple(-INFINITY if value is None else value for value in self.min)
        high = tuple(INFINITY if value is None else value for value in self.max)
        return low, high


class _Polygon(StrictModel):
    on: tuple[str, str]
    vertices: list[tuple[FiniteFloat, FiniteFloat]] = Field(min_length=3)

    def gate(self) -> Gate:
        return Polygon(self.on, tuple(self.vertices))


class _Ellipse(StrictModel):
    on: list[str] = Field(min_length=1)
    center: list[FiniteFloat]
    covariance: list[list[FiniteFloat]]
    distance: FiniteFloat = Field(default=1.0, gt=0, le=1e154)  # its square is compared with

    definite: bool = True

    @model_validator(mode="after")
    def _positive_definite(self) -> _Ellipse:
        import numpy as np

        k = len(self.on)
        if len(self.center) != k or len(self.covariance) != k or any(len(row) != k for row in self.covariance):
            raise ValueError(f"{k} axes need a center of {k} numbers and a covariance of {k} x {k}")
        if self.definite and not is_definite(self.covariance):
            raise ValueError("the covariance must be symmetric and positive definite")
        if np.linalg.matrix_rank(np.asarray(self.covariance)) < k:
            raise ValueError("the covariance cannot be inverted")
        return self

    def gate(self) -> Gate:
        covariance = tuple(tuple(row) for row in self.covariance)
        return Ellipse(tuple(self.on), tuple(self.center), covariance, self.distance)


class Quadrant(StrictModel):
    """Dividers on each axis, and which of the parts between them is kept.

    at: one divider an axis, or an ascending list of them. keep: `++` and so on for one divider on each of two
    axes; else a number an axis, counted from 0 for what lies below the first divider, null for anywhere.
    """

    on: list[str] = Field(min_length=2)
    at: list[list[FiniteFloat]]
    keep: str | list[int | None] | None = None

    @field_validator("at", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return [cut if isinstance(cut, list) else [cut] for cut in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _fits(self) -> Quadrant:
        if len(self.at) != len(self.on):
            raise ValueError(f"{len(self.on)} axes need dividers at {len(self.on)} places, found {len(self.at)}")
        for axis, cuts in zip(self.on, self.at, strict=True):
            if not cuts or any(left >= right for left, right in pairwise(cuts)):
                raise ValueError(f"expected ascending dividers on {axis}, found {cuts}")
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
        return self

    def gate(self) -> Gate:
        if isinstance(self.keep, str):
            return self._part([sign == "+" for sign in self.keep])
        return self._part(self.keep or [])

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
        return Rectangle(tuple(self.on), low, high)


GEOMETRY: Mapping[str, Any] = {
    "range": _Range,
    "rectangle": _Rectangle,
    "polygon": _Polygon,
    "ellipse": _Ellipse,
    "quadrant": Quadrant,
}
"""The word of a template -> its schema, which gives the gate by `gate()`."""
