"""Writes and reads the tables of a run: CSV and Parquet side by side, and a DuckDB file over them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import StoreError
from cytoreg.fcs.atomic import replace_whole
from cytoreg.tables.schema import SAFETY, SAFETY_TEXT, SCHEMA_VERSION, TABLES, TEXT

__all__ = ["prepare_folder", "read_json", "read_table", "safe_name", "write_json", "write_tables"]

DATABASE = "results.duckdb"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def prepare_folder(folder: Path) -> Path:
    """Make a results folder, or see that one can be written to. Raises StoreError where it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise StoreError(
            f"{folder}: the output folder cannot be written to: {problem.strerror or problem}"
        ) from None
    return folder


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables, each whole or not at all; those named take the place of earlier ones.

    Text that a spreadsheet would take for a formula gets an apostrophe in front in the CSV; the Parquet
    file holds it as it is.
    """
    for name, frame in tables.items():
        ordered = _ordered(name, frame)
        replace_whole(folder / f"{name}.parquet", partial(ordered.to_parquet, index=False))
        replace_whole(folder / f"{name}.csv", partial(_plain(ordered).to_csv, index=False, na_rep=""))
    replace_whole(folder / DATABASE, lambda path: _database(folder, path))


def read_table(folder: Path, name: str) -> pd.DataFrame | None:
    """A table of a results folder, or None where that run left none."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as problem:
        raise StoreError(f"{path}: is not a table of cytoreg: {str(problem).splitlines()[0]}") from None


def write_json(path: Path, content: Any) -> None:
    """Write plain data as JSON, whole or not at all; what is not a number becomes null."""
    text = json.dumps(_jsonable(content), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StoreError(f"{path}: cannot be written: {problem.strerror or problem}") from None
    replace_whole(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def read_json(path: Path) -> Any:
    """What a JSON file of a results folder holds. Raises StoreError where it is not there or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path}: there is no such file; is {path.parent} a results folder?") from None
    except (OSError, ValueError) as problem:
        raise StoreError(f"{path}: cannot be read: {problem}") from None


def safe_name(identifier: str) -> str:
    """A file name for any identifier; what had to be changed is told apart by a hash.

    >>> safe_name("P01_baseline")
    'P01_baseline'
    >>> safe_name("P/1") == safe_name("P?1")
    False
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", identifier)[:80].lstrip(".") or "_"
    if plain == identifier:
        return plain
    return f"{plain}-{hashlib.sha256(identifier.encode()).hexdigest()[:8]}"


def _ordered(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """All columns of the layout, in its order, text as text; further columns after them."""
    columns = TABLES.get(name, ())
    ordered = frame.reindex(columns=[*columns, *(c for c in frame.columns if c not in columns)])
    for column in ordered.columns:
        if column in (SAFETY_TEXT if name in SAFETY else TEXT):
            ordered[column] = ordered[column].astype("string").fillna("")
        elif name in TABLES and column in columns and column != "primary":
            ordered[column] = pd.to_numeric(ordered[column], errors="coerce")
    ordered["schema_version"] = SCHEMA_VERSION
    return ordered


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    plain = frame.copy()
    for column in plain.columns:
        if not pd.api.types.is_numeric_dtype(plain[column]) and not pd.api.types.is_bool_dtype(plain[column]):
            plain[column] = [
                f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
                for value in plain[column]
            ]
    return plain


def _database(folder: Path, path: Path) -> None:
    import duckdb

    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as database:
        for table in sorted(folder.glob("*.parquet")):
            name = table.stem.replace('"', "")
            database.execute(f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet(?)', [str(table)])  # noqa: S608


def _jsonable(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _jsonable(value) for key, value in content.items()}
    if isinstance(content, list | tuple | set | frozenset):
        return [_jsonable(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float):
        return content if np.isfinite(content) else None
    if content is None or isinstance(content, str | int | bool):
        return content
    return str(content)
