"""Automatic methods: what every one of them keeps, whatever it is called, and what each one is for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from cytoreg.gating.gates import Ellipse, Gate, Polygon, Range
from cytoreg.gating.method_checks import CHECKS, Cells, Trial, check_method, usual
from cytoreg.gating.methods import CannotFit, fit, method_names
from cytoreg.gating.methods._landmarks import landmarks_of

Array = np.ndarray
# what a method must be told beside its axes; one that needs more stands here, none needs its own tests below
NEEDED: Mapping[str, dict[str, Any]] = {
    "quantile": {"percentile": 50},
    "internal": {"from": "negative"},
    "reference": {
        "gate": {"rectangle": {"min": [10, None], "max": [30, None]}},
        "landmarks": {
            axis: {"peaks": list(marks.peaks), "main": marks.main, "quantiles": list(marks.quantiles)}
            for axis, marks in zip("ab", map(landmarks_of, usual()), strict=True)
        },
    },
}


def asked(method: str, **more: Any) -> Any:
    """The method's parameters with axes a and b, or a alone."""
    return Trial(method, {**NEEDED.get(method, {}), **more}).asked()


def placed(method: str, view: Cells, **more: Any) -> Gate | str:
    """The gate, or the reason why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return fit(method, view, asked(method, **more)).gate
        except CannotFit as problem:
            assert str(problem)
            return str(problem)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("method", method_names())
def test_every_method(method: str, check: str) -> None:
    CHECKS[check](Trial(method, NEEDED.get(method, {})))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("mixture", {"on": "a", "keep": "above"}),
        ("mixture", {"family": "normal"}),
        ("quadrants", {"method": "mixture"}),
        *(("reference", {"align": align}) for align in ("shift", "quantiles", "none")),
    ],
    ids=str,
)
def test_every_way_of_a_method(method: str, words: dict[str, Any]) -> None:
    assert check_method(method, **NEEDED.get(method, {}), **words) == []


def cut_of(gate: Gate | str) -> float:
    assert isinstance(gate, Range)
    return gate.min if np.isfinite(gate.min) else gate.max


@pytest.mark.parametrize(
    ("share", "means", "sds"), [(0.5, (0, 5), (1, 1)), (0.8, (1, 4), (0.5, 0.7)), (0.3, (0, 9), (1, 2))]
)
def test_valley_lies_near_the_lowest_point_between_two_normals(
    share: float, means: tuple[float, float], sds: tuple[float, float]
) -> None:
    rng = np.random.default_rng(10)
    n = 40_000
    first = int(share * n)
    a = np.concatenate([rng.normal(means[0], sds[0], first), rng.normal(means[1], sds[1], n - first)])
    lowest = minimize_scalar(
        lambda x: share * norm.pdf(x, means[0], sds[0]) + (1 - share) * norm.pdf(x, means[1], sds[1]),
        bounds=means,
        method="bounded",
    ).x
    assert cut_of(placed("valley", Cells(a, a))) == pytest.approx(lowest, abs=0.35 * min(sds))


def test_valley_needs_a_second_peak_and_chooses_between_three() -> None:
    rng = np.random.default_rng(11)
    one = rng.normal(0, 1, 5000)
    assert placed("valley", Cells(one, one)) == "no second peak"
    three = np.concatenate([rng.normal(0, 0.5, 3000), rng.normal(3, 0.5, 2500), rng.normal(10, 0.5, 3000)])
    view = Cells(three, three)
    assert cut_of(placed("valley", view, between="first")) == pytest.approx(1.5, abs=0.4)
    assert 4 < cut_of(placed("valley", view, between="last")) < 9
    assert 4 < cut_of(placed("valley", view)) < 9
    kept = placed("valley", view, keep="below")
    assert isinstance(kept, Range)
    assert kept.min == -np.inf


def test_a_shallow_valley_is_doubted() -> None:
    rng = np.random.default_rng(12)
    a = np.concatenate([rng.normal(0, 1, 20_000), rng.normal(2.6, 1, 20_000)])
    found = fit("valley", Cells(a, a), asked("valley"))
    assert any("shallow" in reason for reason in found.reasons)


def test_tail_cuts_beyond_the_side_that_has_no_tail() -> None:
    """Of N(2, 0.5) with a smear to its right: 2.5 spreads beyond the mode, whatever the smear holds."""
    rng = np.random.default_rng(13)
    for smear in (2000, 6000):
        a = np.concatenate([rng.normal(2, 0.5, 20_000), rng.uniform(3.5, 9, smear)])
        assert cut_of(placed("tail", Cells(a, a))) == pytest.approx(2 + 2.5 * 0.5, abs=0.12)
        assert cut_of(placed("tail", Cells(-a, a), side="left", keep="below")) == pytest.approx(-3.25, abs=0.12)


def test_quantile_is_the_percentile() -> None:
    a, b = usual()
    for percentile in (0, 2, 50, 99.5, 100):
        assert cut_of(placed("quantile", Cells(a, b), percentile=percentile)) == np.percentile(a, percentile)


def test_fmo_cuts_at_the_percentile_of_the_control() -> None:
    a, b = usual()
    control = np.random.default_rng(14).normal(5, 1, 20_000)
    gate = placed("fmo", Cells(a, b, control=control), percentile=97.5)
    assert cut_of(gate) == np.percentile(control, 97.5)
    assert cut_of(gate) == pytest.approx(norm.ppf(0.975, 5, 1), abs=0.05)
    assert placed("fmo", Cells(a, b)) == "no FMO control for a"


def test_internal_cuts_at_the_percentile_of_the_negative_population() -> None:
    a, b = usual()
    negative = np.random.default_rng(15).normal(10, 2, 30_000)
    gate = placed("internal", Cells(a, b, negative=negative), percentile=99)
    assert cut_of(gate) == pytest.approx(norm.ppf(0.99, 10, 2), abs=0.1)
    assert placed("internal", Cells(a, b), **{"from": "elsewhere"}) == "population elsewhere was not gated"


def test_singlets_leave_doublets_out() -> None:
    """Two cells in a row have twice the area and about the height of one."""
    rng = np.random.default_rng(16)
    height = rng.lognormal(11, 0.25, 20_000)
    area = height * rng.normal(1.1, 0.03, 20_000)
    partner = rng.permutation(20_000)[:2000]
    area = np.concatenate([area, area[:2000] + area[partner]])
    height = np.concatenate([height, np.maximum(height[:2000], height[partner])])
    gate = placed("singlets", Cells(area, height))
    assert isinstance(gate, Polygon)
    inside = gate.contains([area, height])
    assert inside[:20_000].mean() > 0.98
    assert inside[20_000:].mean() < 0.02


@pytest.mark.parametrize("others", [1, 3, 40])
def test_singlets_of_areas_that_are_nearly_all_equal_are_a_band_of_numbers(others: int) -> None:
    """Less than 1 % of other areas: what lies below the 99th percentile is one area, and no line goes through that."""
    area = np.concatenate([np.full(3000, 50.0), np.linspace(60, 100, others)])
    gate = placed("singlets", Cells(area, area / 2))
    assert isinstance(gate, Polygon)
    assert np.isfinite(np.asarray(gate.vertices)).all()
    assert gate.contains([area, area / 2]).all()
    assert not gate.contains([area, area]).any()


def test_mixture_finds_the_gaussians_that_scikit_learn_finds() -> None:
    rng = np.random.default_rng(17)
    truth = [
        ([0, 0], [[1, 0.4], [0.4, 0.8]], 6000),
        ([9, 2], [[0.5, 0], [0, 2]], 3000),
        ([3, 11], [[1, -0.3], [-0.3, 1]], 2000),
    ]
    points = np.concatenate([rng.multivariate_normal(m, c, n) for m, c, n in truth])
    theirs = GaussianMixture(3, random_state=0, n_init=3).fit(points)
    view = Cells(points[:, 0], points[:, 1])
    for choose in ("largest", {"highest": "a"}, {"highest": "b"}):
        gate = placed("mixture", view, components=3, choose=choose, df=200.0, content=0.9)
        assert isinstance(gate, Ellipse)
        if choose == "largest":
            nearest = int(np.argmax(theirs.weights_))
        else:
            nearest = int(np.argmax(theirs.means_[:, "ab".index(choose["highest"])]))
        np.testing.assert_allclose(gate.center, theirs.means_[nearest], atol=0.1)
        # the outermost 0.5 % a side are left out of the fit, so that spreads are a little smaller
        np.testing.assert_allclose(gate.covariance, theirs.covariances_[nearest], atol=0.2)
        inside = gate.contains([points[:, 0], points[:, 1]])
        members = theirs.predict(points) == nearest
        assert inside[members].mean() == pytest.approx(0.9, abs=0.04)
        assert inside[~members].mean() < 0.005


def test_mixture_on_one_axis_gives_a_range() -> None:
    rng = np.random.default_rng(18)
    a = np.concatenate([rng.normal(0, 1, 5000), rng.normal(10, 1, 2000)])
    gate = placed("mixture", Cells(a, a), on="a", choose={"highest": "a"}, content=0.95, df=200.0)
    assert isinstance(gate, Range)
    assert (gate.min + gate.max) / 2 == pytest.approx(10, abs=0.15)
    assert (gate.max - gate.min) / 2 == pytest.approx(1.96, abs=0.2)


@pytest.mark.parametrize("on", [[], ["a"], ["a", "b", "c"]])
def test_a_mixture_on_another_number_of_axes_is_told_what_it_may_have(on: list[str]) -> None:
    with pytest.raises(ValueError, match=f"expected one axis, or a list of two, found a list of {len(on)}"):
        asked("mixture", on=on)
