"""The events of a control tube that a cut is taken from: those of the same parent, gated as in the full tube."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.gating.methods._fit import Array, NoControl, View, finite

if TYPE_CHECKING:
    from cytoreg.gating.methods._params import ControlParams

__all__ = ["CONTROLS", "control_values"]

CONTROLS = {"fmo": "FMO", "isotype": "isotype", "unstained": "unstained"}  # methods that need a control tube


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
