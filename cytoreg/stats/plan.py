"""The analysis plan: what is asked of the data, declared before they are looked at (`analysis.yaml`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cytoreg.errors import AnalysisError, suggest
from cytoreg.stats.questions import TYPES, AnyQuestion
from cytoreg.yamlfile import StrictModel, YamlDocument, document_of, validate

__all__ = [
    "Baseline",
    "Missing",
    "MultipleImputation",
    "Multiplicity",
    "Plan",
    "ReadPlan",
    "TippingPoint",
    "plan_hash",
    "read_plan",
]

Anchor = Literal["first_infusion", "randomised"]


class Baseline(StrictModel):
    """Which visit is a subject's baseline; of two rows of one day the earlier."""

    last_on_or_before: Anchor = "first_infusion"
    otherwise: Anchor = "randomised"


class Treatment(StrictModel):
    """The column of arms, which of them is the control, and the table of infusions."""

    arm: str = "arm"
    control: str | None = None
    infusions: str | None = None


class Outcome(StrictModel):
    """The columns that hold response, disease activity and function, for the report."""

    response: str | None = None
    activity: str | None = None
    function: str | None = None


class Multiplicity(StrictModel):
    """How p-values are adjusted, within families of analyses."""

    method: Literal["holm", "benjamini_hochberg"] = "holm"
    families: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class MultipleImputation(StrictModel):
    """How missing components are imputed before scores are made of them."""

    m: Annotated[int, Field(ge=2, le=1000)] = 20
    method: Literal["predictive_mean_matching", "normal"] = "normal"
    iterations: Annotated[int, Field(ge=1, le=200)] = 10
    visits: tuple[str, ...] | None = None  # None: those at which half of the subjects or more were seen
    analyses: tuple[str, ...] | None = None  # None: every one of a type that imputed tables can answer


class TippingPoint(StrictModel):
    """By how much imputed values of an arm must be worse for the answer of an analysis to be lost."""

    analysis: str
    deltas: tuple[float, ...] = Field(min_length=1)  # added to imputed values, in the units of the value
    arm: str | None = None  # None: the arms that are not the control


class Missing(StrictModel):
    """What shall stand for missing values; where nothing is declared, an analysis rests on the values there are."""

    nonresponder_imputation: tuple[str, ...] = ()
    multiple_imputation: Annotated[int, Field(ge=2, le=1000)] | MultipleImputation | None = None
    tipping_point: tuple[TippingPoint, ...] = ()

    @property
    def imputation(self) -> MultipleImputation | None:
        """The declared imputation; a bare number is how many imputed tables there are."""
        given = self.multiple_imputation
        return MultipleImputation(m=given) if isinstance(given, int) else given

    @model_validator(mode="after")
    def _tipping_needs_imputing(self) -> Missing:
        if self.tipping_point and self.multiple_imputation is None:
            raise ValueError("tipping_point shifts imputed values: declare multiple_imputation beside it")
        return self


class Plan(StrictModel):
    """A whole analysis plan."""

    cytoreg: Literal[1] = 1
    outcome: Outcome = Outcome()
    treatment: Treatment = Treatment()
    baseline: Baseline = Baseline()
    analyses: dict[str, AnyQuestion] = Field(min_length=1)
    multiplicity: Multiplicity = Multiplicity()
    missing: Missing = Missing()
    seed: Annotated[int, Field(ge=0)] = 1  # of every random step

    @model_validator(mode="after")
    def _missing_names_analyses(self) -> Plan:
        imputation = self.missing.imputation
        named = [("tipping_point", point.analysis) for point in self.missing.tipping_point]
        named += [("multiple_imputation", name) for name in (imputation.analyses if imputation else None) or ()]
        for key, name in named:
            if name not in self.analyses:
                raise ValueError(
                    f"missing.{key} names the unknown analysis '{name}'; {suggest(name, self.analyses)}"
                )
        return self

    @model_validator(mode="after")
    def _families_name_analyses(self) -> Plan:
        home: dict[str, str] = {}
        for family, names in self.multiplicity.families.items():
            for name in names:
                if name not in self.analyses:
                    hint = suggest(name, self.analyses)
                    raise ValueError(f"family '{family}' names the unknown analysis '{name}'; {hint}")
                if name in home:
                    raise ValueError(f"analysis '{name}' is in two families, '{home[name]}' and '{family}'")
                home[name] = family
        return self


@dataclass(frozen=True)
class ReadPlan:
    """A plan and the document it came from, which knows the line of every key."""

    plan: Plan
    document: YamlDocument

    def where(self, analysis: str, key: str) -> str:
        """`analysis.yaml, line 9, key analyses.treg_rises.value`: for a message about that key."""
        given = self.document.data.get("analyses", {}).get(analysis, {})
        path = ("analyses", analysis, key) if key in given else ("analyses", analysis)
        return self.document.where(path)


def read_plan(source: ReadPlan | Plan | Mapping[str, Any] | Path | str) -> ReadPlan:
    """A plan from a file (a path), from a mapping or YAML text, or already made, checked as a whole.

    Raises `AnalysisError` naming file, line and key for an unknown key (with the nearest valid one), an
    analysis type that this version does not have, and a family that names no analysis.
    """
    if isinstance(source, ReadPlan):
        return source
    if isinstance(source, Plan):
        return ReadPlan(source, YamlDocument("the plan", source.model_dump(by_alias=True)))
    if isinstance(source, str) and "\n" not in source:
        source = Path(source)
    document = document_of(source, AnalysisError, "the plan")
    document = YamlDocument(document.name, _on_is_a_key(document.data), document.lines)
    _check_types(document)
    return ReadPlan(validate(Plan, document, AnalysisError), document)


def plan_hash(plan: Plan) -> str:
    """SHA-256 of what the plan says, whatever the order and layout of its keys."""
    content = json.dumps(plan.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _on_is_a_key(data: Any) -> Any:
    """YAML 1.1 reads the key `on` as the truth value True; here it is the name of a key again."""
    if isinstance(data, Mapping):
        return {("on" if key is True else key): _on_is_a_key(value) for key, value in data.items()}
    return data


def _check_types(document: YamlDocument) -> None:
    analyses = document.data.get("analyses") if isinstance(document.data, Mapping) else None
    for name, given in analyses.items() if isinstance(analyses, Mapping) else ():
        if not isinstance(given, Mapping):
            continue
        place = document.where(("analyses", name, "type") if "type" in given else ("analyses", name))
        kind = given.get("type")
        if kind in TYPES:
            continue
        here = ", ".join(sorted(TYPES))
        if kind is None:
            raise AnalysisError(f"{place}: has no type, expected one of {here}")
        raise AnalysisError(f"{place}: unknown type '{kind}'; {suggest(str(kind), TYPES)}")
