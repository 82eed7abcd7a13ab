"""A display scale as the compiled kernel needs it: a table with a proven error, and limits in linear units.

All that is asked of a transform is that it never decreases (within WOBBLE, far above the rounding of float64)
where it is a number, and that it is one from some value upwards. Logicle, hyperlog and arcsinh also bend one way
only on each side of zero, which bounds what a chord can miss: the curve lies below its neighbours' chords
extended. Where nothing is known of the bend, a chord may miss the whole step, and more events go to NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms import Arcsinh, Hyperlog, Linear, Logicle, Transform

__all__ = ["Limits", "Table", "has_gaps", "is_linear", "limits", "table"]

Array = npt.NDArray[np.float64]
WOBBLE = 1e-10  # of the largest display value: how far `forward` may be from a curve that never decreases
STEPS, MORE_STEPS = 6, 8  # 2 ** STEPS lines an octave of |x| + offset; more where nothing is known of the bend
BENDS_AT_ZERO = (Logicle, Hyperlog, Arcsinh)
_POWERS = np.exp2(np.arange(-20, 41, dtype=np.float64))
FARTHEST = 1e308
GRID = np.concatenate([-_POWERS[::-1], [0.0], _POWERS])


@dataclass(frozen=True, eq=False)
class Table:
    """Lines of the float32 key |x| + offset, those for x >= 0 first; the last of each side is for what lies beyond.

    lines: (n_up + n_down, 2) float32, display value at key 0 and slope. An infinite value says: outside the
    range that was asked for, surely; one that is not a number: cannot say. error: in display units.
    """

    offset: float
    shift: int
    low_key: int
    n_up: int
    n_down: int
    lines: npt.NDArray[np.float32]
    error: float


@dataclass(frozen=True)
class Limits:
    """Linear values x of `low <= forward(x) < high`: at most out_to or at least out_from, surely not; from in_from
    to in_to, surely; between them, cannot say."""

    out_to: float
    in_from: float
    in_to: float
    out_from: float


def is_linear(transform: Transform) -> bool:
    """Whether display values are the linear values themselves."""
    return type(transform) is Linear


def has_gaps(transform: Transform) -> bool:
    """Whether some finite values have no display value."""
    return bool(np.isnan(_forward(transform, GRID)).any())


def table(transform: Transform, low: float, high: float) -> Table:
    """The curve between two display values; infinite outside them."""
    found: Table = _cached(_table, transform, float(low), float(high))
    return found


def limits(transform: Transform, low: float, high: float) -> Limits:
    """Where `low <= forward(x) < high` in linear units; low and high may be infinite."""
    if is_linear(transform):
        in_to = high if high == np.inf else float(np.nextafter(high, -np.inf))
        return Limits(float(np.nextafter(low, -np.inf)), low, in_to, high)
    out_to, in_from = _cached(_crossing, transform, float(low))
    in_to, out_from = _cached(_crossing, transform, float(high)) if high != np.inf else (np.inf, np.inf)
    return Limits(out_to, in_from, in_to, out_from)


def _cached(function: Any, transform: Transform, *edges: float) -> Any:
    """A scale that cannot be a key, since it can change, is looked at anew."""
    try:
        hash(transform)
    except TypeError:
        return function.__wrapped__(transform, *edges)
    return function(transform, *edges)


def _forward(transform: Transform, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(transform.forward(np.ascontiguousarray(x)), dtype=np.float64)


def _noise(known: Array, *edges: float) -> float:
    """How far values near some display values may be from a curve that never decreases."""
    finite = np.abs(known[np.isfinite(known)])
    return (
        4
        * WOBBLE
        * max(1e-3 * float(np.max(finite, initial=1e-300)), *(abs(e) for e in edges if np.isfinite(e)), 0.0)
    )


@lru_cache(maxsize=512)
def _crossing(transform: Transform, edge: float) -> tuple[float, float]:
    """The largest x found that is surely below a display value (or out of the domain), the smallest surely not."""
    known = _forward(transform, GRID)
    slack = _noise(known, edge)
    with np.errstate(invalid="ignore"):
        below = np.isnan(known) if edge == -np.inf else np.isnan(known) | (known < edge - slack)
        above = ~np.isnan(known) if edge == -np.inf else known >= edge + slack
    last, first = np.flatnonzero(below), np.flatnonzero(above)
    low = GRID[last[-1]] if len(last) else -np.inf
    high = GRID[first[0]] if len(first) else np.inf
    if np.isfinite(edge):
        with np.errstate(all="ignore"):
            near = np.asarray(transform.inverse(np.array([edge - 2 * slack, edge + 2 * slack])), dtype=np.float64)
        there = _forward(transform, near)
        if there[0] < edge - slack and near[0] > low:
            low = near[0]
        if there[1] >= edge + slack and near[1] < high:
            high = near[1]
    return float(low), float(high)


@lru_cache(maxsize=512)
def _table(transform: Transform, low: float, high: float) -> Table:
    known = _forward(transform, GRID)
    slack = _noise(known, low, high)
    ends = _forward(transform, np.array([-FARTHEST, FARTHEST]))
    up = _reach((known > high + slack) | (known == ends[1]))
    down = _reach(((known < low - slack) | np.isnan(known) | (known == ends[0]))[::-1])
    offset = _offset(transform, max(up, down), known >= low - slack)
    shift = 23 - (STEPS if type(transform) in BENDS_AT_ZERO else MORE_STEPS)
    low_key = int(np.float32(offset).view(np.uint32) >> shift)
    sides, errors, counts = [], [], []
    for sign, reach in ((1.0, up), (-1.0, down)):
        top = int(np.float32(reach + offset).view(np.uint32) >> shift) + 1
        keys = (np.arange(low_key, top + 1, dtype=np.uint32) << shift).view(np.float32).astype(np.float64)
        lines, error = _lines(transform, sign, keys, offset, (low - slack, high + slack), slack)
        beyond = _beyond(transform, sign, keys[-1] - offset, (low - slack, high + slack))
        sides.append(np.vstack([lines, [[beyond, 0.0]]]))
        errors.append(error)
        counts.append(len(lines) + 1)
    rows = np.vstack(sides).astype(np.float32)
    return Table(offset, shift, low_key, counts[0], counts[1], np.ascontiguousarray(rows), max(errors) + slack)


def _reach(past: npt.NDArray[np.bool_]) -> float:
    """The first power of two where the curve, going out from zero, has left the range; the last if it never does."""
    found = np.flatnonzero((GRID >= 0) & past)
    return float(max(GRID[found[0]] if len(found) else GRID[-1], _POWERS[0]))


def _beyond(transform: Transform, sign: float, reach: float, wanted: tuple[float, float]) -> float:
    """What is shown of all values farther out: nothing that is wanted, one value where the scale ends, or unknown."""
    near, far = _forward(transform, sign * np.array([reach, FARTHEST]))
    if (near > wanted[1]) if sign > 0 else (near < wanted[0] or np.isnan(near)):
        return sign * np.inf
    return float(near) if near == far else np.nan


def _offset(transform: Transform, top: float, wanted: npt.NDArray[np.bool_]) -> float:
    """A power of two about where the curve turns from a line to a logarithm; for a logarithm, which never turns, so
    small that zero lies well below what is wanted."""
    near = top * np.exp2(-np.arange(4.0, 33.0))
    at = _forward(transform, np.array([0.0, top / 4, top / 2, *near]))
    with np.errstate(all="ignore"):
        octave = at[2] - at[1]
        slope = (at[3:] - at[0]) / near
        steepest = np.max(slope[np.isfinite(slope)], initial=0.0)
        turn = octave / np.log(2.0) / steepest if steepest > 0 and octave > 0 else top * 2.0**-16
    if not np.isfinite(at[0]):
        turn = min(turn, min(GRID[(GRID > 0) & wanted], default=turn))
    turn = min(max(turn, top * 2.0**-24, 2.0**-60), top)
    return float(2.0 ** np.floor(np.log2(turn)))


def _lines(
    transform: Transform, sign: float, keys: Array, offset: float, wanted: tuple[float, float], noise: float
) -> tuple[Array, float]:
    """Value at key 0 and slope of the chord between each two keys, and the largest error of any."""
    f = _forward(transform, sign * (keys - offset))
    start, end = np.minimum(f[:-1], f[1:]), np.maximum(f[:-1], f[1:])
    width = np.diff(keys)
    with np.errstate(all="ignore"):
        slope = np.diff(f) / width
        lines = np.column_stack([f[:-1] - slope * keys[:-1], slope])
        missed = _missed(slope, width, noise) if type(transform) in BENDS_AT_ZERO else np.abs(np.diff(f))
        # float32: the key, the two numbers of the line, the product and the sum, half a unit of 2^-23 each
        rounding = (
            np.abs(lines[:, 0]) + 2 * np.abs(slope * keys[1:]) + np.maximum(np.abs(start), np.abs(end))
        ) * 2.0**-22
        inexact = missed + rounding
    usual = np.median(inexact[np.isfinite(inexact)]) if np.isfinite(inexact).any() else 0.0
    lines[~(inexact <= 8 * usual)] = np.nan, 0.0  # not finite, or a kink: the few values there go to NumPy
    lines[end < wanted[0]] = -np.inf, 0.0
    lines[start > wanted[1]] = np.inf, 0.0
    lines[np.isnan(f[:-1]) & np.isnan(f[1:])] = -np.inf, 0.0
    used = np.isfinite(lines[:, 0])
    return lines, float(np.max(inexact[used], initial=0.0))


def _missed(slope: Array, width: Array, noise: float) -> Array:
    """How far a curve that bends one way can be from its chord: it lies between that and its neighbours' chords
    extended, so the triangle of the three bounds it. noise: of the curve's values."""
    bend = np.abs(np.diff(slope)) + 4 * noise / np.minimum(width[1:], width[:-1])
    left, right = np.concatenate([[np.inf], bend]), np.concatenate([bend, [np.inf]])
    least, most = np.minimum(left, right), np.maximum(left, right)
    return np.where(np.isinf(most), least, least * (most / (least + most))) * width
