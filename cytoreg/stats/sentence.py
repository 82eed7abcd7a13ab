"""What a result says, in a plain sentence for a clinician: how much, how sure, and association, not cause."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.questions import Question, Scale, home_of

__all__ = [
    "NOT_CAUSE",
    "amount",
    "correlation_text",
    "is_clear",
    "p_of",
    "p_shown",
    "p_text",
    "sentence",
    "verb_for",
]

CLEAR = 0.05
NOT_CAUSE = "This is an association; it does not show that one causes the other."


def sentence(question: Question, rows: Sequence[Estimate]) -> str:
    """The primary row of an analysis in words.

    rows: the estimates of that one analysis. p is the adjusted one where the analysis is in a family.
    """
    answer = next((row for row in rows if row.primary), None)
    home = home_of(question.type)
    untested = getattr(home, "UNTESTED", False) and answer is not None and math.isfinite(answer.estimate)
    if answer is None or (math.isnan(answer.p_value) and not untested):
        reason = (answer.note if answer is not None else "") or "there is no result that could be tested"
        return f"No answer: {reason}."
    said: str = home.sentence(question, answer)
    return said


def p_text(p: float) -> str:
    """A p-value as it is printed.

    >>> p_text(0.0004), p_text(0.0312), p_text(0.41)
    ('p < 0.001', 'p = 0.031', 'p = 0.41')
    """
    if math.isnan(p):
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def amount(name: str, scale: Scale, row: Estimate, lead: str) -> str:
    """`on average +1.2 percentage points (95 % interval +0.4 to +2.0; p = 0.004)`; a factor on log scales."""
    if scale == "linear":
        unit = " percentage points" if " % of " in name else ""
        numbers = [f"{_signed(value)}{unit if index == 0 else ''}" for index, value in enumerate(_three(row))]
        value = f"{lead} {numbers[0]}"
    else:
        what = "odds" if scale == "logit" else "value"
        numbers = [f"{math.exp(min(value, 700.0)):.3g}" for value in _three(row)]
        value = f"{lead} the {what} multiplied by {numbers[0]}".replace("difference of the", "difference: the")
    if math.isnan(row.ci_low):
        return value
    return f"{value} (95 % interval {numbers[1]} to {numbers[2]}; {p_of(row)})"


def correlation_text(row: Estimate) -> str:
    interval = "" if math.isnan(row.ci_low) else f", 95 % interval {row.ci_low:+.2f} to {row.ci_high:+.2f}"
    return f"{row.term}: {row.estimate:+.2f}{interval}; {p_of(row)}"


def _three(row: Estimate) -> tuple[float, float, float]:
    return row.estimate, row.ci_low, row.ci_high


def _signed(value: float) -> str:
    return f"{value:+.3g}"


def p_shown(row: Estimate) -> float:
    return row.p_value if math.isnan(row.p_adjusted) else row.p_adjusted


def p_of(row: Estimate) -> str:
    """The p-value; where the question has others beside it, before and after adjustment, the interval being before."""
    if math.isnan(row.p_adjusted):
        return p_text(row.p_value)
    return f"{p_text(row.p_value)}, after adjustment for the family of questions {p_text(row.p_adjusted)}"


def is_clear(row: Estimate) -> bool:
    return p_shown(row) < CLEAR


def verb_for(row: Estimate, up: str, down: str, unclear: str) -> str:
    return unclear if not is_clear(row) else up if row.estimate > 0 else down
