"""The files that readers are timed on: made by `write_fcs` from random numbers, and known event by event."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs import write_fcs

__all__ = ["CHANNELS", "Files", "compressed", "float_files", "integer_file"]

Array = npt.NDArray[Any]

CHANNELS = 20
BLOCK_EVENTS = 1_000_000


@dataclass(frozen=True)
class Files:
    """Paths, and what is in them: `base`, shape (events, channels), `times` over in each, each time `step` more.

    With a step no block of any file is the same as another, so that blocks in a wrong order would be seen.
    """

    paths: tuple[Path, ...]
    base: Array
    times: int = 1
    step: int = 1

    @property
    def n_events(self) -> int:
        """Events of one file."""
        return len(self.base) * self.times

    def blocks(self, number: int) -> Iterator[Array]:
        """The events of a file, a block after the other."""
        for block in range(self.times):
            yield self.base + self.base.dtype.type((number * self.times + block) * self.step)

    def hold(self, number: int, values: Array, channel: int) -> bool:
        """Whether values, of shape (events, channels) or those of one channel (events,), are those of a file."""
        start = 0
        for block in self.blocks(number):
            expected = block if values.ndim == 2 else block[:, channel]
            if not np.array_equal(values[start : start + len(block)], expected):
                return False
            start += len(block)
        return len(values) == start


def float_files(folder: Path, events: int, *, files: int = 1) -> Files:
    """Files of 32-bit floats with 20 channels, `C0-A` to `C19-A`."""
    rows = min(events, BLOCK_EVENTS)
    base = np.random.default_rng(1).normal(1000, 300, (rows, CHANNELS)).astype(np.float32)
    made = Files(tuple(folder / f"float_{i:03d}.fcs" for i in range(files)), base, events // rows)
    for number, path in enumerate(made.paths):
        write_fcs(path, np.concatenate(list(made.blocks(number))), _names())
    return made


def integer_file(folder: Path, events: int) -> Files:
    """A file of 16-bit integers of which 10 bits are used ($PnR 1024), as older instruments write them."""
    base = np.random.default_rng(2).integers(0, 1024, (events, CHANNELS), dtype=np.uint16)
    made = Files((folder / "integers.fcs",), base, step=0)
    write_fcs(made.paths[0], base, _names(), kind="I", bits=16, ranges=[1024] * CHANNELS)
    return made


def compressed(folder: Path, events: int) -> Files:
    """The file of floats, gzipped."""
    plain = float_files(folder, events)
    path = folder / "float.fcs.gz"
    with plain.paths[0].open("rb") as source, gzip.open(path, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.paths[0].unlink()
    return Files((path,), plain.base)


def _names() -> list[str]:
    return [f"C{i}-A" for i in range(CHANNELS)]
