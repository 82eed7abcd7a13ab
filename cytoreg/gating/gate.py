"""Gate one sample, with its controls if it has any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cytoreg.errors import TemplateError, suggest
from cytoreg.fcs.sample import Sample
from cytoreg.gating.binding import Bound, Choices, bind
from cytoreg.gating.control_doubt import doubt_controls
from cytoreg.gating.engine import one_pass, root_of
from cytoreg.gating.events import Events
from cytoreg.gating.methods import CONTROLS
from cytoreg.gating.placed import Pass, Placed
from cytoreg.gating.result import Result
from cytoreg.gating.scales import auto_axes, choose_scales, scale_word, with_scales
from cytoreg.gating.shared import settle_each
from cytoreg.gating.template import Template
from cytoreg.markers import find_channel, means
from cytoreg.transforms.choosing import AUTO, Offer, offer

if TYPE_CHECKING:
    from cytoreg.gating.uncertainty.bootstrap import Replicates

__all__ = ["as_full", "controls_of", "events_of", "gate", "scale_offers"]


def gate(
    sample: Sample,
    template: Template,
    choices: Choices | None = None,
    *,
    controls: Mapping[str, Sample] | None = None,
    rule: str | None = None,
) -> Result:
    """Place every gate of a template on a sample and apply it.

    choices: what is said of this file beside the template. controls: marker (or `fmo:MARKER`) -> the FMO tube that
    lacks it; `isotype` and `unstained` -> that control. They are gated like the sample, with its matrix. rule: how events are counted; `events` decides each against the gate's true shape; that of the choices
    or the template where it is not given. A template read from a workspace gives the gates of this sample.
    Raises TemplateError where the template does not fit the file.
    """
    choices = choices or Choices()
    rule = rule or choices.rule or template.rule
    template = template.for_sample(sample)
    tubes = {"full": sample, **_known_controls(template, controls or {})}
    if auto_axes(template):
        alone = bind(sample, template, choices, rule)
        template = with_scales(template, choose_scales([scale_offers(alone, events_of(alone))], template.choose))
    bound = {
        tube: bind(
            opened, template, choices if tube == "full" else as_full(tube, opened, sample, template, choices), rule
        )
        for tube, opened in tubes.items()
    }
    events = {tube: events_of(item) for tube, item in bound.items()}
    settled: dict[str, dict[str, Placed]] = {tube: {} for tube in tubes}
    while True:
        passes = {
            tube: one_pass(bound[tube], events[tube], tube=tube, settled=settled[tube], alone=len(tubes) == 1)
            for tube in tubes
        }
        again = {
            tube: replicates_of(bound[tube], events[tube], found, choices, tube) for tube, found in passes.items()
        }
        asked = list(dict.fromkeys(key for found in passes.values() for key in found.proposals))
        if not asked:
            doubt_controls(bound["full"], passes["full"])
            return Result(bound["full"], events["full"], passes["full"], again["full"])
        for tube, found in passes.items():
            settled[tube] = {**found.placed, **settled[tube]}
        late = {key for found in passes.values() for key in found.awaited}
        for key in [key for key in asked if key not in late] or asked:
            offered = {tube: (tube, p.proposals[key]) for tube, p in passes.items() if key in p.proposals}
            for tube, placed in settle_each(offered).items():
                settled[tube][key] = placed


def replicates_of(bound: Bound, events: Events, found: Pass, choices: Choices, tube: str) -> Replicates | None:
    """The bootstrap of gate placement beside a pass; None where none is asked for, or where every gate is drawn."""
    if not choices.bootstrap or not any(step.gate.is_fitted for step in bound.steps):
        return None
    from cytoreg.gating.uncertainty.bootstrap import replicate

    return replicate(bound, events, found, tube=tube, seed=choices.seed, b=choices.bootstrap)


def as_full(tube: str, sample: Sample, full: Sample, template: Template, choices: Choices) -> Choices:
    """The choices for a control tube: what it does not say itself is as in a full tube of its set.

    A marker that the control does not name (the one that an FMO control lacks; any of an isotype or unstained
    tube) is on the channel of the full tube. Where the matrix comes from the file, it is the full tube's.
    """
    kind, _, lacked = tube.partition(":")
    axes = {
        axis for step in template.populations.values() for axis in (*step.requires, *step.gate.axes(), *step.plot)
    }
    said = {name.casefold() for name in choices.channels or {}}
    channels = dict(choices.channels or {})
    for name in sorted(axes):
        if name in template.axes or name.casefold() in said:
            continue
        if kind == "fmo" and not means(lacked, name, template.markers):
            continue
        aliases = template.markers.get(name, ())
        if find_channel(name, sample, aliases=aliases) is None:
            channel = find_channel(name, full, aliases=aliases)
            if channel is not None and any(own.name == channel.name for own in sample.channels):
                channels[name] = channel.name
    compensation = choices.compensation
    from_file = template.compensation if compensation is None else compensation
    stated = any(axis.compensation is not None for axis in template.axes.values())
    if from_file == "from_file" and not stated and full.spillover is not None:
        compensation = full.spillover
    return replace(choices, channels=channels or None, compensation=compensation)


def controls_of(template: Template) -> dict[str, tuple[str, ...]]:
    """The kinds of control that a template takes cuts from (`fmo`, ...), each with the axes that it sets."""
    specs = [spec for step in template.populations.values() for spec in step.gate.walk() if spec.kind in CONTROLS]
    return {
        kind: tuple(dict.fromkeys(axis for spec in specs if spec.kind == kind for axis in spec.on))
        for kind in dict.fromkeys(spec.kind for spec in specs)
    }


def events_of(bound: Bound) -> Events:
    """The columns of a bound sample: what the gates need is decoded in one pass when one must be fitted, or seen."""
    events = Events(bound.sample, bound.axes, bound.compensation, bound.remove)
    used = [axis for step in bound.steps for axis in step.gate.axes() if axis in bound.axes]
    events.want(tuple(dict.fromkeys(used)))
    return events


def scale_offers(bound: Bound, events: Events) -> dict[str, Offer]:
    """What a tube tells of each axis whose scale is to be chosen, from all events that are gated; axis -> Offer."""
    root, found = root_of(bound, events), {}
    for name in auto_axes(bound.template):
        if name in bound.axes:
            channel, spec = bound.axes[name].channel, bound.template.axes.get(name)
            asked = scale_word(bound.template, name, spec.channels[0] if spec is not None else None)
            kind, params = bound.template.scale_of(asked, is_scatter_or_time=channel.is_scatter_or_time)
            if AUTO in params.values():
                found[name] = offer(kind, {"T": channel.top, **params}, events.linear(root, name))
    return found


def _known_controls(template: Template, controls: Mapping[str, Sample]) -> dict[str, Sample]:
    """The controls by the kind of tube they are. Raises TemplateError for one that the template takes no cut from."""
    known = controls_of(template)
    found = {}
    for said, sample in controls.items():
        kind, colon, lacked = said.partition(":")
        if kind.casefold() in CONTROLS and bool(colon) == (kind.casefold() == "fmo"):
            tube = kind.casefold() + colon + lacked
        else:
            tube, lacked = f"fmo:{said}", said
        kind = tube.partition(":")[0]
        if kind not in known:
            choices = ", ".join(known) or "none at all"
            raise TemplateError(
                f"controls: template {template.name} takes no {CONTROLS[kind]} control; it takes: {choices}"
            )
        if kind == "fmo" and not any(means(lacked, axis, template.markers) for axis in known[kind]):
            raise TemplateError(
                f"controls: template {template.name} takes no FMO control for {lacked!r}; {suggest(lacked, known[kind])}"
            )
        found[tube] = sample
    return found
