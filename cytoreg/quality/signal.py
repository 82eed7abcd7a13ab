"""Whether a channel's signal stays where it is while a tube runs: drift, jumps, and stretches that differ.

Like flowAI (Monaco G et al. Bioinformatics 2016;32:2473-2480) and PeacoQC (Emmaneel A et al. Cytometry A 2022;101A:
325-338) it looks at consecutive bins of events. What is compared are not medians in units of a channel but the
shares of a bin's events above the file's own percentiles: free of any scale, and as sure where a marker has two
peaks as where it has one. Stretches that differ are found by circular binary segmentation (Olshen AB et al.
Biostatistics 2004;5:557-572) over all channels together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Course", "course_of"]

Array = npt.NDArray[np.float64]
MOST_BINS = 64
FEWEST_BINS = 10
PER_BIN = 200  # events, at least
LOOKED_AT = 512  # events of each bin, at most, evenly through it
PERCENTILES = (10.0, 25.0, 50.0, 75.0, 90.0)
SHORTEST = 2  # bins
SURE = 6.0  # standard errors between two stretches
MOVED = 0.15  # what the median's place among the file's values has moved at least, as a share of the events
AT_ONCE = 0.6  # of all movement: more than this between neighbouring bins is a jump, not a drift


@dataclass(frozen=True)
class Course:
    """How the signal ran. edges: of the bins among the events in order of time, (bins + 1,). moved: for each channel
    the place of each bin beside the reference stretch, (channels, bins), -1 to 1: 0.1 is a median that stands where
    the 60th percentile was (or as surely another percentile). bad: bins that differ from the reference stretch.
    reach: for each channel, how far stretches lie apart. jumped: for each channel, whether at once.
    """

    edges: npt.NDArray[np.int64]
    moved: Array
    bad: npt.NDArray[np.bool_]
    reach: Array
    jumped: npt.NDArray[np.bool_]


def course_of(columns: Sequence[npt.NDArray[Any]], order: npt.NDArray[np.int64] | None = None) -> Course | None:
    """The course of some channels; None where there are too few events to say, or no channel.

    columns: values of all events, (n,) each; linear or display, only their order matters. order: positions of the
    events in order of time, where the file is not.
    """
    n = len(columns[0]) if columns else 0
    bins = min(MOST_BINS, n // PER_BIN)
    if bins < FEWEST_BINS:
        return None
    edges = np.linspace(0, n, bins + 1).astype(np.int64)
    each = min(LOOKED_AT, n // bins)
    at = (edges[:-1, None] + ((np.arange(each) + 0.5) * (n / bins / each)).astype(np.int64)).clip(max=n - 1)
    places = at if order is None else order[at]
    shares = np.stack([_shares(column[places]) for column in columns])
    middle = shares.mean(axis=1, keepdims=True)
    spread = np.sqrt(middle * (1 - middle))
    with np.errstate(divide="ignore", invalid="ignore"):
        # half of this is a share of events: what it is at the median, where the spread is a half
        series = np.where(spread > 0, (shares - middle) / spread, 0.0)
    series = series.transpose(1, 0, 2).reshape(bins, -1)
    stretches = _stretches(series, each)
    means = np.array([series[a:b].mean(axis=0) for a, b in stretches])
    lengths = np.array([b - a for a, b in stretches])
    main = int(lengths.argmax())
    differs = [
        _apart(means[i], means[main], int(lengths[i]), int(lengths[main]), each) for i in range(len(stretches))
    ]
    bad = np.repeat(differs, lengths)
    beside = 0.5 * (series - means[main]).reshape(bins, len(columns), -1)
    reach = 0.5 * np.ptp(means, axis=0).reshape(len(columns), -1)
    strongest = reach.argmax(axis=1)
    moved = np.stack([beside[:, i, strongest[i]] for i in range(len(columns))])
    cuts = [a for a, _ in stretches[1:]]
    whole = beside.mean(axis=2)  # of all percentiles: a slow drift passes each of them at once
    jumped = np.array([_is_jump(whole[:, i], cuts, stretches) for i in range(len(columns))])
    return Course(edges, moved, bad, reach.max(axis=1), jumped)


def _shares(values: npt.NDArray[Any]) -> Array:
    """Of each bin, the share of events above each percentile of all; ties count half. values: (bins, each)."""
    values = np.where(np.isnan(values), -np.inf, values)
    cuts = np.percentile(values, PERCENTILES, method="lower")
    above = [((values > cut).mean(axis=1) + (values >= cut).mean(axis=1)) / 2 for cut in cuts]
    return np.stack(above, axis=1)


def _stretches(series: Array, each: int) -> list[tuple[int, int]]:
    """Bins from and to which nothing moves that is sure and large enough. series: (bins, series)."""
    done: list[tuple[int, int]] = []
    waiting = [(0, len(series))]
    while waiting:
        a, b = waiting.pop()
        inner = _differing(series[a:b], each)
        if inner is None:
            done.append((a, b))
            continue
        i, j = a + inner[0], a + inner[1]
        waiting += [(x, y) for x, y in ((a, i), (i, j), (j, b)) if y > x]
    return sorted(done)


def _differing(series: Array, each: int) -> tuple[int, int] | None:
    """The stretch that differs most surely from the rest of these bins, among those that differ enough."""
    n = len(series)
    if n < 2 * SHORTEST:
        return None
    sums = np.concatenate([np.zeros((1, series.shape[1])), np.cumsum(series, axis=0)])
    first, last = np.triu_indices(n + 1, k=SHORTEST)
    rest = n - (last - first)
    # what is left on either side is a stretch too, or nothing
    whole = (rest >= SHORTEST) & ((first == 0) | (first >= SHORTEST)) & ((last == n) | (n - last >= SHORTEST))
    first, last, rest = first[whole], last[whole], rest[whole]
    inside = (sums[last] - sums[first]) / (last - first)[:, None]
    outside = (sums[-1] - sums[last] + sums[first]) / rest[:, None]
    far = np.abs(inside - outside).max(axis=1)
    error = np.sqrt((1 / (last - first) + 1 / rest) / each)
    sure = np.where(0.5 * far > MOVED, far / error, 0.0)
    best = int(sure.argmax())
    return (int(first[best]), int(last[best])) if sure[best] > SURE else None


def _apart(one: Array, other: Array, bins: int, others: int, each: int) -> bool:
    far = float(np.abs(one - other).max())
    return 0.5 * far > MOVED and far > SURE * float(np.sqrt((1 / bins + 1 / others) / each))


def _is_jump(moved: Array, cuts: Sequence[int], stretches: Sequence[tuple[int, int]]) -> bool:
    """Whether the two bins on either side of some cut lie apart by most of all movement."""
    steps = [abs(moved[cut : cut + 2].mean() - moved[max(cut - 2, 0) : cut].mean()) for cut in cuts]
    reach = float(np.ptp([moved[a:b].mean() for a, b in stretches]))
    return max(steps, default=0.0) > AT_ONCE * reach
