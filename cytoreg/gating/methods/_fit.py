"""What every automatic method takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import Gate, Range
from cytoreg.gating.methods._influence import Influence
from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.gating.methods._params import ThresholdParams

__all__ = [
    "Array",
    "By",
    "CannotFit",
    "Fit",
    "Keep",
    "NoControl",
    "ThresholdParams",
    "View",
    "cut_range",
    "enough",
    "few",
    "finite",
    "graded",
    "looked_at",
]

__getattr__ = lazily("cytoreg.gating.methods", {"ThresholdParams": "_params"})  # pydantic loads with it

Array = npt.NDArray[np.float64]
By = Literal["sample", "batch", "subject", "study"]
Pool = Literal["median", "pooled"]
Weigh = Literal["tubes", "events"]
Keep = Literal["above", "below"]


class CannotFit(Exception):
    """A method has nothing to stand on; the message is the reason that the tables and the report give."""


class NoControl(CannotFit):
    """The control that a method takes its cut from was not stained, or is not among the tubes it may use."""


@dataclass(frozen=True)
class Fit:
    """A gate that a method placed: the geometry, the number of events it was placed on, reasons to doubt it.

    score: how sure the placement is, 0 to 1; doubt begins below 0.5 (`graded`). interval: 95 % limits of the cut
    on the display scale, of a method that has its own; an open end is infinite. influence: how the gate moves with
    its events, of a method that can say so without being fitted again.
    """

    gate: Gate
    fitted_on: int
    reasons: tuple[str, ...] = ()
    score: float = 1.0
    interval: tuple[float, float] | None = None
    influence: Callable[[], Influence] | None = field(default=None, compare=False, repr=False)


class View(Protocol):
    """What a method may see of a sample: display values, never who the patient is or how they fared."""

    def values(self, on: str) -> Array:
        """Display values of the parent's events on one axis."""
        ...

    def values_in(self, population: str, on: str) -> Array | None:
        """Display values of another population, or None where it was not gated."""
        ...

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        """Display values of the same parent (or of `source`) in the control for a marker, or None without one.

        kind: `fmo` (the control that lacks the marker), `isotype` or `unstained`.
        """
        ...


def cut_range(on: str, cut: float, keep: Keep) -> Range:
    """The side of a cut that is kept: at or above it, or below it."""
    return Range((on,), min=float(cut)) if keep == "above" else Range((on,), max=float(cut))


def finite(values: Array, least: int, what: str = "events") -> Array:
    """The values that are numbers. Raises CannotFit where they are fewer than `least`."""
    kept = values[np.isfinite(values)]
    if len(kept) < least:
        raise CannotFit(f"too few {what}: {len(kept)}, needs {least}")
    return kept


def looked_at(view: View, params: ThresholdParams) -> Array:
    """The values a method places its cut on. Raises CannotFit where they are too few or were not gated."""
    if params.source is None:
        return finite(view.values(params.on), params.min_events)
    values = view.values_in(params.source, params.on)
    if values is None:
        raise CannotFit(f"population {params.source} was not gated")
    return finite(values, params.min_events, f"events in {params.source}")


def few(n: int, least: int) -> Sequence[str]:
    """A reason to doubt a fit that stands on little."""
    return (f"placed on {n} events only",) if n < 2 * least else ()


def graded(value: float, doubt: float, sure: float) -> float:
    """A measure of how well a gate could be placed, as a score: 0.5 at `doubt`, 1 from `sure` on, straight between.

    `sure` may be above or below `doubt`; on the far side of `doubt` the line goes on down to 0.

    >>> graded(0.3, 0.3, 1.0), graded(2.0, 0.3, 1.0), graded(3.0, 1.0, 0.2)
    (0.5, 1.0, 0.0)
    """
    return min(1.0, max(0.0, 0.5 + 0.5 * (value - doubt) / (sure - doubt)))


def enough(n: int, least: int) -> float:
    """The score of a number of events: 0.5 at twice the least, where `few` ends, 1 from ten times on.

    >>> enough(200, 100), enough(1000, 100)
    (0.5, 1.0)
    """
    return graded(n, 2 * least, 10 * least)
