"""Display scales: logicle and arcsinh against flowutils and FlowKit, over grids of their parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flowkit import transforms as flowkit_transforms
from flowutils import transforms as flowutils_transforms
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cytoreg.transforms import Arcsinh, Linear, Logicle

SPREAD = np.concatenate([np.linspace(-2e5, 2e5, 401), -np.logspace(-3, 6, 200), np.logspace(-3, 6, 200), [0.0]])


def by_flowutils(scale: Logicle, values: np.ndarray) -> np.ndarray:
    """In decades: flowutils gives the scale from 0 to 1."""
    column = np.ascontiguousarray(values, dtype=np.float64).reshape(-1, 1)
    return (
        flowutils_transforms.logicle(column, [0], t=scale.T, m=scale.M, w=scale.W, a=scale.A).reshape(-1) * scale.M
    )


GRID = [
    Logicle(T, W, M, A)
    for T in (1000.0, 262144.0, 4194304.0)
    for M in (3.0, 4.5, 6.0)
    for W in (0.0, 0.25, 1.0, M / 2)
    for A in (-0.2, 0.0, 0.5, 1.0)
    if -W <= A <= M - 2 * W
]


@pytest.mark.parametrize("scale", GRID, ids=lambda s: f"T{s.T:g} W{s.W:g} M{s.M:g} A{s.A:g}")
def test_logicle_is_that_of_flowutils(scale: Logicle) -> None:
    np.testing.assert_allclose(scale.forward(SPREAD), by_flowutils(scale, SPREAD), rtol=1e-9, atol=1e-9)


def test_the_default_logicle_is_that_of_flowkit() -> None:
    scale = Logicle()
    theirs = flowkit_transforms.LogicleTransform(param_t=262144, param_w=0.5, param_m=4.5, param_a=0)
    np.testing.assert_allclose(scale.forward(SPREAD), theirs.apply(SPREAD.copy()) * 4.5, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("T", "W", "M", "A"), [(1000, 1, 4, 0), (1000, 1, 4, 1), (1000, 0, 4, 1)])
def test_logicle_keeps_the_points_that_define_it(T: float, W: float, M: float, A: float) -> None:
    """Moore & Parks 2012: T is shown at M, 0 at A + W of M + A decades below, the scale is symmetric about 0.

    GatingML 2.0, section 6.4: on the scale to 1, logicle(T) = 1 and logicle(0) = (A + W) / (M + A).
    """
    scale = Logicle(T, W, M, A)
    zero = float(scale.forward(np.array([0.0]))[0])
    assert float(scale.forward(np.array([T]))[0]) == pytest.approx(M, abs=1e-12)
    assert zero == pytest.approx(M * (A + W) / (M + A), abs=1e-12)
    x = np.array([0.1, 3.0, 77.0])
    np.testing.assert_allclose(scale.forward(x) - zero, zero - scale.forward(-x), rtol=1e-12)


@settings(max_examples=150, deadline=None)
@given(
    T=st.floats(10, 1e7),
    W=st.floats(0, 2.5),
    M=st.floats(1, 7),
    A=st.floats(-1, 3),
    x=st.floats(-1e6, 1e8),
)
def test_logicle_equals_flowutils_and_its_inverse_undoes_it(
    T: float, W: float, M: float, A: float, x: float
) -> None:
    assume(2 * W <= M)
    assume(-W <= A <= M - 2 * W)
    assume(M + A > 0.5)
    scale = Logicle(T, W, M, A)
    values = np.array([x, -x, T, 2 * T])
    display = scale.forward(values)
    back = scale.inverse(display)
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-9 * T)
    if x == 0 or 1e-9 * T < abs(x) < 100 * T:  # flowutils fails (-1) at 1e-25 and stops short far above the top
        np.testing.assert_allclose(display, by_flowutils(scale, values), rtol=1e-7, atol=1e-7)


def test_each_value_goes_its_own_way() -> None:
    """Not a bit of an event's place changes with the events beside it, whatever they are."""
    scale = Logicle(W=1.0)
    values = np.concatenate([SPREAD, [1e12, np.inf, -np.inf, np.nan]])
    together = scale.forward(values)
    alone = np.array([scale.forward(np.array([value]))[0] for value in values])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(scale.forward(values.reshape(2, -1)).ravel(), together)


def test_logicle_never_decreases_and_keeps_what_is_no_number() -> None:
    scale = Logicle()
    rising = np.sort(np.concatenate([SPREAD, np.logspace(6, 12, 50)]))
    assert (np.diff(scale.forward(rising)) >= 0).all()
    odd = scale.forward(np.array([np.nan, np.inf, -np.inf, 0.0]))
    assert math.isnan(odd[0])
    assert odd[1:].tolist() == [np.inf, -np.inf, 0.5]
    assert scale.forward(np.array([])).shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"T": 0},
        {"T": -1},
        {"T": math.nan},
        {"W": -0.1},
        {"W": 2.5, "M": 4.5},
        {"M": 0},
        {"A": -0.6, "W": 0.5},
        {"A": 4, "M": 4.5},
        {"A": math.nan},
        {"T": math.inf},
        {"M": math.inf},
    ],
)
def test_impossible_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="logicle needs T > 0"):
        Logicle(**wrong)


@pytest.mark.parametrize("cofactor", [5.0, 150.0])
def test_arcsinh_with_a_cofactor(cofactor: float) -> None:
    scale = Arcsinh(cofactor)
    np.testing.assert_allclose(scale.forward(SPREAD), np.arcsinh(SPREAD / cofactor), rtol=1e-14)
    np.testing.assert_allclose(scale.inverse(scale.forward(SPREAD)), SPREAD, rtol=1e-9, atol=1e-9)
    assert scale.describe() == {"arcsinh": {"cofactor": cofactor}}


def test_linear_is_linear_and_every_scale_says_its_parameters() -> None:
    assert Linear().forward(np.array([1, 2], dtype=np.float32)).dtype == np.float64
    assert Linear().inverse(np.array([3.0])).tolist() == [3.0]
    assert Linear().describe() == {"linear": {}}
    assert Logicle(1000, 0.5, 4, 0.1).describe() == {"logicle": {"T": 1000, "W": 0.5, "M": 4, "A": 0.1}}
