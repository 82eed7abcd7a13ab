"""One simulated tube: the light that cells of known identity send to the detectors of a flow cytometer.

The signal of a detector is fluorescence spilt from every fluorochrome plus autofluorescence, counted as
photoelectrons (Poisson) with electronic noise on top (Gaussian), as in Parks, El Khettabi, Chase, Hoffman,
Perfetto, Spidlen, Wood, Moore and Brinkman, Cytometry A 2017;91:232. Compensating such counts gives the
spreading error of Nguyen, Perfetto, Mahnke, Chattopadhyay and Roederer, Cytometry A 2013;83:306.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cytoreg.errors import StudyError, suggest
from cytoreg.fcs import Sample, Spillover, sample_from_array
from cytoreg.simulation.biology import KINDS, Composition, FloatArray, expression, scatter
from cytoreg.simulation.panels import MEMBERS, PANELS, PARENTS, Panel, kind_shares

__all__ = ["SCALE", "Instrument", "Tube", "simulate_tube"]

SCALE = 262144.0
"""The `$PnR` of every channel but none of its values: the highest value stored is one below."""

_THRESHOLD = 5000.0  # FSC-A below which the instrument does not trigger
_EVENTS_PER_TICK = 15.0  # 1,500 events a second, $TIMESTEP 0.01 s
_GRID = 16.0  # values are stored to 1/16 unit, exact in float32, so that the last bits of exp() do not show


@dataclass(frozen=True)
class Instrument:
    """One day's cytometer: the gain of each detector against its target, 1 where a channel is not named."""

    gains: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of_batch(panel: Panel, rng: np.random.Generator, *, spread: float = 0.08) -> Instrument:
        """Gains that differ from day to day by a factor of about exp(spread) in each detector."""
        shifts = np.exp(spread * rng.standard_normal(len(panel.detectors)))
        return Instrument({d.channel: round(float(g), 4) for d, g in zip(panel.detectors, shifts, strict=True)})


@dataclass(frozen=True, eq=False)
class Tube:
    """A simulated tube and the truth about each of its events.

    events: (n, c) float32, linear and uncompensated, in order of acquisition. membership: for each true
    population (named as in the shipped templates) bool (n,). parents: the population each one is part of;
    `root` is all events.
    """

    panel: str
    events: NDArray[np.float32]
    channels: tuple[str, ...]
    markers: tuple[str | None, ...]
    ranges: tuple[float, ...]
    spillover: Spillover
    membership: Mapping[str, NDArray[np.bool_]]
    parents: Mapping[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """True number of events in each population."""
        return {name: int(np.count_nonzero(mask)) for name, mask in self.membership.items()}

    def percent(self, percentage: str) -> float:
        """The true value of a percentage such as `Tregs % of CD4+`; nan where there is none to count.

        Raises StudyError for a population the tube does not have.
        """
        of, _, ancestor = (part.strip() for part in percentage.partition("% of"))
        n = {**self.counts, "root": len(self.events)}
        for name in (of, ancestor):
            if name not in n:
                raise StudyError(f"simulated {self.panel} tube: no population '{name}'; {suggest(name, n)}")
        return 100.0 * n[of] / n[ancestor] if n[ancestor] else float("nan")

    @property
    def percentages(self) -> dict[str, float]:
        """Each population as a true percentage of its parent, and of CD4+ or lymphocytes further up."""
        asked = [f"{name} % of {parent}" for name, parent in self.parents.items()]
        for ancestor in ("CD4+", "lymphocytes"):
            asked += [f"{name} % of {ancestor}" for name in self.parents if ancestor in self._above(name)]
        return {percentage: self.percent(percentage) for percentage in dict.fromkeys(asked)}

    def _above(self, name: str) -> list[str]:
        line: list[str] = []
        while (name := self.parents.get(name, "root")) != "root":
            line.append(name)
        return line

    def to_sample(self, name: str) -> Sample:
        """The tube as `read_fcs` would give it after writing, without a file."""
        return sample_from_array(
            self.events,
            self.channels,
            markers=self.markers,
            name=name,
            ranges=self.ranges,
            spillover=self.spillover,
        )


def simulate_tube(
    panel: str,
    blood: Composition,
    n_events: int,
    rng: np.random.Generator,
    *,
    instrument: Instrument | None = None,
    without: str | None = None,
    staining_spread: float = 0.03,
) -> Tube:
    """Acquire `n_events` of a blood sample with the panel `treg` or `tbnk`.

    without: a marker whose reagent is left out, which makes an FMO control: its detector then sees only
    autofluorescence and the other dyes. staining_spread: how much (log standard deviation) the brightness of
    each reagent differs from tube to tube. The generator alone decides the result. Raises StudyError for an
    unknown panel or marker and for fewer than one event.
    """
    chosen = _panel(panel, n_events, without)
    n = int(n_events)
    kind = _kinds(chosen, blood, n, rng)
    doublet = (kind > 0) & (rng.random(n) < chosen.doublets)
    first = np.flatnonzero(doublet)
    second = slice(n, n + first.size)
    kind = np.concatenate([kind, _kinds(chosen, blood, first.size, rng, only_cells=True)])
    dead = (kind > 0) & (rng.random(kind.size) < chosen.dead)
    size = 0.08 * rng.standard_normal(kind.size)
    forward, side, glow = _scatter(kind, dead, size, rng)
    light = _detected(chosen, kind, dead, size, glow, rng, without, staining_spread)

    height = forward * 0.82 * (1 + 0.025 * rng.standard_normal(kind.size))
    overlap = rng.random(first.size) ** 2  # most pairs pass one after the other, some side by side
    height[first] = np.maximum(height[first], height[second]) * (1.04 + 0.5 * overlap)
    for values in (forward, side, light):
        values[first] += values[second]

    volts = _counted(chosen, light[:n], rng, instrument or Instrument())
    off_scale = rng.random(n) < chosen.margin
    forward[:n][off_scale] = np.inf
    side[:n][off_scale & (rng.random(n) < 0.7)] = np.inf
    height[:n][off_scale] *= 2.2
    volts[off_scale & (rng.random(n) < 0.2), 1] = np.inf  # clumps of antibody
    ticks = np.floor(np.cumsum(rng.exponential(1 / _EVENTS_PER_TICK, n)))

    columns = np.column_stack([forward[:n], height[:n], side[:n], volts])
    columns = np.rint(np.clip(columns, -SCALE / 20, SCALE - 1) * _GRID) / _GRID
    events = np.column_stack([columns, ticks]).astype(np.float32)
    names = tuple(detector.channel for detector in chosen.detectors)
    gains = np.array([(instrument or Instrument()).gains.get(name, 1.0) for name in names])
    return Tube(
        panel=panel,
        events=events,
        channels=("FSC-A", "FSC-H", "SSC-A", *names, "Time"),
        markers=(None, None, None, *(detector.marker for detector in chosen.detectors), None),
        ranges=(SCALE,) * events.shape[1],
        spillover=Spillover(names, np.round(chosen.spillover * gains / gains[:, None], 6), "simulated"),
        membership=_membership(
            panel, kind=kind[:n], whole=(kind[:n] > 0) & ~off_scale, single=~doublet, alive=~dead[:n]
        ),
        parents=PARENTS[panel],
    )


def _panel(panel: str, n_events: int, without: str | None) -> Panel:
    if panel not in PANELS:
        raise StudyError(f"simulated panel '{panel}': {suggest(panel, PANELS)}")
    if n_events < 1:
        raise StudyError(f"simulated {panel} tube: {n_events} events, expected at least 1")
    markers = [detector.marker for detector in PANELS[panel].detectors]
    if without is not None and without not in markers:
        raise StudyError(f"simulated {panel} tube without '{without}': {suggest(without, markers)}")
    return PANELS[panel]


def _kinds(
    panel: Panel, blood: Composition, n: int, rng: np.random.Generator, *, only_cells: bool = False
) -> NDArray[np.intp]:
    """The kind of each particle: an index into `KINDS`, (n,); debris is 0."""
    limits = np.cumsum(kind_shares(panel, blood))
    limits[-1] = 1.0
    lowest = limits[0] if only_cells else 0.0
    return np.searchsorted(limits, lowest + (1 - lowest) * rng.random(n), side="right")


def _scatter(
    kind: NDArray[np.intp], dead: NDArray[np.bool_], size: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """FSC-A, SSC-A and the cell's autofluorescence relative to a median lymphocyte's, (n,) each."""
    table = scatter()[kind]
    spread = 1 + 0.9 * dead  # dying cells shrink and grow granular, each to its own degree
    z_forward, z_side, z_glow = rng.standard_normal((3, kind.size))
    forward = np.exp(table[:, 0] + 0.5 * size + table[:, 1] * spread * z_forward - 0.42 * dead)
    side = np.exp(table[:, 2] + 0.3 * size + table[:, 3] * spread * (z_side + 0.03 * z_side**2) + 0.40 * dead)
    glow = table[:, 4] * np.exp(size + 0.28 * (z_glow + 0.08 * z_glow**2)) * (1 + 2.2 * dead)
    return np.maximum(forward, _THRESHOLD + 0.1 * forward), side, glow


def _detected(
    panel: Panel,
    kind: NDArray[np.intp],
    dead: NDArray[np.bool_],
    size: FloatArray,
    glow: FloatArray,
    rng: np.random.Generator,
    without: str | None,
    staining_spread: float,
) -> FloatArray:
    """Mean light at each detector in linear units, (n, k): expressed, spilt, and the cell's own."""
    n, k = kind.size, len(panel.detectors)
    state = rng.standard_normal(n)  # how activated a cell is for its kind moves CD25, Foxp3 and CD127 together
    loading = {"CD25": 0.45, "FOXP3": 0.40, "CD127": -0.40}
    staining = np.exp(staining_spread * rng.standard_normal(k))
    sticky = np.where(dead, 260.0 * np.exp(0.8 * rng.standard_normal(n)), 0.0)
    dye = np.zeros((k, n))
    own = np.empty((k, n))
    for i, detector in enumerate(panel.detectors):
        z, own_z = rng.standard_normal((2, n))
        own[i] = detector.autofluorescence * glow * np.exp(0.12 * own_z)
        if detector.marker == without:
            continue
        shared = loading.get(detector.marker, 0.0)
        z = shared * state + np.sqrt(1 - shared**2) * z
        z += 0.05 * (z * z - 1)  # real expression is a little skewed even on a logarithmic scale
        if detector.marker == "Viability":
            median, spread = expression("viability")
            median, spread = median[kind], spread[kind]
            dying = rng.random(n) < 0.15  # membranes that only begin to leak
            median = np.where(dead, np.where(dying, np.log(2500.0), np.log(14000.0)), median)
            spread = np.where(dead, 0.75, spread)
            dye[i] = np.exp(median + spread * z + size)
        else:
            median, spread = expression(detector.marker)
            dye[i] = np.exp(median[kind] + spread[kind] * z + size) + sticky
        dye[i] *= detector.brightness * staining[i]
    spill = panel.spillover
    for source, target in zip(*np.nonzero(spill), strict=True):  # sums in a fixed order, on any machine
        own[target] += spill[source, target] * dye[source]
    return np.ascontiguousarray(own.T)


def _counted(panel: Panel, light: FloatArray, rng: np.random.Generator, instrument: Instrument) -> FloatArray:
    """What the electronics store for that light, (n, k): photoelectrons, noise about zero, gain."""
    stored = np.empty_like(light)
    for i, detector in enumerate(panel.detectors):
        photoelectrons = rng.poisson(light[:, i] / detector.photoelectron)
        noise = detector.noise * rng.standard_normal(len(light))
        stored[:, i] = (photoelectrons * detector.photoelectron + noise) * instrument.gains.get(
            detector.channel, 1.0
        )
    return stored


def _membership(
    panel: str,
    *,
    kind: NDArray[np.intp],
    whole: NDArray[np.bool_],
    single: NDArray[np.bool_],
    alive: NDArray[np.bool_],
) -> dict[str, NDArray[np.bool_]]:
    """Which events truly belong to each population: an intact, single, living cell of the right kind."""
    singlets = whole & single
    live = singlets & alive
    lymphoid = np.array([k not in ("debris", "monocyte", "granulocyte") for k in KINDS])
    truth = {"cells": whole, "singlets": singlets, "live": live, "lymphocytes": live & lymphoid[kind]}
    for name, members in MEMBERS.items():
        truth[name] = live & np.isin(KINDS, members)[kind]
    return {name: truth[name] for name in PARENTS[panel]}
