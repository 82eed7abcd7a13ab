"""One self-contained offline page for the cohort and one per patient, and the public pictures (`plot`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.reports.pages import build

__all__ = ["build"]

__getattr__ = lazily(__name__, {"build": "pages"})
