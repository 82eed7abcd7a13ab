"""A second opinion on a file: every stored value compared with what flowio and fcsparser read.

The other readers load here, when asked for, and nowhere else.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.errors import FCSError, StudyError, suggest
from cytoreg.fcs.read import read_fcs

__all__ = ["READERS", "Opinion", "compare_readers"]

Array = npt.NDArray[Any]
READERS = ("flowio", "fcsparser")


@dataclass(frozen=True)
class Opinion:
    """What another reader made of a file.

    equal: whether all values agree. message: the shape they agree on, the first difference, or why the
    other reader does not open the file.
    """

    reader: str
    opened: bool
    equal: bool
    message: str


def compare_readers(path: Path, readers: Sequence[str] = READERS) -> list[Opinion]:
    """Compare stored values, before $PnE and $PnG, of the first data set.

    Raises FCSError where we cannot read the file, StudyError for an unknown reader.
    """
    for reader in readers:
        if reader not in READERS:
            raise StudyError(f"--against {reader}: there is no such reader; {suggest(reader, READERS)}")
    ours = read_fcs(path).to_numpy(raw=True)
    return [_compare(reader, path, ours) for reader in readers]


def _compare(reader: str, path: Path, ours: Array) -> Opinion:
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # what they say of the file is not asked for, and no place for names
            theirs = _flowio(path) if reader == "flowio" else _fcsparser(path)
    except FCSError:
        raise
    except Exception as problem:  # the other readers end in any exception there is
        reason = f"{type(problem).__name__}: {problem}".splitlines()[0]
        return Opinion(reader, False, False, f"does not open the file ({reason})")
    if theirs.shape != ours.shape:
        return Opinion(reader, True, False, f"reads {_shape(theirs)}, we read {_shape(ours)}")
    same = (ours == theirs) | (np.isnan(ours.astype(np.float64)) & np.isnan(theirs.astype(np.float64)))
    if same.all():
        return Opinion(reader, True, True, f"all {_shape(ours)} equal")
    event, channel = (int(place) for place in np.argwhere(~same)[0])
    return Opinion(
        reader,
        True,
        False,
        f"{int((~same).sum())} values differ, first at event {event}, channel {channel + 1}: "
        f"{theirs[event, channel]} there, {ours[event, channel]} here",
    )


def _shape(events: Array) -> str:
    return f"{events.shape[0]:,} events x {events.shape[1]} channels"


def _flowio(path: Path) -> Array:
    import flowio

    data = flowio.FlowData(str(path), ignore_offset_error=True, ignore_offset_discrepancy=True)
    return np.reshape(np.asarray(data.events), (-1, data.channel_count))


def _fcsparser(path: Path) -> Array:
    import fcsparser

    _, frame = fcsparser.parse(str(path), channel_naming="$PnN")
    values: Array = frame.to_numpy()
    return values
