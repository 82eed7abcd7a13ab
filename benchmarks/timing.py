"""Seconds of several ways to do one thing, taken in turns, so that what slows the machine slows all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Ratio", "interleave", "ratio", "table"]

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ratio:
    """How many times the seconds of another way, round by round: the median of the rounds and their range."""

    median: float
    low: float
    high: float


def interleave(
    ways: Mapping[str, Callable[[], Any]], rounds: int, *, at_most: Mapping[str, int] | None = None
) -> dict[str, Seconds]:
    """Seconds of each way in each round, shape (rounds,); NaN in the rounds that a way did not take part in.

    The order turns round from one round to the next. at_most: rounds for the slow ones, spread over all. What a
    way returns is dropped after the clock was read, and rubbish of the one before is collected before it starts.
    """
    every = {name: -(-rounds // limit) for name, limit in (at_most or {}).items() if name in ways}
    seconds = {name: np.full(rounds, np.nan) for name in ways}
    for turn in range(rounds):
        names = [name for name in ways if turn % every.get(name, 1) == 0]
        for name in names if turn % 2 == 0 else reversed(names):
            gc.collect()
            start = time.perf_counter()
            kept = ways[name]()
            seconds[name][turn] = time.perf_counter() - start
            del kept
    return seconds


def ratio(seconds: Seconds, base: Seconds) -> Ratio:
    """`seconds` over `base`, each round by itself, over the rounds that both took part in."""
    each = seconds / base
    each = each[~np.isnan(each)]
    return Ratio(float(np.median(each)), float(each.min()), float(each.max()))


def table(title: str, seconds: Mapping[str, Seconds]) -> None:
    """Print the median time of each, and how many times the first one."""
    first = next(iter(seconds.values()))
    print(f"\n{title}")
    for name, taken in seconds.items():
        times = ratio(taken, first)
        print(
            f"  {name:<46} {np.nanmedian(taken) * 1000:9.1f} ms   x {times.median:.2f}"
            f"   ({times.low:.2f} to {times.high:.2f})"
        )
