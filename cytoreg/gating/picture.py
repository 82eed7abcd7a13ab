"""What a picture of a gate shows: the parent's events as a grid of counts on display axes, the gate's outline, and what
it leaves out.

Plain data that a report can draw later without the FCS file.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.gating.events import Axis
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Nothing, Polygon, Range, Rectangle, is_definite
from cytoreg.gating.left_out import left_out
from cytoreg.gating.result import Result
from cytoreg.transforms import Linear

__all__ = ["outline", "pictures_of", "ticks"]

BINS_2D = 96
BINS_1D = 160
Array = npt.NDArray[np.float64]


def pictures_of(result: Result) -> list[dict[str, Any]]:
    """A picture for each population whose gate looks at an axis, in the order of the tree."""
    return [
        _picture(result, name, axes)
        for name in result.names
        if name in result.gates and (axes := _axes_of(result, name))
    ]


def _axes_of(result: Result, name: str) -> list[str]:
    """The axes the template names for the picture, else the first two that the gate looks at."""
    asked = [axis for axis in result.bound.template.populations[name].plot if axis in result.bound.axes]
    own = [axis for axis in result.gates[name].gate.on if axis in result.bound.axes]
    if not own and not asked:
        return []  # a boolean over populations has no axes of its own
    return (asked or own)[:2]


def _picture(result: Result, name: str, axes: list[str]) -> dict[str, Any]:
    parent = result.bound.parents[name]
    node = result.nodes[parent]
    columns = [result.events.display(node, axis) for axis in axes]
    spans = [_span(result, axis, column) for axis, column in zip(axes, columns, strict=True)]
    if len(axes) == 2:
        counts, _, _ = np.histogram2d(columns[1], columns[0], bins=BINS_2D, range=(spans[1], spans[0]))
    else:
        counts = np.histogram(columns[0], bins=BINS_1D, range=spans[0])[0][None, :]
    packed = zlib.compress(np.minimum(counts, 65535).astype("<u2").tobytes(), 6)
    described = [_axis(result.bound.axes[axis], span) for axis, span in zip(axes, spans, strict=True)]
    share = result.share(name, parent)
    applied = result.gates[name]
    return {
        "population": name,
        "parent": parent,
        "path": result.bound.path(name),
        "title": f"{result.bound.name(name)} in {'all events' if parent == 'root' else result.bound.name(parent)}",
        "x": described[0],
        "y": described[1] if len(axes) == 2 else None,
        "nx": int(counts.shape[1]),
        "ny": int(counts.shape[0]),
        "grid": base64.b64encode(packed).decode("ascii"),
        "shapes": outline(applied.gate, axes),
        "left_out": [[float(f"{edge:.7g}") for edge in box] for box in left_out(applied.gate, axes, spans)],
        "count": share.count,
        "parent_count": share.ancestor_count,
        "percent": share.value,
        "ci_low": share.ci_low,
        "ci_high": share.ci_high,
        "method": ", ".join(dict.fromkeys(part.method for part in applied.parts)),
        "flags": list(result.flags_of(name)),
        "score": min((part.score for part in applied.parts if part.score is not None), default=None),
        "reasons": [*(reason for part in applied.parts for reason in part.reasons), *_undrawn(applied.gate)],
    }


def _span(result: Result, axis: str, column: Array) -> tuple[float, float]:
    """What the axis shows: nearly all events, and on scatter the whole scale from 0."""
    finite = column[np.isfinite(column)]
    bound = result.bound.axes[axis]
    if isinstance(bound.transform, Linear) and (bound.spec is None or bound.channel.is_scatter_or_time):
        high = float(np.percentile(finite, 99.5)) if len(finite) else bound.channel.top
        return 0.0, max(min(high * 1.1, bound.channel.top), 1e-9)
    whole = result.events.display(result.nodes["root"], axis)
    whole = whole[np.isfinite(whole)]
    low, high = np.percentile(whole, [0.1, 99.9]) if len(whole) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _axis(axis: Axis, span: tuple[float, float]) -> dict[str, Any]:
    plain = axis.spec is not None or axis.name == axis.channel.name  # a stated axis says itself what it is
    label = axis.name if plain else f"{axis.name} ({axis.channel.name})"
    return {"label": label, "min": span[0], "max": span[1], "ticks": ticks(axis, span)}


def ticks(axis: Axis, span: tuple[float, float]) -> list[list[Any]]:
    """Positions in display units with what to write there: round linear values that lie in the span."""
    if isinstance(axis.transform, Linear):
        least = (span[1] - span[0]) / 6.5
        power = 10.0 ** math.floor(math.log10(max(least, 1e-9)))
        step = next(power * s for s in (1, 2, 5, 10) if power * s >= least)
        values = [step * i for i in range(math.ceil(span[0] / step), math.floor(span[1] / step) + 1)]
        return [[value, _short(value)] for value in values]
    powers = [10.0**p for p in range(1, 8)]
    values = [*(-p for p in reversed(powers)), 0.0, *powers]
    positions = axis.transform.forward(np.asarray(values))
    with np.errstate(over="ignore", invalid="ignore"):
        # a scale that ends shows what lies beyond it at its end, where another value belongs
        there = np.isclose(axis.transform.inverse(positions), values, rtol=1e-3, atol=1e-2)
    found: list[list[Any]] = [
        [float(p), _short(v)]
        for p, v, true in zip(positions, values, there, strict=True)
        if true and span[0] <= p <= span[1]
    ]
    least = 0.06 * (span[1] - span[0])
    kept: list[list[Any]] = []
    for tick in sorted(found, key=lambda item: (item[1] != "0", -abs(float(item[0])))):
        if all(abs(tick[0] - other[0]) >= least for other in kept):
            kept.append(tick)
    return sorted(kept, key=lambda item: item[0])


def _short(value: float) -> str:
    size = abs(value)
    text = f"{size / 1e6:g}M" if size >= 1e6 else f"{size / 1e3:g}K" if size >= 1e3 else f"{size:g}"
    return f"−{text}" if value < 0 else text


def outline(gate: Gate, axes: list[str]) -> list[dict[str, Any]]:
    """The outline of a gate as far as these axes show it."""
    match gate:
        case All(parts=parts) | Any_(parts=parts):
            return [shape for part in parts for shape in outline(part, axes)]
        case Not(part=part):
            return outline(part, axes)
        case Range(on=on, min=low, max=high):
            return _lines(on[0], (low, high), axes)
        case Rectangle(on=on, min=low, max=high):
            if len(on) == 2 and list(on) == axes and all(map(math.isfinite, (*low, *high))):
                corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
                return [_polygon(corners)]
            return [line for i, axis in enumerate(on) for line in _lines(axis, (low[i], high[i]), axes)]
        case Polygon(on=on, vertices=vertices) if set(on) == set(axes):
            return [_polygon([vertex if list(on) == axes else vertex[::-1] for vertex in vertices])]
        case Ellipse(on=on) if len(on) == 2 and set(on) == set(axes):
            points = _ellipse_points(gate)
            return [_polygon([point if list(on) == axes else point[::-1] for point in points])] if points else []
        case Nothing() | _:
            return []


def _undrawn(gate: Gate) -> list[str]:
    """Why an ellipse has no outline in the picture, in words."""
    match gate:
        case All(parts=parts) | Any_(parts=parts):
            return list(dict.fromkeys(word for part in parts for word in _undrawn(part)))
        case Not(part=part):
            return _undrawn(part)
        case Ellipse(on=on) if len(on) > 2:
            return [f"the gate is an ellipsoid on {len(on)} axes ({', '.join(on)}); its outline is not drawn"]
        case Ellipse(on=on) if not is_definite(gate.covariance):
            return ["the covariance is not that of an ellipse; the gate has no outline"]
    return []


def _lines(axis: str, limits: tuple[float, float], axes: list[str]) -> list[dict[str, Any]]:
    if axis not in axes:
        return []
    letter = "xy"[axes.index(axis)]
    return [{"kind": "line", "axis": letter, "at": float(at)} for at in limits if math.isfinite(at)]


def _polygon(points: list[tuple[float, float]]) -> dict[str, Any]:
    return {"kind": "polygon", "points": [[float(x), float(y)] for x, y in points], "closed": True}


def _ellipse_points(gate: Ellipse, n: int = 72) -> list[tuple[float, float]]:
    if not is_definite(gate.covariance):
        return []  # what lies inside is no ellipse and has no closed outline
    lower = np.linalg.cholesky(np.asarray(gate.covariance))
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = gate.distance * (lower @ np.stack([np.cos(angle), np.sin(angle)])) + np.asarray(gate.center)[:, None]
    return [(float(x), float(y)) for x, y in points.T]
