"""The gating template: its schema, and the checks that need no data (unknown parents, loops, unknown words)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.spec import GateSpec, parse_gate
from cytoreg.transforms import Arcsinh, Linear, Logicle, Transform
from cytoreg.yamlfile import StrictModel, YamlDocument, validate

__all__ = ["Population", "Template", "parse_template"]

ROOT = "root"


@dataclass(frozen=True)
class Population:
    """One population as the template declares it.

    gate: how it is cut out of its parent. requires: markers without which the step cannot be done;
    if_missing: `error`, or `skip` (its children then hang on the nearest step that was done).
    plot: the axes of its picture. meaning: one sentence for the docs and the report.
    """

    name: str
    parent: str
    gate: GateSpec
    requires: tuple[str, ...] = ()
    if_missing: str = "error"
    plot: tuple[str, ...] = ()
    meaning: str = ""


@dataclass(frozen=True)
class Template:
    """A gating template. populations stand in an order in which each comes after what it needs."""

    name: str
    populations: Mapping[str, Population]
    description: str = ""
    reference: str = ""
    markers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compensation: str = "from_file"
    transforms: Mapping[str, Any] = field(default_factory=dict)
    report: tuple[str, ...] = ()
    intensities: tuple[str, ...] = ()
    where: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of all that decides the numbers."""
        return hashlib.sha256(json.dumps(self.source, sort_keys=True, default=str).encode()).hexdigest()

    def transform_for(self, axis: str, top: float, *, is_scatter_or_time: bool) -> Transform:
        """The display scale of an axis; scatter and time are linear unless the template says otherwise."""
        said = next((value for key, value in self.transforms.items() if key.casefold() == axis.casefold()), None)
        if said is None:
            said = "linear" if is_scatter_or_time else self.transforms.get("default", {"logicle": {}})
        kind, params = (said, {}) if isinstance(said, str) else next(iter(said.items()))
        if kind == "linear":
            return Linear()
        if kind == "arcsinh":
            return Arcsinh(**(params or {}))
        return Logicle(**{"T": top, **(params or {})})

    def children(self, name: str) -> Iterator[Population]:
        """The populations cut directly out of one."""
        return (population for population in self.populations.values() if population.parent == name)

    def ancestors(self, name: str) -> list[str]:
        """From the parent up to the root."""
        line = []
        while name != ROOT:
            name = self.populations[name].parent
            line.append(name)
        return line


class _Marker(StrictModel):
    aliases: list[str] = Field(default_factory=list)


class _Logicle(StrictModel):
    T: float | None = Field(default=None, gt=0)
    W: float = Field(default=0.5, ge=0)
    M: float = Field(default=4.5, gt=0)
    A: float = 0.0


class _Arcsinh(StrictModel):
    cofactor: float = Field(default=150.0, gt=0)


class _Population(StrictModel):
    parent: str = ROOT
    gate: Any
    requires: list[str] = Field(default_factory=list)
    if_missing: Literal["error", "skip"] = "error"
    plot: list[str] = Field(default_factory=list, max_length=2)
    meaning: str = ""


class _Template(StrictModel):
    cytoreg: Literal[1]
    name: str = Field(min_length=1, pattern=r"^[\w.+-]+$")
    description: str = ""
    reference: str = ""
    markers: dict[str, _Marker] = Field(default_factory=dict)
    compensation: str = "from_file"
    transforms: dict[str, Any] = Field(default_factory=dict)
    populations: dict[str, _Population] = Field(min_length=1)
    report: list[str] = Field(default_factory=list)
    intensities: list[str] = Field(default_factory=list)


def parse_template(document: YamlDocument) -> Template:
    """A template from YAML. Raises TemplateError with file, line, key and the nearest valid word."""
    schema = validate(_Template, document, TemplateError)
    transforms = {
        axis: _transform(document.at("transforms", axis), axis) for axis in (document.data.get("transforms") or {})
    }
    populations: dict[str, Population] = {}
    for name, item in schema.populations.items():
        if name in (ROOT, "total") or "/" in name or " % of " in name or not name.strip():
            raise TemplateError(
                f"{document.where(['populations', name])}: a population cannot be called {name!r} ('root' and "
                "'total' are the whole file, '/' parts the steps of a path, ' % of ' the two of a percentage)"
            )
        gate = parse_gate(document.at("populations", name, "gate"))
        for part, spec in gate.items() if isinstance(gate, dict) else [(name, gate)]:
            if part in populations or (part != name and part in schema.populations):
                raise TemplateError(
                    f"{document.where(['populations', name])}: a population {part!r} is there already"
                )
            populations[part] = Population(
                name=part,
                parent=item.parent,
                gate=spec,
                requires=tuple(item.requires),
                if_missing=item.if_missing,
                plot=tuple(item.plot),
                meaning=item.meaning,
            )
    _known_names(document, populations)
    _known_axes(document, schema, populations)
    return Template(
        name=schema.name,
        populations=_in_order(document, populations),
        description=schema.description,
        reference=schema.reference,
        markers={marker: tuple(item.aliases) for marker, item in schema.markers.items()},
        compensation=schema.compensation,
        transforms=transforms,
        report=_report(document, schema.report, populations),
        intensities=tuple(schema.intensities),
        where=document.name,
        source=document.data,
    )


def _transform(document: YamlDocument, axis: str) -> Any:
    schemas: dict[str, type[StrictModel]] = {"linear": StrictModel, "arcsinh": _Arcsinh, "logicle": _Logicle}
    data = document.data
    kind = data if isinstance(data, str) else next(iter(data), "") if isinstance(data, Mapping) else ""
    if kind not in schemas or (isinstance(data, Mapping) and len(data) != 1):
        raise TemplateError(
            f"{document.where(())}: unknown transform {str(data)!r}; {suggest(str(kind), schemas)}"
        )
    if isinstance(data, str):
        return data
    inner = document.at(kind)
    params = validate(
        schemas[kind], YamlDocument(inner.name, inner.data or {}, inner.lines, inner.prefix), TemplateError
    )
    given = {key: value for key, value in params.model_dump().items() if value is not None}
    if kind == "logicle":
        try:
            Logicle(**given)
        except ValueError as problem:
            raise TemplateError(f"{document.where(())}: {problem}") from None
    return {kind: given}


def _known_names(document: YamlDocument, populations: Mapping[str, Population]) -> None:
    for name, population in populations.items():
        key = ["populations", name if name in document.data["populations"] else ""]
        if population.parent != ROOT and population.parent not in populations:
            raise TemplateError(
                f"{document.where([*key, 'parent'])}: unknown population {population.parent!r}; "
                f"{suggest(population.parent, [ROOT, *populations])}"
            )
        for other in population.gate.populations():
            if other not in populations:
                where = document.where([*key, "gate"])
                raise TemplateError(f"{where}: unknown population {other!r}; {suggest(other, populations)}")


def _known_axes(document: YamlDocument, schema: _Template, populations: Mapping[str, Population]) -> None:
    """A scale, picture or intensity of a marker that no gate looks at is a slip of the pen, and would change nothing."""
    gated = {
        axis for population in populations.values() for axis in (*population.gate.axes(), *population.requires)
    }
    known = gated | set(schema.markers) | {"FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W", "Time"}
    folded = {axis.casefold() for axis in known}
    asked = [(["transforms", axis], axis) for axis in schema.transforms if axis != "default"]
    asked += [(["intensities", str(i)], axis) for i, axis in enumerate(schema.intensities)]
    asked += [
        (["populations", name, "plot"], axis) for name, item in schema.populations.items() for axis in item.plot
    ]
    for path, axis in asked:
        if axis.casefold() not in folded:
            raise TemplateError(
                f"{document.where(path)}: no gate of this template looks at {axis!r}, and markers does not name it; "
                f"{suggest(axis, known, limit=30)}"
            )


def _in_order(document: YamlDocument, populations: Mapping[str, Population]) -> dict[str, Population]:
    """Each population after its parent and after those its gate refers to; the file's order otherwise."""
    ordered: dict[str, Population] = {}

    def visit(name: str, line: tuple[str, ...]) -> None:
        if name in ordered or name == ROOT:
            return
        if name in line:
            loop = " -> ".join((*line[line.index(name) :], name))
            raise TemplateError(
                f"{document.where(['populations', name])}: populations need each other in a loop: {loop}"
            )
        if len(line) > 500:
            raise TemplateError(f"{document.where(['populations', name])}: more than 500 gates in a row")
        population = populations[name]
        for needed in (population.parent, *population.gate.populations()):
            visit(needed, (*line, name))
        ordered[name] = population

    for name in populations:
        visit(name, ())
    return ordered


def _report(document: YamlDocument, asked: list[str], populations: Mapping[str, Population]) -> tuple[str, ...]:
    """Percentages as `X % of Y`, of a population in any population above it."""
    for i, text in enumerate(asked):
        name, separator, of = text.partition(" % of ")
        where = document.where(["report", i])
        if not separator:
            raise TemplateError(f"{where}: expected 'POPULATION % of ANCESTOR', found {text!r}")
        for word, known in ((name, [*populations]), (of, [ROOT, "total", *populations])):
            if word not in known:
                raise TemplateError(f"{where}: unknown population {word!r}; {suggest(word, known)}")
        above, step = set(), name
        while step in populations:
            step = populations[step].parent
            above.add(step)
        if of not in above and of != "total":
            raise TemplateError(
                f"{where}: {of!r} does not stand above {name!r}; above it are {', '.join(sorted(above))}"
            )
    return tuple(asked)
