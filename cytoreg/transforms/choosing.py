"""Scales that choose a parameter from the data: the width of a logicle, the cofactor of an arcsinh.

Logicle: W = (M - log10(T / |r|)) / 2, with r the 5th percentile of the values below zero (Parks DR, Roederer M, Moore
WA. Cytometry A 2006;69A:541-551; Moore WA, Parks DR. Cytometry A 2012;81A:273-277). Arcsinh: three times the noise of
the negative peak. Noise of SD s about zero keeps one peak on arcsinh(x / c) if and only if c >= s, and where signal
beyond the noise varies by a third of itself, c = 3 s makes the variance the same all along the scale (Rocke DM, Durbin
B. J Comput Biol 2001;8:557-569), which is what flowVS seeks with Bartlett's test (Azad A, Rajwa B, Pothen A. BMC
Bioinformatics 2016;17:291).

What many tubes share is chosen from the values of all of them together, so that their order changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.transforms.scale import Array

__all__ = ["AUTO", "CHOOSABLE", "Chosen", "Offer", "choose", "offer"]

AUTO = "auto"
CHOOSABLE: Mapping[str, tuple[str, float]] = {"logicle": ("W", 0.5), "arcsinh": ("cofactor", 150.0)}
"""Kind -> the parameter that may be `auto`, and what it is where the data do not tell."""

MOST_OFFERED = 8192
FEWEST = 100  # values below zero, or of all, in all tubes together
LOW_PERCENTILE = 0.05
NOISE_TIMES = 3.0
_PEAK = 0.02  # of all events, by which the negative peak is found


@dataclass(frozen=True)
class Offer:
    """What one tube tells about one axis: compensated linear values.

    kind, params: the scale as the template has it, the top T filled in. values: ascending, thinned evenly by rank; for
    a logicle those below zero only. n: how many there were. events: of the tube.
    """

    kind: str
    params: Mapping[str, Any]
    values: Array
    n: int
    events: int


@dataclass(frozen=True)
class Chosen:
    """A parameter that was chosen. by: `sample`, `batch` or `study`. tubes, events: that it was chosen from; fitted_on:
    values that the rule used. rule: in words. measured: r of the logicle, the SD of the noise for arcsinh;
    None where the data did not tell and `value` is the default, as `reason` says.
    """

    kind: str
    parameter: str
    value: float
    by: str
    tubes: int
    events: int
    fitted_on: int
    rule: str
    measured: float | None = None
    reason: str = ""

    def describe(self) -> dict[str, Any]:
        """For `gates.json`."""
        said = {
            key: getattr(self, key) for key in ("parameter", "value", "by", "tubes", "events", "fitted_on", "rule")
        }
        said |= {"measured": self.measured} if self.measured is not None else {}
        return said | ({"reason": self.reason} if self.reason else {})


def offer(kind: str, params: Mapping[str, Any], values: npt.NDArray[Any]) -> Offer:
    """What a tube tells. params: as the template says, T included where the kind has one. values: (n,), linear."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    used = np.sort(finite[finite < 0] if kind == "logicle" else finite)
    kept = used
    if len(used) > MOST_OFFERED:
        kept = used[((np.arange(MOST_OFFERED) + 0.5) * (len(used) / MOST_OFFERED)).astype(np.int64)]
    return Offer(kind, dict(params), kept, len(used), len(values))


def choose(offers: Sequence[Offer], by: str) -> Chosen:
    """The parameter for all tubes that share a scale; their order does not matter. offers: at least one.

    Where the tops of the tubes' scales differ, that of the highest counts.
    """
    kind, params = offers[0].kind, dict(offers[0].params)
    parameter, default = CHOOSABLE[kind]
    if kind == "logicle":
        params["T"] = max(float(one.params["T"]) for one in offers)
    values = np.concatenate([one.values for one in offers])
    weights = np.concatenate([np.full(len(one.values), one.n / max(len(one.values), 1)) for one in offers])
    order = np.lexsort((weights, values))
    values, weights = values[order], weights[order]
    tubes, events, n = len(offers), sum(one.events for one in offers), sum(one.n for one in offers)
    rule, found, measured = (_width if kind == "logicle" else _cofactor)(values, weights, params)
    if n >= FEWEST and found is not None:
        return Chosen(kind, parameter, found, by, tubes, events, n, rule, measured)
    what = "values below zero" if kind == "logicle" else "values"
    reason = f"{n} {what}, needs {FEWEST}" if n < FEWEST else "all values are the same"
    return Chosen(kind, parameter, _possible(kind, default, params), by, tubes, events, n, rule, None, reason)


def _width(values: Array, weights: Array, params: Mapping[str, Any]) -> tuple[str, float | None, float]:
    rule = "W = (M - log10(T / |r|)) / 2, r the 5th percentile of the values below zero"
    if not len(values):
        return rule, None, math.nan
    r = _percentile(values, weights, LOW_PERCENTILE)
    width = (float(params["M"]) - math.log10(float(params["T"]) / abs(r))) / 2
    return rule, _possible("logicle", width, params), r


def _possible(kind: str, value: float, params: Mapping[str, Any]) -> float:
    """A width within 0 <= W, -W <= A and A <= M - 2W; any cofactor is possible."""
    if kind != "logicle":
        return value
    room = (float(params["M"]) - max(float(params["A"]), 0.0)) / 2
    return min(max(value, 0.0, -float(params["A"])), room)


def _cofactor(values: Array, weights: Array, params: Mapping[str, Any]) -> tuple[str, float | None, float]:
    rule = "cofactor = 3 SD of the negative peak, from its side below the mode"
    noise = _noise(values, weights)
    return rule, (NOISE_TIMES * noise if noise > 0 else None), noise


def _noise(values: Array, weights: Array) -> float:
    """The robust SD of the lowest, narrowest peak: of the values below the mode of the density in linear units.

    In linear units a positive population, which is spread over many thousand channels, is low even where it holds
    most events. 0 where no value differs.
    """
    if not len(values) or values[0] == values[-1]:
        return 0.0
    mode = _densest(values, weights, _PEAK)
    noise = _spread_below(values, weights, mode)
    near = values <= mode + 2 * noise  # the peak without what is positive: half of it gives a steadier middle
    mode = _densest(values[near], weights[near], 0.5) if near.any() else mode
    return _spread_below(values, weights, mode)


def _densest(values: Array, weights: Array, share: float) -> float:
    """The middle of the shortest interval that holds a share of the weight."""
    ends = np.cumsum(weights)
    last = np.searchsorted(ends, ends - weights + share * ends[-1] * (1 - 1e-12))
    whole = last < len(values)
    first, last = np.flatnonzero(whole), last[whole]
    best = int((values[last] - values[first]).argmin())
    return float(values[first[best]] + values[last[best]]) / 2


def _spread_below(values: Array, weights: Array, mode: float) -> float:
    below = values < mode
    if not below.any():
        return 0.0
    return 1.4826 * (mode - _percentile(values[below], weights[below], 0.5))


def _percentile(values: Array, weights: Array, share: float) -> float:
    """Of ascending values with weights, by the middle of each value's weight (Hazen's rule where they are equal)."""
    ends = np.cumsum(weights)
    return float(np.interp(share * ends[-1], ends - weights / 2, values))
