"""How well a value tells subjects with an outcome from those without: area under the curve, and a cut-off.

Areas and their variance: DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845. That variance rests on the
smaller group, which the normal distribution forgets: the interval is of log odds, so that it stays within 0 and 1, with
Student's t and the degrees of freedom of Brunner E, Munzel U. Biom J 2000;42:17-25. Two arms that differ in both value and
outcome make an area out of nothing, so that subjects are compared within their arm, arms being weighted as by van Elteren
(Bull Inst Int Stat 1960;37:351-361). Optimism of the cut-off: Harrell FE et al. Stat Med 1996;15:361-387; what a cut-off is
worth has the intervals of Wilson (1927) and, for the sum of two shares, Newcombe (Stat Med 1998;17:873-890, method 10).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from cytoreg.errors import AnalysisError
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.questions import Roc
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of
from cytoreg.stats.values import Data, change_between

__all__ = ["Area", "Cut", "area_interval", "area_under_curve", "best_cut", "roc"]

METHOD = (
    "Area under the ROC curve, subjects compared within their arm, with DeLong's standard error, its interval of log odds with "
    "Brunner and Munzel's degrees of freedom, and the Wilcoxon test (van Elteren's over arms); cut-off by Youden's index, its "
    "optimism taken off by the bootstrap with a fixed seed."
)
LEAST_EACH = 3  # subjects with and without the outcome


@dataclass(frozen=True)
class Area:
    """The area, DeLong's variance, and the variance that it has where the value tells nothing (Wilcoxon, ties counted).

    variances: the parts of DeLong's variance that come from those with and from those without the outcome.
    """

    value: float
    variances: tuple[float, float]
    null_variance: float
    n_with: int
    n_without: int

    @property
    def variance(self) -> float:
        return sum(self.variances)


@dataclass(frozen=True)
class Cut:
    """A cut-off by Youden's index with its bootstrap interval; index, sensitivity and specificity less their optimism.

    `index`, `sensitivity`, `specificity`: (corrected, low, high), of the cut-off that was found. The interval is that of
    a share as large as the corrected one (Wilson): resamples of few subjects whom the cut-off all but parts hardly vary.
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
        return Area(math.nan, (math.nan, math.nan), math.nan, m, n)
    ranks = stats.rankdata(value)
    with_, without = value[outcome], value[~outcome]
    above = (ranks[outcome] - stats.rankdata(with_)) / n  # share of those without that lie below each with
    below = 1 - (ranks[~outcome] - stats.rankdata(without)) / m
    area = float(above.mean())
    variances = (math.nan, math.nan)
    if m > 1 and n > 1:
        variances = (float(above.var(ddof=1)) / m, float(below.var(ddof=1)) / n)
    ties = np.unique(value, return_counts=True)[1].astype(float)
    total = m + n
    null = (total + 1 - float((ties**3 - ties).sum()) / (total * (total - 1))) / (12 * m * n)
    return Area(area, variances, null, m, n)


def area_interval(area: float, parts: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The 95 % interval of an area between 0 and 1, and its degrees of freedom; parts: (variance, df) that add up.

    Of log odds by the delta method, with Student's t: as Brunner & Munzel, whose variance is DeLong's.
    """
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / own for part, own in parts)
    half = float(stats.t.ppf(0.975, df)) * math.sqrt(variance) / (area * (1 - area))
    middle = math.log(area / (1 - area))
    return float(expit(middle - half)), float(expit(middle + half)), df


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

    hit_optimism, rest_optimism = (float(gain.mean()) for gain in gained)
    sensitivity = _share(float(hit[best]) - hit_optimism, int(outcome.sum()))
    specificity = _share(1 - float(false[best]) - rest_optimism, int((~outcome).sum()))
    low, high = np.quantile(cuts[found], [0.025, 0.975])
    return Cut(
        (float(cuts[best]), float(low), float(high)),
        _index(sensitivity, specificity),
        sensitivity,
        specificity,
        float(hit[best] - false[best]),
    )


def _share(share: float, n: int) -> tuple[float, float, float]:
    """A share of n subjects with Wilson's interval."""
    from statsmodels.stats.proportion import proportion_confint

    share = min(max(share, 0.0), 1.0)
    low, high = proportion_confint(share * n, n, method="wilson")
    return share, float(low), float(high)


def _index(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    """The sum of two shares less 1, with Newcombe's interval: the squares of their distances added."""
    index = one[0] + other[0] - 1
    return (
        index,
        index - math.hypot(one[0] - one[1], other[0] - other[1]),
        index + math.hypot(one[2] - one[0], other[2] - other[0]),
    )


def _above(shares: Any) -> Any:
    """Of the shares that lie at or above 0, 1, 2, ... cut-offs, the share that lies at or above each."""
    return np.cumsum(shares[:, ::-1], axis=1)[:, ::-1][:, 1:]


def roc(question: Roc, data: Data) -> list[Estimate]:
    """The area within arms (primary; beside it with DeLong's plain interval), in each arm, over all, and the cut-off.

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
    plain = _plain(primary)
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
    rows += [plain] if plain is not None else []
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
        out = len(areas) - len(usable)
        notes.append(f"{out} arm{'s' if out > 1 else ''} with fewer than {LEAST_EACH} of each left out")
    if null <= 0:
        return replace(row, note="; ".join([*notes, "the value does not vary"]))
    se, statistic = math.sqrt(variance), (value - 0.5) / math.sqrt(null)
    low = high = df = math.nan
    if se == 0:
        notes.append("the value parts the two kinds wholly: no interval")
    else:
        parts = [
            (weight**2 * part, size - 1)
            for weight, area in zip(weights, usable, strict=True)
            for part, size in zip(area.variances, (area.n_with, area.n_without), strict=True)
        ]
        low, high, df = area_interval(value, parts)
    p = float(2 * stats.norm.sf(abs(statistic)))
    return replace(
        row,
        estimate=value,
        se=se,
        df=df,
        statistic=statistic,
        p_value=p,
        ci_low=low,
        ci_high=high,
        note="; ".join(notes),
    )


def _plain(primary: Estimate) -> Estimate | None:
    """The interval as DeLong's variance is mostly used: normal, cut off at 0 and 1. It misses often in small groups."""
    if math.isnan(primary.ci_low):
        return None
    half = float(stats.norm.ppf(0.975)) * primary.se
    return replace(
        primary,
        term=f"DeLong's plain interval of the {primary.term}",
        df=math.nan,
        statistic=math.nan,
        p_value=math.nan,
        ci_low=max(0.0, primary.estimate - half),
        ci_high=min(1.0, primary.estimate + half),
        primary=False,
        note=SENSITIVITY,
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


def points(question: Roc, data: Data) -> tuple[pd.DataFrame, str, str]:
    """The corners of the ROC curves in percent, of each arm that has an area and of all (arm None): x those without at or
    beyond a cut-off, y those with."""
    frame = _frame(question, data)
    sign = 1.0 if question.higher == "with" else -1.0
    arms = sorted({arm for arm in frame["arm"] if arm is not None})
    groups = [(arm, frame[frame["arm"] == arm]) for arm in arms] if len(arms) > 1 else []
    curves = []
    for arm, own in [*groups, (None, frame)]:
        value, outcome = sign * own["value"].to_numpy(float), own["outcome"].to_numpy(bool)
        if min(outcome.sum(), (~outcome).sum()) < (1 if arm is None else LEAST_EACH):
            continue
        cuts = np.append(np.inf, np.unique(value)[::-1])
        x, y = (100 * (value[kind][:, None] >= cuts).mean(axis=0) for kind in (~outcome, outcome))
        curves.append(pd.DataFrame({"subject_id": "", "arm": arm, "visit": question.at, "x": x, "y": y}))
    empty = pd.DataFrame(columns=["subject_id", "arm", "visit", "x", "y"])
    name = f"change of {question.value}" if question.value_as == "change" else question.value
    return pd.concat(curves, ignore_index=True) if curves else empty, name, question.outcome
