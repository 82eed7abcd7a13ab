"""What goes in and out as tables: what labs bring, what a run leaves, and the files that hold it."""

from __future__ import annotations

from cytoreg.lazy import lazily

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

__getattr__ = lazily(__name__, _HOMES)
