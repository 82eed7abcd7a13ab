"""Estimates of several imputed tables made one: Rubin's rules with the degrees of freedom of Barnard & Rubin.

Rubin DB, Multiple Imputation for Nonresponse in Surveys, Wiley 1987, chapter 3; Barnard J & Rubin DB, Biometrika
1999;86:948-955. A correlation is pooled as atanh(r) (Schafer JL, Analysis of Incomplete Multivariate Data, 1997, section
4.3). A test without an estimate has the median of its p-values (Eekhout I, van de Wiel MA & Heymans MW, BMC Med Res
Methodol 2017;17:129).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from cytoreg.stats.estimate import Estimate

__all__ = ["Pooled", "pool", "pool_rows", "pooled_estimate"]

Transform = Callable[[float], float]
SCALES: Mapping[str, tuple[Transform, Transform]] = {
    "as it is": (float, float),
    "Fisher's z": (math.atanh, math.tanh),
    "natural log": (math.log, math.exp),
    "log odds": (lambda p: math.log(p / (1 - p)), lambda x: 1 / (1 + math.exp(-x))),
}
WITH_T = ("repeated_correlation", "roc")  # whose intervals are Student's t on Fisher's z and on log odds
SKEWED = 1e-6  # relative difference of the arms of an interval above which it is not symmetric


@dataclass(frozen=True)
class Pooled:
    """estimate and its standard error over the imputations, df, and the share of information that is missing."""

    estimate: float
    se: float
    df: float
    within: float
    between: float
    missing_information: float


def pool(estimates: Sequence[float], variances: Sequence[float], df_complete: float = math.inf) -> Pooled:
    """Rubin's rules: the mean, and the variance within plus (1 + 1/m) of the variance between imputations.

    estimates, variances: one of each imputed table, m of them, at least 2. df_complete: the degrees of freedom that
    the analysis had if nothing were missing. Where nothing was imputed for this estimate they stay as they are.

    >>> found = pool([2.0, 2.4, 2.2], [0.04, 0.05, 0.06], 30)
    >>> round(found.estimate, 3), round(found.se, 4), round(found.df, 2)
    (2.2, 0.3215, 4.84)
    """
    m = len(estimates)
    mean, within = float(np.mean(estimates)), float(np.mean(variances))
    between = float(np.var(estimates, ddof=1))
    total = within + (1 + 1 / m) * between
    if between <= 1e-12 * within or total <= 0:
        return Pooled(mean, math.sqrt(max(total, 0.0)), df_complete, within, between, 0.0)
    share = (1 + 1 / m) * between / total
    old = (m - 1) / share**2
    seen = (
        1 - share if math.isinf(df_complete) else (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    )
    df = old if math.isinf(df_complete) else old * seen / (old + seen)
    ratio = share / (1 - share) if share < 1 else math.inf
    missing = share if math.isinf(ratio) else (ratio + 2 / (df + 3)) / (ratio + 1)
    return Pooled(mean, math.sqrt(total), df, within, between, missing)


def pooled_estimate(rows: Sequence[Estimate]) -> tuple[Estimate, Pooled | None]:
    """One row of the same row of each imputed table, and how it was pooled (None where it could not be).

    The scale is the one on which the rows' intervals are symmetric: as they are, Fisher's z, log or log odds. A row
    without a standard error has the one that its interval implies there. A row without an estimate keeps the median p.
    """
    first = rows[0]
    failed = sum(math.isnan(row.estimate) and math.isnan(row.p_value) for row in rows)
    counted = replace(
        first,
        n_subjects=round(float(np.median([row.n_subjects for row in rows]))),
        n_observations=round(float(np.median([row.n_observations for row in rows]))),
    )
    if failed:
        why = next(row.note for row in rows if math.isnan(row.estimate) and math.isnan(row.p_value))
        note = f"{failed} of {len(rows)} imputed tables gave no answer: {why}"
        return replace(_blank(counted), note=note), None
    if any(math.isnan(row.ci_low) or math.isnan(row.estimate) for row in rows):
        p = float(np.median([row.p_value for row in rows]))
        mean = float(np.mean([row.estimate for row in rows]))
        said = "" if math.isnan(p) else "p is the median over the imputed tables"
        note = "; ".join(part for part in (_own_note(rows), said) if part)
        return replace(_blank(counted), estimate=mean, p_value=p, note=note), None
    if all(row == first for row in rows):
        return first, Pooled(first.estimate, first.se, first.df, math.nan, 0.0, 0.0)
    if "equivalence" in first.term.lower():  # its p is of two one-sided tests, which has no pooled statistic
        p = float(np.median([row.p_value for row in rows]))
        low, high = (float(np.mean([getattr(row, name) for row in rows])) for name in ("ci_low", "ci_high"))
        note = "; ".join(filter(None, (_own_note(rows), "p is the median over the imputed tables")))
        mean = float(np.mean([row.estimate for row in rows]))
        return replace(_blank(counted), estimate=mean, p_value=p, note=note, ci_low=low, ci_high=high), None
    name = _scale_of(rows)
    to, back = SCALES[name]
    values = [to(row.estimate) for row in rows]
    df = float(np.mean([row.df for row in rows])) if all(row.df > 0 for row in rows) else math.inf
    if first.se > 0 and name == "as it is":
        variances = [row.se**2 for row in rows]
    else:
        normal = name != "as it is" and first.type not in WITH_T
        quantile = float(stats.norm.ppf(0.975) if normal or math.isinf(df) else stats.t.ppf(0.975, df))
        variances = [((to(row.ci_high) - to(row.ci_low)) / (2 * quantile)) ** 2 for row in rows]
    found = pool(values, variances, df)
    half = float(stats.t.ppf(0.975, found.df)) * found.se
    statistic = found.estimate / found.se if found.se > 0 else math.nan
    tested = not any(math.isnan(row.p_value) for row in rows)
    note = "; ".join(part for part in (_own_note(rows), "" if name == "as it is" else f"pooled as {name}") if part)
    pooled = replace(
        counted,
        estimate=back(found.estimate),
        se=found.se if name == "as it is" else math.nan,
        df=found.df if math.isfinite(found.df) else math.nan,
        statistic=statistic,
        ci_low=back(found.estimate - half),
        ci_high=back(found.estimate + half),
        p_value=float(2 * stats.t.sf(abs(statistic), found.df)) if tested else math.nan,
        note=note,
    )
    return pooled, found


def pool_rows(tables: Sequence[Sequence[Estimate]]) -> list[tuple[Estimate, Pooled | None]]:
    """The rows of one analysis over all imputed tables, each pooled with its like by term, arm, visit and contrast."""

    def key(row: Estimate) -> tuple[str, ...]:
        return row.term, row.outcome, row.predictor, row.arm, row.visit, row.contrast

    order = dict.fromkeys(key(row) for rows in tables for row in rows)
    like: dict[tuple[str, ...], list[Estimate]] = {name: [] for name in order}
    for rows in tables:
        for row in rows:
            like[key(row)].append(row)
    pooled = []
    for rows in like.values():
        row, how = pooled_estimate(rows)
        if len(rows) < len(tables):
            note = f"in {len(rows)} of {len(tables)} imputed tables only: not pooled"
            row, how = replace(_blank(row), note=note), None
        pooled.append((row, how))
    if sum(row.primary for row, _ in pooled) != 1:  # the tables do not agree on what answers the question
        answered = next(
            (i for i, (row, _) in enumerate(pooled) if row.primary and not math.isnan(row.estimate)), 0
        )
        pooled = [(replace(row, primary=i == answered), how) for i, (row, how) in enumerate(pooled)]
    return pooled


def _scale_of(rows: Sequence[Estimate]) -> str:
    """Where the intervals have arms of one length; a correlation is on Fisher's z even where its interval is not."""
    likely = ["Fisher's z"] if "correlation" in rows[0].term else []
    for name in [*likely, *SCALES]:
        to = SCALES[name][0]
        try:
            arms = [(to(row.ci_high) - to(row.estimate), to(row.estimate) - to(row.ci_low)) for row in rows]
        except (ValueError, ZeroDivisionError, OverflowError):
            continue
        skew = max(abs(a - b) / max(a + b, 1e-300) for a, b in arms)
        if skew < SKEWED or name in likely:
            return name
    return "as it is"


def _own_note(rows: Sequence[Estimate]) -> str:
    notes = dict.fromkeys(row.note for row in rows if row.note)
    return next(iter(notes)) if len(notes) == 1 else ""


def _blank(row: Estimate) -> Estimate:
    nothing = dict.fromkeys(("estimate", "se", "df", "statistic", "ci_low", "ci_high", "p_value"), math.nan)
    return replace(row, **nothing)  # type: ignore[arg-type]
