"""FlowJo's biexponential scale: a table of channels, with straight lines between its entries.

The curve is Parks' biexponential (Parks DR, Roederer M, Moore WA. Cytometry A 2006;69A:541-551) with FlowJo's
parameters. How the table is made follows what cytolib (Bioconductor) published of FlowJo's own code; FlowKit
does the same, and the tests compare.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.logicle import solve_d
from cytoreg.transforms.scale import Array

__all__ = ["Biexponential"]


@dataclass(frozen=True)
class Biexponential:
    """FlowJo's scale in channels, 0 to `length`. Values off the table are shown at its ends.

    T: top of scale in linear units (FlowJo's maxRange). positive: decades above zero. negative: further decades
    below it. width: FlowJo's width basis, -1 to -1000, about the linear values on either side of zero that are
    shown nearly linearly. Raises ValueError where no such table exists.
    """

    T: float = 262144.0
    positive: float = 4.418540
    negative: float = 0.0
    width: float = -10.0
    length: int = 4096

    def __post_init__(self) -> None:
        reach = math.log10(-self.width) if -math.inf < self.width <= -1 else math.nan
        if not (
            0 < self.T < math.inf
            and 0 <= self.negative < math.inf
            and reach / 2 < self.positive < 300
            and 16 <= self.length <= 1_000_000
        ):
            raise ValueError(
                f"biexponential needs T > 0, width <= -1, positive > log10(-width) / 2, negative >= 0 and a length of "
                f"16 to 1000000, found T {self.T:g}, positive {self.positive:g}, negative {self.negative:g}, "
                f"width {self.width:g}, length {self.length}"
            )
        try:
            with np.errstate(all="ignore"):
                finite = bool(np.isfinite(self._table[0]).all())
        except (OverflowError, ValueError):
            finite = False
        if not finite:
            raise ValueError(
                f"biexponential: expected a scale that float64 can hold, found T {self.T:g}, positive "
                f"{self.positive:g}, negative {self.negative:g}, width {self.width:g}, length {self.length}"
            )

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Linear values and channels, (length + 1,) each, both rising."""
        n = self.length
        width = math.log10(-self.width)
        decades = self.positive - width / 2
        extra = self.negative + width / 2
        zero = min(int(extra * n / (extra + decades)), n // 2)  # the channel of zero; a whole one
        if zero > 0:
            decades = extra * n / zero
        width /= 2 * decades
        rising = decades * math.log(10.0)
        falling = solve_d(rising, width)
        least = self.T / math.exp(rising)
        channels = np.arange(n + 1)
        up = np.exp(channels / (n + 1) * rising)
        down = np.exp(channels / (n + 1) * -falling) * math.exp((rising + falling) * (width + extra / decades))
        values = least * ((up - down) - (up[zero] - down[zero]))
        values[:zero] = -values[2 * zero : zero : -1]
        return values, channels.astype(np.float64)

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """Channels, with fractions."""
        x, channels = self._table
        return np.asarray(np.interp(np.asarray(values, dtype=np.float64), x, channels), dtype=np.float64)

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """Linear values."""
        x, channels = self._table
        return np.asarray(np.interp(np.asarray(display, dtype=np.float64), channels, x), dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """T, positive, negative, width and length."""
        return {
            "biexponential": {
                "T": self.T,
                "positive": self.positive,
                "negative": self.negative,
                "width": self.width,
                "length": self.length,
            }
        }
