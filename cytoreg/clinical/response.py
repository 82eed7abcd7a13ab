"""Response to treatment against a subject's baseline: EULAR by DAS28, ACR20, ACR50, ACR70 and ACR-N, HAQ-DI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cytoreg.clinical.components import COMPONENTS, Component, FloatArray, as_component, unwrap
from cytoreg.errors import LinkError

__all__ = ["ACR_COMPONENTS", "HAQ_DIFFERENCE", "acr", "acr_joints", "acr_n", "eular_response", "haq_improved"]

ROUNDING = 9  # decimals: 3.3 - 2.1 is an improvement of 1.2, not of 1.2000000000000002
ACR_COUNTS = (("tender68", "swollen66"), ("tender28", "swollen28"))
ACR_FIVE = ("patient_global", "evaluator_global", "pain", "haq_di")
ACR_COMPONENTS = ("tender68", "swollen66", "tender28", "swollen28", *ACR_FIVE, "crp", "esr")
ACR_LEAST_OF_FIVE = 3
HAQ_DIFFERENCE = 0.22

# An element of a decision: it improved, it did not, or nobody can tell.
YES, NO, UNKNOWN = 1, 0, -1


def eular_response(baseline: Any, score: Any) -> Any:
    """EULAR response by DAS28: "good", "moderate" or "none"; None where a score is missing.

    good: improved by more than 1.2 and now at most 3.2. none: improved by 0.6 or less, or by at most 1.2 with
    a score still above 5.1. moderate: all else (van Gestel et al., Arthritis Rheum 1998;41:1845-1850).

    >>> eular_response(5.5, 3.0), eular_response(5.5, 4.8), eular_response(6.5, 5.5)
    ('good', 'moderate', 'none')
    """
    anything = Component("DAS28", -np.inf, np.inf, "")
    before, scalar_before = as_component(anything, baseline)
    now, scalar_now = as_component(anything, score)
    if 1 not in (len(before), len(now)) and len(before) != len(now):
        raise LinkError(f"eular_response: found {len(before)} baselines and {len(now)} scores, expected as many")
    improvement = np.round(before - now, ROUNDING)
    now = np.round(now, ROUNDING)
    code = np.select(
        [
            np.isnan(improvement),
            (improvement > 1.2) & (now <= 3.2),
            (improvement <= 0.6) | ((improvement <= 1.2) & (now > 5.1)),
        ],
        [0, 1, 2],
        default=3,
    )
    labels = np.array([None, "good", "none", "moderate"], dtype=object)[code]
    return unwrap(labels, scalar_before and scalar_now)


def acr(baseline: Any, visit: Any, level: float = 20) -> Any:
    """Whether a visit is an ACR response of `level` percent (Felson et al., Arthritis Rheum 1995;38:727-735).

    Needs an improvement of at least `level` % in the tender and in the swollen joint count, and in three of
    five: patient_global, evaluator_global, pain, haq_di and the acute-phase reactant.

    baseline, visit: mappings of component to value, or DataFrames of as many rows (paired by position).
    Counts are tender68 and swollen66 where all four are known, else tender28 and swollen28; the reactant is
    crp where both visits have it, else esr. Units are those of the tables; only ratios matter.

    The answer has three states: True, False, or missing (None; `pandas.NA` for DataFrames) where the
    components that are known do not decide it. A component that is 0 at baseline cannot improve and counts
    as not improved. Raises `LinkError` for a component out of range or a level outside 0 to 100.

    >>> before = dict(tender28=10, swollen28=10, patient_global=60, evaluator_global=60, pain=60)
    >>> after = dict(tender28=8, swollen28=8, patient_global=40, evaluator_global=40, pain=40)
    >>> acr(before, after), acr(before, after, level=50), acr(before, {"tender28": 8})
    (True, False, None)
    """
    if not isinstance(level, int | float | np.number) or not 0 < level <= 100:
        shown = f"{level:g}" if isinstance(level, int | float | np.number) else repr(level)
        raise LinkError(f"acr: found level {shown}, expected a percentage above 0 and at most 100, such as 20")
    single = isinstance(baseline, Mapping) and isinstance(visit, Mapping)
    before, now = _pair(baseline, visit, "acr")
    states = {name: _improved(before[name], now[name], level) for name in ACR_COMPONENTS}
    known = {name: np.isfinite(before[name]) & np.isfinite(now[name]) for name in ACR_COMPONENTS}
    tender, swollen = _counts(states, known)
    reactant = np.where(known["crp"] | ~known["esr"], states["crp"], states["esr"])
    five = np.stack([*(states[name] for name in ACR_FIVE), reactant])
    yes = (five == YES).sum(axis=0)
    unknown = (five == UNKNOWN).sum(axis=0)
    never = (tender == NO) | (swollen == NO) | (yes + unknown < ACR_LEAST_OF_FIVE)
    surely = (tender == YES) & (swollen == YES) & (yes >= ACR_LEAST_OF_FIVE)
    answers = [True if sure else False if no else None for sure, no in zip(surely, never, strict=True)]
    if single:
        return answers[0]
    import pandas as pd

    return pd.Series(answers, index=getattr(visit, "index", None), dtype="boolean")


def acr_n(baseline: Any, visit: Any) -> Any:
    """ACR-N: the largest level that a visit would be an ACR response of, in percent.

    That is the lowest of three improvements: of the tender count, of the swollen count, and the third best of
    the five others (Siegel & Zhen, Ann Rheum Dis 2005;64:1637-1638). Negative where the worst of the three got
    worse. Arguments, joint counts and the reactant as in `acr`. A component that is 0 at baseline counts as an
    improvement of 0 where it stays 0 and of -100 % where it rose. NaN where what is missing could change the number.

    >>> before = dict(tender28=10, swollen28=10, patient_global=60, evaluator_global=60, pain=60, haq_di=2, crp=20)
    >>> after = dict(tender28=4, swollen28=5, patient_global=30, evaluator_global=40, pain=12, haq_di=1, crp=20)
    >>> acr_n(before, after)
    50.0
    """
    single = isinstance(baseline, Mapping) and isinstance(visit, Mapping)
    before, now = _pair(baseline, visit, "acr_n")
    improved = {name: _improvement(before[name], now[name]) for name in ACR_COMPONENTS}
    known = {name: np.isfinite(improved[name]) for name in ACR_COMPONENTS}
    tender, swollen = _counts(improved, known)
    reactant = np.where(known["crp"] | ~known["esr"], improved["crp"], improved["esr"])
    five = np.stack([*(improved[name] for name in ACR_FIVE), reactant])
    bounds = [
        np.min(
            [_missing_as(tender, end), _missing_as(swollen, end), np.sort(_missing_as(five, end), axis=0)[2]],
            axis=0,
        )
        for end in (-np.inf, 100.0)
    ]
    values = np.where(np.isclose(bounds[0], bounds[1], rtol=0, atol=10.0**-ROUNDING), bounds[0], np.nan)
    return unwrap(values, single)


def acr_joints(baseline: Any, visit: Any) -> Any:
    """Which joint counts `acr` and `acr_n` go by: "68/66" as the criteria were made for, or "28"; None for neither.

    28 joints leave out the feet and ankles, so that a response by them is to be told apart.
    """
    single = isinstance(baseline, Mapping) and isinstance(visit, Mapping)
    before, now = _pair(baseline, visit, "acr_joints")
    known = {name: np.isfinite(before[name]) & np.isfinite(now[name]) for name in ACR_COMPONENTS}
    words = np.where(_use_large(known), "68/66", "28").astype(object)
    words[~np.any([known[name] for pair in ACR_COUNTS for name in pair], axis=0)] = None
    return words[0] if single else words


def haq_improved(baseline: Any, visit: Any, difference: float = HAQ_DIFFERENCE) -> Any:
    """Whether HAQ-DI fell by at least the minimal important difference; missing where a value is.

    0.22: Wells et al., J Rheumatol 1993;20:557-560, and Kosinski et al., Arthritis Rheum 2000;43:1478-1487.

    >>> haq_improved(1.5, 1.25), haq_improved(1.5, 1.375), haq_improved(None, 1)
    (True, False, None)
    """
    before, scalar_before = as_component(COMPONENTS["haq_di"], baseline)
    now, scalar_now = as_component(COMPONENTS["haq_di"], visit)
    fell = np.round(before - now, ROUNDING)
    answers = [None if np.isnan(value) else bool(value >= difference) for value in fell]
    if scalar_before and scalar_now:
        return answers[0]
    import pandas as pd

    return pd.array(answers, dtype="boolean")


def _pair(baseline: Any, visit: Any, name: str) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """The components of both visits, as many rows each."""
    before, now = _components(baseline), _components(visit)
    lengths = {len(values) for values in (*before.values(), *now.values())}
    if len(lengths) > 1:
        raise LinkError(
            f"{name}: baseline and visit differ in length: found {sorted(lengths)}, expected as many rows"
        )
    return before, now


def _improvement(before: FloatArray, now: FloatArray) -> FloatArray:
    """Percent by which each value fell."""
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100 * (before - now) / before
    return np.where(before == 0, np.where(np.isnan(now), np.nan, np.where(now > 0, -100.0, 0.0)), percent)


def _missing_as(values: FloatArray, filled: float) -> FloatArray:
    return np.where(np.isnan(values), filled, values)


def _components(table: Any) -> dict[str, FloatArray]:
    """Each ACR component as a float array; absent ones all NaN."""
    single = isinstance(table, Mapping)
    length = 1 if single else len(table)
    values = {}
    for name in ACR_COMPONENTS:
        if name in table:
            values[name] = as_component(COMPONENTS[name], table[name])[0]
        else:
            values[name] = np.full(length, np.nan)
    return values


def _improved(before: FloatArray, now: FloatArray, level: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    enough = now <= before * (1 - level / 100) + 10.0**-ROUNDING
    state = np.where(enough, YES, NO)
    state = np.where(np.isnan(before) | np.isnan(now), UNKNOWN, state)
    return np.where(before == 0, NO, state)


def _counts(states: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Any, Any]:
    """The states of the tender and swollen counts: of 68 and 66 joints where both are known, else of 28."""
    (tender68, swollen66), (tender28, swollen28) = ACR_COUNTS
    use_large = _use_large(known)
    return (
        np.where(use_large, states[tender68], states[tender28]),
        np.where(use_large, states[swollen66], states[swollen28]),
    )


def _use_large(known: Mapping[str, Any]) -> Any:
    """Where the counts of 68 and 66 joints are at least as complete as those of 28."""
    (tender68, swollen66), (tender28, swollen28) = ACR_COUNTS
    large = known[tender68].astype(int) + known[swollen66]
    small = known[tender28].astype(int) + known[swollen28]
    return large >= small
