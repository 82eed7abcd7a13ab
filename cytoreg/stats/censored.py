"""Two measurements of each subject, either of which may lie beyond a limit of detection: the mean change by likelihood.

The pair is taken as bivariate normal (after the logarithm, for cytokines); a value below a limit enters by the
probability of lying there, never by a number put in its place (Tobin J. Econometrica 1958;26:24-36; for pairs: Lyles RH,
Williams JK, Chuachoowong R. Biometrics 2001;57:1238-1244). The bivariate normal distribution is by Drezner Z, Wesolowsky
GO. J Stat Comput Simul 1990;35:101-107.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PairedChange", "both_below", "fit_paired_change"]

Values = npt.NDArray[np.float64]
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
STEP = 1e-4
MOST_STEPS = 60
NEAR_ONE = 3.0  # of atanh of the correlation: 0.995


@dataclass(frozen=True)
class PairedChange:
    """mean_before, change: of the whole population of pairs; se of the change; log_likelihood; correlation of the pair.

    se is that of the likelihood times sqrt(n / (n - 1)), so that it equals the paired t test's where nothing is censored.
    """

    mean_before: float
    change: float
    se: float
    sd_before: float
    sd_after: float
    correlation: float
    log_likelihood: float


def fit_paired_change(before: Any, after: Any, sign_before: Any, sign_after: Any) -> PairedChange | None:
    """Fit by Newton's method; None where the likelihood has no maximum that can be found.

    before, after: (n,) values, or limits where censored. sign_before, sign_after: (n,) of -1 (below the limit), 0
    (measured), 1 (above it).
    """
    y0, y1 = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    s0, s1 = np.asarray(sign_before, dtype=np.float64), np.asarray(sign_after, dtype=np.float64)
    n = len(y0)
    centre, spread = float(y0.mean()), float(np.concatenate([y0, y1]).std())
    if not spread > 0:
        return None
    z0, z1 = (y0 - centre) / spread, (y1 - centre) / spread
    if not (s0.any() or s1.any()):
        at = _complete(z0, z1)
        if at is None:
            return None
        se = float(np.std(z1 - z0, ddof=1)) / math.sqrt(n)
        value = float(_log_likelihood(at[None, :], z0, z1, s0, s1)[0])
    else:
        found = _maximum(z0, z1, s0, s1)
        if found is None:
            return None
        at, value, hessian = found
        covariance = np.linalg.inv(-hessian)
        if not covariance[1, 1] > 0:
            return None
        se = math.sqrt(covariance[1, 1] * n / (n - 1))
    sd = np.exp(at[2:4]) * spread
    return PairedChange(
        mean_before=centre + spread * float(at[0]),
        change=spread * float(at[1]),
        se=spread * se,
        sd_before=float(sd[0]),
        sd_after=float(sd[1]),
        correlation=math.tanh(float(at[4])),
        log_likelihood=value - _measured(s0, s1) * math.log(spread),
    )


def both_below(h: Any, k: Any, rho: Any) -> Values:
    """P(X < h, Y < k) of two standard normal values with correlation rho; arrays that broadcast."""
    from scipy.special import ndtr

    h, k, rho = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (h, k, rho)))
    half = np.arcsin(rho)[..., None] / 2
    angle = half * (NODES + 1)
    h_, k_ = h[..., None], k[..., None]
    inner = np.exp(-(h_**2 + k_**2 - 2 * h_ * k_ * np.sin(angle)) / (2 * np.cos(angle) ** 2))
    found: Values = ndtr(h) * ndtr(k) + (inner * NODE_WEIGHTS * half).sum(axis=-1) / (2 * math.pi)
    return np.clip(found, 0.0, 1.0)


def _measured(s0: Values, s1: Values) -> int:
    return int((s0 == 0).sum() + (s1 == 0).sum())


def _complete(z0: Values, z1: Values) -> Values | None:
    """The maximum where nothing is censored: moments."""
    if not (z0.std() > 0 and z1.std() > 0):
        return None
    r = min(max(float(np.corrcoef(z0, z1)[0, 1]), -1 + 1e-12), 1 - 1e-12)
    return np.array([z0.mean(), z1.mean() - z0.mean(), math.log(z0.std()), math.log(z1.std()), math.atanh(r)])


def _log_likelihood(theta: Values, y0: Values, y1: Values, s0: Values, s1: Values) -> Values:
    """Of several parameter rows at once: theta (m, 5): mean before, change, ln SDs, atanh of the correlation -> (m,)."""
    from scipy.special import log_ndtr

    mean0, change, log0, log1, bent = (theta[:, j : j + 1] for j in range(5))
    rho = np.tanh(np.clip(bent, -NEAR_ONE, NEAR_ONE))
    rest = np.sqrt(1 - rho**2)
    z0, z1 = (y0 - mean0) * np.exp(-log0), (y1 - mean0 - change) * np.exp(-log1)
    total = np.zeros(len(theta))
    known0, known1 = s0 == 0, s1 == 0
    constant = 0.5 * math.log(2 * math.pi)
    for known, z, log in ((known0, z0, log0), (known1 & ~known0, z1, log1)):  # the marginal of a measured value
        total += (-0.5 * z[:, known] ** 2 - log - constant).sum(axis=1)
    both = known0 & known1
    apart = (z1[:, both] - rho * z0[:, both]) / rest
    total += (-0.5 * apart**2 - log1 - np.log(rest) - constant).sum(axis=1)
    for one, z, base, sign in ((~known1 & known0, z1, z0, s1), (~known0 & known1, z0, z1, s0)):
        apart = (z[:, one] - rho * base[:, one]) / rest
        total += log_ndtr(-sign[one] * apart).sum(axis=1)
    neither = ~known0 & ~known1
    if neither.any():
        a, b = s0[neither], s1[neither]
        chance = both_below(-a * z0[:, neither], -b * z1[:, neither], a * b * rho)
        total += np.log(np.maximum(chance, 1e-300)).sum(axis=1)
    return total


def _maximum(y0: Values, y1: Values, s0: Values, s1: Values) -> tuple[Values, float, Values] | None:
    """The parameters, the log likelihood there and its Hessian, by Newton's steps with differences in one batch."""
    size = 5
    eye = np.eye(size) * STEP
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    moves = np.vstack(
        [np.zeros((1, size)), eye, -eye, *(np.stack([eye[i] + eye[j], -eye[i] - eye[j]]) for i, j in pairs)]
    )

    def around(theta: Values) -> tuple[float, Values, Values]:
        values = _log_likelihood(theta + moves, y0, y1, s0, s1)
        up, down = values[1 : 1 + size], values[1 + size : 1 + 2 * size]
        gradient = (up - down) / (2 * STEP)
        hessian = np.diag((up + down - 2 * values[0]) / STEP**2)
        rest = values[1 + 2 * size :].reshape(-1, 2).sum(axis=1)
        for (i, j), value in zip(pairs, rest, strict=True):
            mixed = (value - up[i] - down[i] - up[j] - down[j] + 2 * values[0]) / (2 * STEP**2)
            hessian[i, j] = hessian[j, i] = mixed
        return float(values[0]), gradient, hessian

    theta = np.array([y0.mean(), y1.mean() - y0.mean(), math.log(y0.std() + 0.1), math.log(y1.std() + 0.1), 0.3])
    value, gradient, hessian = around(theta)
    for _ in range(MOST_STEPS):
        if not np.isfinite(hessian).all():
            return None
        roots, axes = np.linalg.eigh(-hessian)
        step = axes @ ((axes.T @ gradient) / np.maximum(np.abs(roots), 0.1))
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        gain = float(step @ gradient)
        if gain < 1e-8:
            if roots.min() < 1e-3 or abs(theta[4]) > NEAR_ONE - 0.01:
                return None
            return theta, value, hessian
        length = 1.0
        while length > 1e-5:
            tried = float(_log_likelihood((theta + length * step)[None, :], y0, y1, s0, s1)[0])
            if tried > value:
                break
            length /= 2
        else:
            return (theta, value, hessian) if gain < 1e-5 and roots.min() > 1e-3 else None
        theta = theta + length * step
        value, gradient, hessian = around(theta)
    return None
