"""A FlowJo workspace as a template: each sample's own gates, on its own scales, with its own compensation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cytoreg.errors import TemplateError, suggest
from cytoreg.gating.gates import All, Any_, Gate, Not, Reference
from cytoreg.gating.naming import ids_of, path_of, template_name
from cytoreg.gating.samples import Samples
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import ROOT, Population, SampleGates, Template
from cytoreg.interop.flowjo.axes import NotCarried, SampleAxes
from cytoreg.interop.flowjo.expression import parse_expression
from cytoreg.interop.flowjo.records import (
    Combined,
    Drawn,
    Listed,
    PopulationRecord,
    SampleRecord,
    Unknown,
    Workspace,
)
from cytoreg.interop.flowjo.shapes import gate_of
from cytoreg.interop.flowjo.workspace import child, workspace
from cytoreg.interop.flowjo.workspace9 import workspace9
from cytoreg.interop.xmlfile import XmlFile, local_name

__all__ = ["groups_of", "load", "read"]


def read(path: Path) -> tuple[Template, list[str]]:
    """The template of a workspace, and a sentence for each thing that it could not carry over.

    Raises TemplateError with file and line where the file is not a workspace, or means nothing.
    """
    lost: list[str] = []
    template = _template(path, lost)
    for key in template.samples:
        template.samples[key]  # what is lost is found while the gates are made
    return template, list(dict.fromkeys(lost))


def load(path: Path) -> Template:
    """The template of a workspace, which makes the gates of a sample when they are asked for.

    Those of the first are made at once, so that a workspace that means nothing at all says so here; what is wrong with
    the gates of another raises TemplateError where they are asked for.
    """
    template = _template(path, [])
    template.samples[next(iter(template.samples))]
    return template


def _template(path: Path, lost: list[str]) -> Template:
    """The template; what could not be carried over is added to `lost` as the gates of a sample are made."""
    file, found = _opened(path)
    if not found.samples:
        file.fail(file.root, "the workspace has no samples")
    listed = dict(zip(_keys(found.samples), found.samples, strict=True))

    def make(key: str) -> SampleGates:
        made = _gates(file, key, listed[key].record(), found, path, lost)
        del listed[key]  # and with it the sample's part of the file
        return made

    samples = Samples({key: item.names for key, item in listed.items()}, make)
    groups = {
        name: members for name, members in _groups(found).items() if members and set(members) != set(samples)
    }
    lost += [f"group {name!r}: its gates are of no sample" for name in found.gated_alone]
    return Template(template_name(path.stem), {}, rule="flowjo", samples=samples, groups=groups, where=str(path))


def groups_of(path: Path) -> dict[str, tuple[str, ...]]:
    """The groups of a workspace: name -> its samples, by the names that `Template.samples` has."""
    return _groups(_opened(path)[1])


def _groups(found: Workspace) -> dict[str, tuple[str, ...]]:
    by_id = {sample.id: key for key, sample in zip(_keys(found.samples), found.samples, strict=True)}
    return {name: tuple(by_id[one] for one in ids if one in by_id) for name, ids in found.groups.items()}


def _opened(path: Path) -> tuple[XmlFile, Workspace]:
    file = XmlFile(path)
    if local_name(file.root) != "Workspace":
        file.fail(file.root, "expected the Workspace of FlowJo")
    major = re.match(r"\d+", file.root.get("flowJoVersion", ""))
    old = child(file.root, "CompensationMatrices", "CalibrationTables") is not None
    return file, workspace9(file) if old or (major and int(major.group()) < 10) else workspace(file)


def _keys(samples: Sequence[Listed]) -> list[str]:
    """A name for each sample that no other has: the first of its own that is unique."""
    counts = Counter(name for sample in samples for name in sample.names)
    keys = []
    for i, sample in enumerate(samples):
        unique = [name for name in sample.names if counts[name] == 1]
        first = sample.names[0] if sample.names else f"sample {i + 1}"
        keys.append(unique[0] if unique else f"{first} ({sample.id or i + 1})")
    return keys


def _gates(
    file: XmlFile, key: str, sample: SampleRecord, found: Workspace, path: Path, lost: list[str]
) -> SampleGates:
    """The gates of one sample; what could not be carried over is added to `lost`."""
    axes = SampleAxes(file, sample, version=found.version, uses_gain=found.uses_gain)
    left: list[str] = []
    populations = _populations(file, key, sample, axes, left)
    if populations and not sample.scales:
        left.append(f"{key}: the workspace states no scales for it; its axes are taken as linear")
    used = {axis for population in populations for axis in population.gate.axes()}
    specs = {name: spec for name, spec in axes.axes.items() if name in used}
    needed = {spec.compensation for spec in specs.values()}
    template = Template(
        template_name(path.stem),
        {},
        compensation="none",
        axes=specs,
        matrices={name: matrix for name, matrix in axes.matrices.items() if name in needed},
        rule="flowjo",
        where=str(path),
        not_carried=tuple(left),
    ).with_populations(populations)
    lost += left
    counts: dict[str, int] = {}
    ids = ids_of([record.path for record in sample.populations])
    for record, one in zip(sample.populations, ids, strict=True):
        if record.count is not None:
            steps = path_of(record.path)
            counts[one if steps in counts else steps] = record.count  # the second of one path goes by its id
    return SampleGates(template, sample.names, counts)


def _populations(
    file: XmlFile, key: str, sample: SampleRecord, axes: SampleAxes, lost: list[str]
) -> list[Population]:
    records = sample.populations
    ids = ids_of([record.path for record in records])
    named: dict[tuple[str, ...], list[str]] = {}
    for record, one in zip(records, ids, strict=True):
        named.setdefault(record.path, []).append(one)
    above: dict[tuple[str, ...], str] = {(): ROOT}
    made: dict[str, Population] = {}
    where = {one: f"{key}: population {path_of(record.path)!r}" for record, one in zip(records, ids, strict=True)}
    missing: set[str] = set()
    for record, one in zip(records, ids, strict=True):
        above[record.path] = one
        parent = above[record.path[:-1]]
        try:
            made[one] = Population(
                one, parent, drawn(_gate(file, record, named, axes)), name=record.path[-1] or one
            )
        except NotCarried as problem:
            lost.append(f"{where[one]}: {problem}")
            missing.add(one)
            continue
        if isinstance(record.gate, Drawn) and record.gate.magnetic:
            lost.append(
                f"{where[one]}: the gate is magnetic: FlowJo moves it to the cells, here it stays as drawn"
            )
    while missing and (gone := [p for p in made.values() if {p.parent, *p.gate.populations()} & missing]):
        for population in gone:
            lost.append(f"{where[population.id]}: it stands below or refers to one that could not be carried over")
            missing.add(population.id)
            del made[population.id]
    return list(made.values())


def _gate(
    file: XmlFile, record: PopulationRecord, named: Mapping[tuple[str, ...], Sequence[str]], axes: SampleAxes
) -> Gate:
    if isinstance(record.gate, Unknown):
        raise NotCarried(record.gate.reason)
    if isinstance(record.gate, Combined):
        return _combined(file, record, named)
    try:
        return gate_of(record.gate, axes)
    except ValueError as problem:
        file.fail(record.element, f"{path_of(record.path)!r}: {problem}")


def _combined(file: XmlFile, record: PopulationRecord, named: Mapping[tuple[str, ...], Sequence[str]]) -> Gate:
    gate = record.gate
    assert isinstance(gate, Combined)
    parts: list[Gate] = [Reference(_meant(file, record, text, named)) for text in gate.of]
    if gate.expression:
        try:
            return parse_expression(gate.expression, parts)
        except ValueError as problem:
            file.fail(record.element, f"{path_of(record.path)!r}: {problem}")
    if gate.kind == "not":
        return Not(parts[0])
    return All(tuple(parts)) if gate.kind == "all" else Any_(tuple(parts))


def _meant(
    file: XmlFile, record: PopulationRecord, text: str, named: Mapping[tuple[str, ...], Sequence[str]]
) -> str:
    """The id of a population that a boolean names: by its whole path, or an end of one, the nearest where several fit."""
    wanted = text.strip()
    whole_path = tuple(wanted.split("/"))
    if whole_path in named and all(whole_path):  # as FlowJo writes it; the rest is for what others write
        fits = {whole_path: named[whole_path]}
    else:
        if all("/".join(path) != wanted for path in named):
            wanted = wanted.strip("/")
        fits = {path: keys for path, keys in named.items() if f"/{'/'.join(path)}".endswith(f"/{wanted}")}
    if not fits or not wanted:
        known = ["/".join(path) for path in named]
        what = f"is no population; {suggest(text, known)}"
        raise TemplateError(f"{file.where(record.element)}: {path_of(record.path)!r}: its part {text!r} {what}")
    whole = [path for path in fits if "/".join(path) == wanted]
    near = {path: _shared(path, record.path) for path in fits}
    best = whole or [path for path in fits if near[path] == max(near.values())]
    if len(best) > 1:
        raise NotCarried(f"its part {text!r} fits {len(best)} populations")
    if len(fits[best[0]]) > 1:
        raise NotCarried(f"its part {text!r} fits {len(fits[best[0]])} populations of one path")
    return fits[best[0]][0]


def _shared(path: Sequence[str], other: Sequence[str]) -> int:
    """How many steps from the root two paths share."""
    return next(
        (i for i, (a, b) in enumerate(zip(path, other, strict=False)) if a != b), min(len(path), len(other))
    )
