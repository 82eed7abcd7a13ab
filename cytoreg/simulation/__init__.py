"""Blood that never was: tubes, cohorts and whole studies whose truth is known.

Names load when they are first used, so that importing the room costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "PANELS": "panels",
    "Composition": "biology",
    "Panel": "panels",
    "Instrument": "cells",
    "Tube": "cells",
    "simulate_tube": "cells",
    "Cohort": "cohort",
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
    "Cohort",
    "Composition",
    "Effects",
    "Instrument",
    "Panel",
    "SimulatedSample",
    "Tube",
    "planted_values",
    "simulate_cohort",
    "simulate_samples",
    "simulate_study",
    "simulate_tube",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
