"""One estimate of a declared analysis: a row of the `associations` table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

__all__ = ["DESCRIPTIVE", "EXPLORATORY", "PLANNED", "SENSITIVITY", "Estimate", "fisher_interval", "results_table"]

DESCRIPTIVE = "descriptive: not adjusted"
SENSITIVITY = "sensitivity: not adjusted"
PLANNED, EXPLORATORY = "planned", "exploratory"


@dataclass(frozen=True)
class Estimate:
    """A row of `associations`; numbers that could not be computed are NaN and `note` says why.

    `ci_low`, `ci_high`: 95 %. `primary` marks the one row that answers the question of its analysis.
    `status`: planned, or exploratory where the analysis is not in the plan that was declared first. A note that
    begins with `DESCRIPTIVE` or `SENSITIVITY` marks a row that is no test of its own and counts in no family.
    """

    analysis: str
    type: str
    term: str
    outcome: str
    predictor: str = ""
    arm: str = ""
    visit: str = ""
    contrast: str = ""
    n_subjects: int = 0
    n_observations: int = 0
    estimate: float = math.nan
    se: float = math.nan
    df: float = math.nan
    statistic: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    p_value: float = math.nan
    p_adjusted: float = math.nan
    family: str = ""
    primary: bool = False
    note: str = ""
    status: str = PLANNED


def results_table(rows: Iterable[Estimate]) -> pd.DataFrame:
    """Estimates as the `associations` table, its columns in the order of the contract.

    >>> results_table([]).columns[:3].tolist()
    ['analysis', 'type', 'term']
    """
    rows = list(rows)
    kinds = {"str": "str", "int": "int64", "float": "float64", "bool": "bool"}
    columns = {field.name: kinds[str(field.type)] for field in fields(Estimate)}
    return pd.DataFrame(
        {name: pd.Series([getattr(row, name) for row in rows], dtype=kind) for name, kind in columns.items()}
    )


def fisher_interval(r: float, variance: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of a correlation on Fisher's z = atanh(r), of the given variance of z; NaN where |r| is 1.

    >>> [round(end, 3) for end in fisher_interval(0.5, 1 / (28 - 3))]
    [0.156, 0.736]
    """
    from scipy.stats import norm

    if not (abs(r) < 1 and variance > 0):
        return math.nan, math.nan
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))
