"""What every automatic method takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import Gate, Range
from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.gating.methods._params import ThresholdParams

__all__ = [
    "Array",
    "By",
    "CannotFit",
    "Fit",
    "Keep",
    "View",
    "cut_range",
    "few",
    "finite",
    "looked_at",
]

__getattr__ = lazily("cytoreg.gating.methods", {"ThresholdParams": "_params"})  # pydantic loads with it

Array = npt.NDArray[np.float64]
By = Literal["sample", "batch", "subject", "study"]
Keep = Literal["above", "below"]


class CannotFit(Exception):
    """A method has nothing to stand on; the message is the reason that the tables and the report give."""


@dataclass(frozen=True)
class Fit:
    """A gate that a method placed: the geometry, the number of events it was placed on, reasons to doubt it."""

    gate: Gate
    fitted_on: int
    reasons: tuple[str, ...] = ()


class View(Protocol):
    """What a method may see of a sample: display values, never who the patient is or how they fared."""

    def values(self, on: str) -> Array:
        """Display values of the parent's events on one axis."""
        ...

    def values_in(self, population: str, on: str) -> Array | None:
        """Display values of another population, or None where it was not gated."""
        ...

    def control(self, marker: str, on: str) -> Array | None:
        """Display values of the same parent in the control that lacks a marker, or None without one."""
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
