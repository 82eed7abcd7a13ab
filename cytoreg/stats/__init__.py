"""From a declared plan to estimates with intervals, and a sentence for each that a clinician can read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cytoreg.stats.analysis import Analysis, analyse
    from cytoreg.stats.plan import Plan, read_plan
    from cytoreg.stats.plot_points import points, subject_correlation
    from cytoreg.stats.repeated import repeated_measures_correlation

__all__ = [
    "Analysis",
    "Plan",
    "analyse",
    "points",
    "read_plan",
    "repeated_measures_correlation",
    "subject_correlation",
]

_HOME = {
    "Analysis": "analysis",
    "Plan": "plan",
    "analyse": "analysis",
    "points": "plot_points",
    "read_plan": "plan",
    "repeated_measures_correlation": "repeated",
    "subject_correlation": "plot_points",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cytoreg.stats.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
