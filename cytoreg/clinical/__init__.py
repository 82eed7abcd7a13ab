"""From clinic sheets to one row a subject's visit: tables, activity scores, responses, and the link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.clinical.linker import Linked, link
    from cytoreg.clinical.remission import remission_boolean, remission_cdai, remission_das28, remission_sdai
    from cytoreg.clinical.response import acr, acr_n, eular_response, haq_improved
    from cytoreg.clinical.safety.adverse_events import adverse_events
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
    "acr_n",
    "adverse_events",
    "cdai",
    "cdai_category",
    "das28_category",
    "das28_crp",
    "das28_esr",
    "eular_response",
    "haq_di",
    "haq_improved",
    "link",
    "read_clinical",
    "remission_boolean",
    "remission_cdai",
    "remission_das28",
    "remission_sdai",
    "sdai",
    "sdai_category",
]

_HOMES = {
    "Clinical": "tables",
    "read_clinical": "tables",
    "Linked": "linker",
    "link": "linker",
    "acr": "response",
    "acr_n": "response",
    "adverse_events": "safety.adverse_events",
    "eular_response": "response",
    "haq_improved": "response",
    "remission_boolean": "remission",
    "remission_cdai": "remission",
    "remission_das28": "remission",
    "remission_sdai": "remission",
    "cdai": "scores",
    "cdai_category": "scores",
    "das28_category": "scores",
    "das28_crp": "scores",
    "das28_esr": "scores",
    "haq_di": "scores",
    "sdai": "scores",
    "sdai_category": "scores",
}

__getattr__ = lazily(__name__, _HOMES)
