"""What goes in and out as tables: what labs bring, what a run leaves, and the files that hold it."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "SCHEMA_VERSION": "schema",
    "TABLES": "schema",
    "prepare_folder": "store",
    "read_json": "store",
    "read_table": "store",
    "safe_name": "store",
    "write_json": "store",
    "write_tables": "store",
    "Sheet": "sheets",
    "read_sheet": "sheets",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
