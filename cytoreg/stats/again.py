"""Did a second infusion help again: its effect beyond regression to the mean, beside that of the first.

A second infusion follows a relapse, so a value that is high by chance is followed by a lower one whatever is given. At each
visit, those infused again since the visit before are therefore compared with those of their arm who might have been and were
not, given the values of both up to then: a sequence of small trials in one (Gran JM, Roysland K, Wolbers M, et al. Stat Med
2010;29:2757-2768). This is right where the decision rested on values that are in the model. A mixed model of all visits, with the infusions
as if they were fixed in advance, rejected 6.6 to 9.8 % of simulated trials in which a relapse led to an infusion without effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import block_diag

from cytoreg.stats.cluster_robust import cluster_robust
from cytoreg.stats.estimate import DESCRIPTIVE, Estimate
from cytoreg.stats.partial import dummies
from cytoreg.stats.questions import RepeatInfusion
from cytoreg.stats.sentence import NOT_CAUSE, amount, verb_for
from cytoreg.stats.values import LEAST_SUBJECTS, Data, paired_points

__all__ = ["repeat_infusion"]

METHOD = (
    "Repeated infusion: sequential analyses of covariance; at each visit, those infused again since the visit before against "
    "those of their arm infused once, given the value of the visit before, that at baseline and the mean of those between, with "
    "slopes of each visit; one effect over visits; cluster-robust variance (CR2) with Bell and McCaffrey's degrees of freedom."
)

INFUSIONS, SINCE = "infusions_so_far", "days_since_infusion"
LEAST_DF = 4.0
SCALE_WORDS = {"linear": "", "logit": ", log odds", "log": ", natural log"}
FROM_TIME = "the second infusion cannot be told from time: nobody was left without it at the same visits"
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

    That of the first is the difference of arms, given baseline, at the visit whose time after it is nearest to that of the
    second, of those at which nobody had been infused again.
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
    lag = float(first_after["since"].median())
    when = f"{lag:.0f} days later (median)" if lag == lag else "later"
    said = [
        f"{len(first_after)} infused again and seen {when}",
        "regression to the mean: compared with those infused once, given the values before",
        NOT_BY_LOT,
        remark,
    ]
    second = _second(course)
    first, what = _first(course, control, lag)
    blank = replace(
        blank, n_subjects=second.subject.nunique() if len(second.y) else 0, n_observations=len(second.y)
    )
    row = _tested(replace(blank, primary=True, note="; ".join(part for part in said if part)), [second], [1.0])
    apart = replace(blank, term=f"second infusion less the first{words}", predictor="")
    if first is None:
        return [row, replace(apart, note=f"{DESCRIPTIVE}; {what}"), *raw]
    alone = replace(
        blank,
        predictor="",
        arm=first.arm,
        term=f"effect of the first infusion{words}",
        visit=first.visit,
        contrast=f"{first.arm} - {control}",
        n_subjects=first.subject.nunique(),
        n_observations=len(first.y),
    )
    both = replace(
        apart,
        arm=first.arm,
        contrast="second - first",
        n_subjects=pd.concat([second.subject, first.subject]).nunique(),
        n_observations=len(second.y) + len(first.y),
        note=f"{what}; {NOT_BY_LOT}",
    )
    return [row, _tested(alone, [first], [1.0]), _tested(both, [second, first], [1.0, -1.0]), *raw]


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


@dataclass(frozen=True, eq=False)
class _Block:
    """A least-squares comparison: y and given (n,), fixed (n, c) beside it, subject (n,)."""

    y: Matrix
    given: Matrix
    fixed: Matrix
    subject: pd.Series
    arm: str = ""
    visit: str = ""


def _second(course: _Course) -> _Block:
    """Each visit up to the first after a second infusion, where some of an arm were infused again and others were not."""
    after = course.after
    by = after.groupby("subject")["value"]
    before = by.shift()
    place = by.cumcount()
    steps = after.assign(
        last=before.fillna(after["baseline"]),
        between=(by.cumsum() - after["value"] - before.fillna(0)) / (place - 1).where(place > 1),
        given=(after["nth"] == 1).astype(float),
        cell=[f"{visit}\x1f{arm}" for visit, arm in zip(after["visit"], after["arm"], strict=True)],
    )
    steps = steps[(steps["nth"] <= 1) & (steps["so_far"] >= 1)]
    share = steps.groupby("cell")["given"].transform("mean")
    steps = steps[(share > 0) & (share < 1)]
    cells = np.column_stack([np.ones(len(steps)), dummies(steps["cell"])])
    cells[:, 0] -= cells[:, 1:].sum(axis=1)
    parts = [cells]
    for name in ("last", "baseline", "between"):  # without a visit between: as the others of the cell
        centred = steps[name] - steps.groupby("cell")[name].transform("mean")
        parts.append(cells * centred.fillna(0.0).to_numpy()[:, None])
    return _Block(
        steps["value"].to_numpy(float), steps["given"].to_numpy(float), np.hstack(parts), steps["subject"]
    )


def _first(course: _Course, control: str, lag: float) -> tuple[_Block | None, str]:
    """The difference of arms, given baseline, at a visit before any second infusion, and which; None and why not."""
    whose = course.after.loc[course.after["nth"] == 1, "arm"].mode()
    arm = str(whose.iloc[0]) if len(whose) else ""
    if not control or arm == control:
        return None, "without a control arm the first infusion cannot be told from regression to the mean"
    again = set(course.after.loc[course.after["nth"] > 0, "visit"])
    visits = [name for name in course.visits if name not in again]
    if not visits:
        return None, "no visit at which nobody had been infused again"
    once = course.after[(course.after["arm"] == arm) & course.after["visit"].isin(visits)]
    days = once.groupby("visit")["since"].median().reindex(visits)
    near = (days - lag).abs()
    visit = str(near.idxmin()) if near.notna().any() else visits[0]
    rows = course.after[(course.after["visit"] == visit) & course.after["arm"].isin([arm, control])]
    given = (rows["arm"] == arm).to_numpy(float)
    fixed = np.column_stack([np.ones(len(rows)), rows["baseline"] - rows["baseline"].mean()])
    said = f", {days[visit]:.0f} days after it (median)" if days[visit] == days[visit] else ""
    block = _Block(rows["value"].to_numpy(float), given, fixed, rows["subject"], arm, visit)
    return block, f"the first at {visit}{said}"


def _tested(row: Estimate, blocks: list[_Block], weights: list[float]) -> Estimate:
    """The weighted sum of the comparisons, whose errors go together where they share subjects."""
    designs = []
    for block in blocks:
        left, size, _ = np.linalg.svd(block.fixed, full_matrices=False)
        basis = left[:, size > 1e-9 * max(size.max(initial=0.0), 1e-300)]
        own = block.given - basis @ (basis.T @ block.given)
        if not (own @ own > 1e-9 * len(own) and len(own) > basis.shape[1] + 1):
            return replace(row, note=FROM_TIME)
        designs.append(np.column_stack([own, basis]))
    if any(float(np.ptp(block.y)) == 0 for block in blocks):
        return replace(row, note="a value that does not vary")
    design = block_diag(*designs)
    starts = np.cumsum([0, *(one.shape[1] for one in designs)])[:-1]
    # of w1 b1 + w2 b2 = c: b1 = (c - w2 b2) / w1, so that c is the first coefficient
    head = design[:, 0] / weights[0]
    for start, weight in zip(starts[1:], weights[1:], strict=True):
        design[:, start] -= weight * head
    design[:, 0] = head
    found = cluster_robust(
        np.concatenate([block.y for block in blocks]), design, np.concatenate([block.subject for block in blocks])
    )
    if not found.df >= LEAST_DF:
        return replace(
            row, note=f"fewer than {LEAST_DF:.0f} degrees of freedom: too few subjects bear on this effect"
        )
    return replace(
        row,
        estimate=found.estimate,
        se=found.se,
        df=found.df,
        statistic=found.statistic,
        ci_low=found.ci_low,
        ci_high=found.ci_high,
        p_value=found.p_value,
    )


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
        f"After a second infusion ({count} of {row.n_subjects} subjects), {question.value} {verb} than in those of the arm "
        f"infused once, given the values of both before it: {much}. The second infusion was not given by lot. {NOT_CAUSE}"
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
