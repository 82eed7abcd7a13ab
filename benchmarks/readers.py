"""The readers that are timed, each called the way its own documentation does, and a plain read of the bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import cytoreg

__all__ = ["ALL", "CHANNEL", "GUNZIP", "ONE", "OURS", "PEERS", "Reader", "plain_read", "versions"]

Array = npt.NDArray[Any]

PLAIN, ALL, ONE = "plain read", "cytoreg", "cytoreg, one channel"
CHANNEL = 7


@dataclass(frozen=True)
class Reader:
    """read: what is timed. values: from what it gave, the events of shape (n, channels), one channel (n,), or None."""

    name: str
    read: Callable[[Path], Any]
    values: Callable[[Any], Array | None]


def plain_read(n_bytes: int) -> Reader:
    """`readinto` a buffer that was written before and is used again: the least that any reader must do.

    The buffer begins at a page, so that its bytes lie as the file's do: elsewhere the same copy takes up to
    twice as long, and the other readers would look better than they are.
    """
    page = 4096
    memory = np.empty(n_bytes + page, dtype=np.uint8)
    memory.fill(1)
    buffer = memory[-memory.ctypes.data % page :][:n_bytes]

    def read(path: Path) -> None:
        with path.open("rb", buffering=0) as file:
            view = buffer.data
            while got := file.readinto(view):
                view = view[got:]

    return Reader(PLAIN, read, lambda nothing: None)


def _gunzip(path: Path) -> bytes:
    import gzip

    return gzip.decompress(path.read_bytes())


def _one_channel(path: Path) -> Array:
    return cytoreg.read_fcs(path)[f"C{CHANNEL}-A"]


def _fcsparser(path: Path) -> Any:
    import fcsparser

    return fcsparser.parse(str(path))[1]


def _flowio(path: Path) -> Array:
    import flowio

    data = flowio.FlowData(str(path))
    return np.reshape(np.asarray(data.events), (-1, data.channel_count))


def _flowkit(path: Path) -> Array:
    import flowkit

    return flowkit.Sample(str(path)).get_events("raw")


GUNZIP = Reader("gzip.decompress", _gunzip, lambda content: None)  # what compressed files are measured against
OURS = (
    Reader(ALL, lambda path: cytoreg.read_fcs(path).to_numpy(), lambda events: events),
    Reader(ONE, _one_channel, lambda column: column),
)
PEERS = (
    Reader("fcsparser", _fcsparser, lambda frame: frame.to_numpy()),
    Reader("flowio", _flowio, lambda events: events),
    Reader("FlowKit", _flowkit, lambda events: events),
)


def versions() -> str:
    """What was compared with what."""
    return ", ".join(f"{name} {version(name)}" for name in ("cytoreg", "fcsparser", "flowio", "flowkit", "numpy"))
