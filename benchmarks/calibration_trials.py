"""The answers of one simulated trial: simulated once, linked once, asked the questions of several groups.

What is run is what `cytoreg.stats.analyse` runs (the same strategy for missing values, the same adjustment of families);
sentences, estimands and tables in words are left out. tests/test_calibration_short.py holds the two equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from benchmarks.calibration_design import DRAWS, GROUPS, SCENARIOS, is_exact, plan_of
from benchmarks.calibration_draws import NAN, OWN, Row
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.plan import ReadPlan, read_plan

if TYPE_CHECKING:
    from cytoreg.simulation.trial import Trial

__all__ = ["one_trial", "rows_of", "shared"]


def shared(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups by whether they can be put to the same trial: those that can, then each of the others alone."""
    together = tuple(name for name in names if GROUPS[name].shares)
    return [group for group in (together, *((name,) for name in names if not GROUPS[name].shares)) if group]


@lru_cache(maxsize=64)
def read_of(names: tuple[str, ...]) -> ReadPlan:
    """The plan of groups, read and checked once."""
    return read_plan(plan_of(*(GROUPS[name] for name in names)))


def rows_of(scenario: str, names: tuple[str, ...], seed: int) -> dict[str, list[Row]]:
    """The rows of each group in one trial that are judged. names: groups that `shared` gives together."""
    first = GROUPS[names[0]]
    if first.own:
        return {names[0]: OWN[first.own](_trial(scenario, first.subjects, seed), seed)}
    answered = _answered(scenario, names, seed, first.subjects)
    return {name: _told(name, answered) for name in names}


def _trial(scenario: str, subjects: int, seed: int) -> Trial | None:
    from cytoreg.simulation.trial import simulate_trial

    return None if scenario == DRAWS else simulate_trial(subjects, SCENARIOS[scenario], seed)


def _answered(scenario: str, names: tuple[str, ...], seed: int, subjects: int) -> list[Estimate]:
    from cytoreg.stats.adjust import adjust_families
    from cytoreg.stats.analysis import linked_table
    from cytoreg.stats.missing.strategy import Strategy

    trial, read = _trial(scenario, subjects, seed), read_of(names)
    assert trial is not None
    linked, _ = linked_table({"linked": trial.linked().drop(columns=list(GROUPS[names[0]].dropped))}, read)
    strategy = Strategy(linked, read)
    answered = [row for name in read.plan.analyses for row in strategy.answer(name)]
    return adjust_families(answered, read.plan.multiplicity)


def _told(name: str, answered: Sequence[Estimate]) -> list[Row]:
    group = GROUPS[name]
    if group.kind == "family":
        return [(_key(row), (row.p_adjusted, NAN, NAN, NAN), row.primary, "") for row in answered if row.family]
    return [
        (_key(row), (row.p_value, row.estimate, row.ci_low, row.ci_high), row.primary, row.note[:40])
        for row in answered
        if row.analysis in group.analyses and _judged(name, row)
    ]


def _judged(name: str, row: Estimate) -> bool:
    """Rows that are descriptive or sensitivity analyses are not, but for exact tests; nor is an estimate without a test."""
    group = GROUPS[name]
    if row.note.startswith((DESCRIPTIVE, SENSITIVITY)) and not (
        is_exact(group, row.term) and row.p_value == row.p_value
    ):
        return False
    return row.primary or not math.isnan(row.p_value) or (group.kind == "coverage" and not math.isnan(row.ci_low))


def _key(row: Estimate) -> tuple[str, ...]:
    return row.analysis, row.term, row.arm, row.visit, row.contrast, row.predictor, row.outcome


def one_trial(scenario: str, group: str, seed: int, subjects: int | None = None) -> list[dict[str, Any]]:
    """Every row of one group in one trial that has an interval or a p-value, sensitivity analyses among them.

    key: analysis, term, arm, visit, contrast, predictor, outcome. values: p, estimate, low, high. For looking closer.
    """
    chosen = GROUPS[group]
    return [
        {
            "key": list(_key(row)),
            "values": [row.p_value, row.estimate, row.ci_low, row.ci_high],
            "primary": row.primary,
            "note": row.note,
        }
        for row in _answered(scenario, (group,), seed, subjects or chosen.subjects)
        if row.primary or not (math.isnan(row.p_value) and math.isnan(row.ci_low))
    ]
