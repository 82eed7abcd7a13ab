"""What openCyto's gating methods are here: each row of the table in docs/explanation/opencyto.md.

A method comes back as a template would write it; what of its arguments has no equal comes back in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cytoreg.interop.opencyto.r_objects import RCall, RName, RSyntaxError, vector_of

__all__ = ["FAMILIES", "IGNORED", "family_of", "one_axis", "quadrants", "several_axes"]

# openCyto's names, old and new, in lower case -> what they are.
FAMILIES: Mapping[str, str] = {
    **dict.fromkeys(("mindensity", "gate_mindensity", "mindensity2", "gate_mindensity2", "rangegate"), "valley"),
    **dict.fromkeys(("tailgate", "gate_tail", "cytokine", "gate_cytokine"), "tail"),
    **dict.fromkeys(("quantilegate", "gate_quantile"), "quantile"),
    **dict.fromkeys(("flowclust", "gate_flowclust"), "mixture"),
    **dict.fromkeys(("flowclust.1d", "gate_flowclust_1d", "flowclust.2d", "gate_flowclust_2d"), "mixture"),
    **dict.fromkeys(("singletgate", "gate_singlet"), "singlets"),
    "boundary": "boundary",
    "boolgate": "boolean",
    "refgate": "reference",
    **dict.fromkeys(("quadgate.seq", "gate_quad_sequential", "quadgate.tmix", "gate_quad_tmix"), "quadrants"),
    **dict.fromkeys(("dummy", "dummy_gate"), "everything"),
}
IGNORED = ("openCyto.minEvents", "usePrior", "plot", "truncate_min", "truncate_max", "channels", "wider_gate")


def family_of(method: str) -> str:
    """What a method is here; empty where it has no equal."""
    return FAMILIES.get(method.strip().casefold(), "")


def one_axis(
    family: str, on: str, keep: str, arguments: Mapping[str, Any], source: str | None = None, by: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """A cut on one axis as a template writes it, and the arguments that have no equal.

    keep: `above` or `below`. source: the population whose events place the cut, where it is not the parent. by:
    over which tubes it is shared.
    """
    said: dict[str, Any] = {"on": on, "keep": keep}
    if source is not None:
        said["from"] = source
    if by is not None:
        said["by"] = by
    taken: list[str] = []
    if family == "quantile":
        said["percentile"] = 100.0 * _number(arguments, "probs", 0.999)
        taken = ["probs"]
    elif family == "tail":
        side = arguments.get("side")
        said |= {"side": side} if side in ("left", "right") else {}
        taken = ["side", "adjust"]
    elif family == "mixture" and source is None and by is None:
        negative = int(_number(arguments, "neg", _number(arguments, "neg_cluster", 1.0)))
        positive = int(_number(arguments, "pos", 0.0))
        said["components"] = negative + positive if positive else int(_number(arguments, "K", 2.0))
        said |= {"negative": negative} if negative != 1 else {}
        return {"mixture": said}, _left(arguments, ["K", "neg", "pos", "neg_cluster"])
    elif family == "valley":
        taken = ["adjust", "gFunc"]
    if "adjust" in taken and "adjust" in arguments:
        said["smooth"] = _number(arguments, "adjust", 1.0)
    word = "valley" if family == "mixture" else family
    return {word: said}, _left(arguments, taken)


def several_axes(family: str, on: Sequence[str], arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A gate on several axes as a template writes it, and the arguments that have no equal."""
    if family == "boundary":
        low, high = (_limits(arguments, name, len(on)) for name in ("min", "max"))
        return {"rectangle": {"on": list(on), "min": low, "max": high}}, _left(arguments, ["min", "max"])
    if family == "singlets":
        return {"singlets": {"on": list(on)}}, _left(arguments, [])
    if family == "mixture":
        said: dict[str, Any] = {"on": list(on)}
        said["components"] = int(_number(arguments, "K", 2.0))
        said["content"] = _number(arguments, "quantile", 0.9)
        taken = ["K", "quantile"]
        if "target" in arguments and all(axis.upper().startswith(("FSC", "SSC")) for axis in on):
            # scatter is linear in both programs; a target among fluorescence lies on a scale that is not in the file
            said["choose"] = {"nearest": list(vector_of(arguments["target"])[1])}
            taken.append("target")
        return {"mixture": said}, _left(arguments, taken)
    raise RSyntaxError(f"a gate on {len(on)} axes cannot be placed by it")


def quadrants(
    method: str, on: Sequence[str], keep: str, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """One of the four parts as a template writes it, and the arguments that have no equal."""
    mixed = method.casefold().endswith("tmix")
    said: dict[str, Any] = {"on": list(on), "method": "mixture" if mixed else "sequential", "keep": keep}
    taken = ["K"] if mixed else ["adjust", "gFunc"]
    if mixed and "K" in arguments:
        said["components"] = int(_number(arguments, "K", 4.0))
    if not mixed and "adjust" in arguments:
        said["smooth"] = _number(arguments, "adjust", 1.0)
    if "gFunc" in taken and "mindensity" not in str(_words(arguments.get("gFunc", "mindensity"))):
        taken.remove("gFunc")  # another method on each axis
    return {"quadrants": said}, _left(arguments, taken)


def _left(arguments: Mapping[str, Any], taken: Sequence[str]) -> list[str]:
    return [f"{name} = {_words(value)}" for name, value in arguments.items() if name not in (*taken, *IGNORED)]


def _number(arguments: Mapping[str, Any], name: str, otherwise: float) -> float:
    if name not in arguments:
        return otherwise
    numbers = vector_of(arguments[name])[1]
    if len(numbers) != 1:
        raise RSyntaxError(f"{name}: expected one number, found {len(numbers)}")
    if not math.isfinite(numbers[0]):
        raise RSyntaxError(f"{name}: expected a finite number, found {numbers[0]:g}")
    return numbers[0]


def _limits(arguments: Mapping[str, Any], name: str, k: int) -> list[float | None]:
    if arguments.get(name) is None:
        return [None] * k
    numbers = vector_of(arguments[name])[1]
    if len(numbers) != k:
        raise RSyntaxError(f"{name}: {k} axes need {k} numbers, found {len(numbers)}")
    return [number if abs(number) != float("inf") else None for number in numbers]


def _words(value: Any) -> str:
    """A value as R would write it, shortly."""
    if isinstance(value, RCall):
        inside = ", ".join(_words(item) for _, item in value.arguments)
        text = f"{value.name}({inside})"
        return text if len(text) <= 40 else f"{value.of_class}(...)"
    if isinstance(value, RName):
        return value.name
    if isinstance(value, bool) or value is None:
        return str(value).upper() if value is not None else "NULL"
    return f"{value:g}" if isinstance(value, float) else repr(value)
