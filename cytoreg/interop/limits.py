"""The limit of a gate as a number to write: one that is exactly the same limit when it is read again.

A limit is kept in display units and written in others. What comes out of the way back may lie a digit beside what was
read, and where values are whole numbers an event lies exactly there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["limit_that_reads"]

Array = npt.NDArray[np.float64]
_CLOSE = 1e-9
_STEPS = 4  # neighbours of a number on either side


def limit_that_reads(near: float, wanted: float, read: Callable[[Array], Array]) -> float:
    """The number with the fewest digits about `near` that `read` takes for `wanted`; `near` where none does."""
    if not np.isfinite(near):
        return near
    tried = [float(f"{near:.{digits}g}") for digits in range(1, 18)]
    with np.errstate(over="ignore"):
        tried.insert(7, float(np.float32(near)))  # values of most files are of 32 bits
    for way in (-np.inf, np.inf):
        at = near
        for _ in range(_STEPS):
            at = float(np.nextafter(at, way))
            tried.append(at)
    numbers = np.array(tried)
    with np.errstate(all="ignore"):
        close = np.abs(numbers - near) <= _CLOSE * max(
            1.0, abs(near)
        )  # at the end of a scale all beyond reads the same
        same = np.flatnonzero(close & (read(numbers) == wanted))
    return tried[same[0]] if len(same) else near
