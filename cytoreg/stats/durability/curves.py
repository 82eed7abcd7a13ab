"""How long a response lasts: Kaplan-Meier with log-log intervals, and a Weibull model for losses between two visits.

Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457-481; the interval is Kalbfleisch & Prentice's, on ln(-ln S); that of
the median is Brookmeyer & Crowley's (Biometrics 1982;38:29-41) on the same scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "Weibull", "fit_weibull", "kaplan_meier", "survival_left"]

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """The share without the event after each time at which it happened, with its 95 % interval. Shapes (k,)."""

    time: Values
    share: Values
    se: Values  # of ln(share)
    low: Values
    high: Values

    def at(self, time: float) -> tuple[float, float, float]:
        """The share at a time, and its interval; 1 without interval before the first event."""
        place = int(np.searchsorted(self.time, time, side="right")) - 1
        if place < 0:
            return 1.0, math.nan, math.nan
        return float(self.share[place]), float(self.low[place]), float(self.high[place])

    def median(self) -> tuple[float, float, float]:
        """The first time at which half have had the event, and its interval; infinite where that is not reached."""
        return tuple(_first_at_half(self.time, line) for line in (self.share, self.low, self.high))  # type: ignore[return-value]


def _first_at_half(time: Values, line: Values) -> float:
    """Where the line falls to half or below; half-way to the next step where it is half exactly, as in R."""
    known = np.where(np.isnan(line), np.inf, line)
    below = np.flatnonzero(known <= 0.5 + 1e-9)
    if not len(below):
        return math.inf
    place = int(below[0])
    if abs(known[place] - 0.5) < 1e-9:
        further = np.flatnonzero(known < 0.5 - 1e-9)
        return float((time[place] + time[further[0]]) / 2) if len(further) else float(time[place])
    return float(time[place])


def kaplan_meier(stop: Any, event: Any, *, start: Any = None, weights: Any = None, cluster: Any = None) -> Curve:
    """The curve of rows at risk in (start, stop].

    Without weights the variance is Greenwood's; with them it is the infinitesimal jackknife summed by `cluster`
    (subjects), which takes the weights as known.
    """
    from scipy.stats import norm

    stop, dead = np.asarray(stop, dtype=np.float64), np.asarray(event, dtype=bool)
    begin = np.full(len(stop), -np.inf) if start is None else np.asarray(start, dtype=np.float64)
    w = np.ones(len(stop)) if weights is None else np.asarray(weights, dtype=np.float64)
    time = np.unique(stop[dead])
    at_risk = ((begin[None, :] < time[:, None]) & (stop[None, :] >= time[:, None])) * w
    ends = (dead[None, :] & (stop[None, :] == time[:, None])) * w
    n, d = at_risk.sum(axis=1), ends.sum(axis=1)
    share = np.cumprod(1 - d / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        if weights is None:
            variance = np.cumsum(d / (n * (n - d)))
        else:
            pull = np.cumsum((ends - at_risk * (d / n)[:, None]) / (n - d)[:, None], axis=0)  # (k, rows)
            _, owner = np.unique(np.asarray(cluster).astype(str), return_inverse=True)
            sums = np.zeros((len(time), int(owner.max()) + 1))
            np.add.at(sums.T, owner, pull.T)
            variance = (sums**2).sum(axis=1)
        se = np.sqrt(variance)
        log_share = np.log(share)
        half = float(norm.ppf(0.975)) * se / np.abs(log_share)
        low, high = np.exp(log_share * np.exp(half)), np.exp(log_share * np.exp(-half))
    gone = share <= 0
    return Curve(time, share, se, np.where(gone, np.nan, low), np.where(gone, np.nan, high))


def survival_left(start: Any, stop: Any, event: Any, weights: Any) -> Callable[[Any], Values]:
    """S(t-): the Kaplan-Meier share just before a time, of all rows together."""
    curve = kaplan_meier(stop, event, start=start)
    padded = np.r_[1.0, curve.share]

    def before(time: Any) -> Values:
        found: Values = padded[np.searchsorted(curve.time, time, side="left")]
        return found

    return before


@dataclass(frozen=True, eq=False)
class Weibull:
    """H(t) = (t / scale)^shape exp(x beta): log hazard ratios with their standard errors, shape (p,).

    median: in the unit of the times, with its 95 % interval, at the mean of x over the intervals.
    """

    beta: Values
    se: Values
    shape: float
    log_likelihood: float
    median: tuple[float, float, float]


def fit_weibull(start: Any, stop: Any, event: Any, x: Any = None) -> Weibull | None:
    """A Weibull model in which a loss lies somewhere in (start, stop], by maximum likelihood; None without a maximum.

    start, stop: (n,) intervals between visits of any number of subjects, 0 being the first response; event: (n,) lost
    somewhere within, else still responding at the end. x: (n, p), constant within an interval and free to change
    from one to the next, the hazard of an interval being that of its x.
    """
    from scipy.optimize import minimize
    from scipy.stats import norm

    a, b = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    lost = np.asarray(event, dtype=bool)
    z = np.empty((len(b), 0)) if x is None else np.asarray(x, dtype=np.float64).reshape(len(b), -1)
    spread = z.std(axis=0)
    if not lost.any() or not (spread > 0).all():
        return None
    unit = float(b.max())
    a, b, z = a / unit, b / unit, (z - z.mean(axis=0)) / spread
    log_a, log_b = np.log(np.where(a > 0, a, 1.0)), np.log(b)

    def loss(theta: Values) -> tuple[float, Values]:
        """Minus the log likelihood and its gradient; theta: ln H(unit), ln shape, beta."""
        shape = math.exp(min(max(theta[1], -5.0), 5.0))
        rate = np.exp(np.clip(theta[0] + z @ theta[2:], -50, 50))
        end, begin = b**shape, np.where(a > 0, np.exp(shape * log_a), 0.0)
        mass = np.clip(rate * (end - begin), 1e-300, 700.0)
        turn = rate * shape * (end * log_b - begin * log_a)
        value = np.where(lost, -np.log(-np.expm1(-mass)), mass)
        slope = np.where(lost, -1 / np.expm1(mass), 1.0)  # by the mass
        return float(value.sum()), np.r_[slope @ mass, slope @ turn, (slope * mass) @ z]

    first = np.r_[math.log(lost.sum() / (b - a).sum()), np.zeros(1 + z.shape[1])]
    found = minimize(loss, first, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 200})
    hessian = _hessian(loss, found.x)
    if np.abs(found.jac).max() > 1e-3 or np.linalg.eigvalsh(hessian).min() < 1e-6:
        return None
    covariance = np.linalg.inv(hessian)
    shape = math.exp(found.x[1])
    log_median = (math.log(math.log(2)) - found.x[0]) / shape
    pull = np.r_[-1 / shape, -log_median, np.zeros(z.shape[1])]
    half = float(norm.ppf(0.975)) * math.sqrt(float(pull @ covariance @ pull))
    with np.errstate(over="ignore"):  # of few losses the upper limit may be beyond any number
        middle, low, high = (unit * float(np.exp(log_median + move)) for move in (0.0, -half, half))
    se = np.sqrt(np.diag(covariance)[2:])
    return Weibull(found.x[2:] / spread, se / spread, shape, -float(found.fun), (middle, low, high))


def _hessian(loss: Callable[[Values], tuple[float, Values]], at: Values) -> Values:
    """By central differences of the gradient."""
    step = 1e-5
    made = np.array([(loss(at + h)[1] - loss(at - h)[1]) / (2 * step) for h in np.eye(len(at)) * step])
    half: Values = (made + made.T) / 2
    return half
