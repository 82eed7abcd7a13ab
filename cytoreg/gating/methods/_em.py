"""The EM steps of a mixture of t or normal distributions in one or two dimensions, with or without a prior.

Peel D, McLachlan GJ. Stat Comput 2000;10:339-348 (degrees of freedom fixed). With a prior the M step is that of the
posterior mode under a normal inverse-Wishart prior for each component (Fraley C, Raftery AE. J Classif
2007;24:155-181), as flowClust and openCyto use it to carry what one tube showed to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from cytoreg.gating.kernel import fits
from cytoreg.gating.methods._order import percentiles

__all__ = ["Mixture", "Prior", "distance_of", "fit_mixture", "marginal_log", "shares", "thinned"]

Array = npt.NDArray[np.float64]
MOST_EVENTS = 5_000
COARSE_EVENTS = 1_000
PATIENCE = 55  # EM steps, before it is hastened
FARTHEST = 5.0  # times as far as EM
RIDGE = 1e-4  # added to each variance, in those of the events


@dataclass(frozen=True, eq=False)
class Mixture:
    """weights (k,), means (k, d), scale matrices (k, d, d); fit: mean log likelihood; settled: EM came to rest."""

    fit: float
    weights: Array
    means: Array
    covariances: Array
    settled: bool

    def on_scale(self, middle: Array, scale: Array) -> Mixture:
        """The same mixture of `middle + scale * z`."""
        return Mixture(
            self.fit,
            self.weights,
            self.means * scale + middle,
            self.covariances * np.outer(scale, scale),
            self.settled,
        )


@dataclass(frozen=True, eq=False)
class Prior:
    """What is expected of each component: weights (k,), means (k, d), covariances (k, d, d), and how much it counts.

    strength: as a share of the events; 0.2 is as if a fifth as many more had been seen.
    """

    weights: Array
    means: Array
    covariances: Array
    strength: float

    def standardised(self, middle: Array, scale: Array) -> Prior:
        """The prior of `(x - middle) / scale`."""
        means = (self.means - middle) / scale
        return Prior(self.weights, means, self.covariances / np.outer(scale, scale), self.strength)


def thinned(columns: Sequence[Array], most: int = MOST_EVENTS) -> Array:
    """At most about twice `most` events, evenly taken from those sorted by value; the outermost 0.5 % a side left out.

    columns: d of shape (n,), finite. Gives (m, d); the order of the events does not matter.
    """
    kept = np.ones(len(columns[0]), dtype=bool)
    for column in columns:
        low, high = percentiles(column, [0.5, 99.5])
        kept &= (column >= low) & (column <= high)
    used = [column[kept] for column in columns]
    step = max(1, len(used[0]) // most)
    if len(used) == 2 and (found := fits.thin(used[0], used[1], step)) is not None:
        return found
    return np.column_stack(used)[np.lexsort(used)][::step]


def fit_mixture(used: Array, k: int, df: float, prior: Prior | None = None) -> Mixture | None:
    """A mixture of k components of (n, d) points; df infinite for normal ones. None where an axis does not vary.

    Without a prior every start (slices of each axis, and of the first principal direction) is followed on a thinned
    set and the best is brought to rest on all events; with one, the prior is the start.
    """
    middle, scale = np.median(used, axis=0), used.std(axis=0)
    if (scale == 0).any():
        return None
    z = np.ascontiguousarray(((used - middle) / scale).T)
    if prior is not None:
        expected = prior.standardised(middle, scale)
        first = Mixture(-np.inf, expected.weights, expected.means, expected.covariances, False)
        found = _em_from(z, _shares(z, first, df)[0], df, steps=300, rest=1e-6, prior=expected)
        return found.on_scale(middle, scale)
    thin = z[:, :: max(1, z.shape[1] // COARSE_EVENTS)]
    best = max(
        (_em_from(thin, share, df, steps=100, rest=1e-4) for share in _starts(thin, k)), key=lambda em: em.fit
    )
    return _em_from(z, _shares(z, best, df)[0], df, steps=200, rest=1e-6).on_scale(middle, scale)


def distance_of(content: float, df: float, d: int) -> float:
    """Mahalanobis distance within which a share of a d-dimensional t lies; of a normal where df is infinite.

    >>> round(distance_of(0.95, float("inf"), 1), 3), round(distance_of(0.95, float("inf"), 2) ** 2, 3)
    (1.96, 5.991)
    """
    if d == 2:  # chi squared with 2, and F with 2 and df degrees of freedom have closed forms
        squared = -2 * np.log(1 - content) if np.isinf(df) else df * ((1 - content) ** (-2 / df) - 1)
        return float(np.sqrt(squared))
    if np.isinf(df):
        return NormalDist().inv_cdf(0.5 + content / 2)
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + content / 2))


def marginal_log(x: Array, mixture: Mixture, axis: int, df: float) -> Array:
    """Log of weight times density of each component on one axis: (k, n), up to one constant for all."""
    spread = mixture.covariances[:, axis, axis][:, None]
    squared = (x - mixture.means[:, axis][:, None]) ** 2 / spread
    bent = -0.5 * squared if np.isinf(df) else -0.5 * (df + 1) * np.log1p(squared / df)
    weighted: Array = np.log(mixture.weights)[:, None] - 0.5 * np.log(spread) + bent
    return weighted


def shares(points: Array, mixture: Mixture, df: float) -> Array:
    """The share of each component in each of (n, d) points, (k, n)."""
    return _shares(points.T, mixture, df)[0]


def _starts(z: Array, k: int) -> list[Array]:
    """Shares (k, n) to begin with: slices of each axis, and of the first principal direction."""
    d, n = z.shape
    directions = [z[i] for i in range(d)]
    if d > 1:
        _, vectors = np.linalg.eigh(np.cov(z))
        directions.append(vectors[:, -1] @ z)
    starts = []
    for along in directions:
        rank = np.argsort(np.argsort(along, kind="stable"), kind="stable")
        slices = np.minimum((rank * k) // n, k - 1)
        starts.append((slices == np.arange(k)[:, None]).astype(np.float64))
    return starts


def _em_from(z: Array, share: Array, df: float, *, steps: int, rest: float, prior: Prior | None = None) -> Mixture:
    """EM from given shares (k, n) until the mean log likelihood moves by less than `rest`."""
    d, n = z.shape
    k = len(share)
    counts = np.zeros(k) if prior is None else prior.strength * n * prior.weights
    first = _moved(z, share, np.ones((k, n)), counts, prior)
    expected = np.zeros(k * (1 + d + d * d))
    if prior is not None:
        expected = np.concatenate([counts, prior.means.ravel(), prior.covariances.ravel()])
    numbers = np.concatenate([first.weights, first.means.ravel(), first.covariances.ravel()])
    if (
        done := fits.em(z, numbers, expected, df, steps=steps, rest=rest, patience=PATIENCE, ridge=RIDGE)
    ) is not None:
        numbers, fit, settled = done
        means, covariances = numbers[k : k + k * d].reshape(k, d), numbers[k + k * d :].reshape(k, d, d)
        return Mixture(fit, numbers[:k], means, covariances, settled)
    return _em_by_numpy(z, first, df, steps, rest, counts, prior)


def _em_by_numpy(
    z: Array, found: Mixture, df: float, steps: int, rest: float, counts: Array, prior: Prior | None
) -> Mixture:
    """The same steps where there is no compiled kernel."""
    d, n = z.shape
    tail = np.ones((len(found.weights), n))
    longer, plain = 1.0, found
    for step in range(steps):
        share, squared, likelihood = _shares(z, found, df)
        if longer > 1 and likelihood < found.fit:  # a longer step went too far: back to where EM itself would be
            found, longer = replace(plain, fit=found.fit), longer**0.5
            continue
        settled = abs(likelihood - found.fit) < rest
        found = replace(found, fit=likelihood, settled=settled)
        if settled or step == steps - 1 or not np.isfinite(likelihood):
            break
        if np.isfinite(df):
            tail = (df + d) / (df + squared)
        before, found = found, replace(_moved(z, share, tail, counts, prior), fit=likelihood)
        longer = min(longer * 1.3, FARTHEST) if step + 1 >= PATIENCE else 1.0
        if longer > 1:
            plain = found
            found = _farther(before, plain, longer) or plain
            longer = 1.0 if found is plain else longer
    return found


def _farther(before: Mixture, to: Mixture, longer: float) -> Mixture | None:
    """A step so many times as long (Salakhutdinov R, Roweis S. ICML 2003:664-671); None where that makes no mixture."""
    weights, means, covariances = (
        old + longer * (new - old)
        for old, new in (
            (before.weights, to.weights),
            (before.means, to.means),
            (before.covariances, to.covariances),
        )
    )
    spreads = np.diagonal(covariances, axis1=1, axis2=2)
    fine = weights.min() > 0 and spreads.min() > RIDGE
    if means.shape[1] == 2:
        fine = fine and (spreads.prod(axis=1) - covariances[:, 0, 1] ** 2).min() > RIDGE * RIDGE
    return replace(to, weights=weights, means=means, covariances=covariances) if fine else None


def _moved(z: Array, share: Array, tail: Array, counts: Array, prior: Prior | None) -> Mixture:
    """The M step. share, tail: (k, n). counts: (k,) events that the prior is worth."""
    d, n = z.shape
    k = len(share)
    weights, means, covariances = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
    for j in range(k):
        held = max(float(share[j].sum()), 1e-9)
        pull = share[j] * tail[j]
        weights[j] = (held + counts[j]) / (n + counts.sum())
        pulled = np.einsum("ij,j->i", z, pull)
        scatter = 0.0
        if prior is not None:
            pulled = pulled + counts[j] * prior.means[j]
        means[j] = pulled / max(float(pull.sum()) + counts[j], 1e-12)
        if prior is not None:
            away = means[j] - prior.means[j]
            scatter = counts[j] * (prior.covariances[j] + np.outer(away, away))
        off = z - means[j][:, None]
        covariances[j] = ((off * pull) @ off.T + scatter) / (held + counts[j]) + RIDGE * np.eye(d)
    return Mixture(-np.inf, weights, means, covariances, False)


def _shares(z: Array, mixture: Mixture, df: float) -> tuple[Array, Array, float]:
    """Share of each component in each event (k, n), squared distances (k, n), mean log likelihood."""
    d, n = z.shape
    k = len(mixture.weights)
    squared, log_density = np.empty((k, n)), np.empty((k, n))
    inverse, size = np.linalg.inv(mixture.covariances), np.linalg.det(mixture.covariances)
    for j in range(k):
        off = z - mixture.means[j][:, None]
        squared[j] = ((inverse[j] @ off) * off).sum(axis=0)
        bent = -0.5 * squared[j] if np.isinf(df) else -0.5 * (df + d) * np.log1p(squared[j] / df)
        log_density[j] = np.log(mixture.weights[j]) - 0.5 * np.log(size[j]) + bent
    top = log_density.max(axis=0)
    share = np.exp(log_density - top)
    total = share.sum(axis=0)
    return share / total, squared, float((top + np.log(total)).mean())
