"""What each analysis estimates, in the five parts of ICH E9(R1): treatment, population, variable, events, summary.

ICH E9(R1), Addendum on estimands and sensitivity analysis in clinical trials, 2019, section A.3. A type's module may say its
own with `estimand(question, plan)`; the plan's strategy for missing values and for a repeated infusion is added here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cytoreg.stats.missing.strategy import IMPUTABLE, RESPONSES
from cytoreg.stats.plan import Plan
from cytoreg.stats.questions import home_of

__all__ = ["Estimand", "estimand_of", "estimands"]


@dataclass(frozen=True)
class Estimand:
    """The five attributes of E9(R1), and what stands for missing values, which is of the estimator."""

    treatment: str
    population: str
    variable: str
    intercurrent_events: str
    summary: str
    missing: str = ""


def estimands(plan: Plan) -> dict[str, dict[str, str]]:
    """Of each analysis, its estimand as plain data."""
    return {name: asdict(estimand_of(plan, name)) for name in plan.analyses}


def estimand_of(plan: Plan, name: str) -> Estimand:
    """The estimand of an analysis of a plan."""
    question = plan.analyses[name]
    own = getattr(home_of(question.type), "estimand", None)
    if own is not None:
        said = own(question, plan)
        found = said if isinstance(said, Estimand) else Estimand(**said)
    else:
        variable, summary = _OF_TYPES.get(question.type, _of_any)(question)
        found = Estimand(
            treatment=_treatment(question, plan),
            population=_population(question),
            variable=variable,
            intercurrent_events=_events(question),
            summary=summary,
        )
    if found.missing:
        return found
    return Estimand(**{**asdict(found), "missing": _missing(plan, name)})


def _treatment(question: Any, plan: Plan) -> str:
    arm, control = plan.treatment.arm, plan.treatment.control
    if question.type in ("arm_by_visit", "mediation"):
        against = f"against {control}" if control else "against one another"
        return f"the arms of `{arm}` as assigned, {against}"
    if question.type == "paired_change" and question.by == arm:
        return f"each arm of `{arm}` as assigned; the difference between arms stands beside it"
    if question.type == "repeat_infusion":
        return "a second infusion against none, after one; the first infusion stands beside it"
    if question.type == "time_to_loss":
        return "the treatment that led to the first response; arms among responders are not randomised groups"
    return "none is compared: an association over the treatments as they were given"


def _population(question: Any) -> str:
    kind = question.type
    if kind in ("paired_change", "change_correlation"):
        return f"the trial's patients with a value at {question.from_}"
    if kind in ("arm_by_visit", "mediation"):
        return "the trial's randomised patients with a value at baseline"
    if kind in ("responder", "roc"):
        return f"the trial's patients under observation at {question.at}"
    if kind == "time_to_loss":
        return "patients who have responded, from their first response"
    if kind == "repeat_infusion":
        return "patients who were infused a second time, which follows relapse"
    if kind == "lagged":
        return f"the trial's patients with values at {2 * question.lag + 1} visits or more"
    if kind in ("repeated_correlation", "within_between"):
        return "the trial's patients with values at two visits or more"
    return "all rows of the linked table with the values"


def _events(question: Any) -> str:
    """How a further infusion, a change of other drugs and stopping are handled."""
    if question.type == "time_to_loss":
        how = {
            "event": "a further infusion counts as the loss of the response (composite strategy)",
            "censor": "follow-up ends at a further infusion, as if it were not to be had (hypothetical strategy)",
            "weight": "follow-up ends at a further infusion and those like the re-infused count for more (hypothetical "
            "strategy, by inverse probability weights)",
        }[question.reinfusion]
        return f"{how}; stopping the trial ends follow-up"
    if question.type == "repeat_infusion":
        return "each infusion starts its own period, which the next one ends (while on treatment strategy)"
    if question.type in ("agreement", "power", "trend"):
        return "none are defined"
    return (
        "values count whatever happened before them, a further infusion or a change of other drugs included (treatment "
        "policy strategy)"
    )


def _missing(plan: Plan, name: str) -> str:
    question, said = plan.analyses[name], plan.missing
    imputation = said.imputation
    parts = []
    named = {str(value) for value in question.model_dump().values() if isinstance(value, str)}
    if question.type in RESPONSES and (responses := [c for c in said.nonresponder_imputation if c in named]):
        parts.append(f"a missing {' or '.join(responses)} at a visit counts as no response")
    if imputation is not None and question.type in IMPUTABLE and name in (imputation.analyses or (name,)):
        method = imputation.method.replace("_", " ")
        parts.append(
            f"components are imputed {imputation.m} times by chained equations ({method}) before scores are made of them, "
            "as missing at random given the other values, visits and arm; pooled by Rubin's rules"
        )
        for point in said.tipping_point:
            if point.analysis == name:
                shifts = ", ".join(f"{delta:+g}" for delta in point.deltas)
                parts.append(f"imputed values are shifted by {shifts} to see when the answer is lost")
    if not parts:
        at_random = {"arm_by_visit", "within_between", "repeat_infusion"}
        parts.append(
            "missing visits are taken as missing at random given the values that are there"
            if question.type in at_random
            else "patients without the values are left out, as missing completely at random"
        )
    return "; ".join(parts)


SCALES: Mapping[str, str] = {"logit": " on the log-odds scale", "log": " on the logarithmic scale"}


def _scale(question: Any) -> str:
    return SCALES.get(str(getattr(question, "scale", "")), "")


def _of_change(q: Any) -> tuple[str, str]:
    return (
        f"change of {q.value} from {q.from_} to {q.to}{_scale(q)}",
        "mean within the arm, and difference of means",
    )


def _of_arms(q: Any) -> tuple[str, str]:
    what = f"{q.value}{_scale(q)} at {q.contrast_visit}, given its value at baseline"
    return what, "difference of adjusted means between arms"


def _of_changes(q: Any) -> tuple[str, str]:
    what = f"changes of {q.x} and of {q.y} from {q.from_} to {q.to}"
    return what, f"{q.method.capitalize()} correlation within arms, given the values at {q.from_}"


def _of_repeated(q: Any) -> tuple[str, str]:
    return f"{q.x} and {q.y} at each visit", "common correlation within patients, given visit and arm"


def _of_within(q: Any) -> tuple[str, str]:
    return f"{q.y} at each visit, with {q.x}", "slope within patients and slope between patients"


def _of_lagged(q: Any) -> tuple[str, str]:
    what = f"change of {q.y} over {q.lag} visits, given {q.x} before it, and the reverse"
    return what, "slope, given its own earlier change, visit and arm"


def _of_responder(q: Any) -> tuple[str, str]:
    return f"{q.outcome} at {q.at}, with {q.value}", "odds ratio"


def _of_roc(q: Any) -> tuple[str, str]:
    return f"{q.outcome} at {q.at}, told by {q.value}", "area under the receiver operating characteristic"


def _of_loss(q: Any) -> tuple[str, str]:
    what = f"time from the first visit with {q.outcome} to the first of two visits in a row without it"
    return what, "median and curve of Kaplan-Meier" + (f"; hazard ratio for {q.covariate}" if q.covariate else "")


def _of_repeat(q: Any) -> tuple[str, str]:
    what = f"{q.value} at the first visit after a second infusion, given its values before"
    return what, "mean difference between those infused again and those who were not"


def _of_mediation(q: Any) -> tuple[str, str]:
    what = f"{q.outcome} at {q.outcome_at}, with {q.mediator} at {q.mediator_at} between"
    return what, "indirect effect: product of coefficients"


def _of_cytokines(q: Any) -> tuple[str, str]:
    return (
        f"{', '.join(q.values)} from {q.from_} to {q.to}",
        "mean change, values below the limit taken as censored",
    )


def _of_trend(q: Any) -> tuple[str, str]:
    return f"{q.value}{_scale(q)} with {q.on}", "slope for each unit"


def _of_agreement(q: Any) -> tuple[str, str]:
    return f"{q.value}{_scale(q)}", f"share of the variance of {', '.join(q.components)}"


def _of_power(q: Any) -> tuple[str, str]:
    return f"the test of `{q.analysis}`", f"probability of p < 0.05 at an effect of {q.effect:g}"


def _of_any(q: Any) -> tuple[str, str]:
    given = q.model_dump(by_alias=True)
    named = [str(given[key]) for key in ("value", "x", "y", "outcome") if given.get(key)]
    return " and ".join(named) or q.type, "the estimate of the primary row"


_OF_TYPES: Mapping[str, Callable[[Any], tuple[str, str]]] = {
    "paired_change": _of_change,
    "arm_by_visit": _of_arms,
    "change_correlation": _of_changes,
    "repeated_correlation": _of_repeated,
    "within_between": _of_within,
    "lagged": _of_lagged,
    "responder": _of_responder,
    "roc": _of_roc,
    "time_to_loss": _of_loss,
    "repeat_infusion": _of_repeat,
    "mediation": _of_mediation,
    "cytokines": _of_cytokines,
    "trend": _of_trend,
    "agreement": _of_agreement,
    "power": _of_power,
}
