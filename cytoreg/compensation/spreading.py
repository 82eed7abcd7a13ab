"""The spillover spreading matrix: how much a stain widens the other channels, which no compensation takes back.

Nguyen R, Perfetto S, Mahnke YD, Chattopadhyay P, Roederer M. Cytometry A 2013;83A:306-315.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["spreading"]

Array = npt.NDArray[np.float64]
UPPER = 84.0  # percentile: of a normal distribution one SD above the median


def spreading(positive: Array, negative: Array, place: int) -> Array:
    """One row (k,): sqrt(sd_positive^2 - sd_negative^2) / sqrt(rise of the stained channel), 0 where not widened.

    positive: (n, k); negative: (m, k), both compensated. An SD is the 84th percentile less the median. The
    stained channel's own entry is 0. NaN where the stained channel does not rise.
    """
    wide = [np.percentile(side, UPPER, axis=0) - np.median(side, axis=0) for side in (positive, negative)]
    rise = float(np.median(positive[:, place]) - np.median(negative[:, place]))
    if rise <= 0:
        return np.full(positive.shape[1], np.nan)
    row = np.sqrt(np.maximum(wide[0] ** 2 - wide[1] ** 2, 0.0) / rise)
    row[place] = 0.0
    return np.asarray(row)
