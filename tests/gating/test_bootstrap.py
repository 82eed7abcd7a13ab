"""Gates placed again in replicates: who is in them, how far they move, and what does not change by it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import Result, methods, parse_template
from cytoreg.gating.gates import All as AllOf
from cytoreg.gating.gates import Gate, Not, Range, Reference, contains
from cytoreg.gating.naming import PART
from cytoreg.gating.spec import GateSpec
from cytoreg.gating.template import ROOT, Template
from cytoreg.gating.uncertainty.draws import generator, poisson
from cytoreg.simulation import simulate_tube
from cytoreg.simulation.biology import Composition
from cytoreg.yamlfile import load_yaml

B = 64


def template_of(populations: str) -> Template:
    text = f"cytoreg: 1\nname: t\ntransforms: {{default: linear}}\npopulations:\n{populations}"
    return parse_template(load_yaml(text, TemplateError))


def gated(columns: Any, populations: str, **given: Any) -> Result:
    events = np.asarray(columns, dtype=np.float64)
    return cytoreg.gate(
        sample_from_array(events, list("abcd"[: events.shape[1]]), name="x"), template_of(populations), **given
    )


@pytest.fixture(scope="module")
def treg() -> Result:
    tube = simulate_tube("treg", Composition(), 12_000, np.random.default_rng(5))
    return cytoreg.gate(tube.to_sample("x"), cytoreg.load_template("treg_foxp3"))


def test_the_counts_of_each_replicate_are_those_of_its_gates_applied_to_all_events(treg: Result) -> None:
    """The whole tree decided anew for each replicate by plain booleans over every event of the file."""
    again = treg.replicates
    assert again is not None
    for b in (0, 31, 63):
        inside = {ROOT: np.ones(treg.n_events, dtype=bool)}
        for step in treg.bound.steps:
            gate = _of_replicate(step.gate, step.id, treg, b)
            columns = {axis: treg.events.display_at(np.arange(treg.n_events), axis) for axis in gate.on}
            inside[step.id] = contains(gate, columns, inside, treg.n_events) & inside[treg.bound.parents[step.id]]
            assert again.counts[step.id][b] == inside[step.id].sum(), (step.id, b)
    assert all(
        np.ptp(again.counts[name]) > 0 for name in ("cells", "lymphocytes", "CD25+", "Tregs", "Fraction II")
    )


def _of_replicate(spec: GateSpec, key: str, result: Result, b: int) -> Gate:
    if spec.population is not None:
        return Reference(spec.population)
    parts = tuple(_of_replicate(part, f"{key}{PART}{i}", result, b) for i, part in enumerate(spec.parts))
    if parts:
        return Not(parts[0]) if spec.kind == "not" else AllOf(parts)
    (placed,) = (p for k, p in result._placed.items() if k == key)
    return placed.replicates[b]


def test_point_estimates_do_not_depend_on_the_bootstrap(treg: Result) -> None:
    without = cytoreg.gate(treg.bound.sample, treg.bound.template, bootstrap=0)
    assert {name: without.count(name) for name in without.names} == {name: treg.count(name) for name in treg.names}
    for ours, theirs in zip(treg.percentages, without.percentages, strict=True):
        assert ours.value == theirs.value
        assert math.isnan(theirs.ci_gate_low)
        assert (theirs.ci_low, theirs.ci_high) == (theirs.ci_count_low, theirs.ci_count_high)
        assert ours.ci_low <= ours.ci_count_low <= ours.value <= ours.ci_count_high <= ours.ci_high
        assert ours.ci_gate_low <= ours.value <= ours.ci_gate_high


def test_the_same_data_and_seed_give_the_same_bits_in_any_order_of_events(treg: Result) -> None:
    sample = treg.bound.sample
    again = cytoreg.gate(sample, treg.bound.template)
    assert again.percentages == treg.percentages
    other = cytoreg.gate(sample, treg.bound.template, seed=1)
    assert [p.value for p in other.percentages] == [p.value for p in treg.percentages]
    assert [p.ci_low for p in other.percentages] != [p.ci_low for p in treg.percentages]
    events = np.random.default_rng(0).normal(size=(3000, 2))
    events[1000:, 0] += 6
    tree = "  p: {gate: {valley: {on: a}}}\n  q: {parent: p, gate: {tail: {on: b}}}\n"
    first, mixed = gated(events, tree), gated(events[np.random.default_rng(1).permutation(3000)], tree)
    assert first.replicates is not None and mixed.replicates is not None
    for name in ("p", "q"):
        np.testing.assert_array_equal(first.replicates.counts[name], mixed.replicates.counts[name])


@pytest.mark.parametrize("percentile", [50, 99])
def test_a_percentile_moves_as_theory_says(percentile: float) -> None:
    """Its standard error is sqrt(p (1 - p) / n) / density (Stuart & Ord, Kendall's Advanced Theory, 10.29)."""
    n, p = 20_000, percentile / 100
    events = np.random.default_rng(3).normal(size=(n, 1))
    found = gated(events, f"  p: {{gate: {{quantile: {{on: a, percentile: {percentile}}}}}}}\n")
    cuts = [gate.min for gate in found._placed["p"].replicates if isinstance(gate, Range)]
    se = math.sqrt(p * (1 - p) / n) / stats.norm.pdf(stats.norm.ppf(p))
    assert len(cuts) == B
    assert np.std(cuts, ddof=1) == pytest.approx(se, rel=0.35)  # 64 replicates: 9 % at one SD


@pytest.mark.parametrize(
    "gate",
    [
        "{valley: {on: a}}",
        "{tail: {on: b}}",
        "{mixture: {on: [a, b], components: 2, choose: {highest: a}}}",
        "{mixture: {on: a, components: 2, keep: above}}",
        "{singlets: {on: [c, d], spreads: 1.5}}",
    ],
)
def test_the_quick_ways_move_a_gate_as_far_as_fits_to_drawn_events_do(
    gate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(7)
    events = rng.normal(size=(3000, 4))
    events[1200:, 0] += 3.5
    events[:, 2] = rng.lognormal(3, 0.4, 3000)
    events[:, 3] = events[:, 2] * (0.8 + 0.03 * rng.standard_normal(3000))
    tree = f"  p: {{gate: {gate}}}\n"
    quick = gated(events, tree)
    monkeypatch.setattr(methods, "recut_of", lambda kind: None)
    monkeypatch.setattr(
        "cytoreg.gating.uncertainty.refits.Refits._moved",
        lambda self, influence, key, above, placed_it: self._drawn(_leaf(self), key, above),
    )
    slow = gated(events, tree)
    assert quick.count("p") == slow.count("p")
    assert quick.replicates is not None and slow.replicates is not None
    ours, theirs = (float(np.std(r.replicates.counts["p"])) for r in (quick, slow))
    assert ours == pytest.approx(theirs, rel=0.45)


def _leaf(refits: Any) -> GateSpec:
    (step,) = refits.bound.steps
    spec: GateSpec = step.gate
    return spec


def test_a_cut_from_a_control_moves_as_the_control_s_events_allow() -> None:
    tree = "  p: {gate: {fmo: {on: a, percentile: 95}}}\n"
    rng = np.random.default_rng(1)
    full = rng.normal(size=(5000, 1))
    spread = {}
    for n in (500, 50_000):
        control = sample_from_array(rng.normal(size=(n, 1)), ["a"], name="fmo")
        found = gated(full, tree, controls={"a": control})
        assert found._placed["p"].source == "control"
        spread[n] = np.std([gate.min for gate in found._placed["p"].replicates if isinstance(gate, Range)])
    assert spread[500] / spread[50_000] == pytest.approx(10, rel=0.5)


def test_a_replicate_that_cannot_be_fitted_takes_the_fallback_or_is_left_out() -> None:
    rng = np.random.default_rng(2)
    events = np.concatenate([rng.normal(0, 1, 1500), rng.normal(2.6, 1, 450)])[:, None]
    bare = gated(events, "  p: {gate: {valley: {on: a, prominence: 0.005}}}\n")
    backed = gated(
        events, "  p: {gate: {valley: {on: a, prominence: 0.005, fallback: {range: {on: a, min: 1.5}}}}}\n"
    )
    assert bare.replicates is not None and backed.replicates is not None
    failed = bare.replicates.counts["p"] < 0
    assert 0.1 < failed.mean() < 1
    assert backed.replicates.failed("p") == 0
    assert (backed.replicates.counts["p"][failed] == (events >= 1.5).sum()).all()
    assert ("unsteady" in bare.percent("p % of root").flags) == (bare.replicates.failed("p") > 0.1)


@pytest.mark.parametrize("n", [0, 1, 30, 300])
@pytest.mark.parametrize("kind", ["constant", "normal", "wild"])
def test_nothing_falls_over_on_little_or_odd_data(n: int, kind: str) -> None:
    rng = np.random.default_rng(n)
    events = {
        "constant": np.ones((n, 4)),
        "normal": rng.normal(size=(n, 4)),
        "wild": rng.standard_cauchy((n, 4)) * 1e6,
    }[kind]
    if n > 2 and kind == "wild":
        events[:2, 0] = np.nan, np.inf
    tree = (
        "  s: {gate: {singlets: {on: [c, d], min_events: 20, fallback: {quantile: {on: c, percentile: 1, min_events: 1}}}}}\n"
        "  p: {parent: s, gate: {valley: {on: a, min_events: 10, fallback: {tail: {on: a, min_events: 4}}}}}\n"
        "  m: {parent: s, gate: {mixture: {on: [a, b], min_events: 20}}}\n"
        "  q: {parent: p, gate: {not: m}}\n"
    )
    found = gated(events, tree)
    for row in found.rows():
        if not math.isnan(row["ci_low"]):
            assert 0 <= row["ci_low"] <= row["percent_parent"] <= row["ci_high"] <= 100


def test_drawn_gates_have_no_interval_of_placement_and_a_wrong_number_of_replicates_is_refused() -> None:
    events = np.random.default_rng(0).normal(size=(500, 1))
    tree = "  p: {gate: {range: {on: a, min: 0}}}\n"
    share = gated(events, tree).percent("p % of root")
    assert math.isnan(share.ci_gate_low)
    assert share.ci_low == share.ci_count_low
    with pytest.raises(TemplateError, match="bootstrap: expected 0, or 16 to 64 replicates, found 7"):
        gated(events, tree, bootstrap=7)


@pytest.mark.parametrize(
    ("count", "flags"), [(0, "below_lod"), (19, "below_lod"), (20, "below_lloq"), (49, "below_lloq"), (50, "")]
)
def test_few_events_are_flagged(count: int, flags: str) -> None:
    events = np.zeros((1000, 1))
    events[:count] = 1
    found = gated(events, "  p: {gate: {range: {on: a, min: 0.5}}}\n")
    assert ";".join(found.percent("p % of root").flags) == flags
    assert found.rows()[0]["flags"] == flags


@pytest.mark.parametrize("mean", [1, 5, 31, 32, 400])
def test_poisson_numbers_have_the_moments_of_the_distribution(mean: int) -> None:
    drawn = poisson(np.full((64, 4000), mean), generator(0, "x"))
    n = drawn.size
    assert drawn.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / n))
    assert drawn.var() == pytest.approx(mean, rel=0.02)
    assert stats.skew(drawn, axis=None) == pytest.approx(mean**-0.5, abs=0.03)
    assert (drawn == np.rint(drawn)).all()
