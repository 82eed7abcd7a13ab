"""A simulated trial: two arms of patients with active rheumatoid arthritis whose Treg % and DAS28 are linked.

Shaped after Wang L. et al., Stem Cells Dev 2013;22:3192 (172 patients, DMARDs with medium or with 4x10^7
umbilical-cord mesenchymal stem cells): Treg % rises and disease activity, TNF-alpha and IL-6 fall after the
first infusion in one arm. The sizes of the effects are ours, and parameters.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cytoreg.errors import StudyError
from cytoreg.simulation.disease import ARMS, Effects, Latent, components, draw_latent, effects_of

__all__ = ["FIRST_DAY", "VISITS", "Cohort", "randomise", "simulate_cohort"]

VISITS: Mapping[str, int] = {"baseline": 0, "month1": 30, "month3": 90}
FIRST_DAY = dt.date(2021, 3, 1)


@dataclass(frozen=True, eq=False)
class Cohort:
    """A simulated cohort: clinical tables as a clinic would send them, and the latent truth behind them.

    subjects, visits, infusions: columns as in the guide to clinical tables; days are dates. A missed visit is
    not in `visits`. day_of: planned day of each visit name, in order. adverse_events, labs: of a trial only.
    """

    subjects: pd.DataFrame
    visits: pd.DataFrame
    infusions: pd.DataFrame
    latent: Latent
    effects: Effects
    scenario: str
    seed: int
    day_of: Mapping[str, int]
    adverse_events: pd.DataFrame | None = None
    labs: pd.DataFrame | None = None

    @property
    def truth(self) -> pd.DataFrame:
        """subject_id, arm, visit, attended, true Treg % of CD4+ and latent DAS28: one row a planned visit."""
        names = list(self.day_of)
        ids = self.subjects["subject_id"].tolist()
        there = set(zip(self.visits["subject_id"], self.visits["visit"], strict=True))
        return pd.DataFrame(
            {
                "subject_id": np.repeat(ids, len(names)),
                "arm": np.repeat(self.subjects["arm"].to_numpy(), len(names)),
                "visit": names * len(ids),
                "attended": [(subject, visit) in there for subject in ids for visit in names],
                "Tregs % of CD4+": np.round(100 * self.latent.treg.ravel(), 6),
                "das28_latent": np.round(self.latent.das28.ravel(), 6),
            }
        )


def simulate_cohort(
    n_subjects: int = 24,
    scenario: str | Effects = "effects",
    seed: int = 1,
    *,
    visits: Mapping[str, int] | None = None,
    missed: float = 0.0,
) -> Cohort:
    """Randomise, treat and follow `n_subjects` in blocks of four, two to each arm.

    scenario: `effects`, `null` (nothing changes, nothing is linked), `shared_trend` (arms and visits differ,
    no link within a patient), or your own `Effects`. visits: name -> planned day, the first being day 0.
    missed: the chance that a visit after the first is missed, at random. Raises StudyError for an unknown
    scenario, fewer than two subjects, visits that do not start at day 0 and rise, or a chance outside [0, 1).
    """
    day_of = dict(visits or VISITS)
    days = list(day_of.values())
    if n_subjects < 2:
        raise StudyError(f"simulated cohort: {n_subjects} subjects, expected at least 2, one to an arm")
    if len(days) < 2 or days[0] != 0 or any(b <= a for a, b in itertools.pairwise(days)):
        raise StudyError(f"simulated cohort: visits on days {days}, expected day 0 and later ones in order")
    if not 0 <= missed < 1:
        raise StudyError(f"simulated cohort: missed={missed}, expected at least 0 and less than 1")
    effects, name = effects_of(scenario)
    if seed < 0:
        raise StudyError(f"simulated cohort: seed {seed}, expected 0 or more")
    rng = np.random.default_rng([seed, 101])
    arm = randomise(n_subjects, rng)
    latent = draw_latent(arm, np.array(days, dtype=np.float64), effects, rng)
    jitter = np.array([0 if day == 0 else max(1, min(10, day // 15)) for day in days])
    shifts = np.rint(rng.uniform(-1, 1, (n_subjects, len(days))) * jitter).astype(int)
    start = np.cumsum(rng.integers(1, 9, n_subjects)) - 1
    attended = rng.random((n_subjects, len(days))) >= missed
    attended[:, 0] = True
    parts = components(latent.das28, latent.log_cytokine, rng)
    first = [FIRST_DAY + dt.timedelta(days=int(day)) for day in start]
    ids = [f"P{i + 1:03d}" for i in range(n_subjects)]
    rows, columns = np.nonzero(attended)
    dates = [first[i] + dt.timedelta(days=days[t] + int(shifts[i, t])) for i, t in zip(rows, columns, strict=True)]
    table = pd.DataFrame(
        {
            "subject_id": [ids[i] for i in rows],
            "visit": [list(day_of)[t] for t in columns],
            "date": [date.isoformat() for date in dates],
            **{part: values[rows, columns] for part, values in parts.items()},
            "tnf_alpha_unit": "pg/mL",
            "il6_unit": "pg/mL",
        }
    )
    subjects = pd.DataFrame(
        {
            "subject_id": ids,
            "arm": [ARMS[a] for a in arm],
            "randomised": [
                (day - dt.timedelta(days=int(n))).isoformat()
                for day, n in zip(first, rng.integers(0, 4, n_subjects), strict=True)
            ],
            "age": np.clip(np.rint(rng.normal(52, 11, n_subjects)), 18, 80).astype(int),
            "sex": np.where(rng.random(n_subjects) < 0.78, "F", "M"),
            "disease_duration": np.round(np.exp(rng.normal(1.7, 0.7, n_subjects)), 1),
        }
    )
    infusions = pd.DataFrame(
        {
            "subject_id": ids,
            "date": [day.isoformat() for day in first],
            "dose_cells": np.where(arm == 1, 40_000_000, 0),
            "product": np.where(arm == 1, "UC-MSC", "medium"),
        }
    )
    return Cohort(subjects, table, infusions, latent, effects, name, seed, day_of)


def randomise(n_subjects: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(n,) index into `ARMS`, in blocks of four, two to each arm."""
    blocks = [rng.permutation([0, 0, 1, 1]) for _ in range(-(-n_subjects // 4))]
    arm = np.concatenate(blocks)[:n_subjects]
    if n_subjects % 4:  # a last block cut short still has both arms in it
        arm[n_subjects - n_subjects % 4 :] = rng.permutation([0, 1, int(rng.integers(2))][: n_subjects % 4])
    return arm
