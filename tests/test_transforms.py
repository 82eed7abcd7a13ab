"""Display scales: against flowutils and FlowKit, over grids of their parameters."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from flowkit import transforms as flowkit_transforms
from flowutils import transforms as flowutils_transforms
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cytoreg.transforms import (
    KINDS,
    Arcsinh,
    Biexponential,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    Transform,
    transform_of,
)

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


HYPERLOGS = [
    Hyperlog(T, W, M, A)
    for T in (1000.0, 262144.0, 4194304.0)
    for M in (3.0, 4.5, 6.0)
    for W in (0.1, 0.25, 1.0, M / 2)
    for A in (-0.2, 0.0, 0.5, 1.0)
    if -W <= A <= M - 2 * W
]


@pytest.mark.parametrize("scale", HYPERLOGS, ids=lambda s: f"T{s.T:g} W{s.W:g} M{s.M:g} A{s.A:g}")
def test_hyperlog_is_that_of_flowkit(scale: Hyperlog) -> None:
    theirs = flowkit_transforms.HyperlogTransform(
        param_t=scale.T, param_w=scale.W, param_m=scale.M, param_a=scale.A
    )
    near = SPREAD[np.abs(SPREAD) < 1.2 * scale.T]
    np.testing.assert_allclose(scale.forward(near), theirs.apply(near.copy()) * scale.M, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scale.inverse(scale.forward(SPREAD)), SPREAD, rtol=1e-9, atol=1e-9 * scale.T)


@pytest.mark.parametrize(("T", "W", "M", "A"), [(1000, 1, 4, 0), (1000, 1, 4, 1), (1000, 0.01, 4, 1)])
def test_hyperlog_keeps_the_points_that_define_it(T: float, W: float, M: float, A: float) -> None:
    """GatingML 2.0, section 6.5: hyperlog(T) = 1 and hyperlog(0) = (A + W) / (M + A) on the scale to 1."""
    scale = Hyperlog(T, W, M, A)
    zero, top = scale.forward(np.array([0.0, T]))
    assert top == pytest.approx(M, abs=1e-12)
    assert zero == pytest.approx(M * (A + W) / (M + A), abs=1e-12)


@pytest.mark.parametrize("positive", [3.2, 4.41854, 5.0])
@pytest.mark.parametrize("negative", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("width", [-1.0, -3.16, -10.0, -100.0, -1000.0])
def test_biexponential_is_the_table_of_flowkit(positive: float, negative: float, width: float) -> None:
    scale = Biexponential(262144.0, positive, negative, width)
    theirs = flowkit_transforms.WSPBiexTransform(negative, width, positive, 262144.0)
    np.testing.assert_allclose(scale.forward(SPREAD), theirs.apply(SPREAD), rtol=0, atol=1e-9)
    inner = np.linspace(0, 4096, 999)
    np.testing.assert_allclose(scale.forward(scale.inverse(inner)), inner, rtol=1e-9, atol=1e-9)
    assert (np.diff(scale.forward(np.sort(SPREAD))) >= 0).all()


def test_log_is_gatingml_s_times_m_and_flowjo_s_times_its_decades() -> None:
    theirs = flowkit_transforms.LogTransform(param_t=10_000, param_m=4.5)
    above = SPREAD[SPREAD > 0]
    np.testing.assert_allclose(Log(10_000, 4.5).forward(above), theirs.apply(above) * 4.5, rtol=1e-12, atol=1e-12)
    piled = flowkit_transforms.WSPLogTransform(offset=2.5, decades=4.4)
    np.testing.assert_allclose(
        Log.from_offset(2.5, 4.4).forward(SPREAD), piled.apply(SPREAD) * 4.4, rtol=1e-12, atol=1e-12
    )
    odd = np.array([-1.0, 0.0, np.nan, np.inf])
    np.testing.assert_array_equal(Log(10_000, 4.5).forward(odd), [np.nan, -np.inf, np.nan, np.inf])
    np.testing.assert_array_equal(Log(10_000, 4.5, clip=True).forward(odd), [0, 0, np.nan, np.inf])


def test_arcsinh_by_top_and_decades_is_gatingml_s() -> None:
    scale, ten = Arcsinh.from_top(10_000, 4.0), math.log(10)
    theirs = flowkit_transforms.AsinhTransform(param_t=10_000, param_m=4.0, param_a=1.0)
    ours = (scale.forward(SPREAD) + 1.0 * ten) / (5.0 * ten)
    np.testing.assert_allclose(ours, theirs.apply(SPREAD.copy()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [Logicle, Hyperlog])
def test_more_decades_than_float64_can_hold_are_refused(scale: type[Logicle] | type[Hyperlog]) -> None:
    with pytest.raises(ValueError, match="expected a scale that float64 can hold, found T 1024, W 1, M 400"):
        scale(1024.0, 1.0, 400.0, 0.0)


@pytest.mark.parametrize("negative", [1e5, 1e300])
def test_a_biexponential_beyond_float64_is_refused(negative: float) -> None:
    with pytest.raises(ValueError, match="biexponential: expected a scale that float64 can hold"):
        Biexponential(negative=negative)


EACH: list[Transform] = [
    *(Linear(), Log(1e5, 4.0), Log(1e5, 4.0, clip=True), Arcsinh(7.0), Logicle(1e5, 0.7, 4.2, 0.3)),
    *(Hyperlog(1e5, 0.7, 4.2, 0.3), Biexponential(1e5, 4.1, 0.2, -33.0, 1024)),
]


@pytest.mark.parametrize("scale", EACH, ids=lambda scale: type(scale).__name__)
def test_every_scale_is_made_again_from_what_it_says_and_never_decreases(scale: Transform) -> None:
    kind, params = next(iter(scale.describe().items()))
    assert transform_of(kind, params) == scale
    assert kind in KINDS
    rising = scale.forward(np.array([-np.inf, *np.sort(SPREAD), np.inf]))
    numbers = rising[~np.isnan(rising)]
    assert (numbers[1:] >= numbers[:-1]).all()
    assert np.isnan(scale.forward(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("kind", "params", "what"),
    [
        ("log", {"T": 0}, "log needs T > 0"),
        ("log", {"M": -1}, "log needs T > 0 and M > 0"),
        ("log", {"T": math.nan}, "found T nan"),
        ("arcsinh", {"cofactor": 0}, "cofactor above 0"),
        ("arcsinh", {"cofactor": math.inf}, "cofactor above 0"),
        ("hyperlog", {"W": 0}, "hyperlog needs"),
        ("hyperlog", {"W": 3.0}, "0 < 2W <= M"),
        ("hyperlog", {"A": -1.0}, "-W <= A"),
        ("biexponential", {"width": 10.0}, "width <= -1"),
        ("biexponential", {"width": math.nan}, "biexponential needs"),
        ("biexponential", {"positive": 0.2}, "positive > log10"),
        ("biexponential", {"T": -5}, "T > 0"),
        ("biexponential", {"length": 3}, "a length of 16"),
    ],
)
def test_parameters_that_no_scale_can_have_are_refused(kind: str, params: dict[str, float], what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        transform_of(kind, params)
