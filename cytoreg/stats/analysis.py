"""Answers every question of a plan from a study's tables: estimates, adjusted p-values, sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cytoreg.clinical.linker import link
from cytoreg.clinical.tables import TABLES, clinical_from_frames
from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.adjust import adjust_families
from cytoreg.stats.claims import claims_table, is_contrast_of_arms
from cytoreg.stats.declared import Declared, statuses
from cytoreg.stats.estimand import estimands
from cytoreg.stats.estimate import EXPLORATORY, Estimate, results_table
from cytoreg.stats.missing.strategy import Strategy
from cytoreg.stats.plan import Plan, ReadPlan, plan_hash, read_plan
from cytoreg.stats.questions import Scale
from cytoreg.stats.sentence import CLEAR, amount, p_text, sentence

__all__ = ["Analysis", "analyse", "linked_table"]


@dataclass(frozen=True)
class Analysis:
    """What a plan's questions came to.

    results: the `associations` table. sentences: analysis -> the primary result in words. plan_hash: SHA-256
    of the plan. notes: what a reader should know. linked: the table it was computed from. claims: what may be said,
    a row a claim (`cytoreg.stats.claims`). estimands: analysis -> its estimand in the terms of ICH E9(R1). exploratory:
    analysis -> why it is not planned. imputed: what was imputed, by column and visit; None where nothing was.
    """

    results: pd.DataFrame
    sentences: Mapping[str, str]
    plan_hash: str
    notes: tuple[str, ...]
    linked: pd.DataFrame
    claims: pd.DataFrame = field(default_factory=pd.DataFrame)
    estimands: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    exploratory: Mapping[str, str] = field(default_factory=dict)
    imputed: pd.DataFrame | None = None

    def summary(self) -> str:
        """The results as a text table for a terminal or a paper's draft, then the notes."""
        head = ("analysis", "term", "arm", "n", "estimate (95 % interval)", "p", "adjusted", "note")
        lines = [head]
        for row in self.results.to_dict("records"):
            number = "" if pd.isna(row["estimate"]) else f"{row['estimate']:.3g}"
            if not pd.isna(row["ci_low"]):
                number += f" ({row['ci_low']:.3g} to {row['ci_high']:.3g})"
            p, q = (_bare_p(row[name]) for name in ("p_value", "p_adjusted"))
            name = row["analysis"] + ("*" if row["primary"] else "")
            lines.append((name, row["term"], row["arm"], str(row["n_subjects"]), number, p, q, row["note"]))
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        table = [
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        table.insert(1, "  ".join("-" * width for width in widths))
        closing = ["", "* the row that answers the question", *(f"note: {note}" for note in self.notes)]
        return "\n".join([*table, *closing])


def analyse(
    tables: Mapping[str, pd.DataFrame],
    plan: ReadPlan | Plan | Mapping[str, Any] | Path | str,
    *,
    declared: Declared | None = None,
) -> Analysis:
    """Answer a plan.

    tables: either `linked` (a row a subject's visit), or any of samples with percentages, subjects, visits
    and infusions, which are linked first. plan: a file, a mapping, or a Plan. declared: the plan that was declared
    first, as a study's lock holds it; what is not in it is marked exploratory. Without one the plan is taken at its word.

    Raises `AnalysisError` for a plan that is wrong or names what the tables do not have (file, line and key,
    and the nearest names), `LinkError` for tables that are wrong. Too few data are no error: the row has a
    note.
    """
    read = read_plan(plan)
    linked, notes = linked_table(tables, read)
    digest = plan_hash(read.plan)
    _named_in_the_table(read, linked)
    status = statuses(read.plan, digest, declared)
    strategy = Strategy(linked, read)
    rows: list[Estimate] = []
    for name in read.plan.analyses:
        rows += [replace(row, status=status[name][0]) for row in strategy.answer(name)]
    rows = adjust_families(rows, read.plan.multiplicity)
    exploratory = {name: why for name, (kind, why) in status.items() if kind == EXPLORATORY}
    own = {name: [row for row in rows if row.analysis == name] for name in read.plan.analyses}
    return Analysis(
        results=results_table(rows),
        sentences={name: _sentence(read.plan, name, own[name], exploratory) for name in own},
        plan_hash=digest,
        notes=(*notes, *strategy.notes(), *_plan_notes(read, linked), *_said_of_exploratory(exploratory)),
        linked=linked,
        claims=claims_table(rows),
        estimands=estimands(read.plan),
        exploratory=exploratory,
        imputed=strategy.counts(),
    )


def linked_table(
    tables: Mapping[str, pd.DataFrame], read: ReadPlan | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The linked table among the tables, or made of them; and the notes of the link."""
    notes: tuple[str, ...] = ()
    if "linked" in tables:
        linked = tables["linked"].copy()
    else:
        clinical = {name: tables[name] for name in TABLES if name in tables}
        if "samples" not in tables and not {"visits", "subjects"} & set(clinical):
            raise AnalysisError(
                f"tables: found {', '.join(tables) or 'none'}; expected linked, or samples and percentages"
            )
        if ("samples" in tables) != ("percentages" in tables):
            raise AnalysisError("tables: samples and percentages belong together; one of them is missing")
        samples = tables.get("samples", pd.DataFrame(columns=["sample_id", "subject_id"]))
        percentages = tables.get("percentages", pd.DataFrame(columns=["sample_id", "percentage", "value"]))
        rule = read.plan.baseline.model_dump() if read is not None else None
        joined = link(samples, percentages, clinical_from_frames(clinical), baseline=rule)
        linked, notes = joined.table, joined.notes
        if len(joined.unmatched):
            notes = (*notes, f"{len(joined.unmatched)} rows of the tables found no partner")
    for column in ("subject_id", "visit"):
        if column not in linked.columns:
            raise AnalysisError(f"linked table: has no column '{column}'; {suggest(column, linked.columns)}")
        linked[column] = pd.array([_name(value) for value in linked[column].tolist()], dtype="str")
    if "day" not in linked.columns:
        linked["day"] = float("nan")
    if linked.duplicated(["subject_id", "visit"]).any() and linked["visit"].ne("").any():
        raise AnalysisError("linked table: a subject's visit stands in two rows, expected one")
    return linked.reset_index(drop=True), notes


def _named_in_the_table(read: ReadPlan, linked: pd.DataFrame) -> None:
    """Raises `AnalysisError` where the plan names an arm, a control or a response that the table does not have.

    Without it an analysis that holds the arm fixed would hold nothing fixed, and say nothing of it.
    """
    treatment = read.plan.treatment
    if "arm" in treatment.model_fields_set and treatment.arm not in linked.columns:
        place = read.document.where(("treatment", "arm"))
        raise AnalysisError(
            f"{place}: no column '{treatment.arm}' in the linked table; {suggest(treatment.arm, linked.columns)}"
        )
    if treatment.control is not None and treatment.arm in linked.columns:
        arms = sorted({_name(value) for value in linked[treatment.arm]} - {""})
        if len(arms) > 1 and treatment.control not in arms:
            place = read.document.where(("treatment", "control"))
            raise AnalysisError(
                f"{place}: no arm '{treatment.control}' in the linked table; {suggest(treatment.control, arms)}"
            )
    told = {
        *linked.columns,
        *read.plan.outcome.model_dump().values(),
    }  # one of `outcome` that is not there is a note
    for name in read.plan.missing.nonresponder_imputation:
        if name not in told:
            place = read.document.where(("missing", "nonresponder_imputation"))
            raise AnalysisError(
                f"{place}: no column '{name}' in the linked table; {suggest(name, linked.columns)}"
            )


def _plan_notes(read: ReadPlan, linked: pd.DataFrame) -> list[str]:
    """What the plan names and the table does not have."""
    notes = []
    for key, column in read.plan.outcome.model_dump().items():
        if column is not None and column not in linked.columns:
            place = read.document.where(("outcome", key))
            notes.append(f"{place}: the linked table has no column '{column}'")
    return notes


def _said_of_exploratory(exploratory: Mapping[str, str]) -> list[str]:
    return [f"{name} is exploratory: {why}" for name, why in exploratory.items()]


def _sentence(plan: Plan, name: str, rows: list[Estimate], exploratory: Mapping[str, str]) -> str:
    """The answer in words; of a change by arm, what the arms' difference says of the treatment; marked if exploratory."""
    said = sentence(plan.analyses[name], rows)
    answer = next((row for row in rows if row.primary), None)
    contrast = next((row for row in rows if is_contrast_of_arms(row)), None)
    if answer is not None and contrast is not None and not math.isnan(answer.p_value):
        said += f" {_of_treatment(contrast, getattr(plan.analyses[name], 'scale', 'linear'))}"
    return f"Exploratory ({exploratory[name]}): {said}" if name in exploratory else said


def _of_treatment(row: Estimate, scale: Scale) -> str:
    """Whether the arms changed differently: only that speaks of the treatment."""
    if math.isnan(row.p_value):
        return f"Whether the treatment did it cannot be said: {row.note}."
    p = row.p_value if math.isnan(row.p_adjusted) else row.p_adjusted
    lead = "The arms changed differently" if p < CLEAR else "The arms did not clearly change differently"
    what = amount(row.outcome, scale, row, "a difference of")
    return f"{lead}: {row.contrast}, {what}; a claim about the treatment rests on this difference."


def _bare_p(p: float) -> str:
    return "" if math.isnan(p) else p_text(p).removeprefix("p ").removeprefix("= ")


def _name(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
