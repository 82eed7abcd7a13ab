"""The tables of a simulated trial as a clinic would send them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from cytoreg.simulation.cohort import FIRST_DAY, Cohort
from cytoreg.simulation.disease import ARMS
from cytoreg.simulation.safety import adverse_events, labs
from cytoreg.simulation.trial import CYTOKINES, Trial

__all__ = ["clinic_tables"]


def clinic_tables(trial: Trial) -> Cohort:
    """The clinic's tables: subjects, visits with censored cytokines as `<8.0`, infusions, adverse events, labs."""
    rng = np.random.default_rng([trial.seed, 103])
    n = len(trial.age)
    ids, arm = trial.ids, trial.followed.latent.arm
    start = np.cumsum(rng.integers(1, 9, n)) - 1
    first = [FIRST_DAY + dt.timedelta(days=int(day)) for day in start]
    rows, columns = np.nonzero(trial.followed.attended)
    parts: dict[str, object] = {
        name: values[rows, columns] for name, values in trial.parts.items() if name not in CYTOKINES
    }
    for name in CYTOKINES:
        limit = trial.limit(name)
        seen = trial.parts[name][rows, columns]
        parts[name] = [f"<{limit:g}" if value < limit else f"{value:.1f}" for value in seen]
    names = list(trial.day_of)
    visits = pd.DataFrame(
        {
            "subject_id": [ids[i] for i in rows],
            "visit": [names[t] for t in columns],
            "date": [
                (first[i] + dt.timedelta(days=int(trial.day[i, t]))).isoformat()
                for i, t in zip(rows, columns, strict=True)
            ],
            **parts,
            "tnf_alpha_unit": "pg/mL",
            "il6_unit": "pg/mL",
        }
    )
    subjects = pd.DataFrame(
        {
            "subject_id": ids,
            "arm": [ARMS[a] for a in arm],
            "randomised": [
                (day - dt.timedelta(days=int(k))).isoformat()
                for day, k in zip(first, rng.integers(0, 4, n), strict=True)
            ],
            "age": trial.age.astype(int),
            "sex": np.where(trial.female, "F", "M"),
            "disease_duration": trial.years,
        }
    )
    given = [(i, 0) for i in range(n)]
    given += [(i, int(day)) for i, day in enumerate(trial.followed.second) if not np.isnan(day)]
    given.sort()
    infusions = pd.DataFrame(
        {
            "subject_id": [ids[i] for i, _ in given],
            "date": [(first[i] + dt.timedelta(days=day)).isoformat() for i, day in given],
            "dose_cells": [40_000_000 if arm[i] else 0 for i, _ in given],
            "product": ["UC-MSC" if arm[i] else "medium" for i, _ in given],
        }
    )
    last = np.where(trial.followed.attended, trial.day, 0).max(axis=1).astype(int)
    events = adverse_events(ids, np.maximum(last, 1), trial.course.serious, rng)
    for name in ("start", "end"):
        events[name] = [
            (first[int(subject[1:]) - 1] + dt.timedelta(days=int(day))).isoformat()
            for subject, day in zip(events["subject_id"], events[name], strict=True)
        ]
    return Cohort(
        subjects=subjects,
        visits=visits,
        infusions=infusions,
        latent=trial.followed.latent,
        effects=trial.course,
        scenario=trial.scenario,
        seed=trial.seed,
        day_of=trial.day_of,
        adverse_events=events,
        labs=labs(ids, names, trial.followed.attended, rng),
    )
