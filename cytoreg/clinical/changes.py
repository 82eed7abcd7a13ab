"""What a linked table says of time: change from baseline, change since the latest infusion, and exposure so far.

Blood is drawn before an infusion of the same day, as everywhere in this package: such an infusion is not behind the visit yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.tables.columns import CENSORED
from cytoreg.clinical.tables.names import HAQ_AIDS, HAQ_ANSWERS
from cytoreg.clinical.timeline import baseline_rows

__all__ = ["CHANGE", "SINCE", "add_changes"]

CHANGE = " change"
SINCE = " since infusion"
BASE = " base"
NOT_MEASURED = frozenset(
    {
        *("day", "first_infusion_day", "randomised_day", "infusions_so_far", "dose_so_far", "days_since_infusion"),
        *("age", "disease_duration", "AVISITN", "VISITNUM", "acr_n", "schema_version"),
        *HAQ_ANSWERS,
        *HAQ_AIDS,
    }
)
PARTS = (" count", " of", " ci_low", " ci_high", "_unit", CENSORED, BASE, CHANGE, SINCE)


def add_changes(
    table: pd.DataFrame, infusions: pd.DataFrame | None, baseline: Mapping[str, Any], notes: list[str]
) -> pd.DataFrame:
    """The table with, of each value that is measured more than once in a subject, its changes; and exposure.

    `NAME change`: the value less that of the subject's baseline row (`baseline_rows` by the rule `baseline`); empty at
    baseline and before it. `NAME since infusion`: the value less that of the last row on or before the latest infusion that the
    visit has behind it; empty before the first. Percentages change in percentage points. Where either value is censored, there
    is no change. `dose_so_far` (of `dose_cells`) and `days_since_infusion` count infusions on days before the visit's.
    """
    table = table.copy()
    latest = _exposure(table, infusions)
    values = [name for name in table.columns if _is_measured(table, str(name))]
    start = baseline_rows(table, **baseline)
    first = table["subject_id"].map(start)
    pairs = {CHANGE: _after(table, first), SINCE: _before_latest(table, latest)}
    further: dict[str, Any] = {}
    for name in values:
        number: Any = table[name].astype("Float64").astype(float)
        if f"{name}{CENSORED}" in table.columns:
            number = number.where(table[f"{name}{CENSORED}"] == "")
        for suffix, partner in pairs.items():
            if f"{name}{suffix}" not in table.columns and partner.notna().any():
                earlier = partner.map(number, na_action="ignore").astype(float)
                further[f"{name}{suffix}"] = number - earlier
    _compare_bases(table, first, notes)
    return pd.concat([table, pd.DataFrame(further, index=table.index)], axis=1) if further else table


def _is_measured(table: pd.DataFrame, name: str) -> bool:
    """Whether a column is a number that differs between the visits of some subject."""
    if name in NOT_MEASURED or name.endswith(PARTS):
        return False
    values = table[name]
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return False
    spread = values.groupby(table["subject_id"]).agg(["min", "max"])
    return bool((spread["min"] < spread["max"]).any())


def _after(table: pd.DataFrame, first: pd.Series) -> pd.Series:
    """Each row's baseline row where it lies after it, by day or, without days, by its place in the table's order of visits."""
    own = pd.Series(table.index, index=table.index)
    later = first.notna() & (first != own)
    days = table["day"]
    if days.notna().any():
        start = first.map(days, na_action="ignore").astype(float)
        later &= ~(days <= start)
    else:
        later &= own > first.astype(float)
    return first.where(later)


def _exposure(table: pd.DataFrame, infusions: pd.DataFrame | None) -> pd.Series:
    """Adds what a visit has behind it of infusions; returns the day of the latest, NaN where there is none."""
    latest = pd.Series(np.nan, index=table.index)
    if infusions is None:
        return latest
    has_dose = "dose_cells" in infusions.columns
    given = {
        str(who): rows.sort_values("day") for who, rows in infusions.dropna(subset="day").groupby("subject_id")
    }
    behind, doses = np.full(len(table), np.nan), np.full(len(table), np.nan)
    days = table["day"].to_numpy(float)
    for who, at in table.groupby("subject_id", sort=False).indices.items():
        own = given.get(str(who))
        known = at[~np.isnan(days[at])]
        if own is None:
            doses[known] = 0.0
            continue
        number = np.searchsorted(own["day"].to_numpy(float), days[known], side="left")  # infusions on days before
        behind[known] = np.concatenate([[np.nan], own["day"].to_numpy(float)])[number]
        if has_dose:
            doses[known] = np.concatenate([[0.0], np.cumsum(own["dose_cells"].to_numpy(float))])[number]
    latest[:] = behind
    if has_dose and "dose_so_far" not in table.columns:
        table["dose_so_far"] = doses
    if "days_since_infusion" not in table.columns:
        table["days_since_infusion"] = table["day"] - latest
    return latest


def _before_latest(table: pd.DataFrame, latest: pd.Series) -> pd.Series:
    """Each row's last row of the same subject on or before the latest infusion behind it."""
    if latest.isna().all():
        return pd.Series(np.nan, index=table.index, dtype=object)
    days, given = table["day"].to_numpy(float), latest.to_numpy(float)
    found: list[Any] = [np.nan] * len(table)
    for at in table.groupby("subject_id", sort=False).indices.values():
        for row in at[~np.isnan(given[at])]:
            before = at[days[at] <= given[row]]
            if len(before):
                found[row] = table.index[before[np.argmax(days[before])]]
    return pd.Series(found, index=table.index, dtype=object)


def _compare_bases(table: pd.DataFrame, first: pd.Series, notes: list[str]) -> None:
    """A note where a baseline that the table itself states (ADaM's BASE) is not the one of our rule."""
    for column in [str(name) for name in table.columns if str(name).endswith(BASE)]:
        name = column.removesuffix(BASE)
        if name not in table.columns or not all(pd.api.types.is_numeric_dtype(table[c]) for c in (name, column)):
            continue
        ours = first.map(table[name], na_action="ignore").astype(float)
        both = ours.notna() & table[column].notna()
        away = both & ~np.isclose(ours, table[column].astype(float))
        if away.any():
            notes.append(
                f"{name}: in {int(away.sum())} of {int(both.sum())} rows the table's own baseline (BASE) is another value than"
                " that of the baseline visit; changes are from the baseline visit"
            )
