"""Control tubes: gated like the full tube, with its matrix; a percentile with its own interval; what they may not set."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import quantile_test

import cytoreg
from cytoreg import Sample, Template, TemplateError
from cytoreg.fcs import Spillover, sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.gates import Nothing, Range
from cytoreg.gating.methods._percentile import order_statistics
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.yamlfile import load_yaml


def tube(seed: int, n: int = 8000, without: str | None = None) -> Sample:
    return simulate_tube("treg", Composition(), n, np.random.default_rng(seed), without=without).to_sample("t.fcs")


def template(gate: str, *, on: str = "CD25", more: str = "") -> Template:
    """T cells by CD3, and one population of them cut on one axis."""
    return parse_template(
        load_yaml(
            f"""
cytoreg: 1
name: t
transforms: {{default: {{logicle: {{W: 1.0}}}}}}
populations:
  small: {{gate: {{range: {{on: SSC-A, max: 60000}}}}}}
  T: {{parent: small, gate: {{valley: {{on: CD3}}}}}}
  found: {{parent: T, gate: {gate}}}
{more}
""",
            TemplateError,
        )
    )


def cut_of(result: cytoreg.gating.Result, name: str = "found") -> float:
    gate = result.gates[name].gate
    assert isinstance(gate, Range)
    return gate.min


def values_in(sample: Sample, like: Template, population: str) -> np.ndarray:
    """Display values of CD25 in a population, by a template that draws no cut on it."""
    result = cytoreg.gate(sample, like)
    node = result.nodes[population]
    return result.events.display(node, "CD25")


LOOK = template("{range: {on: CD25, min: 0}}")


@pytest.mark.parametrize("kind", ["isotype", "unstained"])
def test_a_control_sets_the_cut_at_its_percentile_of_the_same_parent(kind: str) -> None:
    asked = template(f"{{{kind}: {{on: CD25, percentile: 99, min_events: 50}}}}")
    result = cytoreg.gate(tube(1), asked, controls={kind: tube(2, without="CD25")})
    assert cut_of(result) == np.percentile(values_in(tube(2, without="CD25"), LOOK, "T"), 99)
    placed = result.gates["found"].parts[0]
    assert (placed.source, placed.method, placed.control) == ("control", kind, kind)
    assert result.flags_of("found") == ()


def test_a_control_is_looked_at_in_the_population_that_from_names() -> None:
    """No T cell can be found in an unstained tube, but a small cell can."""
    full = tube(3)
    events = full.to_numpy().copy()
    markers = [i for i, channel in enumerate(full.channels) if channel.marker]
    events[:, markers] = np.random.default_rng(4).normal(60, 40, (len(events), len(markers)))
    bare = sample_from_array(events, [c.name for c in full.channels], ranges=[c.range for c in full.channels])
    asked = template("{unstained: {on: CD25, percentile: 99, from: small}}")
    result = cytoreg.gate(full, asked, controls={"unstained": bare})
    assert result.gates["found"].parts[0].source == "control"
    matrix = np.linalg.inv(full.spillover.matrix)
    inside = events[:, 2] < 60000
    order = [full.index(name) for name in full.spillover.channels]
    compensated = (events[:, order].astype(float) @ matrix)[:, full.spillover.channels.index("PE-Cy7-A")]
    shown = result.bound.axes["CD25"].transform.forward(compensated[inside])
    assert cut_of(result) == pytest.approx(np.percentile(shown, 99), abs=1e-6)


def test_without_the_control_the_fallback_takes_over_and_is_flagged() -> None:
    chain = "{fmo: {on: CD25, fallback: {isotype: {on: CD25, fallback: {internal: {on: CD25, from: T, percentile: 95}}}}}}"
    alone = cytoreg.gate(tube(5), template(chain))
    assert alone.gates["found"].parts[0].method == "internal"
    assert set(alone.flags_of("found")) == {"no_control", "fallback:internal"}
    second = cytoreg.gate(tube(5), template(chain), controls={"isotype": tube(6, without="CD25")})
    part = second.gates["found"].parts[0]
    assert (part.method, part.control, part.level) == ("isotype", "isotype", 1)
    assert set(second.flags_of("found")) == {"no_control", "fallback:isotype"}
    assert part.score is not None and part.score <= 0.5
    first = cytoreg.gate(
        tube(5), template(chain), controls={"isotype": tube(6, without="CD25"), "CD25": tube(7, without="CD25")}
    )
    assert first.gates["found"].parts[0].method == "fmo"
    assert first.flags_of("found") == ()


def test_no_control_and_no_fallback_measures_nothing() -> None:
    result = cytoreg.gate(tube(5), template("{isotype: {on: CD25}}"))
    assert isinstance(result.gates["found"].gate, Nothing)
    assert set(result.flags_of("found")) == {"no_control", "not_placed"}
    assert math.isnan(result.percent("found % of T").value)
    assert result.gates["found"].parts[0].score == 0


@pytest.mark.parametrize("name", ["FOXP3", "FoxP3", "Fox-P3"])
def test_an_isotype_control_does_not_set_foxp3_unless_the_template_says_so(name: str) -> None:
    with pytest.raises(TemplateError, match=r"does not set .*even_foxp3: true") as caught:
        template(f"{{isotype: {{on: {name}}}}}")
    assert "\n" not in str(caught.value)
    assert "populations.found.gate.isotype" in str(caught.value)
    said = template(f"{{isotype: {{on: {name}, even_foxp3: true, min_events: 50}}}}")
    result = cytoreg.gate(tube(8), said, controls={"isotype": tube(9, without="FOXP3")})
    assert result.gates["found"].parts[0].method == "isotype"


def test_an_isotype_control_does_not_set_foxp3_under_the_name_of_its_channel() -> None:
    with pytest.raises(TemplateError, match="an isotype control does not set Foxp3") as caught:
        cytoreg.gate(tube(8), template("{isotype: {on: APC-A}}"))
    assert "\n" not in str(caught.value)


def test_a_control_is_compensated_with_the_matrix_of_the_full_tube() -> None:
    full, control = tube(10), tube(11, without="CD25")
    assert control.spillover is not None
    other = Spillover(control.spillover.channels, np.eye(len(control.spillover.channels)))
    markers = [channel.marker for channel in control.channels]
    names = [channel.name for channel in control.channels]
    ranges = [channel.range for channel in control.channels]
    cuts = []
    for spillover in (control.spillover, other, None):
        copy = sample_from_array(control.to_numpy(), names, markers=markers, ranges=ranges, spillover=spillover)
        asked = template("{fmo: {on: CD25, percentile: 98}}")
        cuts.append(cut_of(cytoreg.gate(full, asked, controls={"CD25": copy})))
    assert cuts[0] == cuts[1] == cuts[2]


def test_an_alias_names_the_marker_that_an_fmo_control_lacks() -> None:
    asked = template("{fmo: {on: CD25, percentile: 98}}")
    control = tube(11, without="CD25")
    assert cut_of(cytoreg.gate(tube(10), asked, controls={"IL-2Ra": control})) == cut_of(
        cytoreg.gate(tube(10), asked, controls={"fmo:CD25": control})
    )


@pytest.mark.parametrize(
    ("controls", "said"),
    [
        ({"isotype": 1}, "takes no isotype control; it takes: fmo"),
        ({"CD127": 1}, "takes no FMO control for 'CD127'"),
    ],
)
def test_a_control_that_no_cut_asks_for_is_refused(controls: dict[str, int], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        cytoreg.gate(tube(1, 500), template("{fmo: {on: CD25}}"), controls=dict.fromkeys(controls, tube(2, 500)))


def test_doubt_about_the_gates_that_a_control_came_through_is_doubt_about_its_cut() -> None:
    """A control whose T cells hardly stand apart: the cut is placed, and says why it may be wrong."""
    control = tube(12, 700, without="CD25")
    found = cytoreg.gate(control, parse_template(load_yaml(LOOK_TEXT, TemplateError)))
    assert "doubt" in found.flags_of("T")  # so the test stands on what it says
    asked = parse_template(load_yaml(FMO_TEXT, TemplateError))
    result = cytoreg.gate(tube(13), asked, controls={"CD25": control})
    placed = result.gates["found"].parts[0]
    assert placed.source == "control"
    assert any(reason.startswith("in the control, T: ") for reason in placed.reasons)
    assert "doubt" in placed.flags
    assert placed.score is not None and placed.score < 0.5


LOOK_TEXT = """
cytoreg: 1
name: t
transforms: {default: {logicle: {W: 1.0}}}
populations:
  small: {gate: {range: {on: SSC-A, max: 60000}}}
  T: {parent: small, gate: {valley: {on: CD3, min_events: 350}}}
"""
FMO_TEXT = LOOK_TEXT + ("  found: {parent: T, gate: {fmo: {on: CD25, percentile: 95, min_events: 50}}}\n")


@pytest.mark.parametrize("p", [0.01, 0.25, 0.5, 0.9, 0.975, 0.99, 0.995])
@pytest.mark.parametrize("n", [1, 2, 10, 99, 100, 735, 736, 5000, 30_000])
def test_the_interval_of_a_percentile_is_that_of_scipy(n: int, p: float) -> None:
    """scipy's `quantile_test` implements Conover 1999; 736 is the fewest with an upper end for the 99.5th percentile."""
    values = np.sort(np.random.default_rng(n).normal(size=n))
    theirs = quantile_test(values, p=p).confidence_interval(0.95)
    ours = [math.nan if i is None else values[i] for i in order_statistics(n, p)]
    np.testing.assert_array_equal(ours, [theirs.low, theirs.high])


def test_a_percentile_of_too_few_cells_is_in_doubt() -> None:
    asked = template("{internal: {on: CD25, from: T, percentile: 99.9, min_events: 50}}")
    placed = cytoreg.gate(tube(14, 3000), asked).gates["found"].parts[0]
    assert "doubt" in placed.flags
    assert placed.interval is not None and math.isinf(placed.interval[1])
    assert placed.score == 0
    sure = template("{internal: {on: CD25, from: T, percentile: 80}}")
    placed = cytoreg.gate(tube(14, 20_000), sure).gates["found"].parts[0]
    assert placed.interval is not None
    assert placed.interval[0] <= cut_of(cytoreg.gate(tube(14, 20_000), sure)) <= placed.interval[1]
    assert placed.reasons == ()
    assert placed.score == 1
