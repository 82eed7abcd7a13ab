"""One pass of a plan over the events of a file, block by block, from any number of threads.

Only masks are kept, and the raw values of the few events that NumPy decides at the end: a file need not be in
memory, and one that is needs no copy.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.kernel import native
from cytoreg.gating.kernel.numpy_path import Columns, decide_rows
from cytoreg.gating.kernel.pack import CHANNEL, pack
from cytoreg.gating.kernel.plan import Decided, Plan

__all__ = ["Sweep"]

Events = npt.NDArray[Any] | Sequence[npt.NDArray[Any] | None]
TILE = native.TILE
AT_ONCE = 4096  # undecided events of one block that are worth a pass of NumPy of their own


class Sweep:
    """Membership of n_events events in the populations of a plan.

    `take` may be called from several threads; the order of the blocks changes nothing. kernel: `numpy` asks for
    the plain path, `native` for the compiled one (RuntimeError where there is none); by default the compiled one
    where it is there.
    """

    def __init__(self, plan: Plan, n_events: int, *, kernel: str | None = None) -> None:
        self.plan = plan
        self.n_events = n_events
        self._masks = np.empty((len(plan.populations) + 1, -(-n_events // TILE) * (TILE // 8)), dtype=np.uint8)
        self._counts = np.zeros(len(plan.populations), dtype=np.int64)
        self._taken = self._exact = 0
        self._late: list[tuple[npt.NDArray[np.int64], Columns]] = []
        self._scratch: list[npt.NDArray[np.float64]] = []
        self._lock = threading.Lock()
        self._library = None
        try:
            self._library = native.library() if kernel != "numpy" else None
        except native.NotThere as problem:
            if kernel == "native":
                raise RuntimeError(str(problem)) from None
        self._packed = pack(plan, self._library) if self._library else None

    @property
    def kernel(self) -> str:
        """`native` or `numpy`: what decides."""
        return "numpy" if self._packed is None else "native"

    def take(self, start: int, events: Events) -> None:
        """Decide events `start` to `start + n`.

        events: raw values, (n, n_channels), or a column (n,) for each channel, None where no gate needs it. start
        and n are multiples of TILE; n of the last block need not be. Raises ValueError where they do not fit.
        """
        columns, n = _columns(self.plan, events)
        stop = start + n
        if start % TILE or start < 0 or stop > self.n_events or (n % TILE and stop != self.n_events):
            raise ValueError(f"events {start} to {stop} of {self.n_events} are not whole tiles of {TILE}")
        exact = n if self._packed is None else 0
        if self._packed is None:
            inside = decide_rows(self.plan, columns, slice(0, n))
            packed = np.packbits(inside, axis=1, bitorder="little")
            self._masks[:-1, start // 8 : start // 8 + packed.shape[1]] = packed
            counts = np.count_nonzero(inside, axis=1)
        elif n:
            counts = self._compiled(start, columns, n)
            rows = _set_bits(self._masks[-1, start // 8 : -(-stop // 8)])
            exact = len(rows)
            if exact:
                values = [None if column is None else column[rows] for column in columns]
                if exact > AT_ONCE:
                    counts += self._decide_late(start + rows, values)
                else:
                    with self._lock:
                        self._late.append((start + rows, values))
        else:
            return
        with self._lock:
            self._counts += counts
            self._taken += n
            self._exact += exact

    def finish(self) -> Decided:
        """The result. Raises ValueError where not every event was taken, once."""
        if self._taken != self.n_events:
            raise ValueError(f"{self._taken} events were taken of {self.n_events}")
        if self._late:
            rows = np.concatenate([late for late, _ in self._late])
            parts = [values for _, values in self._late]
            values = [
                None if column is None else np.concatenate([p[i] for p in parts])
                for i, column in enumerate(parts[0])
            ]
            self._late = []
            self._counts += self._decide_late(rows, values)
        names = tuple(population.name for population in self.plan.populations)
        masks = self._masks[:-1, : -(-self.n_events // 8)]
        return Decided(names, self.n_events, masks, self._counts, self._exact, self.kernel)

    def _compiled(self, start: int, columns: Columns, n: int) -> npt.NDArray[np.int64]:
        assert self._packed is not None
        assert self._library is not None
        packed = self._packed
        channels = np.zeros(max(1, len(packed.channels)), dtype=CHANNEL)
        for slot, channel in enumerate(packed.channels):
            column = columns[channel]
            assert column is not None
            channels[slot] = (column.ctypes.data, column.strides[0], column.dtype == np.float64)
        header = packed.header(channels)
        counts = np.zeros(len(packed.outputs), dtype=np.int64)
        try:
            scratch = self._scratch.pop()
        except IndexError:
            size = self._library.cytoreg_scratch(len(channels), len(packed.axes), len(packed.ops))
            scratch = np.zeros(size // 8 + 8, dtype=np.float64)
        self._library.cytoreg_decide(
            header.ctypes.data,
            n,
            0,
            -(-n // TILE),
            scratch.ctypes.data,
            self._masks[:, start // 8 :].ctypes.data,
            self._masks.shape[1],
            counts.ctypes.data,
        )
        self._scratch.append(scratch)
        return counts

    def _decide_late(self, rows: npt.NDArray[np.int64], values: Columns) -> npt.NDArray[np.int64]:
        """Decide events by NumPy and add them to the masks, where they are in nothing yet. Returns their counts."""
        inside = decide_rows(self.plan, values, slice(0, len(rows)))
        for row, found in zip(self._masks, inside, strict=False):
            for bit in range(8):
                chosen = rows[found & (rows & 7 == bit)]
                row[chosen >> 3] |= np.uint8(1 << bit)
        return np.count_nonzero(inside, axis=1)


def _set_bits(row: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Ascending positions of the bits that are set in a packed row."""
    some = np.flatnonzero(row)
    byte, bit = np.nonzero(np.unpackbits(row[some], bitorder="little").reshape(-1, 8))
    return some[byte] * 8 + bit


def _columns(plan: Plan, events: Events) -> tuple[Columns, int]:
    """Floats in native byte order for each channel that is needed, and how many events they are."""
    if isinstance(events, np.ndarray):
        if events.ndim != 2 or events.shape[1] != plan.n_channels:
            raise ValueError(f"expected events of shape (n, {plan.n_channels}), found {events.shape}")
        n_events = len(events)
        given: list[npt.NDArray[Any] | None] = [events[:, channel] for channel in range(plan.n_channels)]
    else:
        if len(events) != plan.n_channels:
            raise ValueError(f"expected {plan.n_channels} columns, found {len(events)}")
        given = list(events)
        lengths = {column.shape for column in given if column is not None}
        if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
            raise ValueError(f"expected columns of one length, found {sorted(lengths)}")
        n_events = lengths.pop()[0] if lengths else 0
    columns: list[npt.NDArray[Any] | None] = [None] * plan.n_channels
    for channel in plan.channels:
        column = given[channel]
        if column is None:
            raise ValueError(f"channel {channel} is needed by a gate and was not given")
        usual = column.dtype in (np.float32, np.float64) and column.dtype.isnative
        columns[channel] = column if usual else column.astype(np.float64)
    return columns, n_events
