"""The one kind of particle of a control: the densest cloud of scatter, without debris, doublets and the margin.

Beads or cells of one kind have one autofluorescence, which spillover must not be mistaken for. As AutoSpill
does (Roca CP et al. Nat Commun 2021;12:2890, Methods), the densest place away from debris is looked for and
the region about it kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cytoreg.fcs.channel import Channel

__all__ = ["ScatterGate", "scatter_channels", "scatter_gate"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BINS = 256
DEBRIS = 0.10  # of the span of forward scatter: what lies below is debris
DENSE = 0.01  # of the highest density: the edge of the cloud
APART = 0.90  # two clouds are one where the pass between them is that high, as a share of the lower top
DOUBLETS = 3.0  # robust SD of area over height beyond which a pulse is not of one particle
MARGIN = 0.999
FEW = 200


@dataclass(frozen=True, eq=False)
class ScatterGate:
    """A region of scatter. dense: (BINS, BINS) bool, by forward and side scatter. edges: of both, (BINS + 1,).

    ratio: middle and half width of area over height within which a pulse is of one particle; None without height.
    centre: forward and side scatter of the densest place.
    """

    dense: Mask
    edges: tuple[Array, Array]
    ratio: tuple[float, float] | None
    centre: tuple[float, float]

    def holds(self, area: Array, side: Array, height: Array | None = None) -> Mask:
        """Which events lie in the region, shape (n,)."""
        inside = np.zeros(len(area), dtype=bool)
        place = [
            np.searchsorted(edge, value, side="right") - 1
            for edge, value in zip(self.edges, (area, side), strict=True)
        ]
        within = np.all([(at >= 0) & (at < BINS) for at in place], axis=0)
        inside[within] = self.dense[place[0][within], place[1][within]]
        if self.ratio is not None and height is not None:
            middle, half = self.ratio
            with np.errstate(divide="ignore", invalid="ignore"):
                inside &= np.abs(area / height - middle) <= half
        return inside

    def distance(self, other: ScatterGate) -> float:
        """How far apart the densest places of two gates lie, as the larger ratio of their scatter (1 or more)."""
        pairs = zip(self.centre, other.centre, strict=True)
        return max(max(a, b) / max(min(a, b), 1e-9) for a, b in pairs)


def scatter_channels(channels: Sequence[Channel]) -> tuple[int, int, int | None] | None:
    """Positions of forward and side scatter, and of forward scatter's height beside its area; None without both."""
    named = {channel.name.casefold().replace(" ", "").replace("_", "-"): channel.index for channel in channels}
    front = _first(named, ("fsc-a", "fs-a", "fsc", "fsc-h", "fs", "fslin", "fs-h"))
    side = _first(named, ("ssc-a", "ss-a", "ssc-b-a", "ssc", "ssc-h", "ss", "sslin", "ss-h"))
    if front is None or side is None:
        return None
    height = _first(named, ("fsc-h", "fs-h")) if {"fsc-a", "fs-a"} & set(named) else None
    return front, side, height


def _first(named: dict[str, int], names: Sequence[str]) -> int | None:
    return next((named[name] for name in names if name in named), None)


def scatter_gate(area: Array, side: Array, height: Array | None, tops: tuple[float, float]) -> ScatterGate | None:
    """The densest cloud of a tube; None where fewer than 200 events lie off the margin.

    area, side, height: forward scatter, side scatter and the height of forward scatter, (n,). tops: of the scales
    of the first two.
    """
    from scipy.ndimage import gaussian_filter, label

    fit = (area > 0) & (side > 0) & (area < MARGIN * tops[0]) & (side < MARGIN * tops[1])
    if fit.sum() < FEW:
        return None
    x, y = area[fit], side[fit]
    high = [float(np.percentile(values, 99)) for values in (x, y)]
    edges = tuple(np.linspace(0.0, max(top * 1.02, 1e-9), BINS + 1) for top in high)
    counts, *_ = np.histogram2d(x, y, bins=edges)  # type: ignore[arg-type]
    smooth = gaussian_filter(counts, 2.0)
    low = float(np.percentile(x, 1))
    smooth[edges[0][:-1] < low + DEBRIS * (high[0] - low)] = 0.0
    top = np.unravel_index(int(smooth.argmax()), smooth.shape)
    clouds = _clouds(smooth)
    regions, _ = label((smooth >= DENSE * smooth[top]) & (clouds == clouds[top]))
    dense = regions == regions[top]
    centre = tuple(float(0.5 * (edge[i] + edge[i + 1])) for edge, i in zip(edges, top, strict=True))
    gate = ScatterGate(dense, edges, None, centre)  # type: ignore[arg-type]
    if height is None:
        return gate
    inside = gate.holds(area, side) & (height > 0)
    if inside.sum() < FEW:
        return gate
    ratio = area[inside] / height[inside]
    middle = float(np.median(ratio))
    half = DOUBLETS * 1.4826 * float(np.median(np.abs(ratio - middle)))
    return ScatterGate(dense, gate.edges, (middle, max(half, 1e-3 * abs(middle))), gate.centre)


def _clouds(density: Array) -> npt.NDArray[np.int64]:
    """Which top each bin climbs to by the steepest way, tops merged that no valley parts; 0 where there is nothing."""
    nx, ny = density.shape
    padded = np.pad(density, 1, constant_values=-1.0)
    steps = [(i, j) for i in range(3) for j in range(3)]
    around = np.stack([padded[i : i + nx, j : j + ny] for i, j in steps])
    best = around.argmax(axis=0)
    rows, columns = np.indices(density.shape)
    target = (rows + best // 3 - 1) * ny + columns + best % 3 - 1
    ranked = density.ravel()
    up = np.where(ranked[target.ravel()] > ranked, target.ravel(), np.arange(nx * ny))
    while not np.array_equal(up, up[up]):
        up = up[up]
    # passes between neighbouring clouds, the highest first: two are one where their valley is shallow
    pairs: list[tuple[float, int, int]] = []
    grid = up.reshape(nx, ny)
    for a, b, height in (
        (grid[1:], grid[:-1], np.minimum(density[1:], density[:-1])),
        (grid[:, 1:], grid[:, :-1], np.minimum(density[:, 1:], density[:, :-1])),
    ):
        meet = (a != b) & (height > 0)
        pairs += zip(height[meet].tolist(), a[meet].tolist(), b[meet].tolist(), strict=True)
    parent = {int(top): int(top) for top in np.unique(up)}

    def root(top: int) -> int:
        while parent[top] != top:
            top = parent[top]
        return top

    for pass_height, one, other in sorted(pairs, reverse=True):
        first, second = sorted((root(one), root(other)), key=lambda top: (-ranked[top], top))
        if first != second and pass_height >= APART * ranked[second]:
            parent[second] = first
    found = np.array([root(int(top)) + 1 for top in up], dtype=np.int64).reshape(nx, ny)
    return np.where(density > 0, found, 0)
