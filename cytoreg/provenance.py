"""Where numbers come from: hashes of inputs, versions of what computed them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import cytoreg

__all__ = ["ENGINE_VERSION", "digest_of", "file_hash", "versions"]

ENGINE_VERSION = 5  # raised whenever a change makes numbers differ

_PACKAGES = ("numpy", "pandas", "pyarrow", "duckdb", "scipy", "statsmodels", "pydantic")


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(*parts: Any) -> str:
    """SHA-256 of plain data, the same for the same content."""
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Versions of cytoreg, its engine, and what it computes with."""
    return {
        "cytoreg": cytoreg.__version__,
        "engine": str(ENGINE_VERSION),
        **{name: metadata.version(name) for name in packages},
    }
