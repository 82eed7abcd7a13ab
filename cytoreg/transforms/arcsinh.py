"""The inverse hyperbolic sine: about linear near zero, logarithmic beyond, the same on both sides.

With a cofactor as in mass cytometry (Bendall et al. Science 2011;332:687-696), or by top and decades as in
GatingML 2.0, section 6.3, and in FlowJo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array

__all__ = ["Arcsinh"]


@dataclass(frozen=True)
class Arcsinh:
    """arcsinh(x / cofactor); 5 is usual for mass cytometry, 150 for fluorescence."""

    cofactor: float = 150.0

    def __post_init__(self) -> None:
        if not 0 < self.cofactor < math.inf:
            raise ValueError(f"arcsinh needs a cofactor above 0, found {self.cofactor:g}")

    @classmethod
    def from_top(cls, T: float, M: float) -> Arcsinh:
        """The scale that shows T where a logarithmic one of M decades would: cofactor T / sinh(M ln 10).

        GatingML's fasinh (T, M, A) is (asinh(x / cofactor) + A ln 10) / ((M + A) ln 10): A only moves and
        stretches the display.
        """
        if not (0 < T < math.inf and 0 < M < 300):
            raise ValueError(f"arcsinh needs T > 0 and M > 0, found T {T:g}, M {M:g}")
        return cls(T / math.sinh(M * math.log(10.0)))

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Display units: about linear below the cofactor, natural logarithm of 2x / cofactor above it."""
        return np.arcsinh(np.asarray(values, dtype=np.float64) / self.cofactor)

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values."""
        return np.sinh(np.asarray(display, dtype=np.float64)) * self.cofactor

    def describe(self) -> dict[str, Any]:
        """The cofactor."""
        return {"arcsinh": {"cofactor": self.cofactor}}
