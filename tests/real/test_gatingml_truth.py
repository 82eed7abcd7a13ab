"""Event by event against the truth that ISAC published with GatingML 2.0, for every gate our geometry expresses.

The gates are read from the compliance files here, in the test: our reader, compensation, scales and shapes
are what is judged. Left out are hyperlog and ratio dimensions, which this version does not have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from cytoreg import Sample, read_fcs
from cytoreg.compensation import apply, compensation_for
from cytoreg.fcs import Spillover
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, Reference, contains
from cytoreg.transforms import Arcsinh, Linear, Logicle, Transform

NAMESPACES = {
    "gating": "http://www.isac-net.org/std/Gating-ML/v2.0/gating",
    "transforms": "http://www.isac-net.org/std/Gating-ML/v2.0/transformations",
    "data-type": "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes",
}
G, T, D = (f"{{{uri}}}" for uri in NAMESPACES.values())
TRUTH_OF = {"ParRectangle1": "ParQuadRect"}
NOT_EXPRESSED = {
    *("RatRange1", "RatRange1a", "RatRange2"),
    *("ScaleRange2", "ScaleRange2c", "ScaleRange7c", "ScalePar1"),
}
WITHOUT_TRUTH = {"myEllipse2"}
NOT_GATINGML = "gml_range_gate_attr_testing.xml"


class NotExpressed(Exception):
    """A gate on a hyperlog or ratio dimension."""


@dataclass(frozen=True)
class Scale:
    """One of our scales, and where a coordinate of the file (0 to 1 for most) lies on it: factor * v + shift."""

    transform: Transform
    factor: float = 1.0
    shift: float = 0.0
    logarithm: tuple[float, float] | None = None

    def place(self, value: str | None, open_end: float) -> float:
        if value is None:
            return open_end
        if self.logarithm:  # flog (6.2): log10(x / T) / M + 1, undone, since it only ever rises
            top, decades = self.logarithm
            return top * 10 ** (decades * (float(value) - 1))
        return self.factor * float(value) + self.shift


def scale_of(element: Any) -> Scale:
    """GatingML 2.0, sections 6.1 to 6.4."""
    words = {key.removeprefix(T): float(value) for key, value in element.attrib.items()}
    match element.tag.removeprefix(T):
        case "flin":  # (x + A) / (T + A)
            return Scale(Linear(), words["T"] + words["A"], -words["A"])
        case "flog":
            return Scale(Linear(), logarithm=(words["T"], words["M"]))
        case "fasinh":  # (asinh(x sinh(M ln 10) / T) + A ln 10) / ((M + A) ln 10)
            ten = math.log(10)
            cofactor = words["T"] / math.sinh(words["M"] * ten)
            return Scale(Arcsinh(cofactor), (words["M"] + words["A"]) * ten, -words["A"] * ten)
        case "logicle":
            return Scale(Logicle(**words), words["M"])
    raise NotExpressed(element.tag)


class Compliance:
    """The gates of one file over data1.fcs."""

    def __init__(self, path: Path, sample: Sample) -> None:
        self.sample = sample
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
        root = etree.parse(str(path), parser).getroot()
        self.elements = {e.get(f"{G}id"): e for e in root.iter() if e.tag.startswith(G) and e.get(f"{G}id")}
        self.dividers_of = {
            quadrant.get(f"{G}id"): gate
            for gate in root.iter(f"{G}QuadrantGate")
            for quadrant in gate.iter(f"{G}Quadrant")
        }
        self.transforms = {e.get(f"{T}id"): e[0] for e in root.iter(f"{T}transformation")}
        self.matrices = {e.get(f"{T}id"): e for e in root.iter(f"{T}spectrumMatrix")}
        self.columns: dict[str, np.ndarray] = {}

    def names(self) -> list[str]:
        kinds = ("RectangleGate", "PolygonGate", "EllipsoidGate", "BooleanGate", "Quadrant")
        return [name for name, e in self.elements.items() if e.tag.removeprefix(G) in kinds]

    def mask(self, name: str) -> np.ndarray:
        gate, n = self.gate(name), self.sample.n_events
        inside = contains(gate, self.columns, {other: self.mask(other) for other in references(gate)}, n)
        parent = self.elements[name].get(f"{G}parent_id")
        return inside & self.mask(parent) if parent else inside

    def gate(self, name: str) -> Gate:
        element = self.elements[name]
        match element.tag.removeprefix(G):
            case "RectangleGate":
                found = [self.axis(e) for e in element.iter(f"{G}dimension")]
                ends = [
                    (s.place(e.get(f"{G}min"), -math.inf), s.place(e.get(f"{G}max"), math.inf))
                    for (_, s), e in zip(found, element.iter(f"{G}dimension"), strict=True)
                ]
                on = tuple(axis for axis, _ in found)
                low, high = zip(*ends, strict=True)
                return Range(on, low[0], high[0]) if len(on) == 1 else Rectangle(on, low, high)
            case "PolygonGate":
                (x, x_scale), (y, y_scale) = (self.axis(e) for e in element.iter(f"{G}dimension"))
                corners = [values(vertex, "coordinate") for vertex in element.iter(f"{G}vertex")]
                return Polygon((x, y), tuple((x_scale.place(a, 0), y_scale.place(b, 0)) for a, b in corners))
            case "EllipsoidGate":
                on = tuple(self.axis(e)[0] for e in element.iter(f"{G}dimension"))
                center = tuple(map(float, values(element.find(f"{G}mean"), "coordinate")))
                rows = tuple(tuple(map(float, values(row, "entry"))) for row in element.iter(f"{G}row"))
                squared = float(element.find(f"{G}distanceSquare").get(f"{D}value"))
                return Ellipse(on, center, rows, math.sqrt(squared))
            case "BooleanGate":
                return self.boolean(element)
            case _:
                return self.quadrant(element)

    def boolean(self, element: Any) -> Gate:
        rule = next(e for e in element if e.tag.removeprefix(G) in ("and", "or", "not"))
        parts: list[Gate] = []
        for reference in rule.iter(f"{G}gateReference"):
            other = Reference(reference.get(f"{G}ref"))
            parts.append(Not(other) if reference.get(f"{G}use-as-complement") == "true" else other)
        kind = rule.tag.removeprefix(G)
        return Not(parts[0]) if kind == "not" else (All if kind == "and" else Any_)(tuple(parts))

    def quadrant(self, element: Any) -> Gate:
        gate = self.dividers_of[element.get(f"{G}id")]
        dividers = {e.get(f"{G}id"): e for e in gate.iter(f"{G}divider")}
        on, low, high = [], [], []
        for position in element.iter(f"{G}position"):
            divider = dividers[position.get(f"{G}divider_ref")]
            on.append(self.axis(divider)[0])
            at = float(position.get(f"{G}location"))
            cuts = [-math.inf, *(float(e.text) for e in divider.iter(f"{G}value")), math.inf]
            low.append(max(cut for cut in cuts if cut <= at))
            high.append(min(cut for cut in cuts if cut > at))
        return Rectangle(tuple(on), tuple(low), tuple(high))

    def axis(self, dimension: Any) -> tuple[str, Scale]:
        """The name under which a dimension's column is kept, and its scale."""
        source = dimension.find(f"{D}fcs-dimension")
        if source is None:
            raise NotExpressed("a dimension that is a ratio")
        name, matrix = source.get(f"{D}name"), dimension.get(f"{G}compensation-ref")
        reference = dimension.get(f"{G}transformation-ref")
        scale = Scale(Linear()) if reference is None else scale_of(self.transforms[reference])
        key = f"{name} {matrix} {reference}"
        if key not in self.columns:
            self.columns[key] = scale.transform.forward(self.linear(name, matrix))
        return key, scale

    def linear(self, name: str, matrix: str) -> np.ndarray:
        if matrix in ("uncompensated", "FCS"):  # the file holds no matrix
            assert self.sample.spillover is None
            return self.sample[name]
        element = self.matrices[matrix]
        dyes, detectors = (
            [e.get(f"{D}name") for e in element.find(f"{T}{kind}")] for kind in ("fluorochromes", "detectors")
        )
        rows = [[float(e.get(f"{T}value")) for e in row] for row in element.iter(f"{T}spectrum")]
        taken_out = compensation_for(self.sample, Spillover(tuple(detectors), np.array(rows)))
        assert taken_out is not None
        sources = taken_out.sources(self.sample.index(detectors[dyes.index(name)]))
        return apply(self.sample.columns([i for i, _ in sources]), [weight for _, weight in sources])


def values(element: Any, tag: str) -> list[str]:
    return [e.get(f"{D}value") for e in element.iter(f"{G}{tag}")]


def references(gate: Gate) -> list[str]:
    if isinstance(gate, Reference):
        return [gate.population]
    inner = [gate.part] if isinstance(gate, Not) else getattr(gate, "parts", ())
    return [name for part in inner for name in references(part)]


@pytest.fixture(scope="module")
def folder(real: Path) -> Path:
    return real / "gatingml_compliance"


def compare(path: Path, truth: Path, sample: Sample) -> set[str]:
    """The gates of a file that were compared with their truth, event by event."""
    compliance = Compliance(path, sample)
    compared = set()
    for gate in compliance.names():
        try:
            ours = compliance.mask(gate)
        except NotExpressed:
            assert gate in NOT_EXPRESSED
            continue
        result = truth / f"Results_{TRUTH_OF.get(gate, gate)}.txt"
        if gate in WITHOUT_TRUTH:
            assert not result.exists()
            continue
        expected = np.loadtxt(result, dtype=int).astype(bool)
        differ = np.flatnonzero(ours != expected)
        assert differ.size == 0, f"{path.name}, {gate}: {differ.size} events, first {differ[:5]}"
        compared.add(gate)
    return compared


def test_every_gate_of_the_whole_set_holds_the_events_that_isac_says(folder: Path) -> None:
    sample = read_fcs(folder / "data1.fcs")
    compared = compare(folder / "gml" / "gml_all_gates.xml", folder / "truth", sample)
    assert len(compared) == 42
    assert {
        "Polygon3NS",
        "Ellipse1",
        "FSCD-SSCN-FL1N",
        "And3",
        "Rectangle5",
        "ScaleRange5c",
        "ParAnd3",
    } <= compared


def test_every_file_of_one_gate_holds_the_events_that_isac_says(folder: Path) -> None:
    sample = read_fcs(folder / "data1.fcs")
    compared: set[str] = set()
    for path in sorted((folder / "gml").glob("*.xml")):
        if path.name != NOT_GATINGML:
            compared |= compare(path, folder / "truth", sample)
    truths = {path.stem.removeprefix("Results_") for path in (folder / "truth").glob("*.txt")}
    assert truths - NOT_EXPRESSED == {TRUTH_OF.get(gate, gate) for gate in compared}
    assert truths >= NOT_EXPRESSED
