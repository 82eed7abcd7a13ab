"""What methods that place one cut on one axis take, and those among them that take it from a control."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from cytoreg.gating.methods._fit import By, Keep, Pool, Weigh
from cytoreg.strictmodel import StrictModel

__all__ = ["ControlParams", "ThresholdParams"]


class ThresholdParams(StrictModel):
    """What all methods that place one cut on one axis take.

    on: the axis. keep: which side of the cut. by: over which tubes the cut is shared. source (`from` in a
    template): the population to look at, the parent where it is not given. min_events: the fewest to fit.

    pool: how tubes that share a cut come to one: the `median` of their cuts, or one fit to the events of all
    (`pooled`), in which each tube, or each event, weighs the same (`weigh`). pull: each tube keeps its own cut unless
    that lies more than so many robust SDs from the others'; then it takes the shared one.
    """

    on: str
    source: str | None = Field(default=None, alias="from")
    keep: Keep = "above"
    by: By = "sample"
    pool: Pool = "median"
    weigh: Weigh = "tubes"
    pull: float | None = Field(default=None, gt=0)
    fallback: Any = None
    min_events: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _shared_by_some(self) -> ThresholdParams:
        said = self.model_fields_set & {"pool", "pull", "weigh"}
        if said and self.by == "sample":
            raise ValueError(f"{min(said)} is for a cut that tubes share; say by: batch, subject or study")
        if "weigh" in said and self.pool != "pooled":
            raise ValueError("weigh is for pool: pooled")
        return self


class ControlParams(ThresholdParams):
    """percentile: of the control's events in the same parent (or in `from`), which lie below the cut.

    by: which control tubes are used: those of the same batch (or `control_set`), subject, or all of the study.
    """

    percentile: float = Field(default=99.5, gt=0, lt=100)
    by: By = "batch"

    @model_validator(mode="after")
    def _of_a_control(self) -> ControlParams:
        if self.pull is not None:
            raise ValueError("pull is for cuts that each tube places itself; this one comes from a control")
        return self
