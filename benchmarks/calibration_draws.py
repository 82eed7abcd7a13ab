"""Answers that need no plan: exact tests and agreement on numbers drawn from a known model, and adverse events of a trial.

`OWN` names them for the groups of `calibration_design`; `TRUTHS` holds what each interval of agreement should cover, worked
out by hand from the model that its numbers are drawn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.simulation.disease import ARMS

__all__ = ["OWN", "TRUTHS", "Row"]

Row = tuple[tuple[str, ...], tuple[float, float, float, float], bool, str]
"""(analysis, term, arm, visit, contrast, predictor, outcome), (p, estimate, low, high), whether primary, note."""
NAN = math.nan
SERIOUS = 0.05  # serious events for a patient-year: rare ones are where an exact test is needed
# arm sizes and the chance of an event in either
FISHER = ((86, 86, 0.02), (86, 86, 0.10), (86, 86, 0.35), (40, 20, 0.15), (15, 15, 0.50))
# agreement: sd between subjects, shift and sd of the second method's error, and of the first's
BETWEEN, ERROR, SHIFT = 1.0, 0.4, 0.2
OPERATOR = 0.3
PAIRS = {"40 pairs": (40, 1), "3 pairs each of 25 subjects": (25, 3)}
TABLE = "30 subjects by 6 operators"


def safety(trial: Any, seed: int) -> list[Row]:
    """Fisher's p of each row of the adverse-event table of a trial whose arms have the same events."""
    from cytoreg.clinical.safety.adverse_events import adverse_events as table_of
    from cytoreg.simulation.safety import adverse_events

    last = np.where(trial.followed.attended, trial.day, 0).max(axis=1).astype(int)
    events = adverse_events(trial.ids, np.maximum(last, 1), SERIOUS, np.random.default_rng([seed, 105]))
    subjects = pd.DataFrame({"subject_id": trial.ids, "arm": np.array(ARMS)[trial.followed.latent.arm]})
    table = table_of(events.drop(columns=["start", "end"]), subjects, control=ARMS[0])
    rows = table[table["arm"] != ARMS[0]]
    return [
        _row("adverse_events", f"{term or soc or 'any event'}{'' if term or not soc else ' (system)'}", p=p)
        for soc, term, p in zip(rows["soc"], rows["term"], rows["p_value"], strict=True)
    ]


def exact(_: Any, seed: int) -> list[Row]:
    """Fisher's test of two arms with the same chance of an event, and the complete permutation test within blocks."""
    from cytoreg.clinical.safety.adverse_events import fisher
    from cytoreg.stats.trend import blocked_rank_test

    draw = np.random.default_rng([seed, 106])
    rows = []
    for n, m, chance in FISHER:
        p = fisher(int(draw.binomial(n, chance)), n, int(draw.binomial(m, chance)), m)
        rows.append(_row("fisher", f"{n} against {m}, each with an event by a chance of {chance:g}", p=p))
    for blocks in (3, 4):
        values = draw.standard_normal(3 * blocks) + np.repeat(draw.standard_normal(blocks), 3)
        _, p = blocked_rank_test(values, np.tile([0.0, 1.0, 2.0], blocks), np.repeat(np.arange(blocks), 3))
        rows.append(_row("blocked_ranks", f"{blocks} blocks of 3 doses, every arrangement", p=p))
    return rows


def methods(_: Any, seed: int) -> list[Row]:
    """The intervals of agreement where their model is true: normal subjects, methods or operators, and errors."""
    from cytoreg.stats.agreement.bland_altman import limits_of_agreement
    from cytoreg.stats.agreement.components import variance_components
    from cytoreg.stats.agreement.concordance import lin_concordance
    from cytoreg.stats.agreement.icc import intraclass_correlations

    draw = np.random.default_rng([seed, 107])

    def two(subjects: int, pairs: int) -> tuple[Any, Any, Any]:
        who = np.repeat(np.arange(subjects), pairs)
        true = BETWEEN * draw.standard_normal(subjects)[who]
        error = ERROR * draw.standard_normal((2, len(who)))
        return true + SHIFT + error[0], true + error[1], who

    rows = []
    for size, pairs in PAIRS.items():
        first, second, who = two(*pairs)
        limits = limits_of_agreement(first, second, who)
        for name in ("bias", "lower", "upper"):
            ends = getattr(limits, f"{name}_ci")
            rows.append(_interval("limits_of_agreement", f"{name}, {size}", getattr(limits, name), *ends))
        agreed = lin_concordance(first, second, who)
        rows.append(_interval("concordance", f"concordance, {size}", agreed.value, agreed.low, agreed.high))
    operators = OPERATOR * draw.standard_normal(6)
    ratings = BETWEEN * draw.standard_normal((30, 1)) + operators + ERROR * draw.standard_normal((30, 6))
    forms = {form.form: form for form in intraclass_correlations(ratings)}
    for name in ("ICC(2,1)", "ICC(3,1)", "ICC(3,k)"):
        rows += [_interval("intraclass", f"{name}, {TABLE}", forms[name].value, forms[name].low, forms[name].high)]
    subject, operator = (index.ravel() for index in np.indices(ratings.shape))
    parts = variance_components(ratings.ravel(), {"subject": subject, "operator": operator})
    for name in ("subject", "operator", "residual"):
        part = parts.of(name)
        rows += [
            _interval("components", f"share of {name}, {TABLE}", part.share, part.share_low, part.share_high),
            _interval("components", f"sd of {name}, {TABLE}", part.sd, part.sd_low, part.sd_high),
        ]
    return rows


def _truths() -> dict[str, float]:
    b, e, o = BETWEEN**2, ERROR**2, OPERATOR**2
    sd = math.sqrt(2 * e)
    limits = {"bias": SHIFT, "lower": SHIFT - 1.959964 * sd, "upper": SHIFT + 1.959964 * sd}
    truths = {f"{name}, {size}": value for name, value in limits.items() for size in PAIRS}
    truths |= {f"concordance, {size}": 2 * b / (2 * b + 2 * e + SHIFT**2) for size in PAIRS}
    truths |= {f"ICC(2,1), {TABLE}": b / (b + o + e), f"ICC(3,1), {TABLE}": b / (b + e)}
    truths[f"ICC(3,k), {TABLE}"] = b / (b + e / 6)
    for name, variance in (("subject", b), ("operator", o), ("residual", e)):
        truths |= {
            f"share of {name}, {TABLE}": variance / (b + o + e),
            f"sd of {name}, {TABLE}": math.sqrt(variance),
        }
    return truths


TRUTHS: Mapping[str, float] = _truths()
OWN: Mapping[str, Callable[[Any, int], list[Row]]] = {"safety": safety, "exact": exact, "methods": methods}


def _row(
    analysis: str, term: str, *, p: float = NAN, estimate: float = NAN, low: float = NAN, high: float = NAN
) -> Row:
    return (analysis, term, "", "", "", "", ""), (p, estimate, low, high), False, ""


def _interval(analysis: str, term: str, estimate: float, low: float, high: float) -> Row:
    return _row(analysis, term, estimate=estimate, low=low, high=high)
