"""A limit that is written reads as the same limit, and a log of GatingML keeps its shapes in a workspace and back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg.fcs import Sample, sample_from_array
from cytoreg.gating import Template
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range, Rectangle
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import Population
from cytoreg.interop import flowjo, gatingml
from cytoreg.interop.limits import limit_that_reads
from cytoreg.transforms import Arcsinh, Biexponential, Log, Logicle

SCALES = {
    "logicle": Logicle(262144.0, 1.7, 5.0, 0.5),
    "log": Log.from_offset(1.0, 5.2),
    "arcsinh": Arcsinh(150.0),
    "biexponential": Biexponential(262144.0, 4.418539922, 0.0, -100.0),
}


def template(axes: dict[str, AxisSpec], **gates: Gate) -> Template:
    empty = Template("t", {}, compensation="none", axes=axes)
    return empty.with_populations([Population(key, "root", drawn(gate)) for key, gate in gates.items()])


def tube(values: object) -> Sample:
    return sample_from_array(np.asarray(values, dtype=np.float32), ["X", "Y"], name="t.fcs")


@pytest.mark.parametrize("kind", SCALES)
def test_the_number_that_was_read_is_written_again(kind: str) -> None:
    scale = SCALES[kind]
    for number in (58231.75, 41484.0, 1023.0, 0.5 + 2.0**9):
        shown = float(scale.forward(np.array([number]))[0])
        near = float(scale.inverse(np.array([shown]))[0])
        assert limit_that_reads(near, shown, scale.forward) == number


def test_a_limit_that_no_number_gives_stays_where_it_was() -> None:
    assert limit_that_reads(3.0, 7.0, lambda values: values) == 3.0
    assert limit_that_reads(math.inf, math.inf, lambda values: values) == math.inf


@pytest.mark.parametrize("kind", SCALES)
@pytest.mark.parametrize("extension", ["wsp", "xml"])
def test_events_on_a_limit_stay_where_they_are(tmp_path: Path, kind: str, extension: str) -> None:
    scale = SCALES[kind]
    numbers = np.random.default_rng(3).integers(40, 1024, 60).astype(float) * 16 + 0.75
    axes = {"X": AxisSpec("X", "X", transform=scale, exact=True, compensation="none")}
    shown = scale.forward(numbers)
    gates = {f"g{i}": Range(("X",), float(low), math.inf) for i, low in enumerate(shown)}
    gates |= {f"h{i}": Range(("X",), -math.inf, float(high)) for i, high in enumerate(shown)}
    made = template(axes, **gates)
    path = tmp_path / f"t.{extension}"
    (flowjo if extension == "wsp" else gatingml).write(made, path)
    again = cytoreg.load_template(path)
    events = tube(np.column_stack([numbers, numbers]))
    first, second = cytoreg.gate(events, made), cytoreg.gate(events, again, rule="events")
    for i, number in enumerate(numbers):
        assert first.count(f"g{i}") == second.count(f"g{i}") == int((numbers >= number).sum())
        assert first.count(f"h{i}") == second.count(f"h{i}") == int((numbers < number).sum())


def test_a_shape_below_the_end_of_a_log_is_carried_to_flowjo_and_back(tmp_path: Path) -> None:
    scale = Log(262144.0, 2.0)  # 0 is at 2621; the shapes lie about 30 to 300
    axes = {name: AxisSpec(name, name, transform=scale, exact=True, compensation="none") for name in "XY"}
    at = float(scale.forward(np.array([100.0]))[0])
    corners = ((at - 0.5, at - 0.5), (at + 0.5, at - 0.5), (at + 0.5, at + 0.5), (at - 0.5, at + 0.5))
    made = template(
        axes,
        square=Polygon(("X", "Y"), corners),
        round=Ellipse(("X", "Y"), (at, at), ((0.1, 0.02), (0.02, 0.1)), 1.0),
    )
    values = 10.0 ** np.random.default_rng(1).uniform(0, 5, (4000, 2))
    values[:50] *= -1
    events = tube(values)
    first = cytoreg.gate(events, made)
    low, high = 100 / 10**0.5, 100 * 10**0.5
    inside = ((values > low) & (values < high)).all(axis=1)
    assert inside.sum() > 100
    np.testing.assert_array_equal(first.mask("square"), inside)
    flowjo.write(first, tmp_path / "out.wsp")
    second = cytoreg.gate(events, cytoreg.load_template(tmp_path / "out.wsp"), rule="events")
    np.testing.assert_array_equal(second.mask("square"), inside)
    assert (second.mask("round") != first.mask("round")).sum() <= 2  # a polygon of 256 corners there
    lost = gatingml.write(cytoreg.load_template(tmp_path / "out.wsp").for_sample("t.fcs"), tmp_path / "out.xml")
    assert not any("left out" in sentence or "does not have" in sentence for sentence in lost)
    third = cytoreg.gate(events, cytoreg.load_template(tmp_path / "out.xml"))
    np.testing.assert_array_equal(third.mask("square"), inside)
    np.testing.assert_array_equal(third.mask("round"), second.mask("round"))


def test_a_rectangle_without_a_lower_limit_on_a_log_is_said(tmp_path: Path) -> None:
    """GatingML's log has no value for zero and below, so that they lie in no gate; FlowJo counts them."""
    axes = {name: AxisSpec(name, name, transform=Log(), exact=True, compensation="none") for name in "XY"}
    low = Rectangle(("X", "Y"), (-math.inf, 0.5), (2.0, 3.0))
    lost = flowjo.write(template(axes, low=low), tmp_path / "out.wsp")
    assert [sentence for sentence in lost if "without a lower limit" in sentence and "on X" in sentence]
    lost = flowjo.write(template(axes, low=Range(("X",), 0.5, 3.0)), tmp_path / "again.wsp")
    assert not any("without a lower limit" in sentence for sentence in lost)
