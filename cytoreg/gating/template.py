"""The gating template: populations, axes, scales and matrices, whatever format they were read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cytoreg.compensation import Matrix, SingleStains
from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.samples import names_of
from cytoreg.gating.spec import GateSpec
from cytoreg.transforms import Transform, transform_of
from cytoreg.transforms.choosing import AUTO, CHOOSABLE, Chosen

__all__ = ["ROOT", "Population", "SampleGates", "Template", "in_order"]

ROOT = "root"
LONGEST_LINE = 500


@dataclass(frozen=True)
class Population:
    """One population as the template declares it.

    id: what parents and references call it, unique in the template. parent: the id of the one above. gate: how
    it is cut out of its parent. name: what is shown; the id where it is not given. requires: markers without
    which the step cannot be done; if_missing: `error`, or `skip` (its children then hang on the nearest step
    that was done). plot: the axes of its picture. meaning: one sentence for the docs and the report.
    """

    id: str
    parent: str
    gate: GateSpec
    name: str = ""
    requires: tuple[str, ...] = ()
    if_missing: str = "error"
    plot: tuple[str, ...] = ()
    meaning: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.id)

    def describe(self) -> dict[str, Any]:
        """The population as a template would say it."""
        said: dict[str, Any] = {}
        if self.name != self.id or "/" in self.id:
            said["name"] = self.name
        if self.parent != ROOT:
            said["parent"] = self.parent
        said["gate"] = self.gate.describe()
        if self.if_missing != "error":
            said["if_missing"] = self.if_missing
        said.update({key: list(value) for key in ("requires", "plot") if (value := getattr(self, key))})
        return said | ({"meaning": self.meaning} if self.meaning else {})


@dataclass(frozen=True)
class SampleGates:
    """The gates of one sample of a workspace.

    template: a plain one. names: what the sample may be called: file name, $FIL, id and name in the workspace.
    counts: path of a population -> the number of events that the workspace itself holds; never used in gating.
    """

    template: Template
    names: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Template:
    """A gating template. populations stand in an order in which each comes after what it needs.

    validation: what its gates were held against, for whoever is to trust them. axes: those that are stated; a gate's axis that is not among them is a marker. matrices: by the name that
    `compensation` of the template or of an axis gives. rule: how events are counted unless the caller says
    otherwise. remove: for which reasons of acquisition events are left out before gating (`quality.REMOVABLE`).
    choose: which tubes share a scale whose parameter is `auto`: batch, study or sample. chosen: such scales, by axis,
    once they are chosen. samples: for a workspace, each sample's own gates by sample name. groups: of those samples, by
    name; they decide nothing.
    where: the file it was read from. source: what was written there. not_carried: a sentence for each thing of that file
    that the gates of this template leave out.
    """

    name: str
    populations: Mapping[str, Population]
    description: str = ""
    reference: str = ""
    validation: str = ""
    markers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    compensation: str | SingleStains = "from_file"
    transforms: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, AxisSpec] = field(default_factory=dict)
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    rule: str = "events"
    samples: Mapping[str, SampleGates] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    report: tuple[str, ...] = ()
    intensities: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    choose: str = "batch"
    chosen: Mapping[str, Chosen] = field(default_factory=dict, compare=False)
    where: str = field(default="", compare=False)
    not_carried: tuple[str, ...] = field(default=(), compare=False)
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """A hash of all that decides the numbers."""
        said = self.source or {key: value for key, value in self.describe().items() if key != "groups"}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def transform_for(
        self, axis: str, top: float, *, is_scatter_or_time: bool, chosen: Chosen | None = None
    ) -> Transform:
        """The display scale of a marker; scatter and time are linear unless the template says otherwise.

        chosen: the parameter that is `auto`; while nobody has chosen it, it is what it is by default.
        """
        kind, params = self.scale_of(axis, is_scatter_or_time=is_scatter_or_time)
        if AUTO in params.values():
            parameter, default = CHOOSABLE[kind]
            params = {**params, parameter: default if chosen is None else chosen.value}
        return transform_of(kind, {"T": top, **params} if kind in _WITH_TOP else params)

    def scale_of(self, axis: str, *, is_scatter_or_time: bool) -> tuple[str, dict[str, Any]]:
        """The scale of a marker in the template's words: its kind and its parameters."""
        said = next((value for key, value in self.transforms.items() if key.casefold() == axis.casefold()), None)
        if said is None:
            said = "linear" if is_scatter_or_time else self.transforms.get("default", {"logicle": {}})
        kind, params = (said, {}) if isinstance(said, str) else next(iter(said.items()))
        return kind, dict(params or {})

    @property
    def has_auto(self) -> bool:
        """Whether a scale is to be chosen from the data."""
        return any(
            AUTO in (params or {}).values()
            for said in self.transforms.values()
            if not isinstance(said, str)
            for params in said.values()
        )

    def children(self, key: str) -> Iterator[Population]:
        """The populations cut directly out of one."""
        return (population for population in self.populations.values() if population.parent == key)

    def ancestors(self, key: str) -> list[str]:
        """Ids from the parent up to the root."""
        line = []
        while key != ROOT:
            key = self.populations[key].parent
            line.append(key)
        return line

    def for_sample(self, sample: str | Sample) -> Template:
        """A workspace's gates of one sample; a template without samples is the same for all.

        sample: its file name, $FIL, id or name in the workspace, or an opened file, which is looked for by its
        file name and then by $FIL. Raises TemplateError where it is not there or fits several.
        """
        return self.samples[self._sample_key(sample)].template if self.samples else self

    def reference_counts(self, sample: str | Sample) -> Mapping[str, int]:
        """The counts that a workspace holds for a sample, by path; those that it never computed are not there."""
        return dict(self.samples[self._sample_key(sample)].counts) if self.samples else {}

    def _sample_key(self, sample: str | Sample) -> str:
        known = {key: {key, *names} for key, names in names_of(self.samples).items()}
        asked = [sample] if isinstance(sample, str) else [sample.name, sample.text.get("$FIL", "")]
        fits = list(self.samples)
        found = False
        for word in filter(None, (text.strip() for text in asked)):
            exact = [key for key in fits if word in known[key]]
            same = exact or [key for key in fits if word.casefold() in {name.casefold() for name in known[key]}]
            if same:
                found, fits = True, same
        if found and len(fits) == 1:
            return fits[0]
        name = sample if isinstance(sample, str) else sample.name
        if not found:
            named = "" if isinstance(sample, str) else "; name the one whose gates are meant (--sample, gates_of)"
            raise TemplateError(
                f"{self.name}: holds no gates for sample {name!r}; {suggest(name, self.samples)}{named}"
            )
        raise TemplateError(f"{self.name}: sample {name!r} fits several of its samples: {', '.join(fits)}")

    def with_populations(self, populations: Sequence[Population]) -> Template:
        """The same with other populations, put in order. Raises TemplateError for unknown ids and loops."""
        named = {population.id: population for population in populations}
        ordered = in_order(named, lambda key: f"{self.where or self.name}, population {key}")
        return replace(self, populations=ordered, source={})

    def describe(self) -> dict[str, Any]:
        """The template as its YAML file would say it."""
        said: dict[str, Any] = {"cytoreg": 1, "name": self.name}
        said |= {key: value for key in ("description", "reference", "validation") if (value := getattr(self, key))}
        if self.rule != "events":
            said["rule"] = self.rule
        if self.choose != "batch":
            said["choose"] = {"by": self.choose}
        if self.remove:
            said["quality"] = {"remove": list(self.remove)}
        said |= _rest(self)
        if self.samples:
            said["samples"] = {
                key: {
                    **({"names": list(item.names)} if item.names else {}),
                    **({"counts": dict(item.counts)} if item.counts else {}),
                    **_rest(item.template),
                }
                for key, item in self.samples.items()
            }
        if self.groups:
            said["groups"] = {name: list(samples) for name, samples in self.groups.items()}
        return said


_WITH_TOP = ("logicle", "hyperlog", "log")


def _rest(template: Template) -> dict[str, Any]:
    """What a template and the gates of one sample both say."""
    said: dict[str, Any] = {}
    if template.markers:
        said["markers"] = {name: {"aliases": list(words)} for name, words in template.markers.items()}
    stated = template.compensation
    said["compensation"] = stated if isinstance(stated, str) else stated.describe()
    if template.matrices:
        said["matrices"] = {name: matrix.describe() for name, matrix in template.matrices.items()}
    if template.transforms:
        said["transforms"] = dict(template.transforms)
    if template.axes:
        said["axes"] = {name: axis.describe() for name, axis in template.axes.items()}
    if template.populations:
        said["populations"] = {key: item.describe() for key, item in template.populations.items()}
    said |= {key: list(value) for key in ("report", "intensities") if (value := getattr(template, key))}
    return said


def in_order(populations: Mapping[str, Population], where: Any) -> dict[str, Population]:
    """Each population after its parent and after those its gate refers to; the given order otherwise.

    where: what a message about a population begins with, by its id. Raises TemplateError for an unknown id, a
    loop, or a line of more than 500 gates.
    """
    needs = {}
    for key, population in populations.items():
        needs[key] = [other for other in (population.parent, *population.gate.populations()) if other != ROOT]
        for other in needs[key]:
            if other not in populations:
                raise TemplateError(f"{where(key)}: unknown population {other!r}; {suggest(other, populations)}")
    ordered: dict[str, Population] = {}
    depth: dict[str, int] = {}
    for first in populations:
        line = [first]
        on_line = {first}
        rest = {first: iter(needs[first])}
        while line:
            key = line[-1]
            needed = (
                next((other for other in rest[key] if other not in ordered), None) if key not in ordered else None
            )
            if needed is not None:
                if needed in on_line:
                    loop = " -> ".join((*line[line.index(needed) :], needed))
                    raise TemplateError(f"{where(needed)}: populations need each other in a loop: {loop}")
                line.append(needed)
                on_line.add(needed)
                rest[needed] = iter(needs[needed])
                continue
            line.pop()
            on_line.discard(key)
            if key not in ordered:
                depth[key] = 1 + max((depth[other] for other in needs[key]), default=0)
                if depth[key] > LONGEST_LINE:
                    raise TemplateError(f"{where(key)}: more than {LONGEST_LINE} gates in a row")
                ordered[key] = populations[key]
    return ordered
