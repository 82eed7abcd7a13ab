"""Hy's law: transaminases and bilirubin together above multiples of their upper limit of normal.

FDA, Guidance for Industry, Drug-Induced Liver Injury: Premarketing Clinical Evaluation, 2009: ALT or AST above 3
times the upper limit, total bilirubin above 2 times, no initial sign of cholestasis (ALP below 2 times).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.adverse_events import count_by
from cytoreg.clinical.safety.ctcae import canonical
from cytoreg.clinical.safety.labs import read_labs
from cytoreg.clinical.safety.population import Population, population_of
from cytoreg.clinical.safety.shift import shifts_of

__all__ = ["hys_law", "hys_law_shifts"]

WITHIN_DAYS = 30.0
NOT_CHOLESTATIC = 2.0
CANDIDATE = "Hy's law"
NO_DAY = -1e9


def hys_law(
    labs: pd.DataFrame,
    subjects: pd.DataFrame,
    control: str | None = None,
    *,
    transaminase: float = 3,
    bilirubin: float = 2,
) -> pd.DataFrame:
    """Subjects above each limit after baseline: level (the criterion), arm, subjects, percent, p_value, n.

    The last level is Hy's law: ALT or AST above `transaminase` times its upper limit and, at the same visit or
    from then to 30 days later, bilirubin above `bilirubin` times its own, without ALP of twice its upper limit
    or more at the visit of the transaminase; it says so where no ALP was measured at all. Percent is of the arm's
    safety population.
    """
    population = population_of(subjects, control)
    return liver_cases(read_labs(labs, population)[0], population, transaminase, bilirubin)


def liver_cases(
    table: pd.DataFrame, population: Population, transaminase: float = 3, bilirubin: float = 2
) -> pd.DataFrame:
    """The same from labs already read."""
    ratios = _ratios(table[table["after"]])
    raised = ratios[ratios["transaminase"] > transaminase]
    yellow = ratios[ratios["bilirubin"] > bilirubin]
    both = raised.merge(yellow[["subject_id", "visit", "day"]], on="subject_id", suffixes=("", "_bilirubin"))
    apart = both["day_bilirubin"] - both["day"]
    near = (both["visit"] == both["visit_bilirubin"]) & (both["visit"] != "") | apart.between(0, WITHIN_DAYS)
    cases = both[near & ~(both["alp"] >= NOT_CHOLESTATIC)]
    with_alp = both[near]
    found = {
        f"ALT or AST > {transaminase:g} x ULN": raised,
        **{f"ALT or AST > {limit} x ULN": ratios[ratios["transaminase"] > limit] for limit in (5, 10, 20)},
        f"bilirubin > {bilirubin:g} x ULN": yellow,
        f"ALT or AST > {transaminase:g} and bilirubin > {bilirubin:g} x ULN": with_alp,
        CANDIDATE if ratios["alp"].notna().any() else f"{CANDIDATE}, ALP not measured": cases,
    }
    rows = [frame[["subject_id"]].drop_duplicates().assign(level=level) for level, frame in found.items()]
    counted = pd.concat(rows, ignore_index=True)
    counted["arm"] = counted["subject_id"].map(population.arm)
    counts = count_by(counted, ["level"], population, levels=[(level,) for level in found])
    return counts.drop(columns="events")


def hys_law_shifts(
    labs: pd.DataFrame,
    subjects: pd.DataFrame,
    control: str | None = None,
    *,
    transaminase: float = 1.5,
    bilirubin: float = 1.5,
) -> pd.DataFrame:
    """Shifts of three criteria from baseline to any later visit, normal or high: ALT or AST, bilirubin, and both
    at one visit above their multiple of the upper limit; columns as `shift_table` gives them.

    Modified limits of 1.5 show a shift long before Hy's law is met.
    """
    population = population_of(subjects, control)
    return liver_shifts(read_labs(labs, population)[0], population, transaminase, bilirubin)


def liver_shifts(
    table: pd.DataFrame, population: Population, transaminase: float = 1.5, bilirubin: float = 1.5
) -> pd.DataFrame:
    """The same from labs already read."""
    ratios = _ratios(table)
    criteria = {
        f"ALT or AST > {transaminase:g} x ULN": (ratios["transaminase"], transaminase),
        f"bilirubin > {bilirubin:g} x ULN": (ratios["bilirubin"], bilirubin),
    }
    flags = {name: np.where(ratio.isna(), np.nan, ratio > limit) for name, (ratio, limit) in criteria.items()}
    one, other = flags.values()
    neither = (one == 0) | (other == 0)  # one that is normal decides, whatever the other is
    flags["both at one visit"] = np.where(neither, 0.0, one * other)
    parts = []
    for name, flag in flags.items():
        marked = ratios.assign(flag=flag).dropna(subset="flag")
        start = marked[marked["is_baseline"]].groupby("subject_id")["flag"].max()
        later = marked[marked["after"]].groupby("subject_id")["flag"].max()
        each = pd.DataFrame({"baseline": start, "after": later}).dropna().reset_index()
        each["arm"] = each["subject_id"].map(population.arm)
        for column in ("baseline", "after"):
            each[column] = np.where(each[column] > 0, "high", "normal")
        parts.append(shifts_of(each.assign(test=name), population, ("normal", "high")))
    return pd.concat(parts, ignore_index=True)


def _ratios(table: pd.DataFrame) -> pd.DataFrame:
    """A row a subject, visit and day with the highest of ALT and AST, and bilirubin and ALP, over their limits."""
    liver = table.assign(test=[canonical(test) for test in table["test"]], ratio=table["value"] / table["high"])
    liver = liver[liver["test"].isin(["ALT", "AST", "BILI", "ALP"])]
    keys = ["subject_id", "visit", "day"]
    liver["day"] = liver["day"].fillna(NO_DAY)  # a missing key would drop the row
    wide = liver.pivot_table(index=keys, columns="test", values="ratio", aggfunc="max")
    marks = liver.groupby(keys)[["is_baseline", "after"]].any()
    wide = wide.reindex(columns=["ALT", "AST", "BILI", "ALP"]).join(marks).reset_index()
    wide["day"] = wide["day"].where(wide["day"] > NO_DAY)
    wide["transaminase"] = wide[["ALT", "AST"]].max(axis=1)
    return wide.rename(columns={"BILI": "bilirubin", "ALP": "alp"})
