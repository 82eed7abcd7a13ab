"""Cells per microlitre as a product of measured factors, with limits that hold the error of each of them.

Single platform: cells counted / beads counted x beads added / volume of blood (BD Trucount tubes, instructions
for use 23-3483; Mandy FF, Nicholson JKA, McDougal JS, MMWR Recomm Rep 2003;52(RR-2):1-13). Dual platform: the
haematology analyser's count x the share of it that the cytometer found.

The errors of independent factors add as squares of distances on the log scale (the delta method), the lower and
the upper side each for itself, so that limits of small counts may lie unevenly about the value (Zou GY, Donner A,
Stat Med 2008;27:1693-1702). Two Poisson counts, given their sum, are a binomial one (Przyborowski J, Wilenski H,
Biometrika 1940;31:313-323), whose limits are Wilson's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from cytoreg.gating.uncertainty import Z95, wilson

__all__ = ["UNKNOWN", "Factor", "cells_per_bead", "gate_error", "product", "share", "with_cv"]


@dataclass(frozen=True)
class Factor:
    """A number not below 0 with its 95 % limits, low <= value <= high."""

    value: float
    low: float
    high: float


UNKNOWN = Factor(math.nan, math.nan, math.nan)


def cells_per_bead(cells: int, beads: int) -> Factor:
    """Cells counted for each bead counted in the same tube; both are Poisson counts. Unknown without a bead.

    >>> ratio = cells_per_bead(2000, 5000)
    >>> ratio.value, round(ratio.low, 4), round(ratio.high, 4)
    (0.4, 0.3798, 0.4213)
    """
    if beads <= 0:
        return UNKNOWN
    low, high = (limit / 100 for limit in wilson(cells, cells + beads))
    return Factor(cells / beads, low / (1 - low), high / (1 - high))


def share(count: int, total: int) -> Factor:
    """The part that a count is of a total. Unknown where the total is 0."""
    if total <= 0:
        return UNKNOWN
    low, high = wilson(count, total)
    return Factor(count / total, low / 100, high / 100)


def with_cv(value: float, cv: float = 0.0) -> Factor:
    """A number that is known to a coefficient of variation (0.02 for 2 %), its error taken as log-normal."""
    spread = math.exp(Z95 * math.sqrt(math.log1p(cv * cv)))
    return Factor(value, value / spread, value * spread)


def gate_error(percent: float, low: float, high: float) -> Factor:
    """How far a gate's placement may move a percentage, as a factor about 1; 1 where that was not estimated."""
    if not (percent > 0 and math.isfinite(low) and math.isfinite(high)):
        return Factor(1.0, 1.0, 1.0)
    return Factor(1.0, min(low / percent, 1.0), max(high / percent, 1.0))


def product(factors: Iterable[Factor]) -> Factor:
    """The product of independent factors.

    Where one of them is 0 so is the product, and its upper limit is that of the factor at its own upper limit.
    Unknown where one is.
    """
    given = list(factors)
    if any(math.isnan(factor.value) for factor in given):
        return UNKNOWN
    value = math.prod(factor.value for factor in given)
    top = math.prod(factor.value or factor.high for factor in given)
    up = math.sqrt(sum(math.log(factor.high / factor.value) ** 2 for factor in given if factor.value > 0))
    high = top * math.exp(up)
    if value == 0:
        return Factor(0.0, 0.0, high)
    if any(factor.low <= 0 for factor in given):
        return Factor(value, 0.0, high)
    down = math.sqrt(sum(math.log(factor.value / factor.low) ** 2 for factor in given))
    return Factor(value, value * math.exp(-down), high)
