"""A gate that FlowJo's rule decides by bins, as the compiled kernel needs it: what it says of every pair of bins.

The gates and their grids are those of gating/binned.py, which stands above this package and is not imported: they
are asked what they say, and how a grid cuts its axis is checked against the grid itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BORDER", "cells_of", "decides", "ends", "first_cell"]

BORDER = 1e-6  # cells: how well the border between two is known
MOST = 512  # cells of an axis


def decides(gate: Any) -> bool:
    """Whether a gate looks at the bins of two grids (`Grid.events`) and at nothing else, and can be a key."""
    if type(gate).__name__ not in ("BinnedPolygon", "BinnedEllipse") or len(gate.grids) != 2:
        return False
    try:
        hash(gate)
    except TypeError:
        return False
    return True


def ends(gate: Any) -> tuple[list[float], list[float]]:
    """The least and the largest display value of each grid; values beyond count in the bins at the ends."""
    return [grid.low for grid in gate.grids], [grid.high for grid in gate.grids]


def first_cell(grid: Any) -> tuple[float, float]:
    """Where the first cell of a grid begins, in display units, and the cells to a display unit."""
    per = _count(grid) / (grid.high - grid.low)
    to_nearest = grid.nearest if grid.kept is None else not grid.nearest
    return grid.low - (0.5 / per if to_nearest else 0.0), per


@lru_cache(maxsize=64)
def cells_of(gate: Any) -> npt.NDArray[np.uint8] | None:
    """1 for each cell that is inside, (cells of y, cells of x); None where a grid cannot be cut into cells."""
    middles = []
    for grid in gate.grids:
        n = _count(grid)
        if n > MOST:
            return None
        low, per = first_cell(grid)
        near, far = (grid.events(low + (np.arange(n) + end) / per) for end in (BORDER, 1 - BORDER))
        if not np.array_equal(near, far):  # the grid cuts its axis otherwise than is thought here
            return None
        middles.append(low + (np.arange(n) + 0.5) / per)
    x, y = (len(middle) for middle in middles)
    inside: npt.NDArray[np.bool_] = gate.contains([np.tile(middles[0], y), np.repeat(middles[1], x)])
    return inside.astype(np.uint8).reshape(y, x)


def _count(grid: Any) -> int:
    return int(grid.kept or grid.bins)
