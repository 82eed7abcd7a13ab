"""The lab's side of the join: which tube is of which subject and visit, and its percentages as columns."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from cytoreg.batch.absolute import CARRIED, SHEET_COLUMNS
from cytoreg.clinical.mismatch import Mismatches
from cytoreg.clinical.timeline import BASELINE, Window, window_of
from cytoreg.errors import LinkError, suggest

__all__ = ["DRAWN", "PERCENT_SUFFIXES", "PER_UL_SUFFIXES", "by_visit", "full_tubes", "text"]

DRAWN = "_drawn_day"  # the study day a tube was drawn on, while the join is made
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


def full_tubes(
    samples: pd.DataFrame,
    missed: Mismatches,
    notes: list[str],
    *,
    day_zero: Mapping[str, dt.date],
    windows: Sequence[Window],
    anchors: Mapping[str, float],
    visit_names: Mapping[str, str],
) -> pd.DataFrame:
    """One row a full tube with clean ids and `_drawn_day`; of two of one panel for a subject's visit, the first.

    A tube without a visit gets that of the window in which it was drawn, as a row of the clinic would: the nearest wins, the
    earlier on a tie, and the last before treatment for a baseline.
    """
    _need(samples, ("sample_id", "subject_id"), "samples")
    tubes = samples.copy()
    for column in ("sample_id", "subject_id", "visit", "panel", "tube"):
        given = tubes[column] if column in tubes.columns else pd.Series([None] * len(tubes), index=tubes.index)
        tubes[column] = pd.array([text(value) for value in given.tolist()], dtype="str")
    tubes = tubes[tubes["tube"].str.casefold().isin(["", FULL_TUBE])]
    for row in tubes[tubes["subject_id"] == ""].itertuples():
        missed.add("samples", "", str(row.visit), str(row.sample_id), "has no subject_id")
    tubes = tubes[tubes["subject_id"] != ""]
    if visit_names:
        tubes["visit"] = [visit_names.get(name.casefold(), name) for name in tubes["visit"]]
    tubes = _by_window(tubes.assign(**{DRAWN: _drawn_days(tubes, day_zero, notes)}), windows, anchors, missed)
    again = tubes.duplicated(["subject_id", "visit", "panel"]) | tubes.duplicated("sample_id")
    for row in tubes[again].itertuples():
        missed.add("samples", str(row.subject_id), str(row.visit), str(row.sample_id), "duplicate")
    return tubes[~again].reset_index(drop=True)


def _drawn_days(tubes: pd.DataFrame, day_zero: Mapping[str, dt.date], notes: list[str]) -> list[float]:
    """The study day each tube was drawn on, NaN where `drawn_at` is no ISO date or its subject has no day 0."""
    if "drawn_at" not in tubes.columns:
        return [math.nan] * len(tubes)
    days: list[float] = []
    odd = 0
    for subject, cell in zip(tubes["subject_id"], tubes["drawn_at"], strict=True):
        try:
            drawn = cell.date() if isinstance(cell, dt.datetime) else dt.datetime.fromisoformat(text(cell)).date()
        except ValueError:
            drawn = None
            odd += bool(text(cell))
        zero = day_zero.get(str(subject))
        days.append(math.nan if drawn is None or zero is None else float((drawn - zero).days))
    if odd:
        notes.append(
            f"samples: {odd} of {len(tubes)} cells of drawn_at are no ISO date such as 2021-04-30: no study day"
        )
    return days


def _by_window(
    tubes: pd.DataFrame, windows: Sequence[Window], anchors: Mapping[str, float], missed: Mismatches
) -> pd.DataFrame:
    """Tubes without a visit under the window they were drawn in; those in none, or not the nearest, are listed and go."""
    open_ = (tubes["visit"] == "") & tubes[DRAWN].notna()
    if not windows or not open_.any():
        return tubes
    best: dict[tuple[str, str, str], tuple[float, float, Any]] = {}
    found: dict[Any, tuple[str, str, str]] = {}
    gone: dict[Any, tuple[str, str]] = {}
    for label, tube in tubes[open_].to_dict("index").items():
        day, subject = float(tube[DRAWN]), str(tube["subject_id"])
        window = window_of(day, windows)
        is_baseline = window is not None and window.name.casefold() == BASELINE
        if window is None or (is_baseline and day > anchors.get(subject, 0.0)):
            why = (
                "is in no visit window"
                if window is None
                else "is after the start of treatment, so it is no baseline"
            )
            gone[label] = ("", f"day {day:g} {why}")
            continue
        key = (subject, window.name, str(tube["panel"]))
        rank = (-day if is_baseline else abs(day - window.day), day, label)
        found[label], best[key] = key, min(rank, best.get(key, rank))
    for label, key in found.items():
        if best[key][2] != label:
            gone[label] = (key[1], f"duplicate: another tube was drawn nearer to '{key[1]}'")
        else:
            tubes.loc[label, "visit"] = key[1]
    for label, (visit, reason) in gone.items():
        missed.add(
            "samples", str(tubes.loc[label, "subject_id"]), visit, str(tubes.loc[label, "sample_id"]), reason
        )
    return tubes.drop(index=list(gone))


def by_visit(
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
        sample_id=pd.array([text(value) for value in percentages["sample_id"]], dtype="str"),
        percentage=pd.array([text(value) for value in percentages["percentage"]], dtype="str"),
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
    extra = [column for column in tubes.columns if column not in SAMPLE_COLUMNS and column != DRAWN]
    if extra:
        parts.append(tubes.groupby(["subject_id", "visit"], sort=False)[extra].first())
    keys = ["subject_id", "visit", "column"]
    for title in dict.fromkeys(joined["column"]):
        rows = joined[joined["column"] == title].set_index(keys[:2])
        for column, suffix in PERCENT_SUFFIXES.items():
            if column in rows.columns:
                parts.append(pd.to_numeric(rows[column]).rename(f"{title}{suffix}"))
    parts += _per_ul(joined, tubes)
    parts.append(tubes.groupby(["subject_id", "visit"], sort=False)[DRAWN].min())
    return pd.concat(parts, axis=1).copy().reset_index() if len(tubes) else sheet[keys[:2]]


def _per_ul(joined: pd.DataFrame, tubes: pd.DataFrame) -> list[pd.Series]:
    """Absolute counts by population. Of panels that count the same one, that of the measured count stands before one
    that is carried over from it, then the first in the sheet; a further measured one has its panel in brackets.
    """
    if "cells_per_ul_by" not in joined.columns:
        return []
    by = joined["cells_per_ul_by"].map(text)
    counted = joined.assign(_by=by, _name=[str(asked).partition(" % of ")[0] for asked in joined["percentage"]])
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
    for asked, panels in joined.groupby("percentage", sort=False)["panel"].unique().items():
        ranked = sorted(panels, key=order.index)
        owner[str(asked)] = ranked[0]
        if len(ranked) > 1:
            notes.append(
                f"'{asked}' is given by the panels {', '.join(ranked)}: the column of that name is of"
                f" {ranked[0]}, the others have their panel in brackets behind it"
            )
    return [
        asked if owner[asked] == panel else f"{asked} [{panel}]"
        for asked, panel in zip(joined["percentage"], joined["panel"], strict=True)
    ]


def _need(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise LinkError(f"{what}: has no column '{column}'; {suggest(column, frame.columns)}")


def text(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
