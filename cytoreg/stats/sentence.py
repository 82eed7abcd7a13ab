"""What a result says, in a plain sentence for a clinician: how much, how sure, and association, not cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.plan import (
    ArmByVisit,
    ChangeCorrelation,
    PairedChange,
    Question,
    RepeatedCorrelation,
    Scale,
    Trend,
)

__all__ = ["p_text", "sentence"]

CLEAR = 0.05
NOT_CAUSE = "This is an association; it does not show that one causes the other."


def sentence(question: Question, rows: Sequence[Estimate]) -> str:
    """The primary row of an analysis in words.

    rows: the estimates of that one analysis. p is the adjusted one where the analysis is in a family.
    """
    answer = next((row for row in rows if row.primary), None)
    if answer is None or math.isnan(answer.p_value):
        reason = (answer.note if answer is not None else "") or "there is no result that could be tested"
        return f"No answer: {reason}."
    return WRITERS[question.type](question, answer)


def p_text(p: float) -> str:
    """A p-value as it is printed.

    >>> p_text(0.0004), p_text(0.0312), p_text(0.41)
    ('p < 0.001', 'p = 0.031', 'p = 0.41')
    """
    if math.isnan(p):
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _paired_change(question: PairedChange, row: Estimate) -> str:
    who = f"the {row.n_subjects} subjects of {row.arm}" if row.arm else f"{row.n_subjects} subjects"
    when = f"between {question.from_} and {question.to}"
    if math.isnan(row.p_value):
        return f"In {who} with both visits, {question.value} {when}: {row.note}."
    verb = _verb(row, "rose", "fell", "showed no clear change")
    return (
        f"In {who} with both visits, {question.value} {verb} {when}: "
        f"{_amount(question.value, question.scale, row, 'on average')}."
    )


def _arm_by_visit(question: ArmByVisit, row: Estimate) -> str:
    counted = f"{row.n_subjects} subjects"
    if math.isnan(row.estimate):
        verb = "differed" if _clear(row) else "did not clearly differ"
        return f"At {row.visit} the arms {verb} in {question.value} ({counted}; {p_text(_p(row))})."
    treated, _, control = row.contrast.partition(" - ")
    if not _clear(row):
        start = f"{question.value} was not clearly different between {treated} and {control}"
    else:
        start = f"{question.value} was {'higher' if row.estimate > 0 else 'lower'} in {treated} than in {control}"
    amount = _amount(question.value, question.scale, row, "a difference of")
    return f"At {row.visit}, {start} for the same baseline value ({counted}): {amount}."


def _change_correlation(question: ChangeCorrelation, row: Estimate) -> str:
    if not _clear(row):
        start = f"The changes of {question.x} and {question.y} {_span(question)} did not clearly go together"
    else:
        other = "rise" if row.estimate > 0 else "fall"
        start = f"A larger rise of {question.x} {_span(question)} went with a larger {other} of {question.y}"
    return f"{start} in {row.n_subjects} subjects ({_correlation(row)}). {NOT_CAUSE}"


def _repeated_correlation(question: RepeatedCorrelation, row: Estimate) -> str:
    if not _clear(row):
        start = f"Within subjects, {question.x} and {question.y} did not clearly move together over the visits"
    else:
        other = "higher" if row.estimate > 0 else "lower"
        start = f"Within subjects, {question.y} was {other} at visits at which {question.x} was higher"
    return f"{start} ({row.n_observations} visits of {row.n_subjects} subjects; {_correlation(row)}). {NOT_CAUSE}"


def _trend(question: Trend, row: Estimate) -> str:
    verb = _verb(row, "rose", "fell", "showed no clear trend")
    within = f" within {question.block}" if question.block else ""
    return (
        f"In {row.n_observations} samples, {question.value} {verb} with {question.on}{within}: "
        f"{_amount(question.value, question.scale, row, 'for each unit,')}. {NOT_CAUSE}"
    )


WRITERS: Mapping[str, Callable[[Any, Estimate], str]] = {
    "paired_change": _paired_change,
    "arm_by_visit": _arm_by_visit,
    "change_correlation": _change_correlation,
    "repeated_correlation": _repeated_correlation,
    "trend": _trend,
}


def _amount(name: str, scale: Scale, row: Estimate, lead: str) -> str:
    """`on average +1.2 percentage points (95 % interval +0.4 to +2.0; p = 0.004)`; a factor on log scales."""
    if scale == "linear":
        unit = " percentage points" if " % of " in name else ""
        numbers = [f"{_signed(value)}{unit if index == 0 else ''}" for index, value in enumerate(_three(row))]
        value = f"{lead} {numbers[0]}"
    else:
        what = "odds" if scale == "logit" else "value"
        numbers = [f"{math.exp(value):.3g}" for value in _three(row)]
        value = f"{lead} the {what} multiplied by {numbers[0]}".replace("difference of the", "difference: the")
    if math.isnan(row.ci_low):
        return value
    return f"{value} (95 % interval {numbers[1]} to {numbers[2]}; {_p_of(row)})"


def _correlation(row: Estimate) -> str:
    interval = "" if math.isnan(row.ci_low) else f", 95 % interval {row.ci_low:+.2f} to {row.ci_high:+.2f}"
    return f"{row.term}: {row.estimate:+.2f}{interval}; {_p_of(row)}"


def _three(row: Estimate) -> tuple[float, float, float]:
    return row.estimate, row.ci_low, row.ci_high


def _signed(value: float) -> str:
    return f"{value:+.3g}"


def _p(row: Estimate) -> float:
    return row.p_value if math.isnan(row.p_adjusted) else row.p_adjusted


def _p_of(row: Estimate) -> str:
    """The p-value; where the question has others beside it, before and after adjustment, the interval being before."""
    if math.isnan(row.p_adjusted):
        return p_text(row.p_value)
    return f"{p_text(row.p_value)}, after adjustment for the family of questions {p_text(row.p_adjusted)}"


def _clear(row: Estimate) -> bool:
    return _p(row) < CLEAR


def _verb(row: Estimate, up: str, down: str, unclear: str) -> str:
    return unclear if not _clear(row) else up if row.estimate > 0 else down


def _span(question: ChangeCorrelation) -> str:
    return f"from {question.from_} to {question.to}"
