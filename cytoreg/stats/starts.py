"""Whether an answer about changes hangs on the starts being held fixed.

One start, measured once, holds a patient's lasting level fixed only in part. What is left of the levels of two values then
stands in both ends, and where levels go together it passes for a link of changes (as in Glymour MM et al. Am J Epidemiol
2005;162:267-278). Changes as they are have no level in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.sentence import is_clear

__all__ = ["HANGS", "NOT_HELD", "said_of_starts", "warned_of_starts"]

NOT_HELD = "starts not held fixed"
CLEAR = 0.05
HANGS = (
    "the answer hangs on the starts: p < 0.05 with them held fixed, but not so, or on the other side, without (lasting levels "
    "that go together do this where no changes do)"
)


def warned_of_starts(rows: Sequence[Estimate]) -> list[Estimate]:
    """The rows of an analysis, its answer warned of where it has p < 0.05 and the row with starts not held fixed has not.

    Or has it with the other sign. An answer that claims nothing is not warned of. By p before any adjustment.
    """
    free = next((row for row in rows if NOT_HELD in row.term and row.p_value == row.p_value), None)

    def judged(row: Estimate) -> Estimate:
        if not row.primary:
            return row
        parts = [part for part in row.note.split("; ") if part not in ("", HANGS)]
        if free is not None and row.p_value < CLEAR:
            agrees = free.p_value < CLEAR and free.estimate * row.estimate > 0
            parts += [] if agrees else [HANGS]
        return replace(row, note="; ".join(parts))

    return [judged(row) for row in rows]


def said_of_starts(row: Estimate) -> str:
    """What the sentence adds where the answer is clear and was warned of; begins with a blank."""
    if HANGS not in row.note or not is_clear(row):
        return ""
    return (
        " With the starts not held fixed it was not found: it may come of lasting differences between patients that go "
        "together, and a link of changes is not shown."
    )
