"""A look at some events: whether what the keywords say of byte order, type and range can be true.

A keyword that is wrong and well-formed makes numbers that nobody would notice one by one. Floats in the wrong
byte order, or integers taken for floats, are mostly too small, too large or no numbers at all; integers
read with a wrong width have bits set above their range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Problem
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.storage import Reader

__all__ = ["look"]

LOOKED_AT, PLACES = 1 << 12, 4  # bytes at each place
SMALLEST, LARGEST = 1e-12, 1e12  # of what an instrument measures, with room
TOO_MANY, FEW = 0.2, 0.05
ENOUGH = 20  # values to say anything


def look(source: FileSource, reader: Reader) -> list[Problem]:
    """What a few thousand bytes here and there make doubtful. Raises FCSError where they cannot be read."""
    parts = list(_parts(source, reader))
    if not parts:
        return []
    decoder = source.decoder
    stored = decoder.uniform
    if stored is not None and stored.kind == "f":
        return _doubt(np.stack([rows.view(stored).reshape(-1) for rows in parts]))
    measured: list[npt.NDArray[Any]] = []
    above: list[str] = []
    vary = floats = 0
    for channel in source.channels:
        found = [decoder.values(rows, channel.index, masked=False) for rows in parts]
        if found[0].dtype.kind == "f":
            measured.append(np.stack(found))
        elif mask := source.layout.masks[channel.index]:
            values = np.concatenate(found)
            if np.any(values > mask):
                above.append(f"$P{channel.index + 1}R of {channel.name!r}")
                vary += _bits_vary(values, mask)
                floats += _like_floats(values)
    problems = _doubt(np.concatenate(measured, axis=1)) if measured else []
    if above:
        some = ", ".join(above[:5]) + (f" and {len(above) - 5} more" if len(above) > 5 else "")
        assumed = "they were masked off, as the standard says"
        if vary:
            assumed += "; they differ from value to value, so that they are no flags"
        problems.append(Problem(f"bits above $PnR are set: {some}", "DATA", assumed, affects_numbers=vary > 0))
    if 2 * floats > len(source.channels):
        what = "the first values of most channels look like floats"
        problems.append(Problem(what, "DATA", "integers were read, as $DATATYPE says", affects_numbers=True))
    return problems


def _parts(source: FileSource, reader: Reader) -> Iterator[npt.NDArray[np.uint8]]:
    """Rows from the beginning of DATA, from its end and from places between, as Decoder.rows gives them."""
    n_events, row_bits = source.layout.n_events, source.layout.row_bits
    n = max(8, 8 * LOOKED_AT // row_bits // 8 * 8)  # eight rows fill bytes, whatever the widths
    if n_events <= n * PLACES:
        yield from [source.some_rows(reader, 0, n_events)] if n_events else []
        return
    for place in range(PLACES - 1):
        yield source.some_rows(reader, n_events * place // PLACES // 8 * 8, n)
    yield source.some_rows(reader, (n_events - n) // 8 * 8, n)


def _doubt(values: npt.NDArray[Any]) -> list[Problem]:
    """values: (places, n) floats of each place that was looked at."""
    unlikely, counted = _unlikely(values), values != 0
    there = np.count_nonzero(counted, axis=1)
    shares = np.count_nonzero(unlikely & counted, axis=1) / np.maximum(there, 1)
    share = float(np.max(shares, initial=0.0, where=there >= ENOUGH))
    if share <= TOO_MANY:
        return []
    what = f"{100 * share:.0f} % of the values somewhere in DATA are no likely numbers"
    assumed = "they were kept; $BYTEORD, $DATATYPE or the offsets may be wrong"
    return [Problem(what, "DATA", assumed, affects_numbers=True)]


def _unlikely(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """The values that no instrument measures; 0 is among them, and to be left out."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        size = np.abs(values)
        return ~((size > SMALLEST) & (size < LARGEST))


def _bits_vary(values: npt.NDArray[Any], mask: int) -> bool:
    """Whether integers are above their range, and not by one and the same flag, as some makers set at the top."""
    above = values[values > mask]
    bits = np.unique(above - (above & values.dtype.type(mask)))
    return len(bits) > 1 or bool(bits[0] == mask + 1)


def _like_floats(values: npt.NDArray[Any]) -> bool:
    """Whether integers of 32 or 64 bits would be likely numbers as floats."""
    if values.dtype.itemsize < 4:
        return False
    found = values[values != 0].astype(values.dtype.newbyteorder("=")).view(f"f{values.dtype.itemsize}")
    return len(found) >= ENOUGH and float(np.mean(_unlikely(found))) <= FEW
