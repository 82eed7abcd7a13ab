"""Scales that are chosen from data reach the gates, `gates.json` and every tube that shares them; and what cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.batch.runner import gate_tubes
from cytoreg.batch.sheet import Tube
from cytoreg.fcs import write_fcs
from cytoreg.fcs.sample import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.binding import Choices
from cytoreg.gating.template import Template
from cytoreg.yamlfile import load_yaml

TWO = """
cytoreg: 1
name: two
compensation: none
{more}
transforms: {{default: {{logicle: {{W: auto, T: 262144}}}}, CD4: {scale}}}
populations:
  CD4+: {{parent: root, gate: {gate}}}
  CD25+: {{parent: CD4+, gate: {{valley: {{on: CD25}}}}}}
"""


def template(
    folder: Path, more: str = "", gate: str = "{valley: {on: CD4}}", scale: str = "{arcsinh: {cofactor: auto}}"
) -> Template:
    file = folder / "two.yaml"
    file.write_text(TWO.format(more=more, gate=gate, scale=scale), encoding="utf-8")
    return parse_template(load_yaml(file, TemplateError))


def cells(seed: int, noise: float, n: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    positive = rng.random((n, 2)) < 0.5
    return np.where(positive, 9000 * np.exp(rng.normal(0, 0.3, (n, 2))), rng.normal(0, noise, (n, 2)))


def tubes(folder: Path) -> list[Tube]:
    made = []
    for i, (batch, noise) in enumerate([("a", 100), ("a", 300), ("b", 60), ("b", 60)]):
        path = folder / f"t{i}.fcs"
        write_fcs(path, cells(i, noise).astype(np.float32), ["CD4", "CD25"], ranges=[262144, 262144])
        made.append(Tube(path, path.name, path.stem, panel="p", batch=batch))
    return made


def gated(made: list[Tube], asked: Template, jobs: int = 1) -> dict[str, Any]:
    found = gate_tubes(made, {"p": asked}, {tube.sample_id: Choices() for tube in made}, jobs=jobs)
    assert not found.failures
    return {name: rows["gates"]["gates"] for name, rows in sorted(found.tables.items())}


def by_hand(values: list[np.ndarray]) -> float:
    pooled = np.concatenate(values)
    return float((4.5 - np.log10(262144 / -np.percentile(pooled[pooled < 0], 5))) / 2)


def test_one_sample_is_shown_on_the_scale_of_the_formula_and_says_so(tmp_path: Path) -> None:
    values = cells(1, 200)
    result = cytoreg.gate(sample_from_array(values, ["CD4", "CD25"]), template(tmp_path))
    axis = result.gates["CD25+"].axes["CD25"]
    assert axis["transform"]["logicle"]["W"] == pytest.approx(by_hand([values[:, 1]]), abs=0.005)
    assert axis["chosen"]["value"] == axis["transform"]["logicle"]["W"]
    assert axis["chosen"]["by"] == "batch"
    assert result.gates["CD4+"].axes["CD4"]["chosen"]["parameter"] == "cofactor"
    assert result.gates["CD4+"].axes["CD4"]["transform"]["arcsinh"]["cofactor"] == pytest.approx(600, rel=0.2)
    assert result.percent("CD25+ % of CD4+").value == pytest.approx(50, abs=3)


def test_tubes_of_a_batch_share_a_scale_whatever_their_order_and_the_number_of_processes(tmp_path: Path) -> None:
    made, asked = tubes(tmp_path), template(tmp_path)
    found = gated(made, asked)
    widths = {name: gates[1]["axes"]["CD25"]["chosen"]["value"] for name, gates in found.items()}
    assert widths["t0"] == widths["t1"] != widths["t2"] == widths["t3"]
    assert widths["t0"] == pytest.approx(by_hand([cells(0, 100)[:, 1], cells(1, 300)[:, 1]]), abs=0.005)
    assert found["t0"][1]["axes"]["CD25"]["chosen"]["tubes"] == 2
    assert json.dumps(gated(made[::-1], asked)) == json.dumps(found)
    assert json.dumps(gated([made[2], made[0], made[3], made[1]], asked, jobs=2)) == json.dumps(found)


@pytest.mark.parametrize(("by", "different"), [("study", 1), ("sample", 4)])
def test_a_template_may_choose_for_the_study_or_for_each_sample(tmp_path: Path, by: str, different: int) -> None:
    found = gated(tubes(tmp_path), template(tmp_path, f"choose: {{by: {by}}}"))
    values = {gates[1]["axes"]["CD25"]["chosen"]["value"] for gates in found.values()}
    assert len(values) == different


@pytest.mark.parametrize(("more", "gate", "scale", "message"), [
    ("", "{range: {on: CD4, min: 2}}", "{arcsinh: {cofactor: auto}}", "drawn at coordinates of CD4"),
    ("", "{valley: {on: CD4, by: study}}", "{arcsinh: {cofactor: auto}}", "choose: {by: study}"),
    ("choose: {by: sample}", "{valley: {on: CD4, by: batch}}", "{arcsinh: {cofactor: auto}}", "choose: {by: batch}"),
    ("choose: {by: sample}", "{fmo: {on: CD4}}", "{arcsinh: {cofactor: auto}}", "choose: {by: batch}"),
    ("choose: {by: week}", "{valley: {on: CD4}}", "linear", "week"),
    ("quality: {remove: [doublets]}", "{valley: {on: CD4}}", "linear", "doublets"),
    ("", "{valley: {on: CD4}}", "{log: {M: auto}}", "M"),
])  # fmt: skip
def test_what_cannot_be_is_said(tmp_path: Path, more: str, gate: str, scale: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message.replace("{", r"\{")) as problem:
        template(tmp_path, more, gate, scale)
    assert "two.yaml" in str(problem.value)


def test_a_gate_drawn_on_a_scale_that_is_stated_stands_beside_a_chosen_one(tmp_path: Path) -> None:
    asked = template(tmp_path, gate="{range: {on: CD4, min: 2}}", scale="{logicle: {T: 262144, W: 0.5}}")
    result = cytoreg.gate(sample_from_array(cells(1, 200), ["CD4", "CD25"]), asked)
    assert "chosen" not in result.gates["CD4+"].axes["CD4"]


def test_a_template_says_again_what_it_leaves_to_the_data(tmp_path: Path) -> None:
    said = template(tmp_path, "choose: {by: study}\nquality: {remove: [time, margin]}").describe()
    assert said["transforms"]["default"]["logicle"]["W"] == "auto"
    assert said["choose"] == {"by": "study"}
    assert said["quality"] == {"remove": ["time", "margin"]}


@pytest.mark.parametrize("values", [np.zeros((0, 2)), np.zeros((1, 2)), np.ones((50, 2)), np.full((5000, 2), 7.0)])
def test_nothing_crashes_without_data(tmp_path: Path, values: np.ndarray) -> None:
    sample = sample_from_array(values, ["CD4", "CD25"])
    result = cytoreg.gate(sample, template(tmp_path, "quality: {remove: [time, margin, rate]}"))
    assert result.count("root") == len(values)
