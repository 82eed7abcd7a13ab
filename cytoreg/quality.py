"""Acquisition quality of one tube: how many events, how many at the edge of a detector, time in order.

Nothing is removed: what is found is a number and a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel
from cytoreg.fcs.sample import Sample

__all__ = ["Quality", "quality_of"]

FEW_EVENTS = 1000
MUCH_MARGIN_PERCENT = 5.0


@dataclass(frozen=True)
class Quality:
    """events: of the file. margin_percent: events at the top of the scale of the worst channel (`margin_channel`).

    problems: departures of the file from the standard that may touch a number.
    """

    events: int
    events_removed: int
    removed_why: str
    margin_percent: float
    margin_channel: str
    problems: str
    flags: tuple[str, ...]


def quality_of(sample: Sample, columns: Mapping[Channel, npt.NDArray[Any]]) -> Quality:
    """Judge a tube by the channels that its gates used; columns: channel -> uncompensated values, (n_events,)."""
    worst, where = 0.0, ""
    flags = []
    for channel, values in columns.items():
        if channel.name.casefold() in ("time", "hdr-tm", "hdr-t") or not len(values):
            continue
        share = 100 * float(np.mean(values >= _margin(channel)))
        if share > worst:
            worst, where = share, channel.name
    problems = [str(problem) for problem in sample.problems if problem.affects_numbers]
    if sample.n_events < FEW_EVENTS:
        flags.append("few_events")
    if worst > MUCH_MARGIN_PERCENT:
        flags.append("margin")
    if problems:
        flags.append("file_problem")
    return Quality(sample.n_events, 0, "", worst, where, " | ".join(problems), tuple(flags))


def _margin(channel: Channel) -> float:
    """The linear value from which on an event is at the top of the scale: the last 0.1 % or the last step of it."""
    last = min(0.999, 1 - 1 / channel.range) if channel.kind == "I" else 0.999
    return channel.offset * 10.0 ** (channel.decades * last) if channel.decades else channel.top * last
