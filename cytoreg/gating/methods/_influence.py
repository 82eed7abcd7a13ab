"""How a fitted gate moves when its events are drawn again, for methods that find several numbers at once.

Each event pulls the numbers a little its own way (Hampel FR, J Am Stat Assoc 1974;69:383-393). The sum of the pulls of
events that are drawn again is normally distributed about the fit, so that a replicate needs no fit of its own: the score
bootstrap (Kline P, Santos A. J Econom Methods 2012;1:23-41). Events that enter or leave the parent add their pull as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.gating.gates import Gate

__all__ = ["Influence"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Influence:
    """on: axes. numbers: (p,) what was fitted. spread: (p, p) their covariance when the events are drawn again.

    pull: by how much each of m further events, given by a column (m,) an axis, moves the numbers: (m, p). gate: the gate of some
    numbers, None where they make none. held: the sum, (p,), of the pulls of the fitted events that a gate holds, each less the mean.
    """

    on: tuple[str, ...]
    numbers: Array
    spread: Array
    pull: Callable[[Sequence[Array]], Array]
    gate: Callable[[Array], Gate | None]
    held: Callable[[Gate], Array]
