"""What every display scale can do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Transform", "check_width"]

Array = npt.NDArray[np.float64]


class Transform(Protocol):
    """A scale that never decreases: linear values to display units and back, elementwise in float64.

    What is not a number stays so, and infinities go to the ends of the scale. Parameters that no scale can
    have raise ValueError with one line that names them.
    """

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Display units of linear values."""
        ...

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values of display units."""
        ...

    def describe(self) -> dict[str, Any]:
        """The scale with all its parameters, as a template would say it."""
        ...


def check_width(
    kind: str,
    T: float,
    W: float,
    M: float,
    A: float,
    coefficients: Callable[[], tuple[float, ...]],
    *,
    zero_width: bool,
) -> None:
    """Whether the parameters of a logicle or hyperlog scale make one that float64 can hold.

    coefficients: computes those of the scale, the first of which is above 0. zero_width: whether W may be 0.
    Raises ValueError.
    """
    found = f"found T {T:g}, W {W:g}, M {M:g}, A {A:g}"
    wide_enough = W >= 0 if zero_width else W > 0
    if not (0 < T < math.inf and 0 < M < math.inf and wide_enough and 2 * W <= M and -W <= A <= M - 2 * W):
        least = "0 <= 2W" if zero_width else "0 < 2W"
        raise ValueError(f"{kind} needs T > 0, {least} <= M and -W <= A <= M - 2W, {found}")
    try:
        finite = all(map(math.isfinite, coefficients())) and coefficients()[0] > 0
    except (OverflowError, ZeroDivisionError):
        finite = False
    if not finite:
        raise ValueError(f"{kind}: expected a scale that float64 can hold, {found}")
