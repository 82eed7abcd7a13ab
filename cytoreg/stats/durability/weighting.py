"""Weights for re-infusion: each interval stands for those like it who were infused again and are seen no longer.

Inverse probability of censoring weights, stabilised (Robins JM, Finkelstein DM. Biometrics 2000;56:779-788), by a
logistic model of re-infusion in an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cytoreg.stats.durability.risk import REINFUSED
from cytoreg.stats.partial import dummies

__all__ = ["MODEL", "Weights", "reinfusion_weights"]

Values = npt.NDArray[np.float64]
MODEL = "logistic on days since the response, arm, the value and a failure at the visit before; stabilised by days and arm"
RIDGE = 0.1  # on slopes of standardised columns, so that a column that tells all re-infusions has an end
MOST_STEPS = 50


@dataclass(frozen=True, eq=False)
class Weights:
    """weight: (n,), 1 where nobody was infused again; largest: the largest; reinfused: intervals with one."""

    weight: Values
    largest: float
    reinfused: int


def reinfusion_weights(table: pd.DataFrame) -> Weights:
    """Of each interval: the chance of no re-infusion up to its end by days and arm alone, over that by all of MODEL."""
    given = (table["end"] == REINFUSED).to_numpy()
    if not given.any():
        return Weights(np.ones(len(table)), 1.0, 0)
    arm = dummies(table["arm"].fillna(""))
    plain = np.column_stack([np.log1p(table["start"].to_numpy(float)), arm])
    value = table["value"].fillna(table["value"].mean()).fillna(0.0).to_numpy(float)
    whole = np.column_stack([plain, value, table["failing"].to_numpy(float)])
    stay = np.log1p(-_chance(plain, given)) - np.log1p(-_chance(whole, given))
    weight = np.exp(pd.Series(stay).groupby(table["subject"].to_numpy()).cumsum().to_numpy())
    return Weights(weight, float(weight[~given].max()) if (~given).any() else 1.0, int(given.sum()))


def _chance(columns: Values, given: npt.NDArray[Any]) -> Values:
    """Fitted probabilities of a logistic model with a light ridge."""
    spread = columns.std(axis=0)
    z = np.column_stack(
        [np.ones(len(columns)), (columns - columns.mean(axis=0))[:, spread > 0] / spread[spread > 0]]
    )
    pull = np.diag(np.r_[0.0, np.full(z.shape[1] - 1, RIDGE)])
    beta = np.zeros(z.shape[1])
    beta[0] = np.log(given.mean() / max(1 - given.mean(), 1e-3))
    for _ in range(MOST_STEPS):
        p = 1 / (1 + np.exp(-z @ beta))
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + pull, z.T @ (given - p) - pull @ beta)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    chance: Values = np.clip(1 / (1 + np.exp(-z @ beta)), 1e-6, 0.99)
    return chance
