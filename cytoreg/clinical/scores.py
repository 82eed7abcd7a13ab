"""Disease activity and function in rheumatoid arthritis: DAS28, CDAI, SDAI and their categories, HAQ-DI.

Every score takes scalars (and gives a float) or equally long sequences (and gives a float64 array); a
missing component gives NaN, one out of its range a `LinkError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cytoreg.clinical.components import COMPONENTS, Component, FloatArray, as_component, unwrap
from cytoreg.errors import LinkError, suggest

__all__ = [
    "HAQ_CATEGORIES",
    "HAQ_ITEMS",
    "cdai",
    "cdai_category",
    "das28_category",
    "das28_crp",
    "das28_esr",
    "haq_di",
    "same_length",
    "sdai",
    "sdai_category",
]

LOWEST_ESR = 1.0  # mm/h

PATIENT_GLOBAL_CM = Component("patient_global", 0, 10, "cm")
EVALUATOR_GLOBAL_CM = Component("evaluator_global", 0, 10, "cm")
CRP_MG_DL = Component("crp", 0, 50, "mg/dL")

# The 20 items by category, in the order of the questionnaire (Fries et al. 1980; Bruce & Fries 2003).
HAQ_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "dressing": ("dress", "shampoo_hair"),
    "arising": ("stand_up", "bed_in_out"),
    "eating": ("cut_meat", "lift_cup", "open_carton"),
    "walking": ("walk_outdoors", "climb_steps"),
    "hygiene": ("wash_body", "take_bath", "toilet"),
    "reach": ("reach_down_object", "pick_up_clothing"),
    "grip": ("open_car_door", "open_jars", "turn_faucets"),
    "activities": ("run_errands", "car_in_out", "do_chores"),
}
HAQ_ITEMS: tuple[str, ...] = tuple(item for items in HAQ_CATEGORIES.values() for item in items)
HAQ_LEAST_CATEGORIES = 6


def das28_esr(*, tender28: Any, swollen28: Any, esr: Any, patient_global: Any) -> Any:
    """DAS28 with the erythrocyte sedimentation rate.

    ``0.56 sqrt(TJC28) + 0.28 sqrt(SJC28) + 0.70 ln(ESR) + 0.014 GH`` (Prevoo et al., Arthritis Rheum
    1995;38:44-48). With ``patient_global=None`` the three-variable score ``(0.56 sqrt(TJC28) + 0.28
    sqrt(SJC28) + 0.70 ln(ESR)) * 1.08 + 0.16`` (das-score.nl).

    tender28, swollen28: whole joints, 0 to 28. esr: mm/h, 0 to 200; below 1 it counts as 1, whose logarithm
    is 0 (so ESR 0 and ESR 1 give the same score). patient_global: mm of 100.

    >>> round(das28_esr(tender28=5, swollen28=4, esr=30, patient_global=50), 3)
    4.893
    >>> round(das28_esr(tender28=5, swollen28=4, esr=30, patient_global=None), 3)
    4.688
    """
    values, scalars = _together(tender28=tender28, swollen28=swollen28, esr=esr)
    core = _joints(values) + 0.70 * np.log(np.maximum(values["esr"], LOWEST_ESR))
    if patient_global is None:
        return unwrap(core * 1.08 + 0.16, scalars)
    return _with_global(core, patient_global, scalars)


def das28_crp(*, tender28: Any, swollen28: Any, crp: Any, patient_global: Any) -> Any:
    """DAS28 with C-reactive protein.

    ``0.56 sqrt(TJC28) + 0.28 sqrt(SJC28) + 0.36 ln(CRP + 1) + 0.014 GH + 0.96``; with
    ``patient_global=None`` the three-variable score ``(0.56 sqrt(TJC28) + 0.28 sqrt(SJC28) +
    0.36 ln(CRP + 1)) * 1.10 + 1.15`` (das-score.nl; Wells et al., Ann Rheum Dis 2009;68:954-960).

    tender28, swollen28: whole joints, 0 to 28. crp: mg/L, 0 to 500. patient_global: mm of 100.

    >>> round(das28_crp(tender28=5, swollen28=4, crp=12, patient_global=50), 3)
    4.396
    >>> round(das28_crp(tender28=5, swollen28=4, crp=12, patient_global=None), 3)
    4.159
    """
    values, scalars = _together(tender28=tender28, swollen28=swollen28, crp=crp)
    core = _joints(values) + 0.36 * np.log1p(values["crp"])
    if patient_global is None:
        return unwrap(core * 1.10 + 1.15, scalars)
    return _with_global(core + 0.96, patient_global, scalars)


def cdai(*, tender28: Any, swollen28: Any, patient_global: Any, evaluator_global: Any) -> Any:
    """Clinical Disease Activity Index: TJC28 + SJC28 + both globals in **cm of 10** (Aletaha et al. 2005).

    >>> cdai(tender28=5, swollen28=4, patient_global=5.0, evaluator_global=4.0)
    18.0
    """
    parts = (
        as_component(COMPONENTS["tender28"], tender28),
        as_component(COMPONENTS["swollen28"], swollen28),
        as_component(PATIENT_GLOBAL_CM, patient_global),
        as_component(EVALUATOR_GLOBAL_CM, evaluator_global),
    )
    return unwrap(_sum(parts), all(scalar for _, scalar in parts))


def sdai(*, tender28: Any, swollen28: Any, patient_global: Any, evaluator_global: Any, crp: Any) -> Any:
    """Simplified Disease Activity Index: CDAI + CRP in **mg/dL** (Smolen et al., Rheumatology 2003;42:244).

    >>> sdai(tender28=5, swollen28=4, patient_global=5.0, evaluator_global=4.0, crp=1.5)
    19.5
    """
    parts = (
        as_component(COMPONENTS["tender28"], tender28),
        as_component(COMPONENTS["swollen28"], swollen28),
        as_component(PATIENT_GLOBAL_CM, patient_global),
        as_component(EVALUATOR_GLOBAL_CM, evaluator_global),
        as_component(CRP_MG_DL, crp),
    )
    return unwrap(_sum(parts), all(scalar for _, scalar in parts))


def das28_category(score: Any) -> Any:
    """remission (< 2.6), low (to 3.2), moderate (to 5.1) or high; None where the score is missing.

    Fransen & van Riel, Clin Exp Rheumatol 2005;23(Suppl 39):S93-99. The same borders serve both DAS28.

    >>> das28_category([2.59, 2.6, 3.2, 5.1, 5.2]).tolist()
    ['remission', 'low', 'low', 'moderate', 'high']
    """
    return _category(score, remission=2.6, low=3.2, moderate=5.1, remission_includes_border=False)


def cdai_category(score: Any) -> Any:
    """remission (to 2.8), low (to 10), moderate (to 22) or high (Aletaha & Smolen 2005); None where missing.

    >>> cdai_category(2.8), cdai_category(22.1)
    ('remission', 'high')
    """
    return _category(score, remission=2.8, low=10, moderate=22)


def sdai_category(score: Any) -> Any:
    """remission (to 3.3), low (to 11), moderate (to 26) or high (Aletaha & Smolen 2005); None where missing.

    >>> sdai_category(3.4), sdai_category(26)
    ('low', 'moderate')
    """
    return _category(score, remission=3.3, low=11, moderate=26)


def haq_di(items: Any, aids: Any = None) -> Any:
    """Disability Index of the Health Assessment Questionnaire, 0 to 3 (Bruce & Fries 2003).

    items: 20 answers of 0 to 3, shape (20,) in the order of `HAQ_ITEMS` or (n, 20); or a mapping from item
    names to answers (missing names are unanswered). A category's score is its highest answer.
    aids: aids, devices or help from another person: names of categories, a mapping from category to whether
    it is used, or shape (8,) or (n, 8) of booleans; they raise a category that was answered to at least 2.
    The index is the mean of the categories answered; NaN where fewer than six of the eight were.

    >>> haq_di([1] * 20)
    1.0
    >>> haq_di([1] * 20, aids=["grip", "walking"])
    1.25
    """
    answers = _haq_table(items, HAQ_ITEMS, "HAQ item")
    single = answers.ndim == 1
    answers = np.atleast_2d(answers)
    if isinstance(aids, Iterable) and not isinstance(aids, Mapping) and all(isinstance(a, str) for a in aids):
        aids = dict.fromkeys(aids, True)
    aided = _haq_table({} if aids is None else aids, tuple(HAQ_CATEGORIES), "HAQ aid")
    if aided.ndim == 2 and len(aided) not in (1, len(answers)):
        raise LinkError(f"HAQ aids: found {len(aided)} rows, expected as many as of items, {len(answers)}")
    aided = np.broadcast_to(np.nan_to_num(aided) > 0, (len(answers), len(HAQ_CATEGORIES)))
    wrong = np.isfinite(answers) & ~np.isin(answers, (0, 1, 2, 3))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        found = answers[row, column]
        raise LinkError(f"HAQ item {HAQ_ITEMS[column]}: found {found:g}, expected 0, 1, 2 or 3")
    scores = np.full(aided.shape, np.nan)
    first = 0
    for index, names in enumerate(HAQ_CATEGORIES.values()):
        block = answers[:, first : first + len(names)]
        first += len(names)
        highest = np.where(np.isnan(block), -1.0, block).max(axis=1)
        raised = np.where(aided[:, index], np.maximum(highest, 2.0), highest)
        scores[:, index] = np.where(highest < 0, np.nan, raised)
    answered = np.isfinite(scores).sum(axis=1)
    mean = np.nansum(scores, axis=1) / np.maximum(answered, 1)
    return unwrap(np.where(answered >= HAQ_LEAST_CATEGORIES, mean, np.nan), single)


def _together(**given: Any) -> tuple[dict[str, FloatArray], bool]:
    parts = {name: as_component(COMPONENTS[name], value) for name, value in given.items()}
    same_length({name: values for name, (values, _) in parts.items()})
    return {name: values for name, (values, _) in parts.items()}, all(scalar for _, scalar in parts.values())


def _joints(values: Mapping[str, FloatArray]) -> FloatArray:
    return 0.56 * np.sqrt(values["tender28"]) + 0.28 * np.sqrt(values["swollen28"])


def _with_global(core: FloatArray, patient_global: Any, scalars: bool) -> Any:
    health, scalar = as_component(COMPONENTS["patient_global"], patient_global)
    same_length({"the other components": core, "patient_global": health})
    return unwrap(core + 0.014 * health, scalars and scalar)


def _sum(parts: Sequence[tuple[FloatArray, bool]]) -> FloatArray:
    same_length({f"component {index + 1}": values for index, (values, _) in enumerate(parts)})
    total = np.zeros(max(len(values) for values, _ in parts))
    for values, _ in parts:
        total = total + values
    return total


def same_length(parts: Mapping[str, FloatArray]) -> None:
    """Raise LinkError where components that are no scalars differ in length."""
    lengths = {name: len(values) for name, values in parts.items() if len(values) != 1}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise LinkError(f"components of a score differ in length: found {found}; expected the same for all")


def _category(
    score: Any, *, remission: float, low: float, moderate: float, remission_includes_border: bool = True
) -> Any:
    values, scalar = as_component(Component("score", -np.inf, np.inf, ""), score)
    values = np.round(values, 9)  # so that 2.6 computed as 2.5999999999999996 is 2.6
    in_remission = values <= remission if remission_includes_border else values < remission
    names = np.select(
        [np.isnan(values), in_remission, values <= low, values <= moderate],
        [0, 1, 2, 3],
        default=4,
    )
    labels = np.array([None, "remission", "low", "moderate", "high"], dtype=object)[names]
    return unwrap(labels, scalar)


def _haq_table(given: Any, names: tuple[str, ...], what: str) -> FloatArray:
    """Answers as floats of shape (len(names),) or (n, len(names))."""
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise LinkError(f"{what} '{name}' is unknown; {suggest(str(name), names, limit=20)}")
        given = [given.get(name) for name in names]
    try:
        table = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise LinkError(f"{what}s: found {given!r}, expected numbers") from None
    if table.ndim not in (1, 2) or table.shape[-1] != len(names):
        raise LinkError(f"{what}s: found an array of shape {table.shape}, expected {len(names)} in each row")
    return table
