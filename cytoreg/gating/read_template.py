"""A template from its YAML file, with the checks that need no data: unknown words and populations, loops."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from cytoreg.compensation import Matrix, SingleStains
from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.naming import PART, RESERVED
from cytoreg.gating.read_compensation import parse_compensation
from cytoreg.gating.read_scale import parse_scale, parse_transform
from cytoreg.gating.scales import check_scales
from cytoreg.gating.spec import parse_gate
from cytoreg.gating.template import ROOT, Population, SampleGates, Template, in_order
from cytoreg.schema import Finite, Limits, Schema, read_schema
from cytoreg.yamlfile import YamlDocument

__all__ = ["parse_template"]


_NONE: Mapping[str, Any] = MappingProxyType({})


class _Marker(Schema):
    aliases: tuple[str, ...] = ()


class _Matrix(Schema):
    detectors: Annotated[tuple[str, ...], Limits(shortest=1)]
    fluorochromes: tuple[str, ...] | None = None
    values: tuple[tuple[Finite, ...], ...]


class _Ratio(Schema):
    of: tuple[str, str]
    A: Finite = 1.0
    B: Finite = 0.0
    C: Finite = 0.0


_Bins = Annotated[int, Limits(least=2, most=65_536)]


class _Axis(Schema):
    channel: str | None = None
    ratio: _Ratio | None = None
    compensation: str | None = None
    transform: Any = None
    exact: bool = False
    bins: _Bins = 256
    low: Finite | None = None
    high: Finite | None = None
    kept: _Bins | None = None


class _Choose(Schema):
    by: Literal["batch", "study", "sample"] = "batch"


class _Quality(Schema):
    remove: tuple[Literal["margin", "time", "rate"], ...] = ()


class _Population(Schema):
    name: str = ""
    parent: str = ROOT
    gate: Any
    requires: tuple[str, ...] = ()
    if_missing: Literal["error", "skip"] = "error"
    plot: Annotated[tuple[str, ...], Limits(longest=2)] = ()
    meaning: str = ""


class _Gates(Schema):
    """What a template and the gates of one sample both say."""

    markers: Mapping[str, _Marker] = _NONE
    compensation: Any = "from_file"
    matrices: Mapping[str, _Matrix] = _NONE
    transforms: Mapping[str, Any] = _NONE
    axes: Mapping[str, _Axis] = _NONE
    populations: Mapping[str, _Population]
    report: tuple[str, ...] = ()
    intensities: tuple[str, ...] = ()


class _SampleGates(_Gates):
    names: tuple[str, ...] = ()
    counts: Mapping[str, int] = _NONE
    populations: Mapping[str, _Population] = _NONE


class _Template(_Gates):
    cytoreg: Literal[1]
    name: Annotated[str, Limits(shortest=1, pattern=r"[\w.+-]+")]
    description: str = ""
    reference: str = ""
    validation: str = ""
    rule: Literal["events", "flowjo"] = "events"
    choose: _Choose | None = None
    quality: _Quality | None = None
    samples: Mapping[str, _SampleGates] = _NONE
    groups: Mapping[str, tuple[str, ...]] = _NONE


class _Workspace(_Template):
    populations: Mapping[str, _Population] = _NONE


def parse_template(document: YamlDocument) -> Template:
    """A template from YAML. Raises TemplateError with file, line, key and the nearest valid word."""
    with_samples = isinstance(document.data, Mapping) and bool(document.data.get("samples"))
    schema = read_schema(_Workspace if with_samples else _Template, document, TemplateError)
    if not schema.populations and not with_samples:
        raise TemplateError(f"{document.where(['populations'])}: expected at least one population")
    own: dict[str, Any] = {
        "description": schema.description,
        "reference": schema.reference,
        "validation": schema.validation,
        "rule": schema.rule,
        "choose": schema.choose.by if schema.choose else "batch",
        "remove": tuple(dict.fromkeys(schema.quality.remove)) if schema.quality else (),
    }
    samples = {
        key: SampleGates(
            _gates(document.at("samples", key), item, schema.name, own), item.names, dict(item.counts)
        )
        for key, item in schema.samples.items()
    }
    for name, members in schema.groups.items():
        for i, member in enumerate(members):
            if member not in samples:
                where = document.where(["groups", name, i])
                raise TemplateError(f"{where}: unknown sample {member!r}; {suggest(member, samples)}")
    own |= {"samples": samples, "groups": dict(schema.groups), "source": document.data}
    template = _gates(document, schema, schema.name, own)
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
        markers={marker: item.aliases for marker, item in schema.markers.items()},
        compensation=_compensation(document),
        transforms=transforms,
        axes=axes,
        matrices=matrices,
        report=_report(document, schema.report, populations),
        intensities=schema.intensities,
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
                requires=item.requires,
                if_missing=item.if_missing,
                plot=item.plot,
                meaning=item.meaning,
            )
    return populations


def _matrix(document: YamlDocument, key: str, item: _Matrix) -> Matrix:
    try:
        return Matrix(
            key,
            item.detectors,
            item.detectors if item.fluorochromes is None else item.fluorochromes,
            item.values,
        )
    except TemplateError as problem:
        raise TemplateError(f"{document.where(['matrices', key])}: {problem}") from None


def _axis(document: YamlDocument, key: str, item: _Axis, matrices: Mapping[str, Matrix]) -> AxisSpec:
    if item.ratio is not None and item.ratio.A == 0:
        raise TemplateError(
            f"{document.where(['axes', key, 'ratio', 'A'])}: expected A other than 0, which makes 0 of every event"
        )
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


def _report(
    document: YamlDocument, asked: tuple[str, ...], populations: Mapping[str, Population]
) -> tuple[str, ...]:
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
    return asked
