"""A mixture of multivariate t distributions in one or two dimensions, and the ellipse of one component.

Peel D, McLachlan GJ. Stat Comput 2000;10:339-348 (the EM steps, degrees of freedom fixed), which flowClust
brought to cytometry (Lo K et al. Cytometry A 2008;73A:321-332). Tails heavier than Gaussian keep stray
events from stretching the ellipse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from cytoreg.errors import suggest
from cytoreg.gating.gates import Ellipse, Gate, Range
from cytoreg.gating.methods._fit import CannotFit, Fit, View, few
from cytoreg.yamlfile import StrictModel

Array = npt.NDArray[np.float64]
MOST_EVENTS = 5_000
COARSE_EVENTS = 1_000
LEAST_WEIGHT = 0.05


class Params(StrictModel):
    """on: one or two axes. components: how many. content: share of the component that the ellipse holds.

    choose: `largest`, or {highest: AXIS} / {lowest: AXIS} among components of at least 5 %. df: degrees of
    freedom of the t distribution.
    """

    on: str | tuple[str, str]
    components: int = Field(default=2, ge=1, le=8)
    content: float = Field(default=0.9, gt=0, lt=1)
    choose: str | dict[str, str] = "largest"
    df: float = Field(default=4.0, gt=2)
    min_events: int = Field(default=200, ge=20)
    fallback: object = None

    @model_validator(mode="after")
    def _known_choice(self) -> Params:
        word = self.choose if isinstance(self.choose, str) else next(iter(self.choose), "")
        if word not in (("largest",) if isinstance(self.choose, str) else ("highest", "lowest")):
            raise ValueError(f"choose: unknown word {word!r}; {suggest(word, ['largest', 'highest', 'lowest'])}")
        axes = (self.on,) if isinstance(self.on, str) else self.on
        if isinstance(self.choose, dict) and (axis := next(iter(self.choose.values()))) not in axes:
            raise ValueError(f"choose: {axis!r} is not an axis of this gate; {suggest(axis, axes)}")
        return self


def fit(view: View, params: Params) -> Fit:
    """Fit by EM from starts that depend on the values only, so that the order of events does not matter."""
    axes = (params.on,) if isinstance(params.on, str) else params.on
    points = np.column_stack([view.values(axis) for axis in axes])
    points = points[np.isfinite(points).all(axis=1)]
    n = len(points)
    if n < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    used = points[((points >= low) & (points <= high)).all(axis=1)]
    used = used[np.lexsort(used.T)]
    used = used[:: max(1, len(used) // MOST_EVENTS)]
    middle, scale = np.median(used, axis=0), used.std(axis=0)
    if (scale == 0).any():
        raise CannotFit("all values of an axis are equal")
    z = np.ascontiguousarray(((used - middle) / scale).T)
    found = _em(z, params.components, params.df)
    chosen = _choose(params, axes, found.weights, found.means)
    center = found.means[chosen] * scale + middle
    spread = found.covariances[chosen] * np.outer(scale, scale)
    distance = _distance(params.content, params.df, len(axes))
    gate: Gate
    if len(axes) == 1:
        half = distance * float(np.sqrt(spread[0, 0]))
        gate = Range(axes, float(center[0]) - half, float(center[0]) + half)
    else:
        gate = Ellipse(axes, tuple(map(float, center)), tuple(tuple(map(float, row)) for row in spread), distance)
    reasons = [*few(n, params.min_events)]
    if not found.settled:
        reasons.append("the mixture did not settle")
    if found.weights[chosen] < 2 * LEAST_WEIGHT:
        reasons.append(f"the component holds only {found.weights[chosen]:.0%} of the events")
    return Fit(gate, n, tuple(reasons))


def _choose(params: Params, axes: tuple[str, ...], weights: Array, means: Array) -> int:
    if isinstance(params.choose, str):
        return int(np.argmax(weights))
    word, axis = next(iter(params.choose.items()))
    place = means[:, axes.index(axis)] * (1.0 if word == "highest" else -1.0)
    return int(np.argmax(np.where(weights >= LEAST_WEIGHT, place, -np.inf)))


def _distance(content: float, df: float, d: int) -> float:
    """Mahalanobis distance within which a share of a d-dimensional t lies (d times an F quantile, d of 1, 2)."""
    if d == 2:  # the F distribution with 2 and df degrees of freedom has a closed form
        return float(np.sqrt(df * ((1 - content) ** (-2 / df) - 1)))
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + content / 2))


def _em(z: Array, k: int, df: float) -> _Mixture:
    """A mixture of k t distributions in z, (d, n).

    Every start is followed on a thinned set; the best is brought to rest on all events.
    """
    thin = z[:, :: max(1, z.shape[1] // COARSE_EVENTS)]
    best = max(
        (_em_from(thin, share, df, steps=100, rest=1e-4) for share in _starts(thin, k)), key=lambda em: em.fit
    )
    return _em_from(z, _shares(z, best, df)[0], df, steps=200, rest=1e-6)


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


@dataclass(frozen=True, eq=False)
class _Mixture:
    """weights (k,), means (k, d), scale matrices (k, d, d); fit: mean log likelihood; settled: EM came to rest."""

    fit: float
    weights: Array
    means: Array
    covariances: Array
    settled: bool


def _em_from(z: Array, share: Array, df: float, *, steps: int, rest: float) -> _Mixture:
    """EM from given shares (k, n) until the mean log likelihood moves by less than `rest`."""
    d, n = z.shape
    k = len(share)
    tail = np.ones((k, n))
    found = _Mixture(-np.inf, np.empty(k), np.empty((k, d)), np.empty((k, d, d)), False)
    for _ in range(steps):
        weights, means, covariances = np.empty(k), np.empty((k, d)), np.empty((k, d, d))
        for j in range(k):
            held = max(float(share[j].sum()), 1e-9)
            pull = share[j] * tail[j]
            weights[j] = held / n
            means[j] = z @ pull / max(float(pull.sum()), 1e-12)
            off = z - means[j][:, None]
            covariances[j] = (off * pull) @ off.T / held + 1e-4 * np.eye(d)
        last = found.fit
        found = _Mixture(last, weights, means, covariances, False)
        share, squared, likelihood = _shares(z, found, df)
        tail = (df + d) / (df + squared)
        settled = abs(likelihood - last) < rest
        found = _Mixture(likelihood, weights, means, covariances, settled)
        if settled:
            break
    return found


def _shares(z: Array, mixture: _Mixture, df: float) -> tuple[Array, Array, float]:
    """Share of each component in each event (k, n), squared distances (k, n), mean log likelihood."""
    d, n = z.shape
    k = len(mixture.weights)
    squared, log_density = np.empty((k, n)), np.empty((k, n))
    for j in range(k):
        off = z - mixture.means[j][:, None]
        squared[j] = ((np.linalg.inv(mixture.covariances[j]) @ off) * off).sum(axis=0)
        log_density[j] = (
            np.log(mixture.weights[j])
            - 0.5 * np.log(np.linalg.det(mixture.covariances[j]))
            - 0.5 * (df + d) * np.log1p(squared[j] / df)
        )
    top = log_density.max(axis=0)
    share = np.exp(log_density - top)
    total = share.sum(axis=0)
    return share / total, squared, float((top + np.log(total)).mean())
