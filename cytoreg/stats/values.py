"""What an analysis sees of a linked table: a value on its scale, arms, and one row a subject at a visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.components import COMPONENTS
from cytoreg.clinical.timeline import BASELINE, baseline_rows, visit_order
from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.plan import ReadPlan
from cytoreg.stats.questions import Scale

__all__ = ["Data", "change_between", "paired_points", "visit_points"]

LEAST_SUBJECTS = 4
NO_PERCENTAGES = frozenset({*COMPONENTS, "das28_crp", "das28_esr", "das28", "cdai", "sdai", "haq_di"})


@dataclass(frozen=True)
class Data:
    """A linked table as one analysis of a plan reads it; names that are wrong raise with file, line and key.

    known: what was worked out of subjects, visits, days and arms alone; tables that share these may share it.
    """

    linked: pd.DataFrame
    read: ReadPlan
    analysis: str
    known: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def column(self, name: str, key: str) -> pd.Series:
        """A numeric column named under `key` of the analysis."""
        place = self.read.where(self.analysis, key)
        if name not in self.linked.columns:
            hidden = (" count", " of", " ci_low", " ci_high")
            there = [c for c in self.linked.columns if not c.endswith(hidden) and c not in {"samples", "visit"}]
            raise AnalysisError(
                f"{place}: no column '{name}' in the linked table; {suggest(name, there, limit=40)}"
            )
        values = self.linked[name]
        if values.dtype == object and values.notna().sum() == 0:
            return pd.Series(np.nan, index=values.index)
        if values.dtype == object and all(isinstance(value, (bool, np.bool_)) for value in values.dropna()):
            values = values.astype("boolean")  # yes and no with gaps, as a join or a CSV file leaves them
        if isinstance(values.dtype, pd.BooleanDtype) or pd.api.types.is_numeric_dtype(values):
            return values.astype("Float64").astype(float)
        texts = [(at, str(value)) for at, value in enumerate(values) if pd.notna(value)]
        at, found = next(((at, text) for at, text in texts if not _is_number(text)), texts[0])
        who = " ".join(str(self.linked[key].iloc[at]) for key in ("subject_id", "visit"))
        raise AnalysisError(
            f"{place}: column '{name}' holds text such as '{found}', expected numbers ({who}); where it is a word for a missing "
            "value, declare it as `missing` under `clinical`"
        )

    def category(self, name: str, key: str) -> pd.Series:
        """A column of groups named under `key`, as text; missing ones None."""
        if name not in self.linked.columns:
            place = self.read.where(self.analysis, key)
            raise AnalysisError(
                f"{place}: no column '{name}' in the linked table; {suggest(name, self.linked.columns)}"
            )
        return _as_text(self.linked[name])

    def is_percentage(self, name: str) -> bool:
        return f"{name} count" in self.linked.columns and f"{name} of" in self.linked.columns

    def value(self, name: str, key: str, scale: Scale) -> pd.Series:
        """A column on the scale of the analysis, NaN where it cannot be there.

        logit: of a percentage, ``ln((count + 1/2) / (n - count + 1/2))`` from its counts (Haldane 1956;
        Anscombe 1956), so that 0 % and 100 % have a place; of any other column in percent, ``ln(p / (100 -
        p))``.
        log: natural logarithm; zero and below have none.
        """
        values = self.column(name, key)
        if scale == "linear":
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            if scale == "log":
                return pd.Series(np.where(values > 0, np.log(values), np.nan), index=values.index)
            if self.is_percentage(name):
                count = self.linked[f"{name} count"].to_numpy(float)
                total = self.linked[f"{name} of"].to_numpy(float)
                counted = np.log((count + 0.5) / (total - count + 0.5))
                return pd.Series(counted, index=values.index).fillna(self._logit(values))
            place = self.read.where(self.analysis, "scale")
            if name in NO_PERCENTAGES:
                raise AnalysisError(f"{place}: logit needs percentages; '{name}' is none")
            if values.min() < 0 or values.max() > 100:
                raise AnalysisError(
                    f"{place}: logit needs percentages, found {values.min():g} to {values.max():g}"
                )
            return self._logit(values)

    @staticmethod
    def _logit(percent: pd.Series) -> pd.Series:
        inside = (percent > 0) & (percent < 100)
        return pd.Series(np.where(inside, np.log(percent / (100 - percent)), np.nan), index=percent.index)

    def scale_of(self, name: str, scale: Scale, other: str) -> Scale:
        """The scale of one of two values: that of the plan for a percentage, linear for a clinical value beside one.

        Where neither is a percentage `log` is of both, and `logit` an error.
        """
        if scale == "linear" or self.is_percentage(name):
            return scale
        if self.is_percentage(other):
            return "linear"
        if scale == "logit":
            place = self.read.where(self.analysis, "scale")
            raise AnalysisError(f"{place}: logit needs a percentage; neither '{name}' nor '{other}' is one")
        return scale

    def arms(self) -> pd.Series:
        """Each row's arm as text, None where it has none (all None in a study without arms)."""
        name = self.read.plan.treatment.arm
        if "arms" not in self.known:
            self.known["arms"] = (
                _as_text(self.linked[name])
                if name in self.linked.columns
                else pd.Series([None] * len(self.linked), index=self.linked.index, dtype=object)
            )
        found: pd.Series = self.known["arms"]
        return found.copy()

    def control(self, arms: list[str]) -> tuple[str, str]:
        """The arm others are compared with, and what to note where the plan does not declare it."""
        declared = self.read.plan.treatment.control
        if declared is None:
            return arms[0], f"control not declared: '{arms[0]}' is taken as the reference"
        if declared not in arms:
            place = self.read.document.where(("treatment", "control"))
            raise AnalysisError(f"{place}: no arm '{declared}' in the linked table; {suggest(declared, arms)}")
        return declared, ""

    def visits(self) -> list[str]:
        if "visits" not in self.known:
            self.known["visits"] = visit_order(self.linked)
        return list(self.known["visits"])

    def rows_at(self, visit: str, key: str) -> pd.Series:
        """The row of each subject at a visit: subject_id -> index label; `baseline` by the rule of the plan."""
        if ("rows", visit.casefold()) in self.known:
            found: pd.Series = self.known["rows", visit.casefold()]
            return found.copy()
        if visit.casefold() == BASELINE:
            rule = self.read.plan.baseline
            rows = baseline_rows(self.linked, last_on_or_before=rule.last_on_or_before, otherwise=rule.otherwise)
            self.known["rows", BASELINE] = rows
            return rows.copy()
        names = self.visits()
        if visit not in names:
            place = self.read.where(self.analysis, key)
            raise AnalysisError(
                f"{place}: no visit '{visit}' in the linked table; {suggest(visit, [BASELINE, *names])}"
            )
        at = self.linked[self.linked["visit"] == visit].drop_duplicates("subject_id")
        return pd.Series(at.index, index=at["subject_id"], dtype=object)


def change_between(values: pd.Series, start: pd.Series, end: pd.Series) -> pd.DataFrame:
    """Subjects with both values: columns from, to, change; the index is the subject.

    values: by index label of the linked table; start, end: subject -> index label. A subject whose two rows
    are one row has no change.
    """
    rows = pd.DataFrame({"start": start, "end": end.reindex(start.index)}, dtype=object)
    rows = rows[rows["end"].notna() & (rows["start"] != rows["end"])]
    before, after = (values.reindex(rows[name]).to_numpy(dtype=float) for name in ("start", "end"))
    frame = pd.DataFrame(
        {"from": before, "to": after, "change": after - before}, index=pd.Index(rows.index, dtype=object)
    )
    return frame.dropna()


def visit_points(data: Data) -> pd.DataFrame:
    """A row a subject's visit, for a figure: subject_id, arm, visit; x and y are to be added."""
    linked = data.linked
    return pd.DataFrame({"subject_id": linked["subject_id"], "arm": data.arms(), "visit": linked["visit"]})


def paired_points(x: pd.Series, y: pd.Series, start: pd.Series, visit: str, data: Data) -> pd.DataFrame:
    """A row a subject that has both x and y (by subject), with its arm at the row `start` names."""
    arms = data.arms()
    frame = pd.DataFrame({"x": x, "y": y}).dropna().rename_axis("subject_id").reset_index()
    frame["arm"] = [arms.loc[start[subject]] for subject in frame["subject_id"]]
    frame["visit"] = visit
    return frame[["subject_id", "arm", "visit", "x", "y"]]


def _as_text(values: pd.Series) -> pd.Series:
    def text(value: object) -> str | None:
        if pd.isna(value):  # type: ignore[call-overload]
            return None
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    return pd.Series([text(value) for value in values.to_numpy(object)], index=values.index, dtype=object)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
