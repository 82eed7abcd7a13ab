"""Values to the bytes of a DATA segment, block by block, never a wrapped or masked number (FCS 3.1, 3.2.18 to 3.2.20)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError

__all__ = ["blocks", "measure"]

BLOCK_BYTES = 1 << 20
WIDTHS = (8, 16, 32, 64)
FLOAT_BITS = {"F": 32, "D": 64}

Array = npt.NDArray[Any]


def measure(
    events: Array,
    channels: Sequence[str],
    kinds: Sequence[str],
    tops: Sequence[float | None],
    bits: Sequence[int | None],
    *,
    where: str,
) -> list[int]:
    """Bits a value of each channel; for integers those asked for, else the fewest that hold range and values.

    events: (n_events, n_channels). tops: $PnR, None for all that the bits hold. Raises FCSError where an
    integer channel holds a value that is not whole, is negative, or does not lie below $PnR or in the bits.
    """
    widths = [FLOAT_BITS.get(kind, 0) for kind in kinds]
    for index, (kind, name, top, width) in enumerate(zip(kinds, channels, tops, bits, strict=True)):
        if kind != "I":
            continue
        if width is not None and top is not None and top > 2**width:
            raise FCSError(
                f"{where}: channel {name!r} has a range ($PnR) of {top}, more than {width} bits can hold"
            )
        limit = int(top) if top is not None else 2 ** (width or WIDTHS[-1])
        most = _largest(events[:, index], limit, name, where)
        needed = (limit if top is not None else most + 1) - 1
        widths[index] = width or next(each for each in WIDTHS if needed < 2**each)
    return widths


def blocks(
    events: Array, channels: Sequence[str], kinds: Sequence[str], widths: Sequence[int], *, where: str
) -> Iterator[memoryview]:
    """The bytes of the events, row by row, little-endian, about 1 MB at a time.

    Integers must have gone through `measure`. Raises FCSError where a finite number is beyond the floats it shall become.
    """
    types = [
        np.dtype(f"<{'u' if kind == 'I' else 'f'}{bits // 8}") for kind, bits in zip(kinds, widths, strict=True)
    ]
    rows = max(1, BLOCK_BYTES * 8 // sum(widths))
    if len(set(types)) == 1 and events.dtype == types[0] and events.flags.c_contiguous:
        for start in range(0, len(events), rows):
            yield _bytes(events[start : start + rows])
        return
    stored = np.empty(min(rows, len(events)), dtype=[(f"{i}", each) for i, each in enumerate(types)])
    for start in range(0, len(events), rows):
        part = events[start : start + rows]
        block = stored[: len(part)]
        for index, dtype in enumerate(types):
            with np.errstate(over="ignore", invalid="ignore"):
                block[f"{index}"] = part[:, index]
            if dtype.kind == part.dtype.kind == "f" and part.dtype.itemsize > dtype.itemsize:
                _refuse_overflow(part[:, index], block[f"{index}"], start, channels[index], where)
        yield _bytes(block)


def _bytes(rows: Array) -> memoryview:
    return rows.reshape(-1).view(np.uint8).data


def _largest(column: Array, limit: int, name: str, where: str) -> int:
    """The largest value of a channel, -1 where there is none, once all are whole numbers from 0 to below `limit`."""
    most = -1
    rows = BLOCK_BYTES // 8
    for start in range(0, len(column), rows):
        part = column[start : start + rows]
        whole = (
            np.isfinite(part) & (part == np.floor(part)) if part.dtype.kind == "f" else np.full(len(part), True)
        )
        if whole.all() and int(part.min()) >= 0 and int(part.max()) < limit:
            most = max(most, int(part.max()))
            continue
        # compared as Python's integers, since limits up to 2^64 are no exact floats
        fits = [bool(ok) and 0 <= int(value) < limit for ok, value in zip(whole, part, strict=True)]
        event = fits.index(False)
        raise FCSError(
            f"{where}: channel {name!r}, event {start + event} (from 0): {part[event]} cannot be stored as an integer; "
            f"expected a whole number from 0 to {limit - 1}"
        )
    return most


def _refuse_overflow(values: Array, stored: Array, start: int, name: str, where: str) -> None:
    lost = np.isinf(stored) & np.isfinite(values)
    if lost.any():
        event = int(lost.argmax())
        raise FCSError(
            f"{where}: channel {name!r}, event {start + event} (from 0): {values[event]} is beyond "
            f"{8 * stored.dtype.itemsize}-bit floats; 64-bit ones (kind D) reach to 1.8e308"
        )
