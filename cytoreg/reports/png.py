"""A grid of event counts as a small PNG in a data address (PNG specification, 3rd edition, W3C 2025)."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import StoreError

__all__ = ["density_uri", "grid_of", "png"]

# From nearly white to a deep blue in steps whose lightness falls evenly.
STOPS = ("#E6F0F8", "#BDD8EC", "#85B9DC", "#4A94C6", "#1F6DA8", "#0C4680", "#062650")
Counts = npt.NDArray[np.uint16]
Pixels = npt.NDArray[np.uint8]


def grid_of(picture: Mapping[str, Any]) -> Counts:
    """The counts of a picture: shape (ny, nx), row 0 the lowest y. Raises StoreError where they are damaged."""
    shape = (int(picture["ny"]), int(picture["nx"]))
    try:
        stored = np.frombuffer(zlib.decompress(base64.b64decode(picture["grid"])), dtype="<u2")
        return stored.reshape(shape)
    except (ValueError, zlib.error):
        raise StoreError(
            f"picture of {picture.get('population', '?')}: its grid is damaged, expected {shape[0]} x {shape[1]} counts"
        ) from None


def density_uri(counts: Counts) -> str:
    """Counts as a picture in a `data:` address: empty bins clear, the others by the logarithm of their count."""
    top = np.log1p(float(counts.max(initial=0))) or 1.0
    level = np.log1p(counts.astype(np.float64)) / top
    index = np.where(counts == 0, 0, 1 + np.rint(level * 254)).astype(np.uint8)
    data = png(index[::-1], palette())
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def palette() -> Pixels:
    """256 colours, shape (256, 3): 0 is the white of empty bins, 1 to 255 run from light to dark."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in STOPS], dtype=np.float64)
    places = np.linspace(0, 1, len(stops))
    ramp = np.column_stack([np.interp(np.linspace(0, 1, 255), places, stops[:, k]) for k in range(3)])
    return np.vstack([[255.0, 255.0, 255.0], ramp]).round().astype(np.uint8)


def png(index: Pixels, colours: Pixels) -> bytes:
    """An 8-bit palette PNG. index: (height, width), top row first. colours: (256, 3); entry 0 is transparent."""
    height, width = index.shape
    rows = b"".join(b"\x00" + row.tobytes() for row in np.ascontiguousarray(index))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"PLTE", colours.tobytes()),
        (b"tRNS", b"\x00"),
        (b"IDAT", zlib.compress(rows, 6)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
