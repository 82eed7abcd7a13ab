"""Did values that may lie below a limit of detection change between two visits: pairs by likelihood, limits as limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.errors import AnalysisError
from cytoreg.stats.adjust import adjusted, counts
from cytoreg.stats.censored import fit_paired_change
from cytoreg.stats.estimate import SENSITIVITY, Estimate
from cytoreg.stats.questions import Cytokines
from cytoreg.stats.sentence import amount, verb_for
from cytoreg.stats.values import LEAST_SUBJECTS, Data, change_between, paired_points

__all__ = ["cytokines"]

METHOD = (
    "Values with a limit of detection: both visits of a subject as bivariate normal after the logarithm, values beyond a "
    "limit by their probability, by maximum likelihood; t intervals; a sign test of the pairs that can be ordered beside it."
)

SIGNS = {"<": -1.0, ">": 1.0}
SCALE_WORDS = {"linear": "", "log": ", natural log"}


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Of one value: both visits of each subject (limits where censored), signs (-1, 0, 1), and the group of each."""

    before: np.ndarray[Any, np.dtype[np.float64]]
    after: np.ndarray[Any, np.dtype[np.float64]]
    sign_before: np.ndarray[Any, np.dtype[np.float64]]
    sign_after: np.ndarray[Any, np.dtype[np.float64]]
    group: np.ndarray[Any, np.dtype[np.object_]]

    def of(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> _Pairs:
        return _Pairs(
            self.before[chosen],
            self.after[chosen],
            self.sign_before[chosen],
            self.sign_after[chosen],
            self.group[chosen],
        )


def cytokines(question: Cytokines, data: Data) -> list[Estimate]:
    """Rows of each value: the difference of mean changes between groups, the mean change of each, a sign test of each.

    The primary row is that of the first value: the difference between the two groups of `by` (the arm against the
    control), else the mean change of all subjects. Where the analysis is in no family of the plan its rows are one of
    their own. A censored value is one whose `NAME censored` is `<` or `>`; NAME then holds the limit.
    """
    rows: list[Estimate] = []
    for place, name in enumerate(question.values):
        made = _of_value(question, data, name)
        rows += [replace(made[0], primary=place == 0), *made[1:]]
    return _own_family(rows, data)


def _of_value(question: Cytokines, data: Data, name: str) -> list[Estimate]:
    pairs, remark = _pairs(question, data, name)
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term=f"mean change{SCALE_WORDS[question.scale]}",
        outcome=name,
        visit=question.to,
        contrast=f"{question.to} - {question.from_}",
    )
    rows = []
    names = sorted({group for group in pairs.group if group is not None}) if question.by else []
    for group in names if len(names) == 2 else [*names, ""]:
        own = pairs.of(pairs.group == group) if group else pairs
        rows.append(_change(own, replace(blank, arm=group), remark))
    if len(names) == 2:
        control = data.control(names)[0] if question.by == data.read.plan.treatment.arm else names[0]
        treated = next(group for group in names if group != control)
        by_name = {row.arm: row for row in rows}
        rows.insert(0, _difference(by_name[treated], by_name[control], remark))
    else:
        rows.sort(key=lambda row: row.arm != "")
    signs = [
        _sign_test(pairs.of(pairs.group == group) if group else pairs, replace(blank, arm=group))
        for group in names or [""]
    ]
    return rows + signs


def _pairs(question: Cytokines, data: Data, name: str) -> tuple[_Pairs, str]:
    values = data.value(name, "values", question.scale)
    signs = _signs(data, name)
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    changes = change_between(values, start, end)
    begin, finish = start.reindex(changes.index).to_numpy(), end.reindex(changes.index).to_numpy()
    first, second = signs.reindex(begin).to_numpy(float), signs.reindex(finish).to_numpy(float)
    group = np.array([""] * len(changes), dtype=object)
    if question.by is not None:
        group = data.category(question.by, "by").reindex(begin).to_numpy(object)
    lost = int((data.column(name, "values") <= 0).sum()) if question.scale == "log" else 0
    remark = f"{lost} values of 0 or below have no logarithm and are left out" if lost else ""
    return _Pairs(changes["from"].to_numpy(), changes["to"].to_numpy(), first, second, group), remark


def _signs(data: Data, name: str) -> pd.Series:
    column = f"{name} censored"
    if column not in data.linked.columns:
        return pd.Series(0.0, index=data.linked.index)
    given = data.linked[column]
    text = pd.Series(["" if pd.isna(mark) else str(mark).strip() for mark in given.tolist()], index=given.index)
    odd = sorted(set(text) - {"", *SIGNS})
    if odd:
        place = data.read.where(data.analysis, "values")
        raise AnalysisError(f"{place}: column '{column}' holds '{odd[0]}', expected <, > or nothing")
    return text.map(SIGNS).fillna(0.0)


def _change(pairs: _Pairs, blank: Estimate, remark: str) -> Estimate:
    n = len(pairs.before)
    blank = replace(blank, n_subjects=n, n_observations=2 * n)
    if n < LEAST_SUBJECTS:
        return replace(blank, note=f"{n} subjects with both visits: at least {LEAST_SUBJECTS} are needed")
    beyond = [int((sign != 0).sum()) for sign in (pairs.sign_before, pairs.sign_after)]
    said = f"beyond a limit: {beyond[0]} of {n} before, {beyond[1]} after"
    notes = [part for part in (said if any(beyond) else "", remark) if part]
    if n - max(beyond) < LEAST_SUBJECTS:
        few = f"fewer than {LEAST_SUBJECTS} measured values at a visit"
        return replace(blank, note="; ".join([few, *notes]))
    fit = fit_paired_change(pairs.before, pairs.after, pairs.sign_before, pairs.sign_after)
    if fit is None or not fit.se > 0:
        return replace(blank, note="; ".join(["the likelihood has no maximum", *notes]))
    return replace(_by_t(blank, fit.change, fit.se, n - 1.0), note="; ".join(notes))


def _by_t(blank: Estimate, estimate: float, se: float, df: float) -> Estimate:
    half = float(stats.t.ppf(0.975, df)) * se
    return replace(
        blank,
        estimate=estimate,
        se=se,
        df=df,
        statistic=estimate / se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p_value=float(2 * stats.t.sf(abs(estimate / se), df)),
    )


def _difference(treated: Estimate, control: Estimate, remark: str) -> Estimate:
    """Of two independent mean changes, with the degrees of freedom of Welch and Satterthwaite."""
    blank = replace(
        treated,
        term=treated.term.replace("mean change", "difference of mean changes"),
        contrast=f"{treated.arm} - {control.arm}",
        n_subjects=treated.n_subjects + control.n_subjects,
        n_observations=treated.n_observations + control.n_observations,
        estimate=math.nan,
        se=math.nan,
        df=math.nan,
        statistic=math.nan,
        ci_low=math.nan,
        ci_high=math.nan,
        p_value=math.nan,
        note=remark,
    )
    for row in (treated, control):
        if math.isnan(row.se):
            return replace(blank, note=f"{row.arm}: {row.note}")
    parts = [row.se**2 for row in (treated, control)]
    df = sum(parts) ** 2 / sum(part**2 / row.df for part, row in zip(parts, (treated, control), strict=True))
    notes = [f"{row.arm}: {row.note}" for row in (treated, control) if row.note]
    found = _by_t(blank, treated.estimate - control.estimate, math.sqrt(sum(parts)), df)
    return replace(found, note="; ".join(notes))


def _sign_test(pairs: _Pairs, blank: Estimate) -> Estimate:
    """The share of falls among pairs whose order is known, and the exact test that it is a half; ties say nothing."""
    blank = replace(blank, term="share that fell, of pairs that can be ordered (sign test)", note=SENSITIVITY)
    low0, high0 = _ends(pairs.before, pairs.sign_before)
    low1, high1 = _ends(pairs.after, pairs.sign_after)
    below, above = (
        pairs.sign_after < 0,
        pairs.sign_after > 0,
    )  # strictly, so that a limit met by a value orders the two
    fell = int(((high1 < low0) | ((high1 == low0) & (below | (pairs.sign_before > 0)))).sum())
    rose = int(((low1 > high0) | ((low1 == high0) & (above | (pairs.sign_before < 0)))).sum())
    known = fell + rose
    blank = replace(blank, n_subjects=known, n_observations=2 * known)
    if known < LEAST_SUBJECTS:
        return replace(
            blank, note=f"{SENSITIVITY}; {known} pairs can be ordered: at least {LEAST_SUBJECTS} are needed"
        )
    tied = len(pairs.before) - known
    said = f"{tied} pair{'s' if tied > 1 else ''} cannot be ordered or did not change" if tied else ""
    test = stats.binomtest(fell, known)
    interval = test.proportion_ci(0.95, method="exact")
    return replace(
        blank,
        estimate=fell / known,
        ci_low=float(interval.low),
        ci_high=float(interval.high),
        p_value=float(test.pvalue),
        note="; ".join(filter(None, [SENSITIVITY, said])),
    )


def _ends(values: Any, sign: Any) -> tuple[Any, Any]:
    return np.where(sign < 0, -np.inf, values), np.where(sign > 0, np.inf, values)


def _own_family(rows: Sequence[Estimate], data: Data) -> list[Estimate]:
    """Adjusted among themselves, where the plan has no family for the analysis and there is more than one value."""
    multiplicity = data.read.plan.multiplicity
    if len({row.outcome for row in rows}) < 2 or any(
        data.analysis in names for names in multiplicity.families.values()
    ):
        return list(rows)
    done = list(rows)
    places = [place for place, row in enumerate(done) if counts(row)]
    for place, p in zip(places, adjusted([done[i].p_value for i in places], multiplicity.method), strict=True):
        done[place] = replace(done[place], family=data.analysis, p_adjusted=p)
    return done


def sentence(question: Cytokines, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    scale = question.scale
    when = f"between {question.from_} and {question.to}"
    others = [name for name in question.values if name != row.outcome]  # noqa: PD011
    more = (
        f" {', '.join(others)}: see {'its own row' if len(others) == 1 else 'their own rows'}." if others else ""
    )
    beyond = f" Values beyond a limit of detection were taken as that ({row.note})." if "limit" in row.note else ""
    if row.term.startswith("difference"):
        treated, _, control = row.contrast.partition(" - ")
        verb = verb_for(
            row, "rose more or fell less", "fell more or rose less", "did not clearly change otherwise"
        )
        much = amount(row.outcome, scale, row, "a difference of")
        return f"In {row.n_subjects} subjects, {row.outcome} {verb} in {treated} than in {control} {when}: {much}.{beyond}{more}"
    verb = verb_for(row, "rose", "fell", "showed no clear change")
    much = amount(row.outcome, scale, row, "on average")
    return f"In {row.n_subjects} subjects, {row.outcome} {verb} {when}: {much}.{beyond}{more}"


def title(question: Cytokines, say: Callable[[str], str]) -> str:
    """What is asked."""
    names = [say(name) for name in question.values]  # noqa: PD011
    return f"Did {', '.join(names)} change from {question.from_} to {question.to}?"


def points(question: Cytokines, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Of the first value: x at `from`, y at `to`, limits where censored; the labels of both."""
    name = question.values[0]  # noqa: PD011
    start, end = data.rows_at(question.from_, "from"), data.rows_at(question.to, "to")
    pair = change_between(data.column(name, "values"), start, end)
    frame = paired_points(pair["from"], pair["to"], start, question.to, data)
    return frame, f"{name} at {question.from_}", f"{name} at {question.to}"
