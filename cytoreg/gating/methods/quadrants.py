"""Four populations of two axes: a cut on one axis, and on each side of it a cut of its own on the other.

`sequential` looks for valleys, first on the axis that has the deeper one (the idea of openCyto's quadGate.seq, Finak G
et al. PLoS Comput Biol 2014;10:e1003806). `mixture` fits a mixture on both axes at once and cuts where the components of
two sides are equally likely, for markers that neither axis parts alone (the idea of its quadGate.tmix). The four gates
share no event and leave none out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from cytoreg.errors import suggest
from cytoreg.gating.gates import Gate, Range, Rectangle
from cytoreg.gating.geometry import SIGNS
from cytoreg.gating.methods import valley
from cytoreg.gating.methods._em import Mixture, fit_mixture, marginal_log, thinned
from cytoreg.gating.methods._fit import Array, CannotFit, Fit, View, enough, few, graded
from cytoreg.strictmodel import StrictModel

INF = float("inf")
APART = 0.5  # in sums of two SDs: component means that lie closer are one side of an axis
NOT_OWN = 0.6  # the score of a quadrant whose second cut is not its side's own
LEAST_WEIGHT = 0.01
MOST_EVENTS = 2_000  # for a cut; an ellipse needs more


class Params(StrictModel):
    """on: two axes. method: `sequential` or `mixture`. first: the axis that is cut as a whole.

    keep: `++`, `+-`, `-+` or `--`; without it a template gets all four, called `CD4+CD8-` and so on. smooth,
    prominence: of the valleys. components, df: of the mixture.
    """

    on: tuple[str, str]
    method: Literal["sequential", "mixture"] = "sequential"
    keep: Literal["++", "+-", "-+", "--"] = "++"
    first: str | None = None
    smooth: float = Field(default=1.0, gt=0)
    prominence: float = Field(default=0.03, gt=0, lt=1)
    components: int = Field(default=4, ge=2, le=8)
    df: float = Field(default=4.0, gt=2)
    min_events: int = Field(default=200, ge=20)
    fallback: object = None

    @model_validator(mode="after")
    def _known_axis(self) -> Params:
        if self.first is not None and self.first not in self.on:
            raise ValueError(f"first: {self.first!r} is not an axis of this gate; {suggest(self.first, self.on)}")
        return self


@dataclass(frozen=True)
class _Cut:
    """Where, how sure (0 to 1), why it may be doubted; of components how far apart they are, in sums of their SDs."""

    at: float
    score: float
    reasons: tuple[str, ...] = ()
    apart: float = 0.0


@dataclass(frozen=True)
class _Three:
    """axis: which is cut as a whole (0 or 1). whole: there. low, high: of the other axis, below and above it."""

    axis: int
    whole: _Cut
    low: _Cut
    high: _Cut


def names_of(on: tuple[str, str]) -> dict[str, str]:
    """The names of the four populations -> what each keeps.

    >>> list(names_of(("CD4", "CD8")))
    ['CD4+CD8+', 'CD4+CD8-', 'CD4-CD8+', 'CD4-CD8-']
    """
    return {f"{on[0]}{keep[0]}{on[1]}{keep[1]}": keep for keep in SIGNS}


def fit(view: View, params: Params) -> Fit:
    """One of the four. All see the same events, and so the same cuts; the score is that of the worse of its two."""
    x, y = view.values(params.on[0]), view.values(params.on[1])
    good = np.isfinite(x) & np.isfinite(y)
    columns, n = (x[good], y[good]), int(np.count_nonzero(good))
    if n < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    cuts = _placed(columns, params)
    keep = [sign == "+" for sign in params.keep]
    second = cuts.high if keep[cuts.axis] else cuts.low
    low, high = [-INF, -INF], [INF, INF]
    for axis, cut in ((cuts.axis, cuts.whole), (1 - cuts.axis, second)):
        (low if keep[axis] else high)[axis] = cut.at
    reasons = tuple(dict.fromkeys((*few(n, params.min_events), *cuts.whole.reasons, *second.reasons)))
    score = min(cuts.whole.score, second.score, enough(n, params.min_events))
    return Fit(Rectangle(params.on, tuple(low), tuple(high)), n, reasons, score)


_REMEMBERED: dict[bytes, _Three] = {}
_MOST_REMEMBERED = 512


def _placed(columns: tuple[Array, Array], params: Params) -> _Three:
    """The cuts of these very values: the four populations ask for the same ones, so that the last are remembered."""
    key = hashlib.blake2b(params.model_dump_json(exclude={"keep", "fallback"}).encode())
    for column in columns:
        key.update(column.tobytes())
    known = _REMEMBERED.get(key.digest())
    if known is None:
        known = (_by_valleys if params.method == "sequential" else _by_mixture)(columns, params)
        if len(_REMEMBERED) >= _MOST_REMEMBERED:
            _REMEMBERED.pop(next(iter(_REMEMBERED)))
        _REMEMBERED[key.digest()] = known
    return known


class _Column:
    """One column as a view."""

    def __init__(self, values: Array) -> None:
        self.column = values

    def values(self, on: str) -> Array:
        return self.column

    def values_in(self, population: str, on: str) -> Array | None:
        return None

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        return None


def _valley(values: Array, on: str, params: Params) -> _Cut | None:
    asked = valley.Params.model_validate(
        {"on": on, "smooth": params.smooth, "prominence": params.prominence, "min_events": params.min_events}
    )
    try:
        found = valley.fit(_Column(values), asked)
    except CannotFit:
        return None
    (cut,) = (limit for limit in _limits(found.gate) if np.isfinite(limit))
    return _Cut(cut, found.score, tuple(f"{on}: {reason}" for reason in found.reasons))


def _limits(gate: Gate) -> tuple[float, float]:
    return (gate.min, gate.max) if isinstance(gate, Range) else (INF, INF)


def _by_valleys(columns: tuple[Array, Array], params: Params) -> _Three:
    whole = [_valley(column, on, params) for column, on in zip(columns, params.on, strict=True)]
    axis = _first([-1.0 if cut is None else cut.score for cut in whole], params)
    cut = whole[axis]
    if cut is None:
        raise CannotFit(f"no second peak on {params.on[axis]}")
    other, on = columns[1 - axis], params.on[1 - axis]
    above = columns[axis] >= cut.at
    of_all = whole[1 - axis]
    low, high = (_unless_doubtful(_valley(other[side], on, params), of_all) for side in (~above, above))
    return _completed(axis, cut, low, high, of_all, on)


def _unless_doubtful(own: _Cut | None, of_all: _Cut | None) -> _Cut | None:
    """A shallow valley of one side, where all events have a clear one, is noise among cells of one kind."""
    return None if own is not None and own.reasons and of_all is not None and not of_all.reasons else own


def _by_mixture(columns: tuple[Array, Array], params: Params) -> _Three:
    found = fit_mixture(thinned(columns, MOST_EVENTS), params.components, params.df)
    if found is None:
        raise CannotFit("all values of an axis are equal")
    found = _of(found, found.weights >= LEAST_WEIGHT)
    whole = [_between(found, i, on, params.df) for i, on in enumerate(params.on)]
    axis = _first([-1.0 if cut is None else cut.score for cut in whole], params)
    cut = whole[axis]
    if cut is None:
        raise CannotFit(f"the components do not part on {params.on[axis]}")
    above = found.means[:, axis] >= cut.at
    on = params.on[1 - axis]
    of_all = whole[1 - axis]
    low, high = (_own(_of(found, side), 1 - axis, on, params.df, of_all) for side in (~above, above))
    three = _completed(axis, cut, low, high, of_all, on)
    if found.settled:
        return three
    return _Three(
        axis,
        _Cut(cut.at, min(cut.score, 0.25), (*cut.reasons, "the mixture did not settle")),
        three.low,
        three.high,
    )


def _own(side: Mixture, axis: int, on: str, df: float, of_all: _Cut | None) -> _Cut | None:
    """The cut of one side, where its components stand apart at least half as far as those of all.

    Where they do not, the side's cells are of one kind, though they may take several components.
    """
    own = _between(side, axis, on, df)
    return None if own is not None and of_all is not None and own.apart < of_all.apart / 2 else own


def _first(scores: list[float], params: Params) -> int:
    return params.on.index(params.first) if params.first is not None else int(np.argmax(scores))


def _completed(
    axis: int, whole: _Cut, low: _Cut | None, high: _Cut | None, of_all: _Cut | None, on: str
) -> _Three:
    """A side that has no cut of its own takes that of all events, else that of the other side."""
    spare = of_all or low or high
    if spare is None:
        raise CannotFit(f"no second peak on {on}")
    lent = _Cut(spare.at, min(spare.score, NOT_OWN), spare.reasons)
    return _Three(axis, whole, low or lent, high or lent)


def _of(found: Mixture, kept: npt.NDArray[np.bool_]) -> Mixture:
    return Mixture(found.fit, found.weights[kept], found.means[kept], found.covariances[kept], found.settled)


def _between(found: Mixture, axis: int, on: str, df: float) -> _Cut | None:
    """The cut at the widest gap between component means of an axis, where both sides are equally likely."""
    if len(found.weights) < 2:
        return None
    order = np.argsort(found.means[:, axis], kind="stable")
    means, spread = found.means[order, axis], np.sqrt(found.covariances[order, axis, axis])
    gaps = np.diff(means) / (spread[:-1] + spread[1:])
    widest = int(np.argmax(gaps))
    if gaps[widest] < APART:
        return None
    x = np.linspace(means[widest], means[widest + 1], 1025)
    weighted = np.exp(marginal_log(x, found, axis, df))
    below, above = weighted[order[: widest + 1]].sum(axis=0), weighted[order[widest + 1 :]].sum(axis=0)
    more = below - above
    if not more[0] > 0 > more[-1]:
        return None
    i = int(np.flatnonzero(more <= 0)[0])
    whole = below + above
    height = min(1.0, float(whole[i] / min(whole[0], whole[-1])))
    reasons = (f"{on}: the components overlap: at the cut {height:.0%} of the lower one's height",)
    score = graded(height, valley.SHALLOW, 0.0)
    return _Cut(float(x[i]), score, reasons if height > valley.SHALLOW else (), float(gaps[widest]))
