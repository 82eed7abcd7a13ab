"""How well a value tells subjects with an outcome from those without: area under the curve, and a cut-off.

Areas and their variance: DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. Two arms that differ in both
value and outcome make an area out of nothing, so that subjects are compared within their arm, arms being weighted as by
van Elteren (Bull Inst Int Stat 1960;37:351-361). Optimism of the cut-off: Harrell FE et al. Stat Med 1996;15:361-387.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats.estimate import DESCRIPTIVE, Estimate
from cytoreg.stats.questions import Roc
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of
from cytoreg.stats.values import Data, change_between

__all__ = ["Area", "Cut", "area_under_curve", "best_cut", "roc"]

METHOD = (
    "Area under the ROC curve, subjects compared within their arm, with DeLong's interval and the Wilcoxon test "
    "(van Elteren's over arms); cut-off by Youden's index, its optimism taken off by the bootstrap with a fixed seed."
)
LEAST_EACH = 3  # subjects with and without the outcome


@dataclass(frozen=True)
class Area:
    """The area, DeLong's variance, and the variance that it has where the value tells nothing (Wilcoxon, ties counted)."""

    value: float
    variance: float
    null_variance: float
    n_with: int
    n_without: int


@dataclass(frozen=True)
class Cut:
    """A cut-off by Youden's index with its bootstrap interval; index, sensitivity and specificity less their optimism.

    `index`, `sensitivity`, `specificity`: (corrected, low, high); the interval is that at the cut-off found, over
    resamples, shifted by the optimism.
    """

    at: tuple[float, float, float]
    index: tuple[float, float, float]
    sensitivity: tuple[float, float, float]
    specificity: tuple[float, float, float]
    apparent: float


def area_under_curve(value: Any, outcome: Any) -> Area:
    """value: (n,), higher where the outcome is expected; outcome: (n,) of truth. NaN where one group is empty."""
    value, outcome = np.asarray(value, float), np.asarray(outcome, bool)
    m, n = int(outcome.sum()), int((~outcome).sum())
    if not m or not n:
        return Area(math.nan, math.nan, math.nan, m, n)
    ranks = stats.rankdata(value)
    with_, without = value[outcome], value[~outcome]
    above = (ranks[outcome] - stats.rankdata(with_)) / n  # share of those without that lie below each with
    below = 1 - (ranks[~outcome] - stats.rankdata(without)) / m
    area = float(above.mean())
    variance = math.nan
    if m > 1 and n > 1:
        variance = float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n
    ties = np.unique(value, return_counts=True)[1].astype(float)
    total = m + n
    null = (total + 1 - float((ties**3 - ties).sum()) / (total * (total - 1))) / (12 * m * n)
    return Area(area, variance, null, m, n)


def best_cut(value: Any, outcome: Any, *, resamples: int = 500, seed: int = 1) -> Cut:
    """The cut-off at which sensitivity + specificity is greatest, a value at or above it standing for the outcome.

    value: (n,); outcome: (n,) of truth, both kinds there. Cut-offs lie halfway between neighbouring values. Resamples
    are drawn among those with and those without the outcome apart.
    """
    value, outcome = np.asarray(value, float), np.asarray(outcome, bool)
    levels = np.unique(value)
    cuts = (levels[1:] + levels[:-1]) / 2
    # of each subject, how many cut-offs it lies at or above
    place = np.searchsorted(cuts, value, side="right")
    draw = np.random.default_rng(seed)
    shares, repeated = [], []
    for kind in (True, False):
        own = np.bincount(place[outcome == kind], minlength=len(cuts) + 1).astype(float)
        size = int(own.sum())
        shares.append(_above(own[None] / size)[0])
        repeated.append(_above(draw.multinomial(size, own / size, resamples) / size))
    (hit, false), (hits, falses) = shares, repeated
    best = int(np.argmax(hit - false))
    found = np.argmax(hits - falses, axis=1)
    rows = np.arange(resamples)
    gained = hits[rows, found] - hit[found], (1 - falses[rows, found]) - (1 - false[found])

    def corrected(apparent: float, again: Any, optimism: float, least: float = 0.0) -> tuple[float, float, float]:
        low, high = np.quantile(again, [0.025, 0.975])
        ends = np.clip([apparent - optimism, low - optimism, high - optimism], least, 1.0)
        return float(ends[0]), float(ends[1]), float(ends[2])

    hit_optimism, rest_optimism = (float(gain.mean()) for gain in gained)
    index = float(hit[best] - false[best])
    low, high = np.quantile(cuts[found], [0.025, 0.975])
    return Cut(
        (float(cuts[best]), float(low), float(high)),
        corrected(index, hits[:, best] - falses[:, best], hit_optimism + rest_optimism, -1.0),
        corrected(float(hit[best]), hits[:, best], hit_optimism),
        corrected(1 - float(false[best]), 1 - falses[:, best], rest_optimism),
        index,
    )


def _above(shares: Any) -> Any:
    """Of the shares that lie at or above 0, 1, 2, ... cut-offs, the share that lies at or above each."""
    return np.cumsum(shares[:, ::-1], axis=1)[:, ::-1][:, 1:]


def roc(question: Roc, data: Data) -> list[Estimate]:
    """The area within arms (primary), in each arm, over all of them (descriptive), and the cut-off.

    value_as: the level at `value_at` (left out: `at`) or the change from `from` to it. The outcome is of 0 and 1 at `at`.
    """
    frame = _frame(question, data)
    sign = 1.0 if question.higher == "with" else -1.0
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="area under the curve",
        outcome=question.outcome,
        predictor=question.value,
        visit=question.at,
        contrast=f"{'higher' if sign > 0 else 'lower'} with {question.outcome}",
        n_subjects=len(frame),
        n_observations=len(frame),
    )
    arms = sorted({arm for arm in frame["arm"] if arm is not None})
    split = len(arms) > 1
    groups = [frame[frame["arm"] == arm] for arm in arms] if split else [frame]
    areas = [area_under_curve(sign * own["value"], own["outcome"]) for own in groups]
    primary = _combined(replace(blank, term=blank.term + (", within arms" if split else ""), primary=True), areas)
    rows = [primary]
    if split:
        each = [
            replace(blank, arm=arm, n_subjects=len(own), n_observations=len(own))
            for arm, own in zip(arms, groups, strict=True)
        ]
        rows += [_combined(row, [area]) for row, area in zip(each, areas, strict=True)]
        crude = _combined(
            replace(blank, term=f"{blank.term}, over all arms"),
            [area_under_curve(sign * frame["value"], frame["outcome"])],
        )
        rows.append(replace(crude, note="; ".join(filter(None, [DESCRIPTIVE, crude.note]))))
    if not math.isnan(primary.p_value):
        rows += _cut_rows(question, blank, frame, sign)
    return rows


def _frame(question: Roc, data: Data) -> pd.DataFrame:
    """A row a subject with both: value, outcome, arm."""
    then = data.rows_at(question.at, "at")
    when = data.rows_at(question.value_at, "value_at") if question.value_at else then
    values = data.value(question.value, "value", question.scale)
    truth = data.column(question.outcome, "outcome")
    odd = truth[truth.notna() & ~truth.isin([0.0, 1.0])]
    if len(odd):
        place = data.read.where(data.analysis, "outcome")
        raise AnalysisError(f"{place}: column '{question.outcome}' holds {odd.iloc[0]:g}, expected only 0 and 1")
    if question.value_as == "change":
        seen = change_between(values, data.rows_at(question.from_, "from"), when)["change"]
    else:
        seen = pd.Series(values.loc[list(when)].to_numpy(float), index=pd.Index(when.index, dtype=object))
    ends = pd.Series(truth.loc[list(then)].to_numpy(float), index=pd.Index(then.index, dtype=object))
    arm = pd.Series(data.arms().loc[list(then)].to_numpy(), index=ends.index, dtype=object)
    frame = pd.DataFrame({"value": seen, "outcome": ends}).dropna()
    frame["arm"] = arm.reindex(frame.index)
    return frame


def _combined(row: Estimate, areas: list[Area]) -> Estimate:
    """The areas of arms as one, those with too few left out and named in number."""
    usable = [area for area in areas if min(area.n_with, area.n_without) >= LEAST_EACH]
    counted = ", ".join(f"{area.n_with} with and {area.n_without} without" for area in areas)
    if not usable:
        return replace(row, note=f"{counted} the outcome: at least {LEAST_EACH} of each are needed")
    weights = np.array([area.n_with * area.n_without / (area.n_with + area.n_without + 1) for area in usable])
    weights /= weights.sum()
    value = float(weights @ [area.value for area in usable])
    variance = float(weights**2 @ [area.variance for area in usable])
    null = float(weights**2 @ [area.null_variance for area in usable])
    notes = [f"{counted} the outcome"]
    if len(usable) < len(areas):
        notes.append(f"{len(areas) - len(usable)} arms with fewer than {LEAST_EACH} of each left out")
    if null <= 0:
        return replace(row, note="; ".join([*notes, "the value does not vary"]))
    se, statistic = math.sqrt(variance), (value - 0.5) / math.sqrt(null)
    low, high = (max(0.0, value - stats.norm.ppf(0.975) * se), min(1.0, value + stats.norm.ppf(0.975) * se))
    if se == 0:
        notes.append("the value parts the two kinds wholly: no interval")
        low = high = math.nan
    p = float(2 * stats.norm.sf(abs(statistic)))
    return replace(
        row,
        estimate=value,
        se=se,
        statistic=statistic,
        p_value=p,
        ci_low=float(low),
        ci_high=float(high),
        note="; ".join(notes),
    )


def _cut_rows(question: Roc, blank: Estimate, frame: pd.DataFrame, sign: float) -> list[Estimate]:
    cut = best_cut(sign * frame["value"], frame["outcome"], resamples=question.resamples, seed=question.seed)
    at = tuple(sign * end for end in cut.at)
    at = at if sign > 0 else (at[0], at[2], at[1])
    note = f"{DESCRIPTIVE}; over all arms; {question.resamples} bootstrap resamples, seed {question.seed}"
    rows = []
    for term, numbers, said in (
        ("cut-off by Youden's index", at, ""),
        ("Youden's index at the cut-off, less optimism", cut.index, f"; apparent {cut.apparent:.3f}"),
        ("sensitivity at the cut-off, less optimism", cut.sensitivity, ""),
        ("specificity at the cut-off, less optimism", cut.specificity, ""),
    ):
        estimate, low, high = numbers
        rows.append(replace(blank, term=term, estimate=estimate, ci_low=low, ci_high=high, note=note + said))
    return rows


def sentence(question: Roc, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    what = f"the change of {question.value}" if question.value_as == "change" else question.value
    if not is_clear(row):
        start = f"{what} did not clearly tell subjects with {question.outcome} at {row.visit} from those without"
    else:
        other = (
            row.contrast.split()[0]
            if row.estimate > 0.5
            else {"higher": "lower", "lower": "higher"}[row.contrast.split()[0]]
        )
        start = f"Subjects with {question.outcome} at {row.visit} had {other} values of {what} than those without"
    interval = "" if math.isnan(row.ci_low) else f", 95 % interval {row.ci_low:.2f} to {row.ci_high:.2f}"
    text = (
        f"{start} ({row.n_subjects} subjects; {row.term} {row.estimate:.2f}{interval}; {p_of(row)}). {NOT_CAUSE}"
    )
    return text[0].upper() + text[1:] if question.value_as == "change" else text


def title(question: Roc, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Does {say(question.value)} tell patients with {say(question.outcome)} from those without?"
