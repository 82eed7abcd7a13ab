"""Models of a yes or no: logistic regression, penalised where it must be, and GEE for repeated answers.

Firth D. Biometrika 1993;80:27-38; Heinze G, Schemper M. Stat Med 2002;21:2409-2419 (profile likelihood intervals);
Konis K. DPhil thesis, Oxford 2007 (separation by linear programming); Liang KY, Zeger SL. Biometrika 1986;73:13-22;
Mancl LA, DeRouen TA. Biometrics 2001;57:126-134 (the covariance of few clusters).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Gee", "Logistic", "NoFit", "fit_gee", "fit_logistic", "is_separated"]

Matrix = npt.NDArray[np.float64]
MOST_STEPS = 200
SETTLED = 1e-16  # of the Newton decrement
NEAR = 1e-9  # of it, from which on rounding may hide a gain in likelihood
FAR = 8.0  # a log odds from which on separation is looked for
LONGEST = 5.0  # a step of a coefficient, in standard deviations of its column


class NoFit(Exception):
    """The model could not be fitted; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Logistic:
    """A logistic regression; beta: (p,), covariance: (p, p), log_likelihood: penalised where `penalised`."""

    y: Matrix
    x: Matrix
    penalised: bool
    beta: Matrix
    covariance: Matrix
    log_likelihood: float

    def p_value(self, columns: npt.ArrayLike) -> tuple[float, float]:
        """The likelihood ratio chi-squared that the coefficients of some columns are 0, and its p."""
        from scipy.stats import chi2

        held = np.zeros(len(self.beta), dtype=bool)
        held[np.asarray(columns)] = True
        value = _newton(self.y, self.x, self.penalised, np.where(held, 0.0, self.beta), ~held)[1]
        statistic = max(2 * (self.log_likelihood - value), 0.0)
        return statistic, float(chi2.sf(statistic, int(held.sum())))

    def interval(self, column: int, level: float = 0.95) -> tuple[float, float]:
        """The profile likelihood interval of a coefficient; an end that is not reached is infinite."""
        from scipy.optimize import brentq
        from scipy.stats import chi2

        aim = self.log_likelihood - float(chi2.ppf(level, 1)) / 2
        free = np.arange(len(self.beta)) != column
        se = math.sqrt(self.covariance[column, column])

        def over(value: float, start: Matrix) -> tuple[float, Matrix]:
            found = []
            for origin in (
                (start, self.beta) if self.penalised else (start,)
            ):  # a penalised one may have two maxima
                held = origin.copy()
                held[column] = value
                found.append(_newton(self.y, self.x, self.penalised, held, free)[:2])
            beta, best = max(found, key=lambda pair: pair[1])
            return best - aim, beta

        ends = []
        for sign in (-1.0, 1.0):
            start, step = self.beta, 2 * se
            for _ in range(8):
                tried = float(self.beta[column]) + sign * step
                gap, start = over(tried, start)
                if gap < 0:
                    ends.append(
                        float(
                            brentq(
                                lambda v, s=start: over(v, s)[0], float(self.beta[column]), tried, xtol=1e-9 * se
                            )
                        )
                    )
                    break
                step *= 2
            else:
                ends.append(sign * math.inf)
        return ends[0], ends[1]


def fit_logistic(y: Any, x: Any, penalised: bool | None = None) -> Logistic:
    """Logistic regression by maximum likelihood; by Firth's penalised likelihood where `penalised`.

    y: (n,) of 0 and 1; x: (n, p) of full column rank, its own intercept included. penalised None: only where a
    combination of the columns separates the answers, so that there is no finite maximum. Raises NoFit.
    """
    y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    spread = np.sqrt((x**2).mean(axis=0))
    if len(y) <= x.shape[1] or not (spread > 0).all() or np.linalg.matrix_rank(x / spread) < x.shape[1]:
        raise NoFit("the model has more terms than the data can tell apart")
    free = np.ones(x.shape[1], dtype=bool)
    if penalised is None:
        try:
            beta, value, information = _newton(y, x, False, np.zeros(x.shape[1]), free)
            penalised = bool(np.abs(x @ beta).max() > FAR) and is_separated(y, x)
        except NoFit:
            if not is_separated(y, x):
                raise
            penalised = True
        if not penalised:
            return Logistic(y, x, False, beta, np.linalg.inv(information), value)
    beta, value, information = _newton(y, x, penalised, np.zeros(x.shape[1]), free)
    return Logistic(y, x, penalised, beta, np.linalg.inv(information), value)


def is_separated(y: Any, x: Any) -> bool:
    """Whether some combination of columns puts all yes on one side of all no, ties allowed (Konis 2007)."""
    from scipy.optimize import linprog

    x = np.asarray(x, dtype=np.float64)
    signed = (2 * np.asarray(y, dtype=np.float64) - 1)[:, None] * x / np.sqrt((x**2).mean(axis=0))
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs")
    return bool(found.status == 0 and -found.fun > 1e-7)


def _newton(
    y: Matrix, x: Matrix, penalised: bool, beta: Matrix, free: npt.NDArray[np.bool_]
) -> tuple[Matrix, float, Matrix]:
    """The maximum over the free coefficients: coefficients, log likelihood, information of all of them."""

    def at(beta: Matrix) -> tuple[float, Matrix, Matrix, Matrix]:
        eta = x @ beta
        mean = 1 / (1 + np.exp(-np.clip(eta, -500, 500)))
        root = x * np.sqrt(mean * (1 - mean))[:, None]
        information = root.T @ root
        value = float(y @ eta - np.logaddexp(0, eta).sum())
        residual = y - mean
        if penalised:
            sign, log_determinant = np.linalg.slogdet(information)
            if sign <= 0:
                return -math.inf, residual, information, information
            value += log_determinant / 2
            leverage = ((root @ np.linalg.inv(information)) * root).sum(axis=1)
            # the penalty is as if each answer came again as a half, with its leverage for a weight
            residual = residual + leverage * (0.5 - mean)
            return value, x.T @ residual, information, root.T @ (root * (1 + leverage)[:, None])
        return value, x.T @ residual, information, information

    value, score, information, curvature = at(beta)
    places = np.flatnonzero(free)
    spread = np.sqrt((x**2).mean(axis=0))[places]
    for _ in range(MOST_STEPS if len(places) else 0):
        try:
            step = np.linalg.solve(curvature[np.ix_(places, places)], score[places])
        except np.linalg.LinAlgError:
            raise NoFit("the logistic model did not converge") from None
        if not np.isfinite(step).all():
            raise NoFit("the logistic model did not converge")
        decrement = float(step @ score[places])
        if decrement < SETTLED:
            break
        size = min(1.0, LONGEST / float(np.abs(step * spread).max()))
        while size > 1e-8:
            tried = beta.copy()
            tried[places] += size * step
            found = at(tried)
            if found[0] > value or decrement < NEAR:
                break
            size /= 2
        else:
            break  # rounding hides the rest of the gain
        beta, (value, score, information, curvature) = tried, found
    else:
        if len(places):
            raise NoFit("the logistic model did not converge")
    return beta, value, information


@dataclass(frozen=True, eq=False)
class Gee:
    """beta: (p,). robust: (p, p), the sandwich of Liang & Zeger; corrected: of Mancl & DeRouen, for few subjects."""

    beta: Matrix
    robust: Matrix
    corrected: Matrix
    correlation: float
    scale: float
    subjects: int


def fit_gee(y: Any, x: Any, subject: Any, correlation: str = "exchangeable") -> Gee:
    """Logistic GEE with an exchangeable or independence working correlation, moments taken as in R's geepack.

    y: (n,) of 0 and 1; x: (n, p); subject: (n,) labels. Raises NoFit.
    """
    y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    names, owner = np.unique(np.asarray(subject), return_inverse=True)
    order = np.argsort(owner, kind="stable")
    owner, y, x = owner[order], y[order], x[order]
    sizes = np.bincount(owner)
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    turn = np.arange(len(y)) - starts[owner]
    pairs = float((sizes * (sizes - 1)).sum() / 2)
    if is_separated(y, x):
        raise NoFit("a combination of the terms tells all answers apart: GEE has no finite estimate")
    beta, _, _ = _newton(y, x, False, np.zeros(x.shape[1]), np.ones(x.shape[1], dtype=bool))
    alpha = 0.0
    for _ in range(MOST_STEPS):
        mean = 1 / (1 + np.exp(-(x @ beta)))
        root = np.sqrt(mean * (1 - mean))
        z, e = x * root[:, None], (y - mean) / root
        scale = float(e @ e) / len(y)
        previous = alpha
        if correlation == "exchangeable" and pairs:
            summed = np.bincount(owner, e)
            alpha = float((summed @ summed - e @ e) / 2) / pairs / scale
        # inverse of (1 - a) I + a J in each subject: (I - share J) / (1 - a)
        share = alpha / (1 - alpha + sizes * alpha)
        if not ((1 - alpha + sizes * alpha > 0).all() and alpha < 1):
            raise NoFit("the working correlation of GEE is not definite")
        sums = np.add.reduceat(np.column_stack([z, e]), starts, axis=0)
        shared = (sums * share[:, None])[owner]
        turned_z, turned_e = (z - shared[:, :-1]) / (1 - alpha), (e - shared[:, -1]) / (1 - alpha)
        bread = z.T @ turned_z
        step = np.linalg.solve(bread, z.T @ turned_e)
        beta = beta + step
        if (
            float(np.abs(step / np.sqrt(np.diag(np.linalg.inv(bread)))).max()) < 1e-9
            and abs(alpha - previous) < 1e-9
        ):
            break
    else:
        raise NoFit("GEE did not converge")
    inverse = np.linalg.inv(bread)
    scores = np.add.reduceat(z * turned_e[:, None], starts, axis=0)
    # residuals freed of their own subject's pull: (I - H_i)^-1 e_i, H_i = z_i B^-1 z_i' R_i^-1
    most = int(sizes.max())
    wide_z, wide_turned = (np.zeros((len(names), most, x.shape[1])) for _ in range(2))
    wide_e = np.zeros((len(names), most, 1))
    wide_z[owner, turn], wide_turned[owner, turn], wide_e[owner, turn, 0] = z, turned_z, e
    pull = np.eye(most) - wide_z @ inverse @ wide_turned.transpose(0, 2, 1)
    freed = np.linalg.solve(pull, wide_e)
    far = (wide_turned.transpose(0, 2, 1) @ freed)[:, :, 0]
    robust, corrected = (inverse @ (u.T @ u) @ inverse for u in (scores, far))
    return Gee(beta, robust, corrected, alpha, scale, len(names))
