"""One self-contained offline page for the cohort and one per patient, and the public pictures (`plot`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cytoreg.reports.pages import build

__all__ = ["build"]


def __getattr__(name: str) -> Any:
    if name == "build":
        return import_module("cytoreg.reports.pages").build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
