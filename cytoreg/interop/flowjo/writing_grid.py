"""How finely FlowJo decides the shapes that are written for it, and what its counts will be.

FlowJo moves vertices and events to whole bins of the display (docs/explanation/flowjo.md): a polygon says into how
many (`gateResolution`, 65,536 at most), an ellipse is in 256, too few for a small one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cytoreg.errors import CytoregError
from cytoreg.gating.binding import Choices
from cytoreg.gating.gate import gate
from cytoreg.gating.gates import Ellipse, Polygon, is_definite
from cytoreg.gating.naming import path_of
from cytoreg.gating.result import Result
from cytoreg.gating.template import Template
from cytoreg.interop.flowjo.reading import read

__all__ = ["count_differences", "polygon_of", "reach_of", "resolution", "span"]

FINEST = 65_536
CORNERS = 256  # of an ellipse that is written as a polygon
ACROSS = 4096  # bins across a polygon's narrower side, where the axis allows it


def span(gate: Polygon | Ellipse) -> list[tuple[float, float]]:
    """The least and the largest display value of a shape, an axis at a time."""
    if isinstance(gate, Polygon):
        corners = np.asarray(gate.vertices, dtype=np.float64)
        lows, highs = corners.min(axis=0), corners.max(axis=0)
    else:
        half = gate.distance * np.sqrt(np.abs(np.diagonal(np.asarray(gate.covariance, dtype=np.float64))))
        lows, highs = np.asarray(gate.center) - half, np.asarray(gate.center) + half
    return [(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def reach_of(template: Template) -> dict[str, tuple[float, float]]:
    """The least and the largest display value of all polygons and ellipses, by axis."""
    found: dict[str, tuple[float, float]] = {}
    for population in template.populations.values():
        for spec in population.gate.walk():
            if isinstance(spec.geometry, Polygon | Ellipse):
                for axis, (low, high) in zip(spec.geometry.on, span(spec.geometry), strict=True):
                    before = found.get(axis, (low, high))
                    found[axis] = min(low, before[0]), max(high, before[1])
    return found


def polygon_of(gate: Ellipse) -> Polygon | None:
    """A polygon of the same area about an ellipse on two axes, for FlowJo to decide on a finer grid than 256 bins.

    Its corners lie on an ellipse 5e-5 larger, and its edges cut as far into it. None where the gate is no ellipse.
    """
    if len(gate.on) != 2 or not is_definite(gate.covariance):
        return None
    step = 2 * np.pi / CORNERS
    angle = (np.arange(CORNERS) + 0.5) * step
    larger = gate.distance * math.sqrt(step / math.sin(step))
    lower = np.linalg.cholesky(np.asarray(gate.covariance, dtype=np.float64))
    points = np.asarray(gate.center)[:, None] + larger * (lower @ np.stack([np.cos(angle), np.sin(angle)]))
    return (
        Polygon(gate.on, tuple((float(x), float(y)) for x, y in points.T)) if np.isfinite(points).all() else None
    )


def resolution(gate: Polygon, displays: Sequence[tuple[float, float]], least: int) -> int:
    """Bins of the display: a power of two from `least` on, so that 4096 lie across the polygon if there can be.

    displays: the ends of each display axis, in display units.
    """
    parts = [(b - a) / (high - low) for (a, b), (low, high) in zip(span(gate), displays, strict=True)]
    if not min(parts) > 0:
        return FINEST
    wanted = ACROSS / min(parts)
    return max(least, min(FINEST, 2 ** math.ceil(math.log2(wanted)))) if math.isfinite(wanted) else FINEST


def count_differences(result: Result, paths: Mapping[str, tuple[str, ...]], written: Path) -> list[str]:
    """A sentence for each population of which FlowJo will count other events than `result`, by FlowJo's own rule.

    paths: of the populations in the workspace, by their id. written: the workspace, which is read and gated again.
    """
    sample = result.bound.sample
    try:
        template = read(written)[0]
        (only,) = template.samples
        again = gate(sample, template.for_sample(only), Choices(), rule="flowjo")
    except CytoregError as problem:
        return [f"what FlowJo will count on its grid could not be computed: {problem}"]
    theirs = {again.bound.path(key): again.count(key) for key in again.names}
    lost = []
    for key, steps in paths.items():
        path = path_of(steps)
        if key in result.names and path in theirs and theirs[path] != result.count(key):
            lost.append(f"population {path!r}: {theirs[path]} events on FlowJo's grid, {result.count(key)} here")
    return lost
