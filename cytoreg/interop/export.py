"""A population's events as a file of their own: FCS with all channels and the spillover, or CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytoreg.errors import StoreError
from cytoreg.fcs.write import write_fcs
from cytoreg.gating.result import Result

__all__ = ["export_population"]


def export_population(result: Result, population: str, path: Path) -> int:
    """Write the events of a population, uncompensated linear values; the number of events written.

    Raises StoreError for an extension other than .fcs and .csv, TemplateError for an unknown population.
    """
    sample = result.bound.sample
    index = np.flatnonzero(result.mask(population))
    columns = sample.columns(range(len(sample.channels)))
    events = np.column_stack([column[index] for column in columns])
    names = [channel.name for channel in sample.channels]
    if path.suffix.lower() == ".fcs":
        write_fcs(
            path,
            events,
            names,
            [channel.marker for channel in sample.channels],
            ranges=[channel.top for channel in sample.channels],
            spillover=sample.spillover,
            kind="D" if events.dtype == np.float64 else "F",
        )
    elif path.suffix.lower() == ".csv":
        try:
            header = ",".join(f'"{name}"' for name in names)
            np.savetxt(
                path,
                events,
                delimiter=",",
                header=header,
                comments="",
                fmt="%.17g" if events.dtype == np.float64 else "%.9g",
            )
        except OSError as problem:
            raise StoreError(f"{path}: cannot be written: {problem.strerror or problem}") from None
    else:
        raise StoreError(f"{path}: events are written as .fcs or .csv, not {path.suffix or 'without extension'}")
    return len(index)
