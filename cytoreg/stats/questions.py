"""The questions that a plan may ask, one class a type: the keys each takes, their meaning, their defaults.

The answer of each type stands in the module that `HOMES` names: a function with the name of the type gives its rows of
`associations`; `sentence(question, row)` says the primary one in words, `title(question, say)` puts the question, METHOD
is the line for a methods section, and `points(question, data)`, where it is there, gives what a figure shows.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, FiniteFloat, Tag, model_validator

from cytoreg.yamlfile import StrictModel

__all__ = [
    "HOMES",
    "TYPES",
    "Agreement",
    "AnyQuestion",
    "ArmByVisit",
    "ChangeCorrelation",
    "Cytokines",
    "Lagged",
    "Mediation",
    "PairedChange",
    "Power",
    "Question",
    "RepeatInfusion",
    "RepeatedCorrelation",
    "Responder",
    "Roc",
    "Scale",
    "TimeToLoss",
    "Trend",
    "WithinBetween",
    "answer_of",
    "home_of",
]

Scale = Literal["linear", "logit", "log"]
Covariance = Literal["unstructured", "toeplitz", "ar1", "compound_symmetry"]


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    if not bounds[0] < bounds[1]:
        raise ValueError(f"found [{bounds[0]:g}, {bounds[1]:g}], expected the smaller number first")
    return bounds


Bounds = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_in_order)]


class PairedChange(StrictModel):
    """Did a value change within subjects between two visits?"""

    type: Literal["paired_change"]
    value: str
    from_: str = Field("baseline", alias="from")
    to: str
    by: str | None = None
    scale: Scale = "linear"
    equivalence: Bounds | None = None  # of the change, on the scale of the analysis


class ArmByVisit(StrictModel):
    """Do the arms differ over the visits after baseline, and at one of them?"""

    type: Literal["arm_by_visit"]
    value: str
    contrast_visit: str
    scale: Scale = "linear"
    model: Literal["mmrm", "ancova"] = "mmrm"  # ancova: of `contrast_visit` alone
    covariance: Covariance = "unstructured"  # of the visits of a subject
    fallback: tuple[Covariance, ...] = ("toeplitz", "ar1", "compound_symmetry")  # where it cannot be fitted
    equivalence: Bounds | None = None  # of the difference of arms, on the scale of the analysis


class Responder(StrictModel):
    """Do subjects with an outcome differ from those without in a value, or the arms in the outcome?"""

    type: Literal["responder"]
    outcome: str  # a column of yes and no
    at: str | None = None  # the visit of the outcome; None: all visits after baseline, by GEE
    value: str | None = None  # None: the arm is what the outcome is held against
    value_as: Literal["change", "value"] = "change"  # change: from `from` to the visit of the outcome
    value_at: str | None = None  # None: the visit of the outcome
    from_: str = Field("baseline", alias="from")
    adjust: tuple[str, ...] | None = None  # None: arm, where there is one; and the value at `from` of a change
    correlation: Literal["exchangeable", "independence"] = "exchangeable"  # of a subject's visits, for GEE
    scale: Scale = "linear"  # of the value

    @model_validator(mode="after")
    def _of_all_visits(self) -> Responder:
        if self.at is not None and self.correlation != "exchangeable":
            raise ValueError(
                f"found correlation: {self.correlation} and at: {self.at}; expected correlation where all visits are asked, "
                "without at"
            )
        return self


class ChangeCorrelation(StrictModel):
    """Does the change of one value go with the change of another?"""

    type: Literal["change_correlation"]
    x: str
    y: str
    from_: str = Field("baseline", alias="from")
    to: str
    x_as: Literal["change", "start"] = "change"  # start: x as it is at `from`
    method: Literal["spearman", "pearson", "kendall"] = "spearman"
    adjust: tuple[str, ...] | None = None  # None: arm (where there is one; it always is) and baseline
    scale: Scale = "linear"  # of percentages; a clinical value stays as it is
    # of one measurement, from replicates, on the scale of the analysis
    x_sd: FiniteFloat | None = Field(None, gt=0)
    y_sd: FiniteFloat | None = Field(None, gt=0)
    control_sample: tuple[str, ...] = ()  # subjects that are one sample measured repeatedly; not correlated


class RepeatedCorrelation(StrictModel):
    """Do two values move together within subjects over their visits?"""

    type: Literal["repeated_correlation"]
    x: str
    y: str
    adjust: tuple[str, ...] | None = None  # None: visit*arm, or visit where there are no arms
    scale: Scale = "linear"


class Trend(StrictModel):
    """Does a value rise or fall with a dose?"""

    type: Literal["trend"]
    value: str
    on: str
    block: str | None = None
    scale: Scale = "linear"


class Agreement(StrictModel):
    """How much of the variation of a value belongs to each of several factors?"""

    type: Literal["agreement"]
    value: str
    components: tuple[str, ...] = Field(
        min_length=1
    )  # columns; `a:b` a combination, `a*b` both and their combination
    scale: Scale | None = None  # None: logit for a percentage, else linear


class WithinBetween(StrictModel):
    """Do two values go together within subjects over visits, and do subjects' means go together?"""

    type: Literal["within_between"]
    x: str
    y: str
    adjust: tuple[str, ...] | None = None  # None: visit*arm, or visit where there are no arms; these always
    slopes: Literal["random", "common"] = "random"  # whether the slope within may differ between subjects
    scale: Scale = "linear"


class Lagged(StrictModel):
    """Does a change of one value come before a change of another, or the reverse?"""

    type: Literal["lagged"]
    x: str
    y: str
    lag: int = Field(1, ge=1)  # visits, in their order
    scale: Scale = "linear"


class Mediation(StrictModel):
    """How much of a treatment's effect on an outcome runs along a change of another value?"""

    type: Literal["mediation"]
    mediator: str
    outcome: str
    mediator_at: str
    outcome_at: str
    treatment: str | None = None  # None: the arm
    from_: str = Field("baseline", alias="from")
    scale: Scale = "linear"  # of a percentage
    draws: int = Field(20000, ge=1000)
    seed: int = 1


class Roc(StrictModel):
    """How well does a value tell subjects with an outcome from those without, and at which cut-off?"""

    type: Literal["roc"]
    value: str
    outcome: str
    at: str
    value_as: Literal["level", "change"] = "level"
    value_at: str | None = None  # None: the visit of the outcome
    from_: str = Field("baseline", alias="from")
    higher: Literal["with", "without"] = "with"  # which subjects are expected to have the higher value
    scale: Scale = "linear"
    resamples: int = Field(500, ge=100)
    seed: int = 1


class TimeToLoss(StrictModel):
    """How long does a response last without another infusion, and does that go with a value?"""

    type: Literal["time_to_loss"]
    outcome: str
    covariate: str | None = None
    reinfusion: Literal["event", "censor", "weight"] = "censor"
    last_failure: Literal["event", "censor"] = "event"  # a failure that no later visit could confirm
    landmark: FiniteFloat = Field(90.0, ge=0)  # days after the first response
    # at which the share that still responds is given
    at_days: tuple[Annotated[FiniteFloat, Field(ge=0)], ...] = (90.0, 180.0)
    scale: Scale = "linear"


class RepeatInfusion(StrictModel):
    """Did a second infusion help again, and as much as the first?"""

    type: Literal["repeat_infusion"]
    value: str
    scale: Scale = "linear"


class Cytokines(StrictModel):
    """Did values that may lie below a limit of detection change between two visits?"""

    type: Literal["cytokines"]
    values: tuple[str, ...] = Field(min_length=1)
    from_: str = Field("baseline", alias="from")
    to: str
    by: str | None = None
    scale: Literal["log", "linear"] = "log"


class Power(StrictModel):
    """How likely was an analysis to find a declared effect, and how many subjects would be enough?"""

    type: Literal["power"]
    analysis: str
    effect: FiniteFloat  # on the scale of that analysis; for a correlation the correlation
    subjects: int | None = Field(None, ge=4)  # None: as many as that analysis had


Question = (
    PairedChange
    | ArmByVisit
    | Responder
    | ChangeCorrelation
    | RepeatedCorrelation
    | Trend
    | Agreement
    | WithinBetween
    | Lagged
    | Mediation
    | Roc
    | TimeToLoss
    | RepeatInfusion
    | Cytokines
    | Power
)
TYPES: Mapping[str, type[StrictModel]] = {
    "paired_change": PairedChange,
    "arm_by_visit": ArmByVisit,
    "responder": Responder,
    "change_correlation": ChangeCorrelation,
    "repeated_correlation": RepeatedCorrelation,
    "within_between": WithinBetween,
    "lagged": Lagged,
    "mediation": Mediation,
    "roc": Roc,
    "trend": Trend,
    "agreement": Agreement,
    "time_to_loss": TimeToLoss,
    "repeat_infusion": RepeatInfusion,
    "cytokines": Cytokines,
    "power": Power,
}


def _tag_of(given: Any) -> str:
    kind = given.get("type") if isinstance(given, Mapping) else getattr(given, "type", None)
    return f"[{kind}]"


AnyQuestion = Annotated[
    Annotated[PairedChange, Tag("[paired_change]")]
    | Annotated[ArmByVisit, Tag("[arm_by_visit]")]
    | Annotated[Responder, Tag("[responder]")]
    | Annotated[ChangeCorrelation, Tag("[change_correlation]")]
    | Annotated[RepeatedCorrelation, Tag("[repeated_correlation]")]
    | Annotated[WithinBetween, Tag("[within_between]")]
    | Annotated[Lagged, Tag("[lagged]")]
    | Annotated[Mediation, Tag("[mediation]")]
    | Annotated[Roc, Tag("[roc]")]
    | Annotated[Trend, Tag("[trend]")]
    | Annotated[Agreement, Tag("[agreement]")]
    | Annotated[TimeToLoss, Tag("[time_to_loss]")]
    | Annotated[RepeatInfusion, Tag("[repeat_infusion]")]
    | Annotated[Cytokines, Tag("[cytokines]")]
    | Annotated[Power, Tag("[power]")],
    Discriminator(_tag_of),
]

HOMES: Mapping[str, str] = {
    "paired_change": "change",
    "arm_by_visit": "arms",
    "responder": "responder",
    "change_correlation": "correlation",
    "repeated_correlation": "repeated",
    "within_between": "within_between",
    "lagged": "lagged",
    "mediation": "mediation",
    "roc": "roc",
    "trend": "trend",
    "agreement": "agreement.question",
    "time_to_loss": "durability.question",
    "repeat_infusion": "again",
    "cytokines": "cytokines",
    "power": "power",
}


def home_of(kind: str) -> ModuleType:
    """The module that answers a type of question."""
    return importlib.import_module(f"cytoreg.stats.{HOMES[kind]}")


def answer_of(kind: str) -> Callable[..., list[Any]]:
    """The function that answers a type of question: `(question, data)` -> estimates."""
    answer: Callable[..., list[Any]] = getattr(home_of(kind), kind)
    return answer
