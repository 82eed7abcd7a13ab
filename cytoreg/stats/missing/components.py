"""Imputed copies of a linked table: what was measured is imputed, and the scores are made anew of it.

A score is never imputed where its components are in the table: a joint count that is missing is drawn, and DAS28, the ACR
response and remission follow from it, so that what is known of the other components is used (Eekhout I et al., J Clin
Epidemiol 2014;67:335-342). Each value at each visit is a column of one row a subject, regressed on itself at
the other visits, on the other values at its visit and at the first visit, and on the arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.derive import derive
from cytoreg.clinical.timeline import baseline_rows, visit_order
from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.missing.chained import Matrix, Method, impute
from cytoreg.stats.plan import MultipleImputation, Plan

__all__ = ["Imputed", "imputed_tables", "named_columns", "scheduled_visits", "with_missed_visits"]

LEAST_SEEN = 10  # values of a column at a visit; with fewer nothing is imputed there
SEEN_BY = 0.5  # of the subjects: a visit that fewer had was not scheduled
SKEWED = 1.0
FRAME = ("subject_id", "visit", "day", "first_infusion_day", "randomised_day")
COUNTED = {"column": "str", "visit": "str", "subjects": "int64", "missing": "int64", "imputed": "int64"}


@dataclass(frozen=True)
class Imputed:
    """tables: the completed copies of the linked table, all with the same index. before: the table with a row for each
    missed visit and nothing imputed. counts: column, visit, subjects, missing, imputed."""

    tables: tuple[pd.DataFrame, ...]
    before: pd.DataFrame
    counts: pd.DataFrame
    notes: tuple[str, ...]

    def filled(self, column: str) -> pd.Series:
        """Whether a column's value was imputed (for a score: made of something that was), by index label."""
        return self.before[column].isna() & self.tables[0][column].notna()


def imputed_tables(linked: pd.DataFrame, plan: Plan, wanted: Sequence[str]) -> Imputed:
    """Impute as the plan declares. wanted: the columns that its analyses name. Deterministic for a plan's seed.

    Subjects without a baseline row are left as they are. Raises `AnalysisError` where a declared visit is not there.
    """
    said = plan.missing.imputation
    assert said is not None
    linked = linked.sort_values(["subject_id", "visit"], kind="stable").reset_index(drop=True)
    visits = scheduled_visits(linked, said.visits)
    before, subjects = with_missed_visits(linked, plan, visits)
    derived = _derived(before, plan)
    names = [name for name in _measured(before, wanted) if name not in derived]
    place = {
        (s, v): label for label, s, v in zip(before.index, before["subject_id"], before["visit"], strict=True)
    }
    notes: list[str] = []
    columns, values = [], []
    for name in names:
        for visit in visits:
            column = (
                before.loc[[place[s, visit] for s in subjects], name]
                .astype("Float64")
                .to_numpy(float, na_value=np.nan)
            )
            seen = column[~np.isnan(column)]
            if len(seen) < LEAST_SEEN:
                if len(seen) < len(subjects):
                    notes.append(f"{name} at {visit}: {len(seen)} values are too few to impute the others from")
                continue
            columns.append((name, visit))
            values.append(column)
    if not any(np.isnan(column).any() for column in values):
        return Imputed((before,) * said.m, before, _counts(columns, values), tuple(notes))
    scales = [
        _Scale.of(name, column, f"{name} count" in before.columns)
        for (name, _), column in zip(columns, values, strict=True)
    ]
    turned = np.column_stack([scale.to(column) for scale, column in zip(scales, values, strict=True)])
    drawn = impute(
        turned,
        _arms(before, plan, [place[s, visits[0]] for s in subjects]),
        [_predictors(at, columns, visits) for at in range(len(columns))],
        [_method(column, said) for column in values],
        m=said.m,
        iterations=said.iterations,
        seed=plan.seed,
    )
    copies = []
    for table in drawn:
        copy = before.copy()
        for at, (name, visit) in enumerate(columns):
            gone = np.isnan(values[at])
            if gone.any():
                labels = [place[s, visit] for s, missing in zip(subjects, gone, strict=True) if missing]
                if not pd.api.types.is_float_dtype(copy[name]):
                    copy[name] = copy[name].astype("Float64").astype(float)
                copy.loc[labels, name] = scales[at].back(table[gone, at])
        copies.append(copy)
    return Imputed(tuple(_rescored(copies, before, derived, plan)), before, _counts(columns, values), tuple(notes))


def scheduled_visits(linked: pd.DataFrame, declared: Sequence[str] | None = None) -> list[str]:
    """The visits that were due: the declared ones, or those that half of the subjects or more were seen at."""
    there = visit_order(linked)
    if declared is not None:
        for visit in declared:
            if visit not in there:
                raise AnalysisError(
                    f"missing.multiple_imputation.visits: no visit '{visit}' in the linked table; {suggest(visit, there)}"
                )
        return [visit for visit in there if visit in declared]
    least = SEEN_BY * linked["subject_id"].nunique()
    seen = linked.groupby("visit")["subject_id"].nunique()
    return [visit for visit in there if visit and seen[visit] >= least]


def with_missed_visits(linked: pd.DataFrame, plan: Plan, visits: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The table with an empty row for each visit that a subject with a baseline missed, and those subjects.

    Such a row has the subject's own columns (arm, age) and the median day of the visit.
    """
    rule = plan.baseline
    start = baseline_rows(linked, last_on_or_before=rule.last_on_or_before, otherwise=rule.otherwise)
    subjects = [str(subject) for subject in start.index]
    there = set(zip(linked["subject_id"], linked["visit"], strict=True))
    missed = [(s, v) for s in subjects for v in visits if (s, v) not in there]
    if not missed:
        return linked, subjects
    groups = linked.groupby("subject_id", sort=False)
    others = [c for c in linked.columns if c not in ("subject_id", "visit", "day")]
    varying = groups[others].nunique(dropna=False).max()
    own = [c for c in others if varying[c] <= 1 and not pd.api.types.is_numeric_dtype(linked[c])]
    own += [c for c in others if c not in own and varying[c] <= 1 and c not in COMPONENTS]
    first = groups[own].first() if own else None
    days = linked.groupby("visit")["day"].median()
    rows = pd.DataFrame(missed, columns=["subject_id", "visit"])
    rows["day"] = rows["visit"].map(days).astype(float)
    if first is not None:
        rows = rows.join(first, on="subject_id")
    rows = rows.reindex(columns=linked.columns).astype({c: linked[c].dtype for c in ("subject_id", "visit", *own)})
    both = pd.concat([linked, rows], ignore_index=True)
    order = {visit: at for at, visit in enumerate(visit_order(linked))}
    keys = pd.DataFrame({"s": both["subject_id"], "v": both["visit"].map(order)}).sort_values(
        ["s", "v"], kind="stable"
    )
    return both.loc[keys.index].reset_index(drop=True), subjects


def named_columns(question: Any) -> list[str]:
    """Texts of a question that may be columns: every value of its keys."""
    found: list[str] = []
    for key, given in question.model_dump().items():
        if key in {"type", "scale", "method", "from_", "to", "at", "contrast_visit"}:
            continue
        found += (
            [given]
            if isinstance(given, str)
            else [x for x in given or () if isinstance(x, str)]
            if isinstance(given, (list, tuple))
            else []
        )
    return found


def _measured(table: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    """Numbers that change from visit to visit: the components in the table and what the analyses name."""
    names = [name for name in dict.fromkeys((*COMPONENTS, *wanted)) if name in table.columns and name not in FRAME]
    found = []
    for name in names:
        values = table[name]
        if not (pd.api.types.is_numeric_dtype(values) or _of_truths(values)):
            continue
        if values.notna().any() and table.groupby("subject_id")[name].nunique().max() > 1:
            found.append(name)
    return found


def _of_truths(values: pd.Series) -> bool:
    return values.dtype == object and values.notna().any() and all(isinstance(v, bool) for v in values.dropna())


def _derived(table: pd.DataFrame, plan: Plan) -> list[str]:
    """Columns that the linker makes of others in this table, without haq_di, which stands for its 20 items."""
    parts = [name for name in table.columns if name in COMPONENTS or name in FRAME]
    made = derive(table[parts], None, [], plan.baseline.model_dump())
    return [name for name in made.columns if name not in parts and name in table.columns]


def _rescored(
    copies: Sequence[pd.DataFrame], before: pd.DataFrame, derived: Sequence[str], plan: Plan
) -> list[pd.DataFrame]:
    """The copies with their scores made anew; what the table itself held stays."""
    if not derived:
        return list(copies)
    stacked = []
    for number, copy in enumerate(copies):
        one = copy.drop(columns=list(derived))
        one["subject_id"] = [f"{number}\x1f{subject}" for subject in copy["subject_id"]]
        stacked.append(one)
    parts = [name for name in before.columns if (name in COMPONENTS or name in FRAME) and name not in derived]
    made = derive(pd.concat(stacked, ignore_index=True)[parts], None, [], plan.baseline.model_dump())
    done = []
    for number, copy in enumerate(copies):
        part = made.iloc[number * len(before) : (number + 1) * len(before)]
        scored = copy.copy()
        for name in derived:
            new = pd.Series(part[name].to_numpy(), index=copy.index)
            own = before[name]
            if pd.api.types.is_float_dtype(own) and not isinstance(own.dtype, pd.Float64Dtype):
                scored[name] = own.fillna(new.astype(float))
            else:
                scored[name] = own.astype(object).where(own.notna(), new.astype(object))
        done.append(scored)
    return done


@dataclass(frozen=True)
class _Scale:
    """How a column enters the regressions: logit for a percentage, log for what is skewed, else as it is."""

    kind: str
    name: str
    shift: float = 0.0

    @classmethod
    def of(cls, name: str, column: Matrix, percentage: bool) -> _Scale:
        seen = column[~np.isnan(column)]
        part = COMPONENTS.get(name)
        if percentage and seen.min() >= 0 and seen.max() <= 100:
            return cls("logit", name)
        if (part is not None and part.whole) or seen.min() < 0 or seen.std() == 0:
            return cls("linear", name)
        skew = float(((seen - seen.mean()) ** 3).mean() / seen.std() ** 3)
        if skew < SKEWED or not (seen > 0).any():
            return cls("linear", name)
        return cls("log", name, float(seen[seen > 0].min()) / 2)

    def to(self, values: Matrix) -> Matrix:
        if self.kind == "logit":
            inside = np.clip(values, 0.005, 99.995)
            return np.asarray(np.log(inside / (100 - inside)))
        return np.asarray(np.log(values + self.shift)) if self.kind == "log" else values

    def back(self, values: Matrix) -> Matrix:
        """In the units of the column, within what its component allows."""
        if self.kind == "logit":
            return np.asarray(100 / (1 + np.exp(-values)))
        numbers = np.exp(values) - self.shift if self.kind == "log" else values
        if self.kind == "log":
            numbers = np.maximum(numbers, 0.0)
        if (part := COMPONENTS.get(self.name)) is not None:
            numbers = np.clip(np.round(numbers) if part.whole else numbers, part.low, part.high)
        return np.asarray(numbers)


def _method(column: Matrix, said: MultipleImputation) -> Method:
    """A column of two values (a response) is always matched, so that it stays one."""
    return "predictive_mean_matching" if len(np.unique(column[~np.isnan(column)])) <= 2 else said.method


def _arms(table: pd.DataFrame, plan: Plan, labels: Sequence[Any]) -> Matrix:
    """Indicators of all arms but one, (n, arms - 1)."""
    if plan.treatment.arm not in table.columns:
        return np.empty((len(labels), 0))
    arm = table.loc[list(labels), plan.treatment.arm].astype(object).map(lambda v: "" if pd.isna(v) else str(v))
    return np.column_stack(
        [np.empty((len(arm), 0)), *[(arm == name).to_numpy(float) for name in sorted(set(arm))[1:]]]
    )


def _predictors(at: int, columns: Sequence[tuple[str, str]], visits: Sequence[str]) -> list[int]:
    """The same value at other visits, nearest first, then the others at this visit, then the others at the first."""
    name, visit = columns[at]
    here = visits.index(visit)
    same = [i for i, (n, v) in enumerate(columns) if n == name and v != visit]
    same.sort(key=lambda i: abs(visits.index(columns[i][1]) - here))
    beside = [i for i, (n, v) in enumerate(columns) if n != name and v == visit]
    first = [i for i, (n, v) in enumerate(columns) if n != name and v == visits[0] and v != visit]
    near = max(len(visits) - 1, 1)
    return [*same[:2], *beside, *same[2:near], *first]


def _counts(columns: Sequence[tuple[str, str]], values: Sequence[Matrix]) -> pd.DataFrame:
    rows = [
        (name, visit, len(column), int(np.isnan(column).sum()), int(np.isnan(column).sum()))
        for (name, visit), column in zip(columns, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COUNTED)).astype(COUNTED)
