"""The counting uncertainty of a percentage.

Wilson EB. J Am Stat Assoc 1927;22:209-212: an interval that stays within 0 to 100 % and holds for small
counts (Brown LD, Cai TT, DasGupta A. Stat Sci 2001;16:101-133 recommend it).
"""

from __future__ import annotations

import math

__all__ = ["Z95", "wilson"]

Z95 = 1.959963984540054  # the 97.5th percentile of the standard normal distribution


def wilson(count: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Lower and upper limit, in percent, of count / total; not-a-number where total is 0.

    >>> tuple(round(limit, 2) for limit in wilson(10, 100))
    (5.52, 17.44)
    """
    if total <= 0:
        return math.nan, math.nan
    p, z2 = count / total, z * z
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = z / (1 + z2 / total) * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    low = 0.0 if count == 0 else 100 * max(0.0, middle - half)
    high = 100.0 if count == total else 100 * min(1.0, middle + half)
    return low, high
