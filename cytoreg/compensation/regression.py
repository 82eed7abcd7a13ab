"""Spillover by robust regression of every detector on the stained one, refined on compensated events.

Roca CP, Burton OT, Gergelits V, et al. AutoSpill. Nat Commun 2021;12:2890: all gated events of a control are
used, a slope is a coefficient, and what slopes remain after compensation correct the matrix until none does.
Huber's weights (k = 1.345) with the scale from the median absolute deviation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["refine", "slopes"]

Array = npt.NDArray[np.float64]

HUBER = 1.345
STEPS = 200
REST = 1e-5  # of the largest remaining slope: the matrix stands still
ROUNDS = 30


def slopes(x: Array, y: Array) -> tuple[Array, Array]:
    """Slope and its standard error of each column of y on x with an intercept, by Huber's M-estimate.

    x: (n,); y: (n, k); n at least 3 and x not constant. Standard errors after Huber, Robust Statistics (1981),
    section 7.6, as statsmodels' RLM gives them (its cov "H1").
    """
    weights = np.ones_like(y)
    slope = np.zeros(y.shape[1])
    for _ in range(STEPS):
        total = weights.sum(axis=0)
        mean_x, mean_y = (weights * x[:, None]).sum(axis=0) / total, (weights * y).sum(axis=0) / total
        off = x[:, None] - mean_x
        new = (weights * off * (y - mean_y)).sum(axis=0) / np.maximum((weights * off**2).sum(axis=0), 1e-300)
        residual = y - mean_y - new * off
        scale = np.maximum(np.median(np.abs(residual), axis=0) / 0.6744897501960817, 1e-12)
        size = np.abs(residual) / scale
        weights = np.minimum(1.0, HUBER / np.maximum(size, 1e-12))
        done = bool(np.all(np.abs(new - slope) <= 1e-9 * np.maximum(1.0, np.abs(new))))
        slope = new
        if done:
            break
    n = len(x)
    psi = np.clip(residual / scale, -HUBER, HUBER)
    inner = (size <= HUBER).astype(np.float64)
    share = np.maximum(inner.mean(axis=0), 1e-9)
    correction = 1.0 + 2.0 / n * inner.var(axis=0) / share**2
    variance = correction**2 * ((psi**2).sum(axis=0) / (n - 2)) * scale**2 / share**2
    return slope, np.sqrt(variance / np.sum((x - x.mean()) ** 2))


def refine(tubes: Mapping[int, Array], k: int) -> tuple[Array, Array, float]:
    """The matrix (k, k), its standard errors, and the largest slope that is left.

    tubes: position of the stained detector -> events (n, k) of that control. A detector without a control keeps
    a row of zeros with a one.
    """
    matrix, errors, left, step = np.eye(k), np.zeros((k, k)), np.inf, 1.0
    best, best_left = matrix, np.inf
    for _ in range(ROUNDS):
        inverse = np.linalg.inv(matrix)
        remaining = np.zeros((k, k))
        for i, events in tubes.items():
            true = events @ inverse
            slope, error = slopes(true[:, i], true)
            slope[i] = error[i] = 0.0
            remaining[i], errors[i] = slope, error
        left = float(np.abs(remaining).max())
        if left < best_left:
            best, best_left = matrix, left
        else:
            step *= 0.5
        if left < REST or step < 1e-3:
            break
        matrix = matrix + step * remaining @ matrix
        matrix = matrix / np.diag(matrix)[:, None]
    return best, errors, best_left
