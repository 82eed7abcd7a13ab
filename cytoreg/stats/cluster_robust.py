"""Least squares whose rows come in clusters: bias-reduced robust variance, with its own degrees of freedom.

CR2 of Bell RM, McCaffrey DF. Survey Methodology 2002;28:169-181, independence as the working model, and their
Satterthwaite degrees of freedom, as in Pustejovsky JE, Tipton E. J Bus Econ Stat 2018;36:672-683.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Robust", "cluster_robust"]


@dataclass(frozen=True)
class Robust:
    """One coefficient: estimate, standard error, degrees of freedom, and 95 % interval."""

    estimate: float
    se: float
    df: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float


def cluster_robust(y: Any, x: Any, cluster: Any, place: int = 0) -> Robust:
    """The coefficient of column `place` in the least-squares fit of y (n,) on x (n, p), of full column rank.

    cluster: (n,) labels. All but the estimate NaN where the degrees of freedom cannot be had.
    """
    from scipy.stats import t

    y, x = np.asarray(y, float), np.asarray(x, float)
    p = x.shape[1]
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ (x.T @ y)
    rest = y - x @ beta
    _, owner, sizes = np.unique(np.asarray(cluster, str), return_inverse=True, return_counts=True)
    order = np.argsort(owner, kind="stable")
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    x, rest = x[order], rest[order]
    scores, lengths, pulls = [], [], []
    for size in np.unique(sizes):
        rows = starts[sizes == size][:, None] + np.arange(size)
        own = x[rows]
        left = np.eye(size) - own @ bread @ own.transpose(0, 2, 1)
        values, vectors = np.linalg.eigh(left)
        roots = np.where(values > 1e-9, 1 / np.sqrt(np.where(values > 1e-9, values, 1.0)), 0.0)
        half = (vectors * roots[:, None, :]) @ vectors.transpose(0, 2, 1)
        weights = (half @ (own @ bread[place])[:, :, None])[:, :, 0]
        scores.append((weights * rest[rows]).sum(axis=1))
        lengths.append((weights**2).sum(axis=1))
        pulls.append(np.einsum("gkp,gk->gp", own, weights))
    score, length, pull = np.concatenate(scores), np.concatenate(lengths), np.concatenate(pulls).reshape(-1, p)
    variance = float(score @ score)
    products = np.diag(length) - pull @ bread @ pull.T
    squares = float((products**2).sum())
    df = float(np.trace(products)) ** 2 / squares if squares > 0 else math.nan
    estimate = float(beta[place])
    if not (variance > 0 and df > 0):
        return Robust(estimate, *([math.nan] * 6))
    se = math.sqrt(variance)
    spread = float(t.ppf(0.975, df)) * se
    p_value = float(2 * t.sf(abs(estimate / se), df))
    return Robust(estimate, se, df, estimate / se, p_value, estimate - spread, estimate + spread)
