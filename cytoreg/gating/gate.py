"""Gate one sample, with its controls if it has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Bound, Choices, bind
from cytoreg.gating.engine import Placed, one_pass
from cytoreg.gating.events import Events
from cytoreg.gating.result import Result
from cytoreg.gating.shared import settle
from cytoreg.gating.template import Template
from cytoreg.markers import find_channel

__all__ = ["events_of", "gate", "lacking", "names_its_marker"]


def gate(
    sample: Sample,
    template: Template,
    choices: Choices | None = None,
    *,
    controls: Mapping[str, Sample] | None = None,
    rule: str | None = None,
) -> Result:
    """Place every gate of a template on a sample and apply it.

    choices: what is said of this file beside the template. controls: marker -> the FMO tube that lacks it.
    rule: how events are counted; `events` decides each against the gate's true shape; that of the choices
    or the template where it is not given. A template read from a workspace gives the gates of this sample.
    Raises TemplateError where the template does not fit the file.
    """
    choices = choices or Choices()
    rule = rule or choices.rule or template.rule
    template = template.for_sample(sample)
    _known_controls(template, controls or {})
    tubes = {"full": sample, **{f"fmo:{marker}": control for marker, control in (controls or {}).items()}}
    bound = {
        tube: bind(opened, template, lacking(tube, opened, sample, template, choices), rule)
        for tube, opened in tubes.items()
    }
    events = {tube: events_of(item) for tube, item in bound.items()}
    settled: dict[str, dict[str, Placed]] = {tube: {} for tube in tubes}
    while True:
        passes = {
            tube: one_pass(bound[tube], events[tube], tube=tube, settled=settled[tube], alone=len(tubes) == 1)
            for tube in tubes
        }
        asked = list(dict.fromkeys(key for found in passes.values() for key in found.proposals))
        if not asked:
            return Result(bound["full"], events["full"], passes["full"])
        cuts = {
            key: settle((tube, p.proposals[key].placed) for tube, p in passes.items() if key in p.proposals)
            for key in asked
        }
        for tube, found in passes.items():
            settled[tube] = {**found.placed, **settled[tube], **cuts}


def names_its_marker(tube: str, sample: Sample, template: Template, choices: Choices) -> bool:
    """Whether an FMO control still says on which channel the marker would be that it lacks."""
    kind, _, marker = tube.partition(":")
    if kind != "fmo":
        return True
    aliases = template.markers.get(marker, ())
    return find_channel(marker, sample, aliases=aliases, channels=choices.channels) is not None


def lacking(tube: str, sample: Sample, full: Sample, template: Template, choices: Choices) -> Choices:
    """The choices for a tube; an FMO control that does not name its marker takes the channel of a full tube."""
    if names_its_marker(tube, sample, template, choices):
        return choices
    marker = tube.partition(":")[2]
    channel = find_channel(marker, full, aliases=template.markers.get(marker, ()), channels=choices.channels)
    if channel is None:
        return choices
    return replace(choices, channels={**(choices.channels or {}), marker: channel.name})


def events_of(bound: Bound) -> Events:
    """The columns of a bound sample: what the gates need is decoded in one pass when one must be fitted, or seen."""
    events = Events(bound.sample, bound.axes, bound.compensation)
    used = [axis for step in bound.steps for axis in step.gate.axes() if axis in bound.axes]
    events.want(tuple(dict.fromkeys(used)))
    return events


def _known_controls(template: Template, controls: Mapping[str, object]) -> None:
    specs = [spec for population in template.populations.values() for spec in population.gate.walk()]
    known = {axis for spec in specs if spec.kind == "fmo" for axis in spec.on}
    folded = {axis.casefold() for axis in known}
    for marker in controls:
        if marker.casefold() not in folded:
            raise TemplateError(
                f"controls: template {template.name} takes no FMO control for {marker!r}; {suggest(marker, known)}"
            )
