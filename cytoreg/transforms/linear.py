"""Values as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear:
    """Values as they are. GatingML's flin (6.1) only moves and stretches them: its gates are converted."""

    def forward(self, values: npt.NDArray[Any]) -> Array:
        """The same values in float64."""
        return np.asarray(values, dtype=np.float64)

    def inverse(self, display: npt.NDArray[Any]) -> Array:
        """The same values in float64."""
        return np.asarray(display, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """`linear` has no parameters."""
        return {"linear": {}}
