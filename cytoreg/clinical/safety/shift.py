"""Shifts of laboratory values against their reference range: from baseline to the worst value after it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.labs import read_labs
from cytoreg.clinical.safety.population import Population, population_of

__all__ = ["general_association", "shift_table", "shifts_of"]

RANGES = ("low", "normal", "high", "low and high", "not known")


def shift_table(labs: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """How many went from which range at baseline to which after it: test, arm, baseline, after, subjects,
    percent (of the arm's subjects with that baseline), n (those), p_value.

    A subject counts once a test. after: normal where every value after baseline is, low or high where one is,
    `low and high` where there were both. Only subjects with a baseline and a later value are counted. p_value:
    Cochran-Mantel-Haenszel test of general association of arm and range after, given the range at baseline.
    """
    population = population_of(subjects, control)
    return lab_shifts(read_labs(labs, population)[0], population)


def lab_shifts(table: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from labs already read."""
    later = table[table["after"] & table["base"].notna()]
    marks = pd.DataFrame(
        {
            "subject_id": later["subject_id"],
            "test": later["test"],
            "low": later["range"] == "low",
            "high": later["range"] == "high",
            "known": later["range"] != "",
            "baseline": later["base_range"].replace("", "not known"),
        }
    )
    each = marks.groupby(["test", "subject_id"], sort=True).agg(
        low=("low", "any"), high=("high", "any"), known=("known", "any"), baseline=("baseline", "first")
    )
    each["after"] = np.select(
        [each["low"] & each["high"], each["low"], each["high"], each["known"]],
        ["low and high", "low", "high", "normal"],
        default="not known",
    )
    each = each.reset_index()
    each["arm"] = each["subject_id"].map(population.arm)
    return shifts_of(each, population, RANGES)


def shifts_of(each: pd.DataFrame, population: Population, levels: tuple[str, ...]) -> pd.DataFrame:
    """A shift table from one row a subject and test: test, arm, baseline, after (words of `levels`)."""
    columns = ["test", "arm", "baseline", "after", "subjects", "percent", "n", "p_value"]
    parts = []
    for test, rows in each.groupby("test", sort=True):
        starts = [level for level in levels if (rows["baseline"] == level).any()]
        ends = [level for level in levels if (rows["after"] == level).any()]
        counts = np.array(
            [
                [
                    [
                        int(((rows["arm"] == arm) & (rows["baseline"] == start) & (rows["after"] == end)).sum())
                        for end in ends
                    ]
                    for arm in population.arms
                ]
                for start in starts
            ]
        )  # shape (strata, arms, ends)
        p_value = general_association(counts)[2]
        for j, arm in enumerate(population.arms):
            for k, start in enumerate(starts):
                n = int(counts[k, j].sum())
                parts += [
                    (
                        test,
                        arm,
                        start,
                        end,
                        int(counts[k, j, i]),
                        100 * counts[k, j, i] / n if n else math.nan,
                        n,
                        p_value,
                    )
                    for i, end in enumerate(ends)
                ]
    return pd.DataFrame(parts, columns=columns)


def general_association(counts: Any) -> tuple[float, int, float]:
    """Cochran-Mantel-Haenszel statistic of general association, its degrees of freedom and p-value.

    counts: shape (strata, rows, columns). Landis, Heyman & Koch, Int Stat Rev 1978;46:237-254. Rows and
    columns that are empty in all strata, and strata of fewer than two, are left out; NaN where nothing is left
    to compare.
    """
    tables = np.asarray(counts, dtype=float)
    tables = tables[tables.sum(axis=(1, 2)) > 1]
    if len(tables):
        tables = tables[:, tables.sum(axis=(0, 2)) > 0][:, :, tables.sum(axis=(0, 1)) > 0]
    if not len(tables) or min(tables.shape[1:]) < 2:
        return math.nan, 0, math.nan
    away = np.zeros((tables.shape[1] - 1) * (tables.shape[2] - 1))
    covariance = np.zeros((len(away), len(away)))
    for table in tables:
        total, rows, columns = table.sum(), table.sum(axis=1), table.sum(axis=0)
        away += (table - np.outer(rows, columns) / total)[:-1, :-1].ravel()
        row_part = np.diag(rows)[:-1, :-1] * total - np.outer(rows, rows)[:-1, :-1]
        column_part = np.diag(columns)[:-1, :-1] * total - np.outer(columns, columns)[:-1, :-1]
        covariance += np.kron(row_part, column_part) / (total**2 * (total - 1))
    if np.linalg.matrix_rank(covariance) < len(away):
        return math.nan, 0, math.nan
    from scipy.stats import chi2

    statistic = float(away @ np.linalg.solve(covariance, away))
    return statistic, len(away), float(chi2.sf(statistic, len(away)))
