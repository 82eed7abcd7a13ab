"""A population's events as a file of their own, in any format that events are written in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cytoreg.gating.result import Result
from cytoreg.interop.conversion import FORMATS, format_of
from cytoreg.interop.events import events_of

__all__ = ["export_population"]

KEPT = ("$CYT", "$TIMESTEP")  # of the keywords; others may say whose blood it is


def export_population(result: Result, population: str, path: Path) -> int:
    """Write the events of a population, uncompensated linear values with all channels; the number written.

    FCS, Parquet and AnnData hold markers and spillover too, CSV has neither. AnnData also says in `obs` which
    populations each event belongs to. Raises StoreError for an
    extension that is not known, TemplateError for an unknown population.
    """
    kind = format_of(path, to_write=True)
    if kind == "h5ad":
        from cytoreg.interop.membership import write_gated_h5ad  # which takes KEPT from here

        write_gated_h5ad(result, path, population)
        return int(result.mask(population).sum())
    form = FORMATS[kind]
    sample = result.bound.sample
    index = np.flatnonzero(result.mask(population))
    events = events_of(sample)
    form.write(
        replace(
            events,
            columns=tuple(column[index] for column in events.columns),
            text={key: sample.text[key] for key in KEPT if key in sample.text},
        ),
        path,
    )
    return len(index)
