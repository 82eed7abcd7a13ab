"""Multiple imputation by chained equations: each column from the others in turn, all imputed tables at once.

van Buuren S & Groothuis-Oudshoorn K, J Stat Softw 2011;45(3): Bayesian linear regression, or predictive mean matching
with five donors and the parameters of the donors' predictions fixed (Little RJA, J Bus Econ Stat 1988;6:287-296, type 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

__all__ = ["DONORS", "impute"]

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Method = Literal["predictive_mean_matching", "normal"]
DONORS = 5
RIDGE = 1e-5  # of the diagonal of the cross products, as in the published software
ROWS_A_PREDICTOR = 5  # a regression has at most a fifth as many predictors as rows it is fitted on


def impute(
    values: Matrix,
    fixed: Matrix,
    predictors: Sequence[Sequence[int]],
    methods: Sequence[Method],
    *,
    m: int,
    iterations: int,
    seed: int,
) -> Matrix:
    """`m` completed copies of a table, shape (m, n, k).

    values: (n, k), NaN where missing; every column has at least two values. fixed: (n, f), columns that are known for all
    and stand in every regression (arms). predictors: for each column, the columns it is regressed on, the most important
    first; as many as the rows bear are used. methods: how each column is drawn.

    The first pass goes from the column with the fewest gaps to that with the most, each from those filled before it: where
    patients leave for good that alone is the right distribution (Rubin DB, Multiple Imputation for Nonresponse in Surveys,
    1987, section 5.4). A start from values drawn at random, as is usual, is forgotten slowly where all values of a visit are
    missing together, since each is drawn from the others: after 5 rounds it still drew the arms together.
    """
    draw = np.random.default_rng(seed)
    n, k = values.shape
    missing = np.isnan(values)
    tables = np.repeat(values[None], m, axis=0)
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    common = np.repeat(np.concatenate([np.ones((n, 1)), fixed], axis=1)[None], m, axis=0)

    def fill(column: int, known: Sequence[int]) -> None:
        gone = missing[:, column]
        chosen = _borne(known, int((~gone).sum()), fixed.shape[1])
        others = (tables[:, :, chosen] - centre[chosen]) / spread[chosen]
        design = np.concatenate([common, others], axis=2)
        seen, unseen = design[:, ~gone], design[:, gone]
        tables[:, gone, column] = _drawn(seen, values[~gone, column], unseen, methods[column], draw)

    todo = [column for column in np.argsort(missing.sum(axis=0), kind="stable") if missing[:, column].any()]
    filled = set(range(k)) - set(todo)
    for column in todo:
        fill(column, [other for other in predictors[column] if other in filled])
        filled.add(column)
    for _ in range(iterations):
        for column in todo:
            fill(column, predictors[column])
    return tables


def _borne(wanted: Sequence[int], rows: int, fixed: int) -> list[int]:
    return list(wanted)[: max(rows // ROWS_A_PREDICTOR - fixed - 1, 1)]


def _drawn(seen: Matrix, y: Matrix, unseen: Matrix, method: Method, draw: np.random.Generator) -> Matrix:
    """Values for the missing rows. seen: (m, n1, p), y: (n1,), unseen: (m, n0, p); gives (m, n0)."""
    m, n, p = seen.shape
    turned = seen.transpose(0, 2, 1)
    cross = turned @ seen
    at = np.arange(p)
    cross[:, at, at] *= 1 + RIDGE
    cross[:, at, at] += 1e-12
    inverse = np.linalg.inv(cross)
    beta = (inverse @ (turned @ y[None, :, None]))[..., 0]
    fitted = np.einsum("mnp,mp->mn", seen, beta)
    rest = ((y - fitted) ** 2).sum(axis=1)
    sigma = np.sqrt(rest / draw.chisquare(max(n - p, 1), size=m))
    root = np.linalg.cholesky((inverse + inverse.transpose(0, 2, 1)) / 2)
    drawn = beta + sigma[:, None] * np.einsum("mpq,mq->mp", root, draw.standard_normal((m, p)))
    predicted = np.einsum("mnp,mp->mn", unseen, drawn)
    if method == "normal":
        return predicted + sigma[:, None] * draw.standard_normal(predicted.shape)
    donors = min(DONORS, n)
    distance = np.abs(predicted[:, :, None] - fitted[:, None, :])
    nearest = np.argpartition(distance, donors - 1, axis=2)[:, :, :donors]
    picked = draw.integers(0, donors, size=predicted.shape)
    return y[np.take_along_axis(nearest, picked[:, :, None], axis=2)[..., 0]]
