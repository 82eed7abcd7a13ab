"""The compiled kernel: found beside this file, and checked to be of this source."""

from __future__ import annotations

import ctypes
import os
import sys
import zlib
from functools import cache
from pathlib import Path

__all__ = ["TILE", "NotThere", "library", "status"]

HERE = Path(__file__).parent
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
BINARY = HERE / f"_kernel{SUFFIX}"
WHY_NOT = HERE / "_kernel_not_built.txt"
TILE = 256  # events that kernel.c decides together


class NotThere(Exception):
    """There is no compiled kernel to use; the message says why."""


def status() -> str:
    """`native`, or `numpy (reason)`: what decides gates here."""
    try:
        library()
    except NotThere as problem:
        return f"numpy ({problem})"
    return "native"


@cache
def _load() -> ctypes.CDLL | str:
    if os.environ.get("CYTOREG_KERNEL") == "numpy":
        return "CYTOREG_KERNEL=numpy is set"
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return "it needs a 64-bit Python"
    if not BINARY.is_file():
        return WHY_NOT.read_text(encoding="utf-8").strip() if WHY_NOT.is_file() else "it was not built"
    try:
        found = ctypes.CDLL(str(BINARY))
        found.cytoreg_source.restype = found.cytoreg_tile.restype = found.cytoreg_scratch.restype = ctypes.c_int64
        source, tile = found.cytoreg_source(), found.cytoreg_tile()
        expected = zlib.crc32((HERE / "kernel.c").read_bytes())
    except (OSError, AttributeError) as problem:
        return f"it cannot be loaded: {problem}".replace("\n", " ")
    if source != expected or tile != TILE:
        return "it was built from another version; install cytoreg again"
    number, address = ctypes.c_int64, ctypes.c_void_p
    found.cytoreg_scratch.argtypes = [number, number, number]
    found.cytoreg_decide.argtypes = [address, number, number, number, address, address, number, address]
    found.cytoreg_decide.restype = found.cytoreg_raster.restype = None
    real = ctypes.c_double
    found.cytoreg_raster.argtypes = [address, number, real, real, address]
    found.cytoreg_order.argtypes = [address, number, address, number, address, address]
    found.cytoreg_histogram.argtypes = [address, number, address, number, address]
    found.cytoreg_bins.argtypes = [address, number, real, real, number, address]
    found.cytoreg_thin.argtypes = [address, address, number, number, address, address, address]
    found.cytoreg_order.restype = found.cytoreg_histogram.restype = None
    found.cytoreg_bins.restype = found.cytoreg_thin.restype = None
    found.cytoreg_in_ellipse.argtypes = [address, address, number, address, number, address]
    found.cytoreg_in_polygon.argtypes = [address, address, number, address, number, number, address]
    found.cytoreg_in_ellipse.restype = found.cytoreg_in_polygon.restype = None
    found.cytoreg_em.argtypes = [address, number, number, number, real, number, real, number, real]
    found.cytoreg_em.argtypes += [address, address, address]
    found.cytoreg_valleys.argtypes = [address, number, real, real, address, address]
    found.cytoreg_em.restype = found.cytoreg_valleys.restype = number
    return found


def library() -> ctypes.CDLL:
    """The loaded kernel. Raises NotThere."""
    found = _load()
    if isinstance(found, str):
        raise NotThere(found)
    return found
