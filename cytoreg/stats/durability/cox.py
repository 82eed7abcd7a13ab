"""Cox's regression in counting-process form: ties by Efron, strata, weights, robust variance, proportional hazards.

Cox DR. J R Stat Soc B 1972;34:187-220; Efron B. J Am Stat Assoc 1977;72:557-565; Andersen PK, Gill RD. Ann Stat
1982;10:1100-1120; robust variance: Lin DY, Wei LJ. J Am Stat Assoc 1989;84:1074-1078; the test of proportional
hazards is the score test of Grambsch PM, Therneau TM. Biometrika 1994;81:515-526. No Python library has delayed
entry, Efron's ties, weights and this test together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.stats.durability.curves import survival_left

__all__ = ["Cox", "NotFitted", "fit_cox"]

Values = npt.NDArray[np.float64]
MOST_STEPS = 30
SETTLED = 1e-9  # of the log likelihood
FARTHEST = 15.0  # |beta| times the SD of its column: beyond, the likelihood has no top
FLATTEST = 10.0  # standard error times the SD: beyond, it has none that could be told either


class NotFitted(Exception):
    """The model could not be fitted; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Cox:
    """A fitted model.

    beta: (p,) log hazard ratios. covariance: (p, p), robust where asked for, as R's coxph gives it. corrected: the same
    with the part that many ties and few at risk change: see `_corrected`. log_likelihood: partial, at beta;
    null_log_likelihood: at 0. events: number of losses.
    """

    beta: Values
    covariance: Values
    corrected: Values
    log_likelihood: float
    null_log_likelihood: float
    events: int
    _tests: Values

    def proportional(self, index: int = 0) -> float:
        """p that the log hazard ratio of a column is the same at all times (against the Kaplan-Meier transform)."""
        from scipy.stats import chi2

        value = float(self._tests[index])
        return float(chi2.sf(value, 1)) if math.isfinite(value) else math.nan


@dataclass(frozen=True, eq=False)
class _Events:
    """A row an event and its place among its ties; sets: (m, n) the weight with which a row is at risk there."""

    row: npt.NDArray[np.int64]
    time: Values
    weight: Values
    sets: Values
    group: npt.NDArray[np.int64]


def fit_cox(
    start: Any,
    stop: Any,
    event: Any,
    x: Any,
    *,
    strata: Any = None,
    weights: Any = None,
    cluster: Any = None,
) -> Cox:
    """Fit by Newton's method.

    start, stop: (n,), a row being at risk in (start, stop]; event: (n,) whether it ends with the event; x: (n, p).
    strata: (n,) labels, each with its own baseline hazard. weights: (n,). cluster: (n,) labels of subjects; where
    given, the variance is the robust one. Raises `NotFitted` with the reason.
    """
    start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    dead = np.asarray(event, dtype=bool)
    x = np.asarray(x, dtype=np.float64).reshape(len(stop), -1)
    w = np.ones(len(stop)) if weights is None else np.asarray(weights, dtype=np.float64)
    group = np.zeros(len(stop), dtype=np.int64)
    if strata is not None:
        group = np.unique(np.asarray(strata).astype(str), return_inverse=True)[1].astype(np.int64)
    if not dead.any():
        raise NotFitted("no losses")
    events = _events(start, stop, dead, w, group)
    centre = np.average(x, axis=0, weights=w)
    spread = x.std(axis=0)
    if not (spread > 0).all():
        raise NotFitted("the covariate is the same in all")
    z = (x - centre) / spread
    beta = np.zeros(x.shape[1])
    value, score, information, *_ = _at(beta, z, w, events)
    null = value
    for _ in range(MOST_STEPS):
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            raise NotFitted("the covariate does not vary among those at risk together") from None
        if not np.isfinite(step).all():
            raise NotFitted("the covariate does not vary among those at risk together")
        size = 1.0
        while True:
            tried = _at(beta + size * step, z, w, events)
            if tried[0] >= value - 1e-12 or size < 1e-4:
                break
            size /= 2
        beta, gain = beta + size * step, tried[0] - value
        value, score, information = tried[:3]
        if np.abs(beta).max() > FARTHEST:
            raise NotFitted("the covariate tells the losses apart completely: its hazard ratio has no bound")
        if abs(gain) < SETTLED:
            break
    else:
        raise NotFitted("Cox's regression did not converge")
    inverse = np.linalg.inv(information)
    if np.sqrt(np.diag(inverse)).max() > FLATTEST:
        raise NotFitted("the covariate tells the losses apart completely: its hazard ratio has no bound")
    _, _, _, means, curvature = _at(beta, z, w, events)
    covariance, corrected = inverse, _corrected(events, curvature, inverse)
    if cluster is not None:
        inflated = np.sqrt(np.diag(_few(events, curvature, inverse)))
        covariance = _robust(beta, z, w, events, means, inverse, np.asarray(cluster))
        corrected = covariance * np.outer(inflated, inflated)
    unit = np.outer(spread, spread)
    tests = _tests(events, z, means, curvature, survival_left(start, stop, dead, w)(events.time))
    return Cox(beta / spread, covariance / unit, corrected / unit, value, null, int(dead.sum()), tests)


def _events(start: Values, stop: Values, dead: Values, w: Values, group: npt.NDArray[np.int64]) -> _Events:
    rows = np.flatnonzero(dead)
    rows = rows[np.lexsort((rows, stop[rows], group[rows]))]
    time, owner = stop[rows], group[rows]
    at_risk = (
        (group[None, :] == owner[:, None]) & (start[None, :] < time[:, None]) & (stop[None, :] >= time[:, None])
    )
    tied = dead[None, :] & (stop[None, :] == time[:, None]) & (group[None, :] == owner[:, None])
    fresh = np.r_[True, (time[1:] != time[:-1]) | (owner[1:] != owner[:-1])]
    first = np.maximum.accumulate(np.where(fresh, np.arange(len(rows)), 0))
    deaths = tied.sum(axis=1)
    share = (np.arange(len(rows)) - first) / deaths
    weight = (tied @ w) / deaths
    return _Events(rows, time, weight, (at_risk - share[:, None] * tied) * w[None, :], owner)


def _at(beta: Values, z: Values, w: Values, events: _Events) -> tuple[float, Values, Values, Values, Values]:
    """Log likelihood, score, information, and at each event the mean and the variance of z among those at risk."""
    eta = z @ beta
    shift = eta.max()
    risk = np.exp(eta - shift)
    total = events.sets @ risk
    mean = (events.sets @ (risk[:, None] * z)) / total[:, None]
    products = (risk[:, None, None] * z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    second = (events.sets @ products).reshape(len(total), z.shape[1], -1) / total[:, None, None]
    variance = second - mean[:, :, None] * mean[:, None, :]
    own = w[events.row]
    value = float(own @ eta[events.row] - events.weight @ (np.log(total) + shift))
    score = own @ z[events.row] - events.weight @ mean
    information = np.einsum("m,mij->ij", events.weight, variance)
    return value, score, information, mean, variance


def _robust(
    beta: Values, z: Values, w: Values, events: _Events, mean: Values, inverse: Values, cluster: npt.NDArray[Any]
) -> Values:
    """The sandwich of score residuals summed by subject."""
    eta = z @ beta
    risk = np.exp(eta - eta.max())
    total = events.sets @ risk
    hazard = events.sets * (events.weight / total)[:, None] * risk[None, :]  # (m, n)
    residual = -(hazard.sum(axis=0)[:, None] * z - hazard.T @ mean)
    # a death among ties meets each mean of its ties with an equal share
    same = (events.sets[:, events.row] != 0) & (events.time[:, None] == events.time[None, :])
    shares = same / same.sum(axis=0)[None, :]
    np.add.at(residual, events.row, w[events.row][:, None] * (z[events.row] - shares.T @ mean))
    _, owner = np.unique(cluster.astype(str), return_inverse=True)
    sums = np.zeros((int(owner.max()) + 1, z.shape[1]))
    np.add.at(sums, owner, residual)
    made: Values = inverse @ (sums.T @ sums) @ inverse
    return made


def _corrected(events: _Events, variance: Values, inverse: Values) -> Values:
    """The covariance of beta where visits make many ties.

    Of n at risk d are lost at one visit: their sum is that of a sample without replacement, of variance
    d (n - d) / (n - 1) times that of z, and Efron's score is it times c = (1/d) sum_l n / (n - l), l = 0 to d - 1. With
    one loss at a time nothing changes; Efron's information alone is too small a variance of risk sets that are small,
    and too large a one where most are lost at once.
    """
    n, d, first = _sets(events)
    place = np.arange(len(n)) - np.maximum.accumulate(np.where(first, np.arange(len(n)), 0))
    terms = n / (n - place)
    group = np.cumsum(first) - 1
    c = np.bincount(group, terms) / d[first]
    size, lost = n[first], d[first]
    share = np.where(size > 1, c**2 * lost * (size - lost) / np.maximum(size - 1, 1), 0.0)
    made: Values = inverse @ np.einsum("m,mij->ij", share, variance[first]) @ inverse
    return made


def _few(events: _Events, variance: Values, inverse: Values) -> Values:
    """By what a sum of squares about the mean of few at risk is too small, (p, p), 1 where they are many."""
    n, _, _ = _sets(events)
    kept = n > 1.5
    share = events.weight[kept] * n[kept] / (n[kept] - 1)
    made: Values = inverse @ np.einsum("m,mij->ij", share, variance[kept])
    return made


def _sets(events: _Events) -> tuple[Values, Values, npt.NDArray[np.bool_]]:
    """Of each event: how many were at risk (effectively, where weighted), how many were lost there, and if it is the
    first row of its ties."""
    first = np.r_[True, (events.time[1:] != events.time[:-1]) | (events.group[1:] != events.group[:-1])]
    starts = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    whole = events.sets[starts]
    n = whole.sum(axis=1) ** 2 / (whole**2).sum(axis=1)
    d = np.bincount(np.cumsum(first) - 1)[np.cumsum(first) - 1].astype(np.float64)
    return n, d, first


def _tests(events: _Events, z: Values, mean: Values, variance: Values, left: Values) -> Values:
    """Chi-squared of each column for a log hazard ratio that changes with 1 - S(t-), the others held as they are."""
    g = 1 - left
    g = g - g.mean()
    own, p = z[events.row], z.shape[1]
    weighted = events.weight[:, None]
    score = (weighted * (own - mean) * g[:, None]).sum(axis=0)
    zero = np.einsum("m,mij->ij", events.weight, variance)
    one = np.einsum("m,mij->ij", events.weight * g, variance)
    two = np.einsum("m,mij->ij", events.weight * g * g, variance)
    found = np.full(p, np.nan)
    for j in range(p):
        left_over = two[j, j] - one[j] @ np.linalg.solve(zero, one[:, j])
        if left_over > 1e-10 * max(two[j, j], 1e-300):
            found[j] = score[j] ** 2 / left_over
    return found
