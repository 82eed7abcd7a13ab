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

__all__ = ["RULES", "events_of", "gate", "lacking"]

RULES = ("events",)


def gate(
    sample: Sample,
    template: Template,
    choices: Choices | None = None,
    *,
    controls: Mapping[str, Sample] | None = None,
    rule: str = "events",
) -> Result:
    """Place every gate of a template on a sample and apply it.

    choices: what is said of this file beside the template. controls: marker -> the FMO tube that lacks it.
    rule: how events are counted; `events` decides each against the gate's true shape.
    Raises TemplateError where the template does not fit the file.
    """
    if rule not in RULES:
        raise TemplateError(f"unknown counting rule {rule!r}; there are: {', '.join(RULES)}")
    _known_controls(template, controls or {})
    choices = choices or Choices()
    tubes = {"full": sample, **{f"fmo:{marker}": control for marker, control in (controls or {}).items()}}
    bound = {
        tube: bind(opened, template, lacking(tube, opened, sample, template, choices))
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


def lacking(tube: str, sample: Sample, full: Sample, template: Template, choices: Choices) -> Choices:
    """The choices for a tube; an FMO control that no longer names its marker takes the channel of a full tube."""
    kind, _, marker = tube.partition(":")
    aliases, said = template.markers.get(marker, ()), choices.channels
    if kind != "fmo" or find_channel(marker, sample, aliases=aliases, channels=said) is not None:
        return choices
    channel = find_channel(marker, full, aliases=aliases, channels=said)
    return choices if channel is None else replace(choices, channels={**(said or {}), marker: channel.name})


def events_of(bound: Bound) -> Events:
    """The columns of a bound sample, what the gates need decoded in one pass."""
    events = Events(bound.sample, bound.axes, bound.compensation)
    used = [axis for step in bound.steps for axis in step.gate.axes() if axis in bound.axes]
    events.load(tuple(dict.fromkeys(used)))
    return events


def _known_controls(template: Template, controls: Mapping[str, object]) -> None:
    known = {axis for population in template.populations.values() for axis in population.gate.axes()}
    folded = {axis.casefold() for axis in known}
    for marker in controls:
        if marker.casefold() not in folded:
            raise TemplateError(
                f"controls: template {template.name} has no gate on {marker!r}; {suggest(marker, known, limit=30)}"
            )
