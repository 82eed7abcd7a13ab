"""A look at the first events: whether what the keywords say of byte order, type and range can be true.

A keyword that is wrong and well-formed makes numbers that nobody would notice one by one. Floats in the wrong
byte order, or integers taken for floats, are mostly too small, too large or no numbers at all; integers
read with a wrong width have bits set above their range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Problem
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.storage import Reader

__all__ = ["look"]

LOOKED_AT = 1 << 14  # bytes
SMALLEST, LARGEST = 1e-12, 1e12  # of what an instrument measures, with room
TOO_MANY, MANY, FEW = 0.2, 0.25, 0.05
ENOUGH = 20  # values to say anything


def look(source: FileSource, reader: Reader) -> list[Problem]:
    """What the first events make doubtful, and the last floats. Raises FCSError where they cannot be read."""
    n = min(source.layout.n_events, max(8, 8 * LOOKED_AT // source.layout.row_bits))
    if n == 0:
        return []
    rows = source.some_rows(reader, 0, n)
    decoder = source.decoder
    stored = decoder.uniform
    if stored is not None and stored.kind == "f":
        last = source.layout.n_events - n
        ends = [("first", rows)]
        if last > n and source.storage.known_end is not None:
            ends.append(("last", source.some_rows(reader, last, n)))
        return [problem for end, some in ends for problem in _doubt([_unlikely(some.view(stored))], end)]
    unlikely: list[npt.NDArray[np.bool_]] = []
    above: list[str] = []
    vary = floats = 0
    for channel in source.channels:
        values = decoder.values(rows, channel.index, masked=False)
        if values.dtype.kind == "f":
            unlikely.append(_unlikely(values))
        elif (mask := source.layout.masks[channel.index]) and np.any(values > mask):
            above.append(f"$P{channel.index + 1}R of {channel.name!r}")
            vary += _bits_vary(values, mask)
            floats += _like_floats(values)
    problems = _doubt(unlikely)
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


def _doubt(unlikely: list[npt.NDArray[np.bool_]], end: str = "first") -> list[Problem]:
    found = np.concatenate([values.ravel() for values in unlikely]) if unlikely else np.empty(0)
    share = float(np.mean(found)) if len(found) >= ENOUGH else 0.0
    if share <= TOO_MANY:
        return []
    what = f"{100 * share:.0f} % of the {end} values are no likely numbers"
    assumed = "they were kept; $BYTEORD, $DATATYPE or the offsets may be wrong"
    return [Problem(what, "DATA", assumed, affects_numbers=True)]


def _unlikely(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Of the values that are not 0, those that no instrument measures."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        size = np.abs(values[values != 0].astype(np.float64))
    return ~((size > SMALLEST) & (size < LARGEST))


def _bits_vary(values: npt.NDArray[Any], mask: int) -> bool:
    """Whether many integers are above their range, and not by one and the same flag, as some makers set."""
    above = values[values > mask]
    return len(above) > MANY * len(values) and len(np.unique(above - (above & values.dtype.type(mask)))) > 1


def _like_floats(values: npt.NDArray[Any]) -> bool:
    """Whether integers of 32 or 64 bits would be likely numbers as floats."""
    if values.dtype.itemsize < 4:
        return False
    found = values[values != 0].astype(values.dtype.newbyteorder("=")).view(f"f{values.dtype.itemsize}")
    return len(found) >= ENOUGH and float(np.mean(_unlikely(found))) <= FEW
