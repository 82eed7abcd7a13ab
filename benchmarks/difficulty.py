"""How well each gating method finds cells of known membership, from easy to hard; `python -m benchmarks.difficulty`.

A tube has two markers and a bright dye that spills into the first. The population that is sought is A+ B+. Values are made
on the display scale, normal about known means, and taken back to linear light; gain (batch shift), gain that changes over
the tube (drift) and spilt light with its photon noise then act there, as on an instrument.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "difficulty.json"
TOP = 262144.0
REFERENCE_EVENTS = 50_000  # of the labelled tube
SD = 0.25  # of each population on the display scale
NEGATIVE, B_APART = 1.0, 7.0
METHODS = {
    "valley": ("B+", {"valley": {"on": "A"}}),
    "tail": ("B+", {"tail": {"on": "A"}}),
    "internal": ("B+", {"internal": {"on": "A", "from": "B-", "percentile": 99.9, "by": "sample"}}),
    "fmo": ("B+", {"fmo": {"on": "A", "percentile": 99.9}}),
    "mixture, cut": ("B+", {"mixture": {"on": "A", "keep": "above"}}),
    "mixture, ellipse": (
        "root",
        {"mixture": {"on": ["A", "B"], "components": 3, "choose": {"highest": "A"}, "content": 0.99}},
    ),
    "quadrants, sequential": ("root", {"quadrants": {"on": ["A", "B"], "keep": "++", "first": "B"}}),
    "quadrants, mixture": (
        "root",
        {"quadrants": {"on": ["A", "B"], "keep": "++", "method": "mixture", "components": 3, "first": "B"}},
    ),
}
BESIDE = ("reference", "fixed gate", "scikit-learn mixture")
NAMES = (*METHODS, *BESIDE)


@dataclass(frozen=True)
class Case:
    """rare: percent of the events. apart: between the means on A, in SDs. shift: of the tube's A against the reference's,
    in SDs of the positive cells. spill: share of the bright dye's light in A. drift: of A from the first event to the
    last, in SDs. events: of the tube."""

    rare: float = 1.0
    apart: float = 6.0
    shift: float = 0.0
    spill: float = 0.0
    drift: float = 0.0
    events: int = 50_000


STEPS: Mapping[str, tuple[float, ...]] = {
    "rare": (0.1, 0.3, 1, 3, 10),
    "apart": (3, 4, 5, 6, 8),
    "shift": (0, 1, 2, 3),
    "spill": (0, 0.05, 0.2),
    "drift": (0, 1, 2),
    "events": (2_000, 10_000, 50_000, 200_000, 500_000),
}
GRID: Mapping[str, tuple[float, ...]] = {
    "rare": (0.1, 1, 10),
    "apart": (4, 6, 8),
    "events": (2_000, 20_000, 200_000),
}


def cases() -> Iterator[Case]:
    """One step at a time away from the middle case, then a grid of rarity, distance and events."""
    seen = set()
    single = [replace(Case(), **{word: step}) for word, steps in STEPS.items() for step in steps]
    crossed = [
        Case(rare, apart, events=int(events))
        for rare in GRID["rare"]
        for apart in GRID["apart"]
        for events in GRID["events"]
    ]
    for case in (*single, *crossed):
        case = replace(case, events=int(case.events))
        if case not in seen:
            seen.add(case)
            yield case


def tube(case: Case, seed: int, *, lacking: bool = False) -> tuple[Any, np.ndarray]:
    """A sample and which of its events are A+ B+. lacking: a tube without the reagent of A, an FMO control."""
    from cytoreg.fcs import Spillover, sample_from_array
    from cytoreg.transforms import Logicle

    rng = np.random.default_rng([seed, int(lacking), case.events, round(1000 * case.rare), round(10 * case.apart)])
    n, scale = case.events, Logicle(TOP)
    rare = rng.random(n) < case.rare / 100
    b_positive = rare | (rng.random(n) < 0.3)
    place = NEGATIVE + SD * case.apart * (rare & (not lacking))
    a = scale.inverse(place + SD * rng.standard_normal(n))
    b = scale.inverse(NEGATIVE + SD * B_APART * b_positive + SD * rng.standard_normal(n))
    bright = scale.inverse(np.where(rng.random(n) < 0.3, 3.2, NEGATIVE) + SD * rng.standard_normal(n))
    # a gain that moves a positive cell by so many SDs on the display scale
    height = NEGATIVE + SD * case.apart
    moved = height + SD * (case.shift + case.drift * np.linspace(-0.5, 0.5, n))
    gain = scale.inverse(moved) / scale.inverse(np.array([height]))
    light = a * gain + case.spill * bright
    light += np.sqrt(np.maximum(case.spill * bright, 0) * 10) * rng.standard_normal(n)  # 10 units a photoelectron
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [case.spill, 0.0, 1.0]])
    sample = sample_from_array(
        np.column_stack([light, b, bright]).astype(np.float32),
        ["A", "B", "C"],
        ranges=(TOP,) * 3,
        spillover=Spillover(("A", "B", "C"), matrix, "simulated"),
        name=f"tube {seed}",
    )
    return sample, rare


def template() -> Any:
    """One population a method, each called after it."""
    from cytoreg.errors import TemplateError
    from cytoreg.gating import parse_template
    from cytoreg.yamlfile import YamlDocument

    populations: dict[str, Any] = {
        "B+": {"gate": {"valley": {"on": "B"}}},
        "B-": {"gate": {"not": "B+"}},
        "reference": {"parent": "B+", "gate": {"range": {"on": "A"}}, "plot": ["A"]},
    }
    populations |= {name: {"parent": parent, "gate": gate} for name, (parent, gate) in METHODS.items()}
    said = {
        "cytoreg": 1,
        "name": "difficulty",
        "transforms": {"default": {"logicle": {}}},
        "populations": populations,
    }
    try:
        return parse_template(YamlDocument("difficulty", said))
    except TemplateError as problem:
        raise SystemExit(str(problem)) from None


def measured(case: Case, seed: int) -> dict[str, dict[str, float]]:
    """Of each method: F1, bias (found minus true percent of all events) and whether its gate was placed and doubted."""
    import cytoreg

    sample, truth = tube(case, seed)
    control, _ = tube(replace(case, events=min(case.events, 100_000)), seed, lacking=True)
    earlier, labels = tube(replace(case, shift=0.0, drift=0.0, events=REFERENCE_EVENTS), seed + 1000)
    learned = cytoreg.learn_gate(earlier, template(), "reference", labels).template
    fixed = cytoreg.learn_gate(earlier, template(), "reference", labels, align="none").template
    result = cytoreg.gate(sample, learned, controls={"A": control}, bootstrap=0)
    rows = {}
    for name in (*METHODS, "reference"):
        part = result.gates[name].parts[0]
        placed = "not_placed" not in part.flags
        rows[name] = _scored(result.mask(name), truth) | {"placed": placed, "doubted": "doubt" in part.flags}
    few = fixed.with_populations([fixed.populations[key] for key in ("B+", "reference")])
    mask = cytoreg.gate(sample, few, bootstrap=0).mask("reference")
    rows["fixed gate"] = _scored(mask, truth) | {"placed": True, "doubted": False}
    rows["scikit-learn mixture"] = _scored(_sklearn(result), truth) | {"placed": True, "doubted": False}
    return rows


def _scored(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import f1_score

    return {
        "f1": float(f1_score(truth, found, zero_division=0.0)),
        "bias": 100 * float(found.mean() - truth.mean()),
    }


def _sklearn(result: Any) -> np.ndarray:
    """Three normal components on both axes; the events that are likeliest in the one that is highest on A."""
    from sklearn.mixture import GaussianMixture

    points = np.column_stack([result.events.display(result.nodes["root"], axis) for axis in ("A", "B")])
    model = GaussianMixture(3, random_state=0).fit(points[:: max(1, len(points) // 50_000)])
    return np.asarray(model.predict(points) == int(np.argmax(model.means_[:, 0])))


def summary(case: Case, runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """A case with, for each method, medians over the tubes."""
    rows = {
        name: {
            "f1": round(median(run[name]["f1"] for run in runs), 4),
            "bias": round(median(run[name]["bias"] for run in runs), 4),
            "placed": sum(bool(run[name]["placed"]) for run in runs),
            "doubted": sum(bool(run[name]["doubted"]) for run in runs),
        }
        for name in NAMES
    }
    return {"case": asdict(case), "tubes": len(runs), "methods": rows}


def main() -> None:
    """Measure all cases, keep the figures, write the page."""
    from benchmarks.difficulty_page import write

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found, start = [], time.perf_counter()
    everything = list(cases())
    for i, case in enumerate(everything):
        found.append(summary(case, [measured(case, seed) for seed in range(seeds)]))
        print(f"{i + 1} of {len(everything)}, {time.perf_counter() - start:.0f} s: {case}", flush=True)
    RESULTS.write_text(json.dumps({"seeds": seeds, "cases": found}, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {RESULTS}; {write()}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
