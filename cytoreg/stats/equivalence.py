"""Equivalence by two one-sided tests: absence is claimed within declared bounds, never read from a large p.

Schuirmann DJ. J Pharmacokinet Biopharm 1987;15:657-680.
"""

from __future__ import annotations

import math
from dataclasses import replace

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.sentence import p_text

__all__ = ["TERM", "absence_words", "equivalence_p", "equivalence_row", "equivalence_words"]

Bounds = tuple[float, float]
TERM = "equivalence (TOST)"


def equivalence_p(estimate: float, se: float, df: float, bounds: Bounds) -> float:
    """The larger of the two one-sided p-values of Student's t; below 0.05 the effect lies within the bounds.

    >>> round(equivalence_p(0.0, 1.0, 20, (-2.0, 2.0)), 4)
    0.0296
    """
    from scipy.stats import t

    low, high = bounds
    return float(max(t.sf((estimate - low) / se, df), t.cdf((estimate - high) / se, df)))


def equivalence_row(row: Estimate, bounds: Bounds) -> Estimate:
    """The row beside an estimate that tests whether its effect lies within bounds, on the scale of the analysis."""
    from scipy.stats import t

    blank = replace(row, term=f"{TERM}, {row.term}", primary=False, statistic=math.nan, p_value=math.nan)
    if not row.se > 0:
        return replace(blank, note=row.note or "no standard error: no test")
    low, high = bounds
    half = float(t.ppf(0.95, row.df)) * row.se
    statistic = min((row.estimate - low) / row.se, (high - row.estimate) / row.se)
    said = f"bounds {low:g} to {high:g}; 90 % interval {row.estimate - half:.4g} to {row.estimate + half:.4g}"
    p = equivalence_p(row.estimate, row.se, row.df, bounds)
    return replace(blank, statistic=statistic, p_value=p, note=said)


def absence_words(row: Estimate, noun: str) -> str:
    """What a p-value that is not small does not say."""
    p = row.p_value if math.isnan(row.p_adjusted) else row.p_adjusted
    return f" This does not show that there is no {noun}." if p >= 0.05 else ""


def equivalence_words(row: Estimate, bounds: Bounds | None, noun: str) -> str:
    """What to add to the sentence of a row: equivalence where bounds were declared; else what its p does not say."""
    if bounds is None or not row.se > 0:
        return absence_words(row, noun)
    p = equivalence_p(row.estimate, row.se, row.df, bounds)
    shown = "lies within" if p < 0.05 else "is not shown to lie within"
    return f" The {noun} {shown} the declared bounds of {bounds[0]:g} to {bounds[1]:g} ({TERM}, {p_text(p)})."
