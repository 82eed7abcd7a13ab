"""Laboratory values as a checked table with each subject's baseline, and their change by test, visit and arm."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.columns import LABS, number, our_columns, truths
from cytoreg.clinical.safety.population import Population, population_of
from cytoreg.clinical.timeline import natural_key
from cytoreg.errors import LinkError

__all__ = ["lab_changes", "read_labs"]

# other specimens make other tests
BLOOD = ("", "blood", "serum", "plasma", "whole blood", "serum or plasma", "venous blood")
EARLY = ("baseline", "screening")


def read_labs(labs: pd.DataFrame, population: Population) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The population's laboratory values, and notes on what is not counted.

    Takes subject_id, test, value and visit or day, with unit, low and high (the reference range) and
    is_baseline where they are there, and specimen (a test of urine is another test); or an ADaM table (PARAMCD,
    AVAL, AVISIT, ADY, A1LO, A1HI, ABLFL), whose derived records (PARAMTYP) are left out.

    Gives subject_id, arm, test, visit, visit_number, day, value, unit, low, high, is_baseline (the one row a
    subject and test: flagged, else the last on or before day 0, else the visit named baseline or screening),
    after (a row later than that), base (the value of the baseline), base_range, range (low, normal, high, or
    empty where it is not known). A value `<2.5` counts as 2.5.
    """
    table = our_columns(labs, LABS, "labs", ("subject_id", "test", "value"))
    notes: list[str] = []
    if "kind" in table.columns:
        table = table[table["kind"] == ""]
    for column, empty in (("visit", ""), ("unit", ""), ("day", math.nan), ("visit_number", math.nan)):
        if column not in table.columns:
            table = table.assign(**{column: empty})
    for column in ("low", "high"):
        if column not in table.columns:
            table = table.assign(**{column: math.nan})
    known = table["subject_id"].isin(population.arm.index)
    if not known.all():
        notes.append(
            f"labs: {int((~known).sum())} of {len(table)} are of subjects who are not of the safety population"
        )
    table = table[known].reset_index(drop=True)
    read = [number(cell) for cell in table["value"]]
    table["value"] = np.array([value for value, _ in read], dtype=float)
    missing, censored = int(table["value"].isna().sum()), sum(bool(sign) for _, sign in read)
    if missing:
        notes.append(f"labs: {missing} of {len(table)} values are missing or no numbers and are not counted")
    if censored:
        notes.append(f"labs: {censored} values below or above a limit (<, >) count as that limit")
    table = table[table["value"].notna()].reset_index(drop=True)
    table["test"] = table["test"].str.strip()
    if "specimen" in table.columns:
        specimen = table["specimen"].str.strip()
        table["test"] += (" (" + specimen.str.lower() + ")").where(~specimen.str.lower().isin(BLOOD), "")
    table["arm"] = table["subject_id"].map(population.arm)
    table["range"] = range_of(table)
    return _with_baseline(table, notes), tuple(notes)


def range_of(table: pd.DataFrame) -> np.ndarray:
    """low, normal or high by the row's own reference range; empty where it has none."""
    value, low, high = (table[column].to_numpy(float) for column in ("value", "low", "high"))
    none = np.isnan(low) & np.isnan(high)
    return np.select([none, value < low, value > high], ["", "low", "high"], default="normal").astype(object)


def lab_changes(labs: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """Values and changes from baseline by test, visit and arm.

    Gives test, unit, visit, arm, n, mean, sd, median, minimum, maximum, change_n, change, change_sd,
    change_low, change_high (95 % t interval of the mean change). Raises LinkError where one test has two units.
    """
    population = population_of(subjects, control)
    return changes_of(read_labs(labs, population)[0], population)


def changes_of(table: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from labs already read; the last of two values of a subject at a visit counts."""
    one_unit(table)
    table = table.drop_duplicates(["subject_id", "test", "visit"], keep="last")
    table = table.assign(change=np.where(table["after"], table["value"] - table["base"], np.nan))
    groups = table.groupby(["test", "visit", "arm"], sort=False)
    found = groups.agg(
        unit=("unit", "first"),
        n=("value", "size"),
        mean=("value", "mean"),
        sd=("value", "std"),
        median=("value", "median"),
        minimum=("value", "min"),
        maximum=("value", "max"),
        change_n=("change", "count"),
        change=("change", "mean"),
        change_sd=("change", "std"),
        _number=("visit_number", "median"),
        _day=("day", "median"),
    ).reset_index()
    if not len(found):
        return found.drop(columns=["_number", "_day"]).assign(change_low=[], change_high=[])
    from scipy.stats import t

    n = found["change_n"].to_numpy(dtype=float)
    half = t.ppf(0.975, np.maximum(n - 1, 1)) * found["change_sd"] / np.sqrt(np.maximum(n, 1))
    found["change_low"], found["change_high"] = found["change"] - half, found["change"] + half
    times = found.groupby("visit")[["_number", "_day"]].median().fillna(0.0)
    when = dict(zip(times.index, zip(times["_number"], times["_day"], strict=True), strict=True))
    order = sorted(when, key=lambda visit: (when[visit], natural_key(str(visit))))
    found["_visit"] = found["visit"].map({visit: place for place, visit in enumerate(order)})
    found["_arm"] = found["arm"].map({arm: place for place, arm in enumerate(population.arms)})
    found = found.sort_values(["test", "_visit", "_arm"], kind="stable").drop(
        columns=["_number", "_day", "_visit", "_arm"]
    )
    return found.reset_index(drop=True)


def one_unit(table: pd.DataFrame) -> None:
    """Raise LinkError where the values of one test come in two units."""
    for test, units in table[table["unit"] != ""].groupby("test")["unit"].unique().items():
        if len(set(map(str.casefold, units))) > 1:
            found = " and ".join(sorted(units))
            raise LinkError(f"labs, test {test}: found values in {found}, expected one unit a test")


def _with_baseline(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """The table with is_baseline, after, base and base_range."""
    keys = ["subject_id", "test"]
    if "is_baseline" in table.columns and (table["is_baseline"] != "").any():
        flagged = truths(table["is_baseline"], "labs, column is_baseline")
    else:
        flagged = pd.Series(False, index=table.index)
        early = table[table["day"] <= 0].sort_values("day", kind="stable")
        flagged.loc[early.drop_duplicates(keys, keep="last").index] = True
        has = pd.Series(list(zip(table["subject_id"], table["test"], strict=True)), index=table.index)
        done = set(has[flagged])
        for name in EARLY:
            named = table[(table["visit"].str.casefold() == name) & table["day"].isna()]
            fresh = named[~has[named.index].isin(done)].drop_duplicates(keys, keep="last")
            flagged.loc[fresh.index] = True
            done |= set(has[fresh.index])
    table = table.assign(is_baseline=flagged.to_numpy(dtype=bool))
    base = table[table["is_baseline"]].drop_duplicates(keys, keep="last")
    table.loc[table["is_baseline"] & ~table.index.isin(base.index), "is_baseline"] = False
    facts = base[[*keys, "value", "range", "high", "day", "visit_number"]].rename(
        columns={
            "value": "base",
            "range": "base_range",
            "high": "base_high",
            "day": "_day",
            "visit_number": "_number",
        }
    )
    row = pd.Series(base.index, index=pd.MultiIndex.from_frame(base[keys]))
    table = table.merge(facts, on=keys, how="left")
    table["base_range"] = table["base_range"].fillna("")
    starts = pd.Series(row.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy(dtype=float), index=table.index)
    by_day = table["day"] > table["_day"]
    by_number = table["visit_number"] > table["_number"]
    by_row = table.index > starts
    no_day, no_number = (
        table["day"].isna() | table["_day"].isna(),
        table["visit_number"].isna() | table["_number"].isna(),
    )
    later = np.where(~no_number, by_number, np.where(~no_day, by_day, by_row))
    without = starts.isna()
    later = np.where(
        without, (table["day"] > 0) | (table["day"].isna() & ~table["visit"].str.casefold().isin(EARLY)), later
    )
    table["after"] = later & ~table["is_baseline"].to_numpy()
    alone = table.loc[without, keys].drop_duplicates()
    if len(alone):
        notes.append(
            f"labs: {len(alone)} pairs of subject and test have no baseline value, so no change and no shift"
        )
    return table.drop(columns=["_day", "_number"])
