"""A template's axes as FlowJo's parameters: names, scales, and the one matrix that a sample has there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from cytoreg.compensation import Matrix
from cytoreg.fcs.channel import is_scatter_or_time
from cytoreg.fcs.sample import Sample
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.template import Template
from cytoreg.interop.flowjo.axes import NotCarried
from cytoreg.interop.flowjo.writing_grid import reach_of
from cytoreg.interop.limits import limit_that_reads
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle, Transform

__all__ = ["DATATYPES", "GATING", "TRANSFORMS", "AxisWriter", "Written"]

GATING = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATATYPES = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"
PREFIX = "Comp-"
_TOP = 262144.0
_CLEAR = 0.1  # decades between the lower end of a logarithmic scale and the shapes on it
_MOST_DECADES = 30


@dataclass(frozen=True)
class Written:
    """An axis in the workspace: its parameter there, its scale, the ends of its display, and its bins.

    shown: the scale of the display values that are given, where it is another than the one that is written.
    """

    parameter: str
    transform: Transform
    low: float
    high: float
    bins: int
    unit: float = 1.0
    shown: Transform | None = None

    @property
    def _given(self) -> Transform:
        return self.shown or self.transform

    def linear(self, display: float) -> float:
        """FlowJo's linear value of a display value."""
        return float(self._given.inverse(np.array([display]))[0]) * self.unit

    def limit(self, display: float) -> float:
        """The same for a rectangle's limit: exactly this display value when it is read again."""
        return limit_that_reads(
            self.linear(display), display, lambda values: self._given.forward(values * (1.0 / self.unit))
        )

    def shows(self, display: float) -> bool:
        """Whether a display value lies on the scale."""
        there = self.transform.inverse(self.transform.forward(np.array([self.linear(display) / self.unit])))
        return math.isclose(float(self._given.forward(there)[0]), display, rel_tol=1e-6, abs_tol=1e-6)

    def in_bins(self, display: float) -> float:
        """A display value in 256 bins of the display."""
        low, high = self.ends
        there = (
            display
            if self.shown is None
            else float(self.transform.forward(self.shown.inverse(np.array([display])))[0])
        )
        return (there - low) / (high - low) * 256.0

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the display, in display units."""
        low, high = self.transform.forward(np.array([self.low, self.high]))
        return float(low), float(high)


class AxisWriter:
    """The parameters of one sample, as its gates ask for them. sample: the file, where there is one."""

    def __init__(self, template: Template, sample: Sample | None) -> None:
        self.template = template
        self.sample = sample
        self.matrix: Matrix | None = None
        self.from_file = False
        self.lost: list[str] = []
        self._scales: dict[str, Written] = {}
        self._step = _timestep(sample)
        self._reach = reach_of(template)

    def written(self, axis: str, *, shaped: bool = False) -> Written:
        """The parameter of an axis; `shaped` where the gate's shape depends on the scale.

        Raises NotCarried where FlowJo has no such axis.
        """
        spec = self.template.axes.get(axis) or AxisSpec(axis)
        if spec.ratio is not None:
            raise NotCarried(f"its axis {axis!r} is a ratio, whose form in a workspace is not known")
        found = self._made(spec)
        kept = self._scales.setdefault(found.parameter, found) if shaped else found
        if shaped and kept.transform != found.transform:
            raise NotCarried(f"its axis {axis!r} has another scale than {kept.parameter!r} has in other gates")
        return found

    def elements(self) -> tuple[Element | None, Element]:
        """The matrix, if there is one, and the scales."""
        scales = Element("Transformations")
        for name, written in self._scales.items():
            plain = name.removeprefix(PREFIX)
            for parameter in dict.fromkeys((plain, name) if self._is_compensated(name) else (name,)):
                element = SubElement(scales, *_scale(written))
                SubElement(element, f"{{{DATATYPES}}}parameter", {f"{{{DATATYPES}}}name": parameter})
        return self._matrix_element(), scales

    def fill(self, names: Sequence[str]) -> None:
        """Scales of parameters that only rectangles use."""
        for name in names:
            written = self.written(name)
            self._scales.setdefault(written.parameter, written)

    def _made(self, spec: AxisSpec) -> Written:
        channel = spec.channels[0]
        if self.sample is not None and (found := self._find(channel)) is not None:
            top = self.sample.channels[found].top
        else:
            top = _TOP
        scatter = is_scatter_or_time(channel)
        transform = spec.transform or self.template.transform_for(spec.name, top, is_scatter_or_time=scatter)
        shown = transform
        if isinstance(transform, Log) and not transform.clip:
            transform = self._clipped(channel, transform)
        unit = self._step if channel.casefold() == "time" and isinstance(transform, Linear) else 1.0
        low, high = _ends(transform, spec, top)
        if spec.low is None and spec.high is None and self.template.rule == "events":
            low, high = self._widened(channel, transform, low, high)
        parameter = self._parameter(spec, channel, scatter=scatter)
        return Written(parameter, transform, low, high, spec.bins, unit, None if shown is transform else shown)

    def _widened(self, channel: str, transform: Transform, low: float, high: float) -> tuple[float, float]:
        """The ends of a linear or arcsinh axis, so that no drawn shape reaches beyond: FlowJo counts what lies off
        the axis in its first or last bin. Without a file, whose top is not known, the end fits small shapes too."""
        if not isinstance(transform, Linear | Arcsinh):
            return low, high
        ends = [
            end
            for axis, reach in self._reach.items()
            if channel in (self.template.axes.get(axis) or AxisSpec(axis)).channels
            for end in transform.inverse(np.array(reach))
            if math.isfinite(end)
        ]
        if not ends:
            return low, high
        least, most = min(ends), max(ends)
        if most > high or (self.sample is None and 0 < most < high / 64):
            high = 2.0 ** math.ceil(math.log2(most))
        return min(low, -(2.0 ** math.ceil(math.log2(-least))) if least < 0 else low), high

    def _clipped(self, channel: str, scale: Log) -> Log:
        """The same scale as FlowJo has it, where what lies below is shown at its lower end: with so many decades more
        below that all shapes on it stand clear of that end."""
        lows = [
            low
            for axis, (low, _) in self._reach.items()
            if channel in (spec := self.template.axes.get(axis) or AxisSpec(axis)).channels
            and spec.transform in (None, scale)
        ]
        more = math.ceil(max(0.0, _CLEAR - min(lows, default=_CLEAR)))
        if more > _MOST_DECADES:
            raise NotCarried(f"a shape on {channel!r} lies {more} decades below the end of its logarithmic scale")
        return Log(scale.T, scale.M + more, clip=True)

    def _find(self, channel: str) -> int | None:
        assert self.sample is not None
        return next((item.index for item in self.sample.channels if item.name == channel), None)

    def _parameter(self, spec: AxisSpec, channel: str, *, scatter: bool) -> str:
        choice = self.template.compensation if spec.compensation is None else spec.compensation
        if choice == "none" or (scatter and choice == "from_file"):
            return channel
        matrix = self.template.matrices.get(choice) if isinstance(choice, str) else None
        if matrix is None:
            spillover = self.sample.spillover if self.sample is not None else None
            if spillover is not None:
                rows = tuple(map(tuple, spillover.matrix.tolist()))
                matrix = Matrix("Acquisition-defined", spillover.channels, spillover.channels, rows)
            elif self.sample is not None:
                return channel
            elif self.matrix is not None:
                raise NotCarried(
                    f"it needs the matrix of the file; a sample of FlowJo has one, {self.matrix.name!r}"
                )
            else:
                self.from_file = True
                return PREFIX + channel
        if channel in matrix.detectors and channel not in matrix.fluorochromes:
            if len(matrix.detectors) != len(matrix.fluorochromes):
                raise NotCarried(f"{channel!r} does not come out of the matrix {matrix.name!r}")
            channel = matrix.fluorochromes[matrix.detectors.index(channel)]
        if channel not in matrix.fluorochromes:
            return channel
        if self.from_file:
            raise NotCarried(f"it needs the matrix {matrix.name!r}; a sample of FlowJo has one, that of the file")
        if self.matrix is not None and self.matrix != matrix:
            raise NotCarried(
                f"it needs the matrix {matrix.name!r}; a sample of FlowJo has one, {self.matrix.name!r}"
            )
        self.matrix = matrix
        return PREFIX + channel

    def _is_compensated(self, name: str) -> bool:
        known = self.matrix.fluorochromes if self.matrix is not None else ()
        return name.startswith(PREFIX) and (self.from_file or name.removeprefix(PREFIX) in known)

    def _matrix_element(self) -> Element | None:
        if self.matrix is None and not self.from_file:
            return None
        element = Element(f"{{{TRANSFORMS}}}spilloverMatrix", {"prefix": PREFIX, "suffix": "", "spectral": "0"})
        if self.matrix is None:
            element.attrib |= {"name": "Acquisition-defined", "id": "-1"}
            self.lost.append("the matrix is that of each file: FlowJo takes it from there")
            return element
        matrix = self.matrix
        element.attrib |= {"name": matrix.name, "version": "FlowJo-10.7.1", "id": "cytoreg"}
        parameters = SubElement(element, f"{{{DATATYPES}}}parameters")
        for name in matrix.detectors:
            SubElement(parameters, f"{{{DATATYPES}}}parameter", {f"{{{DATATYPES}}}name": name})
        for name, row in zip(matrix.fluorochromes, matrix.values, strict=True):
            line = SubElement(element, f"{{{TRANSFORMS}}}spillover", {f"{{{DATATYPES}}}parameter": name})
            for detector, value in zip(matrix.detectors, row, strict=True):
                said = {f"{{{DATATYPES}}}parameter": detector, f"{{{TRANSFORMS}}}value": repr(float(value))}
                SubElement(line, f"{{{TRANSFORMS}}}coefficient", said)
        return element


def _timestep(sample: Sample | None) -> float:
    """Seconds of one tick of Time, 1 where the file does not say."""
    try:
        step = float(sample.text.get("$TIMESTEP", "1")) if sample is not None else 1.0
    except ValueError:
        return 1.0
    return step if 0 < step < math.inf else 1.0


def _ends(transform: Transform, spec: AxisSpec, top: float) -> tuple[float, float]:
    """Linear values at the ends of the display."""
    if isinstance(transform, Biexponential):
        low, high = transform.inverse(np.array([0.0, transform.length]))
    elif isinstance(transform, Linear | Arcsinh):
        low, high = 0.0, top
    else:
        low, high = transform.inverse(np.array([0.0, getattr(transform, "M", 1.0)]))
    low = float(low) if spec.low is None else spec.low
    high = float(high) if spec.high is None else spec.high
    return low, high if high > low else low + 1.0


def _scale(written: Written) -> tuple[str, dict[str, str]]:
    """The element of a scale: its name, and its numbers with every digit."""
    transform = written.transform
    said: dict[str, Any]
    match transform:
        case Linear():
            kind, said = (
                "linear",
                {"minRange": written.low * written.unit, "maxRange": written.high * written.unit},
            )
        case Log():
            kind, said = "log", {"offset": transform.T / 10.0**transform.M, "decades": transform.M}
        case Biexponential():
            said = {"maxRange": transform.T, "neg": transform.negative, "width": transform.width}
            kind, said = "biex", {"length": 256, **said, "pos": transform.positive}
        case Arcsinh():
            decades = math.asinh(written.high / transform.cofactor) / math.log(10.0)
            below = max(0.0, math.asinh(-written.low / transform.cofactor) / math.log(10.0))
            said = {"length": 256, "maxRange": written.high, "T": written.high, "A": below, "M": decades}
            kind = "fasinh"
        case Logicle():
            kind, said = "logicle", {"length": 256, "T": transform.T, "A": transform.A, "W": transform.W}
            said["M"] = transform.M
        case Hyperlog():
            said = {"length": 256, "maxRange": transform.T, "T": transform.T, "A": transform.A}
            kind, said = "hyperlog", {**said, "M": transform.M, "W": transform.W}
        case _:
            raise NotCarried(f"its scale {type(transform).__name__} is none of FlowJo's")
    words = {f"{{{TRANSFORMS}}}{key}": str(v) if isinstance(v, int) else repr(float(v)) for key, v in said.items()}
    if kind == "linear":
        words["gain"] = repr(written.unit) if written.unit != 1.0 else "1"
    return f"{{{TRANSFORMS}}}{kind}", words
