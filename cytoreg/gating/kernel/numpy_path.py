"""The plain float64 path: the same numbers as the compiled one, block by block, where that cannot be had.

It also decides what the compiled path leaves open, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.compensation import apply
from cytoreg.gating.gates import contains
from cytoreg.gating.kernel.plan import Axis, Plan, references

__all__ = ["decide_rows", "linear_values"]

Columns = Sequence[npt.NDArray[Any] | None]
BLOCK = 65_536


def decide_rows(plan: Plan, columns: Columns, rows: npt.NDArray[np.int64] | slice) -> npt.NDArray[np.bool_]:
    """Membership of some events: (n_populations, n_rows).

    columns: raw values of every channel, each (n_events,); None where no gate needs it.
    """
    n = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
    inside = np.zeros((len(plan.populations), n), dtype=bool)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        part = slice(rows.start + start, rows.start + stop) if isinstance(rows, slice) else rows[start:stop]
        block = [None if column is None else column[part] for column in columns]
        _decide_block(plan, block, inside[:, start:stop])
    return inside


def linear_values(axis: Axis, columns: Columns, events: Any = slice(None)) -> npt.NDArray[np.float64]:
    """Linear values of an axis for some events, before its transform, float64."""
    total = _sum(axis.sources, columns, events)
    if axis.over is None:
        return total
    below = _sum(axis.over.sources, columns, events)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return axis.over.a * (total - axis.over.b) / (below - axis.over.c)


def _sum(sources: Sequence[tuple[int, float]], columns: Columns, events: Any) -> npt.NDArray[np.float64]:
    raw = [columns[channel] for channel, _ in sources]
    with np.errstate(invalid="ignore", over="ignore"):
        return apply([column[events] for column in raw if column is not None], [weight for _, weight in sources])


class _Node:
    """Positions of a population's events in the block, and the display values computed for them."""

    def __init__(self, index: npt.NDArray[np.int64], above: _Node | None) -> None:
        self.index = index
        self.above = above
        self.display: dict[str, npt.NDArray[np.float64]] = {}

    def values(self, name: str, plan: Plan, block: Columns) -> npt.NDArray[np.float64]:
        """Display values: a part of those of a population above, where they are there already."""
        if name not in self.display:
            above = self.above
            while above is not None and name not in above.display:
                above = above.above
            if above is not None:
                self.display[name] = above.display[name][np.searchsorted(above.index, self.index)]
            else:
                axis = plan.axes[name]
                with np.errstate(all="ignore"):
                    self.display[name] = axis.transform.forward(linear_values(axis, block, self.index))
        return self.display[name]


def _decide_block(plan: Plan, block: Columns, inside: npt.NDArray[np.bool_]) -> None:
    root = _Node(np.arange(inside.shape[1]), None)
    nodes: dict[str | None, _Node] = {None: root}
    rows = {population.name: row for row, population in enumerate(plan.populations)}
    for row, population in enumerate(plan.populations):
        above = nodes[population.parent]
        n = len(above.index)
        if n == 0:
            nodes[population.name] = _Node(above.index, above)
            continue
        columns = {axis: above.values(axis, plan, block) for axis in population.gate.on}
        members = {other: inside[rows[other]][above.index] for other in references(population.gate)}
        with np.errstate(all="ignore"):
            index = above.index[contains(population.gate, columns, members, n)]
        inside[row, index] = True
        nodes[population.name] = _Node(index, above)
