"""What of a template stays behind in formats that hold gates alone, and what a sample did not let be placed."""

from __future__ import annotations

from cytoreg.gating.result import Result
from cytoreg.gating.template import Template

__all__ = ["left_behind", "not_placed"]


def left_behind(template: Template, kind: str) -> list[str]:
    """One sentence with what a template says beyond its gates, none where it says nothing. kind: `GatingML`, ..."""
    words = ("description", "reference", "validation", "markers", "report", "intensities")
    found = [word for word in words if getattr(template, word)]
    trees = (template, *(item.template for item in template.samples.values()))
    populations = [population for tree in trees for population in tree.populations.values()]
    for word, is_said in (
        ("requires", any(item.requires for item in populations)),
        ("if_missing", any(item.if_missing != "error" for item in populations)),
        ("meaning", any(item.meaning for item in populations)),
        ("plot", any(item.plot for item in populations)),
    ):
        found += [word] if is_said else []
    return [f"{kind} has no place for {', '.join(found)} of the template"] if found else []


def not_placed(result: Result, placed: Template) -> list[str]:
    """A sentence for each population of a gated sample that its concrete template does not hold, and why."""
    sample = result.bound.sample.name
    lost = []
    for key in result.names:
        if key in placed.populations or key == result.bound.start:
            continue
        own = "not_placed" in result.flags_of(key)
        why = "could not be placed" if own else "stands below or refers to one that could not be placed"
        lost.append(f"population {result.bound.path(key)!r}: its gate {why} on {sample}")
    lost += [f"population {key!r}: skipped on {sample}: it {why}" for key, why in result.skipped.items()]
    return lost
