"""The disease over eight months of a model trial: a benefit that wears off, infusions again, patients who leave.

Each effect that the abstract of Wang L. et al., Stem Cells Dev 2013;22:3192 reports is a parameter of `Course`: what
falls and rises after the first infusion, for how long, whether that goes with Treg %, and what a second infusion does.
Their sizes are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cytoreg.errors import StudyError, suggest
from cytoreg.simulation.biology import Composition, FloatArray
from cytoreg.simulation.disease import Effects, Latent

__all__ = ["TRIALS", "TRIAL_VISITS", "Course", "Followed", "follow", "trial_of"]

TRIAL_VISITS: Mapping[str, int] = {
    "baseline": 0,
    "month1": 30,
    "month2": 60,
    "month3": 90,
    "month4": 120,
    "month6": 180,
    "month8": 240,
}
WEARING_OFF = 15.0  # days: the scale of the logistic curve by which a benefit ends
LEAVING_SLOPE = 1.0  # log odds of leaving for one point of DAS28-CRP, where leaving goes with it
REDRAWS = 500


@dataclass(frozen=True)
class Course(Effects):
    """`Effects`, and what a longer trial has beside them.

    For subject i and visit t, with B the benefit of the infusions so far, from 0 to about 1 for one infusion,

    B_it = sum over infusions k of strength_k (1 - exp(-u / onset_days)) / (1 + exp((u - D_i) / 15)), u days after it
    logit(Treg fraction) = treg_logit + between_treg b_i + treg_rise[arm] a_i B_it + within_treg e_it
    DAS28-CRP = das28 + between_das28 c_i - das28_fall[arm] a'_i B'_it + das28_per_logit within_treg e_it
                + das28_noise f_it

    D_i is lognormal about `duration_days`, a_i about 1. Where `linked`, a' = a and B' = B: whose Tregs rise more and
    stay up longer has more of the benefit and for longer; his Tregs fall `lead_days` before the disease is back. Else a', B' have a draw of their own. Cytokines fall with B'.
    e_it of a patient is autoregressive: two visits u days apart correlate by exp(-u / `memory_days`).
    """

    das28_fall_control: float = 0.0
    das28_fall_cells: float = 2.0
    cytokine_fall_control: float = 0.0
    memory_days: float = 90.0
    between_treg: float = 0.20
    within_treg: float = 0.25
    treg_rise_cells: float = 0.60
    lead_days: float = 30.0
    """Days by which the benefit in Tregs ends before that in the disease."""
    duration_days: float = 150.0
    """Median of the days until half of the benefit is gone; the abstract has 3 to 6 months."""
    duration_spread: float = 0.30
    strength_spread: float = 0.30
    """Standard deviations of the natural logarithms."""
    linked: bool = True
    second_strength: float = 1.0
    """The benefit of a second infusion in units of the first's; 0 for none."""
    reinfusion: Literal["none", "relapse"] = "relapse"
    relapse_das28: float = 5.1
    """A patient of the arm with cells whose DAS28-CRP is above this at a visit from month 3 on is given them once more, ..."""
    relapse_chance: float = 0.6
    """... with this chance at each such visit."""
    entry_das28: float | None = None
    """Only patients above this at baseline enter; None: all."""
    dropout: float = 0.02
    """The chance at each visit after the first to leave for good."""
    dropout_goes_with: Literal["nothing", "last", "present"] = "nothing"
    """Chance alone; the DAS28 of the visit before (missing at random); that of the visit itself (not at random)."""
    missed: float = 0.03
    """The chance that a visit after the first is missed, at random."""
    batch_shift: float = 0.06
    """Standard deviation, from batch to batch, of the logit of the Treg fraction as it is gated."""
    tube_shift: float = 0.04
    """The same from tube to tube."""
    tnf_limit: float = 8.0
    il6_limit: float = 8.0
    """pg/mL below which the laboratory writes `<8.0`."""
    serious: float = 0.0
    """Serious adverse events for a patient-year, in either arm."""


_TRIAL = Course()
_NOTHING = replace(
    _TRIAL,
    treg_rise_cells=0.0,
    das28_fall_cells=0.0,
    cytokine_fall_cells=0.0,
    das28_per_logit=0.0,
    das28_noise=0.68,
    linked=False,
    reinfusion="none",
)
TRIALS: Mapping[str, Course] = {
    "trial": _TRIAL,
    "trial_null": _NOTHING,
    # arms and visits differ, in no patient one with the other
    "trial_unlinked": replace(_TRIAL, das28_per_logit=0.0, das28_noise=0.68, linked=False, reinfusion="none"),
    # nothing works; patients came when they were worse than usual
    "trial_selected": replace(_NOTHING, das28=4.9, entry_das28=5.1),
    # nothing works; who is worse than usual is infused again
    "trial_relapse": replace(_NOTHING, reinfusion="relapse"),
}


@dataclass(frozen=True, eq=False)
class Followed:
    """What became of n subjects at v visits.

    latent: their truth. attended: bool (n, v). second: day of the second infusion (n,), NaN where there is none.
    measured_logit: what batch and tube add to the logit of the Treg fraction as it is gated (n, v).
    """

    latent: Latent
    attended: NDArray[np.bool_]
    second: FloatArray
    measured_logit: FloatArray


def trial_of(scenario: str | Course) -> tuple[Course, str]:
    """The course of a named trial, and its name; StudyError for a name there is not."""
    if isinstance(scenario, Course):
        return scenario, "custom"
    if scenario not in TRIALS:
        raise StudyError(f"simulated trial '{scenario}': {suggest(scenario, TRIALS)}")
    return TRIALS[scenario], scenario


def follow(arm: NDArray[np.intp], days: FloatArray, course: Course, rng: np.random.Generator) -> Followed:
    """Follow subjects of these arms (n,) over visits on these days (v,), the first being day 0."""
    n, v = len(arm), len(days)

    def subject(spread: float) -> FloatArray:
        return spread * rng.standard_normal(n)

    def visit(spread: float) -> FloatArray:
        return spread * rng.standard_normal((n, v))

    e, f = _remembered(visit(course.within_treg), days, course.memory_days), visit(course.das28_noise)
    level, usual = subject(course.between_treg), course.das28 + subject(course.between_das28)
    if course.entry_das28 is not None:
        _select(usual, e, f, course, rng)
    strength = [np.exp(subject(course.strength_spread) - course.strength_spread**2 / 2) for _ in range(2)]
    lasts = [course.duration_days * np.exp(subject(course.duration_spread)) for _ in range(2)]
    if course.linked:
        strength[1], lasts[1] = strength[0], lasts[0]
    rise, fall, cytokine = (course.per_arm(stem)[arm] for stem in ("treg_rise", "das28_fall", "cytokine_fall"))
    noise = course.das28_per_logit * e + f
    treg, das28, log_cytokine = (np.empty((n, v)) for _ in range(3))
    inflamed = subject(0.35)[:, None] + visit(0.15)
    second = np.full(n, np.nan)
    attended = np.ones((n, v), dtype=bool)
    here = np.ones(n, dtype=bool)
    for t, day in enumerate(days):
        first = _benefit(day, second, lasts[0] - course.lead_days, course)
        again = _benefit(day, second, lasts[1], course)
        treg[:, t] = course.treg_logit + level + rise * strength[0] * first + e[:, t]
        das28[:, t] = usual - fall * strength[1] * again + noise[:, t]
        log_cytokine[:, t] = inflamed[:, t] - cytokine * strength[1] * again
        chance, luck, coin = rng.random(n), rng.random(n), rng.random(n)
        if t:
            here &= chance >= _leaving(das28, t, course)
            attended[:, t] = here & (luck >= course.missed)
        if course.reinfusion == "relapse" and day >= TRIAL_VISITS["month3"] and t < v - 1:
            relapse = attended[:, t] & (arm == 1) & (das28[:, t] > course.relapse_das28) & np.isnan(second)
            second[relapse & (coin < course.relapse_chance)] = day + 1
    default = Composition()

    def around(fraction: float | FloatArray, between: float, within: float) -> FloatArray:
        centre = np.log(np.asarray(fraction) / (1 - np.asarray(fraction)))
        return 1 / (1 + np.exp(-(centre + subject(between)[:, None] + visit(within))))

    latent = Latent(
        arm=arm,
        treg=1 / (1 + np.exp(-treg)),
        das28=das28,
        log_cytokine=log_cytokine,
        activated=around(default.activated_of_cd4, 0.20, 0.05),
        naive=around(default.naive_of_rest, 0.35, 0.06),
        cd4_of_cd3=around(default.cd4_of_cd3, 0.25, 0.06),
        cd3_of_lymphocytes=around(default.cd3_of_lymphocytes, 0.25, 0.08),
        lymphocytes=around(default.lymphocytes, 0.22, 0.08),
    )
    batches = np.repeat(course.batch_shift * rng.standard_normal(-(-n // 4)), 4)[:n]
    return Followed(latent, attended, second, batches[:, None] + visit(course.tube_shift))


def _remembered(fresh: FloatArray, days: FloatArray, memory: float) -> FloatArray:
    """Independent values (n, v) made autoregressive, with the same variance at each visit."""
    made = fresh.copy()
    for t in range(1, len(days)):
        rho = float(np.exp(-(days[t] - days[t - 1]) / memory))
        made[:, t] = rho * made[:, t - 1] + np.sqrt(1 - rho**2) * fresh[:, t]
    return made


def _benefit(day: float, second: FloatArray, lasts: FloatArray, course: Course) -> FloatArray:
    """Of the first infusion on day 0 and of the second, where there has been one: (n,)."""

    def of_one(since: FloatArray) -> FloatArray:
        since = np.maximum(since, 0)
        return (1 - np.exp(-since / course.onset_days)) / (1 + np.exp((since - lasts) / WEARING_OFF))

    after = np.where(np.isnan(second), 0.0, day - second)
    return of_one(np.full(len(lasts), float(day))) + course.second_strength * of_one(after)


def _leaving(das28: FloatArray, t: int, course: Course) -> FloatArray | float:
    """The chance to leave before visit t; where it goes with DAS28, that of a patient at 4.5 is `dropout`."""
    if course.dropout_goes_with == "nothing" or course.dropout == 0:
        return course.dropout
    seen = das28[:, t - 1] if course.dropout_goes_with == "last" else das28[:, t]
    odds = np.log(course.dropout / (1 - course.dropout)) + LEAVING_SLOPE * (seen - 4.5)
    return 1 / (1 + np.exp(-odds))


def _select(usual: FloatArray, e: FloatArray, f: FloatArray, course: Course, rng: np.random.Generator) -> None:
    """Draw those who do not enter again, in place, until all are above the threshold at their first visit."""
    assert course.entry_das28 is not None
    for _ in range(REDRAWS):
        low = usual + course.das28_per_logit * e[:, 0] + f[:, 0] <= course.entry_das28
        if not low.any():
            return
        size = int(low.sum())
        usual[low] = course.das28 + course.between_das28 * rng.standard_normal(size)
        e[low] += course.within_treg * rng.standard_normal(size)[:, None] - e[low, :1]
        f[low, 0] = course.das28_noise * rng.standard_normal(size)
    raise StudyError(f"simulated trial: hardly a patient has a DAS28-CRP above {course.entry_das28:g} at baseline")
