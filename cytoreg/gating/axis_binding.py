"""Each axis of a template bound to a file: its channel or ratio, its compensation, its scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cytoreg.compensation import Compensation, Matrix, SingleStains, compensation_for
from cytoreg.errors import TemplateError
from cytoreg.fcs.channel import Channel
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.events import Axis, BoundRatio, Sources
from cytoreg.gating.scales import scale_word
from cytoreg.gating.template import Template
from cytoreg.markers import find_channel
from cytoreg.transforms import Transform

__all__ = ["AxisBinder"]


@dataclass(frozen=True)
class _Part:
    """One channel of an axis. wanted: as the compensation calls it, or as the file does."""

    channel: Channel
    sources: Sources
    wanted: str


class AxisBinder:
    """What the axes of one template are in one file.

    channels: marker -> channel, as the user says. compensation: in place of the template's, and of that of
    every axis that is compensated at all.
    """

    def __init__(
        self,
        sample: Sample,
        template: Template,
        channels: Mapping[str, str] | None = None,
        compensation: str | Path | Spillover | SingleStains | None = None,
    ) -> None:
        self.sample = sample
        self.template = template
        self.channels = channels
        self.choice = compensation
        self._matrices: dict[str | None, Compensation | None] = {}

    def compensation(self, name: str | None = None) -> Compensation | None:
        """What takes the spillover out: of the template, or by the name that an axis states."""
        if name == "none":
            return None
        if name not in self._matrices:
            said = name if name is not None else self.template.compensation
            named = self.template.matrices.get(said) if isinstance(said, str) else None
            matrix: str | Path | Spillover | Matrix | SingleStains = said if named is None else named
            self._matrices[name] = compensation_for(self.sample, matrix if self.choice is None else self.choice)
        return self._matrices[name]

    def bind(self, name: str) -> Axis | None:
        """An axis by its name in the template, or None where the panel does not have its channel."""
        spec = self.template.axes.get(name)
        if spec is None:
            channel = self._find(name, exact=False)
            if channel is None:
                return None
            scale, compensation = self._scale(name, channel), self.compensation()
            return Axis(
                name,
                channel,
                scale,
                compensation=compensation,
                wanted=(_wanted(channel, compensation),),
                chosen=self.template.chosen.get(name),
            )
        parts = [self._part(spec, channel) for channel in spec.channels]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        channel = found[0].channel
        return Axis(
            name,
            channel,
            spec.transform or self._scale(name, channel, spec.channels[0]),
            sources=None if spec.ratio else found[0].sources,
            ratio=BoundRatio(found[0].sources, found[1].sources, spec.ratio.A, spec.ratio.B, spec.ratio.C)
            if spec.ratio
            else None,
            spec=spec,
            compensation=self.compensation(spec.compensation),
            wanted=tuple(part.wanted for part in found),
            chosen=None if spec.transform else self.template.chosen.get(name),
        )

    def _part(self, spec: AxisSpec, wanted: str) -> _Part | None:
        """A channel and what its compensated value is the sum of."""
        stated = spec.compensation or self.template.compensation
        said = self.template.matrices.get(stated) if isinstance(stated, str) else None
        matrix = said if self.choice is None else None
        compensation = self.compensation(spec.compensation)
        if said is not None and wanted in said.fluorochromes and wanted not in (self.channels or {}):
            place = said.fluorochromes.index(wanted)
            if matrix is not None and compensation is not None:
                return _Part(self._brightest(compensation, place), compensation.sources_of(wanted), wanted)
            if len(said.fluorochromes) != len(said.detectors):
                raise TemplateError(
                    f"{self.sample.name}: {wanted!r} comes out of the matrix {said.name!r}, which is not square: "
                    "no other compensation can take its place"
                )
            wanted = said.detectors[place]
        channel = self._find(wanted, exact=spec.exact)
        if channel is None:
            return None
        if compensation is None or channel.index not in compensation.indices:
            return _Part(channel, ((channel.index, 1.0),), channel.name)
        if len(compensation.fluorochromes) != len(compensation.indices):
            raise TemplateError(
                f"{self.sample.name}: axis {spec.name!r}: {wanted!r} is a detector of the matrix {compensation.name!r}; "
                f"what comes out of it is called {', '.join(compensation.fluorochromes)}"
            )
        return _Part(channel, compensation.sources(channel.index), _wanted(channel, compensation))

    def _brightest(self, compensation: Compensation, place: int) -> Channel:
        """The detector that a fluorochrome is seen in most; of a square matrix the one in its place."""
        row = compensation.matrix[place]
        if len(compensation.fluorochromes) != len(compensation.indices):
            place = int(row.argmax())
        return self.sample.channels[compensation.indices[place]]

    def _find(self, name: str, *, exact: bool) -> Channel | None:
        aliases = self.template.markers.get(name, ())
        return find_channel(name, self.sample, aliases=aliases, channels=self.channels, exact=exact)

    def _scale(self, name: str, channel: Channel, marker: str | None = None) -> Transform:
        """The template's scale for an axis: by its name, else by that of its channel."""
        return self.template.transform_for(
            scale_word(self.template, name, marker),
            channel.top,
            is_scatter_or_time=channel.is_scatter_or_time,
            chosen=self.template.chosen.get(name),
        )


def _wanted(channel: Channel, compensation: Compensation | None) -> str:
    """What a square matrix calls what comes out of a detector; the channel's own name without one."""
    if compensation is None or channel.index not in compensation.indices:
        return channel.name
    return compensation.fluorochromes[compensation.indices.index(channel.index)]
