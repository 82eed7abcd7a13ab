"""The events of a control tube that a cut is taken from: those of the same parent, gated as in the full tube."""

from __future__ import annotations

from pydantic import Field, model_validator

from cytoreg.gating.methods._fit import Array, By, NoControl, ThresholdParams, View, finite

__all__ = ["CONTROLS", "ControlParams", "control_values"]

CONTROLS = {"fmo": "FMO", "isotype": "isotype", "unstained": "unstained"}  # methods that need a control tube


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


def control_values(view: View, params: ControlParams, kind: str) -> Array:
    """Finite display values of the control. Raises NoControl where there is none, CannotFit where it holds too few.

    They are those of the parent in the control, or of the population that `from` names.
    """
    values = view.control(params.on, params.on, kind, params.source)
    said = CONTROLS[kind]
    if values is None:
        raise NoControl(f"no {said} control for {params.on}")
    where = f" in {params.source}" if params.source else ""
    return finite(values, params.min_events, f"events in the {said} control{where}")
