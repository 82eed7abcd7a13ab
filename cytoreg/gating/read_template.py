"""A template from its YAML file, with the checks that need no data: unknown words and populations, loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, FiniteFloat

from cytoreg.compensation import Matrix, SingleStains
from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.naming import PART, RESERVED
from cytoreg.gating.read_compensation import parse_compensation
from cytoreg.gating.read_scale import parse_scale, parse_transform
from cytoreg.gating.scales import check_scales
from cytoreg.gating.spec import parse_gate
from cytoreg.gating.template import ROOT, Population, SampleGates, Template, in_order
from cytoreg.yamlfile import StrictModel, YamlDocument, validate

__all__ = ["parse_template"]


class _Marker(StrictModel):
    aliases: list[str] = Field(default_factory=list)


class _Matrix(StrictModel):
    detectors: list[str] = Field(min_length=1)
    fluorochromes: list[str] | None = None
    values: list[list[FiniteFloat]]


class _Ratio(StrictModel):
    of: tuple[str, str]
    A: FiniteFloat = 1.0
    B: FiniteFloat = 0.0
    C: FiniteFloat = 0.0


class _Axis(StrictModel):
    channel: str | None = None
    ratio: _Ratio | None = None
    compensation: str | None = None
    transform: Any = None
    exact: bool = False
    bins: int = Field(default=256, ge=2, le=65_536)
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    kept: int | None = Field(default=None, ge=2, le=65_536)


class _Choose(StrictModel):
    by: Literal["batch", "study", "sample"] = "batch"


class _Quality(StrictModel):
    remove: list[Literal["margin", "time", "rate"]] = Field(default_factory=list)


class _Population(StrictModel):
    name: str = ""
    parent: str = ROOT
    gate: Any
    requires: list[str] = Field(default_factory=list)
    if_missing: Literal["error", "skip"] = "error"
    plot: list[str] = Field(default_factory=list, max_length=2)
    meaning: str = ""


class _Gates(StrictModel):
    """What a template and the gates of one sample both say."""

    markers: dict[str, _Marker] = Field(default_factory=dict)
    compensation: Any = "from_file"
    matrices: dict[str, _Matrix] = Field(default_factory=dict)
    transforms: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, _Axis] = Field(default_factory=dict)
    populations: dict[str, _Population] = Field(default_factory=dict)
    report: list[str] = Field(default_factory=list)
    intensities: list[str] = Field(default_factory=list)


class _SampleGates(_Gates):
    names: list[str] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)


class _Template(_Gates):
    cytoreg: Literal[1]
    name: str = Field(min_length=1, pattern=r"^[\w.+-]+$")
    description: str = ""
    reference: str = ""
    validation: str = ""
    rule: Literal["events", "flowjo"] = "events"
    choose: _Choose = Field(default_factory=_Choose)
    quality: _Quality = Field(default_factory=_Quality)
    samples: dict[str, _SampleGates] = Field(default_factory=dict)
    populations: dict[str, _Population]


class _Workspace(_Template):
    populations: dict[str, _Population] = Field(default_factory=dict)


def parse_template(document: YamlDocument) -> Template:
    """A template from YAML. Raises TemplateError with file, line, key and the nearest valid word."""
    with_samples = isinstance(document.data, Mapping) and bool(document.data.get("samples"))
    schema = validate(_Workspace if with_samples else _Template, document, TemplateError)
    if not schema.populations and not with_samples:
        raise TemplateError(f"{document.where(['populations'])}: expected at least one population")
    own = {
        "description": schema.description,
        "reference": schema.reference,
        "validation": schema.validation,
        "rule": schema.rule,
        "choose": schema.choose.by,
        "remove": tuple(dict.fromkeys(schema.quality.remove)),
    }
    samples = {
        key: SampleGates(
            _gates(document.at("samples", key), item, schema.name, own), tuple(item.names), dict(item.counts)
        )
        for key, item in schema.samples.items()
    }
    template = _gates(document, schema, schema.name, own | {"samples": samples, "source": document.data})
    check_scales(template, lambda *path: document.where(path))
    return template


def _gates(document: YamlDocument, schema: _Gates, name: str, further: Mapping[str, Any]) -> Template:
    populations = _populations(document, schema)
    matrices = {key: _matrix(document, key, item) for key, item in schema.matrices.items()}
    axes = {key: _axis(document, key, item, matrices) for key, item in schema.axes.items()}
    transforms = {axis: parse_transform(document.at("transforms", axis)) for axis in schema.transforms}
    _known_names(document, populations)
    _known_axes(document, schema, populations)
    return Template(
        name=name,
        populations=in_order(populations, lambda key: document.where(["populations", key])),
        markers={marker: tuple(item.aliases) for marker, item in schema.markers.items()},
        compensation=_compensation(document),
        transforms=transforms,
        axes=axes,
        matrices=matrices,
        report=_report(document, schema.report, populations),
        intensities=tuple(schema.intensities),
        where=document.name,
        **further,
    )


def _compensation(document: YamlDocument) -> str | SingleStains:
    said = isinstance(document.data, Mapping) and "compensation" in document.data
    return parse_compensation(document.at("compensation"), TemplateError) if said else "from_file"


def _populations(document: YamlDocument, schema: _Gates) -> dict[str, Population]:
    populations: dict[str, Population] = {}
    for key, item in schema.populations.items():
        where = document.where(["populations", key])
        # with a name beside it a key is only an id, which may be the end of a path
        if key in RESERVED or PART in key or ("/" in key and not item.name) or " % of " in key or not key.strip():
            raise TemplateError(
                f"{where}: a population cannot be called {key!r} ('root' and 'total' are the whole file, '/' parts "
                "the steps of a path, ' % of ' the two of a percentage)"
            )
        gate = parse_gate(document.at("populations", key, "gate"))
        for part, spec in gate.items() if isinstance(gate, dict) else [(key, gate)]:
            if part in populations or (part != key and part in schema.populations):
                raise TemplateError(f"{where}: a population {part!r} is there already")
            populations[part] = Population(
                id=part,
                parent=item.parent,
                gate=spec,
                name=item.name if part == key else "",
                requires=tuple(item.requires),
                if_missing=item.if_missing,
                plot=tuple(item.plot),
                meaning=item.meaning,
            )
    return populations


def _matrix(document: YamlDocument, key: str, item: _Matrix) -> Matrix:
    try:
        return Matrix(
            key,
            tuple(item.detectors),
            tuple(item.detectors if item.fluorochromes is None else item.fluorochromes),
            tuple(map(tuple, item.values)),
        )
    except TemplateError as problem:
        raise TemplateError(f"{document.where(['matrices', key])}: {problem}") from None


def _axis(document: YamlDocument, key: str, item: _Axis, matrices: Mapping[str, Matrix]) -> AxisSpec:
    if item.channel is not None and item.ratio is not None:
        raise TemplateError(f"{document.where(['axes', key])}: an axis is a channel or a ratio, not both")
    if item.compensation is not None and item.compensation not in ("none", "from_file", *matrices):
        where = document.where(["axes", key, "compensation"])
        known = ["none", "from_file", *matrices]
        raise TemplateError(f"{where}: unknown matrix {item.compensation!r}; {suggest(item.compensation, known)}")
    if item.low is not None and item.high is not None and not item.low < item.high:
        where = document.where(["axes", key])
        raise TemplateError(f"{where}: expected low below high, found {item.low:g} and {item.high:g}")
    return AxisSpec(
        name=key,
        channel=item.channel,
        ratio=Ratio(item.ratio.of, item.ratio.A, item.ratio.B, item.ratio.C) if item.ratio else None,
        compensation=item.compensation,
        transform=None if item.transform is None else parse_scale(document.at("axes", key, "transform")),
        exact=item.exact,
        bins=item.bins,
        low=item.low,
        high=item.high,
        kept=item.kept,
    )


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


def _known_axes(document: YamlDocument, schema: _Gates, populations: Mapping[str, Population]) -> None:
    """A scale, picture or intensity of a marker that no gate looks at is a slip of the pen, and would change nothing."""
    gated = {
        axis for population in populations.values() for axis in (*population.gate.axes(), *population.requires)
    }
    known = gated | {"FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W", "Time"}
    known |= {*schema.markers, *schema.axes, *(item.channel for item in schema.axes.values() if item.channel)}
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
