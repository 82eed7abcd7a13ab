"""The XML of FlowJo 10 (.wsp) as plain records. Gates follow GatingML 2.0 loosely; the rest is FlowJo's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from cytoreg.compensation import Matrix
from cytoreg.errors import TemplateError
from cytoreg.interop.flowjo.records import (
    Combined,
    Derived,
    Dimension,
    Drawn,
    Listed,
    PopulationRecord,
    SampleRecord,
    Scale,
    Unknown,
    Workspace,
)
from cytoreg.interop.xmlfile import XmlFile, local_name

__all__ = [
    "NAMELESS",
    "attributes",
    "child",
    "children",
    "count_of",
    "gated_alone",
    "groups",
    "names_of",
    "ratio_of",
    "taken_keywords",
    "workspace",
]

BOOLEANS = {"AndNode": "all", "OrNode": "any", "NotNode": "not"}
_KEPT = re.compile(r"\$(P\d+[NG]|TIMESTEP)")
_STROKES = 20
NAMELESS = "population"
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"


def workspace(file: XmlFile) -> Workspace:
    """Read a parsed FlowJo 10 workspace. Raises TemplateError with file and line for what it cannot mean."""
    listed = child(file.root, "SampleList")
    if listed is None:
        file.fail(file.root, "a FlowJo workspace has a SampleList, this has none")
    cytometers = list(children(child(file.root, "Cytometers"), "Cytometer"))
    return Workspace(
        version=10,
        samples=tuple(_listed(file, element) for element in children(listed, "Sample")),
        groups=groups(file.root),
        gated_alone=gated_alone(file.root),
        uses_gain=any(attributes(element).get("useGain") == "1" for element in cytometers),
    )


def attributes(element: Any) -> dict[str, str]:
    """An element's attributes by their names without namespaces."""
    return {key.rpartition("}")[2]: value for key, value in element.attrib.items()}


def children(element: Any, *names: str) -> Iterator[Any]:
    """An element's children of some names, whatever their namespace; none of no element."""
    return (item for item in (() if element is None else element) if local_name(item) in names)


def child(element: Any, *names: str) -> Any:
    """The first child of some names, or None."""
    return next(children(element, *names), None)


def groups(root: Any) -> dict[str, tuple[str, ...]]:
    """Sample ids of each group, by its name."""
    found = {}
    for node in children(child(root, "Groups"), "GroupNode"):
        refs = child(child(node, "Group"), "SampleRefs")
        found[node.get("name", "")] = tuple(ref.get("sampleID", "") for ref in children(refs, "SampleRef"))
    return found


def gated_alone(root: Any) -> tuple[str, ...]:
    """The groups that have gates and no samples, whose gates no sample repeats."""
    empty = {name for name, ids in groups(root).items() if not ids}
    nodes = children(child(root, "Groups"), "GroupNode")
    drawn = {
        node.get("name", "") for node in nodes if any(local_name(item) == "Population" for item in node.iter())
    }
    return tuple(sorted(empty & drawn))


def taken_keywords(sample: Any) -> tuple[dict[str, str], str]:
    """The keywords that gates need, and $FIL; nothing else of a patient's file is kept: they leave the tree."""
    said = {}
    element = child(sample, "Keywords")
    for item in children(element, "Keyword"):
        said[item.get("name", "")] = item.get("value", "")
    if element is not None:
        sample.remove(element)
    return {key: value.strip() for key, value in said.items() if _KEPT.fullmatch(key)}, said.get(
        "$FIL", ""
    ).strip()


def names_of(*words: str) -> tuple[str, ...]:
    """What a sample may be called: each word once, empty ones left out."""
    return tuple(dict.fromkeys(word for word in words if word))


def count_of(file: XmlFile, element: Any) -> int | None:
    """The count that was saved; None where FlowJo had not computed it."""
    text = element.get("count")
    if not text:
        return None
    count = int(file.finite(element, text, "count"))
    return count if count >= 0 else None


def ratio_of(formula: str) -> tuple[tuple[str, str], float] | None:
    """Numerator, denominator and factor of a formula `A / B` or `c * A / B`; None for any other.

    >>> ratio_of('1000 * "FL1-A" / "FL2-A"')
    (('FL1-A', 'FL2-A'), 1000.0)
    """
    text = formula.strip()
    factor = 1.0
    if found := re.match(rf"({_NUMBER})\s*\*\s*(?=[^\d\s])", text):
        factor, text = float(found.group(1)), text[found.end() :]
    strokes = [place for place, sign in enumerate(text) if sign == "/"]
    if len(strokes) > _STROKES or not math.isfinite(factor) or factor == 0:
        return None
    for at in strokes:  # a quoted name may hold a stroke
        quoted = _bare(text[:at].rstrip()), _bare(text[at + 1 :].lstrip())
        if quoted[0] and quoted[1]:
            return (quoted[0], quoted[1]), factor
    above, stroke, below = (part.strip() for part in text.partition("/"))
    if not (above and stroke and below) or re.search(r"[/*()+]", above + below):
        return None
    return None if re.fullmatch(_NUMBER, below) else ((above, below), factor)


def _bare(text: str) -> str:
    """A name without what it is quoted by; empty where it is not quoted."""
    if len(text) < 3 or text[0] not in "\"'[<{" or text[-1] not in "\"']>}":
        return ""
    return text[1:-1].strip()


def _listed(file: XmlFile, element: Any) -> Listed:
    node = child(element, "SampleNode")
    if node is None:
        file.fail(element, "a sample has a SampleNode, this has none")
    dataset = child(element, "DataSet")
    uri = unquote(dataset.get("uri", "")).removeprefix("file:") if dataset is not None else ""
    number = node.get("sampleID") or (dataset.get("sampleID", "") if dataset is not None else "")
    keywords, fil = taken_keywords(element)
    names = names_of(re.split(r"[/\\]", uri)[-1], node.get("name", ""), fil, number)
    return Listed(number, names, partial(_sample, file, element, node, number, names, keywords))


def _sample(
    file: XmlFile, element: Any, node: Any, number: str, names: tuple[str, ...], keywords: Mapping[str, str]
) -> SampleRecord:
    matrix, prefix, suffix = _matrix(file, element)
    return SampleRecord(
        id=number,
        names=names,
        keywords=keywords,
        scales=_scales(file, child(element, "Transformations")),
        matrix=matrix,
        prefix=prefix,
        suffix=suffix,
        populations=tuple(_populations(file, child(node, "Subpopulations"), ())),
        derived=_derived(element),
        element=element,
    )


def _matrix(file: XmlFile, sample: Any) -> tuple[Matrix | str | None, str, str]:
    element = child(sample, "spilloverMatrix")
    if element is None:
        return None, "Comp-", ""
    said = attributes(element)
    prefix, suffix = said.get("prefix", "Comp-"), said.get("suffix", "")
    rows = list(children(element, "spillover"))
    if not rows:  # only named: `-1` is what the file itself says, `-2` nothing
        return None if said.get("id") == "-2" else "from_file", prefix, suffix
    values: list[tuple[float, ...]] = []
    detectors: tuple[str, ...] = ()
    for row in rows:
        cells = [(attributes(cell), cell) for cell in children(row, "coefficient")]
        named = tuple(cell.get("parameter", "") for cell, _ in cells)
        if detectors and set(named) != set(detectors):
            file.fail(row, f"expected coefficients for {', '.join(detectors)}, found {', '.join(named)}")
        detectors = detectors or named
        numbers = {cell.get("parameter", ""): file.finite(at, cell.get("value"), "value") for cell, at in cells}
        values.append(tuple(numbers[name] for name in detectors))
    fluorochromes = tuple(attributes(row).get("parameter", "") for row in rows)
    name = said.get("name") or "matrix"
    name = name if name not in ("none", "from_file") else f"{name} of the workspace"
    try:
        return Matrix(name, detectors, fluorochromes, tuple(values)), prefix, suffix
    except TemplateError as problem:
        file.fail(element, str(problem))


def _scales(file: XmlFile, element: Any) -> Mapping[str, Scale]:
    found = {}
    for item in () if element is None else element:
        for parameter in children(item, "parameter"):
            found[attributes(parameter).get("name", "")] = Scale(local_name(item), attributes(item), item)
    return found


def _derived(sample: Any) -> Mapping[str, Derived]:
    found = {}
    for element in sample.iter():
        if local_name(element) != "DerivedParameter":
            continue
        said = attributes(element)
        formula = said.get("formula") or said.get("equation") or (element.text or "").strip()
        inner = child(element, "Formula", "formula", "Equation")
        if not formula and inner is not None:
            formula = attributes(inner).get("formula") or (inner.text or "").strip()
        if not formula and said.get("numerator") and said.get("denominator"):
            formula = f'"{said["numerator"]}" / "{said["denominator"]}"'
        of, factor = ratio_of(formula) or (None, 1.0)
        found[said.get("name", "")] = Derived(said.get("name", ""), formula, of, factor)
    return found


def _populations(file: XmlFile, element: Any, above: tuple[str, ...]) -> Iterator[PopulationRecord]:
    for node in children(element, "Population", *BOOLEANS):
        path = (*above, node.get("name") or NAMELESS)
        kind = local_name(node)
        gate = _drawn(file, node) if kind == "Population" else _combined(file, node)
        yield PopulationRecord(path, gate, count_of(file, node), node)
        yield from _populations(file, child(node, "Subpopulations"), path)


def _combined(file: XmlFile, node: Any) -> Combined:
    of = tuple(item.get("name", "") for item in children(child(node, "Dependents"), "Dependent"))
    kind = BOOLEANS[local_name(node)]
    if not of or (kind == "not" and len(of) != 1):
        expected = "one population" if kind == "not" else "populations"
        file.fail(node, f"{node.get('name', '')!r}: expected {expected} as Dependent, found {len(of)}")
    return Combined(kind, of)


def _drawn(file: XmlFile, node: Any) -> Drawn | Unknown:
    shapes = list(child(node, "Gate") if child(node, "Gate") is not None else ())
    if len(shapes) != 1:
        file.fail(node, f"{node.get('name', '')!r}: expected one gate, found {len(shapes)}")
    shape = shapes[0]
    kind = {
        "RectangleGate": "rectangle",
        "PolygonGate": "polygon",
        "EllipsoidGate": "ellipse",
        "CurlyQuad": "curly",
        "CurlyQuadGate": "curly",
    }.get(local_name(shape))
    if kind is None:
        return Unknown(
            f"unknown gate {local_name(shape)!r}; known are rectangle, polygon, ellipsoid and CurlyQuad"
        )
    said = attributes(shape)
    resolution = file.finite(shape, said.get("gateResolution", "256"), "gateResolution")
    if not 2 <= resolution <= 65536:
        file.fail(shape, f"gateResolution: expected 2 to 65536, found {resolution:g}")
    return Drawn(
        kind=kind,
        dimensions=tuple(_dimension(file, item) for item in children(shape, "dimension")),
        points=_points(file, child(shape, "edge") if kind == "ellipse" else shape),
        foci=_points(file, child(shape, "foci")),
        inside=said.get("eventsInside", "1") != "0",
        resolution=int(resolution),
        magnetic=said.get("magnetic") == "1",
    )


def _dimension(file: XmlFile, element: Any) -> Dimension:
    named = child(element, "fcs-dimension", "parameter", "new-dimension")
    name = (
        attributes(named).get("name", attributes(named).get("transformation-ref", "")) if named is not None else ""
    )
    if not name:
        file.fail(element, "expected the name of a parameter (fcs-dimension), found none")
    said = attributes(element)
    low, high = (file.number(element, said[key], key) if key in said else None for key in ("min", "max"))
    return Dimension(name, low, high)


def _points(file: XmlFile, element: Any) -> tuple[tuple[float, float], ...]:
    found = []
    for vertex in children(element, "vertex"):
        values = [file.finite(at, attributes(at).get("value"), "value") for at in children(vertex, "coordinate")]
        if len(values) != 2:
            file.fail(vertex, f"expected two coordinates, found {len(values)}")
        found.append((values[0], values[1]))
    return tuple(found)
