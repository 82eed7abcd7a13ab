"""The restricted likelihood of a model with crossed or nested random factors, and its profile.

y = X b + sum_k Z_k u_k + e with u_k ~ N(0, v_k I) and e ~ N(0, s2 I), as in Bates et al., J Stat Softw 2015;67(1),
sections 3.1 to 3.4, with dense matrices of the size of the number of levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Fit", "Model", "fit", "model_of"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Held = tuple["Fit", Array]
LARGEST = 1e4  # of a ratio of standard deviations
FROM_ZERO = 1e-3  # where a ratio that was zero begins again


@dataclass(frozen=True)
class Model:
    """The cross products that the likelihood needs. blocks: the columns of Z of each factor. reml: else ML."""

    zz: Array
    zx: Array
    zy: Array
    xx: Array
    xy: Array
    yy: float
    n: int
    blocks: tuple[slice, ...]
    reml: bool = True

    @property
    def free(self) -> int:
        """Observations, less the fixed effects where the likelihood is restricted."""
        return self.n - (self.xx.shape[0] if self.reml else 0)


@dataclass(frozen=True)
class Fit:
    """ratios: v_k / s2. deviance: -2 log (restricted) likelihood, at the best s2 where none was given."""

    deviance: float
    ratios: Array
    residual: float
    fixed: Array
    fixed_covariance: Array
    converged: bool = True

    @property
    def variances(self) -> Array:
        """Of each factor, then the residual's; shape (factors + 1,)."""
        return np.append(self.ratios * self.residual, self.residual)

    @property
    def shares(self) -> Array:
        """The variances as parts of their sum."""
        return self.variances / self.variances.sum()


def model_of(values: Array, fixed: Array, codes: Sequence[Any], *, reml: bool = True) -> Model:
    """values: (n,). fixed: (n, p), of full rank. codes: of each factor the level of each value, 0 to levels - 1."""
    blocks, parts, start = [], [], 0
    for level in codes:
        indicator = np.zeros((len(values), int(np.max(level)) + 1))
        indicator[np.arange(len(values)), level] = 1.0
        blocks.append(slice(start, start := start + indicator.shape[1]))
        parts.append(indicator)
    z = np.hstack(parts) if parts else np.empty((len(values), 0))
    return Model(
        zz=z.T @ z,
        zx=z.T @ fixed,
        zy=z.T @ values,
        xx=fixed.T @ fixed,
        xy=fixed.T @ values,
        yy=float(values @ values),
        n=len(values),
        blocks=tuple(blocks),
        reml=reml,
    )


def evaluate(model: Model, ratios: Array, residual: float | None = None) -> tuple[Fit, Array, float]:
    """The deviance at ratios v_k / s2 and s2 (the best one if None), its slope in the ratios at that s2, and in s2."""
    from scipy.linalg import cholesky, solve_triangular

    scale = np.empty(model.zz.shape[0])
    for block, ratio in zip(model.blocks, ratios, strict=True):
        scale[block] = math.sqrt(ratio)
    lower = cholesky(scale[:, None] * model.zz * scale + np.eye(len(scale)), lower=True)
    solved = solve_triangular(
        lower, scale[:, None] * np.hstack([model.zz, model.zx, model.zy[:, None]]), lower=True, check_finite=False
    )
    p = model.xx.shape[0]
    zz, zx, zy = solved[:, : -p - 1], solved[:, -p - 1 : -1], solved[:, -1]
    information = model.xx - zx.T @ zx
    inverse = np.linalg.inv(information)
    fixed = inverse @ (model.xy - zx.T @ zy)
    rest = max(float(model.yy - zy @ zy - fixed @ (model.xy - zx.T @ zy)), 1e-300)
    best = rest / model.free
    s2 = best if residual is None else residual
    determinant = 2 * float(np.log(np.diag(lower)).sum())
    if model.reml:
        determinant += float(np.linalg.slogdet(information)[1])
    deviance = model.free * math.log(2 * math.pi * s2) + determinant + rest / s2
    weighted_x = model.zx - zz.T @ zx  # Z' W^-1 X
    trace = np.diag(model.zz) - (zz**2).sum(axis=0)
    if model.reml:
        trace = trace - np.einsum("ij,jk,ik->i", weighted_x, inverse, weighted_x)
    score = model.zy - zz.T @ zy - weighted_x @ fixed
    slope = np.array([trace[block].sum() - (score[block] ** 2).sum() / s2 for block in model.blocks])
    found = Fit(deviance, np.asarray(ratios, float), s2, fixed, inverse * s2)
    return found, slope, model.free / s2 - rest / s2**2


def fit(model: Model, start: Array | None = None) -> Fit:
    """The estimates. Ratios may be zero."""
    k = len(model.blocks)
    starts = [np.ones(k), np.full(k, 0.2)] if start is None else [np.asarray(start, float)]

    def unfolded(roots: Array) -> tuple[float, Array]:
        found, slope, _ = evaluate(model, np.square(roots))
        return found.deviance, 2 * roots * slope

    roots, converged = _least(unfolded, starts, [(0.0, LARGEST)] * k)
    for _ in range(3):  # a root of zero has no slope: it may have to leave again
        found, slope, _ = evaluate(model, roots**2)
        stuck = (roots < 1e-6) & (slope < -1e-6)
        if not stuck.any():
            break
        roots, converged = _least(unfolded, [np.where(stuck, 0.1, roots)], [(0.0, LARGEST)] * k)
    found, _, _ = evaluate(model, np.square(np.where(roots < 1e-6, 0.0, roots)))
    return Fit(found.deviance, found.ratios, found.residual, found.fixed, found.fixed_covariance, converged)


def with_variance(model: Model, which: int, variance: float, near: Fit) -> Fit:
    """The best fit where one variance (the residual's is the last) is held. near: where to begin."""
    k = len(model.blocks)
    others = [i for i in range(k) if i != which]
    roots = np.sqrt(np.maximum(near.ratios, FROM_ZERO))
    if which == k:

        def held(free: Array) -> Held:
            found, slope, _ = evaluate(model, free**2, variance)
            return found, 2 * free * slope

        return _best(held, roots * math.sqrt(near.residual / variance), [(0.0, LARGEST)] * k)

    def free_residual(free: Array) -> Held:
        s2 = math.exp(free[0])
        ratios = np.empty(k)
        ratios[others], ratios[which] = free[1:] ** 2, variance / s2
        found, slope, in_s2 = evaluate(model, ratios, s2)
        return found, np.append(in_s2 * s2 - slope[which] * variance / s2, 2 * free[1:] * slope[others])

    at = math.log(near.residual)
    return _best(
        free_residual, np.append(at, roots[others]), [(at - 12, at + 12), *[(0.0, LARGEST)] * len(others)]
    )


def with_share(model: Model, which: int, share: float, near: Fit) -> Fit:
    """The best fit where one variance is a given part of their sum, 0 <= share < 1 (of the residual > 0)."""
    k = len(model.blocks)
    roots = np.sqrt(np.maximum(near.ratios, FROM_ZERO))
    if which == k:
        total = (1 - share) / share

        def spread(free: Array) -> Held:
            square = free**2
            ratios = total * square / square.sum()
            found, slope, _ = evaluate(model, ratios)
            inner = float(slope @ ratios) / square.sum()
            return found, 2 * free * (slope * total / square.sum() - inner)

        return _best(spread, roots, [(1e-6, LARGEST)] * k) if k > 1 else spread(roots)[0]
    others = [i for i in range(k) if i != which]
    odds = share / (1 - share)

    def rest(free: Array) -> Held:
        ratios = np.empty(k)
        ratios[others] = free**2
        ratios[which] = odds * (1 + (free**2).sum())
        found, slope, _ = evaluate(model, ratios)
        return found, 2 * free * (slope[others] + odds * slope[which])

    return _best(rest, roots[others], [(0.0, LARGEST)] * len(others)) if others else rest(np.empty(0))[0]


def _least(
    function: Callable[[Array], tuple[float, Array]],
    starts: Sequence[Array],
    bounds: Sequence[tuple[float, float]],
) -> tuple[Array, bool]:
    from scipy.optimize import minimize

    best: Any = None
    for start in starts:
        done = minimize(
            function, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-14, "gtol": 1e-7}
        )
        if best is None or done.fun < best.fun:
            best = done
    settled = bool(best.success) or "ABNORMAL" in str(best.message)  # the line search stops at rounding error
    return np.asarray(best.x, float), settled


def _best(function: Callable[[Array], Held], start: Array, bounds: Sequence[tuple[float, float]]) -> Fit:
    """To what a profile needs: 1e-6 of the deviance."""
    from scipy.optimize import minimize

    def folded(free: Array) -> tuple[float, Array]:
        found, slope = function(free)
        return found.deviance, slope

    done = minimize(
        folded,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-10, "gtol": 1e-4, "maxiter": 200},
    )
    return function(np.asarray(done.x, float))[0]
