"""Which population each event belongs to, as AnnData holds it: a bool column of `obs` for each population.

HDF5 takes `/` in a name for a folder, so that columns are called by the steps of the path joined by ` > `
(`singlets > CD4+`); `uns["populations"]` says which path, name, parent and count each column has.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cytoreg.gating.result import Result
from cytoreg.gating.template import ROOT
from cytoreg.interop.anndata import write_events_h5ad
from cytoreg.interop.events import events_of
from cytoreg.interop.export import KEPT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["membership_columns", "membership_obs", "membership_uns", "write_gated_h5ad"]

BETWEEN = " > "
SLASH = "\u2215"  # the division slash, which HDF5 does not take for a folder


def write_gated_h5ad(result: Result, path: Path, population: str = ROOT) -> list[str]:
    """Write the events of a population as .h5ad, uncompensated, with the membership of each event in `obs`.

    What could not be carried over comes back in sentences. Raises TemplateError for an unknown population,
    MissingDependency where anndata is not installed.
    """
    index = np.flatnonzero(result.mask(population))
    sample = result.bound.sample
    events = events_of(sample)
    events = replace(
        events,
        columns=tuple(column[index] for column in events.columns),
        text={key: sample.text[key] for key in KEPT if key in sample.text},
    )
    obs = membership_obs(result).iloc[index]
    return write_events_h5ad(events, path, obs=obs, uns={"populations": membership_uns(result)})


def membership_columns(result: Result) -> dict[str, str]:
    """The column of each population, by its id, in the order of the template. Columns are unique."""
    columns: dict[str, str] = {}
    taken: set[str] = set()
    for key in result.names:
        steps = [result.bound.name(step).replace("/", SLASH) for step in result.bound.line(key)]
        column = whole = BETWEEN.join(steps)
        number = 1
        while column in taken:
            number += 1
            column = f"{whole} ({number})"
        taken.add(column)
        columns[key] = column
    return columns


def membership_obs(result: Result) -> pd.DataFrame:
    """A row an event of the file, in its order, a bool column a population; the index is "0", "1" and so on."""
    import pandas as pd

    columns = membership_columns(result)
    masks = {column: result.mask(key) for key, column in columns.items()}
    frame = pd.DataFrame(masks, index=_text(str(i) for i in range(result.n_events)))
    frame.columns = _text(masks)
    return frame


def membership_uns(result: Result) -> dict[str, Any]:
    """What the columns are: arrays of one entry a population, for `uns["populations"]`.

    column, path (joined by `/`, escaped), name, parent (path, empty for the first step), count, parent_count.
    """
    columns = membership_columns(result)
    parents = [result.bound.parents[key] for key in columns]
    return {
        "column": _objects(columns.values()),
        "path": _objects(result.bound.path(key) for key in columns),
        "name": _objects(result.bound.name(key) for key in columns),
        "parent": _objects("" if parent == ROOT else result.bound.path(parent) for parent in parents),
        "count": np.array([result.count(key) for key in columns], dtype=np.int64),
        "parent_count": np.array([result.count(parent) for parent in parents], dtype=np.int64),
    }


def _objects(names: Any) -> Any:
    """Python strings: anndata 0.12 cannot write the string type that pandas 3 makes of them."""
    return np.array(list(names), dtype=object)


def _text(names: Any) -> pd.Index[Any]:
    import pandas as pd

    return pd.Index(_objects(names), dtype=object)
