"""Do the arms differ over the visits after baseline: a mixed model for repeated measures, and the contrast at a visit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cytoreg.stats.assumptions import checked_residuals
from cytoreg.stats.equivalence import absence_words, equivalence_row, equivalence_words
from cytoreg.stats.estimate import Estimate
from cytoreg.stats.mmrm import Mmrm, NotConverged, Test, fit_mmrm
from cytoreg.stats.questions import ArmByVisit
from cytoreg.stats.sentence import amount, is_clear, p_shown, p_text
from cytoreg.stats.values import LEAST_SUBJECTS, Data, visit_points

__all__ = ["arm_by_visit", "arm_by_visit_fit"]

METHOD = (
    "Difference of arms: mixed model for repeated measures, value ~ visit + arm × visit + baseline × visit, by REML "
    "with the declared covariance of visits (unstructured where nothing is declared), Kenward–Roger degrees of "
    "freedom; missing visits are taken as missing at random."
)

WORDS = {
    "unstructured": "unstructured",
    "toeplitz": "heterogeneous Toeplitz",
    "ar1": "heterogeneous AR(1)",
    "compound_symmetry": "compound symmetry",
}

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Design:
    """The columns of the model: for each visit its mean, the differences of arms, and the slope on baseline."""

    arms: tuple[str, ...]  # the control first
    visits: tuple[str, ...]
    slopes: bool  # whether baseline varies, and is in the model

    def matrix(self, frame: pd.DataFrame) -> Matrix:
        at = np.eye(len(self.visits))[self.places(frame)]
        is_arm = [(frame["arm"] == arm).to_numpy(float) for arm in self.arms[1:]]
        parts = [at, *(at * indicator[:, None] for indicator in is_arm)]
        if self.slopes:  # centred: the means of a visit are those at the mean baseline
            parts.append(at * (frame["baseline"] - frame["baseline"].mean()).to_numpy()[:, None])
        return np.concatenate(parts, axis=1)

    def places(self, frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
        return pd.Categorical(frame["visit"], categories=list(self.visits)).codes.astype(np.int64)

    def mean(self, arm: str, visit: str) -> Matrix:
        """The weights of an arm's mean at a visit and the mean baseline."""
        k, place = len(self.visits), self.visits.index(visit)
        weights = np.zeros(k * (len(self.arms) + self.slopes))
        weights[place] = 1.0
        weights[k * self.arms.index(arm) + place] = 1.0
        return weights

    def contrast(self, arm: str, visit: str) -> Matrix:
        return self.mean(arm, visit) - self.mean(self.arms[0], visit)


def arm_by_visit(question: ArmByVisit, data: Data) -> list[Estimate]:
    """The difference of arms at `contrast_visit` (primary), at the other visits, means of arms, arm x visit F.

    The model is ``value ~ visit + arm * visit + baseline * visit`` by REML with the declared covariance over the
    visits after baseline, of subjects with a baseline value (missing visits are taken as missing at random);
    tests and intervals are Kenward & Roger's. A covariance that cannot be fitted gives way to the first of
    `fallback` that can, and the note says so. With one visit, or `model: ancova`, it is an analysis of
    covariance. With more than two arms the primary row is their joint F at that visit. A model that cannot be
    fitted gives its reason in `note` and no estimate.
    """
    fit, design, blank, notes = arm_by_visit_fit(question, data)
    if fit is None or design is None:
        return [blank]
    control, *treated = design.arms
    at = question.contrast_visit
    rows: list[Estimate] = []
    for visit in [at, *(name for name in design.visits if name != at)]:
        for arm in treated:
            row = replace(
                blank, term=f"arm difference at {visit}", visit=visit, arm=arm, contrast=f"{arm} - {control}"
            )
            row = _interval(row, fit.test(design.contrast(arm, visit)))
            is_answer = visit == at and len(treated) == 1
            rows.append(replace(row, primary=is_answer, note=notes if is_answer else ""))
            if question.equivalence is not None and visit == at:
                rows.append(equivalence_row(rows[-1], question.equivalence))
    if len(treated) > 1:
        joint = _joint(blank, fit, [design.contrast(arm, at) for arm in treated])
        rows.insert(0, replace(joint, term=f"arms differ at {at} (F)", note=notes))
    if len(design.visits) > 1:
        first, *others = design.visits
        table = [design.contrast(arm, visit) - design.contrast(arm, first) for arm in treated for visit in others]
        rows.append(replace(_joint(blank, fit, table), term="arm x visit (F)", visit="", primary=False))
    for visit in design.visits:
        for arm in design.arms:
            row = replace(blank, term=f"mean at {visit}", visit=visit, arm=arm, primary=False, predictor="")
            row = _interval(row, fit.test(design.mean(arm, visit)))
            rows.append(replace(row, statistic=math.nan, p_value=math.nan))
    return rows


def arm_by_visit_fit(question: ArmByVisit, data: Data) -> tuple[Mmrm | None, Design | None, Estimate, str]:
    """The model of a question, its columns, a blank row and what to note; no model: the row holds the reason."""
    values = data.value(question.value, "value", question.scale)
    data.rows_at(question.contrast_visit, "contrast_visit")
    data.category(data.read.plan.treatment.arm, "type")
    frame, lost = _after_baseline(values, data)
    at = question.contrast_visit
    arms = sorted(set(frame["arm"]))
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term=f"arm difference at {at}",
        outcome=question.value,
        predictor=data.read.plan.treatment.arm,
        visit=at,
        n_subjects=frame["subject"].nunique(),
        n_observations=len(frame),
        primary=True,
    )
    if len(arms) < 2:
        note = f"{len(arms)} arms with values at baseline and after it: two are needed"
        return None, None, replace(blank, note=note), note
    control, remark = data.control(arms)
    frame, visits, unseen = _shared_visits(frame, arms, data.visits())
    notes = [note for note in (remark, lost, unseen) if note]
    if question.model == "ancova":
        frame, visits = frame[frame["visit"] == at].reset_index(drop=True), [at] if at in visits else []
    elif len(visits) == 1:
        notes.append("one visit after baseline: analysis of covariance")
    blank = replace(blank, n_subjects=frame["subject"].nunique(), n_observations=len(frame))
    if at not in visits or frame[frame["visit"] == at].groupby("arm")["subject"].nunique().min() < LEAST_SUBJECTS:
        reason = f"an arm has fewer than {LEAST_SUBJECTS} subjects at {at}"
        return None, None, replace(blank, note="; ".join([reason, *notes])), reason
    if np.ptp(frame["value"]) == 0:
        reason = "the value is the same at all visits"
        return None, None, replace(blank, note="; ".join([reason, *notes])), reason
    varies = bool(np.ptp(frame["baseline"]) > 0)
    design = Design((control, *(arm for arm in arms if arm != control)), tuple(visits), varies)
    fit, said = _fit(question, frame, design)
    notes += said
    if fit is None:
        return None, None, replace(blank, note="; ".join(notes)), notes[-1]
    there = frame[frame["visit"] == at]
    one = replace(design, visits=(at,), slopes=varies and bool(np.ptp(there["baseline"]) > 0))
    notes += [note for note in [checked_residuals(one.matrix(there), there["value"], 1)] if note]
    return fit, design, blank, "; ".join(notes)


def _fit(question: ArmByVisit, frame: pd.DataFrame, design: Design) -> tuple[Mmrm | None, list[str]]:
    """By the declared covariance, or the first of the fallback that can be fitted, and what is to be said of it."""
    x, place = design.matrix(frame), design.places(frame)
    y, subject = frame["value"].to_numpy(float), frame["subject"].to_numpy(str)
    failed: list[str] = []
    for structure in dict.fromkeys([question.covariance, *question.fallback]):
        try:
            fit = fit_mmrm(y, x, subject, place, structure)
            df = fit.test(design.contrast(design.arms[1], question.contrast_visit)).df
            if not (np.isfinite(np.diag(fit.adjusted)).all() and (np.diag(fit.adjusted) > 0).all() and df >= 1):
                raise NotConverged("the data are too few for the degrees of freedom of its contrasts")
        except (NotConverged, np.linalg.LinAlgError) as problem:
            failed.append(f"{WORDS[structure]}: {problem}")
            if len(design.visits) == 1:
                break
            continue
        if not failed:
            return fit, []
        return fit, [
            f"covariance of the visits {WORDS[structure]}, as others were not to be had ({'; '.join(failed)})"
        ]
    return None, [f"the model could not be fitted ({'; '.join(failed)})"]


def _after_baseline(values: pd.Series, data: Data) -> tuple[pd.DataFrame, str]:
    """Rows after baseline of subjects with a baseline value: subject, arm, visit, baseline, value."""
    start, linked = data.rows_at("baseline", "value"), data.linked
    place = linked["visit"].map({name: i for i, name in enumerate(data.visits())})
    known = start[values.loc[start].notna().to_numpy()]
    frame = pd.DataFrame(
        {
            "subject": linked["subject_id"].astype(object),
            "arm": data.arms(),
            "visit": linked["visit"].astype(object),
            "value": values,
            "day": linked["day"].astype(float),
            "place": place,
        }
    ).dropna(subset=["value", "arm"])
    has = frame["subject"].isin(known.index)
    without = frame.loc[~has, "subject"].nunique()
    frame = frame[has]
    first = known.loc[frame["subject"]].to_numpy()
    since = frame["day"] - linked["day"].astype(float).loc[first].to_numpy()
    steps = frame["place"] - place.loc[first].to_numpy()
    frame = frame.assign(baseline=values.loc[first].to_numpy())[since.fillna(steps) > 0]
    note = f"{without} subjects without a baseline value are left out" if without else ""
    return frame[["subject", "arm", "visit", "baseline", "value"]].reset_index(drop=True), note


def _shared_visits(
    frame: pd.DataFrame, arms: Sequence[str], order: Sequence[str]
) -> tuple[pd.DataFrame, list[str], str]:
    """Only the visits at which every arm has a value."""
    seen = frame.groupby("visit")["arm"].nunique()
    visits = [name for name in order if seen.get(name, 0) == len(arms)]
    lost = [name for name in order if 0 < seen.get(name, 0) < len(arms)]
    note = f"left out, as an arm has no value there: {', '.join(lost)}" if lost else ""
    return frame[frame["visit"].isin(visits)].reset_index(drop=True), visits, note


def _interval(row: Estimate, test: Test) -> Estimate:
    from scipy import stats

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


def _joint(row: Estimate, fit: Mmrm, weights: Sequence[Matrix]) -> Estimate:
    """That all contrasts are 0."""
    test = fit.test(np.stack(weights))
    said = f"F({test.df_top:g}, {test.df:.4g})"
    return replace(row, statistic=test.statistic, df=test.df, p_value=test.p_value, contrast=said)


def sentence(question: ArmByVisit, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    counted = f"{row.n_subjects} subjects"
    if math.isnan(row.estimate):
        verb = "differed" if is_clear(row) else "did not clearly differ"
        absence = absence_words(row, "difference")
        return f"At {row.visit} the arms {verb} in {question.value} ({counted}; {p_text(p_shown(row))}).{absence}"
    treated, _, control = row.contrast.partition(" - ")
    if not is_clear(row):
        start = f"{question.value} was not clearly different between {treated} and {control}"
    else:
        start = f"{question.value} was {'higher' if row.estimate > 0 else 'lower'} in {treated} than in {control}"
    much = amount(question.value, question.scale, row, "a difference of")
    more = equivalence_words(row, question.equivalence, "difference")
    return f"At {row.visit}, {start} for the same baseline value ({counted}): {much}.{more}"


def title(question: ArmByVisit, say: Callable[[str], str]) -> str:
    """What is asked."""
    return f"Do the arms differ in {say(question.value)} at {question.contrast_visit}?"


def points(question: ArmByVisit, data: Data) -> tuple[pd.DataFrame, str, str]:
    """x: the study day, or the visit's place where there are no days; y: the value, baseline included."""
    frame, linked = visit_points(data), data.linked
    order = {name: float(index) for index, name in enumerate(data.visits())}
    days = linked["day"].astype(float)
    has_days = bool(days.notna().any())
    frame["x"] = days if has_days else linked["visit"].map(order)
    frame["y"] = data.column(question.value, "value")
    return frame, "study day" if has_days else "visit", question.value
