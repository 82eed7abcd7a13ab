"""What can be doubted about a gate only when its batch is done; the rows of the tubes are then flagged.

Gates that each tube placed for itself are held against those of its batch: which lie far from the others. A cut that a control
set is held against its tubes: a control that holds the marker after all, as a full tube under its name does, leaves
no more of their cells above the cut than of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from cytoreg.gating.control_doubt import like_control
from cytoreg.gating.methods import CONTROLS
from cytoreg.gating.methods._fit import graded
from cytoreg.gating.shared import FAR, far_from
from cytoreg.gating.template import Template

__all__ = ["mark_far", "mark_like_control"]

FLAG = "far_from_others"
Tables = Mapping[str, Any]
# population id and part -> the most that its score can be, and why
Doubts = Mapping[tuple[str, int], tuple[float, str]]


def mark_far(tables: MutableMapping[str, Tables], batch_of: Mapping[str, tuple[str, str]]) -> None:
    """Flag gates whose place is an outlier among those of the same gate in the batch's other full tubes.

    tables: sample id -> rows by table, changed in place. batch_of: sample id -> panel and batch.
    """
    places: dict[tuple[Any, ...], dict[str, tuple[float, float]]] = defaultdict(dict)
    for name in sorted(tables):
        for gate in tables[name].get("gates", {}).get("gates", ()):
            if any(axis.get("chosen", {}).get("by") == "sample" for axis in gate["axes"].values()):
                continue  # each tube has units of its own
            for number, part in enumerate(gate["parts"]):
                for which, place, step in _places(part):
                    key = (*batch_of[name], gate["population_id"], number, part["method"], which)
                    places[key][name] = (place, step)
    found: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
    for key, of in places.items():
        distances = far_from([place for place, _ in of.values()], max(step for _, step in of.values()))
        for name, distance in zip(of, distances, strict=True):
            if abs(distance) > FAR:
                about = (key[2], key[3])
                found[name][about] = max(abs(distance), found[name].get(about, 0.0))
    for name, distance_of in found.items():
        doubts = {about: (graded(far, FAR, FAR / 2), _reason(far)) for about, far in distance_of.items()}
        tables[name] = _marked(tables[name], doubts, FLAG)


def mark_like_control(tables: MutableMapping[str, Tables], template_of: Mapping[str, Template]) -> None:
    """Flag a control's cut above which its full tubes, taken together, hold hardly more than the control does.

    tables: sample id -> rows by table, changed in place. template_of: sample id -> the template that it was gated by. Only a
    cut that is a population by itself is looked at, since of a part of a gate no count is known.
    """
    above: dict[tuple[Any, ...], dict[str, tuple[int, int, float]]] = defaultdict(dict)
    for name in sorted(tables):
        counts = {row["population"]: row for row in tables[name].get("populations", ())}
        for gate in tables[name].get("gates", {}).get("gates", ()):
            step = template_of[name].populations.get(gate["population_id"])
            if step is None:  # of a workspace, which holds each sample's own gates, all of them drawn
                continue
            spec = step.gate
            part = gate["parts"][0] if len(gate["parts"]) == 1 else {}
            controls = tuple(part.get("group", {}).get("controls", ()))
            if not controls or spec.kind != part["method"] or spec.kind not in CONTROLS:
                continue
            if spec.params.keep == "above" and (row := counts.get(gate["population"])) is not None:
                share = 1 - spec.params.percentile / 100
                key = (gate["population_id"], spec.kind, controls)
                above[key][name] = (row["count"], row["parent_count"], share)
    for (population, kind, controls), of in above.items():
        count, parent = (sum(one[i] for one in of.values()) for i in (0, 1))
        expected = sum(n * share for _, n, share in of.values())
        said = like_control(kind, ", ".join(controls), count, parent, expected, len(of))
        if said is None:
            continue
        for name in of:
            tables[name] = _marked(tables[name], {(population, 0): (0.0, said)}, "doubt")


def _places(part: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """What of a gate is compared, with the step that is too small to matter: cuts, and centres of ellipses."""
    if part["scope"] != "sample" or part["score"] is None:
        return  # shared, or drawn
    kind, shape = next(iter(part["gate"].items()))
    steps = part.get("steps") or [0.0]
    if kind == "range":
        yield from ((end, float(shape[end]), steps[0]) for end in ("min", "max") if end in shape)
    elif kind == "ellipse":
        for axis, place, step in zip(shape["on"], shape["center"], steps, strict=True):
            yield axis, float(place), step
    elif kind == "rectangle":
        for end in ("min", "max"):
            for axis, place, step in zip(shape["on"], shape[end], steps, strict=True):
                if place is not None and math.isfinite(place):
                    yield f"{end} {axis}", float(place), step
    elif kind == "polygon" and part["method"] == "singlets":
        (_, _), (x, low), (_, high), (_, _) = shape["vertices"]
        slope = (low + high) / (2 * x)
        yield "slope", slope, 0.02 * slope


def _marked(tables: Tables, doubts: Doubts, flag: str) -> dict[str, Any]:
    """A tube's rows with the flag at the gates, at what stands below them, and at the percentages that pass them."""
    found = dict(tables)
    paths = {row["population_id"].partition(":")[2]: row["population"] for row in tables["populations"]}
    marked = {paths[about] for about, _ in doubts if about in paths}

    def below(path: str) -> bool:
        return any(path.startswith(f"{above}/") for above in marked)

    found["populations"] = [
        _flagged(row, flag if row["population"] in marked else f"above:{flag}")
        if row["population"] in marked or below(row["population"])
        else row
        for row in tables["populations"]
    ]
    found["percentages"] = [
        _flagged(row, flag)
        if (path := paths.get(row["percentage"].partition(" % of ")[0], "")) in marked or below(path)
        else row
        for row in tables["percentages"]
    ]
    gates = [dict(gate) for gate in tables["gates"]["gates"]]
    for gate in gates:
        mine = {number: doubt for (about, number), doubt in doubts.items() if about == gate["population_id"]}
        if not mine:
            continue
        parts = [dict(part) for part in gate["parts"]]
        for number, (most, why) in mine.items():
            part = parts[number]
            part["score"] = min(part["score"], most)
            part["reasons"] = [*part["reasons"], why]
            part["flags"] = list(dict.fromkeys((*part["flags"], flag)))
        scores = [part["score"] for part in parts if part["score"] is not None]
        gate |= {
            "parts": parts,
            "score": min(scores),
            "reasons": [*gate["reasons"], *(why for _, why in mine.values())],
            "flags": list(dict.fromkeys((*gate["flags"], flag))),
        }
    found["gates"] = {**tables["gates"], "gates": gates}
    least = min((gate for gate in gates if gate["score"] is not None), key=lambda gate: float(gate["score"]))
    sure = {"score": least["score"], "least_sure": least["population"]}
    found["quality"] = [_flagged(row, flag) | sure for row in tables["quality"]]
    reasons = {gate["population"]: gate for gate in gates}
    if "pictures" in tables:
        found["pictures"] = {
            **tables["pictures"],
            "pictures": [
                {**picture, **{key: reasons[picture["path"]][key] for key in ("flags", "score")}}
                | {"reasons": list(dict.fromkeys((*picture["reasons"], *reasons[picture["path"]]["reasons"])))}
                if picture["path"] in marked
                else picture
                for picture in tables["pictures"]["pictures"]
            ],
        }
    return found


def _reason(distance: float) -> str:
    return f"{distance:.1f} robust SDs from the gates of the batch's other tubes"


def _flagged(row: Mapping[str, Any], flag: str) -> dict[str, Any]:
    flags = [one for one in str(row["flags"] or "").split(";") if one]
    return {**row, "flags": ";".join(dict.fromkeys((*flags, flag)))}
