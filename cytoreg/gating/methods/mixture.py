"""A mixture of t or normal distributions in one or two dimensions: the ellipse of one component, or a cut between two.

Peel D, McLachlan GJ. Stat Comput 2000;10:339-348 (the EM steps, degrees of freedom fixed), which flowClust
brought to cytometry (Lo K et al. Cytometry A 2008;73A:321-332). Tails heavier than Gaussian keep stray
events from stretching the ellipse. A prior carries what a reference tube showed to tubes with less to see.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat, field_validator, model_validator

from cytoreg.errors import suggest
from cytoreg.gating.gates import Ellipse, Gate, Range, contains, is_definite
from cytoreg.gating.methods._em import (
    Array,
    Mixture,
    Prior,
    distance_of,
    fit_mixture,
    marginal_log,
    shares,
    thinned,
)
from cytoreg.gating.methods._em_influence import numbers_of, pulls_of
from cytoreg.gating.methods._fit import CannotFit, Fit, View, cut_range, enough, few, graded
from cytoreg.gating.methods._influence import Influence
from cytoreg.strictmodel import StrictModel

LEAST_WEIGHT = 0.05
UNSETTLED = 0.25  # the score of a mixture that did not come to rest
OVERLAP = 0.7  # of the lower component's height at its middle: so high, a cut parts little
TIE = 0.9  # SDs between the chosen component and the next on the axis of the choice: so near, either might have been chosen
CLOSE, MIXED = 1.35, 0.6  # or somewhat farther, where of what the gate holds less than this is the component's own
WORDS = ("largest", "highest", "lowest", "nearest", "component")


class _Expected(StrictModel):
    """What a reference tube showed of each component, in display units; strength: as a share of the events."""

    means: list[list[FiniteFloat]] = Field(min_length=1)
    covariances: list[list[list[FiniteFloat]]]
    weights: list[float]
    strength: float = Field(default=0.2, gt=0, le=100)

    @field_validator("weights")
    @classmethod
    def _positive(cls, weights: list[float]) -> list[float]:
        if not weights or min(weights) <= 0 or abs(sum(weights) - 1) > 0.01:
            raise ValueError(f"expected weights above 0 that add up to 1, found {weights}")
        return weights


class Params(StrictModel):
    """on: one or two axes. components: how many. content: share of the component that the gate holds.

    choose: `largest`; {highest: AXIS} or {lowest: AXIS} among components of at least 5 %; {nearest: [x, y]}, or with a
    prior {component: N}. family: `t`, of df degrees of freedom, or `normal`. prior: what a reference showed.
    keep: `component`, or on one axis the side `above` or `below` of the cut between the lowest `negative`
    components and the others, where they are equally likely.
    """

    on: str | tuple[str, str]
    components: int = Field(default=2, ge=1, le=8)
    content: float = Field(default=0.9, gt=0, lt=1)
    choose: str | dict[str, Any] = "largest"
    family: Literal["t", "normal"] = "t"
    df: float = Field(default=4.0, gt=2)
    prior: _Expected | None = None
    keep: Literal["component", "above", "below"] = "component"
    negative: int = Field(default=1, ge=1)
    min_events: int = Field(default=200, ge=20)
    fallback: object = None

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes, one or two."""
        return (self.on,) if isinstance(self.on, str) else self.on

    @field_validator("on", mode="before")
    @classmethod
    def _one_or_two(cls, on: object) -> object:
        if isinstance(on, list) and len(on) != 2:
            raise ValueError(f"expected one axis, or a list of two, found a list of {len(on)}")
        return on

    @model_validator(mode="after")
    def _known_choice(self) -> Params:
        said = self.choose if isinstance(self.choose, dict) else {self.choose: None}
        if len(said) != 1:
            raise ValueError(f"choose: expected one word, found {', '.join(map(str, said)) or 'none'}")
        word, value = next(iter(said.items()))
        if word not in WORDS or (word == "largest") != isinstance(self.choose, str):
            raise ValueError(f"choose: unknown word {word!r}; {suggest(word, WORDS)}")
        if word in ("highest", "lowest") and value not in self.axes:
            raise ValueError(f"choose: {value!r} is not an axis of this gate; {suggest(str(value), self.axes)}")
        if word == "nearest" and not _is_point(value, len(self.axes)):
            raise ValueError(f"choose: expected {len(self.axes)} numbers, found {value!r}")
        if word == "component" and (self.prior is None or value not in range(1, self.components + 1)):
            raise ValueError(f"choose: a component goes by its number in the prior, 1 to {self.components}")
        return self

    @model_validator(mode="after")
    def _cut_on_one_axis(self) -> Params:
        if self.keep != "component" and (len(self.axes) != 1 or not self.negative < self.components):
            raise ValueError(
                f"keep: {self.keep} needs one axis and more components than the {self.negative} below the cut"
            )
        return self

    @model_validator(mode="after")
    def _prior_fits(self) -> Params:
        if (prior := self.prior) is None:
            return self
        k, d = self.components, len(self.axes)
        shapes = [np.shape(item) for item in (prior.means, prior.covariances, prior.weights)]
        if shapes != [(k, d), (k, d, d), (k,)]:
            raise ValueError(
                f"prior: {k} components on {d} axes need {k} means, covariances ({d} x {d}) and weights"
            )
        if not all(is_definite(item) for item in prior.covariances):
            raise ValueError("prior: a covariance must be symmetric and positive definite")
        return self


def fit(view: View, params: Params) -> Fit:
    """Fit by EM from starts that depend on the values only, so that the order of events does not matter.

    Its score is that of the number of events, and of the weight of the component or of how far two overlap; it is low
    where another component might as well have been chosen.
    """
    columns = [view.values(axis) for axis in params.axes]
    good = np.logical_and.reduce([np.isfinite(column) for column in columns])
    n = int(np.count_nonzero(good))
    if n < params.min_events:
        raise CannotFit(f"too few events: {n}, needs {params.min_events}")
    df = params.df if params.family == "t" else np.inf
    used = thinned([column[good] for column in columns])
    found = fit_mixture(used, params.components, df, _prior(params))
    if found is None:
        raise CannotFit("all values of an axis are equal")
    reasons = [*few(n, params.min_events)]
    score = enough(n, params.min_events)
    if not found.settled:
        reasons.append("the mixture did not settle")
        score = min(score, UNSETTLED)

    def influence() -> Influence:
        return _influence(params, used, n, found, df)

    if params.keep != "component":
        cut, height = _cut(found, params.negative, df)
        if height > OVERLAP:
            reasons.append(f"the components overlap: at the cut {height:.0%} of the lower one's height")
        score = min(score, graded(height, OVERLAP, 0.0))
        return Fit(cut_range(params.axes[0], cut, params.keep), n, tuple(reasons), score, influence=influence)
    chosen = _choose(params, found)
    weight = float(found.weights[chosen])
    if weight < 2 * LEAST_WEIGHT:
        reasons.append(f"the component holds only {weight:.0%} of the events")
    score = min(score, graded(weight, 2 * LEAST_WEIGHT, 6 * LEAST_WEIGHT))
    gate = _gate(params, found, chosen, df)
    if (apart := _from_runner_up(params, found, chosen)) < CLOSE:
        inside = contains(gate, dict(zip(params.axes, used.T, strict=True)), {}, len(used))
        own = float(shares(used, found, df)[chosen][inside].mean()) if inside.any() else 0.0
        if apart < TIE or own < MIXED:
            score = min(score, UNSETTLED)
            reasons.append(
                f"which component is chosen is a close call: another lies {apart:.1f} SDs from it on that axis, and "
                f"{own:.0%} of what the gate holds is its own"
            )
    return Fit(gate, n, tuple(reasons), score, influence=influence)


def _influence(params: Params, used: Array, n: int, found: Mixture, df: float) -> Influence:
    pulls = pulls_of(used, found, df, _prior(params))

    def gate(numbers: Array) -> Gate | None:
        mixture = pulls.mixture(numbers)
        if mixture is None:
            return None
        if params.keep == "component":
            return _gate(params, mixture, _choose(params, mixture), df)
        try:
            return cut_range(params.axes[0], _cut(mixture, params.negative, df)[0], params.keep)
        except CannotFit:
            return None

    numbers = numbers_of(pulls.found)
    return Influence(
        params.axes,
        numbers,
        pulls.spread,
        lambda columns: pulls.pull(columns, n, len(used)),
        gate,
        pulls.held(params.axes),
    )


def _prior(params: Params) -> Prior | None:
    if (said := params.prior) is None:
        return None
    weights = np.asarray(said.weights) / sum(said.weights)
    return Prior(weights, np.asarray(said.means), np.asarray(said.covariances), said.strength)


def _gate(params: Params, found: Mixture, chosen: int, df: float) -> Gate:
    """The interval or the ellipse that holds `content` of a component."""
    axes, center, spread = params.axes, found.means[chosen], found.covariances[chosen]
    distance = distance_of(params.content, df, len(axes))
    if len(axes) == 1:
        half = distance * float(np.sqrt(spread[0, 0]))
        return Range(axes, float(center[0]) - half, float(center[0]) + half)
    return Ellipse(axes, tuple(map(float, center)), tuple(tuple(map(float, row)) for row in spread), distance)


def _choose(params: Params, found: Mixture) -> int:
    if isinstance(params.choose, str):
        return int(np.argmax(found.weights))
    word, value = next(iter(params.choose.items()))
    if word == "component":
        return int(value) - 1
    if word == "nearest":
        away = found.means - np.asarray(value if isinstance(value, list | tuple) else [value], dtype=np.float64)
        squared = [float(off @ np.linalg.inv(c) @ off) for off, c in zip(away, found.covariances, strict=True)]
        return int(np.argmin(np.where(found.weights >= LEAST_WEIGHT, squared, np.inf)))
    place = found.means[:, params.axes.index(value)] * (1.0 if word == "highest" else -1.0)
    return int(np.argmax(np.where(found.weights >= LEAST_WEIGHT, place, -np.inf)))


def _from_runner_up(params: Params, found: Mixture, chosen: int) -> float:
    """How far the chosen component is from any other on the axis of the choice, in the smaller of the two SDs.

    Infinite where the choice is not the highest or the lowest, or where no other is large enough to be chosen.
    """
    word, value = next(iter(params.choose.items())) if isinstance(params.choose, dict) else (params.choose, None)
    if word not in ("highest", "lowest"):
        return float("inf")
    axis = params.axes.index(value)
    places, spreads = found.means[:, axis], np.sqrt(found.covariances[:, axis, axis])
    away = np.abs(places - places[chosen]) / np.minimum(spreads, spreads[chosen])
    others = (found.weights >= LEAST_WEIGHT) & (np.arange(len(places)) != chosen)
    return float(away[others].min(initial=np.inf))


def _cut(found: Mixture, negative: int, df: float) -> tuple[float, float]:
    """Where the lowest components and the others are equally likely, and the mixture's height there.

    The height is a share of that of the lower of the two peaks on its sides.
    """
    order = np.argsort(found.means[:, 0], kind="stable")
    left, right = float(found.means[order[negative - 1], 0]), float(found.means[order[negative], 0])
    x = np.linspace(left, right, 1025)
    weighted = np.exp(marginal_log(x, found, 0, df))
    below, above = weighted[order[:negative]].sum(axis=0), weighted[order[negative:]].sum(axis=0)
    more = below - above
    if not (more[0] > 0 > more[-1]):
        raise CannotFit("one component lies within the other: they are equally likely nowhere between them")
    i = int(np.flatnonzero(more <= 0)[0])
    share = float(more[i - 1] / (more[i - 1] - more[i]))
    whole: Array = below + above
    height = float(whole[i] / min(whole[0], whole[-1]))
    return float(x[i - 1] + share * (x[i] - x[i - 1])), min(height, 1.0)


def _is_point(value: Any, d: int) -> bool:
    numbers = [value] if isinstance(value, int | float) and not isinstance(value, bool) else value
    return (
        isinstance(numbers, list | tuple)
        and len(numbers) == d
        and all(isinstance(number, int | float) and np.isfinite(number) for number in numbers)
    )
