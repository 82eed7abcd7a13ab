"""Events off the ends of an axis: limits that are given, or that leave out what is piled up at an end.

As openCyto's boundary and flowCore's boundaryFilter: a detector that is driven beyond its range stores its last value, and
one that is clipped below stores its first, so that many events share one value. Such values are no measurements.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from cytoreg.gating.gates import Gate, Range, Rectangle
from cytoreg.gating.methods._fit import Array, CannotFit, Fit, View, enough, few, graded
from cytoreg.strictmodel import StrictModel

MANY = 0.1  # of the events left out: so many, and the tube rather than a few events is off scale
CLOSE = 0.01  # of the events: what lies next to the end says how many would share a value by chance


class Params(StrictModel):
    """on: one axis or more. min, max: a limit for each axis in display units; null finds it from the events.

    pile: how many times as many events as their neighbours must share the last value to be left out.
    """

    on: str | tuple[str, ...] = Field(min_length=1)
    min: FiniteFloat | list[FiniteFloat | None] | None = None
    max: FiniteFloat | list[FiniteFloat | None] | None = None
    pile: float = Field(default=5.0, gt=1)
    min_events: int = Field(default=100, ge=1)
    fallback: object = None

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes, one or more."""
        return (self.on,) if isinstance(self.on, str) else self.on

    def limits(self, which: str) -> list[float | None]:
        """`min` or `max`, one an axis."""
        said = getattr(self, which)
        return said if isinstance(said, list) else [said] * len(self.axes)

    @model_validator(mode="after")
    def _one_each(self) -> Params:
        for which in ("min", "max"):
            if len(found := self.limits(which)) != len(self.axes):
                raise ValueError(f"{which}: {len(self.axes)} axes need as many limits, found {len(found)}")
        for axis, low, high in zip(self.axes, self.limits("min"), self.limits("max"), strict=True):
            if low is not None and high is not None and not low < high:
                raise ValueError(f"expected min below max on {axis}, found {low:g} and {high:g}")
        return self


def fit(view: View, params: Params) -> Fit:
    """The range or rectangle of what was measured; doubtful where it leaves out a tenth of the events or more."""
    columns = [view.values(axis) for axis in params.axes]
    good = np.logical_and.reduce([np.isfinite(column) for column in columns])
    n = int(np.count_nonzero(good))
    if n < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    low, high = [], []
    kept = np.ones(n, dtype=bool)
    for column, asked_low, asked_high in zip(columns, params.limits("min"), params.limits("max"), strict=True):
        values = column[good]
        found = np.sort(values)
        low.append(-_end(-found[::-1], params.pile) if asked_low is None else asked_low)
        high.append(_above(_end(found, params.pile)) if asked_high is None else asked_high)
        if not low[-1] < high[-1]:
            raise CannotFit("all values are equal")
        kept &= (values >= low[-1]) & (values < high[-1])
    lost = 1 - float(kept.mean())
    reasons = [*few(n, params.min_events)]
    if lost > MANY:
        reasons.append(f"{lost:.0%} of the events lie off the ends of the axes")
    gate: Gate = (
        Range(params.axes, low[0], high[0])
        if len(params.axes) == 1
        else Rectangle(params.axes, tuple(low), tuple(high))
    )
    return Fit(gate, n, tuple(reasons), min(graded(lost, MANY, 0.0), enough(n, params.min_events)))


def _end(ascending: Array, pile: float) -> float:
    """The highest value that is a measurement: the last one, or the one below it where that is piled up.

    How many events would share the last value by chance: the mean for the values next to it, those of 1 % of the events.
    """
    last = ascending[-1]
    below = ascending[: int(np.searchsorted(ascending, last))]
    piled = len(ascending) - len(below)
    if not len(below) or piled < 3:
        return float(last)
    near = below[-max(10, round(CLOSE * len(ascending))) :]
    usual = len(near) / len(np.unique(near))
    return float(below[-1]) if piled > pile * usual else float(last)


def _above(value: float) -> float:
    """The next number: a maximum does not belong to its gate."""
    return math.nextafter(value, math.inf)
