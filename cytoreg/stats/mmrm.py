"""The mixed model for repeated measures: REML with a covariance of the visits, and Kenward-Roger tests.

y_i ~ N(X_i b, V_i), V_i being the rows and columns of one covariance of visits that subject i was seen at. REML by
Fisher scoring with halved steps; tests after Kenward MG, Roger JH. Biometrics 1997;53:983-997.

Subjects seen at the same visits share one inverse, and enter by their sums of cross-products only: the time of a step
does not grow with the number of subjects. The columns of X are made orthonormal and y is freed of its least-squares
fit first, so that neither the origin nor the unit of a value costs precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.stats.covariances import STRUCTURES, Structure, structure_of

__all__ = ["STRUCTURES", "Mmrm", "NotConverged", "Test", "fit_mmrm"]

Matrix = npt.NDArray[np.float64]
MOST_STEPS = 100
SETTLED = 1e-10  # of the Newton decrement, which is twice the gain in log likelihood that is left
FLAT = 1e-6  # of it, where no shorter step gains: rounding hides the rest
ALIKE = 1e12  # condition number of the information from which parameters cannot be told apart


class NotConverged(Exception):
    """The model could not be fitted; the message is the reason."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """Subjects by the visits they were seen at: m patterns of k visits, q = p + 1 columns [X y].

    seen: (m, k) 0 or 1. subjects: (m,). moments: (m * k * k, q * q) sums of the outer products of the
    rows of two visits.
    """

    seen: Matrix
    subjects: Matrix
    moments: Matrix

    @property
    def columns(self) -> int:
        return math.isqrt(self.moments.shape[1])


@dataclass(frozen=True, eq=False)
class _State:
    """What one value of theta gives: all that the score, the information and the tests need."""

    theta: Matrix
    visits: Matrix  # (k, k), V
    beta: Matrix
    phi: Matrix  # (X'V^-1 X)^-1
    log_likelihood: float
    score: Matrix  # (r,)
    information: Matrix  # (r, r), expected
    slopes: Matrix  # (r, p, p): X' V^-1 G_r V^-1 X, G_r the derivative of V
    inverse: Matrix  # (m, k, k): V^-1 of each pattern, 0 where it was not seen
    left: Matrix  # (m, r, k, k): V^-1 G_r


@dataclass(frozen=True)
class Test:
    """F with its degrees of freedom; for one contrast the estimate and standard error too, else NaN."""

    statistic: float
    df_top: float
    df: float
    p_value: float
    estimate: float = math.nan
    se: float = math.nan


@dataclass(frozen=True, eq=False)
class Mmrm:
    """A fitted model.

    beta: (p,). covariance: (p, p) of beta, as REML gives it; adjusted: with Kenward & Roger's correction.
    visit_covariance: (k, k). log_likelihood: restricted, as nlme::gls reports it.
    """

    state: _State
    sums: _Sums
    structure: Structure
    turn: Matrix  # (p, p): beta = origin + turn @ state.beta
    origin: Matrix  # (p,), by least squares
    unit: float  # of y
    log_likelihood: float
    n_observations: int
    n_subjects: int

    @property
    def beta(self) -> Matrix:
        made: Matrix = self.origin + self.unit * (self.turn @ self.state.beta)
        return made

    @property
    def covariance(self) -> Matrix:
        return self._in_units(self.state.phi)

    @property
    def adjusted(self) -> Matrix:
        return self._in_units(self._adjusted)

    @property
    def visit_covariance(self) -> Matrix:
        return self.unit**2 * self.state.visits

    def _in_units(self, covariance: Matrix) -> Matrix:
        made: Matrix = self.unit**2 * self.turn @ covariance @ self.turn.T
        return made

    @cached_property
    def _theta_covariance(self) -> Matrix:
        """Of the covariance parameters: the inverse of their expected information."""
        inverse: Matrix = np.linalg.inv(self.state.information)
        return inverse

    @cached_property
    def _adjusted(self) -> Matrix:
        """phi + 2 phi (sum_rs w_rs (Q_rs - P_r phi P_s - R_rs / 4)) phi (Kenward & Roger 1997, eq. 5)."""
        at, w, p = self.state, self._theta_covariance, len(self.turn)
        other = np.tensordot(at.left, w, axes=([1], [1])).transpose(0, 3, 1, 2)  # (m, r, k, k): sum_s w_rs left_s
        middle = (at.left @ other).sum(axis=1) @ at.inverse
        bend = self.structure.bend(at.theta, w)
        if bend is not None:
            middle -= at.inverse @ bend @ at.inverse / 4
        columns = self.sums.columns
        inner = (middle.ravel() @ self.sums.moments).reshape(columns, columns)[:p, :p]
        inner = inner - (at.slopes @ at.phi @ np.tensordot(w, at.slopes, axes=1)).sum(axis=0)
        made: Matrix = at.phi + at.phi @ (inner + inner.T) @ at.phi
        return made

    def test(self, contrasts: Any) -> Test:
        """That contrasts of beta are 0 (Kenward & Roger 1997, section 4).

        contrasts: (p,) or (l, p) of full row rank. The F of one contrast is the square of Student's t with
        Satterthwaite's degrees of freedom and the adjusted standard error.
        """
        from scipy.stats import f

        given = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        table, size = given @ self.turn, len(given)
        at, w = self.state, self._theta_covariance
        middle = at.phi @ table.T @ np.linalg.solve(table @ at.phi @ table.T, table @ at.phi)
        # tr(Theta Phi P_r Phi) with P_r = -slopes_r; the sign falls out of every product
        turned = middle @ at.slopes
        traces = np.einsum("rii->r", turned)
        a1 = float(traces @ w @ traces)
        a2 = float(np.einsum("rij,sji,rs->", turned, turned, w, optimize=True))
        effect, spread = given @ self.beta, self.unit**2 * table @ self._adjusted @ table.T
        statistic = float(effect @ np.linalg.solve(spread, effect)) / size
        if size == 1:
            df = 2 / a2 if a2 > 0 else math.inf
            return Test(
                statistic, 1, df, float(f.sf(statistic, 1, df)), float(effect[0]), math.sqrt(float(spread[0, 0]))
            )
        df, scale = _moments_of_f(a1, a2, size)
        return Test(scale * statistic, size, df, float(f.sf(scale * statistic, size, df)))


def _moments_of_f(a1: float, a2: float, size: int) -> tuple[float, float]:
    """Degrees of freedom and scale of F, of which mean and variance are those of the Wald statistic."""
    if a2 <= 0:
        return math.inf, 1.0
    b = (a1 + 6 * a2) / (2 * size)
    g = ((size + 1) * a1 - (size + 4) * a2) / ((size + 2) * a2)
    below = 3 * size + 2 * (1 - g)
    c1, c2, c3 = g / below, (size - g) / below, (size + 2 - g) / below
    mean = 1 / (1 - a2 / size)
    variance = 2 / size * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * mean**2)
    df = 4 + (size + 2) / (size * rho - 1)
    return df, df / (mean * (df - 2))


def fit_mmrm(y: Any, x: Any, subject: Any, visit: Any, structure: Any = "unstructured") -> Mmrm:
    """Fit by REML.

    y: (n,); x: (n, p) of full column rank; subject: (n,) labels; visit: (n,) of 0 to k - 1, each once a subject;
    structure: one of STRUCTURES, or (r, k, k) matrices of which the covariance is a weighted sum.
    Raises NotConverged with the reason where the structure cannot be identified or the fit does not settle.
    """
    y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    n, p = x.shape
    lengths = np.sqrt((x**2).sum(axis=0))
    if n <= p or not (lengths > 0).all():
        raise NotConverged("the model has more terms than the data can tell apart")
    q, root = np.linalg.qr(x / lengths)
    if np.abs(np.diag(root)).min() < 1e-9:
        raise NotConverged("the model has more terms than the data can tell apart")
    turn = np.linalg.inv(root) / lengths[:, None]
    projected = q.T @ y
    rest = y - q @ projected
    unit = math.sqrt(float(rest @ rest) / (n - p))
    if unit <= 1e-10 * max(float(np.abs(y).max()), 1e-300):
        raise NotConverged("the model leaves no variation of the value")
    place = np.asarray(visit, dtype=np.int64)
    sums = _sums(rest / unit, q, np.asarray(subject), place)
    chosen = structure_of(structure, int(place.max()) + 1)
    if isinstance(structure, str) and structure == "unstructured":
        together = (sums.seen * sums.subjects[:, None]).T @ sums.seen
        if together.min() < 2:
            a, b = np.argwhere(together < 2)[0] + 1
            raise NotConverged(f"visits {a} and {b} have fewer than two subjects in common")
    state = _settle(sums, chosen, _start(sums, chosen))
    constant = (n - p) * (math.log(2 * math.pi) / 2 + math.log(unit))
    value = state.log_likelihood - constant + float(np.linalg.slogdet(turn)[1])
    counted = int(sums.subjects.sum())
    return Mmrm(state, sums, chosen, turn, turn @ projected, unit, value, n, counted)


def _sums(y: Matrix, x: Matrix, subject: npt.NDArray[Any], visit: npt.NDArray[np.int64]) -> _Sums:
    names, owner = np.unique(subject, return_inverse=True)
    k, q = int(visit.max()) + 1, x.shape[1] + 1
    rows, seen = np.zeros((len(names), k, q)), np.zeros((len(names), k), dtype=bool)
    rows[owner, visit] = np.column_stack([x, y])
    seen[owner, visit] = True
    if seen.sum() < len(y):
        raise ValueError("a subject has two rows at one visit")
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    which = which.ravel()
    moments = np.empty((len(patterns), k, k, q, q))
    for place in range(len(patterns)):
        own = rows[which == place].reshape(-1, k * q)
        moments[place] = (own.T @ own).reshape(k, q, k, q).transpose(0, 2, 1, 3)
    subjects = np.bincount(which).astype(np.float64)
    return _Sums(patterns.astype(np.float64), subjects, moments.reshape(-1, q * q))


def _start(sums: _Sums, structure: Structure) -> Matrix:
    """Covariance parameters from the residuals of least squares, drawn towards the diagonal until V is definite."""
    m, k = sums.seen.shape
    total = sums.moments[:, -1].reshape(m, k, k).sum(axis=0)
    count = (sums.seen * sums.subjects[:, None]).T @ sums.seen
    raw = total / np.maximum(count, 1)
    if not (np.diag(raw) > 1e-14).all():
        raise NotConverged("the value does not vary at one of the visits")
    for theta in structure.starts(raw):
        if np.linalg.eigvalsh(structure.at(theta)[0]).min() > 1e-8 * np.diag(raw).max():
            return theta
    raise NotConverged("no definite covariance to start from")


def _settle(sums: _Sums, structure: Structure, theta: Matrix) -> _State:
    state = _evaluate(sums, structure, theta)
    if state is None:
        raise NotConverged("the covariance to start from is not definite")
    for _ in range(MOST_STEPS):
        spread = np.sqrt(np.maximum(np.diag(state.information), 1e-300))
        scaled = state.information / np.outer(spread, spread)
        if not np.isfinite(scaled).all() or np.linalg.cond(scaled) > ALIKE:
            raise NotConverged("the covariance of the visits cannot be told from the data")
        step = np.linalg.solve(scaled, state.score / spread) / spread
        decrement = float(step @ state.score)
        if not decrement >= -SETTLED:
            raise NotConverged("the covariance of the visits cannot be told from the data")
        if decrement < SETTLED:
            return state
        size = 1.0
        while size > 1e-6:
            tried = _evaluate(sums, structure, state.theta + size * step)
            if tried is not None and tried.log_likelihood > state.log_likelihood:
                break
            size /= 2
        else:
            if decrement < FLAT:
                return state
            break
        state = tried
    raise NotConverged("REML did not settle")


def _evaluate(sums: _Sums, structure: Structure, theta: Matrix) -> _State | None:
    """Everything at theta; None where the covariance is not definite."""
    whole, slopes_of_v = structure.at(theta)
    seen, subjects, moments = sums.seen, sums.subjects, sums.moments
    (m, k), r, q = seen.shape, len(slopes_of_v), sums.columns
    p = q - 1
    inside = seen[:, :, None] * seen[:, None, :]
    absent = np.eye(k) * (1 - seen)[:, None, :]  # an unseen visit stands as one of variance 1 beside the others
    try:
        root = np.linalg.cholesky(whole * inside + absent)
    except np.linalg.LinAlgError:
        return None
    diagonal = np.einsum("maa->ma", root)
    if not (diagonal > 0).all():
        return None
    half = np.linalg.inv(root)
    inverse = (half.transpose(0, 2, 1) @ half) * inside
    cross = (inverse.ravel() @ moments).reshape(q, q)
    try:
        factor = np.linalg.cholesky(cross[:p, :p])
    except np.linalg.LinAlgError:
        return None
    phi = np.linalg.inv(cross[:p, :p])
    beta = phi @ cross[:p, p]
    weights = np.r_[-beta, 1.0]
    rest = float(cross[p, p] - beta @ cross[:p, p])
    log_v = 2 * float(subjects @ np.log(diagonal).sum(axis=1))
    log_likelihood = -0.5 * (log_v + 2 * float(np.log(np.diag(factor)).sum()) + rest)

    left = inverse[:, None] @ slopes_of_v
    middle = left @ inverse[:, None]
    both = (middle.transpose(1, 0, 2, 3).reshape(r, -1) @ moments).reshape(r, q, q)
    slopes = both[:, :p, :p]
    shrunk = phi @ slopes
    traces = subjects @ np.einsum("mraa->mr", left)
    score = -0.5 * (traces - np.einsum("rii->r", shrunk) - both @ weights @ weights)
    around = np.zeros((q, q))
    around[:p, :p] = phi
    leverage = (moments @ around.ravel()).reshape(m, 1, k, k)  # x_a' phi x_b, summed over a pattern's subjects
    # sum_m n_m tr(left_r left_s) - 2 tr(left_r left_s V^-1 leverage)
    right = subjects[:, None, None, None] * left - 2 * middle @ leverage
    information = np.tensordot(left, right.transpose(0, 1, 3, 2), axes=([0, 2, 3], [0, 2, 3]))
    information += shrunk.reshape(r, -1) @ shrunk.transpose(0, 2, 1).reshape(r, -1).T
    information = (information + information.T) / 4
    return _State(theta, whole, beta, phi, log_likelihood, score, information, slopes, inverse, left)
