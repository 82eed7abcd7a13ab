"""Time to a first event by arm: Kaplan-Meier median and its interval, log-rank test (statsmodels)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.columns import TIMES, our_columns
from cytoreg.clinical.safety.population import DAYS_IN_YEAR, Population, emergent_events, population_of
from cytoreg.clinical.timeline import natural_key
from cytoreg.errors import LinkError, suggest

__all__ = ["survival_by_arm", "time_to_event", "time_to_first_event"]

ROUNDING = 1e-9


def survival_by_arm(time: Any, event: Any, arm: Any, control: str | None = None) -> pd.DataFrame:
    """Kaplan-Meier by arm: arm, n, events, median, median_low, median_high, p_value, p_all.

    time: days until the event or the end of being watched, shape (n,). event: whether it happened. arm: shape
    (n,). The median is the first time at which the curve is at or below a half (midway to the next event where
    it rests on a half), its interval by the log transform of the curve (Collett, Modelling Survival Data);
    NaN where the curve or its limit does not come down to it. p_value: log-rank test against `control`; p_all:
    log-rank test of all arms.
    """
    frame = pd.DataFrame({"time": np.asarray(time, float), "event": np.asarray(event, float), "arm": list(arm)})
    frame = frame[frame["time"].notna() & frame["event"].notna()]
    arms = sorted(set(frame["arm"]), key=lambda name: (name != control, natural_key(str(name))))
    if control is not None and control not in arms:
        raise LinkError(f"control: found '{control}', which is no arm; {suggest(control, arms)}")
    p_all = _log_rank(frame) if len(arms) > 1 else math.nan
    rows = []
    for name in arms:
        mine = frame[frame["arm"] == name]
        against = frame[frame["arm"].isin([name, control])]
        p_value = _log_rank(against) if control is not None and name != control else math.nan
        rows.append((name, len(mine), int(mine["event"].sum()), *_median(mine), p_value, p_all))
    return pd.DataFrame(
        rows, columns=["arm", "n", "events", "median", "median_low", "median_high", "p_value", "p_all"]
    )


def time_to_event(times: pd.DataFrame, population: Population) -> pd.DataFrame:
    """Declared times to events (ours, or ADTTE) by test and arm: event (the test) and `survival_by_arm`'s columns.

    Subjects who are not of the population are left out.
    """
    table = our_columns(times, TIMES, "time_to_event", ("subject_id", "value", "censored"))
    if "test" not in table.columns:
        table["test"] = "event"
    table = table[table["subject_id"].isin(population.arm.index)]
    parts = []
    for test, rows in table.groupby("test", sort=True):
        arm = rows["subject_id"].map(population.arm)
        control = population.control if population.control in set(arm) else None
        parts.append(survival_by_arm(rows["value"], rows["censored"] == 0, arm, control).assign(event=str(test)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["event"])


def time_to_first_event(
    events: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None, *, least: int = 10
) -> pd.DataFrame:
    """Days to the first treatment-emergent event, of any and of each body system that at least `least` subjects
    had: soc (empty: any) and the columns of `survival_by_arm`.

    The first day of exposure is day 1. Subjects without the event are watched until their exposure ends; those
    whose first event has no day, or whose exposure is not known, are left out.
    """
    population = population_of(subjects, control)
    return first_events(emergent_events(events, population)[0], population, least)


def first_events(table: pd.DataFrame, population: Population, least: int = 10) -> pd.DataFrame:
    """The same from events and population already prepared."""
    whole = (population.years * DAYS_IN_YEAR).round(6)  # days again, so that equal ones are ties
    had = table.groupby("soc")["subject_id"].nunique()
    parts = []
    for soc in ["", *sorted(str(name) for name in had[had >= least].index)]:
        of_it = table if soc == "" else table[table["soc"] == soc]
        first = of_it.groupby("subject_id")["start_day"].agg(lambda days: days.min(skipna=False)).clip(lower=0) + 1
        has = population.arm.index.isin(first.index)
        time = np.where(has, first.reindex(population.arm.index), whole)
        if not np.isfinite(time).any():
            continue
        known = population.control is not None and population.control in set(population.arm[np.isfinite(time)])
        found = survival_by_arm(time, has, population.arm, population.control if known else None)
        parts.append(found.assign(soc=soc))
    columns = ["soc", "arm", "n", "events", "median", "median_low", "median_high", "p_value", "p_all"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _log_rank(frame: pd.DataFrame) -> float:
    """The log-rank p, NaN where nothing can differ: no event, fewer than two arms that were still watched when the
    first happened (R's survdiff leaves such an arm out too), or at each event everybody watched has it.
    """
    if not frame["event"].any():
        return math.nan
    first = frame.loc[frame["event"] > 0, "time"].min()
    last = frame.groupby("arm")["time"].transform("max")
    frame = frame[last >= first]
    if frame["arm"].nunique() < 2:
        return math.nan
    from scipy.stats import chi2
    from statsmodels.duration.survfunc import survdiff

    try:
        statistic = survdiff(frame["time"].to_numpy(), frame["event"].to_numpy(), frame["arm"].to_numpy())[0]
    except np.linalg.LinAlgError:
        return math.nan
    return float(
        chi2.sf(statistic, frame["arm"].nunique() - 1)
    )  # its own p-value is 1 - cdf, which has no small ones


def _median(rows: pd.DataFrame) -> tuple[float, float, float]:
    if not rows["event"].any():
        return math.nan, math.nan, math.nan
    from scipy.stats import norm
    from statsmodels.duration.survfunc import SurvfuncRight

    curve = SurvfuncRight(rows["time"].to_numpy(), rows["event"].to_numpy())
    times, alive = np.asarray(curve.surv_times), np.asarray(curve.surv_prob)
    with np.errstate(divide="ignore", invalid="ignore"):  # no limits where all had the event
        relative = np.where(alive > 0, np.asarray(curve.surv_prob_se) / alive, np.nan)
        half = norm.ppf(0.975) * relative
        lower, upper = alive * np.exp(-half), np.minimum(alive * np.exp(half), 1.0)
    return _crossing(times, alive), _crossing(times, lower), _crossing(times, upper)


def _crossing(times: np.ndarray, curve: np.ndarray) -> float:
    """Where a falling step curve reaches a half; midway where it rests on it."""
    at = np.flatnonzero(curve <= 0.5 + ROUNDING)
    if not len(at):
        return math.nan
    first = int(at[0])
    if abs(curve[first] - 0.5) <= ROUNDING:
        later = np.flatnonzero(curve < 0.5 - ROUNDING)
        if len(later):
            return float(times[first] + times[later[0]]) / 2
    return float(times[first])
