"""A template bound to one file: which channel each axis is, which steps can be done, and what hangs on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cytoreg.compensation import Compensation, SingleStains
from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover
from cytoreg.gating.axis_binding import AxisBinder
from cytoreg.gating.events import Axis
from cytoreg.gating.naming import path_of, steps_of
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT, Population, Template
from cytoreg.gating.uncertainty import FEWEST_REPLICATES, LLOQ, LOD, REPLICATES
from cytoreg.markers import is_foxp3, panel_of

__all__ = ["RULES", "Bound", "Choices", "bind"]

RULES = ("events", "flowjo")


@dataclass(frozen=True)
class Choices:
    """What a user may say about one file beside the template.

    channels: marker -> channel. start: the population whose events the file holds. compensation: in place
    of the template's. rule: how events are counted, in place of the template's rule. remove: for which reasons of
    acquisition events are left out, in place of the template's. bootstrap: replicates that say how sure the placement of
    gates is, 0 for none. seed: of what is drawn for them. lod, lloq: fewer events than these in a population are flagged as
    below the limit of detection, and of quantification.
    """

    channels: Mapping[str, str] | None = None
    start: str | None = None
    compensation: str | Path | Spillover | SingleStains | None = None
    rule: str | None = None
    remove: tuple[str, ...] | None = None
    bootstrap: int = REPLICATES
    seed: int = 0
    lod: int = LOD
    lloq: int = LLOQ

    def __post_init__(self) -> None:
        if self.bootstrap and not FEWEST_REPLICATES <= self.bootstrap <= REPLICATES:
            raise TemplateError(
                f"bootstrap: expected 0, or {FEWEST_REPLICATES} to {REPLICATES} replicates, found {self.bootstrap}"
            )


@dataclass(frozen=True)
class Bound:
    """A template and a file brought together; steps go by the id of their population.

    parents: for each step that is done, in order, the step it hangs on. skipped: step -> reason. rule: how events
    are counted. remove: for which reasons of acquisition events are left out before the first gate. lod, lloq: as chosen.
    """

    sample: Sample
    template: Template
    axes: Mapping[str, Axis]
    compensation: Compensation | None
    parents: Mapping[str, str]
    skipped: Mapping[str, str]
    start: str | None = None
    rule: str = "events"
    remove: tuple[str, ...] = ()
    lod: int = LOD
    lloq: int = LLOQ

    @property
    def steps(self) -> list[Population]:
        """The populations that are gated, in order."""
        return [self.template.populations[name] for name in self.parents]

    def name(self, key: str) -> str:
        """The name of a population that is shown."""
        return ROOT if key == ROOT else self.template.populations[key].name

    def line(self, key: str) -> tuple[str, ...]:
        """Ids from the first step down to a population."""
        line = [key]
        while (key := self.parents.get(key, ROOT)) != ROOT:
            line.append(key)
        return tuple(reversed(line))

    def path(self, key: str) -> str:
        """Names from the first step down to a population, joined by `/`; `/` and `\\` within a name escaped."""
        return path_of([self.name(step) for step in self.line(key)])


def bind(sample: Sample, template: Template, choices: Choices, rule: str | None = None) -> Bound:
    """Find each axis in the panel and decide which steps are done; of a workspace, those of this sample.

    rule: how events are counted; as the choices or else the template say where it is not given.
    Raises TemplateError where a step needs a marker that the panel does not have and may not be skipped.
    """
    rule = rule or choices.rule or template.rule
    if rule not in RULES:
        raise TemplateError(f"unknown counting rule {rule!r}; there are: {', '.join(RULES)}")
    template = template.for_sample(sample)
    choices = replace(choices, start=_start(template, choices.start))
    if choices.start is not None and choices.start not in template.populations:
        raise TemplateError(
            f"{sample.name}: start: template {template.name} has no population {choices.start!r}; "
            f"{suggest(choices.start, template.populations)}"
        )
    _known_markers(sample, template, choices)
    wanted = [
        p for p in template.populations.values() if choices.start is None or _below(template, p, choices.start)
    ]
    binder = AxisBinder(sample, template, choices.channels, choices.compensation)
    axes: dict[str, Axis] = {}
    for name in dict.fromkeys(axis for p in wanted for axis in (*p.requires, *p.gate.axes(), *p.plot)):
        if (axis := binder.bind(name)) is not None:
            axes[name] = axis
    _not_by_isotype(sample, wanted, axes)
    parents: dict[str, str] = {}
    skipped: dict[str, str] = {}
    if choices.start is not None:
        parents[choices.start] = ROOT
    for population in wanted:
        missing = _missing(population, axes, skipped, template) or _outside(population, template, choices.start)
        if missing and population.if_missing == "error":
            raise TemplateError(
                f"{sample.name}: population {population.id!r} of template {template.name} needs {missing}; "
                f"the panel has: {panel_of(sample)}; say which channel carries a marker with channels "
                "(--channel MARKER=CHANNEL)"
            )
        if missing:
            skipped[population.id] = f"needs {missing}"
            continue
        parent = population.parent
        while parent in skipped:
            parent = template.populations[parent].parent
        parents[population.id] = parent
    return Bound(
        sample=sample,
        template=template,
        axes=axes,
        compensation=binder.compensation(),
        parents=parents,
        skipped=skipped,
        start=choices.start,
        rule=rule,
        lod=choices.lod,
        lloq=choices.lloq,
        remove=template.remove if choices.remove is None else choices.remove,
    )


def _start(template: Template, start: str | None) -> str | None:
    """The id of a population given by its id, or by a name or end of a path that only one has."""
    if start is None or start in template.populations:
        return start
    wanted = steps_of(start)
    fits = []
    for key in template.populations:
        line = [template.populations[step].name for step in (key, *template.ancestors(key)) if step != ROOT]
        if tuple(reversed(line))[-len(wanted) :] == wanted:
            fits.append(key)
    return fits[0] if len(fits) == 1 else start


def _below(template: Template, population: Population, start: str) -> bool:
    return start in template.ancestors(population.id)


def _known_markers(sample: Sample, template: Template, choices: Choices) -> None:
    """A word in `channels` that the template never asks for is a slip of the pen."""
    known = {axis for p in template.populations.values() for axis in (*p.requires, *p.gate.axes(), *p.plot)}
    known |= set(template.markers) | {name for spec in template.axes.values() for name in spec.channels}
    folded = {axis.casefold() for axis in known}
    for marker in choices.channels or {}:
        if marker.casefold() not in folded:
            raise TemplateError(
                f"{sample.name}: channels: template {template.name} asks for no marker {marker!r}; "
                f"{suggest(marker, known, limit=30)}"
            )


def _missing(
    population: Population, axes: Mapping[str, Axis], skipped: Mapping[str, str], template: Template
) -> str:
    """What a step lacks, in words; nothing where it can be done."""
    absent = [name for name in population.requires if name not in axes]
    absent += [name for name in _absent(population.gate, axes) if name not in absent]
    if absent:
        wanted = [repr(channel) for name in absent for channel in _channels(template, name)]
        return ("channel " if absent[0] in template.axes else "marker ") + ", ".join(dict.fromkeys(wanted))
    for spec in population.gate.walk():
        channels = [axes[name].channel.index for name in spec.on if name in axes and axes[name].spec is None]
        if len(set(channels)) < len(channels):
            return f"{' and '.join(spec.on)} on two channels, where one fits both"
        if spec.population in skipped:
            return f"population {spec.population!r}, which was skipped"
    return ""


def _not_by_isotype(sample: Sample, wanted: list[Population], axes: Mapping[str, Axis]) -> None:
    """An isotype control does not set Foxp3, whatever the template calls the axis, unless it says so."""
    for population in wanted:
        for spec in population.gate.walk():
            if spec.kind != "isotype" or spec.params.even_foxp3 or spec.on[0] not in axes:
                continue
            label = axes[spec.on[0]].channel.label
            if is_foxp3(label):
                raise TemplateError(
                    f"{sample.name}: population {population.id!r}: {spec.on[0]} is {label}, and an isotype control does "
                    "not set Foxp3; say `even_foxp3: true` if it is to"
                )


def _channels(template: Template, name: str) -> tuple[str, ...]:
    return template.axes[name].channels if name in template.axes else (name,)


def _outside(population: Population, template: Template, start: str | None) -> str:
    """A population that a gate refers to and that a file exported from `start` cannot hold."""
    for spec in population.gate.walk():
        other = spec.population
        if start is not None and other is not None and start not in (other, *template.ancestors(other)):
            return f"population {other!r}, which does not stand below {start!r}"
    return ""


def _absent(spec: GateSpec, axes: Mapping[str, Axis]) -> list[str]:
    """The axes that a gate cannot do without: where a fallback needs other ones, those of the fallback."""
    absent = [name for name in spec.on if name not in axes]
    if absent and spec.fallback is not None:
        return _absent(spec.fallback, axes)
    return list(dict.fromkeys((*absent, *(name for part in spec.parts for name in _absent(part, axes)))))
