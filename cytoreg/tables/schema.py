"""The tables a run leaves, their columns in order, and the version of this layout."""

from __future__ import annotations

__all__ = ["SAFETY", "SAFETY_TEXT", "SCHEMA_VERSION", "TABLES", "TEXT"]

SCHEMA_VERSION = 1

_SAMPLE = ("sample_id", "subject_id", "visit", "panel")
_PER_UL = ("cells_per_ul", "cells_per_ul_low", "cells_per_ul_high", "cells_per_ul_by")
_INTERVALS = ("ci_low", "ci_high", "ci_count_low", "ci_count_high", "ci_gate_low", "ci_gate_high")

_COUNTS = ("subjects", "percent", "events", "p_value", "n")
# Safety: every row is of an arm, none of a subject.
SAFETY: dict[str, tuple[str, ...]] = {
    "adverse_events": (
        *("soc", "term", "arm", *_COUNTS, "patient_years", "rate", "rate_low", "rate_high"),
        *("years_at_risk", "incidence", "incidence_low", "incidence_high"),
    ),
    "adverse_event_groups": ("measure", "level", "arm", *_COUNTS),
    "time_to_event": (
        *("event", "arm", "n", "events", "median", "median_low", "median_high", "p_value", "p_all"),
    ),
    "labs": (
        *("test", "unit", "visit", "arm", "n", "mean", "sd", "median", "minimum", "maximum"),
        *("change_n", "change", "change_sd", "change_low", "change_high"),
    ),
    "lab_shifts": ("test", "arm", "baseline", "after", "subjects", "percent", "n", "p_value"),
    "lab_grades": ("term", "grade", "arm", "subjects", "percent", "p_value", "n", "graded"),
    "liver": ("level", "arm", "subjects", "percent", "p_value", "n"),
}

TABLES: dict[str, tuple[str, ...]] = {
    "populations": (
        *_SAMPLE,
        *("population", "population_id", "name", "count", "parent", "parent_count", "percent_parent"),
        *("percent_total", *_INTERVALS, *_PER_UL, "flags"),
    ),
    "percentages": (*_SAMPLE, "percentage", "value", "count", "ancestor_count", *_INTERVALS, *_PER_UL, "flags"),
    "absolute": (
        *_SAMPLE,
        *("method", "preparation", "beads", "beads_added", "sample_volume_ul", "bead_lot", "reference_population"),
        *("reference_per_ul", "reference_per_ul_low", "reference_per_ul_high", "from_sample", "cv_percent"),
        *("reason", "flags"),
    ),
    "intensities": (
        *_SAMPLE,
        *("population", "marker", "channel", "count", "median", "geometric_mean", "robust_sd", "robust_cv"),
        "percent_above",
    ),
    "quality": (
        *_SAMPLE,
        *("tube", "batch", "file", "events", "events_removed", "removed_why", "margin_percent", "margin_channel"),
        *("bottom_percent", "bottom_channel", "doublets_percent", "unsteady_percent", "unsteady_channels"),
        *("rate_percent", "clog_percent"),
        *("problems", "skipped", "score", "least_sure", "flags"),
    ),
    "failures": (*_SAMPLE, "file", "stage", "error"),
    "unmatched": ("side", "subject_id", "visit", "sample_id", "reason"),
    "linked": ("subject_id", "visit"),
    "associations": (
        *("analysis", "type", "term", "outcome", "predictor", "arm", "visit", "contrast", "n_subjects"),
        *("n_observations", "estimate", "se", "df", "statistic", "ci_low", "ci_high", "p_value", "p_adjusted"),
        *("family", "primary", "note", "status"),
    ),
    "claims": (
        *("analysis", "about", "term", "arm", "contrast", "outcome", "direction"),
        *("estimate", "ci_low", "ci_high", "p_value", "p_adjusted", "family", "status", "verdict"),
    ),
    "imputed": ("column", "visit", "subjects", "missing", "imputed"),
    "infusions": ("subject_id",),
    **SAFETY,
}

TEXT = frozenset(
    {
        *_SAMPLE,
        *("method", "preparation", "bead_lot", "reference_population", "from_sample", "cells_per_ul_by"),
        *("population", "population_id", "name", "parent", "flags", "percentage", "marker", "channel", "tube"),
        *(
            "batch",
            "file",
            "removed_why",
            "margin_channel",
            "bottom_channel",
            "unsteady_channels",
            "problems",
            "skipped",
            "least_sure",
            "stage",
            "error",
            "side",
            "reason",
        ),
        *("analysis", "type", "term", "outcome", "predictor", "arm", "contrast", "family", "note", "status"),
        *("about", "direction", "verdict", "column"),
    }
)

# Of the safety tables alone: a clinic may well call a number `grade` or `level`.
SAFETY_TEXT = TEXT | {"soc", "measure", "level", "event", "test", "unit", "baseline", "after", "grade"}
