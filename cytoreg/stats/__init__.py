"""From a declared plan to estimates with intervals, and a sentence for each that a clinician can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

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

_HOMES = {
    "Analysis": "analysis",
    "Plan": "plan",
    "analyse": "analysis",
    "points": "plot_points",
    "read_plan": "plan",
    "repeated_measures_correlation": "repeated",
    "subject_correlation": "plot_points",
}

__getattr__ = lazily(__name__, _HOMES)
