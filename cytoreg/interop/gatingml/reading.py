"""GatingML 2.0 in: every gate of the standard, its scales, matrices and ratios, as one template.

Sections 5 (gates), 6 (transformations) and 4 (compensation) of the standard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, Reference, is_definite
from cytoreg.gating.naming import ids_of, template_name
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import ROOT, Population, Template
from cytoreg.interop.gatingml.axes import Axes
from cytoreg.interop.gatingml.names import DATATYPES, GATING, NOTE, TRANSFORMS, ascending
from cytoreg.interop.gatingml.scales import Scale
from cytoreg.interop.xmlfile import XmlFile, local_name

__all__ = ["read_gatingml"]

INFINITY = math.inf
GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "QuadrantGate", "BooleanGate")


def read_gatingml(path: Path) -> tuple[Template, list[str]]:
    """The template of a GatingML 2.0 file, and what could not be carried over.

    Raises TemplateError with file, line and element.
    """
    return _Reader(XmlFile(path)).template(path)


class _Reader:
    def __init__(self, file: XmlFile) -> None:
        self.file = file
        if file.root.tag != f"{{{GATING}}}Gating-ML":
            found = str(file.root.tag).rpartition("}")
            raise TemplateError(
                f"{file.name}: expected the root Gating-ML of GatingML 2.0, found {found[2]} of "
                f"{found[0].lstrip('{') or 'no namespace'}"
            )
        self.notes = 0
        self.lost: list[str] = []
        self.gates: dict[str, tuple[Any, Callable[[], Gate]]] = {}
        self.quadrants: dict[str, list[str]] = {}
        self.parents: dict[str, str | None] = {}
        self.axes = Axes(file)

    def template(self, path: Path) -> tuple[Template, list[str]]:
        for element in self.file.root:
            self._collect(element)
        self.axes.settle(self._dimensions())
        names = {key: self._noted(element, key) for key, (element, _) in self.gates.items()}
        keys = self._keys(names)
        populations = []
        for key, (element, make) in self.gates.items():
            parent = self.parents[key]
            if parent is not None:
                parent = keys[self._known(parent, element, "parent_id")]
            gate = _renamed(make(), keys)
            populations.append(Population(keys[key], parent or ROOT, drawn(gate), name=names[key][1]))
        if not populations:
            raise TemplateError(f"{self.file.name}: holds no gate")
        name = template_name(path.stem)
        template = Template(
            name, {}, axes=self.axes.specs, matrices=self.axes.matrices, where=self.file.name
        ).with_populations(populations)
        return template, self._report()

    def _collect(self, element: Any) -> None:
        kind = local_name(element)
        if element.tag == f"{{{DATATYPES}}}custom_info":
            self.notes += 1
        elif element.tag in (f"{{{TRANSFORMS}}}transformation", f"{{{TRANSFORMS}}}spectrumMatrix"):
            self.axes.collect(element)
        elif element.tag.startswith(f"{{{GATING}}}") and kind in GATES:
            self._collect_gate(element, kind)
        else:
            known = ["transformation", "spectrumMatrix", "custom_info", *GATES]
            self.file.fail(element, f"is no part of GatingML 2.0 at this place; {suggest(kind, known)}")

    def _collect_gate(self, element: Any, kind: str) -> None:
        self.notes += sum(1 for note in element.iter(f"{{{DATATYPES}}}custom_info") if not _own(note))
        key, parent = self._id(element), attribute(element, "parent_id")
        makers: dict[str, Callable[[Any], Gate]] = {
            "RectangleGate": self._rectangle,
            "PolygonGate": self._polygon,
            "EllipsoidGate": self._ellipsoid,
            "BooleanGate": self._boolean,
        }
        if kind != "QuadrantGate":
            self._add(key, parent, element, lambda: makers[kind](element))
            return
        if key in self.gates or key in self.quadrants:
            self.file.fail(element, f"a gate with the id {key!r} is there already")
        self.quadrants[key] = []
        for quadrant in element.findall(f"{{{GATING}}}Quadrant"):
            inner = self._id(quadrant)
            self.quadrants[key].append(inner)
            self._add(inner, parent, quadrant, lambda q=quadrant: self._quadrant(element, q))  # type: ignore[misc]
        if not self.quadrants[key]:
            self.file.fail(element, "holds no Quadrant")

    def _add(self, key: str, parent: str | None, element: Any, make: Callable[[], Gate]) -> None:
        if key in self.gates or key in self.quadrants:
            self.file.fail(element, f"a gate with the id {key!r} is there already")
        self.gates[key], self.parents[key] = (element, make), parent

    def _id(self, element: Any) -> str:
        key = (attribute(element, "id") or "").strip()
        if not key:
            self.file.fail(element, "the attribute id is required and is not there")
        return key

    def _known(self, key: str, element: Any, what: str) -> str:
        if key in self.quadrants:
            choices = ", ".join(self.quadrants[key])
            self.file.fail(
                element, f"{what} names the quadrant gate {key!r}; name one of its quadrants: {choices}"
            )
        if key not in self.gates:
            self.file.fail(
                element, f"{what} names the gate {key!r}, which is not there; {suggest(key, self.gates)}"
            )
        return key

    def _dimensions(self) -> Iterator[Any]:
        for element in self.file.root:
            for tag in ("dimension", "divider"):
                yield from element.findall(f"{{{GATING}}}{tag}")

    def _axes_of(self, element: Any, least: int = 1, most: int | None = None) -> list[tuple[Any, str, Scale]]:
        found = [(e, *self.axes.of(e)) for e in element.findall(f"{{{GATING}}}dimension")]
        if len(found) < least or (most is not None and len(found) > most):
            wanted = f"{least}" if most == least else f"at least {least}"
            self.file.fail(element, f"needs {wanted} dimensions, found {len(found)}")
        names = [name for _, name, _ in found]
        if len(set(names)) < len(names):
            self.file.fail(element, f"looks at {next(n for n in names if names.count(n) > 1)!r} twice")
        return found

    def _rectangle(self, element: Any) -> Gate:
        on, low, high = [], [], []
        for dimension, axis, scale in self._axes_of(element):
            at = [attribute(dimension, word) for word in ("min", "max")]
            ends = [None if text is None else self.file.number(dimension, text, axis) for text in at]
            left = -INFINITY if ends[0] is None else scale.place(ends[0])
            right = INFINITY if ends[1] is None else scale.place(ends[1])
            if left > right:
                self.file.fail(dimension, f"expected min below max, found {at[0]} and {at[1]}")
            on.append(axis)
            low.append(left)
            high.append(right)
        return _box(on, low, high)

    def _polygon(self, element: Any) -> Gate:
        found = self._axes_of(element, 2, 2)
        vertices = element.findall(f"{{{GATING}}}vertex")
        if len(vertices) < 3:
            self.file.fail(element, f"needs at least 3 vertices, found {len(vertices)}")
        corners = [self._values(vertex, "coordinate", 2) for vertex in vertices]
        (_, x, x_scale), (_, y, y_scale) = found
        return Polygon((x, y), tuple((x_scale.place(a), y_scale.place(b)) for a, b in corners))

    def _ellipsoid(self, element: Any) -> Gate:
        found = self._axes_of(element, 2)
        k = len(found)
        scales = [scale for _, _, scale in found]
        mean = self._values(self._only(element, "mean"), "coordinate", k)
        rows = self._only(element, "covarianceMatrix").findall(f"{{{GATING}}}row")
        if len(rows) != k:
            self.file.fail(element, f"{k} dimensions need a covariance matrix of {k} rows, found {len(rows)}")
        entries = [self._values(row, "entry", k) for row in rows]
        if np.linalg.matrix_rank(_of_one_size(np.array(entries))) < k:
            self.file.fail(element, "the covariance matrix cannot be inverted")
        if not is_definite(entries):
            self.lost.append(
                f"gate {self._id(element)!r} is carried over as it stands, though its covariance matrix is not "
                "symmetric and positive definite, so that what it holds is no ellipsoid"
            )
        squared = self._only(element, "distanceSquare")
        reach = self.file.finite(squared, attribute(squared, "value"), "value")
        if reach <= 0:
            self.file.fail(squared, f"expected a value above 0, found {reach:g}")
        return Ellipse(
            tuple(axis for _, axis, _ in found),
            tuple(scale.place(value) for scale, value in zip(scales, mean, strict=True)),
            tuple(
                tuple(a.factor * b.factor * entry for b, entry in zip(scales, row, strict=True))
                for a, row in zip(scales, entries, strict=True)
            ),
            ascending(reach),
        )

    def _quadrant(self, gate: Any, quadrant: Any) -> Gate:
        dividers = {self._id(divider): divider for divider in gate.findall(f"{{{GATING}}}divider")}
        on, low, high = [], [], []
        for position in quadrant.findall(f"{{{GATING}}}position"):
            reference = attribute(position, "divider_ref") or ""
            if reference not in dividers:
                self.file.fail(position, f"there is no divider {reference!r}; {suggest(reference, dividers)}")
            divider = dividers[reference]
            axis, scale = self.axes.of(divider)
            at = self.file.number(position, attribute(position, "location"), "location")
            texts = divider.findall(f"{{{GATING}}}value")
            cuts = [self.file.finite(divider, text.text, "value") for text in texts]
            if not cuts or any(left >= right for left, right in pairwise(cuts)):
                self.file.fail(divider, f"expected one or more ascending values, found {cuts}")
            if axis in on:
                self.file.fail(position, f"stands twice for {axis!r}")
            on.append(axis)
            low.append(max((scale.place(cut) for cut in cuts if cut <= at), default=-INFINITY))
            high.append(min((scale.place(cut) for cut in cuts if cut > at), default=INFINITY))
        if not on:
            self.file.fail(quadrant, "holds no position")
        return _box(on, low, high)

    def _boolean(self, element: Any) -> Gate:
        rules = [e for e in element if local_name(e) in ("and", "or", "not")]
        if len(rules) != 1:
            self.file.fail(element, f"needs one of and, or, not, found {len(rules)}")
        kind = local_name(rules[0])
        parts: list[Gate] = []
        for reference in rules[0].findall(f"{{{GATING}}}gateReference"):
            key = self._known(attribute(reference, "ref") or "", reference, "ref")
            inverted = (attribute(reference, "use-as-complement") or "false").strip()
            if inverted not in ("true", "false", "1", "0"):
                self.file.fail(reference, f"use-as-complement: expected true or false, found {inverted!r}")
            parts.append(Not(Reference(key)) if inverted in ("true", "1") else Reference(key))
        if not parts or (kind == "not" and len(parts) != 1):
            wanted = "one gateReference" if kind == "not" else "two gateReferences or more"
            self.file.fail(rules[0], f"needs {wanted}, found {len(parts)}")
        if kind == "not":
            return parts[0].part if isinstance(parts[0], Not) else Not(parts[0])
        return (All if kind == "and" else Any_)(tuple(parts))

    def _values(self, element: Any, tag: str, k: int) -> list[float]:
        found = element.findall(f"{{{GATING}}}{tag}")
        if len(found) != k:
            self.file.fail(element, f"needs {k} times {tag}, found {len(found)}")
        return [self.file.finite(item, attribute(item, "value"), "value") for item in found]

    def _only(self, element: Any, tag: str) -> Any:
        found = element.findall(f"{{{GATING}}}{tag}")
        if len(found) != 1:
            self.file.fail(element, f"needs one {tag}, found {len(found)}")
        return found[0]

    def _noted(self, element: Any, key: str) -> tuple[str, str]:
        """Our own id and name of a gate, where a note of ours says them; else the id of the file."""
        for note in element.findall(f"{{{DATATYPES}}}custom_info/{{{NOTE}}}population"):
            return note.get("id") or key, note.get("name") or note.get("id") or key
        return key, key

    def _keys(self, names: dict[str, tuple[str, str]]) -> dict[str, str]:
        """The id of each gate in the template: as noted where all are different, else those of the file."""
        noted = [key for key, _ in names.values()]
        if len(set(noted)) == len(noted) and not {"root", "total"} & set(noted):
            return dict(zip(names, noted, strict=True))
        return dict(zip(names, ids_of([[key] for key in names]), strict=True))

    def _report(self) -> list[str]:
        said = list(self.lost)
        if self.notes:
            said.append(f"{self.notes} custom_info elements, which are notes of the program that wrote the file")
        said += [f"quadrant gate {key!r} as such: its quadrants are rectangles" for key in self.quadrants]
        said += [f"transformation {key!r}, which no gate uses" for key in self.axes.unused()]
        return said


def attribute(element: Any, name: str) -> str | None:
    """An attribute with or without the namespace that the standard gives it."""
    for uri in (GATING, DATATYPES, TRANSFORMS):
        if (value := element.get(f"{{{uri}}}{name}")) is not None:
            return str(value)
    value = element.get(name)
    return None if value is None else str(value)


def _own(note: Any) -> bool:
    return len(note) > 0 and all(child.tag.startswith(f"{{{NOTE}}}") for child in note)


def _of_one_size(matrix: np.ndarray) -> np.ndarray:
    """A covariance matrix without the units of its axes: of a ratio and of light scatter they are 1e16 apart."""
    size = np.sqrt(np.abs(np.diagonal(matrix)))
    if not (size > 0).all():
        return matrix
    with np.errstate(over="ignore"):
        scaled = matrix / size[:, None] / size
    return scaled if np.isfinite(scaled).all() else matrix


def _box(on: list[str], low: list[float], high: list[float]) -> Gate:
    return Range((on[0],), low[0], high[0]) if len(on) == 1 else Rectangle(tuple(on), tuple(low), tuple(high))


def _renamed(gate: Gate, keys: dict[str, str]) -> Gate:
    match gate:
        case Reference(population=key):
            return Reference(keys[key])
        case Not(part=part):
            return Not(_renamed(part, keys))
        case All(parts=parts) | Any_(parts=parts):
            return type(gate)(tuple(_renamed(part, keys) for part in parts))
        case _:
            return gate
