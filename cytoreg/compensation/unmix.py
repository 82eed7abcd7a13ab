"""Spectral unmixing: how much of each fluorochrome, and of autofluorescence, the detectors of an event add up to.

Ordinary and weighted least squares (Novo D, Grégori G, Rajwa B. Cytometry A 2013;83A:508-520), from the spectra of
single-colour references. Ordinary least squares is what a matrix that is not square does in a template
(GatingML 2.0, section 4); the weights of an event are the variances of its photons, so each has a solution of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cytoreg.compensation.controls import Control
from cytoreg.compensation.estimate import Estimate, estimate_spillover
from cytoreg.compensation.matrix import Matrix
from cytoreg.errors import TemplateError, suggest

__all__ = ["AUTOFLUORESCENCE", "WEIGHTS", "spectra", "spectra_of", "unmix_events"]

Array = npt.NDArray[np.float64]

AUTOFLUORESCENCE = "Autofluorescence"
WEIGHTS = ("ordinary", "weighted")
BLOCK = 20_000  # events solved at once
WORST_CONDITION = 1e6


def spectra(
    controls: str | Path | Sequence[Control], *, name: str = "spectra", autofluorescence: bool = True
) -> tuple[Matrix, Estimate]:
    """The spectra of single-colour references, a row each with 1 at its brightest detector, and how they were found.

    autofluorescence: a last row for what the unstained tube shows. Raises TemplateError where there is no unstained
    tube for it, or spectra are too much alike to be told apart.
    """
    found = estimate_spillover(controls, draws=0, spectral=True)
    return spectra_of(found, name=name, autofluorescence=autofluorescence), found


def spectra_of(found: Estimate, *, name: str = "spectra", autofluorescence: bool = True) -> Matrix:
    """The same of references that were looked at already."""
    detectors = found.spillover.channels
    rows: list[Array] = []
    names: list[str] = []
    for stain in found.stains:
        rise = np.median(stain.events[stain.positive], axis=0) - np.median(stain.negative, axis=0)
        rows.append(rise / rise.max())
        said = stain.tube.control.channel
        names.append(said if said not in ("", "?") else detectors[stain.place])
    if autofluorescence:
        blank = next((s.negative for s in found.stains if s.reference != "own"), None)
        if blank is None:
            raise TemplateError("autofluorescence needs an unstained tube among the references")
        level = np.median(blank, axis=0)
        if not level.max() > 0:
            raise TemplateError("the unstained tube shows no autofluorescence: its medians are not above 0")
        rows.append(level / level.max())
        names.append(AUTOFLUORESCENCE)
    values = np.array(rows)
    condition = float(np.linalg.cond(values))
    if len(values) > values.shape[1] or condition > WORST_CONDITION:
        alike = _alike(values, names)
        raise TemplateError(
            f"{name}: {len(names)} spectra cannot be told apart by {len(detectors)} detectors; most alike are {alike}"
        )
    return Matrix(name, detectors, tuple(names), tuple(tuple(map(float, row)) for row in values))


def unmix_events(events: Array, matrix: Matrix, weights: str = "ordinary", *, noise: Array | None = None) -> Array:
    """Abundance of each fluorochrome, (n, k), of raw detector values (n, m).

    weights: `ordinary`, or `weighted` by 1 / variance of each detector in each event, taken as noise^2 + the
    value where it is above 0 (photons are Poisson; values in units in which a photon counts 1). noise: (m,) SD of
    an empty detector; 1 where it is not given. Raises TemplateError for another number of detectors.
    """
    values = np.asarray(matrix.values, dtype=np.float64)
    events = np.asarray(events, dtype=np.float64)
    if events.ndim != 2 or events.shape[1] != values.shape[1]:
        raise TemplateError(
            f"matrix {matrix.name!r} has {values.shape[1]} detectors, the events are {events.shape}"
        )
    if weights not in WEIGHTS:
        raise TemplateError(f"unknown weights {weights!r}; {suggest(weights, WEIGHTS)}")
    if weights == "ordinary":
        return np.asarray(events @ np.linalg.pinv(values))
    empty = np.ones(values.shape[1]) if noise is None else np.asarray(noise, dtype=np.float64)
    result = np.empty((len(events), len(values)))
    for start in range(0, len(events), BLOCK):
        block = events[start : start + BLOCK]
        weight = 1.0 / (empty**2 + np.maximum(block, 0.0))
        normal = np.einsum("nm,km,lm->nkl", weight, values, values, optimize=True)
        right = (weight * block) @ values.T
        result[start : start + BLOCK] = np.linalg.solve(normal, right[..., None])[..., 0]
    return result


def _alike(values: Array, names: Sequence[str]) -> str:
    """The two spectra with the largest cosine."""
    unit = values / np.linalg.norm(values, axis=1)[:, None]
    cosine = unit @ unit.T - 2 * np.eye(len(unit))
    i, j = np.unravel_index(int(cosine.argmax()), cosine.shape)
    return f"{names[int(i)]} and {names[int(j)]}"
