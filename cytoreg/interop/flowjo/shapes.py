"""FlowJo's drawn gates as geometry in display units of a template's axes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from cytoreg.gating.binned import Grid
from cytoreg.gating.gates import Ellipse, Gate, Not, Polygon, Range, Rectangle
from cytoreg.interop.flowjo.axes import NotCarried, SampleAxes
from cytoreg.interop.flowjo.records import Drawn
from cytoreg.transforms import Arcsinh, Biexponential, Linear

__all__ = ["gate_of"]

Array = npt.NDArray[np.float64]
_FAR = 1e6  # bins beyond the display, for the open sides of a curly quadrant
_LONGEST = 1e100  # bins; the square of more is beyond float64
_BEND = 0.001  # of FlowJo's curly quadrants, bins per bin squared, as cytolib draws them


def gate_of(drawn: Drawn, axes: SampleAxes) -> Gate:
    """The gate that somebody drew.

    Raises NotCarried where a template cannot say it, ValueError with a sentence where the gate makes no sense.
    """
    if drawn.kind not in ("rectangle", "range9") and len(drawn.dimensions) != 2:
        raise ValueError(f"expected two dimensions, found {len(drawn.dimensions)}")
    match drawn.kind:
        case "rectangle":
            gate = _rectangle(drawn, axes)
        case "polygon":
            gate = _polygon(drawn, axes)
        case "range9":
            gate = _range9(drawn, axes)
        case "rectangle9":
            gate = _rectangle9(drawn, axes)
        case "curly":
            gate = _curly(drawn, axes)
        case _:
            gate = _ellipse(drawn, axes)
    return gate if drawn.inside else Not(gate)


def _rectangle(drawn: Drawn, axes: SampleAxes) -> Gate:
    """Exact in linear values: a limit beyond the ends of its scale is kept on a linear axis."""
    if not drawn.dimensions:
        raise ValueError("expected dimensions, found none")
    names: list[str] = []
    lows: list[float] = []
    highs: list[float] = []
    for dimension in drawn.dimensions:
        limits = [value for value in (dimension.low, dimension.high) if value is not None and math.isfinite(value)]
        if len(limits) == 2 and not limits[0] <= limits[1]:
            raise ValueError(f"{dimension.name}: expected min below max, found {limits[0]:g} and {limits[1]:g}")
        axis = axes.name(dimension.name)
        if not all(axes.shows(axis, value) for value in limits):
            axis = axes.name(dimension.name, linear=True)
        for value, ends, sign in ((dimension.low, lows, -1.0), (dimension.high, highs, 1.0)):
            finite = value is not None and math.isfinite(value)
            ends.append(axes.display(axis, [value])[0] if finite and value is not None else sign * math.inf)
        names.append(axis)
    if len(set(names)) < len(names):
        raise ValueError(f"the same parameter stands twice: {', '.join(names)}")
    if len(names) == 1:
        return Range((names[0],), lows[0], highs[0])
    return Rectangle(tuple(names), tuple(lows), tuple(highs))


def _range9(drawn: Drawn, axes: SampleAxes) -> Gate:
    """FlowJo 9's, on the display; an end that lies beyond the scale is open."""
    (dimension,) = drawn.dimensions
    axis = axes.name(dimension.name)
    low, high = dimension.low or 0.0, dimension.high or 0.0
    return Range(
        (axis,),
        axes.display(axis, [low])[0] if axes.shows(axis, low) else -math.inf,
        axes.display(axis, [high])[0] if axes.shows(axis, high) else math.inf,
    )


def _rectangle9(drawn: Drawn, axes: SampleAxes) -> Gate:
    """FlowJo 9's, by its corners; what lies off the axis is at its end."""
    if len(drawn.points) < 2:
        raise ValueError(f"a rectangle has corners, found {len(drawn.points)}")
    on = (axes.name(drawn.dimensions[0].name), axes.name(drawn.dimensions[1].name))
    columns = [axes.display(axis, [point[i] for point in drawn.points]) for i, axis in enumerate(on)]
    return Rectangle(on, (min(columns[0]), min(columns[1])), (max(columns[0]), max(columns[1])))


def _polygon(drawn: Drawn, axes: SampleAxes) -> Gate:
    if len(drawn.points) < 3:
        raise ValueError(f"a polygon has at least 3 vertices, found {len(drawn.points)}")
    on = tuple(axes.name(dimension.name, bins=drawn.resolution) for dimension in drawn.dimensions)
    columns = [axes.display(axis, [point[i] for point in drawn.points]) for i, axis in enumerate(on)]
    return Polygon(on, tuple(zip(*columns, strict=True)))


def _ellipse(drawn: Drawn, axes: SampleAxes) -> Gate:
    """By its foci and the length of its long axis, both in 256 bins of the display; FlowJo 9's by its four ends."""
    on = tuple(axes.name(dimension.name) for dimension in drawn.dimensions)
    if len(drawn.points) != 4:
        raise ValueError(f"an ellipse has 4 edge points, found {len(drawn.points)}")
    if drawn.kind == "ellipse9":
        points = np.column_stack(
            [axes.display(axis, [point[i] for point in drawn.points]) for i, axis in enumerate(on)]
        )
        first, second = (points[0] - points[1]) / 2, (points[2] - points[3]) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            covariance = first[:, None] * first + second[:, None] * second
        return _with_covariance(on, points.mean(axis=0), covariance)
    if len(drawn.foci) != 2:
        raise ValueError(f"an ellipse has 2 foci, found {len(drawn.foci)}")
    ends, foci = np.array(drawn.points), np.array(drawn.foci)
    half = max(math.dist(ends[0], ends[1]), math.dist(ends[2], ends[3])) / 2
    if not half < _LONGEST:
        raise ValueError(f"expected edge points of an ellipse less than {_LONGEST:g} bins apart, found {half:g}")
    between = math.dist(foci[0], foci[1]) / 2
    if not half > between:
        raise ValueError("the foci of an ellipse lie within it; these lie beyond its edge points")
    along = (foci[1] - foci[0]) / (2 * between) if between > 0 else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    covariance = half**2 * along[:, None] * along + (half**2 - between**2) * across[:, None] * across
    grids = [_grid(axes, axis) for axis in on]
    step = np.array([(grid.high - grid.low) / grid.bins for grid in grids])
    center = np.array([grid.low for grid in grids]) + foci.mean(axis=0) * step
    return _with_covariance(on, center, covariance * step[:, None] * step)


def _with_covariance(on: tuple[str, ...], center: Array, covariance: Array) -> Ellipse:
    if not np.isfinite(covariance).all():
        raise ValueError("the axes of an ellipse are too long to compute with")
    if np.linalg.eigvalsh(covariance).min() <= 0:
        raise ValueError("an ellipse has two axes longer than 0")
    rows = tuple((float(row[0]), float(row[1])) for row in covariance)
    return Ellipse(on, tuple(map(float, center)), rows)


def _curly(drawn: Drawn, axes: SampleAxes) -> Gate:
    """One quadrant of four whose dividers bend away above and to the right of where they cross."""
    for dimension in drawn.dimensions:
        if (dimension.low is None) == (dimension.high is None):
            raise ValueError(f"{dimension.name}: a curly quadrant has either min or max")
    on = tuple(axes.name(dimension.name) for dimension in drawn.dimensions)
    grids = [_grid(axes, axis) for axis in on]
    signs = [dimension.low is not None for dimension in drawn.dimensions]
    values = [dimension.low if dimension.low is not None else dimension.high for dimension in drawn.dimensions]
    shown = [axes.display(axis, [value or 0.0])[0] for axis, value in zip(on, values, strict=True)]
    x, y = ((at - grid.low) / (grid.high - grid.low) * grid.bins for at, grid in zip(shown, grids, strict=True))
    rise, run = (np.linspace(start, max(start + 1.0, 256.0), 41) for start in (y, x))
    up = [(x + round(_BEND * (at - y) ** 2), at) for at in rise]
    right = [(at, y + round(_BEND * (at - x) ** 2)) for at in run]
    up.append((up[-1][0], _FAR))
    right.append((_FAR, right[-1][1]))
    down, left = [(x, y), (x, -_FAR)], [(x, y), (-_FAR, y)]
    corners = {
        (True, True): [*up, (_FAR, _FAR), *reversed(right)],
        (False, True): [*up, (-_FAR, _FAR), *reversed(left)],
        (True, False): [*right, (_FAR, -_FAR), *reversed(down)],
        (False, False): [*left, (-_FAR, -_FAR), *reversed(down)],
    }[signs[0], signs[1]]
    columns = [grid.display(np.array([corner[i] for corner in corners])) for i, grid in enumerate(grids)]
    return Polygon(on, tuple((float(a), float(b)) for a, b in zip(*columns, strict=True)))


def _grid(axes: SampleAxes, axis: str) -> Grid:
    """The 256 bins that a gate is written in. Raises NotCarried where the workspace does not say their range."""
    spec = axes.axes[axis]
    scale = spec.transform
    if isinstance(scale, Biexponential):
        return Grid(0.0, float(scale.length))
    if isinstance(scale, Linear | Arcsinh):
        if spec.low is None or spec.high is None:
            raise NotCarried(f"the axis {axis!r} has no range, and the gate is written in parts of it")
        low, high = (float(value) for value in scale.forward(np.array([spec.low, spec.high])))
        return Grid(low, high)
    return Grid(0.0, float(getattr(scale, "M", 1.0)))
