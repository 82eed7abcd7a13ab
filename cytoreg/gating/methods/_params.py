"""What all methods that place one cut on one axis take."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cytoreg.gating.methods._fit import By, Keep
from cytoreg.strictmodel import StrictModel

__all__ = ["ThresholdParams"]


class ThresholdParams(StrictModel):
    """The schema that such methods derive from.

    on: the axis. keep: which side of the cut. by: over which tubes the cut is shared. source (`from` in a
    template): the population to look at, the parent where it is not given. min_events: the fewest to fit.
    """

    on: str
    source: str | None = Field(default=None, alias="from")
    keep: Keep = "above"
    by: By = "sample"
    fallback: Any = None
    min_events: int = Field(default=100, ge=1)
