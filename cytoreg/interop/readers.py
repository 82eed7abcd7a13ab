"""A second opinion on a file: every value compared with what flowio, fcsparser and FlowKit read of it.

flowio and fcsparser decode the bytes themselves and give stored values, before $PnE and $PnG; with these,
stored values are compared, bit for bit. FlowKit takes its bytes from flowio and puts $PnE, $PnG and
$TIMESTEP on them; with it, linear values are compared, to 1e-6 of each. They open plain files only: what is
packed or remote is unpacked for them to a temporary file. They load here, when asked for, and nowhere else.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import StudyError, suggest
from cytoreg.fcs import Sample, read_fcs
from cytoreg.fcs.storage import LocalFile, open_storage

__all__ = ["DEFAULT_READERS", "READERS", "Difference", "Opinion", "compare_readers"]

Array = npt.NDArray[Any]
READERS = ("flowio", "fcsparser", "flowkit")
DEFAULT_READERS = ("flowio", "fcsparser")
STEP = 1 << 20  # bytes copied at a time
LISTED = 5  # differences that are named; all are counted
CLOSE = 1e-6  # relative: FlowKit computes in 64 bits, we give 32
# flowio refuses files whose offsets disagree unless it is told which to follow: first as it comes, then both ways
_OFFSETS: tuple[tuple[str, dict[str, bool]], ...] = (
    ("", {}),
    ("told to follow the offsets of HEADER", {"use_header_offsets": True, "ignore_offset_error": True}),
    ("told to follow the offsets of TEXT", {"ignore_offset_discrepancy": True, "ignore_offset_error": True}),
)


@dataclass(frozen=True)
class Difference:
    """A value that two readers read otherwise. event: from 0. channel: from 1, as in $PnN."""

    event: int
    channel: int
    name: str
    ours: float
    theirs: float

    def __str__(self) -> str:
        place = f"event {self.event}, channel {self.channel} ({self.name})"
        return f"{place}: {self.theirs:.9g} there, {self.ours:.9g} here"


@dataclass(frozen=True)
class Opinion:
    """What another reader made of a data set.

    opened: whether it did; if not, reason is its own words in one line. how: what it had to be told to open
    the file. values: `stored` or `linear`. events, channels: what it found. compared: how many values;
    different: how many of them differ; first: where, some of them.
    """

    reader: str
    dataset: int
    opened: bool
    reason: str = ""
    how: str = ""
    values: str = "stored"
    events: int = 0
    channels: int = 0
    our_events: int = 0
    our_channels: int = 0
    compared: int = 0
    different: int = 0
    first: tuple[Difference, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether it opened the file and found the same shape and the same values."""
        shapes = (self.events, self.channels) == (self.our_events, self.our_channels)
        return self.opened and shapes and not self.different

    @property
    def message(self) -> str:
        """The opinion in one line."""
        if not self.opened:
            return f"does not open the file ({self.reason})"
        told = f", {self.how}" if self.how else ""
        if self.equal:
            close = " (to 1e-6)" if self.values == "linear" else ""
            return f"all {self.compared:,} {self.values} values equal{close}, {self._shape}{told}"
        if (self.events, self.channels) != (self.our_events, self.our_channels):
            ours = f"{self.our_events:,} events x {self.our_channels} channels"
            rest = f"; {self.different:,} of {self.compared:,} values differ" if self.compared else ""
            return f"reads {self._shape}, we read {ours}{rest}{told}"
        return f"{self.different:,} of {self.compared:,} {self.values} values differ{told}"

    @property
    def _shape(self) -> str:
        return f"{self.events:,} events x {self.channels} channels"


def compare_readers(
    path: str | os.PathLike[str], readers: Sequence[str] = DEFAULT_READERS, *, datasets: Sequence[int] = (0,)
) -> list[Opinion]:
    """The opinion of each reader on each data set asked for.

    path: anything that `read_fcs` opens: gzipped, in a zip archive, a URL. Raises FCSError where we cannot read the file, StudyError for an unknown reader.
    """
    for reader in readers:
        if reader not in READERS:
            raise StudyError(f"--against {reader}: there is no such reader; {suggest(reader, READERS)}")
    opinions = []
    with _plain_file(path) as plain:
        for dataset in datasets:
            sample = read_fcs(path, dataset=dataset)
            stored = sample.to_numpy(raw=True)
            opinions += [_opinion(reader, plain, dataset, sample, stored) for reader in readers]
    return opinions


@contextmanager
def _plain_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file that holds the bytes as they are: the file itself, or a copy of what is packed or remote."""
    storage = open_storage(path)
    if isinstance(storage, LocalFile):
        yield storage.path
        return
    with tempfile.TemporaryDirectory(prefix="cytoreg-") as folder:
        copy = Path(folder) / "tube.fcs"
        with storage.opened() as reader, copy.open("wb") as file:
            buffer, place = bytearray(STEP), 0
            while got := reader.fill(place, memoryview(buffer)):
                file.write(memoryview(buffer)[:got])
                place += got
        yield copy


def _opinion(reader: str, path: Path, dataset: int, sample: Sample, stored: Array) -> Opinion:
    """The first way in which the reader agrees with us, else the first in which it opens the file."""
    opened: Opinion | None = None
    reason = ""
    for how, options in _OFFSETS if reader != "fcsparser" else _OFFSETS[:1]:
        try:
            with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                warnings.simplefilter(
                    "ignore"
                )  # what they say of the file is not asked for, and no place for names
                theirs = _READ[reader](path, dataset, options)
        except Exception as problem:  # other readers end in any exception there is
            reason = _one_line(problem)
            continue
        ours = stored if reader != "flowkit" else _in_seconds(sample)
        opinion = _compared(reader, dataset, how, sample, ours, theirs)
        if opinion.equal:
            return opinion
        opened = opened or opinion
    events, channels = stored.shape
    return opened or Opinion(reader, dataset, False, reason=reason, our_events=events, our_channels=channels)


def _one_line(problem: Exception) -> str:
    words = " ".join(f"{type(problem).__name__}: {problem}".split()).removesuffix(":")
    return words if len(words) <= 160 else words[:159] + "…"


def _compared(reader: str, dataset: int, how: str, sample: Sample, ours: Array, theirs: Array) -> Opinion:
    """Compare what both have: all channels where there are as many, the events up to the shorter end."""
    same_channels = theirs.shape[1] == ours.shape[1]
    n = min(len(ours), len(theirs)) if same_channels else 0
    differ = 0
    first: list[Difference] = []
    step = max(1, (1 << 20) // max(1, ours.shape[1]))
    for start in range(0, n, step):
        here, there = ours[start : min(n, start + step)], theirs[start : min(n, start + step)]
        places = np.argwhere(~_same(here, there, close=reader == "flowkit"))
        differ += len(places)
        for event, channel in places[: LISTED - len(first)].tolist():
            name = sample.channels[channel].name
            values = float(here[event, channel]), float(there[event, channel])
            first.append(Difference(start + event, channel + 1, name, *values))
    return Opinion(
        reader=reader,
        dataset=dataset,
        opened=True,
        how=how,
        values="linear" if reader == "flowkit" else "stored",
        events=theirs.shape[0],
        channels=theirs.shape[1],
        our_events=ours.shape[0],
        our_channels=ours.shape[1],
        compared=n * ours.shape[1] if same_channels else 0,
        different=differ,
        first=tuple(first),
    )


def _same(ours: Array, theirs: Array, *, close: bool) -> Array:
    if close:
        return np.isclose(ours, theirs, rtol=CLOSE, atol=0, equal_nan=True)
    same = ours == theirs
    if ours.dtype.kind == "f":
        same |= np.isnan(ours) & np.isnan(theirs.astype(np.float64, copy=False))
    return same


def _in_seconds(sample: Sample) -> Array:
    """Linear values with the time channel times $TIMESTEP, which FlowKit multiplies out and we do not."""
    values = sample.to_numpy().astype(np.float64)
    for channel in sample.channels:
        if channel.name.casefold() == "time" and sample.timestep is not None:
            values[:, channel.index] *= sample.timestep
    return values


def _flowio(path: Path, dataset: int, options: dict[str, bool]) -> Array:
    data = _flow_data(path, dataset, options)
    if data.events is None:
        raise ValueError("it gives no events")
    return np.reshape(np.asarray(data.events), (-1, data.channel_count))


def _flow_data(path: Path, dataset: int, options: dict[str, bool]) -> Any:
    import flowio
    from flowio.exceptions import MultipleDataSetsError

    if dataset == 0:
        try:
            return flowio.FlowData(str(path), **options)
        except MultipleDataSetsError:
            pass  # its reader of one data set refuses a file that holds more
    return flowio.read_multiple_data_sets(str(path), **options)[dataset]


def _fcsparser(path: Path, dataset: int, options: dict[str, bool]) -> Array:
    import fcsparser

    _, frame = fcsparser.parse(str(path), channel_naming="$PnN", data_set=dataset, dtype=None)  # else 32-bit
    values: Array = frame.to_numpy()
    return values


def _flowkit(path: Path, dataset: int, options: dict[str, bool]) -> Array:
    import flowkit

    sample = flowkit.Sample(_flow_data(path, dataset, options), sample_id=path.name)
    values: Array = sample.get_events(source="raw")
    return values


_READ: dict[str, Callable[[Path, int, dict[str, bool]], Array]] = {
    "flowio": _flowio,
    "fcsparser": _fcsparser,
    "flowkit": _flowkit,
}
