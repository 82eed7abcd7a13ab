"""What is wrong with single-stain controls, each in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cytoreg.compensation.tubes import Finding, Tube, voltages
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import Spillover

if TYPE_CHECKING:
    from cytoreg.compensation.estimate import Stain

__all__ = ["findings_of"]

FEW = 500
MUCH_SATURATED = 0.01
BRIGHT = 99.0  # percentile of a sample that a control's stained events should reach


def findings_of(
    stains: Sequence[Stain],
    tubes: Sequence[Tube],
    spillover: Spillover,
    tops: Sequence[float],
    samples: Sequence[Sample],
    *,
    spectral: bool = False,
) -> list[Finding]:
    """Wrong tubes, few or saturated stained events, other voltages, samples brighter than their controls.

    spectral: a reference may be brightest in any detector.
    """
    return [
        *([] if spectral else _wrong_tubes(stains, spillover)),
        *_amounts(stains, spillover),
        *_voltages(tubes, spillover.channels, samples),
        *_brighter(stains, spillover, tops, samples),
    ]


def _wrong_tubes(stains: Sequence[Stain], spillover: Spillover) -> Iterator[Finding]:
    """A stain is brightest in its own detector; where it is not, tubes were probably swapped."""
    owner = {stain.place: stain.tube.name for stain in stains}
    for stain in stains:
        rise = np.median(stain.events[stain.positive], axis=0) - np.median(stain.negative, axis=0)
        brightest = int(rise.argmax())
        if brightest == stain.place:
            continue
        said, seen = spillover.channels[stain.place], spillover.channels[brightest]
        swapped = f", which is {owner[brightest]}'s channel" if brightest in owner else ""
        ratio = rise[brightest] / rise[stain.place]
        yield Finding(
            True,
            f"{stain.tube.name}: should be brightest in {said} and is {ratio:.1f} times as bright in {seen}{swapped}: "
            "a wrong tube or a wrong channel",
        )


def _amounts(stains: Sequence[Stain], spillover: Spillover) -> Iterator[Finding]:
    for stain in stains:
        name, channel = stain.tube.name, spillover.channels[stain.place]
        n = int(stain.positive.sum())
        if n < FEW:
            yield Finding(
                False, f"{name}: only {n} stained events in {channel}; {FEW} or more make a steady median"
            )
        if not stain.peak:
            yield Finding(
                False,
                f"{name}: no peak of stained events in {channel}: the brightest were taken, and their autofluorescence "
                "may pass for spillover",
            )
        if stain.saturated > MUCH_SATURATED:
            yield Finding(
                False,
                f"{name}: {100 * stain.saturated:.1f} % of the stained events are at the top of {channel}; they were left out",
            )


def _voltages(tubes: Sequence[Tube], channels: Sequence[str], samples: Sequence[Sample]) -> Iterator[Finding]:
    """Spillover holds for the detector voltages ($PnV) at which it was measured, and for no others."""
    said = [(tube.sample, voltages(tube.sample, channels)) for tube in tubes]
    first, reference = said[0]
    names = {channel.name for channel in first.channels}
    for sample in samples:
        here = {channel.name for channel in sample.channels}
        if absent := [channel for channel in channels if channel not in here & names]:
            yield Finding(True, f"{sample.name}: has no channel {absent[0]!r}, which the controls have")
        else:
            said.append((sample, voltages(sample, channels)))
    for sample, found in said[1:]:
        for channel, one, other in zip(channels, reference, found, strict=True):
            if one and other and not _same(one, other):
                yield Finding(
                    True,
                    f"{sample.name}: {channel} was at {other} volts, at {one} in {first.name}: the matrix does not hold for both",
                )
                break


def _same(one: str, other: str) -> bool:
    try:
        return float(one.replace(",", ".")) == float(other.replace(",", "."))
    except ValueError:
        return one == other


def _brighter(
    stains: Sequence[Stain], spillover: Spillover, tops: Sequence[float], samples: Sequence[Sample]
) -> Iterator[Finding]:
    """A coefficient is measured up to the brightness of its control; errors grow with what lies beyond."""
    for stain in stains:
        channel = spillover.channels[stain.place]
        control = float(np.median(stain.events[stain.positive][:, stain.place]))
        for sample in samples:
            if channel not in {c.name for c in sample.channels}:
                continue
            values = np.asarray(sample[channel], dtype=np.float64)
            values = values[np.isfinite(values) & (values < tops[stain.place])]
            bright = float(np.percentile(values, BRIGHT)) if len(values) else 0.0
            if bright > control:
                yield Finding(
                    False,
                    f"{stain.tube.name}: its stained events are dimmer in {channel} (median {control:,.0f}) than the brightest "
                    f"of {sample.name} (99th percentile {bright:,.0f})",
                )
                break
