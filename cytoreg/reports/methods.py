"""The methods section of a report: templates and what their populations mean, statistics, versions and hashes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cytoreg.reports.conduct import estimand_words
from cytoreg.reports.results import Results
from cytoreg.reports.words import label
from cytoreg.stats.questions import home_of

__all__ = ["methods_of"]

SCALES: Mapping[str, str] = {
    "logit": "on the log-odds scale, from counts, shown as factors of the odds",
    "log": "on the logarithmic scale, shown as factors",
    "linear": "as measured",
}
COUNTING = (
    "The interval of a percentage is Wilson's (J Am Stat Assoc 1927;22:209) for the events counted; it does not "
    "hold the uncertainty of where a gate was placed."
)
PLACED = (
    "The interval of a percentage holds both the counting of events (Wilson, J Am Stat Assoc 1927;22:209) and the "
    "placement of its gates, by a bootstrap over the events that refits every gate on the way; the two are added on the "
    "logit scale."
)


def methods_of(results: Results) -> dict[str, Any]:
    """What the methods section and the footer of every page say."""
    said = results.provenance
    return {
        "templates": _templates(said),
        "intervals": PLACED if _has_placement(results) else COUNTING,
        "statistics": _statistics(results),
        "plan": _plan(results),
        "estimands": _estimands(results),
        "declared": _declared(said),
        "versions": [("cytoreg", said.get("cytoreg", "not recorded")), *_versions(said)],
        "created": str(said.get("created", "") or "not recorded"),
        "command": str(said.get("command", "") or "not recorded"),
        "plan_hash": str(said.get("plan_hash", "") or ""),
        "inputs": sorted((said.get("inputs") or {}).items()),
        "notes": [str(note) for note in said.get("notes", []) if results.may_say(str(note))],
    }


def _templates(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "panel": panel,
            "name": str(template.get("name", "")),
            "digest": str(template.get("digest", "")),
            "description": str(template.get("description", "")),
            "reference": str(template.get("reference", "")),
            "validation": str(template.get("validation", "") or ""),
            "meanings": [(name, text) for name, text in (template.get("meanings") or {}).items() if text],
        }
        for panel, template in (said.get("templates") or {}).items()
    ]


def _statistics(results: Results) -> list[str]:
    if results.plan is None:
        return []
    kinds = dict.fromkeys(question.type for question in results.plan.analyses.values())
    said = [str(home_of(kind).METHOD) for kind in kinds]
    for family, names in results.plan.multiplicity.families.items():
        method = {"holm": "Holm", "benjamini_hochberg": "Benjamini–Hochberg"}[results.plan.multiplicity.method]
        said.append(f"p-values of the family “{family}” ({', '.join(names)}) are adjusted by {method}.")
    said.append(
        "Intervals are of 95 %. Rows called descriptive are not adjusted for anything; they and sensitivity analyses answer no question."
    )
    return said


def _plan(results: Results) -> list[tuple[str, str]]:
    """The declared analyses, one line each."""
    if results.plan is None:
        return []
    lines = []
    for name, question in results.plan.analyses.items():
        given = question.model_dump(by_alias=True)
        values = " and ".join(label(str(given[key])) for key in ("value", "x", "y") if given.get(key))
        if results.blinded and question.type == "arm_by_visit":
            continue
        scale = SCALES.get(getattr(question, "scale", None) or "", "")
        words = ", ".join(
            part for part in (f"{question.type.replace('_', ' ')} of {values}".removesuffix(" of "), scale) if part
        )
        lines.append((name, words))
    return lines


def _estimands(results: Results) -> list[tuple[str, str]]:
    """Each analysis with the parts of its estimand in one line, in the terms of ICH E9(R1)."""
    lines = []
    for name in results.provenance.get("estimands") or {}:
        parts = estimand_words(results, str(name))
        text = "; ".join(
            f"{words if not place else words.lower()}: {said}" for place, (words, said) in enumerate(parts)
        )
        if text:
            lines.append((str(name), text))
    return lines


def _declared(said: Mapping[str, Any]) -> str:
    """When the plan in force was declared, how many plans were answered, and what is not in it."""
    lock = said.get("plan_lock") or {}
    if not lock:
        return ""
    text = f"The plan in force was declared on {str(lock.get('declared', ''))[:10]} (SHA-256 {lock.get('plan_hash', '')})"
    text += f"; plans answered so far: {lock.get('plans_answered', 0)}."
    outside = said.get("exploratory") or {}
    if outside:
        text += " Exploratory: " + "; ".join(f"{name} ({why})" for name, why in outside.items()) + "."
    return text


def _versions(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    engine = [("engine", str(said["engine_version"]))] if "engine_version" in said else []
    seed = [("seed", str(said["seed"]))] if said.get("seed") is not None else []
    return [*engine, *seed, *((str(name), str(version)) for name, version in (said.get("packages") or {}).items())]


def _has_placement(results: Results) -> bool:
    table = results.tables["percentages"]
    return "ci_gate_low" in table.columns and bool(table["ci_gate_low"].notna().any())
