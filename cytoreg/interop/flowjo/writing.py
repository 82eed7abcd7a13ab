"""A template, or the concrete gates of a sample, as a FlowJo 10 workspace.

What is written was opened with FlowKit, and not with FlowJo itself (docs/explanation/flowjo.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent, register_namespace

import numpy as np

from cytoreg.errors import TemplateError
from cytoreg.fcs.atomic import replace_whole
from cytoreg.fcs.sample import Sample
from cytoreg.gating.concrete import concrete_template
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle
from cytoreg.gating.naming import path_of
from cytoreg.gating.result import Result
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT, Population, Template
from cytoreg.interop.flowjo.axes import NotCarried
from cytoreg.interop.flowjo.writing_axes import DATATYPES, GATING, TRANSFORMS, AxisWriter
from cytoreg.interop.flowjo.writing_grid import count_differences, polygon_of, resolution
from cytoreg.interop.left_behind import left_behind
from cytoreg.transforms import Log

__all__ = ["write"]

_NODES = {"all": "AndNode", "any": "OrNode", "not": "NotNode"}
_PLAIN = {"annotation": "", "owningGroup": "", "expanded": "1", "sortPriority": "10", "count": "-1"}


def write(source: Template | Result, path: Path) -> list[str]:
    """Write a workspace; a sentence for each thing that it could not carry over.

    source: a template with the gates of samples, a plain one (the workspace then has one sample, of its name), or
    the result of gating a file. Counts are left for FlowJo to compute.
    Raises TemplateError where there is nothing to write, StoreError where the file cannot be written.
    """
    for prefix, uri in (("gating", GATING), ("transforms", TRANSFORMS), ("data-type", DATATYPES)):
        register_namespace(prefix, uri)
    root = Element("Workspace", {"version": "20.0", "flowJoVersion": "10.7.1", "curGroup": "All Samples"})
    SubElement(root, "Matrices")
    groups = SubElement(root, "Groups")
    listed = SubElement(root, "SampleList")
    lost: list[str] = []
    written: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, str] = {}
    shaped = False
    for i, (name, template, sample) in enumerate(_samples(source), start=1):
        one = _SampleWriter(name, template, sample, i)
        listed.append(one.element())
        numbers[name] = str(i)
        lost += [f"{name}: {sentence}" for sentence in one.lost]
        written |= one.paths
        shaped |= one.shaped
    if not written:
        raise TemplateError(f"{path}: there is no gate that a FlowJo workspace can say{_first(lost)}")
    for group, members in {"All Samples": tuple(numbers), **_groups(source)}.items():
        node = SubElement(groups, "GroupNode", {"name": group, **_PLAIN})
        refs = SubElement(SubElement(node, "Group", {"name": group}), "SampleRefs")
        for member in members:
            SubElement(refs, "SampleRef", {"sampleID": numbers[member]})
    indent(root)
    replace_whole(path, lambda beside: ElementTree(root).write(beside, encoding="utf-8", xml_declaration=True))
    if shaped and isinstance(source, Result):
        lost += count_differences(source, written, path)
    lost += left_behind(source.bound.template if isinstance(source, Result) else source, "a FlowJo workspace")
    return list(dict.fromkeys(lost))


def _first(lost: Sequence[str]) -> str:
    return f" ({lost[0]})" if lost else ""


def _groups(source: Template | Result) -> dict[str, tuple[str, ...]]:
    groups = {} if isinstance(source, Result) else source.groups
    return {name: members for name, members in groups.items() if name != "All Samples"}


def _samples(source: Template | Result) -> list[tuple[str, Template, Sample | None]]:
    if isinstance(source, Result):
        sample = source.bound.sample
        return [(sample.name, concrete_template(source), sample)]
    if source.samples:
        return [(key, item.template, None) for key, item in source.samples.items()]
    return [(f"{source.name}.fcs", source, None)]


class _SampleWriter:
    """One sample's element. lost: what could not be said; written: how many populations were."""

    def __init__(self, name: str, template: Template, sample: Sample | None, number: int) -> None:
        self.name = name
        self.template = template
        self.sample = sample
        self.number = number
        self.axes = AxisWriter(template, sample)
        self.lost: list[str] = []
        self.written = 0
        self.shaped = False
        self._gates = 0
        self._below: dict[str, Element] = {}
        self._nodes: dict[str, Element] = {}
        self._paths: dict[str, tuple[str, ...]] = {ROOT: ()}
        self._taken = Counter(_steps(template, key) for key in template.populations)

    def element(self) -> Element:
        """The Sample, with what its gates need."""
        node = Element("SampleNode", {"name": self.name, **_PLAIN, "sampleID": str(self.number)})
        self._nodes[ROOT] = node
        for population in self.template.populations.values():
            try:
                self._population(population)
            except NotCarried as problem:
                self.lost.append(f"population {population.id!r}: {problem}")
        if self.template.rule != "flowjo" and self.shaped and self.sample is None:
            self.lost.append("FlowJo decides polygons and ellipses on a grid; its counts may differ at the edges")
        if any(spec.kept for spec in self.template.axes.values()):
            self.lost.append("the gates are of FlowJo 9, which kept events as whole channels; FlowJo 10 does not")
        used = {a for key in self._paths if key != ROOT for a in self.template.populations[key].gate.axes()}
        self.axes.fill([name for name in self.template.axes if name in used] or sorted(used))
        matrix, scales = self.axes.elements()
        self.lost += self.axes.lost
        sample = Element("Sample")
        SubElement(sample, "DataSet", {"uri": f"file:{self.name}", "sampleID": str(self.number)})
        if matrix is not None:
            sample.append(matrix)
        sample.append(scales)
        sample.append(self._keywords())
        sample.append(node)
        return sample

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """The paths of the populations that were written, by their id."""
        return {key: path for key, path in self._paths.items() if key != ROOT}

    def _keywords(self) -> Element:
        """Only what gates need: the names of channels, and nothing of the patient."""
        element = Element("Keywords")
        said = {"$FIL": self.name}
        for channel in self.sample.channels if self.sample is not None else ():
            said[f"$P{channel.index + 1}N"] = channel.name
            said[f"$P{channel.index + 1}R"] = f"{channel.range:g}"
            if channel.marker:
                said[f"$P{channel.index + 1}S"] = channel.marker
            if channel.gain != 1.0:
                said[f"$P{channel.index + 1}G"] = repr(channel.gain)
                self.lost.append(f"{channel.name}: $PnG {channel.gain:g}: gates are in values that it divides")
        for key, value in said.items():
            SubElement(element, "Keyword", {"name": key, "value": value})
        return element

    def _population(self, population: Population) -> None:
        needed = (population.parent, *population.gate.populations())
        if missing := next((other for other in needed if other not in self._paths), None):
            raise NotCarried(f"it needs population {missing!r}, which was left out")
        path = (*self._paths[population.parent], population.name)
        node = self._node(population.gate, population.name, population.parent)
        self._nodes[population.id] = node
        self._paths[population.id] = path
        self.written += 1

    def _node(self, spec: GateSpec, name: str, parent: str) -> Element:
        """The element of a population, put below its parent once its gate is known to be sayable."""
        if spec.population is not None:
            node = self._boolean("AndNode", name, [self._path(spec.population)] * 2)
        elif spec.parts and not (spec.kind == "not" and spec.parts[0].geometry is not None):
            paths = [self._part(part, f"{name} part {i}", parent) for i, part in enumerate(spec.parts, start=1)]
            if spec.kind != "not" and len(paths) == 1:
                paths *= 2
            node = self._boolean(_NODES[spec.kind], name, paths)
        else:
            geometry = spec.parts[0].geometry if spec.parts else spec.geometry
            if geometry is None:
                raise NotCarried(f"its gate is the method {spec.kind!r}; gate a sample, and write what was placed")
            shape = self._shape(geometry)
            shape.set("eventsInside", "0" if spec.parts else "1")
            self._gates += 1
            key = {f"{{{GATING}}}id": f"ID{self._gates}"}
            shape.attrib |= key
            node = Element("Population", {"name": name, **_PLAIN})
            gate = SubElement(node, "Gate", key)
            gate.append(shape)
        if parent not in self._below:
            self._below[parent] = SubElement(self._nodes[parent], "Subpopulations")
        self._below[parent].append(node)
        return node

    def _part(self, spec: GateSpec, name: str, parent: str) -> str:
        """The path of a part of a boolean; one that is no population becomes one, by a name that no other has."""
        if spec.population is not None:
            return self._path(spec.population)
        while (*self._paths[parent], name) in self._taken:
            name += "'"
        self._taken[(*self._paths[parent], name)] += 1
        self._node(spec, name, parent)
        self.lost.append(f"a gate within a boolean has become a population of its own, {name!r}")
        return "/".join((*self._paths[parent], name))

    def _path(self, population: str) -> str:
        path = self._paths[population]
        if self._taken[path] > 1:
            raise NotCarried(
                f"a boolean cannot name {path_of(path)!r}: {self._taken[path]} populations have this path"
            )
        if any("/" in step for step in path):
            raise NotCarried(
                f"a boolean cannot name {path_of(path)!r}: FlowJo has no way to write the / in a name"
            )
        return "/".join(path)

    @staticmethod
    def _boolean(kind: str, name: str, paths: Sequence[str]) -> Element:
        node = Element(kind, {"name": name, **_PLAIN})
        holder = SubElement(node, "Dependents")
        for path in paths:
            SubElement(holder, "Dependent", {"name": path})
        return node

    def _shape(self, gate: Gate) -> Element:
        match gate:
            case Range(on=on, min=low, max=high):
                return self._rectangle(on, (low,), (high,))
            case Rectangle(on=on, min=lows, max=highs):
                return self._rectangle(on, lows, highs)
            case Polygon():
                return self._polygon(gate)
            case Ellipse() if len(gate.on) == 2:
                return self._round(gate)
        raise NotCarried("its gate has no equal in FlowJo")

    def _rectangle(self, on: Sequence[str], lows: Sequence[float], highs: Sequence[float]) -> Element:
        element = Element(f"{{{GATING}}}RectangleGate", {"percentX": "0", "percentY": "0"})
        if len(on) > 2:
            self.lost.append(f"a rectangle on {', '.join(on)}: FlowJo itself knows one and two dimensions")
        for axis, low, high in zip(on, lows, highs, strict=True):
            written = self.axes.written(axis)
            dimension = self._dimension(element, written.parameter)
            for key, value in (("min", low), ("max", high)):
                if math.isfinite(value):
                    dimension.set(f"{{{GATING}}}{key}", repr(written.limit(value)))
            if not math.isfinite(low) and isinstance(written.shown, Log):
                self.lost.append(
                    f"a rectangle on {axis} without a lower limit: FlowJo counts values of zero and below in it, which "
                    "have no logarithm and were in none"
                )
        return element

    def _polygon(self, gate: Polygon) -> Element:
        axes = [self.axes.written(axis, shaped=True) for axis in gate.on]
        element = Element(f"{{{GATING}}}PolygonGate", {"quadId": "-1"})
        bins = max(written.bins for written in axes)
        if self.template.rule != "flowjo":  # else the grid is that of the template
            bins = resolution(gate, [written.ends for written in axes], bins)
        self.shaped = True
        element.set("gateResolution", str(bins))
        for written in axes:
            self._dimension(element, written.parameter)
        for vertex in gate.vertices:
            if not all(written.shows(value) for written, value in zip(axes, vertex, strict=True)):
                self.lost.append(f"vertices off the scale of {' or '.join(gate.on)} were moved to its end")
            _vertex(element, [written.linear(value) for written, value in zip(axes, vertex, strict=True)])
        return element

    def _round(self, gate: Ellipse) -> Element:
        """An ellipse whose true shape counts as a polygon, which FlowJo decides far nearer to it; else as an ellipse."""
        polygon = polygon_of(gate) if self.template.rule != "flowjo" else None
        axes = [self.axes.written(axis, shaped=True) for axis in gate.on]
        if polygon is None or not all(
            w.shows(v) for point in polygon.vertices for w, v in zip(axes, point, strict=True)
        ):
            return self._ellipse(gate)
        self.lost.append(
            f"an ellipse on {' and '.join(gate.on)} has become a polygon of {len(polygon.vertices)} corners, "
            "since FlowJo decides ellipses on 256 bins"
        )
        return self._polygon(polygon)

    def _ellipse(self, gate: Ellipse) -> Element:
        """Foci and the ends of both axes, in 256 bins of the display."""
        axes = [self.axes.written(axis, shaped=True) for axis in gate.on]
        center = np.array([written.in_bins(value) for written, value in zip(axes, gate.center, strict=True)])
        steps = np.array([w.in_bins(c + 1.0) - w.in_bins(c) for w, c in zip(axes, gate.center, strict=True)])
        covariance = np.asarray(gate.covariance) * gate.distance**2 * np.outer(steps, steps)
        if not np.isfinite(covariance).all():
            raise NotCarried("its ellipse is too large to compute with")
        lengths, directions = np.linalg.eigh(covariance)
        if lengths.min() <= 0:
            raise NotCarried("its ellipse is not closed")
        self.shaped = True
        minor, major = np.sqrt(lengths)[:, None] * directions.T
        focus = major * math.sqrt(max(0.0, 1.0 - lengths[0] / lengths[1]))
        element = Element(
            f"{{{GATING}}}EllipsoidGate", {f"{{{GATING}}}distance": repr(float(2 * np.sqrt(lengths[1])))}
        )
        for written in axes:
            self._dimension(element, written.parameter)
        for name, points in (("foci", (-focus, focus)), ("edge", (-major, major, -minor, minor))):
            holder = SubElement(element, f"{{{GATING}}}{name}")
            for point in points:
                _vertex(holder, [float(value) for value in center + point])
        return element

    @staticmethod
    def _dimension(element: Element, parameter: str) -> Element:
        dimension = SubElement(element, f"{{{GATING}}}dimension")
        SubElement(dimension, f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": parameter})
        return dimension


def _steps(template: Template, key: str) -> tuple[str, ...]:
    """The names from the first step down to a population."""
    above = [step for step in reversed(template.ancestors(key)) if step != ROOT]
    return tuple(template.populations[step].name for step in (*above, key))


def _vertex(element: Element, values: Sequence[float]) -> None:
    vertex = SubElement(element, f"{{{GATING}}}vertex")
    for value in values:
        SubElement(vertex, f"{{{GATING}}}coordinate", {f"{{{DATATYPES}}}value": repr(float(value))})
