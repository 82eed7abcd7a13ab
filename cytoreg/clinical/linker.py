"""Joins samples and clinical tables into one row a subject's visit, and lists all that found no partner."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cytoreg.batch.absolute import CARRIED, SHEET_COLUMNS
from cytoreg.clinical.derive import derive
from cytoreg.clinical.mismatch import Mismatches
from cytoreg.clinical.tables import UNMATCHED_COLUMNS, Clinical
from cytoreg.clinical.timeline import natural_key, visit_order
from cytoreg.errors import LinkError, suggest

__all__ = ["PERCENT_SUFFIXES", "Linked", "link"]

# Columns of `percentages` and what each is called behind the text of its percentage in `linked`.
PERCENT_SUFFIXES = {
    "value": "",
    "count": " count",
    "ancestor_count": " of",
    "ci_low": " ci_low",
    "ci_high": " ci_high",
}
# The same of a population's absolute count, whose column is `NAME per uL`.
PER_UL_SUFFIXES = {"cells_per_ul": "", "cells_per_ul_low": " ci_low", "cells_per_ul_high": " ci_high"}
FULL_TUBE = "full"
# Columns of the sheet that say how a tube is read and gated; any other is a property of the subject's visit.
SAMPLE_COLUMNS = frozenset(
    {
        "file",
        "sample_id",
        "subject_id",
        "visit",
        "panel",
        "tube",
        "batch",
        "drawn_at",
        "control_set",
        "dataset",
    }
    | {"compensation", "channels", "start", "rule", "seed", "template", "cells_per_ul", "cells_per_ml"}
    | set(SHEET_COLUMNS)
)


@dataclass(frozen=True)
class Linked:
    """The join and what it left.

    table: one row a subject's visit: subject_id, visit, day, `samples` (ids joined by `;`), subject columns,
    clinical values, scores and responses, `infusions_so_far`, and for each percentage text its value in
    percent with `<text> count`, `<text> of`, `<text> ci_low`, `<text> ci_high`; for each population with an absolute
    count `<name> per uL` with its limits.
    unmatched: side (samples, visits, subjects, infusions), subject_id, visit, sample_id, reason.
    notes: what a reader should know, without naming a subject.
    """

    table: pd.DataFrame
    unmatched: pd.DataFrame
    notes: tuple[str, ...] = ()


def link(
    samples: pd.DataFrame,
    percentages: pd.DataFrame,
    clinical: Clinical,
    *,
    baseline: Mapping[str, Any] | None = None,
) -> Linked:
    """Join on subject_id and visit.

    samples: sample_id, subject_id, visit, panel, tube; only full tubes are linked (controls are passed over).
    percentages: sample_id, percentage, value (percent), count, ancestor_count, ci_low, ci_high. baseline: which
    visit responses are measured from, `{last_on_or_before: ..., otherwise: ...}` of a plan.

    A clinical visit without a sample, and a sample whose visit the clinic does not have, are rows of the
    table and lines of `unmatched`; a sample, visit or infusion of a subject that the roster (the subjects
    table, or the visits where there is none) does not have is a line of `unmatched` only. Of duplicates the
    first is kept. Raises `LinkError` where a column is missing or a percentage has the name of a clinical
    column.
    """
    notes = list(clinical.notes)
    missed = Mismatches()
    tubes = _full_tubes(samples, missed)
    roster = _roster(clinical)
    visits = _first_of_each(clinical.visits, missed) if clinical.visits is not None else None
    infusions = clinical.infusions
    has_samples = len(tubes) > 0

    if roster is not None:
        all_tubes = tubes
        tubes = missed.drop_unknown("samples", tubes, roster, visits)
        if visits is not None and clinical.subjects is not None:
            visits = missed.drop_unknown("visits", visits, roster, all_tubes)
        if infusions is not None:
            infusions = missed.drop_unknown("infusions", infusions, roster, None)
    if visits is not None:
        missed.compare_visits(visits, tubes if has_samples else None)
    if clinical.subjects is not None and has_samples:
        missed.subjects_without(clinical.subjects, tubes, visits)
    sheet_ids = {_text(value) for value in samples["sample_id"]}
    values = _wide(tubes, percentages, sheet_ids, missed, notes)

    table = _join(visits, values, _subjects_once(clinical.subjects, missed), notes)
    table = derive(table, infusions, notes, baseline or {})
    unmatched = missed.table()
    if clinical.unmatched is not None and len(clinical.unmatched):
        unmatched = pd.concat([clinical.unmatched[list(UNMATCHED_COLUMNS)], unmatched], ignore_index=True)
    return Linked(table=_sorted(table), unmatched=unmatched, notes=tuple(notes))


def _full_tubes(samples: pd.DataFrame, missed: Mismatches) -> pd.DataFrame:
    """One row a full tube with clean ids; of two of one panel for a subject's visit, the first."""
    _need(samples, ("sample_id", "subject_id"), "samples")
    tubes = samples.copy()
    for column in ("sample_id", "subject_id", "visit", "panel", "tube"):
        given = tubes[column] if column in tubes.columns else pd.Series([None] * len(tubes), index=tubes.index)
        tubes[column] = pd.array([_text(value) for value in given.tolist()], dtype="str")
    tubes = tubes[tubes["tube"].str.casefold().isin(["", FULL_TUBE])]
    for row in tubes[tubes["subject_id"] == ""].itertuples():
        missed.add("samples", "", str(row.visit), str(row.sample_id), "has no subject_id")
    tubes = tubes[tubes["subject_id"] != ""]
    again = tubes.duplicated(["subject_id", "visit", "panel"]) | tubes.duplicated("sample_id")
    for row in tubes[again].itertuples():
        missed.add("samples", str(row.subject_id), str(row.visit), str(row.sample_id), "duplicate")
    return tubes[~again].reset_index(drop=True)


def _roster(clinical: Clinical) -> list[str] | None:
    """The subjects there are, or None where no clinical table says."""
    for frame in (clinical.subjects, clinical.visits):
        if frame is not None:
            return list(dict.fromkeys(str(subject) for subject in frame["subject_id"]))
    return None


def _first_of_each(visits: pd.DataFrame, missed: Mismatches) -> pd.DataFrame:
    again = visits.duplicated(["subject_id", "visit"])
    for row in visits[again].itertuples():
        missed.add("visits", str(row.subject_id), str(row.visit), "", "duplicate")
    return visits[~again].reset_index(drop=True)


def _subjects_once(subjects: pd.DataFrame | None, missed: Mismatches) -> pd.DataFrame | None:
    if subjects is None:
        return None
    again = subjects.duplicated("subject_id")
    for subject in subjects["subject_id"][again]:
        missed.add("subjects", str(subject), "", "", "duplicate")
    return subjects[~again]


def _wide(
    tubes: pd.DataFrame,
    percentages: pd.DataFrame,
    sheet_ids: Collection[str],
    missed: Mismatches,
    notes: list[str],
) -> pd.DataFrame:
    """One row a subject's visit: sample ids, further columns of the sheet, percentages of all panels."""
    _need(percentages, ("sample_id", "percentage", "value"), "percentages")
    who = ["subject_id", "visit", "panel"]  # the sheet says these; a table that repeats them does not
    given = percentages.drop(columns=who, errors="ignore").assign(
        sample_id=pd.array([_text(value) for value in percentages["sample_id"]], dtype="str"),
        percentage=pd.array([_text(value) for value in percentages["percentage"]], dtype="str"),
    )
    again = given.duplicated(["sample_id", "percentage"])
    for sample in dict.fromkeys(given["sample_id"][again]):
        missed.add("samples", "", "", sample, "duplicate: a percentage of this sample stands twice")
    given = given[~again]
    for sample in dict.fromkeys(given["sample_id"]):
        if sample not in sheet_ids:
            missed.add("samples", "", "", sample, "sample is not in the samples sheet")
    if len(given):
        have = set(given["sample_id"])
        for row in tubes[~tubes["sample_id"].isin(have)].itertuples():
            missed.add(
                "samples",
                str(row.subject_id),
                str(row.visit),
                str(row.sample_id),
                "sample has no percentages",
            )

    sheet = tubes[["sample_id", "subject_id", "visit", "panel"]]
    joined = given.merge(sheet, on="sample_id", how="inner", validate="many_to_one")
    joined["column"] = _column_names(joined, tubes, notes)
    parts: list[Any] = [
        tubes.groupby(["subject_id", "visit"], sort=False)["sample_id"].agg(";".join).rename("samples")
    ]
    extra = [column for column in tubes.columns if column not in SAMPLE_COLUMNS]
    if extra:
        parts.append(tubes.groupby(["subject_id", "visit"], sort=False)[extra].first())
    keys = ["subject_id", "visit", "column"]
    for text in dict.fromkeys(joined["column"]):
        rows = joined[joined["column"] == text].set_index(keys[:2])
        for column, suffix in PERCENT_SUFFIXES.items():
            if column in rows.columns:
                parts.append(pd.to_numeric(rows[column]).rename(f"{text}{suffix}"))
    parts += _per_ul(joined, tubes)
    return pd.concat(parts, axis=1).copy().reset_index() if len(tubes) else sheet[keys[:2]]


def _per_ul(joined: pd.DataFrame, tubes: pd.DataFrame) -> list[pd.Series]:
    """Absolute counts by population. Of panels that count the same one, that of the measured count stands before one
    that is carried over from it, then the first in the sheet; a further measured one has its panel in brackets.
    """
    if "cells_per_ul_by" not in joined.columns:
        return []
    by = joined["cells_per_ul_by"].map(_text)
    counted = joined.assign(_by=by, _name=[str(text).partition(" % of ")[0] for text in joined["percentage"]])
    counted = counted[by != ""].drop_duplicates(["subject_id", "visit", "panel", "_name"])
    order = list(dict.fromkeys(tubes["panel"]))
    columns = []
    for name, rows in counted.groupby("_name", sort=False):
        measured = rows[rows["_by"] != CARRIED]
        kept = measured if len(measured) else rows
        for place, panel in enumerate(sorted(set(kept["panel"]), key=order.index)):
            own = kept[kept["panel"] == panel].set_index(["subject_id", "visit"])
            title = f"{name} per uL" + (f" [{panel}]" if place else "")
            columns += [
                pd.to_numeric(own[column]).rename(f"{title}{suffix}")
                for column, suffix in PER_UL_SUFFIXES.items()
                if column in own.columns
            ]
    return columns


def _column_names(joined: pd.DataFrame, tubes: pd.DataFrame, notes: list[str]) -> Sequence[str]:
    """The text of a percentage; with ` [panel]` behind it where an earlier panel gives that text too."""
    order = list(dict.fromkeys(tubes["panel"]))
    owner: dict[str, str] = {}
    for text, panels in joined.groupby("percentage", sort=False)["panel"].unique().items():
        ranked = sorted(panels, key=order.index)
        owner[str(text)] = ranked[0]
        if len(ranked) > 1:
            notes.append(
                f"'{text}' is given by the panels {', '.join(ranked)}: the column of that name is of"
                f" {ranked[0]}, the others have their panel in brackets behind it"
            )
    return [
        text if owner[text] == panel else f"{text} [{panel}]"
        for text, panel in zip(joined["percentage"], joined["panel"], strict=True)
    ]


def _join(
    visits: pd.DataFrame | None, values: pd.DataFrame, subjects: pd.DataFrame | None, notes: list[str]
) -> pd.DataFrame:
    keys = ["subject_id", "visit"]
    if visits is None:
        table = values
    else:
        clash = [column for column in values.columns if column in visits.columns and column not in keys]
        _refuse_clash(clash, values, notes)
        right = values.drop(columns=clash)
        table = visits.merge(right, on=keys, how="outer", sort=False, validate="one_to_one")
    if subjects is not None:
        both = [column for column in subjects.columns if column in table.columns and column != "subject_id"]
        _refuse_clash(both, values, notes)
        known = subjects.set_index("subject_id")
        for column in both:  # the visit's own value stands before the subject's
            table[column] = table[column].where(table[column].notna(), table["subject_id"].map(known[column]))
        table = table.merge(subjects.drop(columns=both), on="subject_id", how="left", validate="many_to_one")
        order = [column for column in subjects.columns if column not in (*both, "subject_id")]
    else:
        order = []
    if "day" not in table.columns:
        table = table.copy().assign(day=float("nan"))
    if "samples" not in table.columns:
        table["samples"] = None
    first = ["subject_id", "visit", "day", "samples", *order]
    return table[[*first, *(column for column in table.columns if column not in first)]]


def _refuse_clash(clash: Sequence[str], values: pd.DataFrame, notes: list[str]) -> None:
    for column in clash:
        if f"{column} count" in values.columns:
            raise LinkError(f"clinical tables: column '{column}' has the name of a percentage; rename one of them")
        if column in values.columns:
            notes.append(f"'{column}' is in the samples sheet and in a clinical table: the clinical one is used")


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    """Subjects by the numbers in their ids, their visits by day, or by name where a day is missing."""
    order = {name: index for index, name in enumerate(visit_order(table))}
    subjects = {name: index for index, name in enumerate(sorted(set(table["subject_id"]), key=natural_key))}
    ranks = table.assign(_subject=table["subject_id"].map(subjects), _visit=table["visit"].map(order)).sort_values(
        ["_subject", "_visit"], kind="stable"
    )
    return table.loc[ranks.index].reset_index(drop=True)


def _need(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise LinkError(f"{what}: has no column '{column}'; {suggest(column, frame.columns)}")


def _text(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
