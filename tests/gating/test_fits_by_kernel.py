"""What the compiled kernel computes for fits against NumPy: order statistics, counts and valleys to the bit, EM to rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cytoreg.gating.gates import Ellipse, Nothing, Polygon
from cytoreg.gating.kernel import fits, native
from cytoreg.gating.methods import _density, _em, _order
from cytoreg.gating.uncertainty.shapes import Moving

pytestmark = pytest.mark.skipif(
    not native.status().startswith("native"), reason="there is no compiled kernel here"
)
MAKERS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "long tails": lambda rng, n: rng.standard_cauchy(n) ** 3,
    "few values": lambda rng, n: rng.integers(0, 20, n).astype(float),
    "one value": lambda rng, n: np.full(n, 3.0),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
@pytest.mark.parametrize("n", [1, 2, 3, 100, 5_000, 60_000])
def test_order_and_counts_are_numpy_s(make: Callable[[np.random.Generator, int], np.ndarray], n: int) -> None:
    rng = np.random.default_rng(n)
    values, other = make(rng, n), make(rng, n)
    percents = [0.05, 99.95, 25, 75, 0, 100, 68.27]
    assert _order.percentiles(values, percents) == np.percentile(values, percents).tolist()
    assert _order.median(values) == np.median(values)
    for step in (1, 7):
        thin = fits.thin(values, other, step)
        points = np.column_stack([values, other])[np.lexsort((values, other))][::step]
        assert thin is not None
        assert np.array_equal(thin, points)
    edges = np.linspace(values.min() - 0.1, values.max() * 0.8 + 0.1, 513)
    if edges[-1] > edges[0]:
        expected, _ = np.histogram(values, bins=512, range=(edges[0], edges[-1]))
        counts = fits.histogram_counts(values, np.histogram_bin_edges([], bins=512, range=(edges[0], edges[-1])))
        assert counts is not None
        assert counts.tolist() == expected.tolist()
    low, step = _density.histogram_grid(values)
    bins = np.bincount(_density.bins_of(values, low, step), minlength=512)
    assert _density.in_bins(values, low, step).tolist() == bins.tolist()


def test_valleys_are_those_without_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = np.array([np.convolve(row, np.ones(25) / 25, "same") for row in rng.random((40, 512))])
    rows = np.round(rows / rows.max(axis=1, keepdims=True), 3)  # with flat bottoms
    ours = _density.valley_between(rows, 0.03)
    monkeypatch.setattr(fits, "valleys", lambda *_: None)
    assert ours == _density.valley_between(rows, 0.03)
    assert sum(map(len, ours)) > 500


@pytest.mark.parametrize("df", [4.0, 3.0, 5.5, np.inf])
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("with_prior", [False, True])
def test_em_is_that_without_the_kernel(
    df: float, d: int, with_prior: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    parts = (
        rng.normal(size=(3000, 2)),
        rng.normal(size=(1000, 2)) * [0.5, 2] + [4, 1],
        rng.normal([0, 6], size=(800, 2)),
    )
    points = np.vstack(parts)[:, :d]
    prior = None
    if with_prior:
        means = np.array([[0.0, 0.0], [4.0, 1.0], [0.0, 5.0]])[:, :d]
        prior = _em.Prior(np.array([0.5, 0.3, 0.2]), means, np.array([np.eye(d)] * 3), 0.2)
    ours = _em.fit_mixture(points, 3, df, prior)
    monkeypatch.setattr(fits, "em", lambda *_, **__: None)
    theirs = _em.fit_mixture(points, 3, df, prior)
    assert ours is not None and theirs is not None
    assert ours.settled == theirs.settled
    for name in (
        "weights",
        "means",
        "covariances",
    ):  # where it is hastened, rounding may change when a step is taken back
        assert np.allclose(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-6 if d == 1 else 1e-12)


def test_ellipses_and_polygons_hold_what_the_gates_say() -> None:
    rng = np.random.default_rng(3)
    columns = {"x": rng.normal(size=4000), "y": np.round(rng.normal(size=4000), 1)}
    columns["x"][:3] = np.nan, np.inf, -np.inf
    ellipses = [
        Ellipse(("x", "y"), (a, -a), ((1 + a, a / 2), (a / 2, 1.0)), 1.2) for a in np.linspace(0, 0.5, 20).tolist()
    ]
    polygons = [
        Polygon(("x", "y"), ((a, -1.0), (1.0, -1.0 + a), (1.5, 1.0), (-a, 1.2)))
        for a in np.linspace(0, 0.5, 20).tolist()
    ]
    for gates in (ellipses, polygons, [polygons[0], Nothing(""), polygons[3]]):
        bits = Moving(gates[0], gates, {}).bits(columns, 4000)
        for i, gate in enumerate(gates):
            if not isinstance(gate, Nothing):
                expected = gate.contains([columns["x"], columns["y"]])
                assert np.array_equal((bits >> np.uint64(i)) & np.uint64(1) == 1, expected)
        assert not (bits >> np.uint64(len(gates))).any()


def test_thinning_by_values_does_not_mind_the_order_of_events() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 50_000))
    order = rng.permutation(50_000)
    first, second = _order.thinned(x, y, 10_000), _order.thinned(x[order], y[order], 10_000)
    assert sorted(zip(*first, strict=True)) == sorted(zip(*second, strict=True))
    assert 9_500 < len(first[0]) < 10_500
    assert len(_order.thinned(np.ones(50_000), np.ones(50_000), 10_000)[0]) == 50_000
