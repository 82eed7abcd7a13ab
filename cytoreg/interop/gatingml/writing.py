"""GatingML 2.0 out: the drawn gates of a template, with their scales, ratios and matrices.

What GatingML has no words for is left out, and said. Ids of XML cannot hold blanks, `+` or `/`: where an id had
to change, a note in custom_info keeps it, which our reader understands and others pass over.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent, register_namespace

import numpy as np

from cytoreg.errors import TemplateError
from cytoreg.fcs.atomic import replace_whole
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle, is_definite
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT, Population, Template
from cytoreg.interop.gatingml.names import DATATYPES, GATING, NOTE, TRANSFORMS
from cytoreg.interop.gatingml.writing_axes import AxisWriter, NoWords, xml_id
from cytoreg.interop.left_behind import left_behind

__all__ = ["write_gatingml"]


def write_gatingml(template: Template, path: Path) -> list[str]:
    """Write a template's drawn gates; a sentence for each thing that could not be carried over.

    Raises TemplateError where there is nothing to write, StoreError where the file cannot be written.
    """
    if template.samples:
        raise TemplateError(
            f"{template.name}: holds the gates of {len(template.samples)} samples, GatingML those of one; "
            "choose one with for_sample"
        )
    writer = _Writer(template)
    root = writer.document()
    for prefix, uri in (
        ("gating", GATING),
        ("transforms", TRANSFORMS),
        ("data-type", DATATYPES),
        ("cytoreg", NOTE),
    ):
        register_namespace(prefix, uri)
    indent(root)
    replace_whole(path, lambda beside: ElementTree(root).write(beside, encoding="utf-8", xml_declaration=True))
    return writer.lost


class _Writer:
    def __init__(self, template: Template) -> None:
        self.template = template
        self.axes = AxisWriter(template)
        self.lost: list[str] = []
        self.ids: dict[str, str] = {}
        self.taken: set[str] = {ROOT, "total"}
        self.gates: list[Element] = []

    def document(self) -> Element:
        template = self.template
        for key, population in template.populations.items():
            left_out = next((o for o in self._needs(population) if o not in self.ids), None)
            before = len(self.gates)
            try:
                if left_out is not None:
                    raise NoWords(f"it needs population {left_out!r}, which was left out")
                self._population(population)
            except NoWords as problem:
                del self.gates[before:]
                self.ids.pop(key, None)
                self.lost.append(f"population {key!r}: {problem}")
        if not self.gates:
            reason = f" ({self.lost[0]})" if self.lost else ""
            raise TemplateError(f"{template.name}: holds no gate that GatingML can say{reason}")
        if template.rule != "events":
            self.lost.append(
                f"the counting rule {template.rule!r}: GatingML decides each event by the gate's true shape"
            )
        self.lost += self.axes.lost
        self.lost += left_behind(template, "GatingML")
        root = Element(f"{{{GATING}}}Gating-ML")
        root.extend(self.axes.elements())
        root.extend(self.gates)
        return root

    def _needs(self, population: Population) -> list[str]:
        return [other for other in (population.parent, *population.gate.populations()) if other != ROOT]

    def _population(self, population: Population) -> None:
        key = self.ids[population.id] = xml_id(population.id, self.taken)
        gate = self._gate(population.gate, key)
        if population.parent != ROOT:
            gate.set(f"{{{GATING}}}parent_id", self.ids[population.parent])
        if key != population.id or population.name != population.id:
            note = Element(f"{{{DATATYPES}}}custom_info")
            SubElement(note, f"{{{NOTE}}}population", {"id": population.id, "name": population.name})
            gate.insert(0, note)
        self.gates.append(gate)

    def _gate(self, spec: GateSpec, key: str) -> Element:
        """The element of a gate; gates that a boolean needs beside it are put before it."""
        if spec.geometry is not None:
            return self._geometry(spec.geometry, key)
        if spec.population is not None:
            return self._boolean("and", [(spec.population, False)] * 2, key)
        if not spec.parts:
            raise NoWords(f"its gate is the method {spec.kind!r}; gate a sample, and export what was placed")
        if (box := _as_box(spec)) is not None:
            return self._rectangle(box.on, box.min, box.max, key)
        kind = {"all": "and", "any": "or", "not": "not"}[spec.kind]
        references = [self._part(part, f"{key}.part{i + 1}") for i, part in enumerate(spec.parts)]
        if kind == "not":
            name, inverted = references[0]
            return (
                self._boolean("and", [(name, False)] * 2, key)
                if inverted
                else self._boolean("not", references, key)
            )
        return self._boolean(kind, references * (2 if len(references) == 1 else 1), key)

    def _part(self, spec: GateSpec, key: str) -> tuple[str, bool]:
        """A part of a boolean as a reference and whether it is the complement that is meant."""
        if spec.population is not None:
            return self.ids[spec.population], False
        if spec.kind == "not" and spec.parts[0].population is not None:
            return self.ids[spec.parts[0].population], True
        own = xml_id(key, self.taken)
        self.gates.append(self._gate(spec, own))
        self.lost.append(f"a gate within a boolean has become a gate of its own, {own!r}")
        return own, False

    def _boolean(self, kind: str, references: Iterable[tuple[str, bool]], key: str) -> Element:
        gate = _named("BooleanGate", key)
        rule = SubElement(gate, f"{{{GATING}}}{kind}")
        for name, inverted in references:
            words = {f"{{{GATING}}}ref": self.ids.get(name, name)}
            SubElement(rule, f"{{{GATING}}}gateReference", words | (_COMPLEMENT if inverted else {}))
        return gate

    def _geometry(self, gate: Gate, key: str) -> Element:
        match gate:
            case Range(on=on, min=low, max=high):
                return self._rectangle(on, (low,), (high,), key)
            case Rectangle(on=on, min=low, max=high):
                return self._rectangle(on, low, high, key)
            case Polygon(on=on, vertices=vertices):
                element = _named("PolygonGate", key)
                lows = np.asarray(vertices, dtype=np.float64).min(axis=0)
                scales = [self.axes.dimension(element, axis, float(v)) for axis, v in zip(on, lows, strict=True)]
                for vertex in vertices:
                    corner = SubElement(element, f"{{{GATING}}}vertex")
                    _values(corner, "coordinate", [s.back(v) for s, v in zip(scales, vertex, strict=True)])
                return element
            case Ellipse(on=on):
                return self._ellipse(gate, on, key)
        raise NoWords("its gate was not placed")

    def _rectangle(
        self, on: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...], key: str
    ) -> Element:
        element = _named("RectangleGate", key)
        for axis, left, right in zip(on, low, high, strict=True):
            self.axes.interval(element, axis, left, right)
        return element

    def _ellipse(self, gate: Ellipse, on: tuple[str, ...], key: str) -> Element:
        if len(on) == 1:  # GatingML's ellipsoids have two dimensions or more
            raise NoWords("an ellipse on one axis; write it as a range")
        element = _named("EllipsoidGate", key)
        lows = np.asarray(gate.center) - gate.distance * np.sqrt(np.abs(np.diagonal(np.asarray(gate.covariance))))
        if not is_definite(gate.covariance):  # then it is no ellipse, and has no ends
            lows = np.full(len(on), -math.inf)
        scales = [self.axes.dimension(element, axis, float(v)) for axis, v in zip(on, lows, strict=True)]
        mean = SubElement(element, f"{{{GATING}}}mean")
        _values(mean, "coordinate", [s.back(v) for s, v in zip(scales, gate.center, strict=True)])
        matrix = SubElement(element, f"{{{GATING}}}covarianceMatrix")
        for a, entries in zip(scales, gate.covariance, strict=True):
            row = SubElement(matrix, f"{{{GATING}}}row")
            _values(row, "entry", [entry / a.factor / b.factor for b, entry in zip(scales, entries, strict=True)])
        reach = SubElement(element, f"{{{GATING}}}distanceSquare")
        reach.set(f"{{{DATATYPES}}}value", repr(float(gate.distance**2)))
        return element


def _as_box(spec: GateSpec) -> Rectangle | None:
    """`all` over intervals on different axes, which is a rectangle."""
    on: list[str] = []
    ends: list[tuple[float, float]] = []
    for part in spec.parts if spec.kind == "all" else ():
        match part.geometry:
            case Range(min=low, max=high):
                ends.append((low, high))
            case Rectangle(min=lows, max=highs):
                ends.extend(zip(lows, highs, strict=True))
            case _:
                return None
        on.extend(part.geometry.on)
    if not on or len(set(on)) < len(on):
        return None
    return Rectangle(tuple(on), tuple(low for low, _ in ends), tuple(high for _, high in ends))


_COMPLEMENT = {f"{{{GATING}}}use-as-complement": "true"}


def _named(kind: str, key: str) -> Element:
    return Element(f"{{{GATING}}}{kind}", {f"{{{GATING}}}id": key})


def _values(parent: Element, tag: str, values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise NoWords("a coordinate of its gate is not finite on the scale")
        SubElement(parent, f"{{{GATING}}}{tag}", {f"{{{DATATYPES}}}value": repr(float(value))})
