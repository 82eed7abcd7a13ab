"""Joins samples and clinical tables into one row a subject's visit, and lists all that found no partner."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cytoreg.clinical.changes import add_changes
from cytoreg.clinical.derive import derive
from cytoreg.clinical.mismatch import Mismatches
from cytoreg.clinical.tables import UNMATCHED_COLUMNS, Clinical
from cytoreg.clinical.tables.columns import CENSORED
from cytoreg.clinical.tables.days import anchors_of
from cytoreg.clinical.timeline import BASELINE, Window, natural_key, visit_order
from cytoreg.clinical.tubes import DRAWN, PER_UL_SUFFIXES, PERCENT_SUFFIXES, by_visit, full_tubes, text
from cytoreg.errors import LinkError

__all__ = ["PERCENT_SUFFIXES", "PER_UL_SUFFIXES", "Linked", "link"]


@dataclass(frozen=True)
class Linked:
    """The join and what it left.

    table: one row a subject's visit: subject_id, visit, day, `samples` (ids joined by `;`), subject columns,
    clinical values, scores and responses, `infusions_so_far`, and for each percentage text its value in
    percent with `<text> count`, `<text> of`, `<text> ci_low`, `<text> ci_high`; for each population with an absolute
    count `<name> per uL` with its limits; `<name> change` and `<name> since infusion` of all that is measured more than
    once, `dose_so_far` and `days_since_infusion` (`cytoreg.clinical.changes`).
    unmatched: side (samples, or the clinical table), subject_id, visit, sample_id, reason.
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
    anchors = anchors_of(clinical.subjects, clinical.infusions)
    tubes = full_tubes(
        samples,
        missed,
        notes,
        day_zero=clinical.day_zero,
        windows=clinical.windows,
        anchors=anchors,
        visit_names=clinical.visit_names,
    )
    roster = _roster(clinical)
    visits = (
        _one_of_each(clinical.visits, clinical.windows, anchors, missed) if clinical.visits is not None else None
    )
    infusions = clinical.infusions
    has_samples = len(tubes) > 0

    if roster is not None:
        all_tubes = tubes
        tubes = missed.drop_unknown("samples", tubes, roster, visits)
        if visits is not None and clinical.subjects is not None:
            visits = missed.drop_unknown("visits", visits, roster, all_tubes)
        if infusions is not None:
            infusions = missed.drop_unknown("infusions", infusions, roster, None)
        for side in ("adverse_events", "labs", "time_to_event"):
            if (further := getattr(clinical, side)) is not None:
                missed.drop_unknown(side, further.drop(columns="visit", errors="ignore"), roster, None)
    if visits is not None and has_samples:
        missed.compare_visits(visits, tubes, listed_elsewhere=clinical.subjects is not None)
    if clinical.subjects is not None and has_samples:
        missed.subjects_without(clinical.subjects, tubes, visits)
    if clinical.subjects is not None and visits is not None and not has_samples:
        missed.subjects_unseen(clinical.subjects, visits)
    sheet_ids = {text(value) for value in samples["sample_id"]}
    values = by_visit(tubes, percentages, sheet_ids, missed, notes)

    table = _join(visits, values, _subjects_once(clinical.subjects, missed), notes)
    table = derive(table, infusions, notes, baseline or {})
    table = add_changes(table, infusions, baseline or {}, notes)
    unmatched = missed.table()
    if clinical.unmatched is not None and len(clinical.unmatched):
        unmatched = pd.concat([clinical.unmatched[list(UNMATCHED_COLUMNS)], unmatched], ignore_index=True)
    return Linked(table=_sorted(table), unmatched=unmatched, notes=tuple(notes))


def _roster(clinical: Clinical) -> list[str] | None:
    """The subjects there are, or None where no clinical table says."""
    for frame in (clinical.subjects, clinical.visits):
        if frame is not None:
            return list(dict.fromkeys(str(subject) for subject in frame["subject_id"]))
    return None


def _one_of_each(
    visits: pd.DataFrame, windows: Sequence[Window], anchors: Mapping[str, float], missed: Mismatches
) -> pd.DataFrame:
    """Of rows with one subject and visit the one that the rule of the windows takes, whatever their order in the sheet:
    of a baseline the last on or before the anchor, else that nearest to the day the window is due, the earlier on a tie.
    A visit without a window, and rows without days, keep the first of the sheet.
    """
    keys = ["subject_id", "visit"]
    if not visits.duplicated(keys).any():
        return visits.reset_index(drop=True)
    due = {window.name.casefold(): window.day for window in windows}
    days = visits["day"].tolist() if "day" in visits.columns else [math.nan] * len(visits)
    ranks: list[tuple[float, float]] = []
    for subject, visit, day in zip(visits["subject_id"], visits["visit"], days, strict=True):
        name = str(visit).casefold()
        if day != day:
            ranks.append((math.inf, 0.0))
        elif name == BASELINE:
            late = day > anchors.get(str(subject), 0.0)
            ranks.append((abs(day) + 1e9, day) if late else (-day, day))
        else:
            ranks.append((abs(day - due[name]), day) if name in due else (0.0, 0.0))
    order = sorted(range(len(visits)), key=lambda line: (*ranks[line], line))
    best = visits.iloc[order].drop_duplicates(keys).index
    again = ~visits.index.isin(best)
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
    if DRAWN in table.columns:  # a visit that the clinic does not know has the day its blood was drawn
        table["day"] = pd.to_numeric(table["day"]).fillna(table[DRAWN])
        table = table.drop(columns=DRAWN)
    for column in table.columns:
        if str(column).endswith(CENSORED):
            table[column] = table[column].fillna("")
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
