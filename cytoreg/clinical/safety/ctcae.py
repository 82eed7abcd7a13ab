"""Grades of laboratory values: Common Terminology Criteria for Adverse Events, version 5.0 (US NCI, 27 Nov 2017).

Only what a value alone decides: a grade that needs a symptom, a transfusion or an intervention is not given, so
anaemia ends at grade 3 and low potassium goes from grade 1 to grade 3.
"""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.adverse_events import count_by
from cytoreg.clinical.safety.ctcae_criteria import CANONICAL, CRITERIA, HARMLESS, Criterion
from cytoreg.clinical.safety.labs import read_labs
from cytoreg.clinical.safety.population import Population, population_of
from cytoreg.errors import LinkError, suggest

__all__ = ["canonical", "ctcae_grade", "grade_table"]


def canonical(test: str) -> str:
    """The short name of a test that CTCAE or Hy's law needs; any other test is given back as it is.

    >>> canonical("Alanine Aminotransferase (U/L)"), canonical("Neutrophils"), canonical("ferritin")
    ('ALT', 'NEUT', 'ferritin')
    """
    outside, inside = _letters(re.sub(r"\(.*?\)", "", test)), re.findall(r"\((.*?)\)", test)
    name = CANONICAL.get(outside)
    said = [part for part in inside if "/" not in part and "%" not in part and _letters(part) not in HARMLESS]
    if name is not None and all(CANONICAL.get(_letters(part)) == name for part in said):
        return name
    return CANONICAL.get(_letters(test), test)  # `Calcium (ionized)` is a name; `Glucose (urine)` is none


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def ctcae_grade(
    term: str,
    value: object,
    *,
    low: object = math.nan,
    high: object = math.nan,
    baseline: object = math.nan,
    baseline_high: object = None,
    unit: str = "",
) -> np.ndarray:
    """Grades 0 to 4 of values by a term of `CRITERIA`; NaN where they cannot be told. Float64, shape (n,).

    value, low, high (the reference range), baseline, baseline_high (the upper limit that held for it, `high`
    where not given): scalars or of shape (n,). Liver tests and creatinine are graded in multiples of `high`; a
    liver test whose baseline was above its upper limit in multiples of that baseline, as version 5.0 asks.
    Creatinine is also graded by multiples of the baseline. unit: of value, for the criteria in amounts.

    >>> ctcae_grade("Neutrophil count decreased", [2.1, 1.5, 1.4, 0.4], low=1.8, unit="10^9/L").tolist()
    [0.0, 1.0, 2.0, 4.0]
    """
    criterion = next((found for found in CRITERIA if found.term == term), None)
    if criterion is None:
        raise LinkError(f"CTCAE: unknown term '{term}'; {suggest(term, [found.term for found in CRITERIA])}")
    arrays = [np.asarray(part, dtype=float) for part in (value, low, high, baseline)]
    top = arrays[2] if baseline_high is None else np.asarray(baseline_high, dtype=float)
    given, bottom, upper, start, top = (np.atleast_1d(part) for part in np.broadcast_arrays(*arrays, top))
    if criterion.relative:
        return _relative(criterion, given, upper, start, top)
    plain, limits = re.sub(r"\s", "", unit).casefold().replace("μ", "µ"), criterion.limits
    factor = criterion.units.get(plain)
    if factor is None and criterion.molar is not None:
        factor, limits = criterion.molar_units.get(plain), criterion.molar
    if factor is None:
        return np.full(given.shape, np.nan)
    return _absolute(criterion, limits, given * factor, (upper if criterion.high else bottom) * factor)


def grade_table(labs: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """The worst grade after baseline by term and arm: term, grade, arm, subjects, percent, p_value, n, graded.

    grade: `1` to `4`, and `3 or 4`; a subject counts at the worst. percent: of `graded`, the subjects of the arm
    who have a later value that can be graded. n: the arm's safety population.
    """
    population = population_of(subjects, control)
    return grades_of(read_labs(labs, population)[0], population)[0]


def grades_of(table: pd.DataFrame, population: Population) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The same from labs already read, and notes on what cannot be graded."""
    later = table[table["after"]]
    tests = later["test"].map({test: canonical(test) for test in later["test"].unique()})
    columns = ["term", "grade", "arm", "subjects", "percent", "p_value", "n", "graded"]
    parts, notes = [], []
    for criterion in CRITERIA:
        rows = later[tests == criterion.test]
        if not len(rows):
            continue
        graded = pd.Series(np.nan, index=rows.index)
        for unit, some in rows.groupby("unit"):
            graded[some.index] = ctcae_grade(
                criterion.term,
                some["value"],
                low=some["low"],
                high=some["high"],
                baseline=some["base"],
                baseline_high=some["base_high"],
                unit=str(unit),
            )
        unknown = int(graded.isna().sum())
        if unknown:
            why = "its reference range" if criterion.relative else "its unit or reference range"
            notes.append(
                f"CTCAE, {criterion.term}: {unknown} of {len(rows)} values have no grade for want of {why}"
            )
        worst = graded.groupby(rows["subject_id"]).max().dropna()
        each = pd.DataFrame({"subject_id": worst.index, "worst": worst.to_numpy()})
        each["arm"] = each["subject_id"].map(population.arm)
        grades = each[each["worst"] > 0].assign(level=lambda frame: frame["worst"].astype(int).astype(str))
        severe = each[each["worst"] >= 3].assign(level="3 or 4")
        levels = [(str(grade),) for grade in range(1, 5)] + [("3 or 4",)]
        within = Population(
            each.set_index("subject_id")["arm"], population.arms, population.control, population.years
        )
        safe = _sized(within)
        counts = count_by(pd.concat([grades, severe], ignore_index=True), ["level"], safe, levels=levels)
        counts = counts.rename(columns={"level": "grade", "n": "graded"}).assign(term=criterion.term)
        counts["n"] = counts["arm"].map(population.sizes)
        parts.append(counts[columns])
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return found, tuple(notes)


def _sized(population: Population) -> Population:
    """The population without arms in which nobody was graded; None as control where that one is empty."""
    there = set(population.arm)
    control = population.control if population.control in there else None
    arms = tuple(arm for arm in population.arms if arm in there)
    return Population(population.arm, arms, control, population.years)


def _relative(
    criterion: Criterion, value: np.ndarray, high: np.ndarray, baseline: np.ndarray, baseline_high: np.ndarray
) -> np.ndarray:
    """Grades by multiples of the upper limit; of an abnormal baseline for liver tests."""
    _, *borders = criterion.limits
    ratio = value / np.where(high > 0, high, np.nan)
    by_limit = 1.0 * (ratio > 1) + sum(1.0 * (ratio > border) for border in borders)
    by_limit = np.where(np.isnan(ratio), np.nan, by_limit)
    of_baseline = value / np.where(baseline > 0, baseline, np.nan)
    if criterion.test == "CREAT":  # above 1.5 and above 3 times the baseline are grades 2 and 3
        by_baseline = 2.0 * (of_baseline > 1.5) + 1.0 * (of_baseline > 3)
        return np.where(np.isnan(by_limit), np.nan, np.fmax(by_limit, by_baseline))
    first = criterion.first_of_baseline
    if math.isnan(first):
        return by_limit
    begun = of_baseline >= first if criterion.first_inclusive else of_baseline > first
    by_baseline = 1.0 * begun + sum(1.0 * (of_baseline > border) for border in borders)
    return np.where(baseline > baseline_high, by_baseline, by_limit)


def _absolute(
    criterion: Criterion, limits: tuple[float | None, ...], value: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """Grades by amounts; grade 1 begins beyond the limit of the reference range, or at a border of its own."""
    begin, *borders = limits
    past = np.greater if criterion.high else np.less
    grade = np.where(past(value, limit), 1.0, 0.0) if begin is None else np.zeros(value.shape)
    if begin is not None and not math.isnan(begin):
        grade = np.where(value >= begin if criterion.first_inclusive else past(value, begin), 1.0, 0.0)
    for index, border in enumerate(borders, start=2):
        if border is not None and not math.isnan(border):
            grade = np.where(past(value, border), float(index), grade)
    unknown = np.isnan(value) | ((begin is None) & np.isnan(limit) & (grade == 0))
    return np.where(unknown, np.nan, grade)
