"""Does a value rise or fall with a dose: linear regression, and ranks within blocks with a permutation test."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import Estimate, fisher_interval
from cytoreg.stats.partial import dummies
from cytoreg.stats.questions import Trend
from cytoreg.stats.sentence import NOT_CAUSE, amount, verb_for
from cytoreg.stats.values import LEAST_SUBJECTS, Data, visit_points

__all__ = ["blocked_rank_test", "trend"]

METHOD = "Trend with dose: least squares with block as a factor, and a rank test within blocks by permutation."

EXACT_ARRANGEMENTS = 50_000  # up to so many the permutation test is complete
RANDOM_ARRANGEMENTS = 9_999
SEED = 20_210_430  # of the arrangements drawn where there are more
ROUNDING = 9
AT_ONCE = 1_000_000  # numbers

Values = np.ndarray[Any, np.dtype[np.float64]]


def trend(question: Trend, data: Data) -> list[Estimate]:
    """Two rows: the slope per unit of dose with block as a factor (primary), and the blocked rank correlation.

    A unit is a row of the linked table with value, dose and block.
    """
    frame = pd.DataFrame(
        {
            "subject": data.linked["subject_id"].astype(str),
            "visit": data.linked["visit"].astype(str),
            "value": data.value(question.value, "value", question.scale),
            "dose": data.column(question.on, "on"),
            "block": data.category(question.block, "block") if question.block else "",
        }
    ).dropna()
    frame = frame.sort_values(["block", "subject", "visit"], kind="stable")
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="",
        outcome=question.value,
        predictor=question.on,
        n_subjects=frame["subject"].nunique(),
        n_observations=len(frame),
    )
    where = f", within {question.block}" if question.block else ""
    if blank.n_observations > blank.n_subjects:
        blank = replace(blank, note="several rows of a subject are taken as independent")
    linear = replace(_slope(frame, blank), term=f"slope per unit of {question.on}{where}", primary=True)
    ranks = replace(_ranks(frame, blank), term=f"rank correlation with {question.on}{where}")
    return [linear, ranks]


def blocked_rank_test(values: Any, doses: Any, blocks: Any) -> tuple[float, float]:
    """Rank correlation within blocks, and its two-sided permutation p.

    values, doses, blocks: shape (n,). Ranks within a block (ties get their mean), centred and divided by the
    block's size + 1 as in van Elteren's test (Bull Int Stat Inst 1960;37:351-361), are correlated over all
    blocks; p is the share of the arrangements of values within blocks with a correlation at least as far from
    0. All arrangements are gone through up to 50,000; else 9,999 are drawn and the observed one is added.
    NaN where values or doses do not vary within any block.
    """
    values, doses = np.asarray(values, float), np.asarray(doses, float)
    labels = np.asarray([str(block) for block in blocks])
    x: list[Values] = []
    y: list[Values] = []
    members: list[int] = []
    for label in sorted(set(labels)):
        chosen = labels == label
        n = int(chosen.sum())
        for target, source in ((x, doses), (y, values)):
            ranks = stats.rankdata(source[chosen])
            target.append((ranks - ranks.mean()) / (n + 1))
        members.append(n)
    spread = math.sqrt(sum(float(a @ a) for a in x) * sum(float(b @ b) for b in y))
    if spread == 0:
        return math.nan, math.nan
    observed = sum(float(a @ b) for a, b in zip(x, y, strict=True))
    total = math.prod(math.factorial(n) for n in members)
    exact = total <= EXACT_ARRANGEMENTS
    arrangements = np.fromiter(_every_sum(x, y), float) if exact else _random_sums(x, y)
    far = int(np.sum(np.round(np.abs(arrangements), ROUNDING) >= round(abs(observed), ROUNDING)))
    p = far / total if exact else (far + 1) / (RANDOM_ARRANGEMENTS + 1)
    return float(np.clip(observed / spread, -1.0, 1.0)), p


def _every_sum(x: list[Values], y: list[Values]) -> Iterator[float]:
    by_block = [
        [float(a @ np.array(order)) for order in itertools.permutations(b)] for a, b in zip(x, y, strict=True)
    ]
    return (float(sum(parts)) for parts in itertools.product(*by_block))


def _random_sums(x: list[Values], y: list[Values]) -> Values:
    """The sums of as many random arrangements, (RANDOM_ARRANGEMENTS,)."""
    draw = np.random.default_rng(SEED)
    sums = np.zeros(RANDOM_ARRANGEMENTS)
    for a, b in zip(x, y, strict=True):
        rows = max(1, AT_ONCE // len(b))
        for start in range(0, RANDOM_ARRANGEMENTS, rows):
            part = sums[start : start + rows]
            part += draw.permuted(np.broadcast_to(b, (len(part), len(b))), axis=1) @ a
    return sums


def _slope(frame: pd.DataFrame, blank: Estimate) -> Estimate:
    """Ordinary least squares of value on dose and block indicators."""
    if (reason := _too_little(frame)) is not None:
        return replace(blank, note=reason)
    import statsmodels.api as sm

    design = np.column_stack([frame["dose"], np.ones(len(frame)), dummies(frame["block"])])
    if np.linalg.matrix_rank(design) < design.shape[1] or len(frame) <= design.shape[1]:
        return replace(blank, note=f"{len(frame)} units: too few, or the dose does not vary within a block")
    fit = sm.OLS(frame["value"].to_numpy(), design).fit()
    low, high = fit.conf_int()[0]
    return replace(
        blank,
        estimate=float(fit.params[0]),
        se=float(fit.bse[0]),
        df=float(fit.df_resid),
        statistic=float(fit.tvalues[0]),
        ci_low=float(low),
        ci_high=float(high),
        p_value=float(fit.pvalues[0]),
    )


def _ranks(frame: pd.DataFrame, blank: Estimate) -> Estimate:
    if (reason := _too_little(frame)) is not None:
        return replace(blank, note=reason)
    r, p = blocked_rank_test(frame["value"], frame["dose"], frame["block"])
    if math.isnan(r):
        return replace(blank, note="neither value nor dose varies within a block")
    df = len(frame) - frame["block"].nunique() - 1
    low, high = fisher_interval(r, (1 + r * r / 2) / (df - 1)) if df > 1 else (math.nan, math.nan)
    return replace(blank, estimate=r, df=float(df), ci_low=low, ci_high=high, p_value=p)


def _too_little(frame: pd.DataFrame) -> str | None:
    if len(frame) < LEAST_SUBJECTS:
        return f"{len(frame)} units: at least {LEAST_SUBJECTS} are needed"
    for name in ("dose", "value"):
        if frame[name].nunique() < 2:
            return f"the {name} is the same in all units"
    return None


def sentence(question: Trend, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    verb = verb_for(row, "rose", "fell", "showed no clear trend")
    within = f" within {question.block}" if question.block else ""
    return (
        f"In {row.n_observations} samples, {question.value} {verb} with {question.on}{within}: "
        f"{amount(question.value, question.scale, row, 'for each unit,')}. {NOT_CAUSE}"
    )


def title(question: Trend, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Does {say(question.value)} rise or fall with {say(question.on)}?"


def points(question: Trend, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Dose and value, with the column `block`."""
    frame = visit_points(data)
    frame["x"], frame["y"] = data.column(question.on, "on"), data.column(question.value, "value")
    frame["block"] = data.category(question.block, "block") if question.block else ""
    return frame, question.on, question.value
