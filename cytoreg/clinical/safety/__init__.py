"""Safety: adverse events by arm, exposure, laboratory values against their range, CTCAE grades, Hy's law."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.clinical.safety.adverse_events import event_groups
    from cytoreg.clinical.safety.ctcae import ctcae_grade, grade_table
    from cytoreg.clinical.safety.exposure import exposure_rates, poisson_rate
    from cytoreg.clinical.safety.labs import lab_changes
    from cytoreg.clinical.safety.liver import hys_law, hys_law_shifts
    from cytoreg.clinical.safety.onset import onset_table
    from cytoreg.clinical.safety.shift import general_association, shift_table
    from cytoreg.clinical.safety.summary import SAFETY_TABLES, Safety, safety_tables
    from cytoreg.clinical.safety.survival import survival_by_arm, time_to_first_event

__all__ = [
    "SAFETY_TABLES",
    "Safety",
    "ctcae_grade",
    "event_groups",
    "exposure_rates",
    "general_association",
    "grade_table",
    "hys_law",
    "hys_law_shifts",
    "lab_changes",
    "onset_table",
    "poisson_rate",
    "safety_tables",
    "shift_table",
    "survival_by_arm",
    "time_to_first_event",
]

_HOMES = {
    "SAFETY_TABLES": "summary",
    "Safety": "summary",
    "ctcae_grade": "ctcae",
    "event_groups": "adverse_events",
    "exposure_rates": "exposure",
    "general_association": "shift",
    "grade_table": "ctcae",
    "hys_law": "liver",
    "hys_law_shifts": "liver",
    "lab_changes": "labs",
    "onset_table": "onset",
    "poisson_rate": "exposure",
    "safety_tables": "summary",
    "shift_table": "shift",
    "survival_by_arm": "survival",
    "time_to_first_event": "survival",
}

__getattr__ = lazily(__name__, _HOMES)
