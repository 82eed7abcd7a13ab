"""A results folder as a report reads it: its tables, which value it is about, who the subjects are, what is blinded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from cytoreg.batch.absolute import FLAG_PREFIX
from cytoreg.clinical import Clinical, link
from cytoreg.clinical.timeline import baseline_rows, natural_key, visit_order
from cytoreg.errors import AnalysisError, StudyError, suggest
from cytoreg.reports.words import flag_words, flags_in, joined
from cytoreg.stats.plan import Plan, read_plan
from cytoreg.tables import read_json, read_table, safe_name
from cytoreg.tables.schema import TABLES, TEXT

__all__ = ["Results", "read_results", "records"]

NAMES = (
    *("percentages", "populations", "quality", "failures", "linked", "unmatched", "associations", "infusions"),
    *("claims", "imputed"),
)
SCORES = ("das28_crp", "das28_esr", "das28", "cdai", "sdai")
FULL = ("", "full")


@dataclass(frozen=True)
class Results:
    """What one run left.

    tables: those of the contract, empty where the run left none; text columns hold text, never a gap.
    plan: the analysis plan, or None. blinded: arms, and all that differs by arm, are left out.
    """

    folder: Path
    tables: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, Any]
    plan: Plan | None
    blinded: bool = False

    @property
    def study(self) -> str:
        return str(self.provenance.get("study") or self.folder.resolve().parent.name)

    @property
    def linked(self) -> pd.DataFrame:
        """A row a subject's visit."""
        return self.tables["linked"]

    @cached_property
    def percentages(self) -> tuple[str, ...]:
        """The percentages that are columns of `linked`, in its order."""
        columns = set(self.linked.columns)
        return tuple(c for c in self.linked.columns if f"{c} count" in columns and f"{c} of" in columns)

    @cached_property
    def value(self) -> str:
        """The main percentage: the first that the plan names, else the first there is; empty where there is none."""
        questions = self.plan.analyses.values() if self.plan is not None else ()
        named = (getattr(question, key, None) for question in questions for key in ("value", "x", "y"))
        return next((name for name in named if name in self.percentages), next(iter(self.percentages), ""))

    @cached_property
    def activity(self) -> str:
        """The activity score: the one the plan names, else the first there is; empty where there is none."""
        named = self.plan.outcome.activity if self.plan is not None else None
        return next((name for name in (named, *SCORES) if name in self.linked.columns), "") or ""

    @cached_property
    def planted(self) -> pd.DataFrame | None:
        """What was planted in a simulated study, as its `truth/planted.csv` holds it; None in any other, or blinded."""
        said = self.provenance.get("study_file")
        if not said or self.blinded:
            return None
        path = (self.folder / str(said)).parent / "truth" / "planted.csv"
        try:
            table = pd.read_csv(path, keep_default_na=False)
        except (OSError, ValueError):  # no such file, or none that is a table
            return None
        if not set(PLANTED) <= set(table.columns):
            return None
        return table.assign(planted=pd.to_numeric(table["planted"], errors="coerce"))

    @cached_property
    def arms(self) -> pd.Series:
        """The arm of each row of `linked`, empty where it has none or the report is blinded."""
        column = self.plan.treatment.arm if self.plan is not None else "arm"
        if self.blinded or column not in self.linked.columns:
            return pd.Series("", index=self.linked.index, dtype=object)
        return self.linked[column].map(_text).astype(object)

    @cached_property
    def arm_names(self) -> tuple[str, ...]:
        """The arms, that of control last."""
        control = self.plan.treatment.control if self.plan is not None else None
        return tuple(sorted({arm for arm in self.arms if arm}, key=lambda arm: (arm == control, natural_key(arm))))

    @cached_property
    def hidden_words(self) -> tuple[str, ...]:
        """What a blinded report must not say: the names of the arms and of the products given."""
        if not self.blinded:
            return ()
        column = self.plan.treatment.arm if self.plan is not None else "arm"
        words = {_text(arm) for arm in self.linked[column]} if column in self.linked.columns else set()
        infusions = self.tables["infusions"]
        if "product" in infusions.columns:
            words |= {_text(product) for product in infusions["product"]}
        if self.plan is not None and self.plan.treatment.control:
            words.add(self.plan.treatment.control)
        return tuple(sorted(words - {""}))

    def may_say(self, words: str) -> bool:
        """Whether a blinded report may hold a text."""
        return not any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", words) for word in self.hidden_words)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """All that have a page: subjects of `linked`, and those whose samples stand only in `quality`."""
        known = [*self.linked["subject_id"], *self.tables["quality"]["subject_id"]]
        return tuple(sorted({subject for subject in known if subject}, key=natural_key))

    @cached_property
    def has_visits(self) -> bool:
        return bool((self.linked["visit"] != "").any())

    @cached_property
    def has_days(self) -> bool:
        return bool(self.linked["day"].notna().any())

    @cached_property
    def visits(self) -> list[str]:
        return visit_order(self.linked) if self.has_visits else []

    @cached_property
    def is_clinical(self) -> bool:
        """Whether the clinic's tables are in it, so that its subjects are patients."""
        column = self.plan.treatment.arm if self.plan is not None else "arm"
        return bool(self.activity) or column in self.linked.columns or bool(len(self.tables["infusions"]))

    @property
    def noun(self) -> str:
        """What a subject is called: patient, subject, or sample where files are the units."""
        return "patient" if self.is_clinical else "subject" if self.has_visits else "sample"

    @cached_property
    def when(self) -> pd.Series:
        """Where each row of `linked` stands in time: its study day, else the place of its visit."""
        if self.has_days:
            return self.linked["day"].astype(float)
        order = {visit: float(place) for place, visit in enumerate(self.visits)}
        return self.linked["visit"].map(order).astype(float)

    def in_order(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of `linked` in the order of their visits, those without a study day among them."""
        order = {visit: float(place) for place, visit in enumerate(self.visits)}
        ranked = rows.assign(_rank=rows["visit"].map(order).fillna(len(order)))
        return ranked.sort_values("_rank", kind="stable").drop(columns="_rank")

    @cached_property
    def baseline(self) -> set[Any]:
        """The index labels of the rows that are a subject's baseline."""
        rule = self.plan.baseline if self.plan is not None else None
        if rule is None:
            return set(baseline_rows(self.linked))
        rows = baseline_rows(self.linked, last_on_or_before=rule.last_on_or_before, otherwise=rule.otherwise)
        return set(rows)

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The full tubes: rows of `quality`, or of `percentages` where there is no such table."""
        quality = self.tables["quality"]
        if len(quality):
            return quality[quality["tube"].str.casefold().isin(FULL)]
        columns = ["sample_id", "subject_id", "visit", "panel"]
        only = self.tables["percentages"][columns].drop_duplicates("sample_id")
        return only.reindex(columns=list(quality.columns)).fillna("")

    @cached_property
    def panels(self) -> tuple[str, ...]:
        """The panels, that of the main percentage first."""
        table = self.tables["percentages"]
        first = table[table["percentage"] == self.value]["panel"]
        return tuple(dict.fromkeys([*first, *self.samples["panel"]]))

    def page_of(self, subject: str) -> str:
        """The file name of a subject's page."""
        return f"{safe_name(subject)}.html"

    def doubts(self, subject: str, visit: str, percentage: str) -> list[str]:
        """The flags of a percentage at a visit, in words."""
        table = self.tables["percentages"]
        plain = re.sub(r" \[[^\]]*\]$", "", percentage)
        names = {percentage, plain}
        rows = table[
            (table["subject_id"] == subject) & (table["visit"] == visit) & table["percentage"].isin(names)
        ]
        codes = [code for given in rows["flags"] for code in flags_in(given)]
        return list(dict.fromkeys(flag_words(code) for code in codes if not code.startswith(FLAG_PREFIX)))

    def why_missing(self, row: Mapping[str, Any], percentage: str) -> str:
        """Why a subject's visit has no value of a percentage, in words."""
        ids = [sample for sample in _text(row.get("samples")).split(";") if sample]
        if not ids:
            return "no sample of this visit"
        failures = self.tables["failures"]
        errors = failures[failures["sample_id"].isin(ids)]["error"]
        doubts = self.doubts(str(row["subject_id"]), str(row["visit"]), percentage)
        if doubts:
            return joined(doubts)
        return f"the sample failed: {errors.iloc[0]}" if len(errors) else "the sample has no such percentage"

    def subject(self, wanted: str) -> str:
        """A subject as it is spelled. Raises StudyError with the nearest one where there is none."""
        if wanted in self.subjects:
            return wanted
        raise StudyError(f"{self.folder}: no patient '{wanted}'; {suggest(wanted, self.subjects)}")


def read_results(folder: Path, *, blinded: bool = False) -> Results:
    """Read what a run left. Raises StudyError where the folder holds no results."""
    folder = Path(folder)
    found = {name: read_table(folder, name) for name in NAMES}
    if all(found[name] is None for name in ("percentages", "linked", "quality")):
        raise StudyError(f"{folder}: holds no results to report on; make them with `cytoreg run STUDY`")
    tables = {name: _cleaned(name, frame) for name, frame in found.items()}
    if not len(tables["linked"]):
        tables = {name: _own_subjects(frame) for name, frame in tables.items()}
        tables["linked"] = _linked_without_clinic(tables)
    provenance = read_json(folder / "provenance.json") if (folder / "provenance.json").is_file() else {}
    declared = provenance.get("plan")
    try:
        plan = read_plan(declared).plan if declared else None
    except AnalysisError as problem:
        raise StudyError(f"{folder / 'provenance.json'}: its plan cannot be used: {problem}") from None
    return Results(folder, tables, provenance, plan, blinded)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as mappings from column to value."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


COLUMNS: Mapping[str, Sequence[str]] = {
    name: [column for column in TABLES[name] if column in TEXT] for name in NAMES
}
PLANTED = ("analysis", "arm", "contrast", "quantity", "planted")  # what a simulated study says of its truth


def _cleaned(name: str, frame: pd.DataFrame | None) -> pd.DataFrame:
    """The table with its text columns filled; an empty one where the run left none."""
    cleaned = pd.DataFrame(columns=list(COLUMNS[name])) if frame is None else frame.copy()
    for column in COLUMNS[name]:
        given = cleaned[column] if column in cleaned.columns else pd.Series("", index=cleaned.index)
        cleaned[column] = given.map(_text).astype("str")
    if name == "linked" and "day" not in cleaned.columns:
        cleaned["day"] = math.nan
    return cleaned.reset_index(drop=True)


def _own_subjects(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each full tube that has no subject as a subject of its own; controls stay without."""
    if not {"sample_id", "subject_id"} <= set(table.columns):
        return table
    alone = table["subject_id"] == ""
    if "tube" in table.columns:
        alone &= table["tube"].str.casefold().isin(FULL)
    return table.assign(subject_id=table["subject_id"].mask(alone, table["sample_id"]))


def _linked_without_clinic(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The percentages of gating alone, a row a subject's visit."""
    percentages, quality = tables["percentages"], tables["quality"]
    keys = ["sample_id", "subject_id", "visit", "panel", "tube"]
    sheet = (quality if len(quality) else percentages).reindex(columns=keys).drop_duplicates("sample_id")
    sheet = sheet.assign(tube=sheet["tube"].fillna(""))
    return _cleaned("linked", link(sheet, percentages, Clinical()).table)


def _text(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
