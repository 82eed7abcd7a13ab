"""A linear mixed model with what each subject has of its own, by REML, with Kenward-Roger tests.

y_i = X_i b + Z_i u_i + e_i, so that V_i = s2 I + Z_i T Z_i' is linear in s2 and the elements of T (Laird NM, Ware JH.
Biometrics 1982;38:963-974): the tests are those of `Mmrm`. T need not be definite, only each V_i, so that a variance that
is none is as often a little below 0 as above, and the tests keep their level. Kenward MG, Roger JH. Biometrics
1997;53:983-997, for one contrast at a time; V being linear in its parameters, there is no term of second derivatives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.stats.mmrm import NotConverged

__all__ = ["RandomModel", "Slope", "fit_random"]

Matrix = npt.NDArray[np.float64]
MOST_STEPS = 60
SETTLED = 1e-10  # of the Newton decrement


@dataclass(frozen=True)
class Slope:
    """A contrast of the fixed effects with its standard error, degrees of freedom, and 95 % interval."""

    estimate: float
    se: float
    df: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, eq=False)
class State:
    """What one value of theta gives."""

    theta: Matrix
    beta: Matrix
    phi: Matrix  # (X'V^-1 X)^-1
    log_likelihood: float
    slopes: Matrix  # (r, p, p): X' V^-1 G_r V^-1 X
    score: Matrix  # (r,)
    information: Matrix  # (r, r), expected
    curves: Matrix  # (r, r, p, p): X' V^-1 G_r V^-1 G_s V^-1 X


@dataclass(frozen=True, eq=False)
class RandomModel:
    """A fitted model.

    beta: (p,); covariance: (p, p), with Kenward & Roger's correction. residual: variance. own: T, (q, q).
    log_likelihood: restricted, as lme4 gives it.
    """

    state: State
    residual: float
    own: Matrix
    log_likelihood: float
    n_subjects: int
    covariance: Matrix

    def slope(self, contrast: Any) -> Slope:
        """One contrast of beta, (p,), by Student's t with Kenward & Roger's degrees of freedom."""
        from scipy.stats import t

        weights = np.asarray(contrast, float)
        at = self.state
        middle = np.outer(weights, weights) / float(weights @ at.phi @ weights)
        turned = middle @ at.phi @ at.slopes @ at.phi
        traces = np.einsum("rii->r", turned)
        a = float(traces @ np.linalg.inv(at.information) @ traces)
        df = 2 / a if a > 0 else math.inf
        estimate, se = float(weights @ at.beta), math.sqrt(float(weights @ self.covariance @ weights))
        half = float(t.ppf(0.975, df)) * se
        p = float(2 * t.sf(abs(estimate / se), df))
        return Slope(estimate, se, df, estimate / se, p, estimate - half, estimate + half)


def fit_random(y: Any, x: Any, subject: Any, z: Any) -> RandomModel:
    """Fit by REML.

    y: (n,); x: (n, p) of full column rank; subject: (n,) labels; z: (n, q), columns of which each subject has a
    coefficient of its own. Raises NotConverged with the reason.
    """
    y, x, z = np.asarray(y, float), np.asarray(x, float), np.asarray(z, float)
    n, p = x.shape
    if np.linalg.matrix_rank(x) < p or n <= p + 1:
        raise NotConverged("the model has more terms than the data can tell apart")
    groups, subjects = _groups(y, x, subject, z)
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    variance = float(rest @ rest) / (n - p)
    if variance <= 0:
        raise NotConverged("the value does not vary")
    lower = [(i, j) for i in range(z.shape[1]) for j in range(i + 1)]
    spread = (z**2).mean(axis=0)
    start = [0.6 * variance] + [0.4 * variance / len(spread) / spread[i] if i == j else 0.0 for i, j in lower]
    state = _settle(groups, np.array(start))
    value = state.log_likelihood - 0.5 * (n - p) * math.log(2 * math.pi)
    own = np.zeros((z.shape[1], z.shape[1]))
    for place, (i, j) in enumerate(lower):
        own[i, j] = own[j, i] = state.theta[place + 1]
    return RandomModel(state, float(state.theta[0]), own, value, subjects, _corrected(state))


def _corrected(at: State) -> Matrix:
    """The covariance of beta with what the estimation of V adds and its bias takes (Kenward & Roger, eq. 5)."""
    w = np.linalg.inv(at.information)
    inner = np.einsum("rs,rsij->ij", w, at.curves)
    inner -= np.einsum("rs,rij,jk,skl->il", w, at.slopes, at.phi, at.slopes, optimize=True)
    made: Matrix = at.phi + 2 * at.phi @ inner @ at.phi
    return made


def _groups(y: Matrix, x: Matrix, subject: Any, z: Matrix) -> tuple[list[tuple[Matrix, Matrix]], int]:
    """Subjects of one number of rows together: ([X y], (s, k, p + 1)) and the matrices G_r, (r, s, k, k)."""
    _, owner, sizes = np.unique(np.asarray(subject, dtype=str), return_inverse=True, return_counts=True)
    order = np.argsort(owner, kind="stable")
    both, z = np.column_stack([x, y])[order], z[order]
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    found = []
    for size in np.unique(sizes):
        rows = starts[sizes == size][:, None] + np.arange(size)
        own = z[rows]
        parts = [np.broadcast_to(np.eye(size), (len(rows), size, size))]
        for i in range(z.shape[1]):
            for j in range(i + 1):
                g = own[:, :, None, i] * own[:, None, :, j]
                parts.append(g if i == j else g + g.transpose(0, 2, 1))
        found.append((both[rows], np.stack(parts)))
    return found, len(sizes)


def _settle(groups: list[tuple[Matrix, Matrix]], theta: Matrix) -> State:
    state = _evaluate(groups, theta)
    if state is None:
        raise NotConverged("the variances to start from are not definite")
    for _ in range(MOST_STEPS):
        try:
            step = np.linalg.solve(state.information, state.score)
        except np.linalg.LinAlgError:
            break
        decrement = float(step @ state.score)
        if not math.isfinite(decrement) or decrement < -SETTLED:
            break
        if decrement < SETTLED:
            if np.linalg.cond(_scaled(state.information)) > 1e12:
                break
            return state
        size = 1.0
        while size > 1e-6:
            tried = _evaluate(groups, state.theta + size * step)
            if tried is not None and tried.log_likelihood > state.log_likelihood:
                break
            size /= 2
        else:
            if decrement < 1e-6:  # as good as flat: rounding hides the rest of the gain
                return state
            break
        state = tried
    raise NotConverged("REML did not settle")


def _scaled(information: Matrix) -> Matrix:
    root = np.sqrt(np.diag(information))
    made: Matrix = information / np.outer(root, root)
    return made


def _evaluate(groups: list[tuple[Matrix, Matrix]], theta: Matrix) -> State | None:
    """Everything at theta; None where a V_i is not definite."""
    r, p = len(theta), groups[0][0].shape[2] - 1
    cross, slopes, traces = np.zeros((p + 1, p + 1)), np.zeros((r, p + 1, p + 1)), np.zeros(r)
    curves, both, log_determinants = np.zeros((r, r, p, p)), np.zeros((r, r)), 0.0
    for table, parts in groups:
        whole = np.tensordot(theta, parts, axes=1)
        try:
            root = np.linalg.cholesky(whole)
        except np.linalg.LinAlgError:
            return None
        log_determinants += 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
        inverse = np.linalg.inv(whole)
        turned = inverse @ table  # V^-1 [X y]
        moved = parts @ turned  # G_r V^-1 [X y]: (r, s, k, p + 1)
        cross += np.tensordot(table, turned, axes=([0, 1], [0, 1]))
        slopes += np.tensordot(moved, turned, axes=([1, 2], [0, 1])).transpose(0, 2, 1)
        left = inverse @ parts
        traces += np.einsum("rskk->r", left)
        flat = left.reshape(r, -1)
        both += flat @ left.transpose(0, 1, 3, 2).reshape(r, -1).T
        inner = moved[..., :p]
        curves += np.tensordot(inner, inverse @ inner, axes=([1, 2], [1, 2])).transpose(0, 2, 1, 3)
    try:
        phi = np.linalg.inv(cross[:p, :p])
        sign, log_cross = np.linalg.slogdet(cross[:p, :p])
    except np.linalg.LinAlgError:
        return None
    if sign <= 0:
        return None
    beta = phi @ cross[:p, p]
    weights = np.r_[-beta, 1.0]
    log_likelihood = -0.5 * (log_determinants + log_cross + float(weights @ cross @ weights))
    inside = slopes[:, :p, :p]
    shrunk = phi @ inside
    quadratic = np.einsum("j,rjk,k->r", weights, slopes, weights)
    score = -0.5 * (traces - np.einsum("rii->r", shrunk) - quadratic)
    information = 0.5 * (
        both - 2 * np.einsum("ij,rsji->rs", phi, curves) + np.einsum("rij,sji->rs", shrunk, shrunk)
    )
    return State(theta, beta, phi, log_likelihood, inside, score, information, curves)
