"""Whether an analysis is the one that was declared first: a digest of each question with all that its answer hangs on.

A question is planned where the plan declared before any result has it under its name with the same keys, the same
arms, baseline and strategy for missing values, and the same family. Everything else is exploratory, and why is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cytoreg.stats.estimate import EXPLORATORY, PLANNED
from cytoreg.stats.plan import Plan

__all__ = ["Declared", "declared_of", "statuses"]

# What the answer of every question hangs on, and how a change of it is told.
SHARED = ("treatment", "baseline", "missing", "seed")


@dataclass(frozen=True)
class Declared:
    """A plan as it was declared, in digests: of each question, of its family, and of each shared part.

    at: the day and time of the declaration, as text; empty where none is known. too_late: why nothing in it can count as
    declared before, empty where it can.
    """

    plan_hash: str
    questions: Mapping[str, str]
    families: Mapping[str, str]
    shared: Mapping[str, str]
    at: str = ""
    too_late: str = ""


def declared_of(plan: Plan, plan_hash: str, at: str = "", too_late: str = "") -> Declared:
    """A plan in digests."""
    content = plan.model_dump(mode="json", by_alias=True)
    families = {name: _family(plan, name) for name in plan.analyses}
    return Declared(
        plan_hash=plan_hash,
        questions={name: _digest(question) for name, question in content["analyses"].items()},
        families={name: _digest(family) for name, family in families.items()},
        shared={key: _digest(content[key]) for key in SHARED},
        at=at,
        too_late=too_late,
    )


def statuses(plan: Plan, plan_hash: str, first: Declared | None) -> dict[str, tuple[str, str]]:
    """Of each analysis, planned or exploratory, and why it is exploratory (empty for a planned one).

    first: the plan declared first; None where nothing is known of one, and then the plan is taken at its word.

    A change of the arms, the baseline, the missing values or the seed makes every analysis exploratory.
    """
    if first is None:
        return dict.fromkeys(plan.analyses, (PLANNED, ""))
    if first.too_late:
        return dict.fromkeys(plan.analyses, (EXPLORATORY, first.too_late))
    now = declared_of(plan, plan_hash)
    on = f"the plan declared on {first.at[:10]}" if first.at else "the plan declared first"
    changed = [key for key in SHARED if now.shared[key] != first.shared.get(key)]
    said: dict[str, tuple[str, str]] = {}
    for name in plan.analyses:
        why = ""
        if name not in first.questions:
            why = f"not in {on}"
        elif now.questions[name] != first.questions[name]:
            why = f"its keys are not those of {on}"
        elif changed:
            why = f"{' and '.join(changed)} changed since {on}"
        elif now.families[name] != first.families.get(name):
            why = f"its family is not that of {on}"
        said[name] = (EXPLORATORY if why else PLANNED, why)
    return said


def _family(plan: Plan, name: str) -> Any:
    """The method and the members of the family of an analysis; None where it is in none."""
    found = next((names for names in plan.multiplicity.families.values() if name in names), None)
    return None if found is None else [plan.multiplicity.method, sorted(found)]


def _digest(part: Any) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
