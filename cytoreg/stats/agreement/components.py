"""How much of the variation of a value belongs to each of several factors: variance components by REML.

Estimates as R's lme4 gives them (Bates et al., J Stat Softw 2015;67(1)); intervals by profiling the restricted
likelihood; p that a component is zero by the likelihood ratio with the mixture of Self & Liang, JASA 1987;82:605.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.agreement.reml import Fit, Model, fit, model_of, with_share, with_variance

__all__ = ["RESIDUAL", "Component", "Components", "terms_of", "variance_components"]

RESIDUAL = "residual"
FEW_LEVELS = 5
NEGLIGIBLE = 1e-9  # a share below it is zero


@dataclass(frozen=True)
class Component:
    """The part of one factor, on the scale of the values. share: of the sum of all variances, 0 to 1.

    Intervals are of the level asked for, NaN where none was; p_value: that the component is zero (the residual has none).
    """

    name: str
    levels: int
    variance: float
    sd: float
    sd_low: float
    sd_high: float
    share: float
    share_low: float
    share_high: float
    p_value: float


@dataclass(frozen=True)
class Components:
    """components: in the order asked for, the residual last. criterion: -2 log restricted likelihood."""

    components: tuple[Component, ...]
    n: int
    mean: float
    mean_se: float
    criterion: float
    notes: tuple[str, ...] = ()

    def of(self, name: str) -> Component:
        """The component of a factor. Raises KeyError where there is none."""
        return {component.name: component for component in self.components}[name]


def terms_of(asked: Sequence[str]) -> list[str]:
    """Factors and their combinations: `a:b` is the combination alone, `a*b` is a, b and a:b.

    >>> terms_of(["center*method", "subject"])
    ['center', 'method', 'center:method', 'subject']
    """
    terms: list[str] = []
    for text in asked:
        names = [name.strip() for name in text.split("*")]
        for size in range(1, len(names) + 1):
            terms += [":".join(group) for group in _groups(names, size)]
    return list(dict.fromkeys(":".join(part.strip() for part in term.split(":")) for term in terms if term))


def variance_components(
    values: Any,
    factors: Mapping[str, Sequence[Any]],
    terms: Sequence[str] | None = None,
    *,
    intervals: bool = True,
    level: float = 0.95,
    reml: bool = True,
) -> Components:
    """Fit `value = mean + a random effect of each term + residual`.

    values: (n,), all finite. factors: name -> level of each value. terms: factors, and combinations such as
    `center:method`; all factors alone where not given. A factor within another is crossed or nested as its
    levels are: name the tubes apart and `tube` is nested in whatever each tube belongs to.

    Raises AnalysisError for a term that is no factor, one with a single level, one whose levels are as many as
    the values or the same as those of another, and for values that do not vary.
    """
    import scipy.linalg  # noqa: F401 - loaded first: the limit holds for libraries that are there
    from threadpoolctl import threadpool_limits

    observed = np.asarray(values, float)
    names = terms_of(list(factors) if terms is None else terms)
    if not names:
        raise AnalysisError("variance components: no factor is named, expected at least one, such as center")
    codes = _codes(names, factors, observed)
    counted = [int(code.max()) + 1 for code in codes]
    few = [f"{name} ({count})" for name, count in zip(names, counted, strict=True) if count < FEW_LEVELS]
    notes = [f"few levels, so a wide interval: {', '.join(few)}"] if few else []
    model = model_of(observed, np.ones((len(observed), 1)), codes, reml=reml)
    with threadpool_limits(1):  # the matrices are small: threads would wait for each other
        found = fit(model)
        if not found.converged:
            return Components((), len(observed), math.nan, math.nan, math.nan, ("the model did not converge",))
        rows = tuple(
            _component(model, found, index, name, count, level if intervals else None)
            for index, (name, count) in enumerate(zip([*names, RESIDUAL], [*counted, len(observed)], strict=True))
        )
    zero = [row.name for row in rows if row.share == 0]
    if zero:
        notes.append(f"estimated as zero: {', '.join(zero)}")
    return Components(
        rows,
        len(observed),
        float(found.fixed[0]),
        math.sqrt(found.fixed_covariance[0, 0]),
        found.deviance,
        tuple(notes),
    )


def _groups(names: Sequence[str], size: int) -> list[tuple[str, ...]]:
    from itertools import combinations

    return list(combinations(names, size))


def _codes(names: Sequence[str], factors: Mapping[str, Sequence[Any]], values: Any) -> list[Any]:
    """The level of each value in each term, checked."""
    if len(values) < 3 or not np.ptp(values) > 0:
        raise AnalysisError(
            f"variance components: found {len(values)} values that do not vary, expected some that do"
        )
    codes: list[Any] = []
    for name in names:
        parts = name.split(":")
        for part in parts:
            if part not in factors:
                raise AnalysisError(f"variance components: no factor '{part}'; {suggest(part, factors)}")
        joined = [
            "\x1f".join(cells) for cells in zip(*([str(x) for x in factors[part]] for part in parts), strict=True)
        ]
        levels, code = np.unique(joined, return_inverse=True)
        if len(levels) < 2:
            raise AnalysisError(f"variance components: factor '{name}' has one level only ('{levels[0]}')")
        if len(levels) == len(values):
            raise AnalysisError(
                f"variance components: factor '{name}' has {len(levels)} levels for {len(values)} values, so nothing "
                "tells it from the residual"
            )
        for other, before in zip(names, codes, strict=False):
            if len(np.unique(np.stack([before, code]), axis=1).T) == len(levels) == int(before.max()) + 1:
                raise AnalysisError(
                    f"variance components: '{name}' and '{other}' have the same levels; name one of them"
                )
        codes.append(code)
    return codes


def _component(
    model: Model, found: Fit, index: int, name: str, levels: int, confidence: float | None
) -> Component:
    residual = index == len(model.blocks)
    variance = float(found.variances[index])
    share = float(found.shares[index])
    if share < NEGLIGIBLE:
        variance = share = 0.0
    p_value = math.nan if residual else _p_of_zero(model, found, index)
    ends = (math.nan,) * 4
    if confidence is not None:
        from scipy.stats import chi2

        rise = float(chi2.ppf(confidence, 1))
        ends = (*_sd_interval(model, found, index, rise), *_share_interval(model, found, index, rise))
    sd_low, sd_high, share_low, share_high = ends
    return Component(
        name, levels, variance, math.sqrt(variance), sd_low, sd_high, share, share_low, share_high, p_value
    )


def _p_of_zero(model: Model, found: Fit, index: int) -> float:
    """Half the tail of chi-square with 1 df, since a variance cannot fall below zero."""
    from scipy.stats import chi2

    rise = with_share(model, index, 0.0, found).deviance - found.deviance
    return 0.5 * float(chi2.sf(rise, 1)) if rise > NEGLIGIBLE else 1.0


def _sd_interval(model: Model, found: Fit, index: int, rise: float) -> tuple[float, float]:
    total = float(found.variances.sum())
    best = math.log(max(float(found.variances[index]), 1e-8 * total))

    def held(at: float, near: Fit) -> Fit:
        return with_variance(model, index, math.exp(at), near)

    low = _crossing(held, found, best, math.log(1e-9 * total), rise)
    high = _crossing(held, found, max(best, math.log(1e-5 * total)), math.log(1e8 * total), rise)
    return (0.0 if low is None else math.exp(low / 2)), (math.inf if high is None else math.exp(high / 2))


def _share_interval(model: Model, found: Fit, index: int, rise: float) -> tuple[float, float]:
    best = min(max(float(found.shares[index]), 1e-8), 1 - 1e-8)
    best = math.log(best / (1 - best))

    def held(at: float, near: Fit) -> Fit:
        return with_share(model, index, 1 / (1 + math.exp(-at)), near)

    low = _crossing(held, found, best, -18.0, rise)
    high = _crossing(held, found, max(best, -8.0), 18.0, rise)
    return (0.0 if low is None else 1 / (1 + math.exp(-low))), (1.0 if high is None else 1 / (1 + math.exp(-high)))


def _crossing(
    held: Callable[[float, Fit], Fit], found: Fit, start: float, end: float, rise: float
) -> float | None:
    """Where the deviance has risen by `rise` on the way from start to end; None where it does not.

    The root of the rise is nearly straight, so secants find the place in a few steps.
    """
    goal, way = math.sqrt(rise), math.copysign(1.0, end - start)
    inner, outer = (start, 0.0), None
    at, near = start + way * 0.5, found
    for turn in range(60):
        at = min(at, end) if way > 0 else max(at, end)
        near = held(at, near)
        root = math.sqrt(max(near.deviance - found.deviance, 0.0))
        if abs(root - goal) < 2e-5:
            return at
        if root < goal:
            if at == end:
                return None
            slope = (root - inner[1]) / (at - inner[0])
            inner = (at, root)
        else:
            outer = (at, root)
        if outer is None:
            ahead = (goal - root) / (way * slope) if way * slope > 0 else 4.0
            at += way * min(max(1.05 * ahead, 0.1), 4.0)
        elif turn % 4 == 3:
            at = (inner[0] + outer[0]) / 2
        else:
            at = inner[0] + (outer[0] - inner[0]) * (goal - inner[1]) / (outer[1] - inner[1])
        if outer is not None and abs(outer[0] - inner[0]) < 1e-9:
            return at
    return at
