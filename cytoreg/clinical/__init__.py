"""From clinic sheets to one row a subject's visit: tables, activity scores, responses, and the link."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cytoreg.clinical.linker import Linked, link
    from cytoreg.clinical.response import acr, eular_response
    from cytoreg.clinical.scores import (
        cdai,
        cdai_category,
        das28_category,
        das28_crp,
        das28_esr,
        haq_di,
        sdai,
        sdai_category,
    )
    from cytoreg.clinical.tables import Clinical, read_clinical

__all__ = [
    "Clinical",
    "Linked",
    "acr",
    "cdai",
    "cdai_category",
    "das28_category",
    "das28_crp",
    "das28_esr",
    "eular_response",
    "haq_di",
    "link",
    "read_clinical",
    "sdai",
    "sdai_category",
]

_HOME = {
    "Clinical": "cytoreg.clinical.tables",
    "read_clinical": "cytoreg.clinical.tables",
    "Linked": "cytoreg.clinical.linker",
    "link": "cytoreg.clinical.linker",
    "acr": "cytoreg.clinical.response",
    "eular_response": "cytoreg.clinical.response",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME.get(name, "cytoreg.clinical.scores")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
