"""The older XML of FlowJo 9 (and 8) as plain records.

Its scales are tables of 4097 linear values, one a whole channel, which a biexponential made; the curve is found
from the table again (`curve9`). Gates are in linear values, Time in seconds by $TIMESTEP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from cytoreg.compensation import Matrix
from cytoreg.errors import TemplateError
from cytoreg.interop.flowjo.curve9 import curve_of
from cytoreg.interop.flowjo.records import (
    Combined,
    Dimension,
    Drawn,
    Listed,
    PopulationRecord,
    SampleRecord,
    Scale,
    Unknown,
    Workspace,
)
from cytoreg.interop.flowjo.workspace import (
    NAMELESS,
    child,
    children,
    count_of,
    gated_alone,
    groups,
    names_of,
    taken_keywords,
)
from cytoreg.interop.xmlfile import XmlFile, local_name

__all__ = ["workspace9"]

SHAPES = {"Polygon": "polygon", "PolyRect": "rectangle9", "Ellipse": "ellipse9", "Range": "range9"}


def workspace9(file: XmlFile) -> Workspace:
    """Read a parsed FlowJo 9 workspace. Raises TemplateError with file and line for what it cannot mean."""
    listed = child(file.root, "SampleList", "Samples")
    if listed is None:
        file.fail(file.root, "a FlowJo workspace has a SampleList, this has none")
    tables = list(children(child(file.root, "CalibrationTables"), "Table"))
    matrices = list(children(child(file.root, "CompensationMatrices"), "CompensationMatrix"))
    samples = tuple(_listed(file, element, tables, matrices) for element in children(listed, "Sample"))
    return Workspace(9, samples, groups(file.root), gated_alone(file.root))


def _listed(file: XmlFile, element: Any, tables: list[Any], matrices: list[Any]) -> Listed:
    node = child(element, "SampleNode")
    if node is None:
        file.fail(element, "a sample has a SampleNode, this has none")
    keywords, fil = taken_keywords(element)
    number = element.get("sampleID") or node.get("sampleID", "")
    names = names_of(fil, node.get("name", ""), number)
    record = partial(_sample, file, element, node, number, names, keywords, tables, matrices)
    return Listed(number, names, record)


def _sample(
    file: XmlFile,
    element: Any,
    node: Any,
    number: str,
    names: tuple[str, ...],
    keywords: Mapping[str, str],
    tables: list[Any],
    matrices: list[Any],
) -> SampleRecord:
    matrix, name, prefix, suffix = _matrix(file, element, matrices)
    scales: dict[str, Scale] = {}
    for parameter in children(element, "Parameter"):
        scales |= _scales(file, parameter, keywords, tables, name, prefix, suffix)
    return SampleRecord(
        id=number,
        names=names,
        keywords=keywords,
        scales=scales,
        matrix=matrix,
        prefix=prefix,
        suffix=suffix,
        populations=tuple(_populations(file, node, ())),
        derived={},
        element=element,
    )


def _matrix(file: XmlFile, sample: Any, matrices: list[Any]) -> tuple[Matrix | str | None, str, str, str]:
    """The matrix, its name, and what stands before and after a compensated parameter."""
    which = sample.get("compensationID", "-2")
    if which in ("", "-2"):
        return None, "", "<", ">"
    if which == "-1":
        return "from_file", "Acquisition-defined", "<", ">"
    place = file.finite(sample, which, "compensationID")
    if not 1 <= place <= len(matrices):
        file.fail(sample, f"compensationID: expected 1 to {len(matrices)}, found {which}")
    element = matrices[int(place) - 1]
    name = element.get("name") or element.get("matrixName") or "matrix"
    rows, fluorochromes, detectors = [], [], ()
    for channel in children(element, "Channel"):
        cells = list(children(channel, "ChannelValue"))
        named = tuple(cell.get("name") or cell.get("fluorName", "") for cell in cells)
        detectors = detectors or named
        if named != detectors:
            file.fail(channel, f"expected values for {', '.join(detectors)}, found {', '.join(named)}")
        fluorochromes.append(channel.get("name") or channel.get("fluorName", ""))
        rows.append(tuple(file.finite(c, c.get("value") or c.get("spillValue"), "value") for c in cells))
    before, after = element.get("prefix", "<"), element.get("suffix", ">")
    key = name if name not in ("none", "from_file") else f"{name} of the workspace"
    try:
        return Matrix(key, detectors, tuple(fluorochromes), tuple(rows)), name, before, after
    except TemplateError as problem:
        file.fail(element, str(problem))


def _scales(
    file: XmlFile,
    parameter: Any,
    keywords: Mapping[str, str],
    tables: list[Any],
    matrix: str,
    prefix: str,
    suffix: str,
) -> dict[str, Scale]:
    """The scale of a parameter, and of the same compensated where that has one of its own."""
    name = parameter.get("name", "")
    found = {}
    own = f"{prefix}{name}{suffix}"
    table = next((one for one in tables if one.get("name", "") == f"{matrix} {own}"), None)
    if table is not None:
        found[own] = _of_table(file, table)
    if parameter.get("log") == "1":
        place = int(file.finite(parameter, parameter.get("calibrationIndex", "0"), "calibrationIndex"))
        if 1 <= place <= len(tables):
            found[name] = _of_table(file, tables[place - 1])
        else:
            low = file.finite(parameter, parameter.get("lowValue"), "lowValue")
            decades = parameter.get("decades", "4")
            found[name] = Scale("log", {"offset": repr(max(low, 1e-3)), "decades": decades}, parameter)
        return found
    gain = file.finite(parameter, parameter.get("gain", "1"), "gain")
    top = file.finite(parameter, parameter.get("range", "0"), "range") / (gain or 1.0)
    params = {"minRange": "0", "maxRange": repr(top)}
    if name.casefold() == "time" and keywords.get("$TIMESTEP"):
        params["gain"] = keywords["$TIMESTEP"]
    found[name] = Scale("linear", params, parameter)
    return found


def _of_table(file: XmlFile, table: Any) -> Scale:
    curve = curve_of(table.text or "")
    if curve is None:
        return Scale(f"table {table.get('name', '')}", {}, table)
    return Scale(
        "biex",
        {
            "maxRange": repr(curve.T),
            "pos": repr(curve.positive),
            "neg": repr(curve.negative),
            "width": repr(curve.width),
        },
        table,
    )


def _populations(file: XmlFile, above: Any, path: tuple[str, ...]) -> Iterator[PopulationRecord]:
    for node in children(above, "Population"):
        here = (*path, node.get("name") or node.get("nodeName") or NAMELESS)
        boolean = child(node, "BooleanGate")
        gate = _drawn(file, node) if boolean is None else _combined(file, boolean)
        yield PopulationRecord(here, gate, count_of(file, node), node)
        yield from _populations(file, node, here)


def _is_negated(element: Any) -> bool:
    """Whether what lies outside is meant: `negated` is there, and does not say no."""
    return element.get("negated", "").strip().casefold() not in ("", "0", "false", "no")


def _combined(file: XmlFile, element: Any) -> Combined:
    paths = child(element, "GatePaths")
    words = [(item.text or "").strip() for part in (() if paths is None else paths) for item in part]
    of = tuple(word[1:-1].strip() if word[:1] == word[-1:] == '"' else word for word in words)
    expression = element.get("specification", "")
    if not of or not expression:
        file.fail(element, "a boolean gate has a specification and paths, this lacks one")
    return Combined("all", of, f"!({expression})" if _is_negated(element) else expression)


def _drawn(file: XmlFile, node: Any) -> Drawn | Unknown:
    holder = child(node, "PolygonGate")
    shape = None if holder is None else child(holder, *SHAPES)
    if shape is None and len(holder if holder is not None else ()):
        kinds = ", ".join(local_name(item) for item in holder)
        return Unknown(f"unknown gate {kinds!r}; known are {', '.join(SHAPES)} and BooleanGate")
    if shape is None:
        file.fail(
            node, f"{node.get('name', '')!r}: expected a gate ({', '.join(SHAPES)} or BooleanGate), found none"
        )
    points = [
        (file.finite(vertex, vertex.get("x"), "x"), file.finite(vertex, vertex.get("y"), "y"))
        for vertex in (item for item in shape.iter() if local_name(item) == "Vertex")
    ]
    kind = SHAPES[local_name(shape)]
    names = [name for name in (shape.get("xAxisName", ""), shape.get("yAxisName", "")) if name]
    if kind == "range9":
        if len(points) != 2 or not names:
            file.fail(shape, f"a range has two ends and an axis, found {len(points)} and {len(names)}")
        along = 1 if points[0][0] == points[1][0] and len(names) == 2 else 0
        ends = sorted(point[along] for point in points)
        dimensions: tuple[Dimension, ...] = (Dimension(names[along], ends[0], ends[1]),)
        points = []
    else:
        dimensions = tuple(Dimension(name) for name in names)
    inside = not _is_negated(shape)
    return Drawn(kind, dimensions, tuple(points), inside=inside, magnetic=holder.get("magnetic") == "1")
