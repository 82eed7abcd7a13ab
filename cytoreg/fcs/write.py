"""Write events as FCS 3.1 list mode, floats of 32 or 64 bits, little-endian."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError, StoreError
from cytoreg.fcs.spillover import Spillover

__all__ = ["write_fcs"]

_DELIMITERS = "|/\\\f\x1e!~"
_HEADER_LIMIT = 99_999_999


def write_fcs(
    path: str | os.PathLike[str],
    events: npt.NDArray[Any],
    channels: Sequence[str],
    markers: Sequence[str | None] | None = None,
    *,
    ranges: Sequence[float] | None = None,
    spillover: Spillover | None = None,
    keywords: Mapping[str, str] | None = None,
    double: bool = False,
) -> None:
    """Write linear values, shape (n_events, n_channels), with names ($PnN), markers ($PnS) and spillover.

    keywords: further TEXT keywords; those that describe the layout are set here and win. double: 64 bits a
    value instead of 32, for integers above 24 bits. The file
    appears whole or not at all. Raises FCSError where the shapes do not agree, StoreError where the
    file cannot be written.
    """
    path = Path(path)
    n, c = events.shape
    markers = markers or [None] * c
    ranges = ranges or [262144.0] * c
    if not len(channels) == len(markers) == len(ranges) == c:
        raise FCSError(f"{path.name}: {c} columns of events, {len(channels)} channels, {len(markers)} markers")
    data = np.ascontiguousarray(events, dtype="<f8" if double else "<f4").tobytes()
    text: dict[str, str] = {key.upper(): str(value) for key, value in (keywords or {}).items()}
    text |= {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "D" if double else "F",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(c),
        "$TOT": str(n),
    }
    for i, (name, marker, top) in enumerate(zip(channels, markers, ranges, strict=True), start=1):
        text |= {f"$P{i}N": name, f"$P{i}B": "64" if double else "32", f"$P{i}E": "0,0", f"$P{i}R": f"{top:.0f}"}
        if marker:
            text[f"$P{i}S"] = marker
    if spillover is not None:
        fields = [
            str(len(spillover.channels)),
            *spillover.channels,
            *(f"{x:.17g}" for x in spillover.matrix.ravel()),
        ]
        text["$SPILLOVER"] = ",".join(fields)
    header, segment = _offsets(text, len(data))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.writelines((header, segment, data, b"00000000"))
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {problem.strerror or problem}") from None


def _offsets(text: Mapping[str, str], data_bytes: int) -> tuple[bytes, bytes]:
    """HEADER and TEXT, the offsets in them found by trying until they no longer move."""
    begin_text, begin, end = 58, 0, 0
    delimiter = _delimiter(text)
    while True:
        segment = _segment({**text, "$BEGINDATA": str(begin), "$ENDDATA": str(end)}, delimiter)
        new_begin = begin_text + len(segment)
        new_end = new_begin + data_bytes - 1 if data_bytes else new_begin
        if (new_begin, new_end) == (begin, end):
            break
        begin, end = new_begin, new_end
    in_header = (begin, end) if end <= _HEADER_LIMIT else (0, 0)
    fields = (begin_text, begin_text + len(segment) - 1, *in_header, 0, 0)
    return ("FCS3.1    " + "".join(f"{field:>8d}" for field in fields)).encode("ascii"), segment


def _delimiter(text: Mapping[str, str]) -> str:
    """One that no key and no value holds, since a value must not begin with it (section 3.2.7)."""
    used = {character for pair in text.items() for word in pair for character in word}
    return next((delimiter for delimiter in _DELIMITERS if delimiter not in used), _DELIMITERS[0])


def _segment(text: Mapping[str, str], delimiter: str) -> bytes:
    parts = [delimiter]
    for key, value in text.items():
        if key.strip():
            parts += [key.replace(delimiter, delimiter * 2), delimiter]
            parts += [value.replace(delimiter, delimiter * 2) or " ", delimiter]
    return "".join(parts).encode("utf-8")
