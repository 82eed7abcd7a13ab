"""A gate carried from one sample to others, and gates learned from labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.gates import Ellipse, Polygon, Range, Rectangle
from cytoreg.gating.learned_shapes import best_shape, f1_of
from cytoreg.gating.methods._landmarks import Map, landmarks_of, mapped
from cytoreg.gating.methods.reference import moved
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.yamlfile import load_yaml

TEXT = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  cells: {gate: {range: {on: a, min: -100}}}
  rare: {parent: cells, gate: {rectangle: {on: [a, b], min: [4, 4], max: [null, null]}}, plot: [a, b]}
  rest: {parent: cells, gate: {not: rare}}
report: [rare % of cells]
"""


def template() -> cytoreg.Template:
    return parse_template(load_yaml(TEXT, cytoreg.TemplateError))


def tube(
    seed: int, share: float, shift: tuple[float, float] = (0, 0), n: int = 8000
) -> tuple[cytoreg.Sample, np.ndarray]:
    """Two big populations and a rare one, which is `share` of the events; all moved by `shift`."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.6 - share, 0.4, share])
    middle = np.array([[0, 0], [0, 6], [6, 6.5]], dtype=float)
    points = middle[kind] + rng.normal(0, 0.9, (n, 2)) + shift
    return sample_from_array(points, ["a", "b"], name=f"{seed}.fcs"), kind == 2


@pytest.mark.parametrize("labelled", [True, False])
def test_a_gate_of_one_tube_finds_the_same_cells_in_shifted_tubes_of_another_composition(labelled: bool) -> None:
    first, members = tube(1, 0.05)
    learned = cytoreg.learn_gate(first, template(), "rare", members if labelled else None)
    text = template_to_yaml(learned.template)
    again = parse_template(load_yaml(text, cytoreg.TemplateError))  # the template stands alone
    for seed, share, shift in ((2, 0.05, (0, 0)), (3, 0.01, (1.5, -1)), (4, 0.12, (-2, 2))):
        other, truth = tube(seed, share, shift)
        result = cytoreg.gate(other, again, bootstrap=0)
        assert f1_score(truth, result.mask("rare")) > 0.93, (seed, result.gates["rare"])
        fixed = cytoreg.gate(other, template(), bootstrap=0).mask("rare")
        if shift != (0, 0):
            assert f1_score(truth, fixed) < f1_score(truth, result.mask("rare")) - 0.05


def test_peaks_do_not_follow_the_composition_and_quantiles_do() -> None:
    rng = np.random.default_rng(5)
    before = np.concatenate([rng.normal(0, 1, 8000), rng.normal(8, 1, 2000)])
    after = np.concatenate([rng.normal(0, 1, 2000), rng.normal(8, 1, 8000)])
    a, b = landmarks_of(before), landmarks_of(after)
    four = np.array([4.0])
    assert mapped(a, b, "peaks")(four)[0] == pytest.approx(4, abs=0.3)
    assert abs(mapped(a, b, "quantiles")(four)[0] - 4) > 1
    assert mapped(a, b, "none")(four)[0] == 4


@pytest.mark.parametrize("align", ["peaks", "quantiles"])
def test_a_shift_and_a_stretch_are_found_again(align: str) -> None:
    rng = np.random.default_rng(6)
    first = np.concatenate([rng.normal(0, 1, 5000), rng.normal(8, 1, 4000)])
    found = mapped(landmarks_of(first), landmarks_of(1.3 * first + 2), align)  # type: ignore[arg-type]
    inner = np.array([0.0, 3.0, 8.0])
    np.testing.assert_allclose(found(inner), 1.3 * inner + 2, atol=0.25)
    assert found.distance < 0.05


def test_gates_move_as_the_map_says() -> None:
    shift, stretch = Map((0.0,), (3.0,)), Map((0.0, 10.0), (0.0, 20.0))
    assert moved(Range(("a",), -np.inf, 5), [shift]) == Range(("a",), -np.inf, 8.0)
    assert moved(Rectangle(("a", "b"), (1, 1), (np.inf, 5)), [shift, stretch]) == Rectangle(
        ("a", "b"), (4.0, 2.0), (np.inf, 10.0)
    )
    there = moved(Polygon(("a", "b"), ((0, 0), (1, 0), (1, 5))), [shift, stretch])
    assert there == Polygon(("a", "b"), ((3.0, 0.0), (4.0, 0.0), (4.0, 10.0)))
    ellipse = moved(Ellipse(("a", "b"), (2, 5), ((1, 0.5), (0.5, 4)), 1.0), [shift, stretch])
    assert isinstance(ellipse, Ellipse)
    np.testing.assert_allclose(ellipse.center, (5, 10))
    np.testing.assert_allclose(ellipse.covariance, ((1, 1), (1, 16)))


def test_a_parent_that_is_another_population_is_doubted() -> None:
    first, members = tube(1, 0.05)
    learned = cytoreg.learn_gate(first, template(), "rare", members)
    rng = np.random.default_rng(7)
    other = sample_from_array(rng.uniform(-5, 12, (6000, 2)), ["a", "b"])
    found = cytoreg.gate(other, learned.template, bootstrap=0).gates["rare"].parts[0]
    assert "doubt" in found.flags
    assert any("peaks are not both here" in reason or "lie otherwise" in reason for reason in found.reasons)


def test_learning_shapes_finds_the_shape_that_the_labels_have() -> None:
    rng = np.random.default_rng(8)
    columns = [rng.uniform(0, 10, 6000), rng.uniform(0, 10, 6000)]
    x, y = columns
    cases = {
        "rectangle": (x > 7) & (y < 4),
        "ellipse": (x - 5) ** 2 + 4 * (y - 5) ** 2 < 6,
        "polygon": (y > x) & (x > 2) & (y < 9),
    }
    for shape, members in cases.items():
        gate, validated = best_shape(("a", "b"), columns, members)
        assert gate.kind == shape
        assert f1_score(members, gate.contains(columns)) > 0.97
        assert validated > 0.95
    one, _ = best_shape(("a",), [x], (x > 3) & (x < 6))
    assert isinstance(one, Range)
    assert (one.min, one.max) == (pytest.approx(3, abs=0.02), pytest.approx(6, abs=0.02))


def test_stray_labels_do_not_stretch_a_polygon() -> None:
    rng = np.random.default_rng(9)
    columns = [rng.uniform(0, 10, 6000), rng.uniform(0, 10, 6000)]
    true = (columns[0] > 6) & (columns[1] > 6)
    noisy = true | (rng.random(6000) < 0.005)
    gate, _ = best_shape(("a", "b"), columns, noisy, "polygon")
    assert f1_score(true, gate.contains(columns)) > 0.95


def test_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(10)
    a, b = rng.random(500) < 0.3, rng.random(500) < 0.4
    assert f1_of(a, b) == pytest.approx(f1_score(a, b), rel=1e-12)


def test_events_in_another_order_teach_the_same_gate() -> None:
    sample, members = tube(1, 0.05)
    order = np.random.default_rng(11).permutation(len(members))
    shuffled = sample_from_array(sample.to_numpy()[order], ["a", "b"], name=sample.name)
    first = cytoreg.learn_gate(sample, template(), "rare", members)
    second = cytoreg.learn_gate(shuffled, template(), "rare", members[order])
    assert template_to_yaml(first.template) == template_to_yaml(second.template)


def test_labels_come_as_exported_rows_or_as_a_column(tmp_path: Path) -> None:
    from cytoreg.interop.export import export_population
    from cytoreg.interop.learning import members_of

    sample, members = tube(1, 0.05)
    result = cytoreg.gate(sample, template())
    export_population(result, "rare", tmp_path / "rare.fcs")
    export_population(result, "cells", tmp_path / "all.fcs")
    whole = cytoreg.read_fcs(tmp_path / "all.fcs")
    np.testing.assert_array_equal(
        members_of(whole, [tmp_path / "rare.fcs"]), result.mask("rare")[result.mask("cells")]
    )
    table = tmp_path / "labels.csv"
    table.write_text("event,rare\n" + "".join(f"{i},{int(m)}\n" for i, m in enumerate(members)), encoding="utf-8")
    np.testing.assert_array_equal(members_of(sample, [f"{table}:rare"]), members)
    other, _ = tube(2, 0.05)
    for wrong, message in (
        (lambda: members_of(sample, [table]), "2 columns; say which"),
        (lambda: members_of(sample, [f"{table}:rar"]), "no column 'rar'"),
        (lambda: members_of(tube(1, 0.05, n=100)[0], [f"{table}:rare"]), "8000 rows below the header"),
        (lambda: members_of(other, [tmp_path / "rare.fcs"]), "are not rows of 2.fcs"),
    ):
        with pytest.raises(cytoreg.TemplateError, match=message) as problem:
            wrong()
        assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"population": "Tregs"}, "no population 'Tregs'"),
        ({"population": "rest", "members": None}, "the gate of rest is not drawn"),
        ({"population": "rest"}, "neither a picture nor axes"),
        ({"population": "rare", "parent": "rare"}, "no parent 'rare'"),
        ({"population": "rare", "align": "warp"}, "unknown align 'warp'"),
        ({"population": "rare", "shape": "blob"}, "no shape 'blob'"),
        (
            {"population": "rare", "members": np.zeros(8000, dtype=bool)},
            "0 labelled events in the parent, needs 20",
        ),
        ({"population": "rare", "members": np.zeros(5, dtype=bool)}, "one true or false for each of 8000 events"),
        ({"population": "rare", "on": ["a", "c"]}, "'c'"),
    ],
)
def test_what_cannot_be_learned_is_one_line(words: dict[str, object], message: str) -> None:
    sample, members = tube(1, 0.05)
    with pytest.raises(cytoreg.TemplateError, match=message) as problem:
        cytoreg.learn_gate(sample, template(), **{"members": members, **words})  # type: ignore[arg-type]
    assert "\n" not in str(problem.value)


def test_a_prior_is_learned_from_pooled_tubes_each_counting_the_same() -> None:
    text = TEXT.replace(
        "rectangle: {on: [a, b], min: [4, 4], max: [null, null]}", "mixture: {on: [a, b], components: 3}"
    )
    asked = parse_template(load_yaml(text, cytoreg.TemplateError))
    tubes = [tube(1, 0.2)[0], tube(2, 0.2, n=20_000)[0]]
    learned = cytoreg.learn_prior(tubes, asked, "rare", strength=0.3)
    prior = learned.template.populations["rare"].gate.params.prior
    assert prior.strength == 0.3
    means = np.asarray(prior.means)
    for middle in ([0, 0], [0, 6], [6, 6.5]):
        assert np.abs(means - middle).max(axis=1).min() < 0.1
    assert sorted(prior.weights) == pytest.approx([0.2, 0.4, 0.4], abs=0.03)
    again = parse_template(load_yaml(template_to_yaml(learned.template), cytoreg.TemplateError))
    assert again.populations == learned.template.populations
    with pytest.raises(cytoreg.TemplateError, match="a prior is for a mixture"):
        cytoreg.learn_prior(tubes, asked, "cells")
