"""From a data set's bytes to its values: rows read in blocks by position, a channel at a time where that is enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Thread
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError
from cytoreg.fcs import buffers
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.decode import Decoder, linear_dtype, to_linear
from cytoreg.fcs.layout import Layout
from cytoreg.fcs.storage import Reader, Storage

__all__ = ["ArraySource", "FileSource", "Source"]

BLOCK_BYTES, IN_PLACE_BYTES = 1 << 21, 1 << 22  # to decode from; to read to where the values stay
BITS_BLOCK_BYTES = 1 << 17  # each bit becomes a byte while it is taken apart
RUN = 256  # events that a block holds any number of times, so that it ends where a byte does
WORTH_THREADS = 1 << 23  # more threads than two only wait for memory; below 8 MB one is as quick
Array = npt.NDArray[Any]


class Source(Protocol):
    """Where the values of a sample come from."""

    def columns(self, indices: Sequence[int], *, raw: bool, rows: Array | None = None) -> list[Array]:
        """One array for each channel asked for, in one pass; rows: of these events only, in rising order."""
        ...

    def matrix(self, *, raw: bool) -> Array:
        """All channels, shape (n_events, n_channels)."""
        ...

    def sweep(self, indices: Sequence[int], take: Callable[[int, list[Array]], None]) -> None:
        """Give `take` the first event of each block and a column of linear values for each channel asked for."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Events that are in memory already, in linear units; shape (n_events, n_channels)."""

    events: Array

    def columns(self, indices: Sequence[int], *, raw: bool, rows: Array | None = None) -> list[Array]:
        """Copies of the columns."""
        return [np.array(self.events[:, index] if rows is None else self.events[rows, index]) for index in indices]

    def matrix(self, *, raw: bool) -> Array:
        """A copy of the events."""
        return np.array(self.events)

    def sweep(self, indices: Sequence[int], take: Callable[[int, list[Array]], None]) -> None:
        """One block: the events are there."""
        take(0, [self.events[:, index] for index in indices])


@dataclass(frozen=True)
class FileSource:
    """Events in an FCS file, which must stay as it was when it was opened."""

    storage: Storage
    layout: Layout
    channels: tuple[Channel, ...]

    def columns(self, indices: Sequence[int], *, raw: bool, rows: Array | None = None) -> list[Array]:
        """Decode the channels asked for, block by block; `raw` gives the numbers as they are stored."""
        n = self.layout.n_events if rows is None else len(rows)
        out = [buffers.empty((n,), self._dtype(index, raw)) for index in indices]

        def take(start: int, block: Array) -> None:
            place, wanted = slice(start, start + len(block)), None
            if rows is not None:
                place = slice(*np.searchsorted(rows, (start, start + len(block))).tolist())
                wanted = rows[place] - start
            for index, column in zip(indices, out, strict=True):
                values = self.decoder.values(block, index)
                values = values if wanted is None else values[wanted]
                column[place] = values if raw else to_linear(values, self.channels[index])

        self._each_block(take, rows)
        return out

    def matrix(self, *, raw: bool) -> Array:
        """All channels at once: where they are floats alike, the bytes are read into place."""
        stored = self.decoder.uniform
        indices = range(len(self.channels))
        if stored is not None and stored.kind == "f":
            return self._floats(stored, raw)
        target = np.result_type(*{self._dtype(index, raw) for index in indices})
        events = buffers.empty((self.layout.n_events, len(indices)), target)
        plain = raw or not any(channel.decades or channel.gain != 1.0 for channel in self.channels)
        masks = None
        if stored is not None and any(self.layout.masks):
            everything = np.iinfo(stored).max
            masks = np.array([mask or everything for mask in self.layout.masks], dtype=stored)

        def take(start: int, block: Array) -> None:
            place = events[start : start + len(block)]
            if stored is not None and plain:
                values = block.view(stored)
                if masks is not None:
                    np.bitwise_and(values, masks, out=values)
                place[:] = values
                return
            for index in indices:
                values = self.decoder.values(block, index)
                place[:, index] = values if raw else to_linear(values, self.channels[index])

        self._each_block(take)
        return events

    def sweep(self, indices: Sequence[int], take: Callable[[int, list[Array]], None]) -> None:
        """As Source says, on two threads where that is worth it; columns are good until `take` returns."""

        def part(start: int, block: Array) -> None:
            values = [(self.decoder.values(block, index), self.channels[index]) for index in indices]
            take(start, [to_linear(stored, channel) for stored, channel in values])

        self._each_block(part)

    def some_rows(self, reader: Reader, first: int, n: int) -> Array:
        """n rows, as Decoder.rows gives them; the first must begin with a byte."""
        buffer = np.zeros(-(-n * self.layout.row_bits // 8), dtype=np.uint8)
        self._fill(reader, self.layout.begin + first * self.layout.row_bits // 8, memoryview(buffer.data))
        return self.decoder.rows(buffer, n)

    def blocks(self) -> Iterator[bytes]:
        """The bytes of DATA that hold events, as they are stored, in blocks."""
        with self.storage.opened() as reader:
            done = 0
            while done < self.layout.n_bytes:
                buffer = bytearray(min(BLOCK_BYTES, self.layout.n_bytes - done))
                self._fill(reader, self.layout.begin + done, memoryview(buffer))
                done += len(buffer)
                yield bytes(buffer)

    @cached_property
    def decoder(self) -> Decoder:
        """What takes values out of the rows."""
        return Decoder(self.layout, self.channels)

    def _dtype(self, index: int, raw: bool) -> np.dtype[Any]:
        return self.decoder.type_of(index) if raw else linear_dtype(self.channels[index])

    def _floats(self, stored: np.dtype[Any], raw: bool) -> Array:
        events = buffers.empty((self.layout.n_events, len(self.channels)), stored, self.layout.begin)
        into = memoryview(events.view(np.uint8).reshape(-1).data)
        starts = iter(range(0, self.layout.n_bytes, IN_PLACE_BYTES))

        def read(reader: Reader) -> None:
            for start in starts:
                self._fill(reader, self.layout.begin + start, into[start : start + IN_PLACE_BYTES])

        self._on_threads(read)
        if not stored.isnative:
            events = events.byteswap(inplace=True).view(stored.newbyteorder("="))
        for channel in self.channels:
            if not raw and channel.gain != 1.0:
                events[:, channel.index] = to_linear(events[:, channel.index], channel)
        return events

    def _each_block(self, take: Callable[[int, Array], None], rows: Array | None = None) -> None:
        """Give `take` the first row and the rows of each block that holds an event of `rows`."""
        step, n_events, row_bits = self._rows_per_block(), self.layout.n_events, self.layout.row_bits
        starts = iter(range(0, n_events, step))

        def read(reader: Reader) -> None:
            buffer = np.zeros(-(-min(step, n_events) * row_bits // 8), dtype=np.uint8)
            for start in starts:
                n = min(step, n_events - start)
                if rows is not None and len(set(np.searchsorted(rows, (start, start + n)).tolist())) == 1:
                    continue
                block = buffer[: -(-n * row_bits // 8)]
                self._fill(reader, self.layout.begin + start * row_bits // 8, memoryview(block.data))
                take(start, self.decoder.rows(block, n))

        self._on_threads(read)

    def _on_threads(self, read: Callable[[Reader], None]) -> None:
        """Run `read`, which takes the next block until none is left, on two threads where that is worth it."""
        with self.storage.opened() as reader:
            if self.layout.n_bytes < WORTH_THREADS or (os.cpu_count() or 1) < 2:
                read(reader)
                return
            _on_two(lambda: read(reader))

    def _rows_per_block(self) -> int:
        """As many whole runs as a block has room for."""
        n_bytes = BLOCK_BYTES if self.layout.whole_bytes else BITS_BLOCK_BYTES
        return max(RUN, 8 * n_bytes // self.layout.row_bits // RUN * RUN)

    def _fill(self, reader: Reader, begin: int, buffer: memoryview) -> None:
        if reader.fill(begin, buffer) < len(buffer):
            raise FCSError(f"{self.storage.name}: the file was cut short while it was read")


def _on_two(work: Callable[[], None]) -> None:
    """Run `work` here and on one more thread (a pool takes milliseconds to start); raises what either raised."""
    problems: list[BaseException] = []

    def other() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    thread = Thread(target=other)
    thread.start()
    try:
        work()
    finally:
        thread.join()
    if problems:
        raise problems[0]
