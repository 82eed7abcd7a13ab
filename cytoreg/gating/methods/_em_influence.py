"""How a mixture moves when its events are drawn again: the pull of each event on its weights, means and covariances.

The numbers of a mixture are a point that the EM step M leaves where it is. An event that is added moves M by m, and the
resting point by (I - J)^-1 m, J being the derivative of M there (the rate matrix of Dempster AP, Laird NM, Rubin DB.
J R Stat Soc B 1977;39:1-38).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cytoreg.gating.gates import Gate, contains
from cytoreg.gating.methods._em import RIDGE, Array, Mixture, Prior
from cytoreg.gating.methods._order import SMALL, crossed, inverse_of

__all__ = ["Pulls", "numbers_of", "pulls_of"]

FEW = 1_000  # events that the derivative is taken on
STEP = 1e-5


class Pulls:
    """The pull of events on a mixture of standardised points. middle, scale: (d,) what points are standardised by."""

    def __init__(
        self, used: Array, found: Mixture, df: float, prior: Prior | None, middle: Array, scale: Array
    ) -> None:
        self.middle, self.scale, self.df = middle, scale, df
        self.k, self.d = found.means.shape
        z = (used - middle) / scale
        self.prior = None if prior is None else prior.standardised(middle, scale)
        self.found = found.on_scale(-middle / scale, 1 / scale)
        self.counts = np.zeros(self.k) if prior is None else prior.strength * len(z) * prior.weights
        numbers = numbers_of(self.found)
        thin = z[:: max(1, len(z) // FEW)]
        at_rest = self._step(thin, numbers[None], len(thin) / len(z))[0]
        moved = self._step(thin, numbers + STEP * np.eye(len(numbers)), len(thin) / len(z))
        self._through = np.eye(len(numbers)) - ((moved - at_rest) / STEP).T
        share, pull = self._shares(z, numbers[None])
        self._held, self._pulled = share[0].sum(axis=1) + self.counts, pull[0].sum(axis=1) + self.counts
        self._n = len(z) + self.counts.sum()
        self._used, self._each = used, self._of(z)
        self.spread = crossed(self._each, self._each)

    def pull(self, columns: Sequence[Array], n: int, used: int) -> Array:
        """(m, p) of m events, where the mixture was fitted to `used` of n."""
        z = (np.column_stack(columns) - self.middle) / self.scale
        z = np.where(np.isfinite(z), z, 1e6)  # far from everything: it pulls at nothing but the weights
        return self._of(z) * (used / n)

    def held(self, on: tuple[str, ...]) -> Callable[[Gate], Array]:
        """What gives the sum of the pulls of the fitted events in a gate on those axes, each less the mean."""

        def held(gate: Gate) -> Array:
            inside = contains(gate, dict(zip(on, self._used.T, strict=True)), {}, len(self._used))
            return np.einsum("i,ij->j", inside - inside.mean(), self._each)

        return held

    def mixture(self, numbers: Array) -> Mixture | None:
        """The mixture of some numbers, in the units of the points; None where they make none."""
        weights, means, covariances = _parts(numbers[None], self.k, self.d)
        if not np.isfinite(numbers).all() or weights.min() <= 0:
            return None
        first, last = covariances[0, :, 0, 0], covariances[0, :, -1, -1]
        size = first if self.d == 1 else first * last - covariances[0, :, 0, 1] ** 2
        if min(first.min(), last.min(), size.min()) <= 0:  # not positive definite
            return None
        return Mixture(0.0, weights[0], means[0], covariances[0], True).on_scale(self.middle, self.scale)

    def _of(self, z: Array) -> Array:
        weights, means, covariances = _parts(numbers_of(self.found)[None], self.k, self.d)
        share, pull = (part[0] for part in self._shares(z, numbers_of(self.found)[None]))
        moves = [(share - weights[0][:, None]) / self._n]
        off = z.T[None] - means[0][:, :, None]  # (k, d, n)
        moves += [(pull[:, None] * off / self._pulled[:, None, None]).reshape(-1, len(z))]
        i, j = np.triu_indices(self.d)
        kept = (covariances[0] - RIDGE * np.eye(self.d))[:, i, j]
        square = pull[:, None] * off[:, i] * off[:, j] - share[:, None] * kept[:, :, None]
        moves += [(square / self._held[:, None, None]).reshape(-1, len(z))]
        inverse, pulls = inverse_of(self._through), np.concatenate(moves)
        block = max(1, SMALL // len(pulls) ** 2)
        parts = [inverse @ pulls[:, start : start + block] for start in range(0, pulls.shape[1], block)]
        return np.concatenate([np.empty((len(pulls), 0)), *parts], axis=1).T

    def _step(self, z: Array, numbers: Array, part: float) -> Array:
        """The EM step from each of several rows of numbers."""
        _, means, _ = _parts(numbers, self.k, self.d)
        share, pull = self._shares(z, numbers)
        counts = self.counts * part
        held, pulled = share.sum(axis=2) + counts, pull.sum(axis=2) + counts
        to = pull @ z
        if self.prior is not None:
            to = to + counts[:, None] * self.prior.means
        means = to / pulled[:, :, None]
        i, j = np.triu_indices(self.d)
        square = pull @ (z[:, i] * z[:, j])
        sum_x = pull @ z
        weight = pull.sum(axis=2)[:, :, None]
        scatter = square - sum_x[:, :, i] * means[:, :, j] - means[:, :, i] * sum_x[:, :, j]
        scatter = scatter + weight * means[:, :, i] * means[:, :, j]
        if self.prior is not None:
            away = means - self.prior.means
            scatter = scatter + counts[:, None] * (self.prior.covariances[:, i, j] + away[:, :, i] * away[:, :, j])
        covariances = scatter / held[:, :, None] + RIDGE * np.eye(self.d)[i, j]
        weights = held / (len(z) + counts.sum())
        flat = (weights, means.reshape(len(numbers), -1), covariances.reshape(len(numbers), -1))
        return np.concatenate(flat, axis=1)

    def _shares(self, z: Array, numbers: Array) -> tuple[Array, Array]:
        """Share of each component in each event, and the share times the weight of its tail: (rows, k, n) each."""
        weights, means, covariances = _parts(numbers, self.k, self.d)
        off = z.T[None, None] - means[..., None]  # (rows, k, d, n)
        if self.d == 1:
            squared = off[:, :, 0] ** 2 / covariances[..., 0, 0, None]
            size = covariances[..., 0, 0]
        else:
            a, b, c = (covariances[..., i, j, None] for i, j in ((0, 0), (0, 1), (1, 1)))
            size = (a * c - b * b)[..., 0]
            x, y = off[:, :, 0], off[:, :, 1]
            squared = (c * x * x - 2 * b * x * y + a * y * y) / size[..., None]
        normal = np.isinf(self.df)
        bent = -0.5 * squared if normal else -0.5 * (self.df + self.d) * np.log1p(squared / self.df)
        logs = (np.log(weights) - 0.5 * np.log(size))[..., None] + bent
        share = np.exp(logs - logs.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        return share, share if normal else share * ((self.df + self.d) / (self.df + squared))


def pulls_of(used: Array, found: Mixture, df: float, prior: Prior | None) -> Pulls:
    """The pulls on a mixture that `fit_mixture` found for (n, d) points."""
    return Pulls(used, found, df, prior, np.median(used, axis=0), used.std(axis=0))


def numbers_of(mixture: Mixture) -> Array:
    """Weights, means, and the upper triangle of each covariance in one row."""
    i, j = np.triu_indices(mixture.means.shape[1])
    return np.concatenate([mixture.weights, mixture.means.ravel(), mixture.covariances[:, i, j].ravel()])


def _parts(numbers: Array, k: int, d: int) -> tuple[Array, Array, Array]:
    """Weights (rows, k), means (rows, k, d), covariances (rows, k, d, d)."""
    rows = len(numbers)
    i, j = np.triu_indices(d)
    covariances = np.empty((rows, k, d, d))
    triangle = numbers[:, k + k * d :].reshape(rows, k, -1)
    covariances[:, :, i, j] = triangle
    covariances[:, :, j, i] = triangle
    return numbers[:, :k], numbers[:, k : k + k * d].reshape(rows, k, d), covariances
