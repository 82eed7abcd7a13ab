"""The time channel of a tube: events put in order, wrapped counters unwrapped, and what is odd about it.

A counter that has run through its bits begins again at zero; a file put together from two acquisitions begins again
too; a file that was thinned may hold its events in any order. Each is known by its backward steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.parameters import TIME_NAMES
from cytoreg.fcs.sample import Sample

__all__ = ["Clock", "clock_index", "clock_of"]

Array = npt.NDArray[np.float64]
JITTER = 0.01  # of the span: a step back no longer than this is how a cytometer orders what came at once
MOST_TURNS = 0.01  # of the events: with more steps back the file is in no order of time
NEAR = 0.05  # of the counter's range: a wrap goes from this near its top to this near zero


@dataclass(frozen=True)
class Clock:
    """ticks: time of each event, (n,), ascending, in ticks of the channel. order: positions of these events in the
    file, (n,), or None where the file is in order. wraps: times that the counter ran over. restarts: times that it
    began again without. disordered: the events stood in no order of time, and were sorted.
    """

    ticks: Array
    order: npt.NDArray[np.int64] | None = None
    wraps: int = 0
    restarts: int = 0
    disordered: bool = False

    @property
    def span(self) -> float:
        """Ticks from the first event to the last."""
        return float(self.ticks[-1] - self.ticks[0]) if len(self.ticks) else 0.0


def clock_index(sample: Sample) -> int | None:
    """The position of the time channel, or None."""
    return next((channel.index for channel in sample.channels if channel.name.casefold() in TIME_NAMES), None)


def clock_of(values: npt.NDArray[Any], top: float) -> Clock | None:
    """The clock of a tube; None where it does not run (all equal, or not numbers).

    values: time of each event as stored, (n,). top: of the counter ($PnR); it wraps there.
    """
    ticks = np.asarray(values, dtype=np.float64)
    if len(ticks) < 2 or not np.isfinite(ticks).all() or ticks.min() == ticks.max():
        return None
    steps = np.diff(ticks)
    back = np.flatnonzero(steps < 0)
    if not len(back):
        return Clock(ticks)
    reach = float(ticks.max() - ticks.min())
    turns = back[-steps[back] > JITTER * reach]
    disordered = len(turns) > max(3, MOST_TURNS * len(ticks))
    wraps = 0
    if len(turns) and not disordered:
        wrapped = (ticks[turns] >= (1 - NEAR) * top) & (ticks[turns + 1] <= NEAR * top)
        wraps = int(wrapped.sum())
        added = np.zeros(len(ticks))
        # a wrap goes on where it left; a second acquisition is put right behind the first
        added[turns + 1] = np.where(wrapped, top, ticks[turns] - ticks[turns + 1])
        ticks = ticks + np.cumsum(added)
    order = np.argsort(ticks, kind="stable")
    restarts = 0 if disordered else len(turns) - wraps
    return Clock(ticks[order], order, wraps, restarts, disordered)
