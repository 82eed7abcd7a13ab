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

from pydantic import Discriminator, Field, Tag

from cytoreg.yamlfile import StrictModel

__all__ = [
    "HOMES",
    "TYPES",
    "AnyQuestion",
    "ArmByVisit",
    "ChangeCorrelation",
    "PairedChange",
    "Question",
    "RepeatedCorrelation",
    "Scale",
    "Trend",
    "answer_of",
    "home_of",
]

Scale = Literal["linear", "logit", "log"]


class PairedChange(StrictModel):
    """Did a value change within subjects between two visits?"""

    type: Literal["paired_change"]
    value: str
    from_: str = Field("baseline", alias="from")
    to: str
    by: str | None = None
    scale: Scale = "linear"


class ArmByVisit(StrictModel):
    """Do the arms differ over the visits after baseline, and at one of them?"""

    type: Literal["arm_by_visit"]
    value: str
    contrast_visit: str
    scale: Scale = "linear"


class ChangeCorrelation(StrictModel):
    """Does the change of one value go with the change of another?"""

    type: Literal["change_correlation"]
    x: str
    y: str
    from_: str = Field("baseline", alias="from")
    to: str
    method: Literal["spearman", "pearson"] = "spearman"
    adjust: tuple[str, ...] | None = None  # None: arm, where there is one, and baseline
    scale: Scale = "linear"  # of percentages; a clinical value stays as it is


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


Question = PairedChange | ArmByVisit | ChangeCorrelation | RepeatedCorrelation | Trend
TYPES: Mapping[str, type[StrictModel]] = {
    "paired_change": PairedChange,
    "arm_by_visit": ArmByVisit,
    "change_correlation": ChangeCorrelation,
    "repeated_correlation": RepeatedCorrelation,
    "trend": Trend,
}


def _tag_of(given: Any) -> str:
    kind = given.get("type") if isinstance(given, Mapping) else getattr(given, "type", None)
    return f"[{kind}]"


AnyQuestion = Annotated[
    Annotated[PairedChange, Tag("[paired_change]")]
    | Annotated[ArmByVisit, Tag("[arm_by_visit]")]
    | Annotated[ChangeCorrelation, Tag("[change_correlation]")]
    | Annotated[RepeatedCorrelation, Tag("[repeated_correlation]")]
    | Annotated[Trend, Tag("[trend]")],
    Discriminator(_tag_of),
]

HOMES: Mapping[str, str] = {
    "paired_change": "change",
    "arm_by_visit": "arms",
    "change_correlation": "correlation",
    "repeated_correlation": "repeated",
    "trend": "trend",
}


def home_of(kind: str) -> ModuleType:
    """The module that answers a type of question."""
    return importlib.import_module(f"cytoreg.stats.{HOMES[kind]}")


def answer_of(kind: str) -> Callable[..., list[Any]]:
    """The function that answers a type of question: `(question, data)` -> estimates."""
    answer: Callable[..., list[Any]] = getattr(home_of(kind), kind)
    return answer
