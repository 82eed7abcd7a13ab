"""Adverse events by body system, preferred term and arm: subjects, percent, events, Fisher's exact test.

A subject counts once in each row, however many events they had (ICH E3, section 12.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from cytoreg.clinical.safety.columns import SEVERITIES
from cytoreg.clinical.safety.population import NOT_GIVEN, Population, emergent_events, population_of

__all__ = ["adverse_events", "count_by", "event_groups", "fisher"]

# The usual words of causality (WHO-UMC and their like), least first; others come before them, as they are.
RELATIONS = {
    word: rank
    for rank, words in enumerate(
        (
            ("NONE", "NOT RELATED", "UNRELATED", "NO", "N"),
            ("UNLIKELY", "REMOTE", "UNLIKELY RELATED"),
            ("POSSIBLE", "POSSIBLY RELATED"),
            ("PROBABLE", "PROBABLY RELATED", "RELATED", "YES", "Y"),
            ("DEFINITE", "CERTAIN", "DEFINITELY RELATED"),
        ),
        start=1,
    )
    for word in words
}


def adverse_events(events: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """Treatment-emergent adverse events of the safety population, a row per body system, term and arm.

    events: subject_id, term, and soc, treatment_emergent, ..., or the columns of ADAE. subjects: subject_id,
    arm and, where some are not, who is of the safety population; or ADSL. An empty term is the whole body
    system; both empty, any event.

    Gives soc, term, arm, subjects (with at least one event), percent (of the arm's safety population), events,
    p_value (Fisher's exact, two-sided, against `control`; NaN for the control itself, without a control, and
    where neither of the two arms has an event), n (the arm's safety population).

    >>> subjects = pd.DataFrame({"subject_id": list("abcd"), "arm": ["A", "A", "B", "B"]})
    >>> events = pd.DataFrame({"subject_id": ["a", "a"], "soc": ["Skin", "Skin"], "term": ["Rash", "Itch"]})
    >>> adverse_events(events, subjects, control="B").loc[1, ["arm", "subjects", "events"]].tolist()
    ['A', 1, 2]
    """
    population = population_of(subjects, control)
    return count_events(emergent_events(events, population)[0], population)


def count_events(table: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from events and population already prepared."""
    every = count_by(table.assign(soc="", term=""), ["soc", "term"], population, levels=[("", "")])
    systems = count_by(table.assign(term=""), ["soc", "term"], population)
    terms = count_by(table, ["soc", "term"], population)
    found = pd.concat([every, systems, terms], ignore_index=True)
    most = found.groupby(["soc", "term"])["subjects"].transform("sum").where(found["term"] != "", math.inf)
    place = found["arm"].map({arm: index for index, arm in enumerate(population.arms)})
    order = found.assign(_most=-most, _arm=place).sort_values(["soc", "_most", "term", "_arm"], kind="stable")
    return order.drop(columns=["_most", "_arm"]).reset_index(drop=True)


def event_groups(events: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """Subjects and events by severity, seriousness and relation: measure, level, arm, subjects, percent, events,
    p_value, n.

    severity: a subject counts at the worst severity they had (its events are those of that severity).
    serious: those with a serious event, where a column says which are. related: each word the table uses; a subject counts in each.
    """
    population = population_of(subjects, control)
    return group_events(emergent_events(events, population)[0], population)


def group_events(table: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from events and population already prepared."""
    parts = []
    if (table["severity"] != "").any():
        words = table["severity"].str.upper()
        rank = words.map(SEVERITIES).fillna(0)
        worst = rank.groupby(table["subject_id"]).transform("max")
        graded = table.assign(level=words.replace("", NOT_GIVEN), rank=rank)
        at_worst = count_by(graded[rank == worst], ["level"], population)
        counts = count_by(graded, ["level"], population)  # events of that severity, of whomever
        at_worst = at_worst.drop(columns="events").merge(
            counts[["level", "arm", "events"]], on=["level", "arm"], how="right"
        )
        at_worst = _filled(at_worst, population)
        at_worst["_rank"] = at_worst["level"].map(SEVERITIES).fillna(0)
        at_worst = at_worst.sort_values("_rank", kind="stable").drop(columns="_rank")
        parts.append(at_worst.assign(measure="severity"))
    if table["serious"].notna().all():
        events_of_it = table[table["serious"].astype(bool)].assign(level="serious")
        serious = count_by(events_of_it, ["level"], population, levels=[("serious",)])
        parts.append(serious.assign(measure="serious"))
    if (table["related"] != "").any():
        words = table["related"].str.upper().replace("", NOT_GIVEN)
        levels = sorted(set(words), key=lambda word: (RELATIONS.get(word, 0), word == NOT_GIVEN, word))
        counts = count_by(table.assign(level=words), ["level"], population, levels=[(level,) for level in levels])
        parts.append(counts.assign(measure="related"))
    columns = ["measure", "level", "arm", "subjects", "percent", "events", "p_value", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def count_by(
    table: pd.DataFrame, by: Sequence[str], population: Population, levels: Sequence[tuple[str, ...]] | None = None
) -> pd.DataFrame:
    """Subjects and events of each level in each arm, zeros among them, with percent and Fisher's p."""
    keys = list(by)
    found = table.groupby([*keys, "arm"], sort=False)["subject_id"].agg(["nunique", "size"])
    wanted = levels if levels is not None else list(dict.fromkeys(table[keys].itertuples(index=False, name=None)))
    index = pd.MultiIndex.from_tuples(
        [(*level, arm) for level in wanted for arm in population.arms], names=[*keys, "arm"]
    )
    counts = found.reindex(index, fill_value=0).reset_index()
    counts = counts.rename(columns={"nunique": "subjects", "size": "events"})
    counts = _filled(counts, population)
    return counts[[*keys, "arm", "subjects", "percent", "events", "p_value", "n"]]


def fisher(subjects: int, n: int, control_subjects: int, control_n: int) -> float:
    """Fisher's exact test, two-sided, of subjects with an event in two arms; NaN where neither has one."""
    if subjects + control_subjects == 0 or not n or not control_n:
        return math.nan
    return _fisher(subjects, n - subjects, control_subjects, control_n - control_subjects)


@lru_cache(maxsize=4096)
def _fisher(a: int, b: int, c: int, d: int) -> float:
    from scipy.stats import fisher_exact

    return float(fisher_exact([[a, b], [c, d]])[1])


def _filled(counts: pd.DataFrame, population: Population) -> pd.DataFrame:
    """Counts with n, percent and p_value; `counts` holds every arm for each level."""
    filled = counts.copy()
    filled["subjects"] = filled["subjects"].fillna(0).astype(int)
    filled["events"] = filled["events"].fillna(0).astype(int)
    filled["n"] = filled["arm"].map(population.sizes).astype(int)
    filled["percent"] = 100.0 * filled["subjects"] / filled["n"]
    p_value = [math.nan] * len(filled)
    if population.control is not None:
        keys = [c for c in filled.columns if c in {"soc", "term", "level", "measure"}]
        rows = list(filled[[*keys, "arm"]].itertuples(index=False, name=None))
        base = {
            row[:-1]: int(subjects)
            for row, subjects in zip(rows, filled["subjects"], strict=True)
            if row[-1] == population.control
        }
        control_n = population.sizes[population.control]
        p_value = [
            math.nan if row[-1] == population.control else fisher(int(subjects), int(n), base[row[:-1]], control_n)
            for row, subjects, n in zip(rows, filled["subjects"], filled["n"], strict=True)
        ]
    filled["p_value"] = p_value
    return filled
