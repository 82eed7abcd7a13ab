"""Who responds: a value, or the arm, held against a yes or no at a visit (logistic) or at all visits (GEE)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.errors import AnalysisError
from cytoreg.stats.binary import NoFit, fit_gee, fit_logistic
from cytoreg.stats.equivalence import absence_words
from cytoreg.stats.estimate import DESCRIPTIVE, SENSITIVITY, Estimate
from cytoreg.stats.questions import Responder
from cytoreg.stats.sentence import NOT_CAUSE, is_clear, p_of, p_shown, p_text
from cytoreg.stats.values import LEAST_SUBJECTS, Data

__all__ = ["responder"]

METHOD = (
    "Response: logistic regression with likelihood ratio tests and profile likelihood intervals, by Firth's penalised "
    "likelihood where answers are separated; over several visits GEE with Mancl and DeRouen's standard errors."
)

LEAST_EACH = 3  # subjects with and without the outcome
FEW = 5  # of the rarer answer for each term of the model, below which that is said

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Seen:
    """A row a subject's visit: subject, arm, visit, outcome, value, baseline (of the value) and the columns of adjust."""

    frame: pd.DataFrame
    arms: tuple[str, ...]  # the control first
    adjust: tuple[str, ...]  # columns of the frame
    notes: tuple[str, ...]


def responder(question: Responder, data: Data) -> list[Estimate]:
    """The log odds ratio of the outcome: for one unit more of a value, or of an arm against the control (primary).

    With `at`: logistic regression, p by likelihood ratio, interval by profile likelihood; Firth's penalty where a
    combination of terms separates the answers, and the note says so. Without: GEE over the visits after baseline,
    with visits (and for a value visit x arm) taken out, Mancl & DeRouen's standard errors and t on subjects less
    terms. Beside it the crude odds ratio of a value; of arms the share of each, their risk difference by
    Newcombe's interval, and Fisher's exact test.
    """
    seen = _seen(question, data)
    frame = seen.frame
    per_subject = frame.groupby("subject")["outcome"].agg(["min", "max"])
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term="log odds ratio",
        outcome=question.outcome,
        predictor=question.value or data.read.plan.treatment.arm,
        visit=question.at or "",
        n_subjects=len(per_subject),
        n_observations=len(frame),
        primary=True,
        note="; ".join(seen.notes),
    )
    reason = ""
    if len(frame) < LEAST_SUBJECTS:
        reason = f"{len(frame)} subjects with all values: at least {LEAST_SUBJECTS} are needed"
    elif question.value is None and len(seen.arms) < 2:
        reason = f"{len(seen.arms)} arms with an outcome: two are needed"
    elif min((per_subject["max"] == 1).sum(), (per_subject["min"] == 0).sum()) < LEAST_EACH:
        reason = f"fewer than {LEAST_EACH} subjects with, or without, the outcome"
    elif question.value is not None and np.ptp(frame["value"]) == 0:
        reason = "the value is the same in all subjects"
    if reason:
        return [replace(blank, note="; ".join([reason, *seen.notes]))]
    try:
        return (
            _at_one_visit(question, seen, blank) if question.at is not None else _repeated(question, seen, blank)
        )
    except (NoFit, np.linalg.LinAlgError) as problem:
        return [replace(blank, note="; ".join([str(problem), *seen.notes]))]


def _at_one_visit(question: Responder, seen: Seen, blank: Estimate) -> list[Estimate]:
    frame, control = seen.frame, seen.arms[0] if seen.arms else ""
    y = frame["outcome"].to_numpy(float)
    others, asked = _columns(seen, seen.adjust), _asked(question, seen)
    x = np.column_stack([np.ones(len(y)), asked, others])
    fit = fit_logistic(y, x)
    notes = [blank.note] if blank.note else []
    rare = int(min(y.sum(), len(y) - y.sum()))
    if fit.penalised:
        notes.append("the terms separate the answers: Firth's penalised likelihood")
    elif rare < FEW * (x.shape[1] - 1):
        notes.append(f"{rare} of the rarer answer for {x.shape[1] - 1} terms: the estimate may be too far from 0")
    blank = replace(blank, note="; ".join(notes))
    rows: list[Estimate] = []
    width = asked.shape[1]
    for place in range(width):
        statistic, p = fit.p_value([place + 1])
        low, high = fit.interval(place + 1)
        row = replace(
            blank,
            term=f"log odds ratio{_adjusted(seen)}",
            estimate=float(fit.beta[place + 1]),
            se=math.sqrt(float(fit.covariance[place + 1, place + 1])),
            df=1.0,
            statistic=statistic,
            ci_low=low,
            ci_high=high,
            p_value=p,
            primary=width == 1,
        )
        if question.value is None:
            row = replace(row, arm=seen.arms[place + 1], contrast=f"{seen.arms[place + 1]} - {control}")
        rows.append(row if width == 1 else replace(row, note=""))
    if width > 1:
        statistic, p = fit.p_value(list(range(1, width + 1)))
        joint = replace(
            blank, term=f"arms differ{_adjusted(seen)}", df=float(width), statistic=statistic, p_value=p
        )
        rows.insert(0, joint)
    plain = replace(blank, primary=False, note="")
    if question.value is None:
        return [*rows, *_shares(seen, plain)]
    return [*rows, *_crude(y, asked, plain)] if seen.adjust else rows


def _crude(y: Matrix, asked: Matrix, blank: Estimate) -> list[Estimate]:
    fit = fit_logistic(y, np.column_stack([np.ones(len(y)), asked]))
    statistic, p = fit.p_value([1])
    low, high = fit.interval(1)
    se = math.sqrt(float(fit.covariance[1, 1]))
    row = replace(
        blank, term="log odds ratio, crude", estimate=float(fit.beta[1]), se=se, df=1.0, note=DESCRIPTIVE
    )
    return [replace(row, statistic=statistic, ci_low=low, ci_high=high, p_value=p)]


def _shares(seen: Seen, blank: Estimate) -> list[Estimate]:
    """The share of each arm (Wilson 1927), differences (Newcombe, Stat Med 1998;17:873-890) and Fisher's exact p."""
    from scipy.stats import fisher_exact
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

    by_arm = seen.frame.groupby("arm")["outcome"]
    counts = {str(arm): (int(own.sum()), len(own)) for arm, own in by_arm}
    rows = []
    for arm in seen.arms:
        yes, n = counts[arm]
        low, high = proportion_confint(yes, n, method="wilson")
        row = replace(blank, term="share with the outcome", arm=arm, n_subjects=n, n_observations=n, predictor="")
        rows.append(replace(row, estimate=yes / n, ci_low=float(low), ci_high=float(high)))
    base, m = counts[seen.arms[0]]
    for arm in seen.arms[1:]:
        yes, n = counts[arm]
        low, high = confint_proportions_2indep(yes, n, base, m, compare="diff", method="newcomb")
        row = replace(blank, arm=arm, contrast=f"{arm} - {seen.arms[0]}", n_subjects=n + m, n_observations=n + m)
        exact = float(fisher_exact([[yes, n - yes], [base, m - base]])[1])
        rows.append(
            replace(
                row,
                term="risk difference, p by Fisher's exact test",
                estimate=yes / n - base / m,
                ci_low=float(low),
                ci_high=float(high),
                p_value=exact,
                note=f"{SENSITIVITY}; interval by Newcombe",
            )
        )
    return rows


def _repeated(question: Responder, seen: Seen, blank: Estimate) -> list[Estimate]:
    """GEE; visits are always taken out, and with a value what each visit does to each arm."""
    from scipy import stats

    frame = seen.frame
    cell = frame["visit"] if question.value is None else frame["visit"] + "\n" + frame["arm"].fillna("")
    ground = pd.get_dummies(cell, dtype=float).to_numpy()
    asked = _asked(question, seen)
    others = _columns(seen, tuple(name for name in seen.adjust if name != "arm"))
    fit = fit_gee(
        frame["outcome"], np.column_stack([asked, ground, others]), frame["subject"], question.correlation
    )
    df = float(fit.subjects - len(fit.beta))
    if df < 1:
        raise NoFit("the model has more terms than the data can tell apart")
    term = f"log odds ratio over all visits (GEE, {question.correlation})"
    half = float(stats.t.ppf(0.975, df))
    rows = []
    width = asked.shape[1]
    for place in range(width):
        estimate, se = float(fit.beta[place]), math.sqrt(float(fit.corrected[place, place]))
        row = replace(
            blank,
            term=term,
            estimate=estimate,
            se=se,
            df=df,
            statistic=estimate / se,
            ci_low=estimate - half * se,
            ci_high=estimate + half * se,
            p_value=float(2 * stats.t.sf(abs(estimate / se), df)),
            primary=width == 1,
        )
        if question.value is None:
            row = replace(row, arm=seen.arms[place + 1], contrast=f"{seen.arms[place + 1]} - {seen.arms[0]}")
        rows.append(row)
    if width > 1:
        effect = fit.beta[:width]
        statistic = float(effect @ np.linalg.solve(fit.corrected[:width, :width], effect)) / width
        p = float(stats.f.sf(statistic, width, df))
        rows.insert(
            0, replace(blank, term="arms differ over all visits (GEE)", df=df, statistic=statistic, p_value=p)
        )
    return rows


def _asked(question: Responder, seen: Seen) -> Matrix:
    """The columns in question, (n, 1) of a value, (n, arms - 1) of arms."""
    if question.value is not None:
        return seen.frame[["value"]].to_numpy(float)
    return np.column_stack([(seen.frame["arm"] == arm).to_numpy(float) for arm in seen.arms[1:]])


def _columns(seen: Seen, names: tuple[str, ...]) -> Matrix:
    """Numbers centred, groups as indicators of all but the first."""
    parts: list[Matrix] = [np.empty((len(seen.frame), 0))]
    for name in names:
        column = seen.frame[name]
        if pd.api.types.is_numeric_dtype(column):
            if np.ptp(column) > 0:
                parts.append((column - column.mean()).to_numpy(float)[:, None])
        else:
            parts.append(pd.get_dummies(column.astype(str), dtype=float).to_numpy()[:, 1:])
    return np.concatenate(parts, axis=1)


def _adjusted(seen: Seen) -> str:
    return f", adjusted for {' and '.join(seen.adjust)}" if seen.adjust else ""


def _seen(question: Responder, data: Data) -> Seen:
    outcome = _answers(question, data)
    start = data.rows_at(question.from_, "from")
    if question.at is not None:
        there = data.rows_at(question.at, "at")
        frame = pd.DataFrame({"subject": there.index, "row": there.to_numpy()})
    else:
        order = {name: i for i, name in enumerate(data.visits())}
        place = data.linked["visit"].map(order)
        frame = pd.DataFrame({"subject": data.linked["subject_id"], "row": data.linked.index, "place": place})
        frame = frame[frame["subject"].isin(start.index)]
        frame = frame[frame["place"].to_numpy() > place.loc[start.loc[frame["subject"]]].to_numpy()]
    frame["outcome"] = outcome.loc[frame["row"]].to_numpy()
    frame["visit"] = data.linked["visit"].loc[frame["row"]].to_numpy(dtype=object)
    arm = data.arms()
    frame["arm"] = arm.loc[frame["row"]].to_numpy()
    notes: list[str] = []
    has_arms = bool(frame["arm"].notna().any())
    adjust = question.adjust
    if adjust is None:
        adjust = ("arm",) if has_arms and question.value is not None else ()
        adjust += ("baseline",) if question.value is not None and question.value_as == "change" else ()
    if question.value is not None:
        values = data.value(question.value, "value", question.scale)
        frame["baseline"] = _by_subject(values, start, frame["subject"])
        frame["value"] = values.loc[frame["row"]].to_numpy()
        if question.value_at is not None:
            frame["value"] = _by_subject(values, data.rows_at(question.value_at, "value_at"), frame["subject"])
        if question.value_as == "change":
            frame["value"] = frame["value"] - frame["baseline"]
    treatment = data.read.plan.treatment.arm
    names = tuple(dict.fromkeys("arm" if name == treatment else name for name in adjust))
    for name in names:
        if name == "baseline" and question.value is None:
            place_of = data.read.where(data.analysis, "adjust")
            raise AnalysisError(f"{place_of}: 'baseline' is that of `value`, and there is none")
        if name in ("arm", "baseline"):
            continue
        found = data.linked[name] if name in data.linked.columns else data.column(name, "adjust")
        numeric = isinstance(found.dtype, pd.BooleanDtype) or pd.api.types.is_numeric_dtype(found)
        column = data.column(name, "adjust") if numeric else data.category(name, "adjust")
        frame[name] = _by_subject(column, start, frame["subject"])
    if question.value is None:
        names = tuple(name for name in names if name != "arm")
    needed = ["outcome", *(["value"] if question.value is not None else ["arm"]), *names]
    known = frame["outcome"].notna()
    lost = int(frame[known & frame[needed].isna().any(axis=1)]["subject"].nunique())
    if lost:
        notes.append(f"{lost} subjects with an outcome lack another value and are left out")
    frame = frame.dropna(subset=needed).reset_index(drop=True)
    arms = sorted(set(frame["arm"].dropna()))
    if arms and question.value is None:
        control, remark = data.control(arms)
        notes += [remark] if remark else []
        arms = [control, *(name for name in arms if name != control)]
    return Seen(frame, tuple(arms), names, tuple(notes))


def _answers(question: Responder, data: Data) -> pd.Series:
    """The outcome as 0, 1 and NaN."""
    found = data.column(question.outcome, "outcome")
    wrong = found[found.notna() & ~found.isin([0.0, 1.0])]
    if len(wrong):
        place = data.read.where(data.analysis, "outcome")
        raise AnalysisError(
            f"{place}: column '{question.outcome}' holds {wrong.iloc[0]:g}, expected a column of yes and no"
        )
    return found


def _by_subject(values: pd.Series, rows: pd.Series, subjects: pd.Series) -> Any:
    """The value of each subject at its row of `rows`, missing where it has none."""
    return subjects.map(pd.Series(values.loc[rows].to_numpy(), index=rows.index)).to_numpy()


def sentence(question: Responder, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    when = f"at {question.at}" if question.at is not None else "over all visits after baseline"
    counted = f"{row.n_subjects} subjects"
    if math.isnan(row.estimate):
        verb = "differed" if is_clear(row) else "did not clearly differ"
        start = f"The arms {verb} in {question.outcome} {when} ({counted}; {p_text(p_shown(row))})."
        return start + absence_words(row, "difference")
    ratio, low, high = (math.exp(min(v, 700.0)) for v in (row.estimate, row.ci_low, row.ci_high))
    much = f"odds multiplied by {ratio:.3g} (95 % interval {low:.3g} to {high:.3g}; {p_of(row)})"
    how = "more often" if row.estimate > 0 else "less often"
    if question.value is None:
        treated, _, control = row.contrast.partition(" - ")
        if is_clear(row):
            return (
                f"{question.outcome} {when} was reached {how} in {treated} than in {control} ({counted}): {much}."
            )
        start = (
            f"{question.outcome} {when} was not clearly different in {treated} and {control} ({counted}): {much}."
        )
        return start + absence_words(row, "difference")
    change = f" since {question.from_}" if question.value_as == "change" else ""
    unit = {"linear": "one unit", "logit": "one unit of log odds", "log": "one unit of natural log"}[
        question.scale
    ]
    if " % of " in question.value and question.scale == "linear":
        unit = "one percentage point"
    what = f"a {'rise' if change else 'value'} of {question.value}{change} greater by {unit}"
    if is_clear(row):
        start = f"Subjects with {what} had {question.outcome} {when} {how} ({counted}): {much}."
    else:
        start = f"{question.outcome} {when} did not clearly go with {what} ({counted}): {much}."
    return f"{start} {NOT_CAUSE}"


def title(question: Responder, say: Callable[[str], str]) -> str:
    """What is asked."""
    when = f"at {question.at}" if question.at is not None else "over the visits"
    if question.value is None:
        return f"Do the arms differ in {say(question.outcome)} {when}?"
    what = "the change of " if question.value_as == "change" else ""
    return f"Does {what}{say(question.value)} go with {say(question.outcome)} {when}?"


def points(question: Responder, data: Data) -> tuple[pd.DataFrame, str, str]:
    """x: the value (of arms their place), y: the outcome, 0 or 1."""
    seen = _seen(question, data)
    frame = seen.frame[["subject", "arm", "visit"]].rename(columns={"subject": "subject_id"})
    change = "change of " if question.value_as == "change" else ""
    if question.value is None:
        frame["x"] = seen.frame["arm"].map({arm: float(i) for i, arm in enumerate(seen.arms)})
    else:
        frame["x"] = seen.frame["value"]
    frame["y"] = seen.frame["outcome"]
    return frame, "arm" if question.value is None else f"{change}{question.value}", question.outcome
