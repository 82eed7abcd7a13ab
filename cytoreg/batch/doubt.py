"""Gates that each tube placed for itself, held against those of its batch: which lie far from the others.

It can be known only when the batch is done; the rows of a tube that stands out are then flagged.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from cytoreg.gating.methods._fit import graded
from cytoreg.gating.shared import FAR, far_from

__all__ = ["mark_far"]

FLAG = "far_from_others"
Tables = Mapping[str, Any]


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
    for name, doubts in found.items():
        tables[name] = _marked(tables[name], doubts)


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


def _marked(tables: Tables, doubts: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    """A tube's rows with the flag at the gates, at what stands below them, and at the percentages that pass them."""
    found = dict(tables)
    paths = {row["population_id"].partition(":")[2]: row["population"] for row in tables["populations"]}
    marked = {paths[about] for about, _ in doubts if about in paths}

    def below(path: str) -> bool:
        return any(path.startswith(f"{above}/") for above in marked)

    found["populations"] = [
        _flagged(row, FLAG if row["population"] in marked else f"above:{FLAG}")
        if row["population"] in marked or below(row["population"])
        else row
        for row in tables["populations"]
    ]
    found["percentages"] = [
        _flagged(row, FLAG)
        if (path := paths.get(row["percentage"].partition(" % of ")[0], "")) in marked or below(path)
        else row
        for row in tables["percentages"]
    ]
    gates = [dict(gate) for gate in tables["gates"]["gates"]]
    for gate in gates:
        mine = {number: distance for (about, number), distance in doubts.items() if about == gate["population_id"]}
        if not mine:
            continue
        said = [_reason(distance) for distance in mine.values()]
        parts = [dict(part) for part in gate["parts"]]
        for number, distance in mine.items():
            part = parts[number]
            part["score"] = min(part["score"], graded(distance, FAR, FAR / 2))
            part["reasons"] = [*part["reasons"], _reason(distance)]
            part["flags"] = [*part["flags"], FLAG]
        scores = [part["score"] for part in parts if part["score"] is not None]
        gate |= {
            "parts": parts,
            "score": min(scores),
            "reasons": [*gate["reasons"], *said],
            "flags": [*gate["flags"], FLAG],
        }
    found["gates"] = {**tables["gates"], "gates": gates}
    least = min((gate for gate in gates if gate["score"] is not None), key=lambda gate: float(gate["score"]))
    sure = {"score": least["score"], "least_sure": least["population"]}
    found["quality"] = [_flagged(row, FLAG) | sure for row in tables["quality"]]
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
