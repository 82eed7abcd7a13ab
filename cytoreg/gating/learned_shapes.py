"""The gate that agrees best with labels: a range, rectangle, ellipse or polygon of the highest F1.

F1 is the harmonic mean of precision and recall (van Rijsbergen CJ, Information Retrieval, 2nd ed. 1979, chapter 7), the
measure of the FlowCAP challenges (Aghaeepour N et al. Nat Methods 2013;10:228-238). Which shape is decided by
cross-validation, so that a shape with many corners must earn them on events that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from cytoreg.errors import TemplateError
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle

__all__ = ["SHAPES", "best_shape", "f1_of"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
FOLDS = 5
LEAST_GAIN = 0.005  # of F1, for a shape with more corners
LEAST_MEMBERS = 20
_EDGES = np.concatenate([np.arange(0, 5, 0.25), np.arange(5, 95.5, 5), np.arange(95.25, 100.25, 0.25)])
_MIXED = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # shares of members among neighbours, below which a member is a stray
_CELLS = 64


def f1_of(found: Mask, wanted: Mask) -> float:
    """2 x common / (found + wanted); 0 where both are empty.

    >>> f1_of(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(found.sum()) + int(wanted.sum())
    return 2 * int((found & wanted).sum()) / total if total else 0.0


def best_shape(
    on: tuple[str, ...], columns: list[Array], members: Mask, shape: str = "auto"
) -> tuple[Gate, float]:
    """The gate on some axes, and its F1 by cross-validation in five parts.

    columns: d of shape (n,), finite. members: (n,). shape: `auto`, or one of `SHAPES`. Raises TemplateError for fewer
    than 20 members or a shape that these axes cannot have.
    """
    held = int(members.sum())
    if held < LEAST_MEMBERS:
        raise TemplateError(f"learn: {held} labelled events in the parent, needs {LEAST_MEMBERS}")
    if same := [axis for axis, column in zip(on, columns, strict=True) if np.ptp(column[members]) == 0]:
        raise TemplateError(f"learn: all labelled events have one value on {same[0]}")
    fits = {name: make for name, (make, axes) in SHAPES.items() if len(on) in axes}
    if shape != "auto" and shape not in fits:
        raise TemplateError(f"learn: no shape {shape!r} on {len(on)} axes; there are: auto, {', '.join(fits)}")
    chosen = fits if shape == "auto" else {shape: fits[shape]}
    scores = {name: _validated(make, on, columns, members) for name, make in chosen.items()}
    best = next(iter(chosen))
    for name, score in scores.items():  # simplest first
        if score > scores[best] + LEAST_GAIN:
            best = name
    return chosen[best](on, columns, members), scores[best]


def _validated(make: Callable[..., Gate], on: tuple[str, ...], columns: list[Array], members: Mask) -> float:
    """F1 over all parts, each decided by a gate that was made without it; parts depend on the values only."""
    order = np.lexsort((*columns, members))
    part = np.empty(len(order), dtype=np.intp)
    part[order] = np.arange(len(order)) % FOLDS
    found = np.zeros(len(members), dtype=bool)
    for i in range(FOLDS):
        left = part != i
        gate = make(on, [column[left] for column in columns], members[left])
        found[~left] = gate.contains([column[~left] for column in columns])  # type: ignore[union-attr]
    return f1_of(found, members)


def _rectangle(on: tuple[str, ...], columns: list[Array], members: Mask) -> Gate:
    """Each limit in turn at the member's percentile, or open, that gives the highest F1, until none moves."""
    d = len(columns)
    low, high = [-np.inf] * d, [np.inf] * d
    inside = [np.ones(len(members), dtype=bool) for _ in range(2 * d)]
    best = f1_of(np.logical_and.reduce(inside), members)
    for _ in range(20):
        before = best
        for i in range(d):
            steps = np.unique(np.percentile(columns[i][members], _EDGES))
            for side in (0, 1):
                rest = np.logical_and.reduce([mask for k, mask in enumerate(inside) if k != 2 * i + side])
                tries: list[float] = [-np.inf, *steps] if side == 0 else [np.inf, *steps[::-1]]
                for limit in tries:
                    mask = columns[i] >= limit if side == 0 else columns[i] < limit
                    score = f1_of(rest & mask, members)
                    if score > best + 1e-12:
                        best, inside[2 * i + side] = score, mask
                        (low if side == 0 else high)[i] = float(limit)
        if best == before:
            break
    if d == 1:
        return Range(on, low[0], high[0])
    return Rectangle(on, tuple(low), tuple(high))


def _ellipse(on: tuple[str, ...], columns: list[Array], members: Mask) -> Gate:
    """The members' mean and covariance, and the distance of the highest F1."""
    points = np.column_stack(columns)
    center, spread = points[members].mean(axis=0), np.cov(points[members].T)
    spread = spread + 1e-9 * np.diag(np.diag(spread))
    off = points - center
    distances = np.sqrt(np.einsum("ni,ij,nj->n", off, np.linalg.inv(spread), off))
    reach = max(
        np.unique(np.percentile(distances[members], np.arange(50, 100.5, 0.5))),
        key=lambda limit: f1_of(distances <= limit, members),
    )
    covariance = tuple(tuple(map(float, row)) for row in spread)
    return Ellipse(on, tuple(map(float, center)), covariance, float(reach) * (1 + 1e-9))


def _polygon(on: tuple[str, ...], columns: list[Array], members: Mask) -> Gate:
    """The convex hull of the members without strays; how mixed a place may be is decided by F1."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.column_stack(columns)
    purity = _purity(points, members)[members]
    best, chosen = -1.0, None
    for limit in _MIXED:
        kept = points[members][purity >= limit]
        try:
            corners = kept[ConvexHull(kept).vertices] if len(kept) > 2 else None
        except QhullError:
            corners = None
        if corners is None:
            continue
        middle = corners.mean(axis=0)
        corners = middle + (corners - middle) * (1 + 1e-9)  # events on its edge are its own
        gate = Polygon(on, tuple((float(x), float(y)) for x, y in corners))
        score = f1_of(gate.contains(columns), members)
        if score > best + 1e-12:
            best, chosen = score, gate
    if chosen is None:
        raise TemplateError(
            f"learn: the labelled events lie on a line of {on[0]} and {on[1]}: no polygon holds them"
        )
    return chosen


def _purity(points: Array, members: Mask) -> Array:
    """The share of members among the events near each event: two histograms, smoothed, one over the other."""
    from scipy.ndimage import gaussian_filter

    low, high = points[members].min(axis=0), points[members].max(axis=0)
    reach = 0.1 * (high - low)
    span = [(float(a), float(b)) for a, b in zip(low - reach, high + reach, strict=True)]
    grids = [
        gaussian_filter(
            np.histogram2d(chosen[:, 0], chosen[:, 1], bins=_CELLS, range=span)[0], 1.5, mode="constant"
        )
        for chosen in (points[members], points)
    ]
    share = grids[0] / np.maximum(grids[1], 1e-12)
    place = [
        np.clip(((points[:, i] - a) / (b - a) * _CELLS).astype(np.intp), 0, _CELLS - 1)
        for i, (a, b) in enumerate(span)
    ]
    purity: Array = share[place[0], place[1]]
    return purity


# Simplest first; each with the numbers of axes that it can have.
SHAPES: Mapping[str, tuple[Callable[..., Gate], range]] = {
    "rectangle": (_rectangle, range(1, 9)),
    "ellipse": (_ellipse, range(2, 9)),
    "polygon": (_polygon, range(2, 3)),
}
