"""A tree of concrete gates over the events of one file that is in memory."""

from __future__ import annotations

import os
import threading

import numpy as np

from cytoreg.gating.kernel.native import TILE
from cytoreg.gating.kernel.plan import Decided, Plan
from cytoreg.gating.kernel.sweep import Events, Sweep

__all__ = ["decide"]

BLOCK = 64 * TILE  # events that a thread takes at a time


def decide(plan: Plan, events: Events, *, threads: int | None = None, kernel: str | None = None) -> Decided:
    """Which events are in which population: exactly what `gates.contains` says of their display values.

    events: raw values, (n_events, n_channels), or a column (n_events,) for each channel, None where no gate needs
    it. threads: at most so many (default: as many as there are processors, 8 at most); they change no result.
    kernel: as Sweep takes it.
    """
    if isinstance(events, np.ndarray):
        n_events = len(events)
    else:
        n_events = next((len(column) for column in events if column is not None), 0)
    sweep = Sweep(plan, n_events, kernel=kernel)
    block = BLOCK if sweep.kernel == "native" else 4 * BLOCK  # of NumPy, each call costs more than its events
    starts = iter(range(0, max(n_events, 1), block))
    problems: list[BaseException] = []

    def work() -> None:
        try:
            for start in starts:
                part = slice(start, start + block)
                if isinstance(events, np.ndarray):
                    sweep.take(start, events[part])
                else:
                    sweep.take(start, [None if column is None else column[part] for column in events])
        except BaseException as problem:
            problems.append(problem)

    wanted = threads or min(os.cpu_count() or 1, 8)
    others = [threading.Thread(target=work) for _ in range(1, min(wanted, -(-n_events // block)))]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()
    if problems:
        raise problems[0]
    return sweep.finish()
