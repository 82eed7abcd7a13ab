"""One data set of an FCS file: what it says of itself, and its values, decoded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError, suggest
from cytoreg.fcs.channel import Channel, Problem, carries, label_pieces
from cytoreg.fcs.data import ArraySource, FileSource, Source
from cytoreg.fcs.parameters import TIME_NAMES
from cytoreg.fcs.spillover import Spillover
from cytoreg.fcs.text import number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sample", "sample_from_array"]

Array = npt.NDArray[Any]


class Sample:
    """An opened data set. Nothing of DATA has been read until a value is asked for.

    name: the file's name. version: as HEADER gives it. n_events: rows of DATA. channels: one Channel
    each. text: keywords in capitals with their values. analysis: those of the ANALYSIS segment. spillover: the matrix of the file, or None.
    problems: departures from the standard, and what was assumed.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        n_events: int,
        channels: tuple[Channel, ...],
        text: Mapping[str, str],
        spillover: Spillover | None,
        problems: Sequence[Problem],
        source: Source,
        analysis: Mapping[str, str] | None = None,
        crc: Callable[[], bool | None] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.n_events = n_events
        self.channels = channels
        self.text = MappingProxyType(dict(text))
        self.analysis = MappingProxyType(dict(analysis or {}))
        self.spillover = spillover
        self.problems = tuple(problems)
        self._source = source
        self._crc = crc

    def __len__(self) -> int:
        return self.n_events

    def __repr__(self) -> str:
        return f"<Sample {self.name}: {self.n_events} events x {len(self.channels)} channels, {self.version}>"

    def __getitem__(self, name: str | int | tuple[str | int, Any]) -> Array:
        """The values of a channel by name, marker or number (from 0): shape (n_events,), read-only.

        Uncompensated and linear, after $PnE (logarithmic amplifiers are undone) and $PnG (divided by
        the gain; but time keeps its stored ticks, see `seconds`); float32, or float64 for type D and integers
        above 24 bits. `sample[name, events]` gives
        those of some events, as `columns` takes them. Raises FCSError where the name is not there or fits
        several channels.
        """
        wanted, events = name if isinstance(name, tuple) else (name, None)
        return self.columns([self.index(wanted)], events=events)[0]

    def columns(self, indices: Sequence[int | str], *, raw: bool = False, events: Any = None) -> list[Array]:
        """Several channels, by number or name, in one pass through the file, each as `sample[...]` gives it.

        raw: the numbers as they are stored. events: only these, given as a mask of shape (n_events,), as
        positions, or as a slice; blocks of the file that hold none of them are not read.
        """
        found = [self.index(index) for index in indices]
        if events is None:
            values = self._source.columns(found, raw=raw)
        else:
            rows = self._rows(events)
            rising, back = (rows, None) if np.all(np.diff(rows) >= 0) else np.unique(rows, return_inverse=True)
            values = self._source.columns(found, raw=raw, rows=rising)
            if back is not None:
                values = [column[back] for column in values]
        for column in values:
            column.setflags(write=False)
        return values

    def _rows(self, events: Any) -> npt.NDArray[np.int64]:
        """Positions of events from a mask, positions or a slice. Raises FCSError where they do not fit."""
        if isinstance(events, slice):
            return np.arange(self.n_events)[events]
        given = np.asarray(events)
        if given.dtype == bool:
            if given.shape != (self.n_events,):
                raise FCSError(f"{self.name}: a mask of {self.n_events} events was expected, found {given.shape}")
            return np.flatnonzero(given)
        if given.size == 0:
            return np.empty(0, dtype=np.int64)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise FCSError(
                f"{self.name}: events are a mask, positions or a slice, not {given.dtype} of {given.shape}"
            )
        if given.min() < 0 or given.max() >= self.n_events:
            wrong = given.min() if given.min() < 0 else given.max()
            raise FCSError(f"{self.name}: there are {self.n_events} events, counted from 0; found {wrong}")
        return given.astype(np.int64)

    def index(self, name: str | int) -> int:
        """The position of a channel, from 0: by $PnN, by $PnS, or by the marker in a $PnS such as `BV785 - CD3`."""
        if isinstance(name, int | np.integer):
            if not 0 <= name < len(self.channels):
                raise FCSError(f"{self.name}: there is no channel {name}; there are {len(self.channels)}, from 0")
            return int(name)
        if not isinstance(name, str):
            raise FCSError(f"{self.name}: ask for a channel by name or number, not by {type(name).__name__}")
        folded, pieces = name.casefold(), {"".join(label_pieces(name))}
        for fits in (
            lambda c: c.name == name,
            lambda c: c.name.casefold() == folded,
            lambda c: bool(c.marker) and c.marker.casefold() == folded,
            lambda c: bool(c.marker) and carries(c.marker, pieces, partly=True),
        ):
            found = [channel for channel in self.channels if fits(channel)]
            if len(found) == 1:
                return found[0].index
            if found:
                choices = ", ".join(f"{channel.index} ({channel.label})" for channel in found)
                raise FCSError(f"{self.name}: {name!r} fits several channels: {choices}; ask by number")
        known = [channel.name for channel in self.channels]
        known += [channel.marker for channel in self.channels if channel.marker]
        raise FCSError(f"{self.name}: there is no channel or marker {name!r}; {suggest(name, known, limit=40)}")

    def to_numpy(self, *, raw: bool = False) -> Array:
        """All channels, shape (n_events, n_channels), by the same rule; raw=True gives the stored numbers.

        One type holds them all: integers above 2^53 beside floats are exact in `columns(..., raw=True)` only.
        """
        return self._source.matrix(raw=raw)

    def to_pandas(self, *, raw: bool = False) -> pd.DataFrame:
        """All channels as a DataFrame whose columns are the $PnN."""
        import pandas as pd

        frame = pd.DataFrame(dict(enumerate(self.columns(range(len(self.channels)), raw=raw))))
        frame.columns = pd.Index([channel.name for channel in self.channels])
        return frame

    @property
    def timestep(self) -> float | None:
        """Seconds that a tick of the time channel lasts ($TIMESTEP), or None where the file does not say."""
        step = number(self.text, "$TIMESTEP", self.name)
        return step if step is not None and step > 0 else None

    def seconds(self) -> Array | None:
        """The time of each event in seconds, shape (n_events,), float64; None without time channel or $TIMESTEP."""
        clock = next((channel for channel in self.channels if channel.name.casefold() in TIME_NAMES), None)
        if clock is None or self.timestep is None:
            return None
        return self[clock.index].astype(np.float64) * self.timestep

    def sweep(self, indices: Sequence[int], take: Callable[[int, list[Array]], None]) -> None:
        """Go through the file without keeping it: `take(first event, columns)` for each block, from several threads.

        columns: linear values, as `sample[...]` gives them, of each channel asked for; good until `take` returns.
        Blocks begin at multiples of 256 events.
        """
        self._source.sweep([self.index(index) for index in indices], take)

    def data_blocks(self) -> Iterator[bytes]:
        """The bytes of DATA as the file holds them, in blocks. Raises FCSError where there is no file."""
        if not isinstance(self._source, FileSource):
            raise FCSError(f"{self.name}: these events did not come from a file")
        return self._source.blocks()

    def crc_matches(self) -> bool | None:
        """Whether the file's check sum is that of its bytes; None where it holds none (most hold none)."""
        return self._crc() if self._crc else None


def sample_from_array(
    events: Array,
    channels: Sequence[str],
    *,
    markers: Sequence[str | None] | None = None,
    ranges: Sequence[float] | None = None,
    spillover: Spillover | None = None,
    name: str = "events",
) -> Sample:
    """A Sample of events that are in memory: (n_events, n_channels) linear values.

    Raises FCSError where there is not one column a channel.
    """
    if events.ndim != 2 or events.shape[1] != len(channels):
        raise FCSError(f"{name}: {len(channels)} channels need as many columns, found an array of {events.shape}")
    if events.dtype.kind != "f":
        events = events.astype(np.float64)
    given = markers or [None] * len(channels)
    tops = ranges or [262144.0] * len(channels)
    described = tuple(
        Channel(i, channel, marker, 32, float(top))
        for i, (channel, marker, top) in enumerate(zip(channels, given, tops, strict=True))
    )
    return Sample(
        name=name,
        version="memory",
        n_events=len(events),
        channels=described,
        text={},
        spillover=spillover,
        problems=(),
        source=ArraySource(events),
    )
