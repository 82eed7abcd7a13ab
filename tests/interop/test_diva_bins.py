"""Diva's bins: which of them a region holds, and that the geometry made of them holds exactly these."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cytoreg.gating.gates import Any_, Polygon, contains
from cytoreg.interop.diva.bins import BINS, Scale, cells, interval, outline, part, rectangle

X, Y = Scale(0.0, 262144.0), Scale(0.0, 4.5)
POINTS = st.lists(st.tuples(st.floats(-40, 300), st.floats(-40, 300)), min_size=3, max_size=9)


def at(column: float, row: float) -> tuple[float, float]:
    return column * 1024.0, row * 4.5 / 256


def test_a_row_runs_from_the_nearest_bin_left_to_the_nearest_right() -> None:
    """A triangle, by hand: its left side is at x = y / 2 + 0.3, its right side at x = 30.4."""
    corners = np.array([(0.3, 0.0), (30.4, 0.0), (30.4, 60.2)])
    held = cells(corners)
    rows = [(int(np.flatnonzero(row)[0]), int(np.flatnonzero(row)[-1])) for row in held[:60]]
    assert rows[0] == (0, 30)
    assert rows[1] == (1, 30)  # 0.8 is nearest to 1
    assert rows[2] == (1, 30)  # 1.3
    assert rows[3] == (2, 30)  # 1.8
    assert held[60].sum() == 1
    assert not held[61:].any()


def test_of_two_axis_parallel_sides_the_bins_are_those_of_the_rectangle() -> None:
    corners = np.array([(40.2, 3.4), (92.3, 3.4), (92.3, 205.45), (40.2, 205.45)])
    held = cells(corners)
    columns, rows = np.flatnonzero(held.any(axis=0)), np.flatnonzero(held.any(axis=1))
    assert (columns[0], columns[-1], rows[0], rows[-1]) == (40, 92, 4, 205)
    shape = rectangle(("x", "y"), corners, X, Y)
    np.testing.assert_allclose(shape.min, at(40, 4))
    np.testing.assert_allclose(shape.max, at(93, 206))


@given(POINTS, st.integers(0, 2**32 - 1))
@example([(0.0, 1.0), (0.0, 0.0), (1.0, 2.225073858507e-311)], 0)  # a slope beyond any number
@settings(max_examples=60, deadline=None)
def test_the_geometry_holds_exactly_the_bins(points: list[tuple[float, float]], seed: int) -> None:
    """Values off the axis count in its first or last bin; the polygon may cross itself."""
    held = cells(np.array(points))
    gate = outline(("x", "y"), held, X, Y)
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-60, 320, (2, 3_000))
    x[:50], y[:50] = np.round(x[:50]), np.round(y[:50])  # on the edges of bins
    expected = held[np.clip(np.floor(y), 0, 255).astype(int), np.clip(np.floor(x), 0, 255).astype(int)]
    inside = contains(gate, dict(zip("xy", at(x, y), strict=True)), {}, len(x))
    np.testing.assert_array_equal(inside, expected)


def test_a_whole_region_is_one_polygon_with_few_corners() -> None:
    gate = outline(("x", "y"), cells(np.array([(40.0, 3.0), (92.0, 3.0), (92.0, 205.0), (40.0, 205.0)])), X, Y)
    assert isinstance(gate, Polygon)
    assert len(gate.vertices) == 4


def test_two_parts_are_two_polygons_and_none_is_a_gate_that_holds_nothing() -> None:
    held = np.zeros((BINS, BINS), dtype=bool)
    nothing = outline(("x", "y"), held, X, Y)
    assert not contains(nothing, {"x": np.array([0.0, 5.0])}, {}, 2).any()
    held[10:20, 10:20] = held[30:40, 10:20] = True
    gate = outline(("x", "y"), held, X, Y)
    assert isinstance(gate, Any_)
    assert len(gate.parts) == 2


@pytest.mark.parametrize("ends", [(-20.0, 5.4), (250.2, 300.0), (131.66, 241.98)])
def test_an_interval_that_reaches_an_end_of_the_axis_is_open_there(ends: tuple[float, float]) -> None:
    gate = interval("x", np.array(ends), X)
    x = np.array([-1e6, -5.0, 3.0, 100.0, 131.9, 132.0, 242.9, 243.0, 251.0, 300.0, 1e6])
    bins = np.clip(np.floor(x), 0, 255)
    np.testing.assert_array_equal(gate.contains([x * 1024]), (bins >= round(ends[0])) & (bins <= round(ends[1])))


def test_parts_of_a_quadrant_meet_at_the_divider() -> None:
    corners = {
        name: np.array(c, dtype=float)
        for name, c in {"low": [(0, 0), (9, 9)], "high": [(10, 10), (255, 255)]}.items()
    }
    low = part(("x", "y"), corners["low"], (9.6, 9.6), X, Y)
    high = part(("x", "y"), corners["high"], (9.6, 9.6), X, Y)
    assert low.max == high.min == at(10, 10)
