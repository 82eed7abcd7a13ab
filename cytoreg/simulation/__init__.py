"""Blood that never was: tubes, cohorts and whole studies whose truth is known.

Names load when they are first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from cytoreg.lazy import lazily

_HOMES = {
    "PANELS": "panels",
    "Composition": "biology",
    "Panel": "panels",
    "Instrument": "cells",
    "Tube": "cells",
    "simulate_tube": "cells",
    "Cohort": "cohort",
    "Course": "course",
    "TRIALS": "course",
    "Trial": "trial",
    "simulate_trial": "trial",
    "trial_plan": "trial_plan",
    "trial_planted": "trial_planted",
    "Effects": "disease",
    "SCENARIOS": "disease",
    "simulate_cohort": "cohort",
    "planted_values": "planted",
    "SimulatedSample": "study",
    "simulate_samples": "study",
    "simulate_study": "study",
}

__all__ = [
    "PANELS",
    "SCENARIOS",
    "TRIALS",
    "Cohort",
    "Composition",
    "Course",
    "Effects",
    "Instrument",
    "Panel",
    "SimulatedSample",
    "Trial",
    "Tube",
    "planted_values",
    "simulate_cohort",
    "simulate_samples",
    "simulate_study",
    "simulate_trial",
    "simulate_tube",
    "trial_plan",
    "trial_planted",
]

__getattr__ = lazily(__name__, _HOMES)
