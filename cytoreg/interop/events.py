"""Events as columns of linear values, with what is known of them: what every event format is read to and written from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel
from cytoreg.fcs.compose import is_keyword
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover
from cytoreg.fcs.write import write_fcs

__all__ = ["Events", "described", "events_of", "rounded", "unique_names", "writable", "write_events_fcs"]

USUAL_RANGE = 262144.0
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Events:
    """The events of one data set.

    name: of the file. columns: for each channel its values, shape (n_events,), uncompensated and linear: 32-bit
    or 64-bit floats, or whole numbers. channels: name, marker and range (of the linear values) of each.
    text: TEXT keywords as the FCS file had them, with the $PnE and $PnG that have been undone. version: of that
    file. notes: sentences on what was lost on the way here.
    """

    name: str
    columns: tuple[Array, ...]
    channels: tuple[Channel, ...]
    text: Mapping[str, str]
    spillover: Spillover | None = None
    version: str = "FCS3.1"
    notes: tuple[str, ...] = ()

    @property
    def n_events(self) -> int:
        """Rows."""
        return len(self.columns[0]) if self.columns else 0

    @property
    def is_wide(self) -> bool:
        """Whether a value needs more than the 24 bits of precision of a 32-bit float."""
        return any(_is_wide(column) for column in self.columns)


def events_of(sample: Sample) -> Events:
    """The events of an opened FCS file; integers on a linear amplifier without gain stay whole numbers."""
    channels = sample.channels
    whole = [c.index for c in channels if c.kind == "I" and not c.decades and c.gain == 1.0]
    other = [c.index for c in channels if c.index not in set(whole)]
    columns: dict[int, Array] = dict(zip(whole, sample.columns(whole, raw=True), strict=True)) if whole else {}
    if other:
        columns |= dict(zip(other, sample.columns(other), strict=True))
    undone = [c.name for c in channels if c.decades or c.gain != 1.0]
    notes = []
    if undone:
        notes.append(f"amplifiers and gains ($PnE, $PnG) of {_listed(undone)} are undone: values are linear")
    wide = [channels[i] for i in other if channels[i].kind == "I" and channels[i].bits > 53]
    if wide:
        notes += rounded([c.name for c in wide], sample.columns([c.index for c in wide], raw=True))
    return Events(
        name=sample.name,
        columns=tuple(columns[i] for i in range(len(channels))),
        channels=tuple(replace(c, range=c.top, gain=1.0, decades=0.0, offset=0.0) for c in channels),
        text=dict(sample.text),
        spillover=sample.spillover,
        version=sample.version,
        notes=tuple(notes),
    )


def described(
    names: Sequence[str],
    columns: Sequence[Array],
    markers: Sequence[str | None] | None = None,
    ranges: Sequence[float | None] | None = None,
) -> tuple[Channel, ...]:
    """A Channel for each column of linear values; a range that is not given is the next power of two above the
    largest value, at least 262144."""
    given = ranges or [None] * len(names)
    made = []
    for i, (name, column, top) in enumerate(zip(names, columns, given, strict=True)):
        wide = _is_wide(column)
        made.append(
            Channel(
                index=i,
                name=name,
                marker=(markers[i] if markers else None) or None,
                bits=64 if wide else 32,
                range=float(top) if top and np.isfinite(top) and top > 0 else _range_of(column),
                kind="D" if wide else "F",
            )
        )
    return tuple(made)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, those that stand twice told apart by a number.

    >>> unique_names(["FL1", "FL1", "FL1.1"])
    ['FL1', 'FL1.2', 'FL1.1']
    """
    taken, given = set(names), []
    for name in names:
        unique, n = name, 0
        while unique in given or (n and unique in taken):
            n += 1
            unique = f"{name}.{n}"
        given.append(unique)
    return given


def write_events_fcs(events: Events, path: Path, *, version: str = "FCS3.1") -> list[str]:
    """Write linear values as FCS; what could not be carried over, in sentences.

    Every channel is a 32-bit float, or a 64-bit one where a value needs more (all channels in FCS 3.1, which has
    one type for all; that channel in 3.2).
    """
    kinds = ["D" if _is_wide(column) else "F" for column in events.columns]
    if version != "FCS3.2" and "D" in kinds:
        kinds = ["D"] * len(kinds)
    names = [re.sub(r",", ";", channel.name).strip() or f"P{channel.index + 1}" for channel in events.channels]
    lost = [
        f"channel {channel.name!r} is called {name!r}: $PnN holds no comma"
        for channel, name in zip(events.channels, names, strict=True)
        if name != channel.name
    ]
    text, odd = writable(_still_true(events.text))
    lost += odd
    dtype = np.float64 if "D" in kinds else np.float32
    matrix = np.empty((events.n_events, len(names)), dtype=dtype)
    for i, column in enumerate(events.columns):
        matrix[:, i] = column
    lost += rounded(names, events.columns)
    write_fcs(
        path,
        matrix,
        names,
        [channel.marker for channel in events.channels],
        ranges=[channel.range for channel in events.channels],
        spillover=_renamed(events.spillover, events.channels, names),
        keywords=text,
        version=version,
        kind=kinds if version == "FCS3.2" else kinds[0],
    )
    return lost


def rounded(names: Sequence[str], columns: Sequence[Array]) -> list[str]:
    """A sentence for each column whose whole numbers a 64-bit float does not hold: those above 2^53."""
    return [
        f"channel {name!r}: whole numbers above 2^53 are rounded to 64-bit floats"
        for name, column in zip(names, columns, strict=True)
        if _largest_whole(column) > 2**53
    ]


def _still_true(text: Mapping[str, str]) -> dict[str, str]:
    """Keywords that still hold for linear values written anew."""
    return {key: value for key, value in text.items() if not re.fullmatch(r"\$P\d+D|\$DFC\d+TO\d+", key)}


def writable(text: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The keywords that FCS can hold, whose names are printable ASCII, and a sentence where there are others."""
    fitting = {key: value for key, value in text.items() if is_keyword(key)}
    odd = len(text) - len(fitting)
    return fitting, [f"keywords whose names are not printable ASCII stay behind ({odd})"] if odd else []


def _renamed(spillover: Spillover | None, channels: Sequence[Channel], names: Sequence[str]) -> Spillover | None:
    if spillover is None:
        return None
    new = {channel.name: name for channel, name in zip(channels, names, strict=True)}
    return replace(spillover, channels=tuple(new.get(name, name) for name in spillover.channels))


def _is_wide(column: Array) -> bool:
    if column.dtype.kind == "f":
        return column.dtype.itemsize > 4
    return column.dtype.itemsize > 2 and _largest_whole(column) > 2**24


def _largest_whole(column: Array) -> int:
    """The largest magnitude of a column of whole numbers; 0 where it holds none (np.abs wraps at the smallest)."""
    if column.dtype.kind not in "iu" or not column.size:
        return 0
    return max(abs(int(column.min())), abs(int(column.max())))


def _range_of(column: Array) -> float:
    finite = column[np.isfinite(column)] if column.dtype.kind == "f" else column
    top = float(finite.max()) if finite.size else 0.0
    return max(USUAL_RANGE, float(2.0 ** np.ceil(np.log2(top + 1)))) if 0 < top < 1e300 else USUAL_RANGE


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
