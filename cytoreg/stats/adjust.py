"""p-values adjusted for the number of questions asked, within the families that a plan declares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.plan import Multiplicity

__all__ = ["adjust_families", "adjusted"]


def adjusted(p_values: Sequence[float], method: str) -> list[float]:
    """Holm (1979) or Benjamini-Hochberg (1995) adjusted p-values; a missing p counts as 1 and stays missing.

    >>> [round(p, 3) for p in adjusted([0.01, 0.04, 0.03], "holm")]
    [0.03, 0.06, 0.06]
    >>> [round(p, 3) for p in adjusted([0.01, float("nan")], "holm")]
    [0.02, nan]
    """
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    counted = [1.0 if math.isnan(p) else p for p in p_values]
    name = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}[method]
    corrected = multipletests(counted, method=name)[1]
    return [math.nan if math.isnan(p) else float(q) for p, q in zip(p_values, corrected, strict=True)]


def adjust_families(rows: Sequence[Estimate], multiplicity: Multiplicity) -> list[Estimate]:
    """The rows with `family` and `p_adjusted` on the primary row of each analysis in a family.

    Every analysis declared in a family counts, also one whose model gave no p (it counts as p = 1).
    """
    done = list(rows)
    for family, names in multiplicity.families.items():
        places = [i for i, row in enumerate(done) if row.primary and row.analysis in names]
        for place, p in zip(places, adjusted([done[i].p_value for i in places], multiplicity.method), strict=True):
            done[place] = replace(done[place], family=family, p_adjusted=p)
    return done
