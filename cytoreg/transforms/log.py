"""The logarithmic scale in decades (GatingML 2.0, section 6.2, times M; FlowJo's log by offset and decades)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array

__all__ = ["Log"]


@dataclass(frozen=True)
class Log:
    """log10(x / T) + M: T is shown at M, T / 10^M at 0.

    GatingML's flog is this divided by M. A value below zero has no logarithm: it is not a number, and lies in
    no gate; zero lies below every gate that has a lower edge. clip: values below T / 10^M are shown at 0, as
    FlowJo piles them up on the axis.
    """

    T: float = 262144.0
    M: float = 4.5
    clip: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.T < math.inf and 0 < self.M < math.inf):
            raise ValueError(f"log needs T > 0 and M > 0, found T {self.T:g}, M {self.M:g}")

    @classmethod
    def from_offset(cls, offset: float, decades: float) -> Log:
        """FlowJo's: from `offset` over so many decades; values below the offset are shown at it."""
        if not (0 < offset < math.inf and 0 < decades < 300):
            raise ValueError(f"log needs offset > 0 and decades > 0, found offset {offset:g}, decades {decades:g}")
        return cls(offset * 10.0**decades, decades, clip=True)

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Decades above T / 10^M."""
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.asarray(values, dtype=np.float64)
            if not self.clip:
                return np.log10(x / self.T) + self.M
            return np.maximum(np.log10(np.where(x < 0, 0.0, x) / self.T) + self.M, 0.0)

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values."""
        return self.T * 10.0 ** (np.asarray(display, dtype=np.float64) - self.M)

    def describe(self) -> dict[str, Any]:
        """T and M, and clip where it is set."""
        return {"log": {"T": self.T, "M": self.M, **({"clip": True} if self.clip else {})}}
