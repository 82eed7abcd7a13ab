"""What the joint counts, laboratory values and scales of rheumatoid arthritis may be, and arrays of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import LinkError

__all__ = ["COMPONENTS", "Component", "FloatArray", "as_component", "unwrap"]

FloatArray = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Component:
    """A part of a score: its name, allowed range, unit, and whether it is counted in whole numbers."""

    name: str
    low: float
    high: float
    unit: str
    whole: bool = False

    def problem(self, value: float) -> str | None:
        """What is wrong with a value, as `found ..., expected ...`; None where it is allowed or missing.

        >>> COMPONENTS["tender28"].problem(31)
        'found 31, expected a whole number from 0 to 28 joints'
        >>> COMPONENTS["tender28"].problem(float("nan")) is None
        True
        """
        if np.isnan(value):
            return None
        if self.low <= value <= self.high and not (self.whole and value != np.floor(value)):
            return None
        kind = "a whole number from " if self.whole else ""
        return f"found {value:g}, expected {kind}{self.low:g} to {self.high:g} {self.unit}".rstrip()


COMPONENTS: Mapping[str, Component] = {
    component.name: component
    for component in (
        Component("tender28", 0, 28, "joints", whole=True),
        Component("swollen28", 0, 28, "joints", whole=True),
        Component("tender68", 0, 68, "joints", whole=True),
        Component("swollen66", 0, 66, "joints", whole=True),
        Component("esr", 0, 200, "mm/h"),
        Component("crp", 0, 500, "mg/L"),
        Component("patient_global", 0, 100, "mm"),
        Component("evaluator_global", 0, 100, "mm"),
        Component("pain", 0, 100, "mm"),
        Component("haq_di", 0, 3, ""),
    )
}


def as_component(component: Component, value: Any) -> tuple[FloatArray, bool]:
    """Values of a component as a flat float64 array, missing ones NaN; and whether it was a scalar.

    Takes a number, None, a sequence, an array or a pandas Series of any numeric type. Raises `LinkError`,
    naming the component, what was found and what is allowed, for text and for a value out of range.
    """
    scalar = value is None or np.ndim(value) == 0
    listed = value.tolist() if hasattr(value, "tolist") else value
    items = [listed] if scalar else list(listed)
    numbers = np.empty(len(items))
    for position, item in enumerate(items):
        place = component.name if scalar else f"{component.name} (value {position + 1} of {len(items)})"
        numbers[position] = _number(item, place)
        if (wrong := component.problem(numbers[position])) is not None:
            raise LinkError(f"{place}: {wrong}")
    return numbers, scalar


def unwrap(values: Any, scalars: bool) -> Any:
    """The array itself, or its only value where every input was a scalar."""
    return values[0].item() if scalars and hasattr(values[0], "item") else values[0] if scalars else values


def _number(item: Any, place: str) -> float:
    if item is None or isinstance(item, str):
        if item is None or not item.strip():
            return float("nan")
        raise LinkError(f"{place}: found '{item}', expected a number")
    try:
        return float(item)
    except (TypeError, ValueError):  # pandas.NA and NaT refuse: they are missing values
        if type(item).__name__ in {"NAType", "NaTType"}:
            return float("nan")
        raise LinkError(f"{place}: found {item!r}, expected a number") from None
