"""FlowKit as the second engine: it agrees, and where it does not, every event is listed."""

from __future__ import annotations

import numpy as np
import pytest

import cytoreg
from cytoreg import Template, TemplateError
from cytoreg.fcs import Spillover, sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.events import Node
from cytoreg.interop.flowkit import compare, membership
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.yamlfile import load_yaml

EVERY_GATE = """
cytoreg: 1
name: t
transforms: {default: {arcsinh: {cofactor: 50}}, b: {logicle: {W: 1.0, A: 0.5}}}
populations:
  A: {gate: {range: {on: a, max: 4}}}
  B: {parent: A, gate: {rectangle: {on: [a, b, c], min: [-9, 0.3, null], max: [3, 4, 4]}}}
  C: {parent: A, gate: {polygon: {on: [a, b], vertices: [[-3, 0], [4, 4], [-3, 4], [4, 0]]}}}
  D: {parent: A, gate: {ellipse: {on: [a, b, c], center: [1, 2, 1], covariance: [[4, 1, 0], [1, 3, 0], [0, 0, 5]]}}}
  E: {parent: A, gate: {any: [{not: B}, {all: [C, {quadrant: {on: [a, c], at: [0, 0], keep: "-+"}}]}]}}
  F: {parent: E, gate: {valley: {on: a, min_events: 100000}}}
  G: {parent: A, gate: {not: F}}
"""


def template() -> Template:
    return parse_template(load_yaml(EVERY_GATE, TemplateError))


def sample(n: int = 5000, dtype: type = np.float32) -> cytoreg.Sample:
    events = np.random.default_rng(3).normal(200, 600, size=(n, 3)).astype(dtype)
    matrix = np.array([[1, 0.2, 0.05], [0.1, 1, 0.3], [0, 0.02, 1]])
    return sample_from_array(events, list("abc"), spillover=Spillover(("a", "b", "c"), matrix))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_kind_of_gate_and_scale_agrees(dtype: type) -> None:
    result = cytoreg.gate(sample(dtype=dtype), template())
    assert compare(result) == []
    for name, mask in membership(result).items():
        np.testing.assert_array_equal(mask, result.mask(name), err_msg=name)
    assert all(result.count(name) > 0 for name in "ABCDE")


def test_a_gate_that_could_not_be_placed_is_in_neither() -> None:
    result = cytoreg.gate(sample(), template())
    assert result.count("F") == result.count("G") == 0
    assert not membership(result)["G"].any()


def test_shipped_gates_on_a_simulated_tube_agree() -> None:
    tube = simulate_tube("treg", Composition(), 5000, np.random.default_rng(8)).to_sample("t")
    assert compare(cytoreg.gate(tube, "treg_foxp3")) == []


def test_an_event_that_is_decided_otherwise_is_listed_with_where_it_lies() -> None:
    result = cytoreg.gate(sample(), template())
    node = result.nodes["C"]
    lost = int(node.index[7])
    result.nodes["C"] = Node("C", np.delete(node.index, 7), node.above)
    (difference,) = compare(result)
    assert (difference.population, difference.event, difference.ours) == ("C", lost, False)
    where = [result.events.display(result.nodes["root"], axis)[lost] for axis in "ab"]
    assert difference.values == pytest.approx(where)
    assert str(difference).startswith(f"C, event {lost}: out here, in there, at ")
