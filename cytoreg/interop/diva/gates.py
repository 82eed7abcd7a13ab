"""The gates of one FACSDiva tube: element by element to gates of the template, on the axes that they are drawn on.

A region's coordinates are linear values, or log10 of them, or 0 to 4095 along the biexponential axis
(`is_x_parameter_scaled`), whose width of the linear part is `x_parameter_scale_value`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.gates import All, Any_, Gate, Not, Polygon, Range, Rectangle, Reference
from cytoreg.interop.diva import bins as diva_bins
from cytoreg.interop.diva.bins import Scale
from cytoreg.interop.xmlfile import XmlFile
from cytoreg.transforms import Linear, Log, Logicle, Transform

__all__ = ["Axes", "NotCarried", "Parameter", "gate_of", "steps_of"]

CHANNELS = 4096.0
DECADES_OF_BIEXPONENTIAL = 4.5
REGIONS = ("POLYGON_REGION", "RECTANGLE_REGION", "INTERVAL_REGION")
BOOLEANS = {"AND_Classifier": "all", "OR_Classifier": "any", "NOT_Classifier": "not", "RestOf_Classifier": "not"}


class NotCarried(Exception):
    """A gate that has no equal here; the message says what it is."""


@dataclass(frozen=True)
class Parameter:
    """A channel as the tube's settings describe it. top: of its linear scale. coefficients: of its compensation."""

    name: str
    top: float
    coefficients: tuple[float, ...] = ()


def steps_of(fullname: str) -> tuple[str, ...]:
    r"""The names in `All Events\P1\P2` below the first."""
    return tuple(fullname.split("\\")[1:])


class Axes:
    """The axes that the gates of one tube look at, each under one name."""

    def __init__(self, parameters: Mapping[str, Parameter], decades: float) -> None:
        self.parameters = parameters
        self.decades = decades
        self.specs: dict[str, AxisSpec] = {}

    def linear(self, channel: str) -> tuple[str, Scale]:
        """0 to the top of the channel."""
        return self._add(channel, channel, Linear()), Scale(0.0, self.top(channel))

    def log(self, channel: str) -> tuple[str, Scale]:
        """So many decades below the largest value; what lies lower is shown at the lower end."""
        scale = Log(self.top(channel) - 1.0, self.decades, clip=True)
        return self._add(f"{channel} (log)", channel, scale), Scale(0.0, self.decades)

    def biexponential(self, channel: str, width: float) -> tuple[str, Scale]:
        """Logicle over 4.5 decades, whose linear part ends at `width` (linear values) below zero."""
        top = self.top(channel)
        w = 0.5 * (DECADES_OF_BIEXPONENTIAL - math.log10(top / width)) if width > 0 else 0.0
        scale = Logicle(top, max(w, 0.0), DECADES_OF_BIEXPONENTIAL)
        return self._add(f"{channel} ({width:g})", channel, scale), Scale(0.0, DECADES_OF_BIEXPONENTIAL)

    def top(self, channel: str) -> float:
        """The top of a channel's linear scale; 262144 where the tube does not say."""
        return self.parameters[channel].top if channel in self.parameters else 262144.0

    def _add(self, name: str, channel: str, transform: Transform) -> str:
        self.specs[name] = AxisSpec(name, channel, transform=transform, exact=True)
        return name


@dataclass(frozen=True)
class _Side:
    """One axis of a region: its name and display scale, and the region's coordinates in display units."""

    axis: str
    scale: Scale
    values: list[float]

    @property
    def bins(self) -> Any:
        return self.scale.bins(self.values)


def gate_of(file: XmlFile, element: Any, axes: Axes, ids: Mapping[str, str], *, quadrant: Any, bins: bool) -> Gate:
    """The gate of an element. ids: fullname -> id. quadrant: the composite that it is a part of, or None.

    bins: as Diva counts; else the shape as it is drawn. Raises NotCarried where there is no equal,
    TemplateError where the file is wrong.
    """
    kind = element.get("type", "")
    if kind in BOOLEANS:
        return _boolean(file, element, BOOLEANS[kind], ids)
    region = element.find("region")
    if region is None:
        raise NotCarried(f"is a {kind or 'gate without a type'}")
    shape = region.get("type", "")
    if shape not in REGIONS:
        raise NotCarried(f"is a {shape or 'region without a type'}")
    points = region.findall("points/point")
    needed = {"POLYGON_REGION": 3, "RECTANGLE_REGION": 2, "INTERVAL_REGION": 2}[shape]
    if len(points) < needed:
        file.fail(region, f"{shape} needs {needed} points or more, found {len(points)}")
    x = _side(file, element, region, points, "x", axes)
    if shape == "INTERVAL_REGION":
        if bins:
            return diva_bins.interval(x.axis, x.bins, x.scale)
        return Range((x.axis,), min(x.values), max(x.values))
    y = _side(file, element, region, points, "y", axes)
    on = (x.axis, y.axis)
    if x.axis == y.axis:
        raise NotCarried(f"has {x.axis} on both axes")
    corners = np.column_stack([x.bins, y.bins])
    if quadrant is not None:
        return _part(file, quadrant, on, x, y, corners, axes, bins=bins)
    if shape == "RECTANGLE_REGION":
        if bins:
            return diva_bins.rectangle(on, corners, x.scale, y.scale)
        return Rectangle(on, (min(x.values), min(y.values)), (max(x.values), max(y.values)))
    if bins:
        return diva_bins.outline(on, diva_bins.cells(corners), x.scale, y.scale)
    return Polygon(on, tuple(zip(x.values, y.values, strict=True)))


def _boolean(file: XmlFile, element: Any, kind: str, ids: Mapping[str, str]) -> Gate:
    """And, or, not of populations; the rest of a population is what none of the inputs holds."""
    inputs = [(item.text or "").strip() for item in element.findall("input")]
    if not inputs:
        file.fail(element, "expected the populations it is made of (input), found none")
    for name in inputs:
        if name not in ids:
            file.fail(element, f"refers to {name!r}, which is not among the gates of the tube")
    parts = tuple(Reference(ids[name]) for name in inputs)
    if kind == "all":
        return All(parts)
    return Any_(parts) if kind == "any" else Not(parts[0] if len(parts) == 1 else Any_(parts))


def _part(
    file: XmlFile, quadrant: Any, on: tuple[str, str], x: _Side, y: _Side, corners: Any, axes: Axes, *, bins: bool
) -> Gate:
    region = quadrant.find("region")
    points = region.findall("points/point") if region is not None else []
    if not points:
        file.fail(quadrant, "a quadrant gate needs the point where its lines cross, found none")
    middle = [_side(file, quadrant, region, points[:1], side, axes) for side in "xy"]
    if (middle[0].axis, middle[1].axis) != on:
        raise NotCarried(f"is a quadrant of other axes ({', '.join(on)}) than its lines")
    if bins:
        return diva_bins.part(on, corners, (middle[0].bins[0], middle[1].bins[0]), x.scale, y.scale)
    low, high = [-math.inf, -math.inf], [math.inf, math.inf]
    for i, (side, line) in enumerate(zip((x, y), middle, strict=True)):
        above = float(np.mean(side.values)) > line.values[0]
        (low if above else high)[i] = line.values[0]
    return Rectangle(on, tuple(low), tuple(high))


def _side(file: XmlFile, element: Any, region: Any, points: list[Any], side: str, axes: Axes) -> _Side:
    try:
        return _scaled(file, element, region, points, side, axes)
    except ValueError as problem:  # of a scale that cannot be
        file.fail(element, f"{side} axis: {problem}")


def _scaled(file: XmlFile, element: Any, region: Any, points: list[Any], side: str, axes: Axes) -> _Side:
    channel = (region.get(f"{side}parm") or "").strip()
    if not channel:
        file.fail(region, f"{side}parm is required and is not there")
    if axes.parameters and channel not in axes.parameters:
        file.fail(region, f"{side}parm: {channel!r} is not among the parameters of the tube")
    values = [file.finite(point, point.get(side), side) for point in points]
    log = _flag(element, f"is_{side}_parameter_log")
    if _flag(element, f"is_{side}_parameter_scaled"):
        if not log:
            axis, scale = axes.linear(channel)
            return _Side(axis, scale, [scale.high * value / CHANNELS for value in values])
        said = element.findtext(f"{side}_parameter_scale_value")
        axis, scale = axes.biexponential(channel, abs(file.finite(element, said, f"{side}_parameter_scale_value")))
        return _Side(axis, scale, [scale.high * value / CHANNELS for value in values])
    if not log:
        axis, scale = axes.linear(channel)
        return _Side(axis, scale, values)
    axis, scale = axes.log(channel)
    least = math.log10(axes.top(channel) - 1.0) - axes.decades
    return _Side(axis, scale, [value - least for value in values])


def _flag(element: Any, name: str) -> bool:
    return (element.findtext(name) or "").strip().casefold() == "true"
