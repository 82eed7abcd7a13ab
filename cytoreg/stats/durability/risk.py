"""From visits to risk: when each response began, when it was lost, and what was known before each interval.

Time zero is the first visit after baseline with a response. It is lost at the first of two failures in a row. A failure
that no later visit could confirm, since there was none or another infusion came first, is kept apart as unconfirmed.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.stats.values import Data

__all__ = ["KEPT", "LOST", "REINFUSED", "UNCONFIRMED", "Risk", "risk_intervals"]

KEPT, LOST, REINFUSED, UNCONFIRMED = 0, 1, 2, 3
INFUSIONS = "infusions_so_far"
SINCE = "days_since_infusion"
COLUMNS = (
    "subject",
    "arm",
    "first_visit",
    "start",
    "stop",
    "end",
    "failing",
    "value",
    "start_visit",
    "stop_visit",
)


@dataclass(frozen=True, eq=False)
class Risk:
    """Intervals between visits at which a response was at risk, and who is not among them.

    table: a row an interval: subject, arm, first_visit (of the response), start and stop (days since the first
    response), end (KEPT, LOST, REINFUSED, UNCONFIRMED), failing (at the visit it starts from: a failure that was not
    confirmed), value (of the covariate, at the last visit on or before the interval's start, so strictly before
    the interval), start_visit and stop_visit (their places in the order of visits; half-way for an infusion between them; who missed a visit
    is not at risk at it, the value known then being older than that of the others).
    responders: subjects with a response. once: those never seen again after it, or infused again that
    day. carried: intervals whose value comes from an earlier visit than the one they start from.
    """

    table: pd.DataFrame
    responders: int
    once: int
    carried: int
    bracketed: bool


def risk_intervals(data: Data, outcome: str, value: pd.Series | None) -> Risk:
    """The intervals of all subjects. value: by index label of the linked table.

    An infusion is on the day that the column `days_since_infusion` gives; without it, one counted by
    `infusions_so_far` between two visits is put on the day of the earlier, from which on it may have been given.
    """
    linked = data.linked
    answer = _answers(data, outcome)
    start = data.rows_at("baseline", "outcome")
    baseline_day = linked["day"].reindex(start.to_numpy()).astype(float).to_numpy()
    first_day = dict(zip(start.index, baseline_day, strict=True))
    exact = SINCE in linked.columns
    frame = pd.DataFrame(
        {
            "subject": linked["subject_id"].astype(str),
            "visit": linked["visit"].astype(str),
            "place": linked["visit"].astype(str).map({name: float(i) for i, name in enumerate(data.visits())}),
            "arm": data.arms(),
            "day": linked["day"].astype(float),
            "answer": answer,
            "value": np.nan if value is None else value.astype(float),
            "so_far": linked[INFUSIONS].astype(float) if INFUSIONS in linked.columns else 0.0,
            "infused": linked["day"].to_numpy(float) - linked[SINCE].to_numpy(float) if exact else np.nan,
        }
    ).dropna(subset=["day"])
    frame = frame.sort_values(["subject", "day"], kind="stable").drop_duplicates(["subject", "day"])
    rows: list[tuple[Any, ...]] = []
    responders = once = carried = 0
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    owners = columns["subject"]
    edges = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1], True]) if len(owners) else np.array([0])
    for low, high in itertools.pairwise(edges.tolist()):
        own = {name: column[low:high] for name, column in columns.items()}
        after = own["day"] > first_day.get(str(own["subject"][0]), np.nan)
        met = np.flatnonzero(after & (own["answer"] == 1))
        if not len(met):
            continue
        responders += 1
        made, late = _of_one(own, int(met[0]), exact)
        once += not made
        carried += late
        rows += made
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Risk(table, responders, once, carried, not exact and bool((frame["so_far"] > 1).any()))


def _answers(data: Data, outcome: str) -> pd.Series:
    answer = data.column(outcome, "outcome")
    odd = answer[answer.notna() & ~answer.isin([0, 1])]
    if len(odd):
        place = data.read.where(data.analysis, "outcome")
        raise AnalysisError(f"{place}: '{outcome}' holds {odd.iloc[0]:g}, expected yes or no (1 or 0)")
    return answer


def _of_one(own: Mapping[str, Any], first: int, exact: bool) -> tuple[list[tuple[Any, ...]], int]:
    """The intervals of one subject, and how many of them carry a value forward."""
    days, answers, places = own["day"], own["answer"], own["place"]
    again = _reinfused_on(own, first, exact)
    seen = [j for j in range(first, len(days)) if answers[j] == answers[j]]
    origin, rows, late = days[first], [], 0
    head = (own["subject"][first], own["arm"][first], own["visit"][first])
    known = np.flatnonzero(own["value"] == own["value"])
    for place in range(1, len(seen)):
        before, now = seen[place - 1], seen[place]
        usable = known[known <= before]
        late += bool(len(usable)) and usable[-1] != before
        value = own["value"][usable[-1]] if len(usable) else np.nan
        failing = bool(answers[before] == 0)
        if again < days[now]:
            if again > days[before]:
                rows.append(
                    (
                        *head,
                        days[before] - origin,
                        again - origin,
                        REINFUSED,
                        failing,
                        value,
                        places[before],
                        places[before] + 0.5,
                    )
                )
            elif rows:  # on the day of the visit, after the blood was drawn
                rows[-1] = (*rows[-1][:5], REINFUSED, *rows[-1][6:])
            return rows, late
        end = KEPT
        if answers[now] == 0:
            next_one = seen[place + 1] if place + 1 < len(seen) else None
            if next_one is None or again < days[next_one]:
                end = UNCONFIRMED
            elif answers[next_one] == 0:
                end = LOST
        rows.append(
            (
                *head,
                days[before] - origin,
                days[now] - origin,
                end,
                failing,
                value,
                max(places[before], places[now] - 0.75),
                max(places[now], places[before] + 0.5),
            )  # also where a visit came out of order
        )
        if end != KEPT:
            return rows, late
    if rows and again - origin == rows[-1][4]:  # on the day of the last visit with an answer
        rows[-1] = (*rows[-1][:5], REINFUSED, *rows[-1][6:])
    return rows, late


def _reinfused_on(own: Mapping[str, Any], first: int, exact: bool) -> float:
    """The day of the first infusion on or after the first response; infinite where there is none."""
    days = own["day"]
    if exact:
        later = own["infused"][own["infused"] >= days[first]]
        return float(later.min()) if len(later) else np.inf
    so_far = pd.Series(own["so_far"]).ffill().fillna(0.0).to_numpy()
    more = np.flatnonzero(so_far[first + 1 :] > so_far[first])
    return float(days[first + int(more[0])]) if len(more) else np.inf
