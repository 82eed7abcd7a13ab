"""p-values adjusted for the number of tests made, within the families of analyses that a plan declares.

Every arm, visit and contrast with a p-value counts, not only the row that answers the question: what a reader may pick
from has to be paid for. Holm S, Scand J Stat 1979;6:65-70; Benjamini Y & Hochberg Y, J R Stat Soc B 1995;57:289-300.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.plan import Multiplicity

__all__ = ["adjust_families", "adjusted", "counts"]


def adjusted(p_values: Sequence[float], method: str) -> list[float]:
    """Holm (1979) or Benjamini-Hochberg (1995) adjusted p-values; a missing p counts as 1 and stays missing.

    >>> [round(p, 3) for p in adjusted([0.01, 0.04, 0.03], "holm")]
    [0.03, 0.06, 0.06]
    >>> [round(p, 3) for p in adjusted([0.01, float("nan")], "holm")]
    [0.02, nan]
    """
    if not p_values:
        return []
    counted = np.array([1.0 if math.isnan(p) else p for p in p_values])
    if method == "benjamini_hochberg":
        from scipy.stats import false_discovery_control

        corrected = false_discovery_control(counted, method="bh")
    else:  # statsmodels' multipletests has it too, and stops for a collection of garbage at each call
        order = np.argsort(counted, kind="stable")
        corrected = np.empty(len(counted))
        corrected[order] = np.minimum(
            np.maximum.accumulate((len(counted) - np.arange(len(counted))) * counted[order]), 1
        )
    return [math.nan if math.isnan(p) else float(q) for p, q in zip(p_values, corrected, strict=True)]


def counts(row: Estimate) -> bool:
    """Whether a row is a test that its family must pay for.

    Every p-value of an arm, visit or contrast is one, unless its note calls it descriptive or a sensitivity
    analysis. A row that should have given a p and gave a reason instead (no estimate, or one without an interval) is
    one too. An estimate with an interval and no p, such as the mean of an arm, is none.
    """
    if row.note.startswith((DESCRIPTIVE, SENSITIVITY)):
        return False
    if not math.isnan(row.p_value) or row.primary:
        return True
    return math.isnan(row.estimate) or math.isnan(row.ci_low)


def adjust_families(rows: Sequence[Estimate], multiplicity: Multiplicity) -> list[Estimate]:
    """The rows with `family` and `p_adjusted` on each row of a family's analyses that counts (see `counts`).

    A row whose model gave no p counts as p = 1 and stays without one.
    """
    done = list(rows)
    for family, names in multiplicity.families.items():
        places = [i for i, row in enumerate(done) if row.analysis in names and counts(row)]
        for place, p in zip(places, adjusted([done[i].p_value for i in places], multiplicity.method), strict=True):
            done[place] = replace(done[place], family=family, p_adjusted=p)
    return done
