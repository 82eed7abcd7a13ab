"""Did a value change within subjects between two visits: mean change, and Wilcoxon with Hodges-Lehmann."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.questions import PairedChange
from cytoreg.stats.sentence import amount, verb_for
from cytoreg.stats.values import LEAST_SUBJECTS, Data, change_between, paired_points

__all__ = ["hodges_lehmann", "paired_change"]

METHOD = (
    "Change within subjects between two visits: mean with Student's t interval, and the "
    "Hodges–Lehmann change with Wilcoxon's signed-rank test beside it."
)

EXACT_UP_TO = 200  # differences; beyond, the signed-rank distribution is as good as normal
SCALE_WORDS = {"linear": "", "logit": ", log odds", "log": ", natural log"}
POOLED = ""  # the name of the stratum that holds all subjects


def paired_change(question: PairedChange, data: Data) -> list[Estimate]:
    """Two rows a stratum: the mean change with its t interval, and the Hodges-Lehmann change with Wilcoxon's p.

    Strata are the groups of `by`, and all subjects together. The primary row is the mean change: of the
    treated arm where `by` is the arm, the plan names the control and there is one other arm; else of all
    subjects.
    """
    values = data.value(question.value, "value", question.scale)
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    changes = change_between(values, start, end)
    groups, primary = _strata(question, data, changes, start)
    rows: list[Estimate] = []
    for name, members in groups.items():
        blank = Estimate(
            analysis=data.analysis,
            type=question.type,
            term="",
            outcome=question.value,
            arm=name,
            visit=question.to,
            contrast=f"{question.to} - {question.from_}",
            n_subjects=len(members),
            n_observations=2 * len(members),
        )
        mean, middle = _mean_change(members["change"], blank), _wilcoxon(members["change"], blank)
        words = SCALE_WORDS[question.scale]
        rows.append(replace(mean, term=f"mean change{words}", primary=name == primary))
        rows.append(replace(middle, term=f"Hodges-Lehmann change{words}"))
    return rows


def hodges_lehmann(changes: Any, level: float = 0.95) -> tuple[float, float, float]:
    """The median of all pairwise means of changes, and its distribution-free interval.

    changes: shape (n,). The interval is the pair of ordered pairwise means given by the quantile of the
    signed-rank distribution (Hollander & Wolfe, Nonparametric Statistical Methods, sections 3.2 and 3.3).
    """
    values = np.asarray(changes, dtype=float)
    n = len(values)
    upper = np.triu_indices(n)
    means = np.sort((values[upper[0]] + values[upper[1]]) / 2)
    rank = max(_signed_rank_quantile((1 - level) / 2, n), 1)
    return float(np.median(means)), float(means[rank - 1]), float(means[len(means) - rank])


def _signed_rank_quantile(probability: float, n: int) -> int:
    """The smallest w with P(W <= w) >= probability, W being the signed-rank sum of n changes under no change."""
    if n > EXACT_UP_TO:
        spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(n * (n + 1) / 4 + float(stats.norm.ppf(probability)) * spread)
    ways = np.ones(1)
    for rank in range(1, n + 1):
        longer = np.zeros(len(ways) + rank)
        longer[: len(ways)] += ways / 2
        longer[rank:] += ways / 2
        ways = longer
    return int(np.searchsorted(np.cumsum(ways), probability))


def _strata(
    question: PairedChange, data: Data, changes: pd.DataFrame, start: pd.Series
) -> tuple[dict[str, pd.DataFrame], str]:
    if question.by is None:
        return {POOLED: changes}, POOLED
    column = data.category(question.by, "by")
    group = pd.Series([column.loc[start[subject]] for subject in changes.index], index=changes.index, dtype=object)
    names = sorted({name for name in column if name is not None})
    strata = {name: changes[group == name] for name in names}
    strata[POOLED] = changes
    treatment = data.read.plan.treatment
    if question.by == treatment.arm and treatment.control is not None:
        control, _ = data.control(names)
        treated = [name for name in names if name != control]
        if len(treated) == 1:
            return strata, treated[0]
    return strata, POOLED


def _mean_change(change: pd.Series, blank: Estimate) -> Estimate:
    n = len(change)
    if n < LEAST_SUBJECTS:
        return replace(blank, note=_too_few(n))
    mean, se = float(change.mean()), float(change.std(ddof=1)) / math.sqrt(n)
    if se == 0:
        return replace(blank, estimate=mean, note="every subject changed by the same amount: no interval")
    half = float(stats.t.ppf(0.975, n - 1)) * se
    statistic = mean / se
    return replace(
        blank,
        estimate=mean,
        se=se,
        df=float(n - 1),
        statistic=statistic,
        ci_low=mean - half,
        ci_high=mean + half,
        p_value=float(2 * stats.t.sf(abs(statistic), n - 1)),
    )


def _wilcoxon(change: pd.Series, blank: Estimate) -> Estimate:
    n = len(change)
    if n < LEAST_SUBJECTS:
        return replace(blank, note=_too_few(n))
    estimate, low, high = hodges_lehmann(change)
    if (change == 0).all():
        return replace(blank, estimate=0.0, note="no subject changed: no test")
    test = stats.wilcoxon(change.to_numpy())
    reached = 100 * (1 - 2 * 0.5**n)
    return replace(
        blank,
        note=f"{n} changes allow an interval of {reached:.3g} % only" if reached < 95 else blank.note,
        estimate=estimate,
        ci_low=low,
        ci_high=high,
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
    )


def _too_few(n: int) -> str:
    return f"{n} subjects with both visits: at least {LEAST_SUBJECTS} are needed"


def sentence(question: PairedChange, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    who = f"the {row.n_subjects} subjects of {row.arm}" if row.arm else f"{row.n_subjects} subjects"
    when = f"between {question.from_} and {question.to}"
    if math.isnan(row.p_value):
        return f"In {who} with both visits, {question.value} {when}: {row.note}."
    verb = verb_for(row, "rose", "fell", "showed no clear change")
    return (
        f"In {who} with both visits, {question.value} {verb} {when}: "
        f"{amount(question.value, question.scale, row, 'on average')}."
    )


def title(question: PairedChange, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Did {say(question.value)} change from {question.from_} to {question.to}?"


def points(question: PairedChange, data: Data) -> tuple[pd.DataFrame, str, str]:
    """x: the value at `from`, y: at `to`; the labels of both."""
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    pair = change_between(data.column(question.value, "value"), start, end)
    frame = paired_points(pair["from"], pair["to"], start, question.to, data)
    return frame, f"{question.value} at {question.from_}", f"{question.value} at {question.to}"
