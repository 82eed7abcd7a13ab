"""What every display scale can do."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Transform"]

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
