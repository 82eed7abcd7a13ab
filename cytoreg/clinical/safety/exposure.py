"""Rates of adverse events per patient-year, with exact Poisson intervals (Garwood, Biometrika 1936;28:437)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from cytoreg.clinical.safety.population import DAYS_IN_YEAR, Population, emergent_events, population_of
from cytoreg.errors import LinkError

__all__ = ["exposure_rates", "poisson_rate"]


def poisson_rate(events: int, years: float, level: float = 0.95) -> tuple[float, float, float]:
    """Events per patient-year and its exact interval; NaN where there is no time.

    >>> [round(value, 4) for value in poisson_rate(0, 12.5)]
    [0.0, 0.0, 0.2951]
    """
    if not years > 0:
        return math.nan, math.nan, math.nan
    from scipy.stats import chi2

    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    high = float(chi2.ppf(1 - tail, 2 * events + 2)) / 2
    return events / years, low / years, high / years


def exposure_rates(events: pd.DataFrame, subjects: pd.DataFrame, control: str | None = None) -> pd.DataFrame:
    """Rates by body system, term and arm: soc, term, arm, events, patient_years, rate, rate_low, rate_high,
    and the incidence of a first event: subjects, years_at_risk, incidence, incidence_low, incidence_high.

    rate: all events over all time of the arm; its interval takes events of one subject as independent, which
    repeated ones are not, so it is too narrow where few subjects have many. incidence: subjects with an
    event over the time until their first (or their whole time); NaN where the day of a first event is unknown.

    Exposure: `exposure_days` of the subjects (TRTDURD), or first_dose and last_dose. Raises LinkError without.
    """
    population = population_of(subjects, control)
    if population.years.isna().all():
        raise LinkError("subjects: no column says how long each was exposed (exposure_days, or TRTDURD)")
    return rate_events(emergent_events(events, population)[0], population)


def rate_events(table: pd.DataFrame, population: Population) -> pd.DataFrame:
    """The same from events and population already prepared; subjects of unknown exposure leave all rates NaN."""
    total = {arm: float(population.years[population.arm == arm].sum(skipna=False)) for arm in population.arms}
    stacked = pd.concat([table.assign(soc="", term=""), table.assign(term=""), table], ignore_index=True)[
        ["soc", "term", "arm", "subject_id", "start_day"]
    ]
    stacked["years"] = stacked["subject_id"].map(population.years)
    keys = ["soc", "term", "arm"]
    first = stacked.groupby([*keys, "subject_id"], sort=True).agg(
        day=("start_day", lambda days: days.min(skipna=False)), years=("years", "first"), events=("years", "size")
    )
    # an event on day 0 ends the time at risk after one day; one after the last dose does not lengthen it
    first["spared"] = np.maximum(first["years"] - (first["day"].clip(lower=0) + 1) / DAYS_IN_YEAR, 0.0)
    sums = first.groupby(level=keys).agg(
        events=("events", "sum"),
        subjects=("events", "size"),
        spared=("spared", lambda values: values.sum(skipna=False)),
    )
    levels = list(dict.fromkeys([("", ""), *zip(stacked["soc"], stacked["term"], strict=True)]))
    index = pd.MultiIndex.from_tuples([(*level, arm) for level in levels for arm in population.arms], names=keys)
    found = sums.reindex(index, fill_value=0).reset_index()
    found["patient_years"] = found["arm"].map(total)
    found["years_at_risk"] = found["patient_years"] - found.pop("spared")
    for name, count, years in (("rate", "events", "patient_years"), ("incidence", "subjects", "years_at_risk")):
        three = _rates(found[count].to_numpy(dtype=float), found[years].to_numpy(dtype=float))
        found[name], found[f"{name}_low"], found[f"{name}_high"] = three
    return found.sort_values(["soc", "term"], kind="stable").reset_index(drop=True)


def _rates(counts: np.ndarray, years: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`poisson_rate` of many rows at once."""
    from scipy.stats import chi2

    years = np.where(years > 0, years, np.nan)
    low = np.where(counts > 0, chi2.ppf(0.025, 2 * np.maximum(counts, 1)) / 2, 0.0)
    high = chi2.ppf(0.975, 2 * counts + 2) / 2
    return counts / years, low / years, high / years
