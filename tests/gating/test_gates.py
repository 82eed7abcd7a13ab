"""Geometry: against FlowKit and matplotlib, and the one rule of what belongs to an edge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from flowkit import Dimension, gates
from matplotlib.path import Path
from scipy.spatial.distance import mahalanobis
from scipy.stats import chi2

from cytoreg import TemplateError
from cytoreg.gating.gates import (
    All,
    Any_,
    Ellipse,
    Not,
    Nothing,
    Polygon,
    Range,
    Rectangle,
    Reference,
    contains,
)
from cytoreg.gating.spec import parse_gate
from cytoreg.yamlfile import YamlDocument, load_yaml

NAN, INF = np.nan, np.inf


def by_flowkit(
    gate: gates.PolygonGate | gates.RectangleGate | gates.EllipsoidGate, points: np.ndarray
) -> np.ndarray:
    names = [f"d{i}" for i in range(points.shape[1])]
    return np.asarray(gate.apply(pd.DataFrame(points, columns=names)), dtype=bool)


def dimensions(k: int) -> list[Dimension]:
    return [Dimension(f"d{i}") for i in range(k)]


@pytest.mark.parametrize("k", [3, 4, 7, 12])
@pytest.mark.parametrize("seed", range(5))
def test_polygons_that_cross_themselves_are_flowkit_s(k: int, seed: int) -> None:
    rng = np.random.default_rng(100 * k + seed)
    vertices, points = rng.uniform(-1, 1, (k, 2)), rng.uniform(-1.1, 1.1, (5000, 2))
    ours = Polygon(("d0", "d1"), tuple(map(tuple, vertices))).contains(list(points.T))
    theirs = by_flowkit(gates.PolygonGate("g", dimensions(2), vertices=vertices.tolist()), points)
    np.testing.assert_array_equal(ours, theirs)
    assert 0 < ours.sum() < len(points)


@pytest.mark.parametrize("k", [3, 8, 30])
def test_polygons_that_do_not_cross_themselves_are_matplotlib_s(k: int) -> None:
    rng = np.random.default_rng(k)
    angle = np.sort(rng.uniform(0, 2 * np.pi, k))
    vertices = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(0.3, 1, (k, 1))
    points = rng.uniform(-1, 1, (200_000, 2))  # more than a block
    ours = Polygon(("x", "y"), tuple(map(tuple, vertices))).contains(list(points.T))
    np.testing.assert_array_equal(ours, Path(vertices).contains_points(points))


def test_left_and_lower_edges_of_a_polygon_belong_to_it_right_and_upper_ones_do_not() -> None:
    square = Polygon(("x", "y"), ((0, 0), (1, 0), (1, 1), (0, 1)))
    on_edge = {(0.5, 0): True, (0, 0.5): True, (1, 0.5): False, (0.5, 1): False}
    corners = {(0, 0): True, (1, 0): False, (1, 1): False, (0, 1): False}
    for point, inside in (on_edge | corners).items():
        assert square.contains([np.array([float(point[0])]), np.array([float(point[1])])])[0] == inside, point


def test_an_event_on_the_line_that_two_polygons_share_is_in_exactly_one() -> None:
    rng = np.random.default_rng(9)
    for _ in range(50):
        a, b, left, right = rng.integers(-20, 20, (4, 2)) / 4
        along = np.linspace(0, 1, 9)[:, None]
        points = a * (1 - along) + b * along
        halves = [
            Polygon(("x", "y"), (tuple(a), tuple(b), tuple(tip))).contains(list(points.T)) for tip in (left, right)
        ]
        side = [np.sign(np.cross(b - a, tip - a)) for tip in (left, right)]
        if side[0] * side[1] == -1:
            inner = slice(1, -1)
            assert (halves[0][inner] ^ halves[1][inner]).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_ellipsoids_are_flowkit_s_and_hold_their_mahalanobis_distance(k: int) -> None:
    rng = np.random.default_rng(k)
    root = rng.normal(size=(k, k))
    covariance, center = root @ root.T + 0.1 * np.eye(k), rng.normal(size=k)
    points = rng.multivariate_normal(center, covariance, size=4000)
    gate = Ellipse(tuple(f"d{i}" for i in range(k)), tuple(center), tuple(map(tuple, covariance)), 1.3)
    ours = gate.contains(list(points.T))
    precision = np.linalg.inv(covariance)
    assert ours[:200].tolist() == [mahalanobis(point, center, precision) <= 1.3 for point in points[:200]]
    assert ours.mean() == pytest.approx(chi2.cdf(1.3**2, k), abs=0.03)
    if k > 1:
        theirs = gates.EllipsoidGate("g", dimensions(k), center.tolist(), covariance.tolist(), 1.3**2)
        np.testing.assert_array_equal(ours, by_flowkit(theirs, points))


def test_an_ellipse_holds_its_surface() -> None:
    circle = Ellipse(("x", "y"), (0, 0), ((4.0, 0.0), (0.0, 1.0)), 1.0)
    assert circle.contains([np.array([2.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.001])]).tolist() == [
        True,
        True,
        False,
    ]


def test_a_rectangle_holds_its_minimum_and_not_its_maximum() -> None:
    x = np.array([0.0, 0.5, 1.0, -0.1])
    assert Range(("x",), 0, 1).contains([x]).tolist() == [True, True, False, False]
    box = Rectangle(("x", "y", "z"), (0, 0, -INF), (1, 1, INF))
    points = np.random.default_rng(2).integers(0, 3, (500, 3)) / 2.0
    theirs = gates.RectangleGate(
        "g",
        [Dimension("d0", range_min=0, range_max=1), Dimension("d1", range_min=0, range_max=1), Dimension("d2")],
    )
    np.testing.assert_array_equal(box.contains(list(points.T)), by_flowkit(theirs, points))


def test_what_is_no_number_is_in_no_gate_and_in_every_complement() -> None:
    x, y = np.array([NAN, 0.5, NAN, 0.5]), np.array([0.5, NAN, NAN, 0.5])
    columns = {"x": x, "y": y}
    shapes = [
        Range(("x",)),
        Range(("x",), min=0),
        Range(("x",), max=1),
        Rectangle(("x", "y"), (-INF, -INF), (INF, INF)),
        Polygon(("x", "y"), ((0, 0), (1, 0), (1, 1), (0, 1))),
        Ellipse(("x", "y"), (0.5, 0.5), ((1, 0), (0, 1)), 5),
    ]
    for shape in shapes:
        inside = contains(shape, columns, {}, 4)
        number = ~np.isnan(np.column_stack([columns[axis] for axis in shape.on])).any(axis=1)
        np.testing.assert_array_equal(inside, number)
        np.testing.assert_array_equal(contains(Not(shape), columns, {}, 4), ~number)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_values_are_above_and_below_all_limits() -> None:
    x = np.array([INF, -INF])
    assert Range(("x",), min=3).contains([x]).tolist() == [True, False]
    assert Range(("x",), max=3).contains([x]).tolist() == [False, True]
    assert Range(("x",), -1e300, 1e300).contains([x]).tolist() == [False, False]
    zero = np.zeros(2)
    assert not Polygon(("x", "y"), ((-9, -1), (9, -1), (0, 9))).contains([x, zero]).any()
    assert not Polygon(("x", "y"), ((-9, -1), (9, -1), (0, 9))).contains([zero, x]).any()
    assert not Ellipse(("x", "y"), (0, 0), ((1, 0.5), (0.5, 1)), 100).contains([x, x]).any()


def test_quadrants_are_a_partition() -> None:
    parts = parse_gate(load_yaml("{quadrant: {on: [CD4, CD8], at: [1, 2]}}", TemplateError))
    assert isinstance(parts, dict)
    assert list(parts) == ["CD4+CD8+", "CD4+CD8-", "CD4-CD8+", "CD4-CD8-"]
    points = np.random.default_rng(4).integers(-1, 5, (2000, 2)) / 1.0  # many exactly on the lines
    masks = [spec.geometry.contains(list(points.T)) for spec in parts.values() if spec.geometry is not None]
    np.testing.assert_array_equal(np.sum(masks, axis=0), 1)
    np.testing.assert_array_equal(masks[1], (points[:, 0] >= 1) & (points[:, 1] < 2))


def test_booleans_are_those_of_sets() -> None:
    rng = np.random.default_rng(8)
    columns = {"x": rng.normal(size=300), "y": rng.normal(size=300)}
    a, b = Range(("x",), min=0), Range(("y",), max=0.3)
    x, y = columns["x"] >= 0, columns["y"] < 0.3
    members = {"other": rng.random(300) < 0.5}
    other = Reference("other")

    def inside(gate: object) -> np.ndarray:
        return contains(gate, columns, members, 300)  # type: ignore[arg-type]

    np.testing.assert_array_equal(inside(All((a, b, other))), x & y & members["other"])
    np.testing.assert_array_equal(inside(Any_((a, b))), x | y)
    np.testing.assert_array_equal(inside(Not(Any_((a, Not(b))))), inside(All((Not(a), b))))
    assert not inside(Nothing("no cut")).any()
    assert inside(Not(Nothing("no cut"))).all()
    assert All((a, b, other)).on == ("x", "y")


def test_each_gate_says_itself_as_a_template_would() -> None:
    written = """
      all:
        - {range: {on: CD4, min: 2.0}}
        - not: {polygon: {on: [a, b], vertices: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}}
        - any:
            - {ellipse: {on: [a, b], center: [1.0, 2.0], covariance: [[2.0, 0.5], [0.5, 1.0]], distance: 2.0}}
            - {rectangle: {on: [a, b], min: [null, 1.0], max: [3.0, null]}}
            - lymphocytes
    """
    document = load_yaml(written, TemplateError)
    assert concrete(parse_gate(document)).describe() == document.data


def concrete(spec):  # type: ignore[no-untyped-def]
    """The gate of a spec that holds nothing automatic."""
    if spec.population:
        return Reference(spec.population)
    if spec.kind == "not":
        return Not(concrete(spec.parts[0]))
    if spec.parts:
        return {"all": All, "any": Any_}[spec.kind](tuple(map(concrete, spec.parts)))
    return spec.geometry


def four_of(written: str) -> dict[str, np.ndarray]:
    """The parts of a quadrant, on a grid of points."""
    points = np.array([(x, y) for x in (0.0, 1.0, 2.0, 3.0, NAN) for y in (0.0, 5.0, 7.0)])
    parsed = parse_gate(load_yaml(written, TemplateError))
    parts = parsed if isinstance(parsed, dict) else {"": parsed}
    return {name: concrete(part).contains(list(points.T)).reshape(5, 3) for name, part in parts.items()}


@pytest.mark.parametrize(
    ("keep", "rows", "columns"),
    [("[0, 0]", [0], [0]), ("[1, 1]", [1], [1]), ("[2, 2]", [2, 3], [2]), ("[1, null]", [1], [0, 1, 2])],
)
def test_a_quadrant_may_have_several_dividers_on_an_axis(keep: str, rows: list[int], columns: list[int]) -> None:
    """A divider belongs to the part above it, as in GatingML's quadrant gates."""
    inside = four_of(f"quadrant: {{on: [x, y], at: [[1, 2], [5, 7]], keep: {keep}}}")[""]
    expected = np.zeros((5, 3), dtype=bool)
    expected[np.ix_(rows, columns)] = True
    np.testing.assert_array_equal(inside, expected)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("{on: [x, y], at: [[2, 1], 3], keep: [0, 0]}", "expected ascending dividers on x, found [2.0, 1.0]"),
        ("{on: [x, y], at: [[1, 2], 3], keep: [3, 0]}", "x has the parts 0 to 2, found 3"),
        ("{on: [x, y], at: [[1, 2], 3], keep: [0]}", "2 axes need 2 numbers to keep, found 1"),
        ("{on: [x, y], at: [[1, 2], 3]}", "keep is required"),
        ("{on: [x, y], at: [[1, 2], 3], keep: ++}", "expected one of ++"),
        ("{on: [x, y, z], at: [1, 2]}", "3 axes need dividers at 3 places, found 2"),
    ],
)
def test_mistakes_in_dividers_are_named(written: str, what: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_gate(load_yaml(f"quadrant: {written}", TemplateError))
    assert what in str(caught.value)


def test_a_distance_whose_square_is_beyond_float64() -> None:
    far = Ellipse(("x", "y"), (0.0, 0.0), ((1.0, 0.0), (0.0, 1.0)), 1e300)
    assert far.contains([np.array([0.0, 1e6]), np.array([0.0, 1e6])]).all()
    said = {"ellipse": {"on": ["a", "b"], "center": [0, 0], "covariance": [[1, 0], [0, 1]], "distance": 1e300}}
    with pytest.raises(TemplateError, match="distance"):
        parse_gate(YamlDocument("t.yaml", said))


def test_infinities_lie_in_open_intervals_and_in_no_polygon_or_ellipse() -> None:
    x = np.array([INF, -INF, NAN, 1.0])
    y = np.array([1.0, 1.0, 1.0, 1.0])
    assert Range(("x",), min=0.0).contains([x]).tolist() == [True, False, False, True]
    assert Range(("x",), max=2.0).contains([x]).tolist() == [False, True, False, True]
    assert Range(("x",)).contains([x]).tolist() == [True, True, False, True]
    assert Rectangle(("x", "y"), (0.0, 0.0), (INF, 2.0)).contains([x, y]).tolist() == [True, False, False, True]
    box = Polygon(("x", "y"), ((-9.0, -9.0), (9.0, -9.0), (9.0, 9.0), (-9.0, 9.0)))
    assert box.contains([x, y]).tolist() == [False, False, False, True]
    egg = Ellipse(("x", "y"), (0.0, 0.0), ((100.0, 5.0), (5.0, 100.0)))
    assert egg.contains([x, y]).tolist() == [False, False, False, True]
    assert egg.contains([y, x]).tolist() == [False, False, False, True]
    outside = contains(Not(box), {"x": x, "y": y}, {}, 4)
    assert outside.tolist() == [True, True, True, False]


@pytest.mark.parametrize("k", [3, 5, 8])
def test_ellipsoids_of_many_dimensions_are_flowkit_s(k: int) -> None:
    rng = np.random.default_rng(k)
    root = rng.normal(size=(k, k))
    covariance, center = root @ root.T + np.eye(k), rng.normal(size=k)
    points = rng.normal(size=(5000, k)) @ root.T + center
    reach = float(chi2.ppf(0.6, k))
    ours = Ellipse(
        tuple(f"d{i}" for i in range(k)), tuple(center), tuple(map(tuple, covariance)), float(np.sqrt(reach))
    ).contains(list(points.T))
    theirs = gates.EllipsoidGate("g", dimensions(k), center.tolist(), covariance.tolist(), reach)
    np.testing.assert_array_equal(ours, by_flowkit(theirs, points))
    assert 0 < ours.sum() < len(points)
