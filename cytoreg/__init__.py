"""cytoreg: regulatory T cells from FCS files, gated declaratively, joined with clinical response.

The public names load what they need when they are first used, so that `import cytoreg` is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "CytoregError": "cytoreg.errors",
    "FCSError": "cytoreg.errors",
    "TemplateError": "cytoreg.errors",
    "StudyError": "cytoreg.errors",
    "LinkError": "cytoreg.errors",
    "AnalysisError": "cytoreg.errors",
    "StoreError": "cytoreg.errors",
    "MissingDependency": "cytoreg.errors",
    "Sample": "cytoreg.fcs",
    "read_fcs": "cytoreg.fcs",
    "gate": "cytoreg.interop",
    "learn_gate": "cytoreg.interop",
    "learn_prior": "cytoreg.interop",
    "load_template": "cytoreg.interop",
    "load_study": "cytoreg.study",
    "Result": "cytoreg.gating",
    "Run": "cytoreg.study",
    "Study": "cytoreg.study",
    "Template": "cytoreg.gating",
    "run": "cytoreg.study",
    "analyse": "cytoreg.study",
}
_ROOMS = {"clinical": "cytoreg.clinical", "plot": "cytoreg.reports.plot"}

__all__ = [*_HOMES, *_ROOMS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    raise AttributeError(f"module 'cytoreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
