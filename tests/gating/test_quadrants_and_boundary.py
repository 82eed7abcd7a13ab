"""Four populations that place themselves, and limits that leave out what is off the ends of an axis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.gates import Range, Rectangle
from cytoreg.gating.method_checks import Cells, Trial
from cytoreg.gating.methods import CannotFit, fit
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.yamlfile import load_yaml

NAMES = ["a+b+", "a+b-", "a-b+", "a-b-"]


def template_of(gate: str) -> cytoreg.Template:
    text = f"cytoreg: 1\nname: t\ntransforms: {{default: linear}}\npopulations:\n  q: {{gate: {gate}}}\n"
    return parse_template(load_yaml(text, cytoreg.TemplateError))


def four_kinds(n: int = 30_000) -> tuple[np.ndarray, np.ndarray]:
    """Points, and the kind of each: the upper right lies higher than the upper left, so that one cut on b fits neither."""
    rng = np.random.default_rng(20)
    kind = rng.choice(4, n, p=[0.1, 0.3, 0.2, 0.4])
    middle = np.array([[9, 13], [8, 4], [1, 7], [0, 0]], dtype=float)
    return middle[kind] + rng.normal(0, 1, (n, 2)), kind


@pytest.mark.parametrize("method", ["sequential", "mixture"])
def test_quadrants_find_the_four_kinds_and_share_no_event(method: str) -> None:
    points, kind = four_kinds()
    result = cytoreg.gate(
        sample_from_array(points, ["a", "b"]),
        template_of(f"{{quadrants: {{on: [a, b], method: {method}}}}}"),
        bootstrap=0,
    )
    assert list(result.names) == NAMES
    masks = [result.mask(name) for name in NAMES]
    np.testing.assert_array_equal(sum(mask.astype(int) for mask in masks), 1)
    for i, mask in enumerate(masks):
        assert 2 * (mask & (kind == i)).sum() / (mask.sum() + (kind == i).sum()) > 0.985, NAMES[i]


def test_sequential_cuts_lie_at_the_lowest_points_between_the_kinds() -> None:
    points, _ = four_kinds(60_000)
    gate = fit("quadrants", Cells(*points.T), Trial("quadrants", {"keep": "++", "first": "a"}).asked()).gate
    assert isinstance(gate, Rectangle)

    def of_a(x: float) -> float:
        return float(np.dot([0.1, 0.3, 0.2, 0.4], norm.pdf(x, [9, 8, 1, 0])))

    def of_b(y: float) -> float:
        return float(np.dot([0.1, 0.3], norm.pdf(y, [13, 4])))

    assert gate.min[0] == pytest.approx(minimize_scalar(of_a, bounds=(1, 8), method="bounded").x, abs=0.4)
    assert gate.min[1] == pytest.approx(minimize_scalar(of_b, bounds=(5, 12), method="bounded").x, abs=0.8)
    assert gate.max == (np.inf, np.inf)


def test_a_side_without_two_kinds_takes_the_cut_of_all() -> None:
    rng = np.random.default_rng(21)
    points = np.concatenate([rng.normal([0, 0], 1, (4000, 2)), rng.normal([9, 9], 1, (2000, 2))])
    for method in ("sequential", "mixture"):
        words = {"method": method, "first": "a", "components": 2}
        cuts = []
        for keep in ("++", "-+"):
            found = fit("quadrants", Cells(*points.T), Trial("quadrants", {**words, "keep": keep}).asked())
            cuts.append(found.gate.min[1])
            assert found.score < 1
        assert cuts[0] == cuts[1]
        assert 3 < cuts[0] < 6


def test_quadrants_without_a_second_peak_are_not_placed() -> None:
    rng = np.random.default_rng(22)
    one = rng.normal(0, 1, (5000, 2))
    for method in ("sequential", "mixture"):
        with pytest.raises(CannotFit, match=r"no second peak|do not part"):
            fit("quadrants", Cells(*one.T), Trial("quadrants", {"method": method, "components": 2}).asked())


def test_drawn_quadrants_stay_and_written_templates_say_which_part() -> None:
    drawn = template_of("{quadrant: {on: [a, b], at: [3, 4]}}")
    assert {item.gate.kind for item in drawn.populations.values()} == {"rectangle"}
    placed = template_of("{quadrants: {on: [a, b], smooth: 1.5}}")
    again = parse_template(load_yaml(template_to_yaml(placed), cytoreg.TemplateError))
    assert again.populations == placed.populations
    assert [item.gate.params.keep for item in again.populations.values()] == ["++", "+-", "-+", "--"]
    one = template_of("{quadrants: {on: [a, b], keep: +-}}")
    assert list(one.populations) == ["q"]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("{quadrants: {on: [a, b], method: other}}", "line 5.*method"),
        ("{quadrants: {on: a}}", "line 5.*on"),
        ("{quadrants: {on: [a, b], first: c}}", "first: 'c' is not an axis"),
        ("{quadrants: [a, b]}", "expected keys and values"),
        ("{boundary: {on: [a, b], max: [1]}}", "max: 2 axes need as many limits, found 1"),
        ("{boundary: {on: a, min: 3, max: 2}}", "expected min below max on a"),
        ("{mixture: {on: [a, b], keep: above}}", "keep: above needs one axis"),
        ("{mixture: {on: a, choose: {nearest: [1, 2]}}}", "choose: expected 1 numbers"),
        ("{mixture: {on: a, choose: {component: 1}}}", "by its number in the prior"),
        (
            "{mixture: {on: a, prior: {means: [[1]], covariances: [[[1]]], weights: [1]}}}",
            "2 components on 1 axes",
        ),
        (
            "{mixture: {on: a, components: 1, prior: {means: [[1]], covariances: [[[-1]]], weights: [1]}}}",
            "positive definite",
        ),
    ],
)
def test_a_slip_is_one_line_that_says_where(gate: str, message: str) -> None:
    with pytest.raises(cytoreg.TemplateError, match=message) as problem:
        template_of(gate)
    assert "\n" not in str(problem.value)


def test_boundary_leaves_out_what_is_piled_up_at_the_ends() -> None:
    """300 events driven to the last value of a 10-bit detector and 50 clipped at 0: counted by hand."""
    rng = np.random.default_rng(23)
    a = np.concatenate([rng.uniform(10, 1000, 5000), np.full(300, 1023.0), np.zeros(50)])
    b = rng.uniform(10, 1000, len(a))
    gate = fit("boundary", Cells(a, b), Trial("boundary", {"on": ["a", "b"]}).asked()).gate
    inside = gate.contains([a, b])
    np.testing.assert_array_equal(inside, (a > 0) & (a < 1023))
    alone = fit("boundary", Cells(a, b), Trial("boundary", {"on": "a", "max": 500}).asked()).gate
    assert isinstance(alone, Range)
    assert alone.max == 500
    np.testing.assert_array_equal(alone.contains([a]), (a > 0) & (a < 500))


def test_boundary_keeps_all_where_nothing_is_piled_up_whole_numbers_too() -> None:
    rng = np.random.default_rng(24)
    for a in (rng.normal(0, 1, 3000), rng.integers(0, 50, 3000).astype(float)):
        found = fit("boundary", Cells(a, a), Trial("boundary", {"on": "a"}).asked())
        assert found.gate.contains([a]).all()
        assert found.reasons == ()


def test_boundary_doubts_a_tube_that_is_off_scale() -> None:
    a = np.concatenate([np.random.default_rng(25).uniform(0, 1, 1000), np.full(400, 1.0)])
    found = fit("boundary", Cells(a, a), Trial("boundary", {"on": "a"}).asked())
    assert found.reasons == ("29% of the events lie off the ends of the axes",)
    assert found.score < 0.5


def test_a_mixture_cuts_where_two_normals_are_equally_likely() -> None:
    rng = np.random.default_rng(26)
    a = np.concatenate([rng.normal(0, 1, 14_000), rng.normal(6, 2, 6_000)])
    equal = brentq(lambda x: 0.7 * norm.pdf(x, 0, 1) - 0.3 * norm.pdf(x, 6, 2), 0, 6)
    for keep in ("above", "below"):
        words = {"on": "a", "keep": keep, "family": "normal"}
        gate = fit("mixture", Cells(a, a), Trial("mixture", words).asked()).gate
        assert (gate.min if keep == "above" else gate.max) == pytest.approx(equal, abs=0.15)


def test_a_mixture_of_three_cuts_above_the_lowest_two() -> None:
    rng = np.random.default_rng(27)
    a = np.concatenate([rng.normal(m, 0.5, 4000) for m in (0, 5, 11)])
    words = {"on": "a", "keep": "above", "components": 3}
    one = fit("mixture", Cells(a, a), Trial("mixture", words).asked()).gate.min
    two = fit("mixture", Cells(a, a), Trial("mixture", {**words, "negative": 2}).asked()).gate.min
    assert one == pytest.approx(2.5, abs=0.3)
    assert two == pytest.approx(8, abs=0.3)


def test_a_mixture_chooses_the_component_nearest_to_a_point() -> None:
    points, _ = four_kinds()
    for near in ([9, 13], [1, 7]):
        words = {"components": 4, "choose": {"nearest": near}}
        gate = fit("mixture", Cells(*points.T), Trial("mixture", words).asked()).gate
        np.testing.assert_allclose(gate.center, near, atol=0.15)


def test_the_prior_of_one_normal_component_gives_the_conjugate_posterior() -> None:
    """Fraley & Raftery 2007, section 3: the mean (n x + k m) / (n + k); the covariance the pooled one of both."""
    from cytoreg.gating.methods._em import Prior, fit_mixture

    x = np.sort(np.random.default_rng(28).normal(3, 2, 500))[:, None]
    m, s, strength = 7.0, 9.0, 0.5
    prior = Prior(np.array([1.0]), np.array([[m]]), np.array([[[s]]]), strength)
    found = fit_mixture(x, 1, np.inf, prior)
    assert found is not None
    n, k = 500, 250.0
    mean = (x.sum() + k * m) / (n + k)
    covariance = (((x - mean) ** 2).sum() + k * (s + (mean - m) ** 2)) / (n + k)
    assert found.means[0, 0] == pytest.approx(mean, rel=1e-9)
    assert found.covariances[0, 0, 0] == pytest.approx(covariance, rel=1e-3)  # 1e-4 is added for stability


def test_a_prior_holds_a_small_population_that_the_tube_alone_does_not_show() -> None:
    rng = np.random.default_rng(29)
    big, small = rng.normal(0, 1, (3000, 2)), rng.normal([4.5, 0], [0.5, 1], (60, 2))
    view = Cells(*np.concatenate([big, small]).T)
    prior = {
        "means": [[0, 0], [4.5, 0]],
        "covariances": [[[1, 0], [0, 1]], [[0.25, 0], [0, 1]]],
        "weights": [0.97, 0.03],
        "strength": 0.5,
    }
    words = {"choose": {"component": 2}, "family": "normal", "prior": prior}
    gate = fit("mixture", view, Trial("mixture", words).asked()).gate
    np.testing.assert_allclose(gate.center, [4.5, 0], atol=0.35)
    assert gate.contains([small[:, 0], small[:, 1]]).mean() > 0.75
    alone = fit("mixture", view, Trial("mixture", {"choose": {"highest": "a"}, "family": "normal"}).asked()).gate
    assert np.linalg.norm(np.subtract(alone.center, [4.5, 0])) > 1
