"""From stored bytes to stored numbers, and from those to linear values (FCS 3.1, section 3.2.20)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.byte_order import lowest_bit_first, significance
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.layout import Layout

__all__ = ["Decoder", "linear_dtype", "to_linear"]

Array = npt.NDArray[Any]
LARGEST_FLOAT32 = 3e38
TABLE_BITS = 16  # amplifiers of up to so many bits are undone through a table, which gives the same values


def linear_dtype(channel: Channel) -> np.dtype[Any]:
    """float32, or float64 for type D, for integers above 24 bits, and where an amplifier goes beyond float32."""
    wide = channel.kind == "D" or (channel.kind == "I" and channel.bits > 24) or channel.top > LARGEST_FLOAT32
    return np.dtype(np.float64 if wide else np.float32)


def to_linear(stored: Array, channel: Channel) -> Array:
    """Linear values after $PnE and $PnG: 10^(decades * x / range) * offset, or x / gain."""
    dtype = linear_dtype(channel)
    if channel.decades:
        if channel.bits <= TABLE_BITS:
            return _amplified(channel).take(stored)
        return _amplify(stored, channel)
    if channel.gain != 1.0:
        with np.errstate(over="ignore"):
            return (stored.astype(np.float64) / channel.gain).astype(dtype)
    return stored.astype(dtype, copy=False)


@lru_cache(maxsize=32)
def _amplified(channel: Channel) -> Array:
    return _amplify(np.arange(1 << channel.bits), channel)


def _amplify(stored: Array, channel: Channel) -> Array:
    with np.errstate(over="ignore"):  # of numbers above $PnR, which do not occur
        values = channel.offset * 10.0 ** (channel.decades * stored.astype(np.float64) / channel.range)
        return values.astype(linear_dtype(channel))


class Decoder:
    """Takes the values of channels out of blocks of rows."""

    def __init__(self, layout: Layout, channels: Sequence[Channel]) -> None:
        self.layout = layout
        self.kinds = [channel.kind for channel in channels]
        self._types = [self._stored_type(index) for index in range(len(channels))]

    def type_of(self, index: int) -> np.dtype[Any]:
        """The type of the stored numbers of a channel, in the byte order of this machine."""
        bits = self.layout.widths[index]
        if self.kinds[index] != "I":
            return np.dtype(np.float32 if bits == 32 else np.float64)
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= bits)}")

    @property
    def uniform(self) -> np.dtype[Any] | None:
        """The type, in the byte order of the file, where all channels are stored alike in types NumPy has."""
        types = set(self._types)
        return next(iter(types)) if len(types) == 1 and self.layout.whole_bytes else None

    def rows(self, block: Array, n_rows: int) -> Array:
        """The bytes of whole rows as (n_rows, row_bytes), or as single bits where values do not fill bytes."""
        row_bits = self.layout.row_bits
        if self.layout.whole_bytes:
            return block.reshape(n_rows, row_bits // 8)
        order: Any = "little" if lowest_bit_first(self.layout.byte_order) else "big"
        return np.unpackbits(block, count=n_rows * row_bits, bitorder=order).reshape(n_rows, row_bits)

    def values(self, rows: Array, index: int, *, masked: bool = True) -> Array:
        """The stored numbers of a channel, shape (n_rows,), of what `rows` gave; without the bits above $PnR."""
        layout = self.layout
        first, last, dtype = (
            layout.offsets[index],
            layout.offsets[index] + layout.widths[index],
            self._types[index],
        )
        if not layout.whole_bytes:
            found = self._pack(rows[:, first:last], index)
        elif dtype is not None:
            found = np.ndarray((len(rows),), dtype, rows, first // 8, (layout.row_bits // 8,))
        else:
            found = self._assemble(rows[:, first // 8 : last // 8], index)
        mask = layout.masks[index]
        return found & found.dtype.type(mask) if mask and masked else found

    def _stored_type(self, index: int) -> np.dtype[Any] | None:
        """The NumPy type of the stored value, or None where its bytes must be put together."""
        width = self.layout.widths[index]
        if width not in (8, 16, 32, 64):
            return None
        places = significance(self.layout.byte_order, width // 8)
        if places not in (tuple(range(width // 8)), tuple(reversed(range(width // 8)))):
            return None
        return self.type_of(index).newbyteorder("<" if places[0] == 0 else ">")

    def _assemble(self, stored: Array, index: int) -> Array:
        """Values whose width or byte order NumPy has no type for; stored: (rows, width) bytes."""
        target = self.type_of(index)
        little = np.zeros((len(stored), target.itemsize), dtype=np.uint8)
        for position, place in enumerate(significance(self.layout.byte_order, stored.shape[1])):
            little[:, place] = stored[:, position]
        return little.view(target.newbyteorder("<"))[:, 0]

    def _pack(self, bits: Array, index: int) -> Array:
        """Numbers of single bits, shape (rows, width)."""
        rising, target = lowest_bit_first(self.layout.byte_order), self.type_of(index)
        room, width = 8 * target.itemsize, bits.shape[1]
        wide = np.zeros((len(bits), room), dtype=np.uint8)
        start = 0 if rising else room - width
        wide[:, start : start + width] = bits
        order: Any = "little" if rising else "big"
        packed = np.packbits(wide, axis=1, bitorder=order).view(target.newbyteorder("<" if rising else ">"))
        return packed[:, 0].astype(target)
