"""A gate that was drawn or learned on one sample, carried to the others by aligning the parent's cells on each axis.

The template holds what is needed: the gate in the reference's display units and where its parent's cells lay. `cytoreg
learn` writes it. Landmarks and their matching: `_landmarks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat, field_validator, model_validator

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle
from cytoreg.gating.geometry import GEOMETRY
from cytoreg.gating.methods._fit import CannotFit, Fit, View, enough, few, graded
from cytoreg.gating.methods._landmarks import PROBABILITIES, Landmarks, Map, landmarks_of, mapped
from cytoreg.schema import read_schema
from cytoreg.strictmodel import StrictModel
from cytoreg.yamlfile import YamlDocument

FAR = 0.25  # largest difference of the cumulative distributions: so far, the parent is another population
SHAPES = ("range", "rectangle", "polygon", "ellipse")


class _Landmarks(StrictModel):
    """Of the reference's parent on one axis, in display units; quantiles at 1, 5, 10, ..., 95, 99 %."""

    peaks: list[FiniteFloat] = Field(min_length=1)
    main: FiniteFloat
    quantiles: list[FiniteFloat]

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, quantiles: list[float]) -> list[float]:
        if len(quantiles) != len(PROBABILITIES) or sorted(quantiles) != quantiles:
            raise ValueError(f"expected {len(PROBABILITIES)} ascending numbers, found {len(quantiles)}")
        return quantiles

    def plain(self) -> Landmarks:
        return Landmarks(tuple(sorted(self.peaks)), self.main, tuple(self.quantiles))


class Params(StrictModel):
    """on: one axis or more. gate: the shape on the reference, as a template draws it. landmarks: of the reference's
    parent, by axis.

    align: `peaks` (shift, or scale between several peaks), `shift` (the highest peak), `quantiles` (median and
    quartiles), `none`. sample: what the reference was called, for the record.
    """

    on: str | tuple[str, ...] = Field(min_length=1)
    gate: dict[str, Any]
    landmarks: dict[str, _Landmarks]
    align: Literal["peaks", "shift", "quantiles", "none"] = "peaks"
    sample: str = ""
    min_events: int = Field(default=200, ge=20)
    fallback: object = None

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes, one or more."""
        return (self.on,) if isinstance(self.on, str) else self.on

    @property
    def shape(self) -> Gate:
        """The gate on the reference. Raises ValueError where it is none."""
        if len(self.gate) != 1 or (kind := next(iter(self.gate))) not in SHAPES:
            word = next(iter(self.gate), "")
            raise ValueError(f"gate: unknown shape {word!r}; {suggest(str(word), SHAPES)}")
        inner = self.gate[kind]
        if not isinstance(inner, dict):
            raise ValueError(f"gate: expected the keys of a {kind}, found {inner!r}")
        on = self.on if isinstance(self.on, str) else list(self.on)
        try:
            found: Gate = read_schema(
                GEOMETRY[kind], YamlDocument(kind, {"on": on, **inner}), TemplateError
            ).gate()
        except TemplateError as problem:
            raise ValueError(str(problem)) from None
        if found.on != self.axes:
            raise ValueError(f"gate: is on {', '.join(found.on)}, expected {', '.join(self.axes)}")
        return found

    @model_validator(mode="after")
    def _whole(self) -> Params:
        _ = self.shape
        if missing := [axis for axis in self.axes if axis not in self.landmarks]:
            raise ValueError(f"landmarks: none of {', '.join(missing)}")
        if extra := [axis for axis in self.landmarks if axis not in self.axes]:
            raise ValueError(
                f"landmarks: {extra[0]!r} is not an axis of this gate; {suggest(extra[0], self.axes)}"
            )
        return self


def fit(view: View, params: Params) -> Fit:
    """The gate moved to where the parent's cells lie here.

    Its score is that of the number of events and of how alike the parents are once aligned.
    """
    columns = [view.values(axis) for axis in params.axes]
    good = np.logical_and.reduce([np.isfinite(column) for column in columns])
    n = int(np.count_nonzero(good))
    if n < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    maps = []
    reasons = [*few(n, params.min_events)]
    for axis, column in zip(params.axes, columns, strict=True):
        values = column[good]
        if float(values.min()) == float(values.max()):
            raise CannotFit("all values of an axis are equal")
        found = mapped(params.landmarks[axis].plain(), landmarks_of(values), params.align)
        if found.distance > FAR:
            reasons.append(f"{axis}: {found.distance:.0%} of the events lie otherwise than in the reference")
        if found.unmatched and params.align == "peaks":
            reasons.append(f"{axis}: {found.unmatched} peaks are not both here and in the reference")
        maps.append(found)
    score = min(graded(max(found.distance for found in maps), FAR, 0.05), enough(n, params.min_events))
    if any(found.unmatched for found in maps) and params.align == "peaks":
        score = min(score, 0.4)
    return Fit(moved(params.shape, maps), n, tuple(reasons), score)


def moved(gate: Gate, maps: Sequence[Map]) -> Gate:
    """A gate with each of its corners, limits or axes mapped."""
    match gate:
        case Range(on=on, min=low, max=high):
            return Range(on, _limit(maps[0], low), _limit(maps[0], high))
        case Rectangle(on=on, min=lows, max=highs):
            low_there = tuple(_limit(move, limit) for move, limit in zip(maps, lows, strict=True))
            high_there = tuple(_limit(move, limit) for move, limit in zip(maps, highs, strict=True))
            return Rectangle(on, low_there, high_there)
        case Polygon(on=on, vertices=vertices):
            corners = np.asarray(vertices)
            columns = [move(corners[:, i]) for i, move in enumerate(maps)]
            return Polygon(on, tuple((float(x), float(y)) for x, y in zip(*columns, strict=True)))
        case Ellipse(on=on, center=center, covariance=covariance, distance=distance):
            half = distance * np.sqrt(np.diag(np.asarray(covariance)))
            ends = [move(np.array([c - h, c, c + h])) for move, c, h in zip(maps, center, half, strict=True)]
            stretch = np.array([(end[2] - end[0]) / (2 * h) for end, h in zip(ends, half, strict=True)])
            spread = np.asarray(covariance) * np.outer(stretch, stretch)
            middle = tuple(float(end[1]) for end in ends)
            return Ellipse(on, middle, tuple(tuple(map(float, row)) for row in spread), distance)
    raise CannotFit(f"a {gate.kind} cannot be moved")


def _limit(move: Map, limit: float) -> float:
    return float(move(np.array([limit]))[0]) if np.isfinite(limit) else limit
