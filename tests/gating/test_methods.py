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

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.gates import Ellipse, Gate, Nothing, Polygon, Range
from cytoreg.gating.methods import CannotFit, fit, method_names, params_of
from cytoreg.yamlfile import load_yaml

Array = np.ndarray
# what a method must be told beside its axes; one that needs more stands here, none needs its own tests below
NEEDED: Mapping[str, dict[str, Any]] = {"quantile": {"percentile": 50}, "internal": {"from": "negative"}}


class Cells:
    """Display values of a parent, of a population `negative`, and of the control that lacks `a`."""

    def __init__(self, a: Array, b: Array, negative: Array | None = None, control: Array | None = None) -> None:
        self.columns = {"a": a, "b": b}
        self.negative = a if negative is None else negative
        self.fmo = control

    def values(self, on: str) -> Array:
        return self.columns[on]

    def values_in(self, population: str, on: str) -> Array | None:
        return self.negative if population == "negative" else None

    def control(self, marker: str, on: str) -> Array | None:
        return self.fmo


def asked(method: str, **more: Any) -> Any:
    """The method's parameters with axes a and b, or a alone."""
    schema = params_of(method)
    words = {**NEEDED.get(method, {}), **more}
    try:
        return schema.model_validate({"on": ["a", "b"], **words})
    except ValueError:
        return schema.model_validate({"on": "a", **words})


def placed(method: str, view: Cells, **more: Any) -> Gate | str:
    """The gate, or the reason why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return fit(method, view, asked(method, **more)).gate
        except CannotFit as problem:
            assert str(problem)
            return str(problem)


def usual(n: int = 4000, seed: int = 1) -> tuple[Array, Array]:
    """Two populations of positive values, with heights that go with areas."""
    rng = np.random.default_rng(seed)
    a = np.concatenate([rng.normal(20, 2, n // 2), rng.normal(40, 3, n - n // 2)])
    return a, a * rng.normal(0.9, 0.02, n)


def finite(gate: Gate) -> bool:
    match gate:
        case Range(min=low, max=high):
            return not (np.isnan(low) or np.isnan(high)) and (np.isfinite(low) or np.isfinite(high))
        case Polygon(vertices=vertices):
            return bool(np.isfinite(vertices).all())
        case Ellipse(center=center, covariance=covariance, distance=distance):
            return bool(np.isfinite([*center, *np.ravel(covariance), distance]).all())
    return False


@pytest.mark.parametrize("method", method_names())
class TestEveryMethod:
    def test_places_a_gate_on_ordinary_cells(self, method: str) -> None:
        a, b = usual()
        gate = placed(method, Cells(a, b, control=a))
        assert not isinstance(gate, str), gate
        assert finite(gate)

    @pytest.mark.parametrize("n", [0, 1, 2, 5])
    def test_cannot_be_placed_on_next_to_nothing(self, method: str, n: int) -> None:
        a, b = usual(4000)
        gate = placed(method, Cells(a[:n], b[:n], control=a[:n]))
        assert isinstance(gate, str)

    @pytest.mark.parametrize("value", [0.0, 7.0, 262143.0, -3.0, 1e9])
    def test_places_a_finite_gate_or_none_where_all_values_are_equal(self, method: str, value: float) -> None:
        same = np.full(2000, value)
        gate = placed(method, Cells(same, same, control=same))
        assert isinstance(gate, str) or finite(gate)

    def test_places_a_finite_gate_or_none_where_nearly_all_values_are_equal(self, method: str) -> None:
        a, b = np.zeros(3000), np.full(3000, 5.0)
        a[:20], b[:20] = 1.0, 9.0
        gate = placed(method, Cells(a, b, control=a))
        assert isinstance(gate, str) or finite(gate)

    def test_passes_over_what_is_no_number(self, method: str) -> None:
        a, b = usual()
        holes = np.arange(0, 4000, 9)
        dirty_a, dirty_b = a.copy(), b.copy()
        dirty_a[holes] = np.nan
        dirty_b[holes] = np.inf
        left = np.setdiff1d(np.arange(4000), holes)
        assert placed(method, Cells(dirty_a, dirty_b, control=dirty_a)) == placed(
            method, Cells(a[left], b[left], control=a[left])
        )
        nothing = np.full(2000, np.nan)
        assert isinstance(placed(method, Cells(nothing, nothing, control=nothing)), str)

    def test_does_not_mind_the_order_of_events(self, method: str) -> None:
        a, b = usual()
        order = np.random.default_rng(3).permutation(len(a))
        first = placed(method, Cells(a, b, control=a))
        shuffled = placed(method, Cells(a[order], b[order], control=a[order]))
        assert type(first) is type(shuffled)
        np.testing.assert_allclose(numbers(first), numbers(shuffled), rtol=1e-12, atol=1e-12)

    def test_says_the_same_twice(self, method: str) -> None:
        a, b = usual(seed=5)
        assert placed(method, Cells(a, b, control=a)) == placed(
            method, Cells(a.copy(), b.copy(), control=a.copy())
        )

    def test_changes_none_of_the_values_it_looks_at(self, method: str) -> None:
        a, b = usual()
        a.setflags(write=False)
        b.setflags(write=False)
        placed(method, Cells(a, b, control=a))

    @pytest.mark.parametrize("shape", ["uniform", "lognormal", "cauchy", "integers", "negative", "two points"])
    def test_gives_a_finite_gate_or_a_reason_whatever_the_cells_look_like(self, method: str, shape: str) -> None:
        rng = np.random.default_rng(6)
        draw = {
            "uniform": lambda: rng.uniform(0, 1, 1500),
            "lognormal": lambda: rng.lognormal(5, 2, 1500),
            "cauchy": lambda: rng.standard_cauchy(1500) * 1e4,
            "integers": lambda: rng.integers(0, 4, 1500).astype(float),
            "negative": lambda: -rng.lognormal(5, 1, 1500),
            "two points": lambda: rng.choice([-5.0, 5.0], 1500),
        }[shape]
        a, b = draw(), draw()
        gate = placed(method, Cells(a, b, control=a))
        assert isinstance(gate, str) or finite(gate)

    def test_leaves_a_reason_not_an_exception_in_a_file_with_nothing_to_see(self, method: str) -> None:
        """Through `gate`: a method that cannot be placed holds no event, has a reason and makes no percentage."""
        template = parse_template(load_yaml(template_text(method), cytoreg.TemplateError))
        for events in (np.empty((0, 2)), np.ones((1, 2)), np.full((3000, 2), 4.0), np.full((500, 2), np.nan)):
            result = cytoreg.gate(sample_from_array(events, ["a", "b"]), template)
            applied = result.gates["found"]
            share = result.percent("found % of cells")
            if isinstance(applied.gate, Nothing):
                assert applied.gate.reason
                assert result.count("found") == 0
                assert np.isnan(share.value)
                assert "not_placed" in share.flags
                assert np.isnan(result.percent("rest % of cells").value)
            else:
                assert finite(applied.gate)
                assert result.count("found") + result.count("rest") == result.count("cells")
        result.populations  # noqa: B018  the table is made, whatever is in it


def template_text(method: str) -> str:
    words = asked(method).model_dump(
        by_alias=True, include={"on", *("from", "source", "percentile")}, exclude_none=True
    )
    return f"""
cytoreg: 1
name: t
transforms: {{default: linear}}
populations:
  cells: {{gate: {{range: {{on: a, min: 0}}}}}}
  negative: {{parent: cells, gate: {{range: {{on: b, min: 0}}}}}}
  found: {{parent: cells, gate: {{{method}: {words!r}}}}}
  rest: {{parent: cells, gate: {{not: found}}}}
""".replace("('a', 'b')", "[a, b]")


def numbers(gate: Gate | str) -> list[float]:
    match gate:
        case Range(min=low, max=high):
            return [low, high]
        case Polygon(vertices=vertices):
            return list(np.ravel(vertices))
        case Ellipse(center=center, covariance=covariance, distance=distance):
            return [*center, *np.ravel(covariance), distance]
    return []


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
