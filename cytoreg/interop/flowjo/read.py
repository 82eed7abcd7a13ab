"""A FlowJo workspace as a template: each sample's own gates, on its own scales, with its own compensation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cytoreg.errors import suggest
from cytoreg.gating.gates import All, Any_, Gate, Not, Reference
from cytoreg.gating.naming import ids_of, path_of
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import ROOT, Population, SampleGates, Template
from cytoreg.interop.flowjo.axes import NotCarried, SampleAxes
from cytoreg.interop.flowjo.expression import parse_expression
from cytoreg.interop.flowjo.records import Combined, Drawn, PopulationRecord, SampleRecord, Workspace
from cytoreg.interop.flowjo.shapes import gate_of
from cytoreg.interop.flowjo.workspace import child, workspace
from cytoreg.interop.flowjo.workspace9 import workspace9
from cytoreg.interop.xmlfile import XmlFile, local_name, root_of

__all__ = ["groups_of", "read", "recognises"]


def recognises(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a FlowJo workspace."""
    return root_of(head).rpartition(":")[2] == "Workspace"


def read(path: Path) -> tuple[Template, list[str]]:
    """The template of a workspace, and a sentence for each thing that it could not carry over.

    Raises TemplateError with file and line where the file is not a workspace, or means nothing.
    """
    file, found = _opened(path)
    if not found.samples:
        file.fail(file.root, "the workspace has no samples")
    lost: list[str] = []
    samples = {}
    for key, sample in zip(_keys(found.samples), found.samples, strict=True):
        samples[key] = _gates(file, key, sample, found, path, lost)
    return Template(path.stem, {}, rule="flowjo", samples=samples, where=str(path)), list(dict.fromkeys(lost))


def groups_of(path: Path) -> dict[str, tuple[str, ...]]:
    """The groups of a workspace: name -> its samples, by the names that `Template.samples` has."""
    _, found = _opened(path)
    by_id = {sample.id: key for key, sample in zip(_keys(found.samples), found.samples, strict=True)}
    return {name: tuple(by_id[one] for one in ids if one in by_id) for name, ids in found.groups.items()}


def _opened(path: Path) -> tuple[XmlFile, Workspace]:
    file = XmlFile(path)
    if local_name(file.root) != "Workspace":
        file.fail(file.root, "expected the Workspace of FlowJo")
    major = re.match(r"\d+", file.root.get("flowJoVersion", ""))
    old = child(file.root, "CompensationMatrices", "CalibrationTables") is not None
    return file, workspace9(file) if old or (major and int(major.group()) < 10) else workspace(file)


def _keys(samples: Sequence[SampleRecord]) -> list[str]:
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
    axes = SampleAxes(file, sample, version=found.version, uses_gain=found.uses_gain)
    ids = dict(enumerate(ids_of([record.path for record in sample.populations])))
    populations: list[Population] = []
    given: dict[tuple[str, ...], str] = {(): ROOT}
    named: dict[str, list[str]] = {}
    for i, record in enumerate(sample.populations):
        named.setdefault("/".join(record.path), []).append(ids[i])
    missing: set[str] = set()
    waiting = []
    for i, record in enumerate(sample.populations):
        given.setdefault(record.path, ids[i])
        parent = given[record.path[:-1]]
        try:
            if parent in missing:
                raise NotCarried("the population above it could not be carried over")
            gate = _gate(file, record, sample, ids, named, axes)
        except NotCarried as problem:
            lost.append(f"{key}: population {path_of(record.path)!r}: {problem}")
            missing.add(ids[i])
            continue
        if isinstance(record.gate, Drawn) and record.gate.magnetic:
            lost.append(
                f"{key}: population {path_of(record.path)!r}: the gate is magnetic: FlowJo moves it to the cells, "
                "here it stays where it was drawn"
            )
        waiting.append((record, Population(ids[i], parent, drawn(gate), name=record.path[-1] or ids[i])))
    while waiting:  # what refers to a population that is not there cannot be either
        gone = [item for item in waiting if {item[1].parent, *item[1].gate.populations()} & missing]
        for record, population in gone:
            lost.append(f"{key}: population {path_of(record.path)!r}: it refers to one that could not be carried over")
            missing.add(population.id)
        waiting = [item for item in waiting if item[1].id not in missing]
        if not gone:
            break
    populations = [population for _, population in waiting]
    used = {axis for population in populations for axis in population.gate.axes()}
    kept = {name: spec for name, spec in axes.axes.items() if name in used}
    template = Template(
        path.stem,
        {},
        compensation="none",
        axes=kept,
        matrices={name: m for name, m in axes.matrices.items() if any(s.compensation == name for s in kept.values())},
        rule="flowjo",
        where=str(path),
    ).with_populations(populations)
    counts = {
        path_of(record.path): record.count for record in sample.populations if record.count is not None
    }
    return SampleGates(template, sample.names, counts)


def _gate(
    file: XmlFile,
    record: PopulationRecord,
    sample: SampleRecord,
    ids: Mapping[int, str],
    named: Mapping[str, Sequence[str]],
    axes: SampleAxes,
) -> Gate:
    if isinstance(record.gate, Combined):
        return _combined(file, record, sample, ids, named)
    try:
        return gate_of(record.gate, axes)
    except ValueError as problem:
        file.fail(record.element, f"{path_of(record.path)!r}: {problem}")


def _combined(
    file: XmlFile, record: PopulationRecord, sample: SampleRecord, ids: Mapping[int, str], named: Any
) -> Gate:
    gate = record.gate
    assert isinstance(gate, Combined)
    parts: list[Gate] = [Reference(_meant(file, record, text, sample, ids, named)) for text in gate.of]
    if gate.expression:
        try:
            return parse_expression(gate.expression, parts)
        except ValueError as problem:
            file.fail(record.element, f"{path_of(record.path)!r}: {problem}")
    if gate.kind == "not":
        return Not(parts[0])
    return All(tuple(parts)) if gate.kind == "all" else Any_(tuple(parts))


def _meant(
    file: XmlFile,
    record: PopulationRecord,
    text: str,
    sample: SampleRecord,
    ids: Mapping[int, str],
    named: Mapping[str, Sequence[str]],
) -> str:
    """The id of a population that a boolean names: by its whole path, or an end of it that is nearest."""
    text = text.strip().strip("/")
    if text in named:
        return named[text][0]
    beside = "/".join((*record.path[:-1], text))
    if beside in named:
        return named[beside][0]
    ends = [key for joined, keys in named.items() if joined.endswith(f"/{text}") for key in keys]
    if len(ends) == 1:
        return ends[0]
    known = list(named)
    what = f"fits {len(ends)} populations" if ends else f"is no population; {suggest(text, known)}"
    file.fail(record.element, f"{path_of(record.path)!r}: its part {text!r} {what}")
