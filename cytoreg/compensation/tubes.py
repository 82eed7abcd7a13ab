"""Single-stain tubes opened: their detectors, the channel each is stained in, and its events of one kind of particle.

What is wrong with a tube becomes a finding, so that a user sees everything that is wrong at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cytoreg.compensation.cells import ScatterGate, scatter_channels, scatter_gate
from cytoreg.compensation.controls import Control, channel_for
from cytoreg.errors import FCSError, TemplateError
from cytoreg.fcs.read import read_fcs
from cytoreg.fcs.sample import Sample

__all__ = ["Cells", "Finding", "Tube", "open_tubes", "voltages"]

Array = npt.NDArray[np.float64]
Cells = Callable[[Sample], npt.NDArray[np.bool_]]

MOST_EVENTS = 200_000  # of a tube, evenly over the whole of it
SAME_PARTICLES = 1.5  # ratio of scatter up to which two tubes hold the same kind of particle
BRIGHT = 98.0  # percentile that tells in which detector a tube is stained
TO_FIND, UNKNOWN = -2, -1  # in place of a detector: to be told by the events, or not among them
TOP = 0.999  # of the scale, from where on an event is at its top


@dataclass(frozen=True)
class Finding:
    """What is odd about the controls, in one sentence. grave: no matrix should be made of them as they are."""

    grave: bool
    message: str


@dataclass(frozen=True, eq=False)
class Tube:
    """A control that was read. sample: the file. stain: position of the stained detector, None if unstained,
    below 0 where it has none.

    values: (n, k) raw linear values of the detectors, of the events that the scatter gate keeps. kind: which tubes
    hold the same particles. events: how many the file has.
    """

    control: Control
    sample: Sample
    stain: int | None
    values: Array
    kind: int = 0
    events: int = 0
    scatter: tuple[Array, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        return self.control.path.name


def open_tubes(
    controls: Sequence[Control], *, gate_scatter: bool = True, cells: Cells | None = None, spectral: bool = False
) -> tuple[list[Tube], tuple[str, ...], list[float], list[Finding]]:
    """The tubes, the names of the k detectors, the value at which each is at its top, and what is wrong.

    cells: which events of a tube are the particles to look at, in place of the scatter gate. spectral: a dye need not
    name a detector; its own is the one in which it is brightest.
    Raises TemplateError where no control can be read.
    """
    findings: list[Finding] = []
    opened: list[tuple[Control, Sample]] = []
    for control in controls:
        try:
            sample = read_fcs(control.path)
        except FCSError as problem:
            findings.append(Finding(True, str(problem)))
            continue
        if sample.n_events == 0:
            findings.append(Finding(True, f"{sample.name}: holds no events"))
            continue
        opened.append((control, sample))
    if not opened:
        raise TemplateError(findings[0].message if findings else "there are no single-stain controls")
    detectors = _detectors(opened)
    tubes: list[Tube] = []
    for control, sample in opened:
        missing = [name for name in detectors if name not in {channel.name for channel in sample.channels}]
        if missing:
            findings.append(
                Finding(
                    True,
                    f"{sample.name}: is of another panel: it has no channel {missing[0]!r} ({len(missing)} of {len(detectors)} are not there)",
                )
            )
            continue
        tubes.append(_tube(control, sample, detectors, findings, cells, spectral))
    if not tubes:
        raise TemplateError(findings[0].message)
    if gate_scatter and cells is None:
        tubes = _gated(tubes, findings)
    first = tubes[0].sample
    tubes = _brightest(tubes)
    tops = [TOP * first.channels[_index(first, name)].top for name in detectors]
    return tubes, detectors, tops, findings


def voltages(sample: Sample, detectors: Sequence[str]) -> list[str]:
    """$PnV of each detector, empty where the file does not say."""
    return [sample.text.get(f"$P{_index(sample, name) + 1}V", "").strip() for name in detectors]


def _index(sample: Sample, name: str) -> int:
    return next(channel.index for channel in sample.channels if channel.name == name)


def _detectors(opened: Sequence[tuple[Control, Sample]]) -> tuple[str, ...]:
    """The fluorescence channels that most tubes share, of one pulse measure (area before height), in file order."""
    panels: dict[tuple[str, ...], int] = {}
    for _, sample in opened:
        names = [channel.name for channel in sample.channels if not channel.is_scatter_or_time]
        for ending in ("-a", "-h"):
            if own := [name for name in names if name.casefold().endswith(ending)]:
                names = own
                break
        panels[tuple(names)] = panels.get(tuple(names), 0) + 1
    best = max(panels, key=lambda panel: panels[panel])
    if not best:
        raise TemplateError(f"{opened[0][1].name}: has no fluorescence channels")
    return best


def _tube(
    control: Control,
    sample: Sample,
    detectors: tuple[str, ...],
    findings: list[Finding],
    cells: Cells | None,
    spectral: bool,
) -> Tube:
    step = max(1, -(-sample.n_events // MOST_EVENTS))
    wanted = [_index(sample, name) for name in detectors]
    at = scatter_channels(sample.channels)
    places = [place for place in at or () if place is not None]
    columns = [
        column.astype(np.float64) for column in sample.columns([*wanted, *places], events=slice(None, None, step))
    ]
    values = np.column_stack(columns[: len(wanted)])
    sound = np.isfinite(np.column_stack(columns)).all(axis=1)
    if cells is not None:
        sound &= cells(sample)[::step]
    stain = None
    if not control.is_negative:
        own = [channel for channel in sample.channels if channel.name in detectors]
        found = None if control.channel == "?" or spectral else channel_for(control.channel, own)
        stain = detectors.index(found.name) if found is not None else TO_FIND
        if found is None and control.channel != "?" and not spectral:
            said = f"no channel for {control.channel!r}; there are: {', '.join(detectors)}"
            findings.append(Finding(True, f"{sample.name}: {said}"))
            stain = UNKNOWN
    return Tube(
        control, sample, stain, values[sound], 0, sample.n_events, tuple(c[sound] for c in columns[len(wanted) :])
    )


def _brightest(tubes: list[Tube]) -> list[Tube]:
    """Tubes whose channel nobody said: that in which their bright events rise most above the unstained tube's."""
    blank = next((tube for tube in tubes if tube.stain is None and len(tube.values)), None)
    result = []
    for tube in tubes:
        if tube.stain == TO_FIND and len(tube.values):
            below = (
                np.percentile(blank.values, BRIGHT, axis=0) if blank else np.percentile(tube.values, 10, axis=0)
            )
            tube = replace(tube, stain=int(np.argmax(np.percentile(tube.values, BRIGHT, axis=0) - below)))
        result.append(tube)
    return result


def _gated(tubes: list[Tube], findings: list[Finding]) -> list[Tube]:
    """Each tube's events in the densest cloud of all tubes that hold the same particles."""
    kinds: list[tuple[ScatterGate, list[int]]] = []
    alone: list[ScatterGate | None] = []
    for tube in tubes:
        gate = _gate_of([tube]) if len(tube.scatter) >= 2 else None
        alone.append(gate)
    for i, gate in enumerate(alone):
        if gate is None:
            findings.append(
                Finding(False, f"{tubes[i].name}: has no cloud of scatter to gate on; all events are used")
            )
            continue
        home = next((members for first, members in kinds if gate.distance(first) <= SAME_PARTICLES), None)
        if home is None:
            kinds.append((gate, [i]))
        else:
            home.append(i)
    result = list(tubes)
    for kind, (first, members) in enumerate(kinds, start=1):
        pooled = _gate_of([tubes[i] for i in members]) or first
        for i in members:
            inside = pooled.holds(*tubes[i].scatter[:3])
            result[i] = replace(tubes[i], values=tubes[i].values[inside], kind=kind, scatter=())
    return result


def _gate_of(tubes: Sequence[Tube]) -> ScatterGate | None:
    n = min(len(tube.scatter) for tube in tubes)
    pooled = [np.concatenate([tube.scatter[i] for tube in tubes]) for i in range(n)]
    sample = tubes[0].sample
    front, side, _ = scatter_channels(sample.channels) or (0, 0, None)
    tops = (sample.channels[front].top, sample.channels[side].top)
    return scatter_gate(pooled[0], pooled[1], pooled[2] if n > 2 else None, tops)
