"""From bytes to values: rows read in blocks by position, a channel at a time where that is enough.

Files are not memory-mapped: a file cut short under a map kills the process, a short read does not.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.layout import Layout

__all__ = ["ArraySource", "FileSource", "Source", "value_dtype"]

BLOCK_BYTES = 1 << 20
Array = npt.NDArray[Any]


class Source(Protocol):
    """Where the values of a sample come from."""

    def columns(self, indices: Sequence[int], *, raw: bool) -> list[Array]:
        """One array of shape (n_events,) for each channel asked for, in one pass."""
        ...

    def matrix(self, *, raw: bool) -> Array | None:
        """All channels, shape (n_events, n_channels), where they need not be taken apart; else None."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Events that are in memory already, in linear units; shape (n_events, n_channels)."""

    events: Array

    def columns(self, indices: Sequence[int], *, raw: bool) -> list[Array]:
        """Copies of the columns."""
        return [np.array(self.events[:, index]) for index in indices]

    def matrix(self, *, raw: bool) -> Array | None:
        """A copy of the events."""
        return np.array(self.events)


@dataclass(frozen=True)
class FileSource:
    """Events in an FCS file, which must stay as it was when it was opened."""

    path: Path
    layout: Layout
    channels: tuple[Channel, ...]
    size: int
    modified_ns: int

    def columns(self, indices: Sequence[int], *, raw: bool) -> list[Array]:
        """Decode the channels asked for, block by block; `raw` gives the numbers as they are stored."""
        layout = self.layout
        stored = [self._stored_dtype(index) for index in indices]
        out = [np.empty(layout.n_events, dtype=self._decoded_dtype(index)) for index in indices]
        for start, rows in self._blocks():
            for index, dtype, column in zip(indices, stored, out, strict=True):
                column[start : start + len(rows)] = self._decode(rows, index, dtype)
        if raw:
            return out
        return [_to_linear(column, self.channels[index]) for column, index in zip(out, indices, strict=True)]

    def matrix(self, *, raw: bool) -> Array | None:
        """All channels at once, the bytes read into place, where every channel is stored as the same float."""
        types = {self._stored_dtype(index) for index in range(len(self.channels))}
        stored = types.pop()
        if types or stored is None or stored.kind != "f":
            return None
        events = np.empty((self.layout.n_events, len(self.channels)), dtype=stored)
        for _ in self._blocks(into=events.view(np.uint8)):
            pass
        if not stored.isnative:
            events = events.byteswap(inplace=True).view(stored.newbyteorder("="))
        if not raw:
            for index, channel in enumerate(self.channels):
                if channel.gain != 1.0:
                    events[:, index] = _to_linear(events[:, index], channel)
        return events

    def _blocks(self, into: Array | None = None) -> Iterator[tuple[int, Array]]:
        """First row and bytes, shape (rows, row_bytes), of each block of the DATA segment.

        into: (n_events, row_bytes) bytes to read to; one block's worth is used over and over without it.
        """
        layout = self.layout
        per_block = max(1, BLOCK_BYTES // layout.row_bytes)
        buffer = (
            np.zeros((min(per_block, layout.n_events), layout.row_bytes), dtype=np.uint8) if into is None else None
        )
        try:
            with self.path.open("rb", buffering=0) as file:
                self._same_file(os.fstat(file.fileno()))
                for start in range(0, layout.n_events, per_block):
                    n = min(per_block, layout.n_events - start)
                    rows = into[start : start + n] if into is not None else buffer[:n]  # type: ignore[index]
                    file.seek(layout.begin + start * layout.row_bytes)
                    self._fill(file, rows)
                    yield start, rows
                self._same_file(os.fstat(file.fileno()))
        except OSError as problem:
            raise FCSError(f"{self.path.name}: cannot be read: {problem.strerror or problem}") from None

    def _fill(self, file: io.RawIOBase | Any, rows: Array) -> None:
        view = memoryview(rows.reshape(-1).data)
        while view:
            got = file.readinto(view)
            if not got:
                raise FCSError(f"{self.path.name}: the file was cut short while it was read")
            view = view[got:]

    def _same_file(self, now: os.stat_result) -> None:
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified_ns):
            raise FCSError(f"{self.path.name}: the file has changed since it was opened")

    def _stored_dtype(self, index: int) -> np.dtype[Any] | None:
        """The NumPy type of the stored value, or None where its bytes must be put together."""
        width, kind = self.layout.widths[index], self.channels[index].kind
        order = self.layout.byte_order
        letter = "u" if kind == "I" else "f"
        if width == 1:
            return np.dtype(np.uint8)
        if width in (2, 4, 8) and order in (tuple(sorted(order)), tuple(sorted(order, reverse=True))):
            return np.dtype(f"{'<' if order[0] == 1 else '>'}{letter}{width}")
        return None

    def _decoded_dtype(self, index: int) -> np.dtype[Any]:
        width, kind = self.layout.widths[index], self.channels[index].kind
        if kind != "I":
            return np.dtype(np.float32 if kind == "F" else np.float64)
        return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if size >= width)}")

    def _decode(self, rows: Array, index: int, dtype: np.dtype[Any] | None) -> Array:
        layout = self.layout
        first, width = layout.offsets[index], layout.widths[index]
        if dtype is not None:
            values: Array = np.ndarray(
                (len(rows),), dtype=dtype, buffer=rows, offset=first, strides=(layout.row_bytes,)
            )
        else:
            values = self._assemble(rows[:, first : first + width], index)
        mask = layout.masks[index]
        return values & values.dtype.type(mask) if mask else values

    def _assemble(self, stored: Array, index: int) -> Array:
        """Values whose width or byte order NumPy has no type for; stored: (rows, width) bytes."""
        width = stored.shape[1]
        order = self.layout.byte_order
        if len(order) == width:
            significance = [place - 1 for place in order]
        elif order[0] == 1 or len(order) == 1:
            significance = list(range(width))
        else:
            significance = list(range(width))[::-1]
        target = self._decoded_dtype(index)
        little = np.zeros((len(stored), target.itemsize), dtype=np.uint8)
        for position, place in enumerate(significance):
            little[:, place] = stored[:, position]
        return little.view(target.newbyteorder("<"))[:, 0]


def value_dtype(channel: Channel) -> np.dtype[Any]:
    """float32, or float64 for type D and for integers above 24 bits that use them."""
    wide = channel.kind == "D" or (channel.kind == "I" and channel.bits > 24 and channel.range > 2**24)
    return np.dtype(np.float64 if wide else np.float32)


def _to_linear(stored: Array, channel: Channel) -> Array:
    """Linear values after $PnE and $PnG: 10^(decades * x / range) * offset, or x / gain."""
    dtype = value_dtype(channel)
    if channel.decades:
        scaled = channel.offset * 10.0 ** (channel.decades * stored.astype(np.float64) / channel.range)
        return scaled.astype(dtype)
    if channel.gain != 1.0:
        return (stored.astype(np.float64) / channel.gain).astype(dtype)
    return stored.astype(dtype, copy=False)
