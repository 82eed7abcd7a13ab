"""Widths and cofactors chosen from data, held against the published formula worked out by hand and against theory."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from cytoreg.transforms import Arcsinh, Logicle
from cytoreg.transforms.choosing import Chosen, choose, offer

T = 262144.0
LOGICLE = {"T": T, "M": 4.5, "A": 0.0, "W": "auto"}


def width(*tubes: np.ndarray, **params: float) -> Chosen:
    return choose([offer("logicle", {**LOGICLE, **params}, values) for values in tubes], "batch")


def cofactor(*tubes: np.ndarray) -> Chosen:
    return choose([offer("arcsinh", {"cofactor": "auto"}, values) for values in tubes], "batch")


def test_the_width_is_that_of_the_published_formula() -> None:
    """Parks, Roederer and Moore 2006: with r = -262.144 of T 262144 and M 4.5, (4.5 - log10(1000)) / 2 = 0.75."""
    negatives = -262.144 * np.linspace(1.0, 0.0, 201)[:-1] / 0.95
    found = width(np.concatenate([negatives, np.linspace(1, 1e5, 500)]))
    assert found.measured == pytest.approx(np.percentile(negatives, 5), rel=0.005)
    assert found.measured == pytest.approx(-262.144, rel=0.005)
    assert found.value == pytest.approx(0.75, abs=0.002)
    assert (found.fitted_on, found.events, found.tubes) == (200, 700, 1)


def test_the_scale_of_that_width_shows_r_at_its_lower_end() -> None:
    """What the width is chosen for: the display begins (at 0) a little below the negative tail."""
    values = np.random.default_rng(0).normal(0, 300, 50_000)
    found = width(values)
    r = np.percentile(values[values < 0], 5)
    shown = Logicle(T, found.value, 4.5, 0.0).forward(np.array([r]))[0]
    assert 0 < shown < 0.5 * found.value


def test_tubes_are_pooled_whatever_their_order_and_however_large() -> None:
    rng = np.random.default_rng(1)
    tubes = [rng.normal(20 * i, 200 + 50 * i, n) for i, n in enumerate((500, 3_000, 60_000, 9_000))]
    found = width(*tubes)
    everything = np.concatenate(tubes)
    r = np.percentile(everything[everything < 0], 5)
    assert found.measured == pytest.approx(r, rel=0.005)
    for seed in range(5):
        shuffled = [np.random.default_rng(seed).permutation(values) for values in tubes]
        random.Random(seed).shuffle(shuffled)
        assert width(*shuffled) == found
        assert cofactor(*shuffled) == cofactor(*tubes)


def test_few_negative_values_leave_the_width_that_was_before_and_say_so() -> None:
    found = width(np.append(np.linspace(1, 1e5, 5000), -np.arange(1.0, 41.0)))
    assert found.value == 0.5
    assert found.measured is None
    assert "40 values below zero" in found.reason


@pytest.mark.parametrize(("low", "params", "value"), [
    (-1e6, {}, 2.25), (-1e6, {"A": 0.5}, 2.0), (-1e6, {"M": 3.0}, 1.5), (-0.01, {}, 0.0), (-0.01, {"A": -0.4}, 0.4),
])  # fmt: skip
def test_the_width_stays_possible(low: float, params: dict[str, float], value: float) -> None:
    found = width(np.full(1000, low), **params)
    assert found.value == pytest.approx(value)
    Logicle(T, found.value, params.get("M", 4.5), params.get("A", 0.0))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("centre", [0.0, 150.0])
def test_the_cofactor_is_three_times_the_noise_however_many_cells_are_negative(
    share: float, centre: float
) -> None:
    rng = np.random.default_rng(2)
    negative = rng.random(100_000) < share
    values = np.where(negative, rng.normal(centre, 60, 100_000), 20_000 * np.exp(rng.normal(0, 0.4, 100_000)))
    assert cofactor(values).value == pytest.approx(180, rel=0.25)


def test_noise_about_zero_keeps_one_peak_on_the_chosen_scale_and_two_on_one_that_is_too_narrow() -> None:
    """On arcsinh(x / c) the density of N(0, s) at zero is a peak for c > s and a pit for c < s."""
    values = np.random.default_rng(3).normal(0, 60, 400_000)

    def pit(scale: Arcsinh) -> float:
        shown = scale.forward(values)
        middle = np.mean(np.abs(shown) < 0.05 * shown.std()) / 0.1
        side = np.mean(np.abs(np.abs(shown) - shown.std()) < 0.05 * shown.std()) / 0.2
        return float(middle - side)

    assert pit(Arcsinh(cofactor(values).value)) > 0
    assert pit(Arcsinh(10.0)) < 0


@pytest.mark.parametrize("values", [
    np.zeros(0), np.zeros(1), np.ones(500), np.full(500, np.nan), np.full(500, -3.0), np.array([np.inf, -np.inf] * 300),
])  # fmt: skip
def test_nothing_crashes_and_the_scale_is_possible(values: np.ndarray) -> None:
    logicle, arcsinh = width(values), cofactor(values)
    assert math.isfinite(logicle.value)
    assert math.isfinite(arcsinh.value)
    Logicle(T, logicle.value)
    Arcsinh(arcsinh.value)
