"""The axes of a template as dimensions of GatingML, with the transformations and matrices that they refer to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from cytoreg.fcs.channel import is_scatter_or_time
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.template import Template
from cytoreg.interop.gatingml.names import DATATYPES, GATING, TRANSFORMS
from cytoreg.interop.gatingml.scales import Scale, ratio_words, words_of
from cytoreg.interop.limits import limit_that_reads
from cytoreg.transforms import Linear, Log, Transform, transform_of

__all__ = ["AxisWriter", "NoWords", "xml_id"]

_ABOVE = 1e-6  # decades that a shape keeps from the end of a logarithmic scale


class NoWords(Exception):
    """GatingML cannot say it; the message says what."""


def xml_id(text: str, taken: set[str]) -> str:
    """An id that XML allows (NCName) and nothing else has, as like the text as can be; it is put among those taken.

    >>> xml_id("CD4+ T", set())
    'CD4pos_T'
    """
    base = re.sub(r"[^\w.-]", "_", text.replace("+", "pos"))
    if not re.match(r"[^\W\d]", base):
        base = f"_{base}"
    one, number = base, 1
    while one in taken:
        number += 1
        one = f"{base}_{number}"
    taken.add(one)
    return one


class AxisWriter:
    """Dimensions of one document. lost: what of the axes could not be said, though their gates could."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.lost: list[str] = []
        self._taken = {"uncompensated", "FCS"}
        self._transforms: dict[tuple[str, tuple[tuple[str, float], ...]], str] = {}
        self._ratios: dict[Ratio, str] = {}
        self._matrices: dict[str, str] = {}

    def dimension(self, gate: Element, axis: str, low: float = -math.inf) -> Scale:
        """Add the dimension of an axis to a gate; where coordinates lie on it. Raises NoWords.

        low: the least display value of the gate's shape. What a clipped log shows at its end, 0, is outside a shape
        that begins above it, as it is on GatingML's log, which is not clipped.
        """
        scale = self._scale(axis)
        if isinstance(scale, Log) and scale.clip and low > _ABOVE:
            scale = replace(scale, clip=False)
        said = words_of(scale)
        if said is None:
            raise NoWords(f"axis {axis!r} has the scale {scale.describe()}, which GatingML does not have")
        self._add(gate, axis, said[0], said[1])
        return said[2]

    def interval(self, gate: Element, axis: str, low: float, high: float) -> None:
        """The dimension of one side of a rectangle.

        Where GatingML does not have the scale, in linear values: a side is one cut of the events on any scale.
        """
        scale = self._scale(axis)
        said = words_of(scale)
        if said is None:
            low, high = _linear_cut(scale, low), _linear_cut(scale, high)
            said = "", {}, Scale(Linear())
        element = self._add(gate, axis, said[0], said[1])
        for word, value in (("min", low), ("max", high)):
            if math.isfinite(value):
                back = limit_that_reads(float(said[2].back(value)), value, said[2].places)
                element.set(f"{{{GATING}}}{word}", repr(back))
            elif (value > 0) == (word == "min"):
                raise NoWords(f"its {word} on {axis!r} is off the end of the scale, so that it holds nothing")

    def elements(self) -> list[Element]:
        """Every transformation and matrix that the dimensions refer to."""
        found = []
        for (kind, words), key in self._transforms.items():
            found.append(self._transformation(key, kind, dict(words), ()))
        for ratio, key in self._ratios.items():
            found.append(self._transformation(key, "fratio", ratio_words(ratio), ratio.of))
        for name, key in self._matrices.items():
            matrix = self.template.matrices[name]
            element = Element(f"{{{TRANSFORMS}}}spectrumMatrix", {f"{{{TRANSFORMS}}}id": key})
            for kind, names in (("fluorochromes", matrix.fluorochromes), ("detectors", matrix.detectors)):
                _channels(SubElement(element, f"{{{TRANSFORMS}}}{kind}"), names)
            for row in matrix.values:
                spectrum = SubElement(element, f"{{{TRANSFORMS}}}spectrum")
                for value in row:
                    SubElement(spectrum, f"{{{TRANSFORMS}}}coefficient").set(
                        f"{{{TRANSFORMS}}}value", repr(float(value))
                    )
            found.append(element)
        return found

    def _add(self, gate: Element, axis: str, kind: str, words: Mapping[str, float]) -> Element:
        spec = self._spec(axis)
        compensation, channels = self._compensation(spec)
        element = SubElement(gate, f"{{{GATING}}}dimension", {f"{{{GATING}}}compensation-ref": compensation})
        if kind:
            parameters = tuple(words.items())
            key = self._transforms.get((kind, parameters))
            if key is None:
                key = xml_id("_".join([kind, *(f"{value:g}" for _, value in parameters)]), self._taken)
                self._transforms[kind, parameters] = key
            element.set(f"{{{GATING}}}transformation-ref", key)
        if spec.ratio is None:
            _channels(element, channels)
        else:
            ratio = Ratio((channels[0], channels[1]), spec.ratio.A, spec.ratio.B, spec.ratio.C)
            if ratio not in self._ratios:
                self._ratios[ratio] = xml_id(f"ratio_{channels[0]}_{channels[1]}", self._taken)
            made = SubElement(element, f"{{{DATATYPES}}}new-dimension")
            made.set(f"{{{DATATYPES}}}transformation-ref", self._ratios[ratio])
        return element

    def _spec(self, axis: str) -> AxisSpec:
        if axis in self.template.axes:
            return self.template.axes[axis]
        note = f"which channel carries {axis!r} depends on the file: GatingML looks for a channel of that name"
        if note not in self.lost:
            self.lost.append(note)
        return AxisSpec(axis)

    def _scale(self, axis: str) -> Transform:
        """The scale of an axis, whatever the file. Raises NoWords where it depends on the file."""
        spec = self.template.axes.get(axis)
        if spec is not None and spec.transform is not None:
            return spec.transform
        words = self.template.transforms
        said = next((value for key, value in words.items() if key.casefold() == axis.casefold()), None)
        if said is None:  # as Template.transform_for
            scatter = is_scatter_or_time(spec.channels[0] if spec is not None else axis)
            said = "linear" if scatter else words.get("default")
        kind, params = (said, {}) if isinstance(said, str) else next(iter((said or {"": {}}).items()))
        if kind in ("linear", "arcsinh", "biexponential") or (kind and "T" in (params or {})):
            return transform_of(kind, params or {})
        raise NoWords(
            f"the top of the scale of {axis!r} depends on the file; gate one, and export what was placed"
        )

    def _compensation(self, spec: AxisSpec) -> tuple[str, tuple[str, ...]]:
        """GatingML's word for it, and the channels as a matrix calls them."""
        said = spec.compensation or self.template.compensation
        if said == "none":
            return "uncompensated", spec.channels
        if said == "from_file":
            return "FCS", spec.channels
        matrix = self.template.matrices.get(said) if isinstance(said, str) else None
        if matrix is None or not isinstance(said, str):
            raise NoWords(f"the matrix {said!r} is a file; gate a sample, and export what was placed")
        names = []
        for channel in spec.channels:
            if channel in matrix.detectors and channel not in matrix.fluorochromes:
                channel = (
                    matrix.fluorochromes[matrix.detectors.index(channel)] if _square(matrix.values) else channel
                )
            names.append(channel)
        outside = [name for name in names if name not in matrix.fluorochromes]
        if len(outside) == len(names):
            return "uncompensated", spec.channels  # a channel that the matrix does not hold is as it is
        if outside:
            raise NoWords(f"the ratio on {spec.name!r} is of a channel of a matrix and of one that is not in it")
        if said not in self._matrices:
            self._matrices[said] = xml_id(said, self._taken)
        return self._matrices[said], tuple(names)

    def _transformation(self, key: str, kind: str, words: Mapping[str, float], names: tuple[str, ...]) -> Element:
        element = Element(f"{{{TRANSFORMS}}}transformation", {f"{{{TRANSFORMS}}}id": key})
        said = {f"{{{TRANSFORMS}}}{word}": repr(float(value)) for word, value in words.items()}
        _channels(SubElement(element, f"{{{TRANSFORMS}}}{kind}", said), names)
        return element


def _linear_cut(scale: Transform, at: float) -> float:
    """The linear value at which a scale that never decreases reaches a display value; open beyond its ends."""
    if not math.isfinite(at):
        return at
    lowest, highest = scale.forward(np.array([-1e300, 1e300]))
    if at <= lowest:
        return -math.inf
    if at > highest:
        return math.inf
    return limit_that_reads(float(scale.inverse(np.array([at]))[0]), at, scale.forward)


def _channels(parent: Element, names: tuple[str, ...]) -> None:
    for name in names:
        SubElement(parent, f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": name})


def _square(values: tuple[tuple[float, ...], ...]) -> bool:
    return len(values) == len(values[0])
