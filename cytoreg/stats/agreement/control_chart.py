"""Levey-Jennings chart of a control that returns on many days, with the rules of Westgard.

Levey & Jennings, Am J Clin Pathol 1950;20:1059; Westgard et al., Clin Chem 1981;27:493. With one control a run,
R-4s is looked for between two runs that follow each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import AnalysisError

__all__ = ["RULES", "Chart", "Point", "levey_jennings", "violations"]

RULES = {
    "1-2s": "one value beyond 2 SD: a warning, look at the run",
    "1-3s": "one value beyond 3 SD",
    "2-2s": "two in a row beyond 2 SD on the same side",
    "R-4s": "two in a row, one above +2 SD and one below -2 SD",
    "4-1s": "four in a row beyond 1 SD on the same side",
    "10-x": "ten in a row on the same side of the centre",
}
WARNING = "1-2s"
LEAST = 2
ENOUGH = 20  # runs to set limits from: CLSI C24 asks for at least 20 days


@dataclass(frozen=True)
class Point:
    """A run. low, high: the counting interval (Wilson, 95 %), NaN without counts. rules: those it completes."""

    label: str
    value: float
    low: float
    high: float
    z: float
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """centre, sd: of the limits. source: where they come from. rejected: a rule other than the warning was met.

    spread_p: that the points differ by counting alone (chi-square of equal proportions), NaN without counts.
    counting_sd: the SD that counting alone would give, in percentage points.
    """

    points: tuple[Point, ...]
    centre: float
    sd: float
    source: str
    rejected: bool
    counting_sd: float
    spread_p: float
    notes: tuple[str, ...]


def levey_jennings(
    values: Any,
    labels: Sequence[str],
    *,
    target: float | None = None,
    sd: float | None = None,
    first: int | None = None,
    counts: Any = None,
    totals: Any = None,
) -> Chart:
    """Chart values in the order of their runs.

    values: (n,), finite. target, sd: declared limits; what is not declared is the mean, or the SD with n - 1, of the
    first `first` points, or of all. counts, totals: (n,) events of the population and of its parent, for
    percentages: the counting interval of each point.

    Raises AnalysisError for fewer than two points where limits come from them, and for an SD that is not above zero.
    """
    y = np.asarray(values, float)
    n = len(y)
    _check(n, target, sd, first)
    base = y[: first or n]
    centre = float(base.mean()) if target is None else float(target)
    spread = float(base.std(ddof=1)) if sd is None else float(sd)
    if not spread > 0:
        raise AnalysisError(
            f"control chart: found an SD of {spread:g}, expected one above zero; declare it with --sd"
        )
    z = (y - centre) / spread
    broken = violations(z)
    low, high, counting_sd, p = _counting(counts, totals, n)
    points = tuple(
        Point(str(label), float(v), float(a), float(b), float(score), tuple(rules))
        for label, v, a, b, score, rules in zip(labels, y, low, high, z, broken, strict=True)
    )
    own = target is None or sd is None
    source = _source(len(base), n, target, sd)
    return Chart(
        points,
        centre,
        spread,
        source,
        any(set(rules) - {WARNING} for rules in broken),
        counting_sd,
        p,
        tuple(_notes(n, len(base), own, sd is None, spread, counting_sd, p)),
    )


def violations(z: Any) -> list[list[str]]:
    """The rules that each point completes. z: (n,), distances from the centre in SD, in the order of runs.

    >>> violations([0.5, 2.5, 2.1])
    [[], ['1-2s'], ['1-2s', '2-2s']]
    """
    z = np.asarray(z, float)
    found: list[list[str]] = []
    for i in range(len(z)):
        rules = [rule for rule, edge in (("1-2s", 2), ("1-3s", 3)) if abs(z[i]) > edge]
        for rule, length, edge in (("2-2s", 2, 2.0), ("4-1s", 4, 1.0), ("10-x", 10, 0.0)):
            run = z[i - length + 1 : i + 1]
            if i + 1 >= length and ((run > edge).all() or (run < -edge).all()):
                rules.append(rule)
        if i and min(z[i - 1 : i + 1]) < -2 and max(z[i - 1 : i + 1]) > 2:
            rules.append("R-4s")
        found.append([rule for rule in RULES if rule in rules])
    return found


def _check(n: int, target: float | None, sd: float | None, first: int | None) -> None:
    if first is not None and not LEAST <= first <= n:
        raise AnalysisError(f"control chart: limits of the first {first} points, expected {LEAST} to {n}")
    if n < 1:
        raise AnalysisError("control chart: found no points")
    if (target is None or sd is None) and n < LEAST:
        raise AnalysisError(
            f"control chart: found {n} point, expected at least {LEAST}, or a declared target and SD"
        )
    for name, given in (("target", target), ("SD", sd)):
        if given is not None and not math.isfinite(given):
            raise AnalysisError(f"control chart: found a {name} of {given}, expected a number")


def _source(n_base: int, n: int, target: float | None, sd: float | None) -> str:
    own = f"the first {n_base} points" if n_base < n else f"all {n} points"
    centre = "declared target" if target is not None else f"mean of {own}"
    spread = "declared SD" if sd is not None else f"SD (n - 1) of {own}"
    return f"{centre}, {spread}"


def _counting(counts: Any, totals: Any, n: int) -> tuple[Any, Any, float, float]:
    nothing = np.full(n, np.nan)
    if counts is None or totals is None:
        return nothing, nothing, math.nan, math.nan
    count, total = np.asarray(counts, float), np.asarray(totals, float)
    if not (np.isfinite(count).all() and np.isfinite(total).all() and (total > 0).all()):
        return nothing, nothing, math.nan, math.nan
    from scipy.stats import chi2
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, total, alpha=0.05, method="wilson")
    pooled = float(count.sum() / total.sum())
    counting = 100 * math.sqrt(float((pooled * (1 - pooled) / total).mean()))
    if n < LEAST or not 0 < pooled < 1:
        return 100 * low, 100 * high, counting, math.nan
    statistic = float(((count - pooled * total) ** 2 / (total * pooled * (1 - pooled))).sum())
    return 100 * low, 100 * high, counting, float(chi2.sf(statistic, n - 1))


def _notes(n: int, n_base: int, own: bool, own_sd: bool, sd: float, counting: float, p: float) -> list[str]:
    notes = []
    if own and n_base < ENOUGH:
        notes.append(
            f"limits rest on {n_base} points, too few to say that the process is in control ({ENOUGH} or more are "
            "usual); declare a target and an SD from earlier runs where there are any"
        )
    if own and own_sd and n_base == n:
        most = (n - 1) / math.sqrt(n)
        if most <= 3:
            rules = "1-2s, 1-3s, 2-2s and R-4s" if most <= 2 else "1-3s"
            notes.append(
                f"no point of {n} can lie more than {most:.2f} SD from their own mean, so {rules} cannot be met here"
            )
    if not math.isnan(counting):
        more = "more than" if p < 0.05 else "no more than"
        said = f" (chi-square p = {p:.2g})" if not math.isnan(p) else ""
        notes.append(
            f"SD of the limits {sd:.3g}, of counting alone {counting:.3g}: the points vary {more} counting explains{said}"
            if not math.isnan(p)
            else f"SD of the limits {sd:.3g}, of counting alone {counting:.3g}"
        )
    return notes
