"""The dimensions of a GatingML file as axes of a template: channel or ratio, compensation, transformation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cytoreg.compensation import Matrix
from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.interop.gatingml.names import DATATYPES, GATING, TRANSFORMS
from cytoreg.interop.gatingml.scales import PARAMETERS, Scale, scale_of
from cytoreg.interop.xmlfile import XmlFile, local_name
from cytoreg.transforms import Linear

__all__ = ["Axes"]

PLAIN = Scale(Linear())
Key = tuple[str, str, str]  # channel or ratio, compensation, transformation


class Axes:
    """What the dimensions of one file refer to, and the axes that they become.

    `collect` takes each transformation and matrix, `settle` all dimensions, so that a channel that is looked
    at in one way only may keep its own name; `of` gives a dimension's axis.
    """

    def __init__(self, file: XmlFile) -> None:
        self.file = file
        self.matrices: dict[str, Matrix] = {}
        self.specs: dict[str, AxisSpec] = {}
        self.scales: dict[str, Scale] = {}
        self.ratios: dict[str, Ratio] = {}
        self._names: dict[Key, str] = {}
        self._used: set[str] = set()

    def collect(self, element: Any) -> None:
        """A transformation or spectrumMatrix. Raises TemplateError where it cannot be what it says."""
        key = (element.get(f"{{{TRANSFORMS}}}id") or element.get("id") or "").strip()
        if not key:
            self.file.fail(element, "the attribute id is required and is not there")
        if key in self.scales or key in self.ratios or key in self.matrices:
            self.file.fail(element, f"a transformation or matrix with the id {key!r} is there already")
        if local_name(element) == "spectrumMatrix":
            self.matrices[key] = self._matrix(element, key)
            return
        kinds = [child for child in element if not str(child.tag).startswith(f"{{{DATATYPES}}}")]
        if len(kinds) != 1 or local_name(kinds[0]) not in PARAMETERS:
            found = ", ".join(map(local_name, kinds)) or "nothing"
            self.file.fail(element, f"{key!r} needs one of {', '.join(PARAMETERS)}, found {found}")
        kind = local_name(kinds[0])
        words = {word: self._parameter(kinds[0], word) for word in PARAMETERS[kind]}
        if kind == "fratio":
            names = self._channels(kinds[0])
            if len(names) != 2:
                self.file.fail(kinds[0], f"a ratio needs two fcs-dimensions, found {len(names)}")
            if words["A"] == 0:
                self.file.fail(kinds[0], f"ratio {key!r}: expected A other than 0, which makes 0 of every event")
            self.ratios[key] = Ratio((names[0], names[1]), words["A"], words["B"], words["C"])
            return
        try:
            self.scales[key] = scale_of(kind, words)
        except (ValueError, OverflowError) as problem:
            self.file.fail(kinds[0], f"transformation {key!r}: {problem}")

    def settle(self, dimensions: Iterable[Any]) -> None:
        """Name the axis of every dimension."""
        keys = dict.fromkeys(self._key(dimension) for dimension in dimensions)
        ways = Counter(channel for channel, _, _ in keys)
        for key in keys:
            channel, compensation, transformation = key
            name = channel if ways[channel] == 1 else f"{channel} ({transformation or 'linear'}, {compensation})"
            while name in self.specs:
                name += "'"
            self._names[key] = name
            self.specs[name] = AxisSpec(
                name,
                channel=None if channel in self.ratios else channel,
                ratio=self.ratios.get(channel),
                compensation={"uncompensated": "none", "FCS": "from_file"}.get(compensation, compensation),
                transform=self.scales[transformation].transform if transformation else Linear(),
                exact=True,
            )

    def of(self, dimension: Any) -> tuple[str, Scale]:
        """The axis of a dimension or divider, and where its coordinates lie."""
        key = self._key(dimension)
        return self._names[key], self.scales[key[2]] if key[2] else PLAIN

    def unused(self) -> list[str]:
        """Transformations that no gate refers to."""
        return [key for key in (*self.scales, *self.ratios) if key not in self._used]

    def _key(self, dimension: Any) -> Key:
        compensation = _attribute(dimension, "compensation-ref")
        if compensation is None:
            self.file.fail(dimension, "the attribute compensation-ref is required and is not there")
        if compensation not in ("uncompensated", "FCS", *self.matrices):
            known = suggest(compensation, ["uncompensated", "FCS", *self.matrices])
            self.file.fail(dimension, f"compensation-ref: there is no matrix {compensation!r}; {known}")
        transformation = _attribute(dimension, "transformation-ref") or ""
        if transformation and transformation not in self.scales:
            known = suggest(transformation, self.scales)
            what = "is a ratio, not a scale" if transformation in self.ratios else "is not there"
            self.file.fail(dimension, f"transformation-ref: {transformation!r} {what}; {known}")
        self._used.add(transformation)
        made = dimension.find(f"{{{DATATYPES}}}new-dimension")
        if made is not None:
            ratio = made.get(f"{{{DATATYPES}}}transformation-ref") or made.get("transformation-ref") or ""
            if ratio not in self.ratios:
                self.file.fail(
                    made, f"transformation-ref: there is no ratio {ratio!r}; {suggest(ratio, self.ratios)}"
                )
            self._used.add(ratio)
            self._in_matrix(made, self.ratios[ratio].of, compensation)
            return ratio, compensation, transformation
        names = self._channels(dimension)
        if len(names) != 1:
            self.file.fail(dimension, f"needs one fcs-dimension or new-dimension, found {len(names)}")
        if names[0] in self.ratios:
            self.file.fail(dimension, f"{names[0]!r} is both a channel and a ratio")
        self._in_matrix(dimension, names, compensation)
        return names[0], compensation, transformation

    def _in_matrix(self, element: Any, names: Iterable[str], compensation: str) -> None:
        """What a matrix gives goes by the names of its fluorochromes; a detector's own name would be ambiguous."""
        matrix = self.matrices.get(compensation)
        for name in names:
            if matrix is not None and name not in matrix.fluorochromes:
                known = suggest(name, matrix.fluorochromes)
                self.file.fail(element, f"matrix {compensation!r} gives no {name!r}; {known}")

    def _channels(self, element: Any) -> list[str]:
        names = []
        for item in element.findall(f"{{{DATATYPES}}}fcs-dimension"):
            name = (item.get(f"{{{DATATYPES}}}name") or item.get("name") or "").strip()
            if not name:
                self.file.fail(item, "the attribute name is required and is not there")
            names.append(name)
        return names

    def _matrix(self, element: Any, key: str) -> Matrix:
        names = []
        for kind in ("fluorochromes", "detectors"):
            inner = element.find(f"{{{TRANSFORMS}}}{kind}")
            if inner is None:
                self.file.fail(element, f"matrix {key!r} needs {kind}, found none")
            names.append(tuple(self._channels(inner)))
        values = []
        for row in element.findall(f"{{{TRANSFORMS}}}spectrum"):
            cells = row.findall(f"{{{TRANSFORMS}}}coefficient")
            values.append(tuple(self._parameter(cell, "value") for cell in cells))
        if key in ("uncompensated", "FCS", "none", "from_file"):
            self.file.fail(element, f"a matrix cannot be called {key!r}")
        try:
            return Matrix(key, names[1], names[0], tuple(values))
        except TemplateError as problem:
            self.file.fail(element, str(problem))

    def _parameter(self, element: Any, word: str) -> float:
        text = element.get(f"{{{TRANSFORMS}}}{word}")
        return self.file.finite(element, element.get(word) if text is None else text, word)


def _attribute(element: Any, name: str) -> str | None:
    value = element.get(f"{{{GATING}}}{name}")
    found = element.get(name) if value is None else value
    return None if found is None else str(found).strip()
