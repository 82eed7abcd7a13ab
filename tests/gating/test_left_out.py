"""What is veiled in a gate's picture is what the gate leaves out, point by point."""

from __future__ import annotations

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Nothing, Polygon, Range, Rectangle, Reference
from cytoreg.gating.left_out import left_out
from cytoreg.gating.picture import pictures_of
from cytoreg.yamlfile import load_yaml

INF = float("inf")
AXES, SPANS = ["X", "Y"], [(0.0, 10.0), (-2.0, 8.0)]
SQUARE = Polygon(("X", "Y"), ((2, 2), (6, 2), (6, 6), (2, 6)))


def area(boxes: list[tuple[float, float, float, float]]) -> float:
    return sum((b - a) * (d - c) for a, b, c, d in boxes)


def veiled(boxes: list[tuple[float, float, float, float]], x: float, y: float) -> bool:
    return any(a < x < b and c < y < d for a, b, c, d in boxes)


@pytest.mark.parametrize(
    ("gate", "boxes"),
    [
        (Range(("X",), 4.0, INF), [(0.0, 4.0, -2.0, 8.0)]),
        (Range(("Y",), -INF, 3.0), [(0.0, 10.0, 3.0, 8.0)]),
        (Range(("X",), 4.0, 6.0), [(0.0, 4.0, -2.0, 8.0), (6.0, 10.0, -2.0, 8.0)]),
        (Range(("X",), -5.0, 20.0), []),
        (Range(("X",), 11.0, INF), [(0.0, 10.0, -2.0, 8.0)]),
        (Rectangle(("X", "Y"), (4.0, 3.0), (INF, INF)), [(0.0, 4.0, 3.0, 8.0), (0.0, 10.0, -2.0, 3.0)]),
        (Not(Rectangle(("X", "Y"), (4.0, 3.0), (INF, INF))), [(4.0, 10.0, 3.0, 8.0)]),
        (Rectangle(("X", "Y"), (1.0, 1.0), (3.0, 3.0)), []),
        (SQUARE, []),
        (Nothing("no control"), []),
        (Reference("A"), []),
        (Any_((Range(("X",), 4.0, INF), Reference("A"))), []),
        (All((Range(("X",), 4.0, INF), Reference("A"))), [(0.0, 4.0, -2.0, 8.0)]),
        (Not(All((Range(("X",), 4.0, INF), Reference("A")))), []),
        (Not(Any_((Range(("X",), 4.0, INF), Reference("A")))), [(4.0, 10.0, -2.0, 8.0)]),
        (Rectangle(("X", "Z"), (4.0, 3.0), (INF, INF)), [(0.0, 4.0, -2.0, 8.0)]),
        (Not(Rectangle(("X", "Z"), (4.0, 3.0), (INF, INF))), []),
    ],
)
def test_straight_edges_are_exact(gate: Gate, boxes: list[tuple[float, ...]]) -> None:
    assert left_out(gate, AXES, SPANS) == boxes


def test_a_complement_veils_what_its_part_holds() -> None:
    boxes = left_out(Not(SQUARE), AXES, SPANS)
    assert area(boxes) == pytest.approx(16.0, rel=0.05)
    assert veiled(boxes, 4, 4) and not veiled(boxes, 1, 4) and not veiled(boxes, 4, 7)
    round_ = left_out(Not(Ellipse(("Y", "X"), (3.0, 5.0), ((4.0, 0.0), (0.0, 1.0)))), AXES, SPANS)
    assert area(round_) == pytest.approx(np.pi * 2 * 1, rel=0.05)
    assert veiled(round_, 5, 4.8) and not veiled(round_, 6.8, 3)  # wide along Y, its first axis


def test_several_parts_veil_what_none_of_them_holds() -> None:
    both = Any_((SQUARE, Range(("X",), 8.0, INF)))
    boxes = left_out(both, AXES, SPANS)
    assert area(boxes) == pytest.approx(100 - 16 - 20, rel=0.05)
    assert not veiled(boxes, 9, 0) and not veiled(boxes, 3, 3) and veiled(boxes, 7, 3)


def test_on_one_axis_the_height_is_one() -> None:
    assert left_out(Range(("X",), 4.0, INF), ["X"], SPANS[:1]) == [(0.0, 4.0, 0.0, 1.0)]
    assert left_out(Not(Range(("X",), 4.0, INF)), ["X"], SPANS[:1]) == [(4.0, 10.0, 0.0, 1.0)]


def test_the_picture_of_a_complement_veils_the_events_that_are_not_in_it() -> None:
    events = np.random.default_rng(5).uniform(0, 1000, (4000, 2)).astype(np.float32)
    text = """
cytoreg: 1
name: t
compensation: none
transforms: {default: linear}
populations:
  out: {gate: {not: {polygon: {on: [FSC-A, SSC-A], vertices: [[200, 300], [800, 100], [600, 900]]}}}}
  high: {gate: {rectangle: {on: [SSC-A, FSC-A], min: [400, null], max: [null, 700]}}}
"""
    sample = sample_from_array(events, ["FSC-A", "SSC-A"], name="a.fcs")
    result = cytoreg.gate(sample, parse_template(load_yaml(text, TemplateError)))
    for picture in pictures_of(result):
        mask = result.mask(picture["population"])
        columns = events if picture["x"]["label"] == "FSC-A" else events[:, ::-1]
        wrong = sum(
            veiled(picture["left_out"], *event) == inside for event, inside in zip(columns, mask, strict=True)
        )
        assert wrong <= (0 if picture["population"] == "high" else 40)
