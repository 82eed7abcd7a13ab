"""The answer to a question under the plan's strategy for missing values, with the answer of what is there beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.stats.equivalence import TERM as EQUIVALENCE
from cytoreg.stats.equivalence import equivalence_row
from cytoreg.stats.estimate import SENSITIVITY, Estimate
from cytoreg.stats.missing.components import Imputed, imputed_tables, named_columns
from cytoreg.stats.missing.nonresponse import as_nonresponse
from cytoreg.stats.missing.rubin import Pooled, pool_rows
from cytoreg.stats.plan import ReadPlan, TippingPoint
from cytoreg.stats.questions import answer_of
from cytoreg.stats.starts import warned_of_starts
from cytoreg.stats.values import Data

__all__ = ["IMPUTABLE", "Strategy"]

# Types whose answer rests on values at scheduled visits and has an estimate that can be pooled. Of the others, some have
# no visits to impute (agreement, trend, power), and some treat missing and censored values themselves.
IMPUTABLE = frozenset(
    {
        *(
            "paired_change",
            "arm_by_visit",
            "change_correlation",
            "repeated_correlation",
            "within_between",
            "lagged",
        ),
        *("responder", "roc", "mediation"),
    }
)
# Types that take a response at a visit; how long a response lasts (time_to_loss) is another question.
RESPONSES = frozenset({"responder", "roc", "mediation"})
LOST = 0.05


class Strategy:
    """A linked table, and the tables that a plan's `missing` makes of it, each made once and when first needed."""

    def __init__(self, linked: pd.DataFrame, read: ReadPlan) -> None:
        self.linked = linked
        self.read = read
        self.missing = read.plan.missing
        self._known: dict[Any, dict[Any, Any]] = {}
        self._check()

    def answer(self, name: str) -> list[Estimate]:
        """The rows of an analysis; with imputation the pooled ones, then those of the sensitivity analyses."""
        question = self.read.plan.analyses[name]
        responses = self._responses(name)
        if not self.imputes(name):
            if not responses:
                return self._rows(name, self.linked)
            table, counts = as_nonresponse(self.linked, self.read, responses)
            rows = _noted(self._rows(name, table), _said_of_nonresponse(counts, table))
            return [*rows, *self._as_they_are(name)]
        pooled = pool_rows([self._rows(name, table, imputed=True) for table in self._tables(name)])
        rows = warned_of_starts(_absence_again([row for row, _ in pooled], question))
        how = next((found for row, found in pooled if row.primary), None)
        said = self._said_of_imputation(question, how)
        if responses:
            said += "; a missing response counts as none"
        rows = _noted(rows, said)
        answer = next((row.estimate for row in rows if row.primary), math.nan)
        points = [point for point in self.missing.tipping_point if point.analysis == name]
        tipping = [row for point in points for row in self._tipping(point, answer)]
        return [*rows, *self._as_they_are(name), *tipping]

    def imputes(self, name: str) -> bool:
        """Whether an analysis is answered from imputed tables."""
        said = self.missing.imputation
        if said is None or self.read.plan.analyses[name].type not in IMPUTABLE:
            return False
        return said.analyses is None or name in said.analyses

    @cached_property
    def imputed(self) -> Imputed:
        """The imputed tables of the plan."""
        names = [name for name in self.read.plan.analyses if self.imputes(name)]
        skip = set(self.missing.nonresponder_imputation)
        wanted = [c for name in names for c in named_columns(self.read.plan.analyses[name]) if c not in skip]
        return imputed_tables(self.linked, self.read.plan, wanted)

    def counts(self) -> pd.DataFrame | None:
        """What was imputed: column, visit, subjects, missing, imputed; None where nothing was asked for."""
        return self.imputed.counts if any(self.imputes(name) for name in self.read.plan.analyses) else None

    def notes(self) -> tuple[str, ...]:
        return self.imputed.notes if any(self.imputes(name) for name in self.read.plan.analyses) else ()

    def _rows(self, name: str, table: pd.DataFrame, imputed: bool = False) -> list[Estimate]:
        """The answer of one table. Imputed ones share subjects, visits and days, and so does the table as it is."""
        question = self.read.plan.analyses[name]
        known = self._known.setdefault("imputed", {}) if imputed else {}
        if table is self.linked:
            known = self._known.setdefault("linked", {})
        rows: list[Estimate] = answer_of(question.type)(question, Data(table, self.read, name, known))
        return rows

    def _tables(self, name: str) -> Sequence[pd.DataFrame]:
        responses = self._responses(name)
        if not responses:
            return self.imputed.tables
        said = self.missing.imputation
        known = as_nonresponse(self.imputed.before, self.read, responses, said.visits if said else None)[0]
        return [table.assign(**{c: known[c].to_numpy() for c in responses}) for table in self.imputed.tables]

    def _responses(self, name: str) -> list[str]:
        question = self.read.plan.analyses[name]
        if question.type not in RESPONSES:
            return []
        named = named_columns(question)
        return [column for column in self.missing.nonresponder_imputation if column in named]

    def _as_they_are(self, name: str) -> list[Estimate]:
        """The answer of the values that are there."""
        return [
            replace(
                row,
                term=f"{row.term}, from the values that are there",
                primary=False,
                note="; ".join(part for part in (SENSITIVITY, row.note) if part),
            )
            for row in self._rows(name, self.linked)
            if row.primary
        ]

    def _tipping(self, point: TippingPoint, answer: float) -> list[Estimate]:
        """The answer with imputed values of an arm shifted by each delta, and the first delta that loses it: p is no
        longer below 0.05, or the estimate has changed its side. answer: the estimate without a shift."""
        name, question = point.analysis, self.read.plan.analyses[point.analysis]
        column = next((str(v) for key in ("value", "y", "outcome") if (v := getattr(question, key, None))), "")
        arms = Data(self.linked, self.read, name).arms()
        there = sorted({arm for arm in arms if arm is not None})
        control = self.read.plan.treatment.control
        shifted = [point.arm] if point.arm is not None else [arm for arm in there if arm != control]
        if point.arm is not None and point.arm not in there:
            place = self.read.document.where(("missing", "tipping_point"))
            raise AnalysisError(f"{place}: no arm '{point.arm}' in the linked table, which has {', '.join(there)}")
        before = self.imputed.before
        arm = Data(before, self.read, name).arms()
        cells = self.imputed.filled(column) & (arm.isin(shifted) if there else True)
        rows, lost = [], math.nan
        for delta in sorted(point.deltas, key=abs):
            shift = np.where(cells, delta, 0.0)
            tables = [
                table.assign(**{column: table[column].astype(float).to_numpy() + shift})
                for table in self._tables(name)
            ]
            row = next(
                row
                for row, _ in pool_rows([self._rows(name, table, imputed=True) for table in tables])
                if row.primary
            )
            if math.isnan(lost) and not (row.p_value < LOST and row.estimate * answer > 0):
                lost = delta
            words = f"{row.term}, imputed values of {' and '.join(shifted) or 'everybody'} shifted by {delta:+g}"
            rows.append(replace(row, term=words, primary=False, note=SENSITIVITY))
        said = f"{int(cells.sum())} imputed values of {column} are shifted; "
        said += (
            f"the answer stands at every declared shift (p below {LOST:g})"
            if math.isnan(lost)
            else f"the answer is lost at a shift of {lost:+g}"
        )
        tip = replace(
            _nothing(rows[0]), term="tipping point (shift)", estimate=lost, note=f"{SENSITIVITY}; {said}"
        )
        return [*rows, tip]

    def _said_of_imputation(self, question: Any, how: Pooled | None) -> str:
        said = self.missing.imputation
        assert said is not None
        parts = []
        for column in dict.fromkeys(named_columns(question)):
            if column in self.imputed.before.columns and pd.api.types.is_float_dtype(self.imputed.before[column]):
                filled = int(self.imputed.filled(column).sum())
                parts.append(f"{filled} of {int(self.imputed.tables[0][column].notna().sum())} values of {column}")
        text = f"imputed {' and '.join(parts) or 'values'}, m = {said.m}"
        if how is not None and how.missing_information > 0:
            text += f", missing information {100 * how.missing_information:.0f} %"
        return text

    def _check(self) -> None:
        """An analysis that is named for imputation must be of a type that can have it."""
        said = self.missing.imputation
        named: Mapping[str, tuple[str, ...]] = {
            "multiple_imputation": (said.analyses or ()) if said else (),
            "tipping_point": tuple(point.analysis for point in self.missing.tipping_point),
        }
        for key, names in named.items():
            for name in names:
                kind = self.read.plan.analyses[name].type
                if kind not in IMPUTABLE:
                    place = self.read.document.where(("missing", key))
                    raise AnalysisError(
                        f"{place}: '{name}' is a {kind}, found among analyses to impute, expected one of "
                        f"{', '.join(sorted(IMPUTABLE))}"
                    )


def _absence_again(rows: Sequence[Estimate], question: Any) -> list[Estimate]:
    """The rows with each equivalence test made of the pooled row that it tests, not of the tests of single tables."""
    bounds = getattr(question, "equivalence", None)
    if bounds is None:
        return list(rows)

    def tested(row: Estimate) -> Estimate:
        like = [
            other
            for other in rows
            if f"{EQUIVALENCE}, {other.term}" == row.term
            and (other.arm, other.visit, other.contrast) == (row.arm, row.visit, row.contrast)
        ]
        return equivalence_row(like[0], bounds) if like else row

    return [tested(row) if row.term.startswith(EQUIVALENCE) else row for row in rows]


def _noted(rows: Sequence[Estimate], said: str) -> list[Estimate]:
    return [replace(row, note="; ".join(filter(None, (row.note, said)))) if row.primary else row for row in rows]


def _said_of_nonresponse(counts: Mapping[str, int], table: pd.DataFrame) -> str:
    return "; ".join(f"{n} missing values of {c} count as no response" for c, n in counts.items())


def _nothing(row: Estimate) -> Estimate:
    blank = dict.fromkeys(("estimate", "se", "df", "statistic", "ci_low", "ci_high", "p_value"), math.nan)
    return replace(row, **blank)  # type: ignore[arg-type]
