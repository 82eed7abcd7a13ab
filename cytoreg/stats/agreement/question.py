"""How much of the variation of a value belongs to each factor of a plan: the `agreement` question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.stats.agreement.components import RESIDUAL, terms_of, variance_components
from cytoreg.stats.estimate import Estimate
from cytoreg.stats.questions import Agreement
from cytoreg.stats.sentence import p_of
from cytoreg.stats.values import Data

__all__ = ["agreement"]

METHOD = (
    "Agreement: variance components by REML with profile-likelihood intervals; p by the likelihood ratio with the mixture "
    "of Self & Liang 1987."
)
LEAST = 6
UNITS = {"linear": "", "logit": " log odds", "log": " in natural log"}


def agreement(question: Agreement, data: Data) -> list[Estimate]:
    """A row a component and one for the residual: its share of the variance (0 to 1), p that it is zero.

    The primary row is the first component named. Rows of the linked table with the value and all factors count.
    """
    percentage = data.is_percentage(question.value)
    scale = question.scale or ("logit" if percentage else "linear")
    scale = data.scale_of(question.value, scale, question.value)
    terms = terms_of(question.components)
    parts = list(dict.fromkeys(part for term in terms for part in term.split(":")))
    frame = pd.DataFrame({part: data.category(part, "components") for part in parts})
    frame["value"] = data.value(question.value, "value", scale)
    whole = frame.dropna()
    subjects = data.linked.loc[whole.index, "subject_id"].nunique()
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="",
        outcome=question.value,
        n_subjects=subjects,
        n_observations=len(whole),
    )
    first = replace(blank, term=_term(terms[0]), predictor=terms[0], primary=True)
    if len(whole) < LEAST or not np.ptp(whole["value"].to_numpy(float)) > 0:
        reason = f"{len(whole)} values that differ: at least {LEAST} are needed"
        return [replace(first, note=reason)]
    levels = {part: whole[part].astype(str).tolist() for part in parts}
    try:
        found = variance_components(whole["value"].to_numpy(float), levels, terms)
    except AnalysisError as problem:
        return [replace(first, note=str(problem))]
    if not found.components:
        return [replace(first, note="; ".join(found.notes))]
    rows = []
    for row in found.components:
        notes = [f"SD {row.sd:.3g} ({row.sd_low:.3g} to {row.sd_high:.3g}){UNITS[scale]}", f"{row.levels} levels"]
        rows.append(
            replace(
                first if row.name == terms[0] else blank,
                term=_term(row.name),
                predictor=row.name if row.name != RESIDUAL else "",
                estimate=row.share,
                ci_low=row.share_low,
                ci_high=row.share_high,
                p_value=row.p_value,
                note="; ".join(notes),
            )
        )
    return rows


def sentence(question: Agreement, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    share = f"{100 * row.estimate:.0f} % (95 % interval {100 * row.ci_low:.0f} to {100 * row.ci_high:.0f} %)"
    return (
        f"Of the variation of {question.value} in {row.n_observations} values, {share} lies between the levels of "
        f"{row.predictor} ({p_of(row)} that none does)."
    )


def title(question: Agreement, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"How much of the variation of {say(question.value)} belongs to {', '.join(terms_of(question.components))}?"


def _term(name: str) -> str:
    return f"share of variance (intraclass correlation): {name}"
