"""Random numbers of the bootstrap, fixed by what they are for and by the data, never by names or by order.

A bootstrap over events draws each event Poisson(1) times (Chamandy N et al. Estimating uncertainty for massive
data streams, Google 2012; Hanley JA, MacGibbon B, Comput Methods Programs Biomed 2006;83:57-62). The events of a bin are
then drawn Poisson(their number) times, so that no event need be drawn by itself.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["generator", "poisson"]

TABLED = 32  # means below this are drawn from a table of the distribution
LEVELS = 65_536


def generator(seed: int, *what: str | bytes | npt.NDArray[Any]) -> np.random.Generator:
    """A generator of its own for each seed and purpose. what: words, and the data that the draw is over."""
    digest = hashlib.blake2b(str(seed).encode(), digest_size=16)
    for item in what:
        said = item.encode() if isinstance(item, str) else np.ascontiguousarray(item) if _is_array(item) else item
        digest.update(b"\0")
        digest.update(said)  # type: ignore[arg-type]
    return np.random.Generator(np.random.SFC64(int.from_bytes(digest.digest(), "little")))


def poisson(means: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Poisson numbers with whole means, of the same shape.

    Below TABLED by the inverse of the distribution at 65,536 levels; above by the normal distribution with its
    skewness put right (Cornish & Fisher's first term) and rounded, which has the mean, the variance and the third
    moment of a Poisson number to within its rounding.
    """
    low = np.flatnonzero((means > 0) & (means < TABLED))
    above = np.flatnonzero(means >= TABLED)
    drawn, flat = np.zeros(means.shape), means.ravel()
    into = drawn.reshape(-1)
    into[low] = _table()[flat[low], rng.integers(0, LEVELS, len(low), dtype=np.uint16)]
    high = flat[above].astype(np.float64)
    z = rng.standard_normal(len(high))
    into[above] = np.maximum(0.0, np.rint(high + np.sqrt(high) * z + (z * z - 1.0) / 6.0))
    return drawn


@cache
def _table() -> npt.NDArray[np.uint8]:
    """For each mean below TABLED the number at each level of its distribution, (TABLED, LEVELS)."""
    table = np.zeros((TABLED, LEVELS), dtype=np.uint8)
    numbers = np.arange(120)
    logs = np.array([math.lgamma(k + 1) for k in numbers])
    for mean in range(1, TABLED):
        below = np.cumsum(np.exp(numbers * math.log(mean) - mean - logs))
        ends = np.minimum(np.rint(below * LEVELS).astype(np.int64), LEVELS)
        ends[-1] = LEVELS
        table[mean] = np.repeat(numbers.astype(np.uint8), np.diff(ends, prepend=0))
    return table


def _is_array(item: object) -> bool:
    return isinstance(item, np.ndarray)
