"""Did a second infusion help again: its effect beyond regression to the mean, beside that of the first.

A second infusion follows a relapse, so a value that is high by chance is followed by a lower one whatever is given. What
the value would have been without it is taken from the whole course of the subject before it, and from those not infused
again: a mixed model for repeated measures, whose likelihood is right where the decision to infuse again rested on
values that are in the model (ignorable, as with values missing at random: Rubin DB. Biometrika 1976;63:581-592).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import DESCRIPTIVE, Estimate
from cytoreg.stats.mmrm import Mmrm, NotConverged, fit_mmrm
from cytoreg.stats.questions import RepeatInfusion
from cytoreg.stats.sentence import NOT_CAUSE, amount, verb_for
from cytoreg.stats.values import LEAST_SUBJECTS, Data, paired_points

__all__ = ["repeat_infusion"]

METHOD = (
    "Repeated infusion: mixed model for repeated measures by REML, value ~ arm × visit + baseline × visit + second infusion "
    "(first visit after it; later ones), unstructured covariance of visits, Kenward–Roger degrees of freedom; the effect is "
    "what the subject's own course before it does not predict."
)

INFUSIONS, SINCE = "infusions_so_far", "days_since_infusion"
STRUCTURES = ("unstructured", "toeplitz", "compound_symmetry")
SCALE_WORDS = {"linear": "", "logit": ", log odds", "log": ", natural log"}
NOT_BY_LOT = "a second infusion was not given by lot"

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class _Course:
    """after: a row a subject's visit after baseline with a value: subject, arm, visit, day, baseline, value, so_far, since,
    place (of the visit), nth (0 before a second infusion, 1 at the first visit after it, 2 later). again: a row a
    subject infused again: its raw values before and after the first and the second infusion."""

    after: pd.DataFrame
    again: pd.DataFrame
    visits: list[str]


def repeat_infusion(question: RepeatInfusion, data: Data) -> list[Estimate]:
    """The effect of the second infusion (primary), of the first, their difference, and the raw changes as descriptive.

    That of the first is the difference of arms at the visit whose time after it is nearest to that of the second.
    """
    course = _course(question, data)
    words = SCALE_WORDS[question.scale]
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term=f"effect of the second infusion{words}",
        outcome=question.value,
        predictor="second infusion",
        n_subjects=course.after["subject"].nunique(),
        n_observations=len(course.after),
    )
    raw = _raw(course, replace(blank, predictor="", n_observations=0), words)
    first_after = course.after[course.after["nth"] == 1]
    if len(first_after) < LEAST_SUBJECTS:
        note = f"{len(first_after)} subjects with a value after a second infusion: at least {LEAST_SUBJECTS} are needed"
        return [replace(blank, primary=True, note=note), *raw]
    arms = sorted({arm for arm in course.after["arm"] if arm is not None})
    control, remark = data.control(arms) if len(arms) > 1 else ("", "")
    columns, names = _design(course, [arm for arm in arms if arm != control] if control else [])
    fit, structure = _fit(course, columns)
    if fit is None:
        return [replace(blank, primary=True, note=structure), *raw]
    second = np.zeros(columns.shape[1])
    second[names["second", ""]] = 1.0
    lag = float(first_after["since"].median())
    said = [
        f"{len(first_after)} infused again and seen {lag:.0f} days later (median)"
        if lag == lag
        else f"{len(first_after)} infused again and seen later",
        "regression to the mean: modelled by each subject's own course",
        NOT_BY_LOT,
        structure,
        remark,
    ]
    rows = [_tested(replace(blank, primary=True, note="; ".join(part for part in said if part)), fit, second)]
    rows += _against_first(course, fit, names, second, control, lag, blank, words)
    return rows + raw


def _course(question: RepeatInfusion, data: Data) -> _Course:
    linked = data.linked
    start = data.rows_at("baseline", "value")
    values = data.value(question.value, "value", question.scale)
    frame = pd.DataFrame(
        {
            "subject": linked["subject_id"].astype(str),
            "arm": data.arms(),
            "visit": linked["visit"].astype(str),
            "day": linked["day"].astype(float),
            "value": values,
            "so_far": linked[INFUSIONS].astype(float) if INFUSIONS in linked.columns else 0.0,
            "since": linked[SINCE].astype(float) if SINCE in linked.columns else np.nan,
        }
    )
    first_row = frame["subject"].map(start)
    frame["baseline"] = values.reindex(first_row.fillna(-1)).to_numpy(float)
    frame["baseline_day"] = frame["day"].reindex(first_row.fillna(-1)).to_numpy(float)
    frame = frame[frame["value"].notna() & frame["baseline"].notna() & frame["day"].notna()]
    frame = frame.sort_values(["subject", "day"], kind="stable")
    after = frame[frame["day"] > frame["baseline_day"]].copy()
    has_arms = after["arm"].notna().any()
    if has_arms:
        after = after[after["arm"].notna()]
        seen = after.groupby("visit")["arm"].nunique()
        after = after[after["visit"].map(seen) == after["arm"].nunique()].copy()
    enough = after["visit"].value_counts()
    after = after[after["visit"].map(enough) >= LEAST_SUBJECTS].copy()
    visits = [name for name in data.visits() if name in set(after["visit"])]
    after["place"] = after["visit"].map({name: place for place, name in enumerate(visits)})
    twice = (after["so_far"] >= 2).to_numpy()
    after["nth"] = np.where(
        twice, np.minimum(pd.Series(twice).groupby(after["subject"].to_numpy()).cumsum(), 2), 0
    )
    return _Course(after.reset_index(drop=True), _episodes(frame), visits)


def _episodes(frame: pd.DataFrame) -> pd.DataFrame:
    """Of subjects infused again: the last value before and the first after each of the two infusions."""
    made: dict[str, pd.Series] = {}
    for name, level in (("first", 1), ("second", 2)):
        before = frame[frame["so_far"] < level].groupby("subject")["value"].last()
        after = frame[frame["so_far"] >= level].groupby("subject")
        if level == 1:
            after = frame[frame["so_far"] == level].groupby("subject")
        made |= {
            f"before_{name}": before,
            f"after_{name}": after["value"].first(),
            f"days_{name}": after["since"].first(),
        }
    table = pd.DataFrame(made)
    return table.dropna(subset=[column for column in table.columns if not column.startswith("days")])


def _design(course: _Course, treated: list[str]) -> tuple[Matrix, dict[tuple[str, str], int]]:
    """Columns, and where each stands: (arm, visit) differences of arms, ("second", "") the second infusion."""
    after = course.after
    at = np.eye(len(course.visits))[after["place"].to_numpy(int)]
    parts, names, width = [at], {("", visit): j for j, visit in enumerate(course.visits)}, len(course.visits)
    for arm in treated:
        parts.append(at * (after["arm"] == arm).to_numpy(float)[:, None])
        names |= {(arm, visit): width + j for j, visit in enumerate(course.visits)}
        width += len(course.visits)
    baseline = after["baseline"].to_numpy(float)
    if np.ptp(baseline) > 0:
        parts.append(at * (baseline - baseline.mean())[:, None])
        width += len(course.visits)
    for nth, name in ((1, "second"), (2, "later")):
        column = (after["nth"] == nth).to_numpy(float)
        if column.any():
            parts.append(column[:, None])
            names[name, ""] = width
            width += 1
    return np.concatenate(parts, axis=1), names


def _fit(course: _Course, columns: Matrix) -> tuple[Mmrm | None, str]:
    """The model with the first structure that can be fitted and what to note of it; None and the reason."""
    after, reasons = course.after, []
    if np.linalg.matrix_rank(columns) < columns.shape[1]:
        return None, "the second infusion cannot be told from time: nobody was left without it at the same visits"
    for structure in STRUCTURES if len(course.visits) > 1 else ("compound_symmetry",):
        try:
            fit = fit_mmrm(after["value"], columns, after["subject"], after["place"], structure)
        except NotConverged as problem:
            reasons.append(f"{structure}: {problem}")
            continue
        return fit, f"covariance of visits {structure}, as {reasons[0]}" if reasons else ""
    return None, "; ".join(reasons)


def _tested(row: Estimate, fit: Mmrm, weights: Matrix) -> Estimate:
    test = fit.test(weights)
    half = float(stats.t.ppf(0.975, test.df)) * test.se
    return replace(
        row,
        estimate=test.estimate,
        se=test.se,
        df=test.df,
        statistic=test.estimate / test.se,
        ci_low=test.estimate - half,
        ci_high=test.estimate + half,
        p_value=test.p_value,
    )


def _against_first(
    course: _Course,
    fit: Mmrm,
    names: dict[tuple[str, str], int],
    second: Matrix,
    control: str,
    lag: float,
    blank: Estimate,
    words: str,
) -> list[Estimate]:
    """The effect of the first infusion, and the second's less the first's, of the arm that was infused again."""
    whose = course.after.loc[course.after["nth"] == 1, "arm"].mode()
    arm = str(whose.iloc[0]) if len(whose) else ""
    apart = replace(blank, term=f"second infusion less the first{words}", predictor="")
    if (arm, course.visits[0]) not in names:
        note = (
            f"{DESCRIPTIVE}; without a control arm the first infusion cannot be told from regression to the mean"
        )
        return [replace(apart, note=note)]
    once = course.after[(course.after["arm"] == arm) & (course.after["so_far"] == 1)]
    days = once.groupby("visit")["since"].median().reindex(course.visits)
    near = (days - lag).abs()
    visit = str(near.idxmin()) if near.notna().any() else course.visits[0]
    first = np.zeros(len(second))
    first[names[arm, visit]] = 1.0
    said = f"the first at {visit}" + (
        f", {days[visit]:.0f} days after it (median)" if days[visit] == days[visit] else ""
    )
    contrast = f"{arm} - {control}"
    row = replace(
        blank, term=f"effect of the first infusion{words}", predictor="", arm=arm, visit=visit, contrast=contrast
    )
    return [
        _tested(row, fit, first),
        _tested(
            replace(apart, arm=arm, contrast="second - first", note=f"{said}; {NOT_BY_LOT}"), fit, second - first
        ),
    ]


def _raw(course: _Course, blank: Estimate, words: str) -> list[Estimate]:
    """Mean changes as they are, regression to the mean and all."""
    table = course.again
    changes = {
        "after the first infusion": table["after_first"] - table["before_first"],
        "after the second infusion": table["after_second"] - table["before_second"],
    }
    changes["after the second less after the first"] = (
        changes["after the second infusion"] - changes["after the first infusion"]
    )
    rows = []
    for name, change in changes.items():
        n = len(change)
        row = replace(
            blank,
            term=f"raw change {name}{words}",
            n_subjects=n,
            n_observations=2 * n,
            note=f"{DESCRIPTIVE}; holds regression to the mean: the infusion followed a high value",
        )
        if n < LEAST_SUBJECTS or not change.std() > 0:
            rows.append(
                replace(row, note=f"{DESCRIPTIVE}; {n} subjects with values before and after both infusions")
            )
            continue
        mean, se = float(change.mean()), float(change.std(ddof=1)) / math.sqrt(n)
        half = float(stats.t.ppf(0.975, n - 1)) * se
        rows.append(replace(row, estimate=mean, se=se, df=n - 1.0, ci_low=mean - half, ci_high=mean + half))
    return rows


def sentence(question: RepeatInfusion, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    verb = verb_for(row, "was higher", "was lower", "was not clearly different")
    much = amount(question.value, question.scale, row, "a difference of")
    count = row.note.partition(" ")[0]
    return (
        f"After a second infusion ({count} of {row.n_subjects} subjects), {question.value} {verb} than the subject's own "
        f"course before it, and that of those not infused again, would lead one to expect: {much}. The second infusion was not "
        f"given by lot. {NOT_CAUSE}"
    )


def title(question: RepeatInfusion, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Did a second infusion change {say(question.value)} again?"


def points(question: RepeatInfusion, data: Data) -> tuple[pd.DataFrame, str, str]:
    """Of subjects infused again: x the change after the first infusion, y that after the second."""
    table = _course(question, data).again
    x, y = table["after_first"] - table["before_first"], table["after_second"] - table["before_second"]
    start = data.rows_at("baseline", "value")
    frame = paired_points(x, y, start, "", data)
    name = question.value
    return frame, f"change of {name} after the first infusion", f"change of {name} after the second infusion"
