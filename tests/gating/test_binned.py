"""The counting rule `flowjo`: bins, edges, and what is off the axis."""

from __future__ import annotations

import numpy as np
import pytest

from cytoreg.fcs.channel import Channel
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.binned import (
    BinnedEllipse,
    BinnedPolygon,
    BinnedRange,
    BinnedRectangle,
    Grid,
    grid_of,
    on_grid,
)
from cytoreg.gating.events import Axis
from cytoreg.gating.gates import All, Ellipse, Not, Polygon, Range, Rectangle
from cytoreg.transforms import Arcsinh, Biexponential, Linear, Logicle

ROUND = Grid(0.0, 256.0, 256, nearest=True)
FLOOR = Grid(0.0, 256.0, 256)


def java_contains(px: list[float], py: list[float], x: float, y: float) -> bool:
    """`java.awt.Polygon.contains(double, double)`, point by point, as its documentation and source define it."""
    hits = 0
    last_x, last_y = px[-1], py[-1]
    for cur_x, cur_y in zip(px, py, strict=True):
        if cur_y != last_y:
            left = min(cur_x, last_x)
            if x < max(cur_x, last_x):
                low, high = (cur_y, last_y) if cur_y < last_y else (last_y, cur_y)
                if low <= y < high:
                    if x < left:
                        hits += 1
                    elif cur_y < last_y:
                        hits += x - cur_x < (y - cur_y) / (last_y - cur_y) * (last_x - cur_x)
                    else:
                        hits += x - last_x < (y - last_y) / (cur_y - last_y) * (cur_x - last_x)
        last_x, last_y = cur_x, cur_y
    return bool(hits & 1)


@pytest.mark.parametrize("seed", range(6))
def test_every_bin_is_decided_as_java_decides_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = random.integers(2, 30, size=(7, 2)).astype(float)
    x, y = (column.ravel().astype(float) for column in np.meshgrid(np.arange(32), np.arange(32)))
    grids = (Grid(0.0, 32.0, 32, nearest=True), Grid(0.0, 32.0, 32, nearest=True))
    mask = BinnedPolygon(Polygon(("a", "b"), tuple(map(tuple, corners.tolist()))), grids).contains([x, y])
    px, py = corners[:, 0].tolist(), corners[:, 1].tolist()
    assert mask.tolist() == [java_contains(px, py, a, b) for a, b in zip(x, y, strict=True)]


def test_left_and_lower_edges_are_in_right_and_upper_edges_are_out() -> None:
    square = Polygon(("a", "b"), ((10, 10), (10, 20), (20, 20), (20, 10)))
    x = np.array([10.0, 20.0, 15.0, 15.0, 9.4, 19.6, 9.6])
    y = np.array([15.0, 15.0, 10.0, 20.0, 15.0, 15.0, 15.0])
    assert BinnedPolygon(square, (ROUND, ROUND)).contains([x, y]).tolist() == [1, 0, 1, 0, 0, 0, 1]


def test_a_linear_axis_takes_the_nearest_bin_and_another_the_one_it_is_in() -> None:
    values = np.array([9.4, 9.5, 10.4, 10.6])
    assert ROUND.events(values).tolist() == [9, 10, 10, 11]
    assert FLOOR.events(values).tolist() == [9, 9, 10, 10]
    assert ROUND.vertices(values).tolist() == [9, 10, 10, 11]
    assert FLOOR.vertices(values).tolist() == [9, 9, 10, 10]


def test_events_off_the_axis_are_counted_at_its_edge_and_vertices_stay_off_it() -> None:
    assert ROUND.events(np.array([-50.0, 255.9, 900.0, np.inf, -np.inf])).tolist() == [0, 255, 255, 255, 0]
    assert ROUND.vertices(np.array([-50.0, 900.0])).tolist() == [-50, 900]
    box = Polygon(("a", "b"), ((-5, -5), (-5, 300), (10, 300), (10, -5)))
    assert BinnedPolygon(box, (ROUND, ROUND)).contains([np.array([-99.0, 5.0]), np.array([1e9, -4.0])]).all()


def test_what_is_not_a_number_is_in_no_gate() -> None:
    box = Polygon(("a", "b"), ((-5, -5), (-5, 300), (300, 300), (300, -5)))
    x, y = np.array([np.nan, 1.0, np.nan]), np.array([1.0, np.nan, np.nan])
    assert not BinnedPolygon(box, (ROUND, ROUND)).contains([x, y]).any()
    disc = Ellipse(("a", "b"), (1.0, 1.0), ((900.0, 0.0), (0.0, 900.0)))
    assert not BinnedEllipse(disc, (ROUND, ROUND)).contains([x, y]).any()


def test_an_ellipse_holds_an_event_where_it_holds_its_bin() -> None:
    disc = Ellipse(("a", "b"), (10.0, 10.0), ((4.0, 0.0), (0.0, 4.0)))
    x, y = np.array([12.4, 12.6, 11.6]), np.array([10.4, 10.0, 10.0])
    assert BinnedEllipse(disc, (ROUND, ROUND)).contains([x, y]).tolist() == [True, False, True]


def test_only_polygons_and_ellipses_go_on_the_grid() -> None:
    axes = {name: axis(name, Linear()) for name in "ab"}
    polygon = Polygon(("a", "b"), ((0, 0), (1, 1), (1, 0)))
    exact = Rectangle(("a", "b"), (0.0, 0.0), (1.0, 1.0))
    found = on_grid(All((Not(polygon), exact, Range(("a",), 0.0))), axes)
    assert isinstance(found.parts[0].part, BinnedPolygon)
    assert found.parts[1:] == (exact, Range(("a",), 0.0))
    assert on_grid(polygon, axes).describe() == polygon.describe()


def test_the_bins_of_an_axis_are_those_it_states_else_256_over_its_scale() -> None:
    assert grid_of(axis("a", Linear())) == Grid(0.0, 262144.0, 256, nearest=True)
    assert grid_of(axis("a", Linear(), low=50.0, high=150.0, bins=1024)) == Grid(50.0, 150.0, 1024, nearest=True)
    assert grid_of(axis("a", Biexponential())) == Grid(0.0, 4096.0, 256)
    assert grid_of(axis("a", Logicle())) == Grid(0.0, 4.5, 256)
    arcsinh = Arcsinh(150.0)
    ends = arcsinh.forward(np.array([-10.0, 1000.0]))
    assert grid_of(axis("a", arcsinh, low=-10.0, high=1000.0)) == Grid(ends[0], ends[1], 256)


def test_flowjo_9_keeps_events_as_whole_channels_and_vertices_as_bins() -> None:
    grid = Grid(0.0, 4096.0, 256, kept=4096)
    assert grid.events(np.array([100.4, 100.6, 5000.0])).tolist() == [100 / 16, 101 / 16, 4095 / 16]
    assert grid.vertices(np.array([100.4])).tolist() == [6.0]
    linear = Grid(0.0, 262144.0, 256, nearest=True, kept=4096)
    assert linear.events(np.array([6399.0])).tolist() == [99 / 16]


def test_rectangles_of_flowjo_9_are_on_the_bins_too() -> None:
    axes = {name: axis(name, Biexponential(), kept=4096) for name in "ab"}
    box = on_grid(Rectangle(("a", "b"), (165.0, 165.0), (330.0, 330.0)), axes)
    assert isinstance(box, BinnedRectangle)
    x = np.array([159.9, 160.0, 319.9, 320.0, 200.0, 200.0, 200.0])
    y = np.array([200.0, 200.0, 200.0, 200.0, 143.9, 144.0, 304.1])
    assert box.contains([x, y]).tolist() == [False, True, True, False, False, True, False]


def test_ranges_of_flowjo_9_are_too_and_their_ends_are_open_at_the_end_of_the_axis() -> None:
    axes = {"a": axis("a", Biexponential(), kept=4096)}
    found = on_grid(Range(("a",), 165.0, 330.0), axes)
    assert isinstance(found, BinnedRange)
    x = np.array([160.4, 160.6, 336.4, 336.6, np.nan])
    assert found.contains([x]).tolist() == [False, True, True, False, False]
    whole = on_grid(Range(("a",)), axes)
    assert whole.contains([np.array([-9.0, 9999.0, np.nan])]).tolist() == [True, True, False]


def axis(name: str, transform: object, **said: float) -> Axis:
    """A bound axis of a channel that goes to 262144."""
    spec = AxisSpec(name, **said) if said else None  # type: ignore[arg-type]
    return Axis(name, Channel(0, name, None, 32, 262144.0), transform, spec=spec)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [-10.0, -31.62, -100.0])
def test_a_vertex_that_was_drawn_on_a_border_stays_in_its_bin(width: float) -> None:
    """It comes from linear values of twelve digits, whose way to the display ends a digit beside the border."""
    scale = Biexponential(262144.0, 4.41854, 0.5, width)
    borders = np.arange(1.0, 256.0)
    written = [float(f"{value:.12g}") for value in scale.inverse(borders * 16)]
    grid = Grid(0.0, 4096.0, 256)
    np.testing.assert_array_equal(grid.vertices(scale.forward(np.array(written))), borders)
    np.testing.assert_array_equal(grid.vertices(np.array([15.99, 16.01, -0.5, 4100.0])), [0, 1, -1, 256])
