"""Markers inside the cell: who stains one of them has permeabilised and washed, whatever else is declared."""

from __future__ import annotations

from collections.abc import Iterable

from cytoreg.fcs.channel import carries

__all__ = ["LOST", "intracellular_in"]

LOST = "cells and beads are lost in washing, and not in the same share"
# Those that are seen inside the cell only: CTLA-4, CD154 and the like also stand on the surface.
_INTRACELLULAR = frozenset(
    {
        *("foxp3", "scurfin", "helios", "tbet", "gata3", "rorgt", "rorγt", "rorc", "bcl6", "eomes", "ki67", "tox"),
        *("ifng", "ifnγ", "ifngamma", "il2", "il4", "il10", "il17", "il17a", "tnf", "tnfa", "tnfα", "tnfalpha"),
        *("granzymeb", "gzmb", "perforin"),
    }
)


def intracellular_in(names: Iterable[str | None]) -> str:
    """The first of some labels that names a marker inside the cell; empty where none does.

    >>> intracellular_in(["CD3", "PE - FoxP3"]), intracellular_in(["CD25", "IL-2Ra", None])
    ('PE - FoxP3', '')
    """
    return next((name for name in names if name and carries(name, _INTRACELLULAR, partly=True)), "")
