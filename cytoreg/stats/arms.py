"""Do the arms differ over the visits after baseline: a linear mixed model, and the contrast at one visit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from cytoreg.stats.estimate import Estimate
from cytoreg.stats.questions import ArmByVisit
from cytoreg.stats.sentence import amount, is_clear, p_shown, p_text
from cytoreg.stats.values import LEAST_SUBJECTS, Data, visit_points

__all__ = ["arm_by_visit", "satterthwaite_df"]

METHOD = (
    "Difference of arms: linear mixed model, value ~ baseline + arm × visit with a random intercept of "
    "the subject, by REML, Satterthwaite degrees of freedom; missing visits are taken as missing at random."
)

OPTIMISERS = ("lbfgs", "bfgs", "cg", "powell")
NO_VARIANCE = 1e-6  # of subjects, as a share of the residual variance: as good as none
STEP = 1e-3  # relative, of the derivatives by the variances

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Fit:
    """Fixed effects of a model: estimates, covariance, and the degrees of freedom of a contrast of them."""

    beta: Matrix
    covariance: Matrix
    endog: Matrix
    exog: Matrix
    groups: Matrix | None  # None: ordinary least squares
    sigma2: float
    tau2: float

    def df(self, contrast: Matrix) -> float:
        residual = float(len(self.endog) - len(self.beta))
        if self.groups is None or self.tau2 <= NO_VARIANCE * self.sigma2:
            return residual
        found = satterthwaite_df(self.endog, self.exog, self.groups, self.sigma2, self.tau2, contrast)
        return min(found, residual) if found > 1 else residual


def arm_by_visit(question: ArmByVisit, data: Data) -> list[Estimate]:
    """The difference of arms at `contrast_visit` (primary), at the other visits, and the arm x visit Wald test.

    The model is ``value ~ baseline + arm * visit`` with a random intercept of subject, by REML, on the visits
    after baseline of subjects with a baseline value (missing visits are taken as missing at random). A
    contrast is tested by Student's t with Satterthwaite's degrees of freedom. With one visit it is an
    analysis of covariance. With more than two arms the primary row is their joint Wald test at that visit. A
    model that does not converge gives its reason in `note` and no estimate.
    """
    values = data.value(question.value, "value", question.scale)
    data.rows_at(question.contrast_visit, "contrast_visit")
    data.category(data.read.plan.treatment.arm, "type")
    frame, lost = _after_baseline(values, data)
    arms = sorted(set(frame["arm"]))
    blank = Estimate(
        analysis=data.analysis,
        type=question.type,
        term=f"arm difference at {question.contrast_visit}",
        outcome=question.value,
        predictor=data.read.plan.treatment.arm,
        visit=question.contrast_visit,
        n_subjects=frame["subject"].nunique(),
        n_observations=len(frame),
        primary=True,
    )
    if len(arms) < 2:
        return [replace(blank, note=f"{len(arms)} arms with values at baseline and after it: two are needed")]
    control, remark = data.control(arms)
    frame, visits, unseen = _shared_visits(frame, arms, data.visits())
    notes = [note for note in (remark, lost, unseen) if note]
    blank = replace(blank, n_subjects=frame["subject"].nunique(), n_observations=len(frame))
    at_visit = frame[frame["visit"] == question.contrast_visit].groupby("arm")["subject"].nunique()
    if question.contrast_visit not in visits or at_visit.min() < LEAST_SUBJECTS:
        reason = f"an arm has fewer than {LEAST_SUBJECTS} subjects at {question.contrast_visit}"
        return [replace(blank, note="; ".join([reason, *notes]))]
    treated = [arm for arm in arms if arm != control]
    design, names = _design(frame, treated, visits, question.contrast_visit)
    if len(visits) == 1:
        notes.append("one visit after baseline: analysis of covariance")
    fit, failure = _fit(frame, design, repeated=len(visits) > 1)
    if fit is None:
        return [replace(blank, note="; ".join([failure, *notes]))]

    rows: list[Estimate] = []
    for visit in [question.contrast_visit, *(name for name in visits if name != question.contrast_visit)]:
        for arm in treated:
            weights = _contrast(names, arm, visit, question.contrast_visit)
            row = replace(
                blank, term=f"arm difference at {visit}", visit=visit, arm=arm, contrast=f"{arm} - {control}"
            )
            row = _tested(row, fit, weights)
            is_answer = visit == question.contrast_visit and len(treated) == 1
            rows.append(replace(row, primary=is_answer, note="; ".join(notes) if is_answer else ""))
    if len(treated) > 1:
        joint = _wald(blank, fit, [_contrast(names, arm, "", "") for arm in treated])
        rows.insert(
            0, replace(joint, term=f"arms differ at {question.contrast_visit} (Wald)", note="; ".join(notes))
        )
    if len(visits) > 1:
        places = [index for name, index in names.items() if name[0] and name[1]]
        wald = _wald(blank, fit, [np.eye(len(names))[index] for index in places])
        rows.append(replace(wald, term="arm x visit (Wald)", visit="", primary=False))
    return rows


def satterthwaite_df(
    endog: Matrix, exog: Matrix, groups: Matrix, sigma2: float, tau2: float, contrast: Matrix
) -> float:
    """Degrees of freedom of a contrast in a random-intercept model: ``2 f^2 / (g' A g)``.

    f is the variance of the contrast as a function of the residual variance sigma2 and that of the
    intercepts, tau2; g its gradient; A the inverse of the information of the two by REML (Satterthwaite
    1946; Fai & Cornelius, J Stat Comput Simul 1996;54:363-378). endog: (n,), exog: (n, p), groups: (n,),
    contrast: (p,). NaN where the information cannot be inverted.
    """
    both = np.column_stack([exog, endog])
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group).astype(float)
    sums = np.zeros((len(sizes), both.shape[1]))
    np.add.at(sums, group, both)
    cross = both.T @ both
    p = exog.shape[1]

    def weighted(theta: Matrix) -> Matrix:
        """[X y]' V^-1 [X y]: V is sigma2 I + tau2 J in each group, whose inverse is known."""
        shrink = theta[1] / (theta[0] * (theta[0] + sizes * theta[1]))
        return cross / theta[0] - (sums * shrink[:, None]).T @ sums

    def deviance(theta: Matrix) -> float:
        m = weighted(theta)
        logs = ((sizes - 1) * np.log(theta[0]) + np.log(theta[0] + sizes * theta[1])).sum()
        rest = m[p, p] - m[p, :p] @ np.linalg.solve(m[:p, :p], m[:p, p])
        return float(logs + np.linalg.slogdet(m[:p, :p])[1] + rest)

    def variance(theta: Matrix) -> float:
        return float(contrast @ np.linalg.solve(weighted(theta)[:p, :p], contrast))

    theta = np.array([sigma2, tau2])
    steps = np.diag(theta * STEP)
    gradient = np.array([(variance(theta + h) - variance(theta - h)) / (2 * h.sum()) for h in steps])
    hessian = np.empty((2, 2))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            hessian[i, j] = (
                deviance(theta + a + b)
                - deviance(theta + a - b)
                - deviance(theta - a + b)
                + deviance(theta - a - b)
            ) / (4 * a.sum() * b.sum())
    try:
        spread = float(gradient @ (2 * np.linalg.inv(hessian)) @ gradient)
    except np.linalg.LinAlgError:
        return math.nan
    return 2 * variance(theta) ** 2 / spread if spread > 0 else math.nan


def _after_baseline(values: pd.Series, data: Data) -> tuple[pd.DataFrame, str]:
    """Rows after baseline of subjects with a baseline value: subject, arm, visit, baseline, value."""
    start = data.rows_at("baseline", "value")
    linked, arms, order = data.linked, data.arms(), {name: i for i, name in enumerate(data.visits())}
    records, without = [], set()
    for row in linked.index[values.notna().to_numpy() & arms.notna().to_numpy()]:
        subject = linked.loc[row, "subject_id"]
        first = start.get(subject)
        if first is None or math.isnan(values.loc[first]):
            without.add(subject)
            continue
        day, origin = linked.loc[row, "day"], linked.loc[first, "day"]
        known = not (pd.isna(day) or pd.isna(origin))
        place, origin_place = order[linked.loc[row, "visit"]], order[linked.loc[first, "visit"]]
        if day > origin if known else place > origin_place:
            records.append((subject, arms.loc[row], linked.loc[row, "visit"], values.loc[first], values.loc[row]))
    frame = pd.DataFrame(records, columns=["subject", "arm", "visit", "baseline", "value"])
    note = f"{len(without)} subjects without a baseline value are left out" if without else ""
    return frame, note


def _shared_visits(
    frame: pd.DataFrame, arms: Sequence[str], order: Sequence[str]
) -> tuple[pd.DataFrame, list[str], str]:
    """Only the visits at which every arm has a value."""
    seen = frame.groupby("visit")["arm"].nunique()
    visits = [name for name in order if seen.get(name, 0) == len(arms)]
    lost = [name for name in order if 0 < seen.get(name, 0) < len(arms)]
    note = f"left out, as an arm has no value there: {', '.join(lost)}" if lost else ""
    return frame[frame["visit"].isin(visits)].reset_index(drop=True), visits, note


def _design(
    frame: pd.DataFrame, treated: Sequence[str], visits: Sequence[str], reference: str
) -> tuple[Matrix, dict[tuple[str, str], int]]:
    """Columns, and where each stands by arm and visit: ("", "") is the intercept, (arm, "") at the reference."""
    ones = np.ones(len(frame))
    columns: dict[tuple[str, str], Any] = {("", ""): ones}
    if np.ptp(frame["baseline"]) > 0:
        columns["", "baseline value"] = (frame["baseline"] - frame["baseline"].mean()).to_numpy()
    is_arm: dict[str, Any] = {arm: (frame["arm"] == arm).astype(float).to_numpy() for arm in treated}
    is_visit: dict[str, Any] = {
        visit: (frame["visit"] == visit).astype(float).to_numpy() for visit in visits if visit != reference
    }
    columns |= {(arm, ""): indicator for arm, indicator in is_arm.items()}
    columns |= {("", visit): indicator for visit, indicator in is_visit.items()}
    columns |= {(arm, visit): is_arm[arm] * is_visit[visit] for arm in treated for visit in is_visit}
    return np.column_stack(list(columns.values())), {name: index for index, name in enumerate(columns)}


def _contrast(names: Mapping[tuple[str, str], int], arm: str, visit: str, reference: str) -> Matrix:
    weights = np.zeros(len(names))
    weights[names[arm, ""]] = 1.0
    if visit != reference:
        weights[names[arm, visit]] = 1.0
    return weights


def _fit(frame: pd.DataFrame, design: Matrix, *, repeated: bool) -> tuple[Fit | None, str]:
    import statsmodels.api as sm

    endog = frame["value"].to_numpy(float)
    if np.linalg.matrix_rank(design) < design.shape[1] or len(endog) <= design.shape[1] + 1:
        return None, "the model has more terms than the data can tell apart"
    if np.ptp(endog) == 0:
        return None, "the value is the same at all visits"
    if not repeated:
        ols = sm.OLS(endog, design).fit()
        return Fit(ols.params, ols.cov_params(), endog, design, None, float(ols.scale), 0.0), ""
    groups = frame["subject"].to_numpy(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance at its border is dealt with here, not on the screen
        for optimiser in OPTIMISERS:
            try:
                found = sm.MixedLM(endog, design, groups=groups).fit(reml=True, method=optimiser)
            except (np.linalg.LinAlgError, ValueError):
                continue
            size = design.shape[1]
            covariance = np.asarray(found.cov_params())[:size, :size]
            if found.converged and np.isfinite(covariance).all():
                beta, sigma2 = np.asarray(found.fe_params), float(found.scale)
                tau2 = float(np.asarray(found.cov_re)[0, 0])
                return Fit(beta, covariance, endog, design, groups, sigma2, tau2), ""
    return None, f"the mixed model did not converge ({', '.join(OPTIMISERS)})"


def _tested(row: Estimate, fit: Fit, weights: Matrix) -> Estimate:
    estimate, se = float(weights @ fit.beta), math.sqrt(float(weights @ fit.covariance @ weights))
    df = fit.df(weights)
    half = float(stats.t.ppf(0.975, df)) * se
    return replace(
        row,
        estimate=estimate,
        se=se,
        df=df,
        statistic=estimate / se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        p_value=float(2 * stats.t.sf(abs(estimate / se), df)),
    )


def _wald(row: Estimate, fit: Fit, weights: Sequence[Matrix]) -> Estimate:
    """That all contrasts are 0, by chi-squared."""
    table = np.stack(weights)
    effect = table @ fit.beta
    statistic = float(effect @ np.linalg.solve(table @ fit.covariance @ table.T, effect))
    df = float(len(weights))
    return replace(row, statistic=statistic, df=df, p_value=float(stats.chi2.sf(statistic, df)))


def sentence(question: ArmByVisit, row: Estimate) -> str:
    """The answer in words, for a clinician."""
    counted = f"{row.n_subjects} subjects"
    if math.isnan(row.estimate):
        verb = "differed" if is_clear(row) else "did not clearly differ"
        return f"At {row.visit} the arms {verb} in {question.value} ({counted}; {p_text(p_shown(row))})."
    treated, _, control = row.contrast.partition(" - ")
    if not is_clear(row):
        start = f"{question.value} was not clearly different between {treated} and {control}"
    else:
        start = f"{question.value} was {'higher' if row.estimate > 0 else 'lower'} in {treated} than in {control}"
    much = amount(question.value, question.scale, row, "a difference of")
    return f"At {row.visit}, {start} for the same baseline value ({counted}): {much}."


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
