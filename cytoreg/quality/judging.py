"""All that is known of a tube's acquisition in one record, and which events to leave out if that is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel
from cytoreg.fcs.sample import Sample
from cytoreg.quality.clock import Clock, clock_index, clock_of
from cytoreg.quality.edges import at_bottom, at_top, doublets_percent
from cytoreg.quality.rate import Rate, rate_of
from cytoreg.quality.signal import MOVED, Course, course_of

__all__ = ["REMOVABLE", "Quality", "quality_of"]

FEW_EVENTS = 1000
MUCH_MARGIN_PERCENT = 5.0
MANY_DOUBLETS_PERCENT = 25.0
REMOVABLE = ("margin", "time", "rate")
MOST_SHOWN = 3  # channels whose course the report draws
Mask = npt.NDArray[np.bool_]
Columns = Mapping[Channel, npt.NDArray[Any]]


@dataclass(frozen=True)
class Quality:
    """What was found of a tube.

    events: of the file; events_removed: left out before gating, because it was asked for; removed_why: for which
    reasons, each with how many events it holds. margin_percent: events at the top of the scale of the worst channel
    (`margin_channel`); bottom_percent: events piled up at the lowest value of one. doublets_percent: by area and
    height of forward scatter. unsteady_percent: events in stretches in which the signal of `unsteady_channels`
    differs from the main stretch. rate_percent: events in stretches of odd flow rate. clog_percent: share of the
    time in which nearly nothing flowed. problems: departures of the file from the standard that may touch a number.
    kept: which events to gate, (n,) bool, or None for all. course: what the report draws, where there is a reason to.
    """

    events: int
    events_removed: int
    removed_why: str
    margin_percent: float
    margin_channel: str
    problems: str
    flags: tuple[str, ...]
    bottom_percent: float = 0.0
    bottom_channel: str = ""
    doublets_percent: float = math.nan
    unsteady_percent: float = math.nan
    unsteady_channels: str = ""
    rate_percent: float = math.nan
    clog_percent: float = math.nan
    kept: Mask | None = field(default=None, compare=False, repr=False)
    course: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


def quality_of(sample: Sample, columns: Columns, remove: Sequence[str] = ()) -> Quality:
    """Judge a tube by the channels that its gates use.

    columns: channel -> uncompensated values, (n_events,); the time channel too, where it is known. remove: which of
    REMOVABLE to leave out.
    """
    clock_at = clock_index(sample)
    seen = {c: v for c, v in columns.items() if _is_light(c) and len(v)}
    ticks = next(((c, v) for c, v in columns.items() if c.index == clock_at), None)
    clock = clock_of(ticks[1], ticks[0].top) if ticks else None
    top, at = _worst({c: at_top(c, v) for c, v in seen.items()})
    bottom, below = _worst({c: at_bottom(v) for c, v in seen.items()})
    rate = rate_of(clock.ticks) if clock is not None else None
    course = course_of(list(seen.values()), clock.order if clock is not None else None)
    doublets = doublets_percent(seen)
    problems = [str(problem) for problem in sample.problems if problem.affects_numbers]
    flags = [
        *(["few_events"] if sample.n_events < FEW_EVENTS else []),
        *(["margin"] if top > MUCH_MARGIN_PERCENT else []),
        *(["many_doublets"] if doublets > MANY_DOUBLETS_PERCENT else []),
        *_time_flags(clock, rate, course),
        *(["file_problem"] if problems else []),
    ]
    found: dict[str, Mask] = {}
    if remove:
        found = {
            "margin": _any([at_top(c, v) for c, v in seen.items()], sample.n_events),
            "time": _in_file(_unsteady(course), clock, sample.n_events),
            "rate": _in_file(None if rate is None else rate.odd, clock, sample.n_events),
        }
    asked = {why: found[why] for why in REMOVABLE if why in remove and found[why].any()}
    gone = _any(list(asked.values()), sample.n_events)
    drawn = {"drift", "jump", "clog", "flow_rate", "time_backwards", "time_disordered"} & set(flags)
    names = [channel.name for channel in seen]
    return Quality(
        events=sample.n_events,
        events_removed=int(gone.sum()),
        removed_why="; ".join(f"{why} {int(mask.sum())}" for why, mask in asked.items()),
        margin_percent=top,
        margin_channel=at,
        problems=" | ".join(problems),
        flags=(*flags, *(f"removed:{why}" for why in asked)),
        bottom_percent=bottom,
        bottom_channel=below,
        doublets_percent=doublets,
        unsteady_percent=_percent(_unsteady(course)),
        unsteady_channels=", ".join(names[i] for i in _moving(course)),
        rate_percent=_percent(None if rate is None else rate.odd),
        clog_percent=_percent(None if rate is None else rate.clogged),
        kept=~gone if asked else None,
        course=_drawn(clock, rate, course, names, sample.timestep) if drawn else None,
    )


def _is_light(channel: Channel) -> bool:
    """Whether a channel measures light: not time, a number of the event, or a length in time."""
    name = channel.name.strip().casefold().removeprefix("hdr-")
    return not channel.is_scatter_or_time or name.startswith(("fs", "ss", "bsc"))


def _worst(found: Mapping[Channel, Mask]) -> tuple[float, str]:
    """The highest percentage of events, and its channel."""
    counts = {channel: int(np.count_nonzero(mask)) for channel, mask in found.items()}
    worst = max(counts, key=lambda channel: counts[channel], default=None)
    if worst is None or counts[worst] < 1:
        return 0.0, ""
    return 100 * counts[worst] / len(found[worst]), worst.name


def _time_flags(clock: Clock | None, rate: Rate | None, course: Course | None) -> list[str]:
    flags = []
    if clock is not None and clock.restarts:
        flags.append("time_backwards")
    if clock is not None and clock.disordered:
        flags.append("time_disordered")
    if course is not None and course.bad.any():
        moving = _moving(course)
        jumped = [bool(course.jumped[i]) for i in moving]
        flags += ["jump"] * any(jumped) + ["drift"] * (not all(jumped))
    if rate is not None:
        flags += ["clog"] * bool(rate.clogged.any()) + ["flow_rate"] * bool(rate.rushed.any())
    return flags


def _moving(course: Course | None) -> list[int]:
    """The channels whose signal moves, those that move most first."""
    if course is None or not course.bad.any():
        return []
    return [int(i) for i in np.argsort(-course.reach, kind="stable") if course.reach[i] > MOVED]


def _unsteady(course: Course | None) -> Mask | None:
    return None if course is None else np.repeat(course.bad, np.diff(course.edges))


def _percent(mask: Mask | None) -> float:
    return math.nan if mask is None or not len(mask) else 100 * float(mask.mean())


def _any(masks: Sequence[Mask], n: int) -> Mask:
    return np.logical_or.reduce(masks) if len(masks) else np.zeros(n, dtype=bool)


def _in_file(mask: Mask | None, clock: Clock | None, n: int) -> Mask:
    """A mask in order of time as one in the order of the file."""
    if mask is None:
        return np.zeros(n, dtype=bool)
    if clock is None or clock.order is None:
        return mask
    back = np.empty_like(mask)
    back[clock.order] = mask
    return back


def _drawn(
    clock: Clock | None, rate: Rate | None, course: Course | None, names: Sequence[str], step: float | None
) -> dict[str, Any]:
    """Small lists for a picture: `span` in seconds or None; places along the tube run from 0 to 1."""
    said: dict[str, Any] = {"span": clock.span * step if clock is not None and step else None}
    said["along"] = "time" if clock is not None else "events"
    if rate is not None:
        said["counts"] = rate.counts.tolist()
        said["odd"] = [int(i) for i in np.flatnonzero(rate.clogged | rate.rushed)]
    if course is not None:
        edges = course.edges / course.edges[-1]
        if clock is not None and clock.span > 0:
            at = np.append(clock.ticks, clock.ticks[-1])[course.edges]
            edges = (at - clock.ticks[0]) / clock.span
        order = np.argsort(-course.reach, kind="stable")[:MOST_SHOWN]
        said["edges"] = [round(float(edge), 4) for edge in edges]
        said["bad"] = [int(i) for i in np.flatnonzero(course.bad)]
        said["moved"] = {names[i]: [round(float(x), 3) for x in course.moved[i]] for i in order}
    return said
