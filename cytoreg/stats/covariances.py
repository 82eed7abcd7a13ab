"""Structures that the covariance of a subject's visits may have, each a function of parameters with its derivatives.

Linear: V = sum_r theta_r G_r (unstructured, compound symmetry, or any matrices given). Heterogeneous: V = S R S with a
standard deviation for every visit and correlations by their distance (Toeplitz, first-order autoregression).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["STRUCTURES", "Structure", "structure_of"]

Matrix = npt.NDArray[np.float64]
STRUCTURES = ("unstructured", "toeplitz", "ar1", "compound_symmetry")
SHARES = (1.0, 0.9, 0.7, 0.4, 0.0)  # of the covariances, when a definite matrix to start from is sought


class Structure(Protocol):
    """A covariance of k visits by r parameters."""

    def at(self, theta: Matrix) -> tuple[Matrix, Matrix]:
        """V, (k, k), and its first derivatives, (r, k, k)."""
        ...

    def bend(self, theta: Matrix, weights: Matrix) -> Matrix | None:
        """sum_rs weights_rs d2V / dtheta_r dtheta_s, (k, k); None where V is linear."""
        ...

    def starts(self, raw: Matrix) -> Iterator[Matrix]:
        """Parameters near a raw covariance of residuals, each nearer to a diagonal V than the last."""
        ...


def structure_of(name: Any, k: int) -> Structure:
    """A structure by its name, or the linear one of matrices of shape (r, k, k)."""
    if not isinstance(name, str):
        return Linear(np.asarray(name, dtype=np.float64))
    if name not in STRUCTURES:
        raise ValueError(f"unknown covariance structure {name!r}; there are: {', '.join(STRUCTURES)}")
    if name == "unstructured" or k == 1:
        basis = np.zeros((k * (k + 1) // 2, k, k))
        rows, columns = np.tril_indices(k)
        places = np.arange(len(basis))
        basis[places, rows, columns] = basis[places, columns, rows] = 1.0
        return Linear(basis)
    if name == "compound_symmetry":
        return Linear(np.stack([np.eye(k), np.ones((k, k))]))
    return Heterogeneous(k, name == "ar1")


@dataclass(frozen=True, eq=False)
class Linear:
    """V = sum_r theta_r basis_r."""

    basis: Matrix

    def at(self, theta: Matrix) -> tuple[Matrix, Matrix]:
        return np.tensordot(theta, self.basis, axes=1), self.basis

    def bend(self, theta: Matrix, weights: Matrix) -> None:
        return None

    def starts(self, raw: Matrix) -> Iterator[Matrix]:
        flat = self.basis.reshape(len(self.basis), -1).T
        targets = np.column_stack([raw.ravel(), np.diag(np.diag(raw)).ravel()])
        whole, plain = np.linalg.lstsq(flat, targets, rcond=None)[0].T
        for share in SHARES:
            yield share * whole + (1 - share) * plain


@dataclass(frozen=True, eq=False)
class Heterogeneous:
    """V_ij = s_i s_j rho_|i-j|; theta is the k standard deviations, then the correlations (ar1: one, by its powers)."""

    k: int
    ar1: bool

    def at(self, theta: Matrix) -> tuple[Matrix, Matrix]:
        s = theta[: self.k]
        correlation, slopes, _ = self._correlation(theta[self.k :])
        if (s <= 0).any():  # the same V with another sign: one of them is enough
            return np.full((self.k, self.k), np.nan), np.zeros((len(theta), self.k, self.k))
        half = correlation * s  # R S
        by_s = np.zeros((self.k, self.k, self.k))
        places = np.arange(self.k)
        by_s[places, places, :] += half
        by_s[places, :, places] += half
        return half * s[:, None], np.concatenate([by_s, slopes * np.outer(s, s)])

    def bend(self, theta: Matrix, weights: Matrix) -> Matrix:
        k, s = self.k, theta[: self.k]
        correlation, slopes, second = self._correlation(theta[k:])
        total: Matrix = 2 * weights[:k, :k] * correlation
        for r, slope in enumerate(slopes):
            mixed = weights[:k, k + r][:, None] * slope * s
            total = total + 2 * (mixed + mixed.T)
        return total + weights[-1, -1] * second * np.outer(s, s)

    def starts(self, raw: Matrix) -> Iterator[Matrix]:
        s = np.sqrt(np.diag(raw))
        scaled = raw / np.outer(s, s)
        by_lag = np.array([np.diagonal(scaled, lag).mean() for lag in range(1, self.k)])
        for share in SHARES:
            yield np.r_[s, share * by_lag[: 1 if self.ar1 else None]]

    def _correlation(self, rho: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """R, (k, k); its first derivatives, (r, k, k); the second by the one parameter of ar1, else 0."""
        lag = np.abs(np.subtract.outer(np.arange(self.k), np.arange(self.k)))
        if not self.ar1:
            each = np.stack([(lag == d).astype(np.float64) for d in range(1, self.k)])
            return np.eye(self.k) + np.tensordot(rho, each, axes=1), each, np.zeros((self.k, self.k))
        first = lag * rho[0] ** np.maximum(lag - 1, 0)
        return rho[0] ** lag, first[None], lag * (lag - 1) * rho[0] ** np.maximum(lag - 2, 0)
