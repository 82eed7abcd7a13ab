"""How likely an analysis of the plan was to find a declared effect, and how many subjects would be enough.

From the spread that the data show and the effect that the plan declares; never from the effect that was found, which
would say the p-value over again (Hoenig JM, Heisey DM. Am Stat 2001;55:19-24).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.estimate import DESCRIPTIVE, Estimate
from cytoreg.stats.questions import Power, answer_of
from cytoreg.stats.values import Data

__all__ = ["Basis", "power"]

METHOD = (
    "Power: of the two-sided test at 5 %, for the declared effect and the spread found in the data: noncentral t, normal "
    "for hazards and odds, Fisher's z for correlations; its interval is that of the spread."
)
UNTESTED = True  # a power has no p

ALPHA = 0.05
WANTED = (0.8, 0.9)
MOST_SUBJECTS = 10_000_000
CORRELATIONS = frozenset({"change_correlation", "repeated_correlation"})


@dataclass(frozen=True)
class Basis:
    """What the power of a test depends on, for `subjects`.

    se: of the estimate. df: of Student's t, infinite for a normal test. correlation: the effect is one, and the test
    is taken on Fisher's z, of variance 1 / (df - 1), for ranks times 1 + effect^2 / 2 (Bonett & Wright 2000).
    """

    subjects: int
    se: float
    df: float
    correlation: bool = False
    ranks: bool = False
    df_by_share: bool = False  # whether df grows with the number of subjects in proportion, else one for one

    def power(self, effect: float, subjects: int | None = None, widened: float = 1.0) -> float:
        """That the two-sided test at 5 % rejects. widened: by which the standard error is multiplied."""
        n = self.subjects if subjects is None else subjects
        df = self.df * n / self.subjects if self.df_by_share else self.df + (n - self.subjects)
        if self.correlation:
            if df <= 1:
                return ALPHA
            spread = math.sqrt((1 + (effect**2 / 2 if self.ranks else 0.0)) / (df - 1))
            away, most = math.atanh(effect) / spread, float(stats.norm.ppf(1 - ALPHA / 2))
            return float(stats.norm.sf(most - away) + stats.norm.cdf(-most - away))
        se = self.se * widened * math.sqrt(self.subjects / n)
        away = effect / se
        if math.isinf(self.df):
            most = float(stats.norm.ppf(1 - ALPHA / 2))
            return float(stats.norm.sf(most - away) + stats.norm.cdf(-most - away))
        df = max(df, 1.0)
        most = float(stats.t.ppf(1 - ALPHA / 2, df))
        if abs(away) > 30:
            return 1.0
        return float(stats.nct.sf(most, df, abs(away)) + stats.nct.cdf(-most, df, abs(away)))

    def subjects_for(self, wanted: float, effect: float, widened: float = 1.0) -> float:
        """The smallest number of subjects with at least that power; infinite beyond ten million."""
        low, high = 3, 4
        while self.power(effect, high, widened) < wanted:
            low, high = high, high * 2
            if high > MOST_SUBJECTS:
                return math.inf
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(effect, middle, widened) >= wanted else (middle, high)
        return float(high)

    def widest(self) -> tuple[float, float]:
        """By how much the standard error may be too large or too small, 95 %: of the variance of normal values."""
        if self.correlation or math.isinf(self.df):
            return math.nan, math.nan
        low, high = (math.sqrt(self.df / float(stats.chi2.ppf(p, self.df))) for p in (0.975, 0.025))
        return low, high


def power(question: Power, data: Data) -> list[Estimate]:
    """The power with the subjects there are, or the declared number (primary), and the subjects for 80 % and 90 %.

    Raises `AnalysisError` where the plan has no such analysis, or it is itself one of power.
    """
    place = data.read.where(data.analysis, "analysis")
    analyses = data.read.plan.analyses
    if question.analysis not in analyses or analyses[question.analysis].type == question.type:
        others = [name for name, other in analyses.items() if other.type != question.type]
        raise AnalysisError(
            f"{place}: no analysis '{question.analysis}' to give the power of; {suggest(question.analysis, others)}"
        )
    asked = analyses[question.analysis]
    of_asked = replace(data, analysis=question.analysis)
    answer = next((row for row in answer_of(asked.type)(asked, of_asked) if row.primary), None)
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term=f"power for an effect of {question.effect:g}",
        outcome=answer.outcome if answer else "",
        predictor=answer.predictor if answer else "",
        arm=answer.arm if answer else "",
        visit=answer.visit if answer else "",
        contrast=answer.contrast if answer else "",
        n_subjects=answer.n_subjects if answer else 0,
        n_observations=answer.n_observations if answer else 0,
        primary=True,
    )
    test, reason = _test_of(asked.type, getattr(asked, "method", ""), answer)
    if test is None:
        return [replace(blank, note=f"{question.analysis}: {reason}")]
    if test.correlation and not -1 < question.effect < 1:
        effect_place = data.read.where(data.analysis, "effect")
        raise AnalysisError(f"{effect_place}: found {question.effect:g}, expected a correlation between -1 and 1")
    subjects = question.subjects or test.subjects
    narrow, wide = test.widest()
    how = "the effect is the declared one, not the one found"
    notes = [f"of '{question.analysis}' with {subjects} subjects, two-sided at 5 %", how]
    if math.isnan(narrow):
        notes.append(
            "no interval: " + ("nothing but the effect is unknown" if test.correlation else "normal test")
        )
    ends = (
        sorted(test.power(question.effect, subjects, w) for w in (narrow, wide))
        if narrow == narrow
        else (math.nan,) * 2
    )
    rows = [
        replace(
            blank,
            estimate=test.power(question.effect, subjects),
            df=test.df if math.isfinite(test.df) else math.nan,
            ci_low=ends[0],
            ci_high=ends[1],
            note="; ".join(notes),
        )
    ]
    for wanted in WANTED:
        row = replace(blank, term=f"subjects for a power of {100 * wanted:.0f} %", primary=False, note=DESCRIPTIVE)
        counts = [
            test.subjects_for(wanted, question.effect, w) if question.effect else math.inf
            for w in (1.0, narrow, wide)
        ]
        known = [count if math.isfinite(count) else math.nan for count in counts]
        if math.isnan(narrow):
            known[1:] = [math.nan, math.nan]
        if math.isnan(known[0]):
            row = replace(row, note=f"{DESCRIPTIVE}; no number of subjects is enough for so small an effect")
        rows.append(replace(row, estimate=known[0], ci_low=known[1], ci_high=known[2]))
    return rows


def _test_of(kind: str, method: str, answer: Estimate | None) -> tuple[Basis | None, str]:
    if answer is None:
        return None, "has no answer"
    if kind in CORRELATIONS:
        if method == "kendall":
            return None, "the power of Kendall's tau is not computed"
        if not answer.df > 1:
            return None, answer.note or "has no degrees of freedom"
        if kind == "repeated_correlation":  # its visits count for as many independent ones as have the same error
            half = (math.atanh(answer.ci_high) - math.atanh(answer.ci_low)) / 2
            if not half > 0:
                return None, answer.note or "has no interval"
            visits = 1 + (float(stats.t.ppf(1 - ALPHA / 2, answer.df)) / half) ** 2
            return Basis(answer.n_subjects, math.nan, visits, True, df_by_share=True), ""
        return Basis(answer.n_subjects, math.nan, answer.df, True, method == "spearman"), ""
    if not (answer.se > 0 and math.isfinite(answer.statistic)):
        return None, answer.note or "has no standard error, so that its power needs another method"
    if not np.isclose(answer.estimate / answer.se, answer.statistic, rtol=1e-6):
        return None, f"its test is not one of estimate over standard error against 0, as {kind} gives it"
    return Basis(answer.n_subjects, answer.se, answer.df if answer.df == answer.df else math.inf), ""


def sentence(question: Power, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    interval = (
        "" if math.isnan(row.ci_low) else f" (95 % interval {100 * row.ci_low:.0f} to {100 * row.ci_high:.0f} %)"
    )
    subjects = question.subjects or row.n_subjects
    return (
        f"With {subjects} subjects, '{question.analysis}' would find an effect of {question.effect:g}, if that is the true "
        f"one, in {100 * row.estimate:.0f} of 100 such studies{interval}."
    )


def title(question: Power, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"How likely was {say(question.analysis)} to find an effect of {question.effect:g}?"
