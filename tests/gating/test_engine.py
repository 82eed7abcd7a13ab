"""The engine against a plain one: all columns for all events in float64, masks and-ed down the tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline

import cytoreg
from cytoreg import Sample, Template, TemplateError
from cytoreg.fcs import Channel, Spillover, sample_from_array
from cytoreg.fcs.data import ArraySource
from cytoreg.gating import methods, parse_template
from cytoreg.gating.gates import Ellipse, Gate, Nothing, Polygon, Range, Rectangle
from cytoreg.gating.result import Result
from cytoreg.gating.spec import GateSpec
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.transforms import Logicle
from cytoreg.yamlfile import load_yaml

Mask = np.ndarray


def tube(panel: str, seed: int, n: int = 12_000, without: str | None = None) -> Sample:
    return simulate_tube(panel, Composition(), n, np.random.default_rng(seed), without=without).to_sample("t.fcs")


def mouse_tube(seed: int, n: int = 8000) -> Sample:
    """Noise on the detectors of the mouse panel, enough of it in every gate."""
    rng = np.random.default_rng(seed)
    names = ["FSC-A", "FSC-H", "SSC-A", "Alexa Fluor 700-A", "Alexa Fluor 488-A", "PE-A", "APC-Cy7-A", "7-AAD-A"]
    names += ["Alexa Fluor 647-A", "Alexa Fluor 405-A", "Alexa Fluor 430-A"]
    events = rng.lognormal(6, 2, size=(n, len(names)))
    events[:, 0] = rng.uniform(30_000, 250_000, n)
    events[:, 1] = events[:, 0] * rng.normal(0.8, 0.02, n)
    events[:, 2] = rng.uniform(0, 200_000, n)
    k = len(names) - 3
    matrix = np.eye(k) + np.triu(rng.uniform(0, 0.05, (k, k)), 1)
    return sample_from_array(events.astype(np.float32), names, spillover=Spillover(tuple(names[3:]), matrix))


class Plain:
    """A gating engine that is slow and simple: nothing kept, nothing shared, nothing left undone."""

    def __init__(self, sample: Sample, template: Template, like: Result) -> None:
        self.masks: dict[str, Mask] = {"root": np.ones(sample.n_events, dtype=bool)}
        self.gates: dict[str, list[Gate]] = {}
        self.nowhere: set[str] = set()
        linear = sample.to_numpy().astype(np.float64)
        if template.remove == ("margin",):  # what lies in the last thousandth of a detector that a gate looks at
            used = {axis.channel.index: axis.channel.range for axis in like.bound.axes.values()}
            for index, top in used.items():
                self.masks["root"] &= linear[:, index] < 0.999 * top
        if sample.spillover is not None:
            indices = [sample.index(name) for name in sample.spillover.channels]
            inverse = np.linalg.inv(sample.spillover.matrix)
            observed = linear[:, indices]
            for j, index in enumerate(indices):
                total = observed[:, 0] * inverse[0, j]
                for i in range(1, len(indices)):
                    total = total + observed[:, i] * inverse[i, j]
                linear[:, index] = total
        axes = like.bound.axes
        self.columns = {name: axis.transform.forward(linear[:, axis.channel.index]) for name, axis in axes.items()}
        for population in template.populations.values():
            if population.name in like.skipped:
                continue
            parent = population.parent
            while parent in like.skipped:
                parent = template.populations[parent].parent
            self.gates[population.name] = []
            inside = self.decide(population.name, population.gate, self.masks[parent])
            if population.name in self.nowhere:
                inside = np.zeros_like(inside)
            self.masks[population.name] = self.masks[parent] & inside

    def decide(self, name: str, spec: GateSpec, parent: Mask) -> Mask:
        if spec.population:
            if spec.population in self.nowhere:
                self.nowhere.add(name)
            return self.masks[spec.population]
        if spec.parts:
            parts = [self.decide(name, part, parent) for part in spec.parts]
            return ~parts[0] if spec.kind == "not" else (np.all if spec.kind == "all" else np.any)(parts, axis=0)
        gate = spec.geometry or self.fitted(spec, parent)
        self.gates[name].append(gate)
        if isinstance(gate, Nothing):
            self.nowhere.add(name)
        return self.inside(gate)

    def fitted(self, spec: GateSpec, parent: Mask) -> Gate:
        if all(axis in self.columns for axis in spec.on):
            try:
                return methods.fit(spec.kind, _View(self, parent), spec.params).gate
            except methods.CannotFit as problem:
                reason = str(problem)
        else:
            reason = "no such axis"
        if spec.fallback is None:
            return Nothing(reason)
        return spec.fallback.geometry or self.fitted(spec.fallback, parent)

    def inside(self, gate: Gate) -> Mask:
        n = len(self.masks["root"])
        points = np.column_stack([self.columns[axis] for axis in gate.on]) if gate.on else np.empty((n, 0))
        match gate:
            case Range(min=low, max=high):
                return (points[:, 0] >= low) & (points[:, 0] < high)
            case Rectangle(min=low, max=high):
                return ((points >= low) & (points < high)).all(axis=1)
            case Polygon(vertices=vertices):
                return Outline(vertices).contains_points(points)
            case Ellipse(center=center, covariance=covariance, distance=distance):
                off = points - center
                return np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off) <= distance**2
        return np.zeros(n, dtype=bool)


class _View:
    def __init__(self, plain: Plain, parent: Mask) -> None:
        self.plain, self.parent = plain, parent

    def values(self, on: str) -> np.ndarray:
        return self.plain.columns[on][self.parent]

    def values_in(self, population: str, on: str) -> np.ndarray | None:
        inside = self.plain.masks.get(population)
        return None if inside is None else self.plain.columns[on][inside]

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> np.ndarray | None:
        return None


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("treg_foxp3", tube("treg", 1)),
        ("treg_foxp3", tube("treg", 2, n=700)),
        ("treg_cd127", tube("treg", 3)),
        ("tbnk", tube("tbnk", 4)),
        ("mouse_activation", mouse_tube(5)),
    ],
)
def test_every_mask_is_that_of_a_plain_engine(name: str, sample: Sample) -> None:
    template = cytoreg.load_template(name)
    result = cytoreg.gate(sample, template)
    plain = Plain(sample, template, result)
    assert set(result.names) == set(template.populations) - set(result.skipped)
    for population in result.names:
        assert [placed.gate for placed in result.gates[population].parts] == plain.gates[population], population
        np.testing.assert_array_equal(result.mask(population), plain.masks[population], err_msg=population)
        assert result.count(population) == plain.masks[population].sum()
    assert sum(result.count(population) > 0 for population in result.names) >= len(result.names) // 2


def small(populations: str, more: str = "") -> Template:
    text = f"cytoreg: 1\nname: t\ntransforms: {{default: linear}}\n{more}\npopulations:\n{populations}"
    return parse_template(load_yaml(text, TemplateError, name="t.yaml"))


def noise(n: int = 3000, channels: str = "abc", seed: int = 1, shift: float = 0.0) -> Sample:
    rng = np.random.default_rng(seed)
    return sample_from_array(rng.normal(shift, 1, size=(n, len(channels))), list(channels), name="n.fcs")


TREE = """\
  A: {gate: {range: {on: a, min: 0}}}
  B: {parent: A, gate: {range: {on: b, min: 0}}, requires: [x], if_missing: skip}
  C: {parent: B, gate: {range: {on: c, min: 0}}}
  D: {parent: C, gate: {not: B}, if_missing: skip}
"""


def test_children_of_a_skipped_step_hang_on_the_nearest_that_was_done() -> None:
    result = cytoreg.gate(noise(), small(TREE))
    assert dict(result.skipped) == {
        "B": "needs marker 'x'",
        "D": "needs population 'B', which was skipped",
    }
    a, c = (noise()[name] >= 0 for name in "ac")
    np.testing.assert_array_equal(result.mask("C"), a & c)
    assert result.bound.path("C") == "A/C"
    assert "step_skipped" in result.flags_of("C")
    assert result.flags_of("A") == ()
    with pytest.raises(TemplateError, match="population 'B' was skipped: it needs marker 'x'"):
        result.mask("B")
    assert result.percent("B % of A").flags == ("not_in_panel",)


def test_a_file_exported_from_a_population_starts_there() -> None:
    template = small(TREE.replace(", requires: [x], if_missing: skip", ""))
    whole = cytoreg.gate(noise(), template)
    exported = sample_from_array(noise().to_numpy()[whole.mask("A")], list("abc"), name="A.fcs")
    started = cytoreg.gate(exported, template, start="A")
    assert started.names == ("A", "B", "C", "D")
    assert started.count("A") == exported.n_events
    for name in "ABCD":
        np.testing.assert_array_equal(started.mask(name), whole.mask(name)[whole.mask("A")])
    assert started.percent("C % of A").value == whole.percent("C % of A").value
    with pytest.raises(TemplateError, match="has no population 'AA'"):
        cytoreg.gate(exported, template, start="AA")


def test_a_gate_that_refers_to_what_a_start_leaves_out_is_an_error_or_skipped() -> None:
    tree = """\
  A: {gate: {range: {on: a, min: 0}}}
  B: {gate: {range: {on: b, min: 0}}}
  C: {parent: A, gate: {not: B}}
"""
    with pytest.raises(TemplateError, match="needs population 'B', which does not stand below 'A'"):
        cytoreg.gate(noise(), small(tree), start="A")
    result = cytoreg.gate(noise(), small(tree.replace("{not: B}", "{not: B}, if_missing: skip")), start="A")
    assert result.skipped == {"C": "needs population 'B', which does not stand below 'A'"}


@pytest.mark.parametrize(
    "fallback",
    [
        "{quantile: {on: x, percentile: 5}}",
        "{range: {on: x, min: 0}}",
        "{polygon: {on: [a, x], vertices: [[0, 0], [1, 0], [1, 1]]}}",
    ],
)
def test_a_fallback_on_a_marker_that_the_panel_lacks_is_a_gate_that_is_not_placed(fallback: str) -> None:
    result = cytoreg.gate(noise(), small(f"  A: {{gate: {{valley: {{on: a, fallback: {fallback}}}}}}}"))
    share = result.percent("A % of root")
    assert np.isnan(share.value)
    assert "not_placed" in share.flags
    reasons = [reason for placed in result.gates["A"].parts for reason in placed.reasons]
    assert reasons == ["valley: no second peak", "the panel has no x"]


def test_what_is_not_a_gate_that_could_not_be_placed_is_no_population_either() -> None:
    result = cytoreg.gate(
        noise(50),
        small("  A: {gate: {tail: {on: a}}}\n  B: {gate: {not: A}}\n  C: {gate: {range: {on: b, min: 0}}}"),
    )
    assert isinstance(result.gates["A"].gate, Nothing)
    for name in "AB":
        assert result.count(name) == 0
        assert np.isnan(result.percent(f"{name} % of root").value)
        assert "not_placed" in result.flags_of(name)
    assert result.percent("C % of root").count > 0


def test_a_fallback_takes_over_and_is_flagged() -> None:
    result = cytoreg.gate(
        noise(), small("  A: {gate: {valley: {on: a, fallback: {quantile: {on: a, percentile: 25}}}}}")
    )
    assert result.percent("A % of root").value == pytest.approx(75, abs=0.1)
    assert result.flags_of("A") == ("fallback:quantile",)


FMO = """\
  A: {gate: {range: {on: b, min: -9}}}
  A-: {parent: A, gate: {range: {on: b, max: 0}}}
  P: {parent: A, gate: {fmo: {on: a, percentile: 99, fallback: {internal: {on: a, from: A-, percentile: 90}}}}}
  Q: {parent: P, gate: {fmo: {on: c, percentile: 90, fallback: {internal: {on: c, from: A-, percentile: 90}}}}}
"""


def test_an_fmo_control_sets_the_cut_and_without_one_the_fallback_does() -> None:
    sample, control = noise(4000), noise(4000, seed=2, shift=1.0)
    alone = cytoreg.gate(sample, small(FMO))
    assert alone.flags_of("P") == ("no_control", "fallback:internal")
    negative = sample["a"][sample["b"] < 0]
    assert alone.gates["P"].gate == Range(("a",), min=float(np.percentile(negative, 90)))
    with_control = cytoreg.gate(sample, small(FMO), controls={"A": control})
    assert with_control.gates["P"].gate == Range(("a",), min=float(np.percentile(control["a"], 99)))
    assert with_control.gates["P"].parts[0].source == "control"
    assert with_control.flags_of("P") == ("doubt",)  # no more of the sample than of the control lie above
    assert "no_control" in with_control.flags_of("Q")
    within = (sample["a"] >= np.percentile(control["a"], 99)) & (sample["b"] >= -9)
    np.testing.assert_array_equal(with_control.mask("P"), within)
    with pytest.raises(TemplateError, match="takes no FMO control for"):
        cytoreg.gate(sample, small(FMO), controls={"z": control})


def test_a_cut_of_its_own_waits_for_a_population_below_a_shared_cut() -> None:
    tree = (
        FMO
        + """\
  P-: {parent: A, gate: {not: P}}
  S: {parent: A, gate: {internal: {on: c, from: P-, percentile: 80, by: sample}}}
"""
    )
    sample, control = noise(4000), noise(4000, seed=2)
    result = cytoreg.gate(sample, small(tree), controls={"A": control})
    negative = sample["c"][result.mask("P-")]
    assert 0 < len(negative) < 4000
    assert result.gates["S"].gate == Range(("c",), min=float(np.percentile(negative, 80)))


def test_an_fmo_tube_of_a_simulated_donor_moves_the_treg_gate_to_its_control() -> None:
    full, fmo = tube("treg", 21, n=20_000), tube("treg", 22, n=20_000, without="FOXP3")
    with_control = cytoreg.gate(full, "treg_foxp3", controls={"FOXP3": fmo})
    tregs = with_control.gates["Tregs"].parts[0]
    assert (tregs.method, tregs.source, tregs.scope) == ("fmo", "control", "batch")
    assert "no_control" not in with_control.flags_of("Tregs")
    assert "no_control" in with_control.flags_of("CD25+")


def test_a_word_in_channels_that_no_gate_asks_for_is_a_slip_of_the_pen() -> None:
    with pytest.raises(TemplateError, match="asks for no marker 'aa'"):
        cytoreg.gate(noise(), small(TREE), channels={"aa": "a"})
    with pytest.raises(TemplateError, match="unknown counting rule 'flojo'"):
        cytoreg.gate(noise(), small(TREE), rule="flojo")


def test_one_channel_cannot_be_both_axes_of_a_gate() -> None:
    tree = "  A: {gate: {singlets: {on: [FSC-A, FSC-H]}}}"
    only_height = sample_from_array(np.ones((500, 1)), ["FSC-H"], name="h.fcs")
    with pytest.raises(TemplateError, match="FSC-A and FSC-H on two channels, where one fits both"):
        cytoreg.gate(only_height, small(tree))


def test_a_template_may_compensate_with_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("a,b\n1,0.5\n0,1\n", encoding="utf-8")
    path = tmp_path / "t.yaml"
    path.write_text(
        "cytoreg: 1\nname: t\ncompensation: m.csv\ntransforms: {default: linear}\n"
        "populations:\n  A: {gate: {range: {on: b, min: 0}}}\n",
        encoding="utf-8",
    )
    sample = noise()
    expected = sample["b"] - 0.5 * sample["a"] >= 0
    np.testing.assert_array_equal(cytoreg.gate(sample, path).mask("A"), expected)
    uncompensated = cytoreg.gate(sample, path, compensation="none")
    np.testing.assert_array_equal(uncompensated.mask("A"), sample["b"] >= 0)
    matrix = Spillover(("a", "b"), np.array([[1.0, 0.25], [0.0, 1.0]]))
    np.testing.assert_array_equal(
        cytoreg.gate(sample, path, compensation=matrix).mask("A"), sample["b"] - 0.25 * sample["a"] >= 0
    )


def test_a_display_scale_reaches_as_far_as_a_logarithmic_amplifier() -> None:
    """Four decades over 1024 channels are linear values up to 10^4: the top of the scale, not $PnR."""
    channel = Channel(0, "FL1-H", None, 10, 1024.0, decades=4.0, offset=1.0, kind="I")
    linear = 10 ** (4 * np.arange(1024) / 1024)
    sample = Sample(
        name="x.fcs",
        version="FCS2.0",
        n_events=1024,
        channels=(channel,),
        text={},
        spillover=None,
        problems=(),
        source=ArraySource(linear[:, None]),
    )
    text = "cytoreg: 1\nname: t\npopulations: {A: {gate: {range: {on: FL1-H, min: 2}}}}"
    result = cytoreg.gate(sample, parse_template(load_yaml(text, TemplateError)))
    assert result.bound.axes["FL1-H"].transform == Logicle(T=10_000)
    assert 4.4 < result.events.display(result.nodes["root"], "FL1-H").max() < 4.5
