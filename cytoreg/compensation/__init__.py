"""Spillover: read, estimated from single stains, taken out; spectra unmixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cytoreg.lazy import lazily

if TYPE_CHECKING:
    from cytoreg.compensation.controls import Control, SingleStains, controls_of
    from cytoreg.compensation.estimate import Estimate, estimate_spillover, from_controls, spillover_of
    from cytoreg.compensation.matrix import Matrix, matrix_text, read_matrix
    from cytoreg.compensation.taking_out import Compensation, apply, compensation_for
    from cytoreg.compensation.tubes import Finding
    from cytoreg.compensation.unmix import spectra, spectra_of, unmix_events

_HOMES = {
    "Compensation": "taking_out",
    "Control": "controls",
    "Estimate": "estimate",
    "Finding": "tubes",
    "Matrix": "matrix",
    "SingleStains": "controls",
    "apply": "taking_out",
    "compensation_for": "taking_out",
    "controls_of": "controls",
    "estimate_spillover": "estimate",
    "from_controls": "estimate",
    "matrix_text": "matrix",
    "read_matrix": "matrix",
    "spectra": "unmix",
    "spectra_of": "unmix",
    "spillover_of": "estimate",
    "unmix_events": "unmix",
}

__all__ = [
    "Compensation",
    "Control",
    "Estimate",
    "Finding",
    "Matrix",
    "SingleStains",
    "apply",
    "compensation_for",
    "controls_of",
    "estimate_spillover",
    "from_controls",
    "matrix_text",
    "read_matrix",
    "spectra",
    "spectra_of",
    "spillover_of",
    "unmix_events",
]

__getattr__ = lazily(__name__, _HOMES)
