"""The gates that were placed on real files, applied by FlowKit: the same events, one by one.

An event may be decided otherwise only within 1e-9 display units of the edge of a gate; the test lists each.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.gating import Template, parse_template
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle
from cytoreg.gating.result import Result
from cytoreg.interop.flowkit import Difference, compare
from cytoreg.yamlfile import load_yaml

NEAR = 1e-9

T_CELLS = """
cytoreg: 1
name: t_cells
transforms:
  default: {logicle: {W: 0.7, A: 0.2}}
  CCR7: {arcsinh: {cofactor: 150}}
populations:
  cells: {gate: {mixture: {on: [FSC-A, SSC-A], components: 3, choose: {lowest: SSC-A}, content: 0.95}}}
  singlets: {parent: cells, gate: {singlets: {on: [FSC-A, FSC-H]}}}
  CD3+: {parent: singlets, gate: {range: {on: CD3, min: 2.2}}}
  CD4 or CD8:
    parent: CD3+
    gate: {any: [{polygon: {on: [CD4, CD8], vertices: [[2, -1], [5, -1], [5, 2.4], [2.4, 2]]}},
                 {ellipse: {on: [CD4, CD8], center: [1.2, 3.2], covariance: [[0.5, -0.1], [-0.1, 0.6]], distance: 1.7}}]}
  crossing:
    parent: CD3+
    gate: {polygon: {on: [CD4, CD27], vertices: [[0.5, 0.5], [4, 3.5], [0.7, 3.6], [3.9, 0.4], [2, 4.4]]}}
  memory: {parent: CD4 or CD8, gate: {quadrant: {on: [CD28, CD27], at: [2.1, 2.0], keep: "+-"}}}
  naive: {parent: CD4 or CD8, gate: {all: [{not: memory}, {ellipse: {on: [CCR7, CD27, CD28], center: [2, 2.6, 2.4],
    covariance: [[2, 0.1, 0], [0.1, 0.9, 0.2], [0, 0.2, 0.8]], distance: 1.5}}]}}
"""


def drawn() -> Template:
    return parse_template(load_yaml(T_CELLS, TemplateError, name="t_cells"))


def distance(gate: Gate, values: dict[str, float]) -> float:
    """How far an event lies from the nearest edge of a gate, in display units."""
    match gate:
        case All(parts=parts) | Any_(parts=parts):
            return min(distance(part, values) for part in parts)
        case Not(part=part):
            return distance(part, values)
        case Range(on=on, min=low, max=high):
            return min(abs(values[on[0]] - low), abs(values[on[0]] - high))
        case Rectangle(on=on, min=low, max=high):
            return min(abs(values[axis] - end) for axis, *ends in zip(on, low, high, strict=True) for end in ends)
        case Polygon(on=(x, y), vertices=vertices):
            corners = np.asarray(vertices)
            return min(
                to_line(np.array([values[x], values[y]]), *ends)
                for ends in zip(corners, np.roll(corners, 1, 0), strict=True)
            )
        case Ellipse(on=on, center=center, covariance=covariance, distance=reach):
            off = np.array([values[axis] for axis in on]) - center
            away = math.sqrt(off @ np.linalg.inv(covariance) @ off)
            return abs(away - reach) * math.sqrt(np.linalg.eigvalsh(covariance)[0])
    return math.inf


def to_line(point: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    along = np.clip((point - a) @ (b - a) / max((b - a) @ (b - a), 1e-300), 0, 1)
    return float(np.linalg.norm(point - a - along * (b - a)))


def far_ones(result: Result) -> list[str]:
    """Events that FlowKit decides otherwise and that no edge explains; each as a line."""
    differences = compare(result)
    known = {(difference.population, difference.event) for difference in differences}
    return [str(d) for d in differences if not explained(d, result, known)]


def explained(difference: Difference, result: Result, known: set[tuple[str, int]]) -> bool:
    gate = result.gates[difference.population].gate
    if distance(gate, dict(zip(gate.on, difference.values, strict=True))) <= NEAR:
        return True
    needed = [
        result.bound.parents[difference.population],
        *result.bound.template.populations[difference.population].gate.populations(),
    ]
    return any((other, difference.event) in known for other in needed)


CASES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "aria, drawn": ("human_t_cell_aria/100715.fcs", None, {}),
    "aria": ("human_t_cell_aria/100715.fcs", "tbnk", {}),
    "omip021, donor 1, drawn": ("omip021_human/Donor1.fcs", None, {}),
    "omip021, donor 2": ("omip021_human/Donor2.fcs", "tbnk", {}),
    "macsquant": ("human_blood_macsquant/macsquant_cd45_cd3_cd4_cd8.fcs", "tbnk", {}),
    "tregs A01": (
        "human_treg_labels/Well_A01_CD3+CD4+.fcs",
        "treg_cd127",
        {"channels": {"CD25": "VL1-H", "CD127": "BL1-H"}, "start": "CD4+"},
    ),
    "tregs C01": (
        "human_treg_labels/Well_C01_CD3+CD4+.fcs",
        "treg_cd127",
        {"channels": {"CD25": "VL1-H", "CD127": "BL1-H"}, "start": "CD4+"},
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_membership_in_human_files_is_flowkit_s(real: Path, case: str) -> None:
    file, template, choices = CASES[case]
    result = cytoreg.gate(real / file, template or drawn(), **choices)
    assert far_ones(result) == []
    assert sum(0 < result.count(name) < result.n_events for name in result.names) >= 4


@pytest.mark.parametrize("number", [1, 5, 13, 31])
def test_membership_in_the_mouse_study_is_flowkit_s(real: Path, number: int) -> None:
    folder = real / "mouse_activation"
    matrix = folder / "compensation" / "Compensation-Spillover-Matrix.csv"
    result = cytoreg.gate(folder / f"Activation_{number}.fcs", "mouse_activation", compensation=matrix)
    assert far_ones(result) == []
    assert min(result.count(name) for name in ("T cells", "CD4 T cells", "CD8 T cells")) > 100
