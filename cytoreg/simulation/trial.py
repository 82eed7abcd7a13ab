"""The model trial: 172 patients in two arms over eight months, as arrays and straight as a linked table.

Shaped after Wang L. et al., Stem Cells Dev 2013;22:3192; what happens in it is in `course`. The linked table skips the
FCS files: Treg % then has the counting error of its cells and the shift of its batch and tube, so that thousands of
trials can be made to see how often an analysis errs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cytoreg.errors import StudyError
from cytoreg.simulation.biology import FloatArray
from cytoreg.simulation.cohort import randomise
from cytoreg.simulation.course import TRIAL_VISITS, Course, Followed, follow, trial_of
from cytoreg.simulation.disease import ARMS, acr_of, components, das28_crp_of
from cytoreg.simulation.planted import expected_cd4

__all__ = ["CYTOKINES", "TREGS", "Trial", "simulate_trial"]

SUBJECTS = 172
TREGS = "Tregs % of CD4+"
CYTOKINES = ("tnf_alpha", "il6")
_LEEWAY = 6  # days by which a visit may come early or late


@dataclass(frozen=True, eq=False)
class Trial:
    """A simulated trial of n subjects and v visits, as arrays.

    parts: components and cytokines by name, each (n, v), as the clinic would write them, cytokines uncensored. day:
    study day of each visit (n, v), whole numbers. age, female, years: of each subject (n,).
    """

    followed: Followed
    parts: Mapping[str, FloatArray]
    day: FloatArray
    age: FloatArray
    female: NDArray[np.bool_]
    years: FloatArray
    course: Course
    scenario: str
    seed: int
    day_of: Mapping[str, int]

    @property
    def ids(self) -> list[str]:
        return [f"P{i + 1:03d}" for i in range(len(self.age))]

    def limit(self, cytokine: str) -> float:
        """pg/mL below which the laboratory cannot tell."""
        return {"tnf_alpha": self.course.tnf_limit, "il6": self.course.il6_limit}[cytokine]

    def linked(self, events: int = 20_000, *, attended_only: bool = True) -> pd.DataFrame:
        """What linking the tables of this trial gives, for the columns that its plan needs, without any FCS file.

        Tregs are counted (binomial) among the CD4+ cells that a tube of `events` events holds. attended_only: leave out
        the visits that were missed; False: as if nobody had missed one.
        """
        latent = self.followed.latent
        n, v = self.day.shape
        of = expected_cd4(latent.blood(slice(None), slice(None)), events).astype(np.int64)
        odds = latent.treg / (1 - latent.treg) * np.exp(self.followed.measured_logit)
        count = np.random.default_rng([self.seed, 104, events]).binomial(of, odds / (1 + odds))
        infused = (self.day > 0).astype(float) + (self.day > self.followed.second[:, None])
        table = pd.DataFrame(
            {
                "subject_id": np.repeat(self.ids, v),
                "visit": list(self.day_of) * n,
                "day": self.day.ravel(),
                "samples": None,
                "arm": np.repeat(np.array(ARMS)[latent.arm], v),
                "age": np.repeat(self.age, v),
                "first_infusion_day": 0.0,
                "infusions_so_far": infused.ravel(),
                **{name: np.asarray(values, dtype=float).ravel() for name, values in self.parts.items()},
            }
        )
        for name in CYTOKINES:
            below = self.parts[name].ravel() < self.limit(name)
            table[name] = np.where(below, self.limit(name), table[name])
            table[f"{name} censored"] = pd.array(np.where(below, "<", ""), dtype="str")
        table["das28_crp"] = das28_crp_of(self.parts).ravel()
        for level in (20, 50):
            answer = pd.array(acr_of(self.parts, level).ravel(), dtype="boolean")
            answer[::v] = pd.NA
            table[f"acr{level}"] = answer
        table[TREGS] = (100 * count / of).ravel()
        table[f"{TREGS} count"], table[f"{TREGS} of"] = count.ravel().astype(float), of.ravel().astype(float)
        there = self.followed.attended.ravel() if attended_only else slice(None)
        return table[there].reset_index(drop=True)


def simulate_trial(
    n_subjects: int = SUBJECTS,
    scenario: str | Course = "trial",
    seed: int = 1,
    *,
    visits: Mapping[str, int] | None = None,
) -> Trial:
    """Randomise, infuse and follow a trial.

    scenario: `trial` (all that the abstract reports is true), `trial_null` (none of it), `trial_unlinked` (arms and
    visits differ, no link within a patient), `trial_selected` (nothing works; entry selected on a high DAS28),
    `trial_relapse` (nothing works; who relapses is infused again), or your own `Course`. visits: name -> planned day, the
    first being day 0. Raises StudyError for an unknown scenario, fewer than four subjects or a negative seed.
    """
    course, name = trial_of(scenario)
    if n_subjects < 4:
        raise StudyError(f"simulated trial: {n_subjects} subjects, expected at least 4")
    if seed < 0:
        raise StudyError(f"simulated trial: seed {seed}, expected 0 or more")
    day_of = dict(visits or TRIAL_VISITS)
    days = np.array(list(day_of.values()), dtype=np.float64)
    if len(days) < 2 or days[0] != 0 or (np.diff(days) <= _LEEWAY * 2).any():
        raise StudyError(
            f"simulated trial: visits on days {list(day_of.values())}, expected day 0 and later ones apart"
        )
    rng = np.random.default_rng([seed, 102])
    arm = randomise(n_subjects, rng)
    followed = follow(arm, days, course, rng)
    jitter = np.rint(rng.uniform(-_LEEWAY, _LEEWAY, (n_subjects, len(days))))
    jitter[:, 0] = 0
    # an infusion stands on the day after the visit that led to it
    day = days + jitter
    at = np.searchsorted(days, np.nan_to_num(followed.second - 1))
    second = np.where(np.isnan(followed.second), np.nan, day[np.arange(n_subjects), at] + 1)
    followed = Followed(followed.latent, followed.attended, second, followed.measured_logit)
    return Trial(
        followed=followed,
        parts=components(followed.latent.das28, followed.latent.log_cytokine, rng),
        day=day,
        age=np.clip(np.rint(rng.normal(52, 11, n_subjects)), 18, 80),
        female=rng.random(n_subjects) < 0.78,
        years=np.round(np.exp(rng.normal(1.7, 0.7, n_subjects)), 1),
        course=course,
        scenario=name,
        seed=seed,
        day_of=day_of,
    )
