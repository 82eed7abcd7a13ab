"""The safety page: adverse events, laboratory values and times to events by arm; blinded, of all arms together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cytoreg.reports.results import Results, records
from cytoreg.reports.words import counted, number, p_value
from cytoreg.tables import read_table
from cytoreg.tables.schema import SAFETY

__all__ = ["has_safety", "safety_page"]

TITLES = {
    "severity": "By the worst severity of each patient",
    "serious": "Serious events",
    "related": "By relation to treatment, as judged by the investigator",
    "onset after the last infusion": "By when they began after the last infusion",
}


@dataclass(frozen=True)
class Grid:
    """A table of the page. head: the arms' columns after the first; rows: whether it is a heading, and its cells."""

    title: str
    about: str
    head: Sequence[str]
    rows: Sequence[tuple[bool, Sequence[str]]]


def has_safety(folder: Path) -> bool:
    """Whether a run left any safety table."""
    return any((folder / f"{name}.parquet").is_file() for name in SAFETY)


def safety_page(results: Results) -> dict[str, Any]:
    """Everything the template of the safety page needs, as plain data."""
    tables = {name: table for name in SAFETY if (table := read_table(results.folder, name)) is not None}
    tables = {name: table[_sayable(table, results)] for name, table in tables.items()}
    sizes = _sizes(tables)
    grids = [
        *_events(tables, results),
        *_groups(tables, results),
        *_times(tables, results),
        *_liver(tables, results),
        *_grades(tables, results),
        *_shifts(tables, results),
        *_changes(tables, results),
    ]
    return {"summary": _summary(tables, results, sizes), "grids": [grid for grid in grids if grid.rows]}


def _sayable(table: pd.DataFrame, results: Results) -> pd.Series:
    """The rows a blinded page may hold: none whose words, the arm apart, name an arm or a product."""
    words = [
        column for column in table.columns if column != "arm" and not pd.api.types.is_numeric_dtype(table[column])
    ]
    said = (
        table[words].astype(str).agg(" ".join, axis=1)
        if len(table) and words
        else pd.Series("", index=table.index)
    )
    return said.map(results.may_say).astype(bool)


def _summary(tables: Mapping[str, pd.DataFrame], results: Results, sizes: Mapping[str, int]) -> list[str]:
    people = sum(sizes.values())
    said = [f"The safety population has {counted(people, 'patient')}."]
    if not results.blinded and len(sizes) > 1:
        said[0] = said[0][:-1] + ": " + ", ".join(f"{n} in {arm}" for arm, n in sizes.items()) + "."
    events = tables.get("adverse_events")
    if events is not None:
        every = events[(events["soc"] == "") & (events["term"] == "")]
        had, n = int(every["subjects"].sum()), int(every["events"].sum())
        verb = "has" if had == 1 else "have"
        said.append(
            f"{counted(had, 'patient')} {verb} a treatment-emergent adverse event, {counted(n, 'event')} in all."
        )
        groups = tables.get("adverse_event_groups")
        serious = groups[groups["measure"] == "serious"] if groups is not None else events[:0]
        if len(serious):
            had = int(serious["subjects"].sum())
            said.append(
                f"A serious one: {counted(had, 'patient')}." if had else "No serious adverse event is recorded."
            )
        elif groups is not None:
            said.append("No column says which events were serious.")
    return said


def _sizes(tables: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    for name in ("adverse_events", "lab_grades", "liver", "time_to_event"):
        table = tables.get(name)
        if table is not None and len(table):
            return {
                str(arm): int(n) for arm, n in table.drop_duplicates("arm")[["arm", "n"]].itertuples(index=False)
            }
    return {}


def _arms(table: pd.DataFrame) -> list[str]:
    return [str(arm) for arm in dict.fromkeys(table["arm"])]


def _events(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("adverse_events")
    if table is None:
        return []
    about = (
        "Patients with at least one event, percent of the safety population, and events in brackets; a patient counts once a row. "
        "Rate: events per patient-year."
    )
    if not results.blinded:
        about += (
            " The rate's interval is exact for a Poisson count and takes the events of one patient as independent. p: Fisher's exact"
            " test against the control, not adjusted for the number of rows: a low one among many rows is expected by chance."
        )
    grid = _counts(table, ["soc", "term"], results, "Adverse events", about, _event_name, rate=True)
    return [grid]


def _event_name(key: tuple[str, ...]) -> tuple[bool, str]:
    soc, term = key
    return (True, soc or "Any adverse event") if not term else (False, term)


def _groups(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("adverse_event_groups")
    if table is None:
        return []
    return [
        _counts(rows, ["level"], results, TITLES.get(str(measure), str(measure)), "", lambda key: (False, key[0]))
        for measure, rows in table.groupby("measure", sort=False)
        if not (results.blinded and str(measure).startswith("onset"))
    ]


def _liver(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("liver")
    if table is None:
        return []
    about = (
        "Patients above each multiple of the upper limit of normal after baseline. Hy's law: ALT or AST above 3 times, bilirubin "
        "above 2 times within 30 days, ALP below 2 times (FDA guidance 2009). Each such case is to be looked at by a physician."
    )
    return [_counts(table, ["level"], results, "Liver", about, lambda key: (False, key[0]))]


def _grades(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("lab_grades")
    if table is None:
        return []
    seen = table.groupby(["term", "grade"])["subjects"].transform("sum") > 0
    rows = table[seen].rename(columns={"n": "_all", "graded": "n"})
    about = (
        "CTCAE version 5.0, by the worst value after baseline; percent of the patients who have one. Grades that nobody reached "
        "are left out, and those that need a symptom are not given."
    )
    return [_counts(rows, ["term", "grade"], results, "Laboratory values by CTCAE grade", about, _grade_name)]


def _grade_name(key: tuple[str, ...]) -> tuple[bool, str]:
    return False, f"{key[0]}, grade {key[1]}"


def _counts(
    table: pd.DataFrame,
    keys: Sequence[str],
    results: Results,
    title: str,
    about: str,
    name: Any,
    *,
    rate: bool = False,
) -> Grid:
    """Subjects, percent and events of each key, an arm a column; blinded, summed over the arms."""
    rate = rate and "rate" in table.columns and bool(table["rate"].notna().any())
    by = [str(key) for key in keys]
    has_events = "events" in table.columns
    arms = _arms(table)
    head: list[str] = []
    if results.blinded:
        sums = {"subjects": "sum", "n": "sum"} | ({"events": "sum"} if has_events else {})
        sums |= {"patient_years": "sum"} if rate else {}
        table = table.groupby(by, sort=False).agg(sums).reset_index().assign(arm="all")
        table["percent"] = 100 * table["subjects"] / table["n"]
        table["p_value"] = math.nan
        if rate:
            table["rate"] = table["events"] / table["patient_years"].where(table["patient_years"] > 0)
            table["rate_low"] = table["rate_high"] = math.nan
        arms = ["all"]
    tested = bool(table["p_value"].notna().any())
    for arm in arms:
        head.append("All patients" if results.blinded else arm)
        head += [f"Rate, {head[-1]}"] * rate
        head += [f"p, {arm}"] * (tested and bool(table[table["arm"] == arm]["p_value"].notna().any()))
    rows: list[tuple[bool, list[str]]] = []
    for key, group in table.groupby(by, sort=False):
        heading, words = name(tuple(str(part) for part in key))
        cells = [words]
        of_arm = {str(row["arm"]): row for row in records(group)}
        for arm in arms:
            row = of_arm.get(arm)
            cells.append(_cell(row, has_events))
            if rate:
                cells.append(_rate(row))
            if tested and f"p, {arm}" in head:
                cells.append(p_value(row["p_value"]) if row is not None else "")
        rows.append((heading, cells))
    return Grid(title, about, head, rows)


def _cell(row: Mapping[str, Any] | None, events: bool) -> str:
    if row is None or not row["n"]:
        return "none measured"
    if not row["subjects"]:
        return "0"
    said = f"{int(row['subjects'])} ({row['percent']:.1f} %)"
    return f"{said} [{int(row['events'])}]" if events else said


def _rate(row: Mapping[str, Any] | None) -> str:
    if row is None or row["rate"] != row["rate"]:
        return ""
    if row["rate_low"] != row["rate_low"]:
        return f"{row['rate']:.2f}"
    return f"{row['rate']:.2f} ({row['rate_low']:.2f} to {row['rate_high']:.2f})"


def _times(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("time_to_event")
    if table is None or results.blinded:
        return []
    rows = []
    for event, group in table.groupby("event", sort=False):
        for row in records(group):
            low, high = row["median_low"], row["median_high"]
            limits = f"{number(low) if low == low else '?'} to {number(high) if high == high else 'not reached'}"
            median = f"{number(row['median'])} ({limits})" if row["median"] == row["median"] else "not reached"
            cells = [
                str(event),
                str(row["arm"]),
                f"{int(row['events'])} of {int(row['n'])}",
                median,
                p_value(row["p_value"]),
            ]
            rows.append((False, cells))
    about = "Days until the event, Kaplan-Meier; 95 % interval by the log transform; log-rank test against the control."
    return [Grid("Time to events", about, ["Arm", "With the event", "Median, days", "p"], rows)]


def _shifts(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("lab_shifts")
    if table is None or not len(table):
        return []
    keys = ["test", "baseline", "after"]
    seen = table[table.groupby(keys)["subjects"].transform("sum") > 0]
    about = "From the range at baseline to the worst range after it; percent of the patients of that baseline."
    if not results.blinded:
        about += " p: Cochran-Mantel-Haenszel test of general association of arm and range, given the range at baseline."
    seen = seen.assign(_p=seen["p_value"], p_value=math.nan)
    grid = _counts(seen, keys, results, "Laboratory values against their reference range", about, _shift_name)
    if results.blinded:
        return [grid]
    by_test = {str(row["test"]): float(row["_p"]) for row in records(seen)}
    rows: list[tuple[bool, Sequence[str]]] = []
    told: set[str] = set()
    for (heading, cells), key in zip(
        grid.rows, dict.fromkeys(zip(*(seen[k] for k in keys), strict=True)), strict=True
    ):
        rows.append((heading, [*cells, "" if key[0] in told else p_value(by_test[str(key[0])])]))
        told.add(key[0])
    return [Grid(grid.title, grid.about, [*grid.head, "p"], rows)]


def _shift_name(key: tuple[str, ...]) -> tuple[bool, str]:
    return False, f"{key[0]}: {key[1]} to {key[2]}"


def _changes(tables: Mapping[str, pd.DataFrame], results: Results) -> list[Grid]:
    table = tables.get("labs")
    if table is None or results.blinded:
        return []
    rows = []
    for row in records(table):
        value = f"{number(row['mean'])} ({number(row['sd'])})" if row["sd"] == row["sd"] else number(row["mean"])
        change = ""
        if row["change_n"] and row["change"] == row["change"]:
            change = number(row["change"])
            if row["change_low"] == row["change_low"]:
                change += f" ({number(row['change_low'])} to {number(row['change_high'])})"
        unit = f" ({row['unit']})" if row["unit"] else ""
        rows.append((False, [f"{row['test']}{unit}", row["visit"], row["arm"], str(int(row["n"])), value, change]))
    about = "Mean and SD, and the mean change from each patient's baseline with its 95 % interval."
    return [Grid("Laboratory values by visit", about, ["Visit", "Arm", "n", "Mean (SD)", "Change"], rows)]
