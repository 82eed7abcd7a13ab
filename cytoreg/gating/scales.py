"""Scales that a template leaves to the data (`auto`): which they are, what a tube tells, and what is chosen of it.

They are chosen before any gate is placed, for all tubes that share them: gates stand in units of the scale, so that a cut
which tubes share needs one scale for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from cytoreg.errors import TemplateError
from cytoreg.fcs.channel import is_scatter_or_time
from cytoreg.gating.template import Template
from cytoreg.transforms.choosing import AUTO, Chosen, Offer, choose

__all__ = ["auto_axes", "check_scales", "choose_scales", "scale_word", "with_scales"]

_WIDER = {"sample": ("sample",), "batch": ("sample", "batch"), "study": ("sample", "batch", "subject", "study")}


def auto_axes(template: Template) -> list[str]:
    """The axes of gates and pictures whose scale is to be chosen."""
    if not template.has_auto:
        return []
    names = (
        axis for step in template.populations.values() for axis in (*step.requires, *step.gate.axes(), *step.plot)
    )
    return [name for name in dict.fromkeys(names) if _is_auto(template, name)]


def choose_scales(offers: Sequence[Mapping[str, Offer]], by: str) -> dict[str, Chosen]:
    """One scale an axis from what tubes tell, in any order. offers: axis -> Offer, of each tube. by: who shares it."""
    names = sorted({name for told in offers for name in told})
    return {name: choose([told[name] for told in offers if name in told], by) for name in names}


def scale_word(template: Template, name: str, channel: str | None = None) -> str:
    """The word under which `transforms` has the scale of an axis: its own, else that of its channel."""
    folded = {key.casefold() for key in template.transforms}
    return channel if channel is not None and name.casefold() not in folded else name


def with_scales(template: Template, chosen: Mapping[str, Chosen]) -> Template:
    """The template with its scales chosen; it is the same otherwise, and has the same digest."""
    return replace(template, chosen=dict(chosen)) if chosen else template


def check_scales(template: Template, where: Callable[..., str]) -> None:
    """What cannot be with a scale that is chosen: coordinates drawn on it, and cuts shared more widely than it is.

    where: what a message about a key begins with. Raises TemplateError.
    """
    for item in template.samples.values():
        if item.template.has_auto:
            raise TemplateError(
                f"{where('samples')}: the gates of single samples state their scales; found `auto`"
            )
    for population, kind, by, axes in _uses(template):
        place = where("populations", population)
        if kind == "drawn":
            raise TemplateError(
                f"{place}: a gate is drawn at coordinates of {axes[0]}, whose scale is `auto`: state the scale, or let "
                "a method place the gate"
            )
        if by not in _WIDER[template.choose]:
            raise TemplateError(
                f"{place}: the cut on {axes[0]} is shared by {by} and its scale by {template.choose}; say "
                f"`choose: {{by: {'batch' if by == 'batch' else 'study'}}}`"
            )


def _uses(template: Template) -> Iterator[tuple[str, str, str, list[str]]]:
    """Gates on axes that are chosen: the population, what places them, and which tubes share them."""
    from cytoreg.gating.methods import CONTROLS

    auto = set(auto_axes(template))
    for key, population in template.populations.items():
        for spec in population.gate.walk():
            axes = [axis for axis in spec.on if axis in auto]
            if not axes:
                continue
            shared = "batch" if spec.kind in CONTROLS and spec.by == "sample" else spec.by
            yield (
                key,
                "drawn" if spec.geometry is not None or spec.kind == "reference" else spec.kind,
                shared,
                axes,
            )


def _is_auto(template: Template, name: str) -> bool:
    spec = template.axes.get(name)
    if spec is not None and spec.transform is not None:
        return False
    asked = scale_word(template, name, spec.channels[0] if spec is not None else None)
    scatter = is_scatter_or_time(spec.channels[0] if spec is not None else name)
    return AUTO in template.scale_of(asked, is_scatter_or_time=scatter)[1].values()
