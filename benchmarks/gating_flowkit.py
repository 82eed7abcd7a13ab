"""FlowKit on the files and templates of `gating_files`: `python -m benchmarks.gating_flowkit FILE TEMPLATE` prints CSV.

Its own objects, put together from the template's text and by nothing of cytoreg, so that it decides by itself. As a process
it imports FlowKit and a YAML reader and nothing else, and prints what `cytoreg gate FILE --format csv` prints of counts.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import yaml

__all__ = ["strategy_of"]


def strategy_of(template: Path, sample: Any) -> Any:
    """A GatingStrategy with the gates of a template, for a flowkit.Sample whose own spillover is taken out.

    FlowKit's logicle ends at 1 where ours ends at M, so coordinates are divided by M.
    """
    import flowkit as fk

    said = yaml.safe_load(template.read_text(encoding="utf-8"))
    scale = said["transforms"]["default"]["logicle"]
    spill = sample.metadata.get("spillover") or sample.metadata["spill"]
    colours = spill.split(",")[1 : int(spill.split(",")[0]) + 1]
    strategy = fk.GatingStrategy()
    strategy.add_comp_matrix("matrix", fk.Matrix(spill, colours))
    strategy.add_transform(
        "logicle", fk.transforms.LogicleTransform(**{f"param_{k.lower()}": v for k, v in scale.items()})
    )
    paths: dict[str, tuple[str, ...]] = {"root": ("root",)}
    for name, population in said["populations"].items():
        above = paths[population.get("parent", "root")]
        strategy.add_gate(_gate(fk, name, population["gate"], set(colours), float(scale["M"]), paths), above)
        paths[name] = (*above, name)
    return strategy


def _gate(fk: Any, name: str, gate: dict[str, Any], colours: set[str], m: float, paths: dict[str, Any]) -> Any:
    ((kind, said),) = gate.items()
    if kind == "not":  # neither of the gates named
        refs = [{"ref": part, "path": paths[part][:-1], "complement": True} for part in map(_named, said["any"])]
        return fk.gates.BooleanGate(name, "and", refs)
    over = [m if channel in colours else 1.0 for channel in said["on"]]
    limits: list[dict[str, float]] = [{} for _ in said["on"]]
    if kind == "rectangle":
        limits = [
            {"range_min": low / by, "range_max": high / by}
            for low, high, by in zip(said["min"], said["max"], over, strict=True)
        ]
    dims = [
        fk.Dimension(channel, "matrix", "logicle", **limit)
        if channel in colours
        else fk.Dimension(channel, **limit)
        for channel, limit in zip(said["on"], limits, strict=True)
    ]
    if kind == "rectangle":
        return fk.gates.RectangleGate(name, dims)
    if kind == "polygon":
        return fk.gates.PolygonGate(name, dims, [(x / over[0], y / over[1]) for x, y in said["vertices"]])
    covariance = [
        [value / (over[i] * over[j]) for j, value in enumerate(row)] for i, row in enumerate(said["covariance"])
    ]
    center = [value / by for value, by in zip(said["center"], over, strict=True)]
    return fk.gates.EllipsoidGate(name, dims, center, covariance, said["distance"] ** 2)


def _named(part: Any) -> str:
    return part if isinstance(part, str) else str(part["population"])


def main() -> None:
    """Load, gate, print."""
    warnings.simplefilter("ignore")  # its dependencies' deprecations
    import flowkit as fk

    sample = fk.Sample(sys.argv[1])
    report = strategy_of(Path(sys.argv[2]), sample).gate_sample(sample).report
    report[["gate_name", "count", "absolute_percent", "relative_percent"]].to_csv(sys.stdout, index=False)


if __name__ == "__main__":
    main()
