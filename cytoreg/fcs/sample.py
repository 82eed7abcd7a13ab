"""One data set of an FCS file: what it says of itself, and its values, decoded when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError, suggest
from cytoreg.fcs.channel import Channel, Problem, carries, label_pieces
from cytoreg.fcs.data import ArraySource, Source
from cytoreg.fcs.spillover import Spillover

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sample", "sample_from_array"]

Array = npt.NDArray[Any]


class Sample:
    """An opened data set. Nothing of DATA has been read until a value is asked for.

    name: the file's name. version: as HEADER gives it. n_events: rows of DATA. channels: one Channel
    each. text: keywords in capitals with their values. spillover: the matrix of the file, or None.
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
    ) -> None:
        self.name = name
        self.version = version
        self.n_events = n_events
        self.channels = channels
        self.text = MappingProxyType(dict(text))
        self.spillover = spillover
        self.problems = tuple(problems)
        self._source = source

    def __len__(self) -> int:
        return self.n_events

    def __repr__(self) -> str:
        return f"<Sample {self.name}: {self.n_events} events x {len(self.channels)} channels, {self.version}>"

    def __getitem__(self, name: str | int) -> Array:
        """The values of a channel by name, marker or number (from 0): shape (n_events,), read-only.

        Uncompensated and linear, after $PnE (logarithmic amplifiers are undone) and $PnG (divided by
        the gain); float32, or float64 for type D and integers above 24 bits. Raises FCSError where
        the name is not there or fits several channels.
        """
        return self.columns([self.index(name)])[0]

    def columns(self, indices: Sequence[int], *, raw: bool = False) -> list[Array]:
        """Several channels in one pass through the file, each as `sample[...]` gives it, read-only."""
        values = self._source.columns(indices, raw=raw)
        for column in values:
            column.setflags(write=False)
        return values

    def index(self, name: str | int) -> int:
        """The position of a channel, from 0: by $PnN, by $PnS, or by the marker in a $PnS such as `BV785 - CD3`."""
        if isinstance(name, int | np.integer):
            if not 0 <= name < len(self.channels):
                raise FCSError(f"{self.name}: there is no channel {name}; there are {len(self.channels)}, from 0")
            return int(name)
        folded, pieces = name.casefold(), {"".join(label_pieces(name))}
        for fits in (
            lambda c: c.name == name,
            lambda c: c.name.casefold() == folded,
            lambda c: (c.marker or "").casefold() == folded,
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
        """All channels, shape (n_events, n_channels), by the same rule; raw=True gives the stored numbers."""
        whole = self._source.matrix(raw=raw)
        if whole is not None:
            return whole
        columns = self.columns(range(len(self.channels)), raw=raw)
        return np.column_stack(columns) if columns else np.empty((self.n_events, 0), dtype=np.float32)

    def to_pandas(self, *, raw: bool = False) -> pd.DataFrame:
        """All channels as a DataFrame whose columns are the $PnN."""
        import pandas as pd

        frame = pd.DataFrame(dict(enumerate(self.columns(range(len(self.channels)), raw=raw))))
        frame.columns = pd.Index([channel.name for channel in self.channels])
        return frame


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
