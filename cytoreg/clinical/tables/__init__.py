"""What a clinic or a trial hands in: subjects, visits, infusions, adverse events, laboratory values, times to events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.clinical.tables.model import TABLES, UNMATCHED_COLUMNS, Clinical
    from cytoreg.clinical.tables.names import HAQ_AIDS, HAQ_ANSWERS
    from cytoreg.clinical.tables.reading import clinical_from_frames, read_clinical
    from cytoreg.clinical.tables.rules import Rules, Source, read_sources

__all__ = [
    "HAQ_AIDS",
    "HAQ_ANSWERS",
    "TABLES",
    "UNMATCHED_COLUMNS",
    "Clinical",
    "Rules",
    "Source",
    "clinical_from_frames",
    "read_clinical",
    "read_sources",
]

_HOMES = {
    "Clinical": "model",
    "TABLES": "model",
    "UNMATCHED_COLUMNS": "model",
    "HAQ_AIDS": "names",
    "HAQ_ANSWERS": "names",
    "clinical_from_frames": "reading",
    "read_clinical": "reading",
    "Rules": "rules",
    "Source": "rules",
    "read_sources": "rules",
}

__getattr__ = lazily(__name__, _HOMES)
