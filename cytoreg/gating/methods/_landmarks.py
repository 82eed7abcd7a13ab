"""Where the cells of a parent lie on one axis, in a few numbers, and the map of one tube's axis onto another's.

Landmarks are the peaks of the density, matched between the tubes (Hahne F, Khodabakhshi AH, Bashashati A et al. Cytometry A
2010;77A:121-131, per-channel normalisation). One peak gives a shift; several give the straight line between each
two, which goes on with slope 1 beyond the outermost. How many cells a peak holds does not matter, so that a change of
composition does not move a gate. Quantiles (a shift and a scale through them) are for tubes of one composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from cytoreg.gating.methods._density import density, peaks
from cytoreg.gating.methods._fit import Array

__all__ = ["PROBABILITIES", "Align", "Landmarks", "Map", "landmarks_of", "mapped"]

Align = Literal["peaks", "shift", "quantiles", "none"]
PROBABILITIES = tuple(np.round(np.concatenate([[0.01], np.arange(0.05, 0.96, 0.05), [0.99]]), 2).tolist())
SMOOTH = 1.5  # a landmark must be there in the next tube as well
PROMINENCE = 0.1
MOST_PEAKS = 4
LEAST_SCALE, MOST_SCALE = 0.5, 2.0


@dataclass(frozen=True)
class Landmarks:
    """peaks: positions from left to right, the first `MOST_PEAKS` by prominence. main: the highest. quantiles: at
    `PROBABILITIES`."""

    peaks: tuple[float, ...]
    main: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Map:
    """From the reference's axis to the tube's: through (before[i], after[i]), beyond them with the slope `outside`.

    distance: the largest difference between the two cumulative distributions once mapped. unmatched: peaks of either
    that the other does not have.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    outside: float = 1.0
    distance: float = 0.0
    unmatched: int = 0

    def __call__(self, values: Array) -> Array:
        """Positions on the tube's axis; infinities stay."""
        x = np.asarray(values, dtype=np.float64)
        inner = np.interp(x, self.before, self.after)
        left, right = self.before[0], self.before[-1]
        inner = np.where(x < left, self.after[0] + self.outside * (x - left), inner)
        moved: Array = np.where(x > right, self.after[-1] + self.outside * (x - right), inner)
        return moved


def landmarks_of(values: Array) -> Landmarks:
    """values: (n,) finite, at least one, not all equal."""
    found = density(values, SMOOTH)
    tops = sorted(peaks(found, PROMINENCE), key=lambda top: (-top.prominence, top.index))[:MOST_PEAKS]
    main = float(found.x[int(np.argmax(found.y))])
    places = sorted(float(found.x[top.index]) for top in tops)
    quantiles = np.quantile(values, PROBABILITIES)
    return Landmarks(tuple(places) or (main,), main, tuple(map(float, quantiles)))


def mapped(reference: Landmarks, tube: Landmarks, align: Align) -> Map:
    """The map of the reference's axis onto the tube's."""
    if align == "none":
        return _checked(Map((0.0,), (0.0,)), reference, tube)
    if align == "quantiles":
        return _checked(_by_quantiles(reference, tube), reference, tube)
    if align == "shift":
        return _checked(Map((reference.main,), (tube.main,)), reference, tube)
    before, after = _matched(reference.peaks, tube.peaks)
    unmatched = len(reference.peaks) + len(tube.peaks) - 2 * len(before)
    if len(before) == 1:
        before, after = (reference.main,), (tube.main,)
    return _checked(Map(before, after, unmatched=unmatched), reference, tube)


def _by_quantiles(reference: Landmarks, tube: Landmarks) -> Map:
    """Median position and the middle half's width, limited to half and double."""
    a, b = (np.interp([0.25, 0.5, 0.75], PROBABILITIES, item.quantiles) for item in (reference, tube))
    scale = 1.0 if a[2] <= a[0] else float(np.clip((b[2] - b[0]) / (a[2] - a[0]), LEAST_SCALE, MOST_SCALE))
    return Map((float(a[1]),), (float(b[1]),), outside=scale)


def _matched(first: Sequence[float], second: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """As many pairs as the tube with fewer peaks has, in order, such that the distances between them differ least.

    Pairs that would stretch the axis beyond half or double are given up, the worst first.
    """
    k = min(len(first), len(second))
    for size in range(k, 1, -1):
        tries = []
        for a in combinations(first, size):
            for b in combinations(second, size):
                ratio = np.diff(b) / np.diff(a)
                if (ratio >= LEAST_SCALE).all() and (ratio <= MOST_SCALE).all():
                    off = np.subtract(b, a)
                    tries.append((float(np.abs(np.log(ratio)).sum()), float(np.abs(off).sum()), a, b))
        if tries:
            best = min(tries)
            return tuple(best[2]), tuple(best[3])
    _, one, other = min((abs(b - a), a, b) for a in first for b in second)
    return (one,), (other,)


def _checked(found: Map, reference: Landmarks, tube: Landmarks) -> Map:
    """The map with the distance between the distributions that it leaves."""
    moved = found(np.asarray(reference.quantiles))
    there = np.interp(moved, tube.quantiles, PROBABILITIES)
    distance = float(np.abs(there - np.asarray(PROBABILITIES)).max())
    return Map(found.before, found.after, found.outside, distance, found.unmatched)
