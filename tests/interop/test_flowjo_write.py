"""FlowJo workspaces out: opened with FlowKit, and read again, they give the same events."""

from __future__ import annotations

import math
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import flowkit
import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.compensation import Matrix
from cytoreg.fcs import Spillover, sample_from_array, write_fcs
from cytoreg.gating import Result, Template, parse_template
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, Reference
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import Population, SampleGates
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop.flowjo import read, write
from cytoreg.interop.template_conversion import convert_template
from cytoreg.transforms import Arcsinh, Biexponential, Linear, Log, Logicle
from cytoreg.yamlfile import YamlDocument

CHANNELS = ["FSC-A", "SSC-A", "FL1-A", "FL2-A", "FL3-A"]


@pytest.fixture
def fcs(tmp_path: Path) -> Path:
    random = np.random.default_rng(7)
    scatter = random.normal(90_000, 30_000, size=(4000, 2))
    bright = np.exp(random.normal(6, 2, size=(4000, 3))) + random.normal(0, 60, size=(4000, 3))
    matrix = np.array([[1, 0.2, 0.01], [0.05, 1, 0.1], [0.0, 0.03, 1]])
    path = tmp_path / "cells.fcs"
    events = np.hstack([scatter, bright @ matrix]).astype(np.float32)
    write_fcs(path, events, CHANNELS, spillover=Spillover(tuple(CHANNELS[2:]), matrix))
    return path


def by_flowkit(workspace: Path, fcs: Path) -> dict[str, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = flowkit.Workspace(str(workspace), fcs_samples=str(fcs))
        (name,) = opened.get_sample_ids()
        opened.analyze_samples(sample_id=name, use_mp=False)
        found = opened.get_gating_results(name)
        return {
            "/".join((*path[1:], gate)): found.get_gate_membership(gate, path)
            for gate, path in opened.get_gate_ids(name)
        }


def by_us(result: Result) -> dict[str, np.ndarray]:
    return {result.bound.path(name): result.mask(name) for name in result.names}


def template(gates: dict[str, tuple[str, Gate]], **axes: AxisSpec) -> Template:
    empty = Template("t", {}, compensation="from_file", axes=axes)
    return empty.with_populations([Population(key, parent, drawn(gate)) for key, (parent, gate) in gates.items()])


SCALES = {
    "logicle": Logicle(262144, 0.6, 4.5, 0.0),
    "biexponential": Biexponential(262144.0, 4.418539922, 0.0, -100.0),
    "arcsinh": Arcsinh(150.0),
    "log": Log.from_offset(1.0, 5.4),
    "linear": Linear(),
}


@pytest.mark.parametrize("kind", SCALES)
def test_flowkit_finds_the_same_events_in_what_is_written(fcs: Path, tmp_path: Path, kind: str) -> None:
    scale = SCALES[kind]

    def at(value: float) -> float:
        return float(scale.forward(np.array([value]))[0])

    axes = {name: AxisSpec(name, name, transform=scale, exact=True) for name in CHANNELS[2:]}
    scatter = {
        name: AxisSpec(name, name, transform=Linear(), exact=True, compensation="none", low=0.0, high=262144.0)
        for name in CHANNELS[:2]
    }
    corners = ((at(20), at(30)), (at(900), at(60)), (at(9000), at(20000)), (at(200), at(3000)), (at(60), at(900)))
    gates: dict[str, tuple[str, Gate]] = {
        "cells": ("root", Polygon(("FSC-A", "SSC-A"), ((3e4, 2e4), (1.5e5, 3e4), (1.6e5, 1.5e5), (4e4, 1.3e5)))),
        "box": ("cells", Rectangle(("FL1-A", "FL2-A"), (at(50), at(-100)), (at(5000), at(20000)))),
        "poly": ("cells", Polygon(("FL2-A", "FL3-A"), corners)),
        "high": ("cells", Range(("FL3-A",), at(500), math.inf)),
        "not high": ("cells", Not(Range(("FL3-A",), at(500), math.inf))),
        "both": ("cells", All((Reference("box"), Reference("poly")))),
        "either": ("cells", Any_((Reference("box"), Reference("poly")))),
        "neither": ("cells", Not(Reference("either"))),
        "deep": ("both", Range(("FL1-A",), at(300), at(2000))),
    }
    result = cytoreg.gate(cytoreg.read_fcs(fcs), template(gates, **axes, **scatter))
    ours = by_us(result)
    assert all(0 < mask.sum() < 4000 for mask in ours.values())
    out = tmp_path / "out.wsp"
    lost = write(result, out)
    assert [sentence for sentence in lost if "grid" not in sentence] == []
    theirs = by_flowkit(out, fcs)
    assert {name: int((theirs[name] != mask).sum()) for name, mask in ours.items()} == dict.fromkeys(ours, 0)
    again, lost = read(out)
    assert lost == []
    back = by_us(cytoreg.gate(cytoreg.read_fcs(fcs), again, rule="events"))
    assert {name: int((back[name] != mask).sum()) for name, mask in ours.items()} == dict.fromkeys(ours, 0)


@pytest.mark.parametrize(("rule", "kind"), [("events", Polygon), ("flowjo", Ellipse)])
def test_an_ellipse_holds_the_same_events_again_and_in_flowkit(
    fcs: Path, tmp_path: Path, rule: str, kind: type
) -> None:
    """As a polygon of 256 corners, or as an ellipse, which is one of 128 to FlowKit."""
    axes = {name: AxisSpec(name, name, transform=SCALES["biexponential"], exact=True) for name in CHANNELS[2:]}
    shape = Ellipse(("FL1-A", "FL2-A"), (2000.0, 1900.0), ((300_000.0, 90_000.0), (90_000.0, 90_000.0)), 1.2)
    made = template({"e": ("root", shape)}, **axes)
    out = tmp_path / "out.wsp"
    write(cytoreg.gate(cytoreg.read_fcs(fcs), made, rule=rule), out)
    ours = cytoreg.gate(cytoreg.read_fcs(fcs), made, rule="events").mask("e")
    assert ours.sum() > 150
    assert (by_flowkit(out, fcs)["e"] != ours).sum() <= 2
    again, _ = read(out)
    assert isinstance(again.for_sample("cells.fcs").populations["e"].gate.geometry, kind)
    assert (cytoreg.gate(cytoreg.read_fcs(fcs), again, rule="events").mask("e") == ours).all()


@pytest.mark.parametrize(
    ("workspace", "events"),
    [
        ("gating.wsp", "68983.fcs"),
        ("single_ellipse_51_events.wsp", "data_set_simple_line_100.fcs"),
        ("simple_diamond_example_quad_gate.wsp", "test_data_diamond_01.fcs"),
        ("test_data_diamond_asinh_rect.wsp", "test_data_diamond_01.fcs"),
        ("test_data_diamond_biex_rect.wsp", "test_data_diamond_01.fcs"),
    ],
)
def test_real_workspaces_written_again_give_the_same_events_under_both_rules(
    real: Path, tmp_path: Path, workspace: str, events: str
) -> None:
    first, _ = read(real / "flowjo" / workspace)
    sample = cytoreg.read_fcs(real / "flowjo" / events)
    out = tmp_path / "out.wsp"
    write(cytoreg.gate(sample, first), out)
    again, lost = read(out)
    assert lost == []
    for rule in ("events", "flowjo"):
        ours = by_us(cytoreg.gate(sample, first, rule=rule))
        back = by_us(cytoreg.gate(sample, again, rule=rule))
        assert {name: int((back[name] != mask).sum()) for name, mask in ours.items()} == dict.fromkeys(ours, 0)
    exact = by_us(cytoreg.gate(sample, first, rule="events"))
    theirs = by_flowkit(out, real / "flowjo" / events)
    assert {name: int((theirs[name] != mask).sum()) for name, mask in exact.items()} == dict.fromkeys(exact, 0)


def test_a_workspace_of_many_samples_is_written_with_all_of_them(real: Path, tmp_path: Path) -> None:
    first, _ = read(real / "cord_blood_spectral" / "vd2_gates.wsp")
    out = tmp_path / "out.wsp"
    write(first, out)
    again, _ = read(out)
    assert list(again.samples) == list(first.samples)
    path = real / "cord_blood_spectral" / "2025_08_28_AB_08_INF166_00_SEB.fcs"
    masks = [cytoreg.gate(cytoreg.read_fcs(path), one).mask("Vd2") for one in (first, again)]
    assert (masks[0] == masks[1]).all()


def test_what_flowjo_cannot_say_is_left_out_and_said(tmp_path: Path) -> None:
    stray = Matrix("other", ("FL1-A",), ("FL1-A",), ((2.0,),))
    axes = {
        "ratio": AxisSpec("ratio", ratio=Ratio(("FL1-A", "FL2-A"))),
        "a": AxisSpec("a", "FL1-A", transform=Logicle(), compensation="one"),
        "b": AxisSpec("b", "FL1-A", transform=Arcsinh(), compensation="one"),
        "c": AxisSpec("c", "FL1-A", transform=Logicle(), compensation="other"),
    }
    corners = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
    gates: dict[str, tuple[str, Gate]] = {
        "kept": ("root", Polygon(("a", "FL2-A"), corners)),
        "ratio": ("root", Range(("ratio",), 1.0)),
        "below": ("ratio", Range(("a",), 1.0)),
        "scale": ("root", Polygon(("b", "FL2-A"), corners)),
        "matrix": ("root", Range(("c",), 1.0)),
        "parts": ("root", Any_((Range(("a",), 3.0), Range(("FL2-A",), 3.0)))),
    }
    made = template(gates, **axes)
    made = Template(
        "t", made.populations, compensation="none", axes=made.axes, matrices={"one": stray_of(), "other": stray}
    )
    lost = write(made, tmp_path / "out.wsp")
    said = "\n".join(lost)
    for words in (
        "'ratio'",
        "'below': it needs population 'ratio'",
        "another scale",
        "needs the matrix 'other'",
        "part 1",
    ):
        assert words in said
    again, _ = read(tmp_path / "out.wsp")
    kept = again.for_sample("t.fcs").populations
    assert list(kept) == ["kept", "parts part 1", "parts part 2", "parts"]


def stray_of() -> Matrix:
    return Matrix("one", ("FL1-A", "FL2-A"), ("FL1-A", "FL2-A"), ((1.0, 0.1), (0.0, 1.0)))


def test_nothing_of_the_patient_is_written(fcs: Path, tmp_path: Path) -> None:
    result = cytoreg.gate(
        cytoreg.read_fcs(fcs), template({"p": ("root", Range(("FSC-A",), 1e4))}, **{"FSC-A": AxisSpec("FSC-A")})
    )
    write(result, tmp_path / "out.wsp")
    text = (tmp_path / "out.wsp").read_text(encoding="utf-8")
    assert str(tmp_path) not in text and 'uri="file:cells.fcs"' in text


def test_a_template_without_a_drawn_gate_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no gate that a FlowJo workspace can say"):
        write(Template("t", {}), tmp_path / "out.wsp")


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    """Twenty thousand events within ten of FlowJo's 256 bins of a linear axis, each bin 1024 wide."""
    events = np.random.default_rng(5).uniform(85_000, 95_000, size=(20_000, 2)).astype(np.float32)
    write_fcs(tmp_path / "dense.fcs", events, CHANNELS[:2])
    return tmp_path / "dense.fcs"


PLAIN = {name: AxisSpec(name, transform=Linear(), compensation="none") for name in CHANNELS[:2]}


def test_a_small_polygon_is_counted_as_drawn_by_flowjos_rule(dense: Path, tmp_path: Path) -> None:
    corners = ((88_000.0, 88_100.0), (91_300.0, 88_900.0), (93_000.0, 92_700.0), (88_700.0, 91_200.0))
    made = template({"tiny": ("root", Polygon(("FSC-A", "SSC-A"), corners))}, **PLAIN)
    sample = cytoreg.read_fcs(dense)
    result = cytoreg.gate(sample, made)
    drawn_count = result.count("tiny")
    coarse = cytoreg.gate(sample, made, rule="flowjo").count("tiny")
    out = tmp_path / "out.wsp"
    lost = write(result, out)
    fine = cytoreg.gate(sample, read(out)[0])
    assert fine.bound.rule == "flowjo"
    assert abs(fine.count("tiny") - drawn_count) <= 5
    assert abs(coarse - drawn_count) > 25
    differs = fine.count("tiny") != drawn_count
    assert [f"{fine.count('tiny')} events on FlowJo's grid, {drawn_count} here" in line for line in lost] == (
        [True] if differs else []
    )


def test_a_polygon_below_the_axis_is_counted_as_drawn_by_flowjos_rule(tmp_path: Path) -> None:
    events = np.random.default_rng(3).normal(0, 100, size=(3000, 2)).astype(np.float32)
    write_fcs(tmp_path / "x.fcs", events, ["A", "B"])
    corners = ((-150.0, -100.0), (-20.0, -120.0), (10.0, 60.0), (-90.0, 90.0))
    axes = {name: AxisSpec(name, transform=Arcsinh(150.0), compensation="none") for name in "AB"}
    display = tuple((math.asinh(x / 150), math.asinh(y / 150)) for x, y in corners)
    result = cytoreg.gate(
        cytoreg.read_fcs(tmp_path / "x.fcs"), template({"p": ("root", Polygon(("A", "B"), display))}, **axes)
    )
    write(result, tmp_path / "out.wsp")
    again = cytoreg.gate(cytoreg.read_fcs(tmp_path / "x.fcs"), read(tmp_path / "out.wsp")[0])
    assert abs(again.count("p") - result.count("p")) <= 1 < result.count("p")


SMALL = Ellipse(("FSC-A", "SSC-A"), (90_100.0, 90_200.0), ((1.6e6, 0.4e6), (0.4e6, 0.9e6)), 2.0)


def test_a_small_ellipse_is_counted_as_drawn_by_flowjos_rule(dense: Path, tmp_path: Path) -> None:
    """As an ellipse, on 256 bins, FlowJo would decide hundreds of these events otherwise."""
    sample = cytoreg.read_fcs(dense)
    made = template({"e": ("root", SMALL)}, **PLAIN)
    inside = cytoreg.gate(sample, made).mask("e")
    coarse = cytoreg.gate(sample, made, rule="flowjo").mask("e")
    assert (coarse != inside).sum() > 200
    lost = write(made, tmp_path / "out.wsp")
    assert "t.fcs: an ellipse on FSC-A and SSC-A has become a polygon of 256 corners" in lost[0]
    by_flowjo = read(tmp_path / "out.wsp")[0].for_sample("t.fcs")
    assert by_flowjo.rule == "flowjo"
    assert (cytoreg.gate(sample, by_flowjo).mask("e") != inside).sum() <= 8 < inside.sum()
    polygon = by_flowjo.populations["e"].gate.geometry
    assert isinstance(polygon, Polygon)
    x, y = np.array(polygon.vertices).T
    area = abs(np.sum(x * np.roll(y, 1) - y * np.roll(x, 1))) / 2  # the shoelace formula
    assert area == pytest.approx(np.pi * 4 * math.sqrt(1.6e6 * 0.9e6 - 0.4e6**2), rel=1e-9)


def test_an_ellipse_that_flowjo_counts_otherwise_is_said_with_both_numbers(tmp_path: Path) -> None:
    """One that goes beyond its scale stays an ellipse: a polygon's corners would be moved to the end of the scale."""
    events = np.random.default_rng(6).uniform(1e4, 262_143, size=(20_000, 2)).astype(np.float32)
    write_fcs(tmp_path / "x.fcs", events, CHANNELS[:2])
    sample = cytoreg.read_fcs(tmp_path / "x.fcs")
    axes = {name: AxisSpec(name, transform=Biexponential(), compensation="none") for name in CHANNELS[:2]}
    center = tuple(float(v) for v in Biexponential().forward(np.array([2.2e5, 2.3e5])))
    made = template({"e": ("root", Ellipse(("FSC-A", "SSC-A"), center, ((9e4, 0.0), (0.0, 9e4)), 1.0))}, **axes)
    result = cytoreg.gate(sample, made)
    (sentence,) = write(result, tmp_path / "out.wsp")
    by_flowjo = cytoreg.gate(sample, read(tmp_path / "out.wsp")[0]).count("e")
    assert by_flowjo != result.count("e")
    assert sentence == f"population 'e': {by_flowjo} events on FlowJo's grid, {result.count('e')} here"
    assert "at the edges" in "\n".join(write(made, tmp_path / "plain.wsp"))


def test_rectangles_alone_say_nothing_of_a_grid(tmp_path: Path) -> None:
    made = template({"r": ("root", Range(("FSC-A",), 1.0))}, **{"FSC-A": AxisSpec("FSC-A")})
    assert not [sentence for sentence in write(made, tmp_path / "out.wsp") if "grid" in sentence]


def test_the_matrix_of_the_file_and_one_of_the_template_do_not_merge(tmp_path: Path) -> None:
    axes = {
        "a": AxisSpec("a", "FL1-A", transform=Logicle(), compensation="from_file"),
        "b": AxisSpec("b", "FL1-A", transform=Logicle(), compensation="one"),
    }
    gates: dict[str, tuple[str, Gate]] = {key: ("root", Range((key,), 1.0)) for key in axes}
    for order in (("a", "b"), ("b", "a")):
        made = template({key: gates[key] for key in order}, **axes)
        made = Template("t", made.populations, axes=made.axes, matrices={"one": stray_of()})
        lost = write(made, tmp_path / "out.wsp")
        assert any(
            sentence.startswith(f"t.fcs: population {order[1]!r}: it needs the matrix") for sentence in lost
        )
        assert list(read(tmp_path / "out.wsp")[0].for_sample("t.fcs").populations) == [order[0]]


def test_groups_are_carried_through_yaml_and_a_workspace(tmp_path: Path) -> None:
    one = template({"r": ("root", Range(("FSC-A",), 1.0))}, **{"FSC-A": AxisSpec("FSC-A", exact=True)})
    gates = {name: SampleGates(one, (name,)) for name in ("a.fcs", "b.fcs", "c.fcs")}
    groups = {"T cells": ("a.fcs", "c.fcs"), "<B> & others": ("b.fcs",)}
    made = Template("t", {}, rule="flowjo", samples=gates, groups=groups)
    (tmp_path / "t.yaml").write_text(template_to_yaml(made), encoding="utf-8")
    by_yaml = cytoreg.load_template(tmp_path / "t.yaml")
    write(by_yaml, tmp_path / "out.wsp")
    nodes = ET.parse(tmp_path / "out.wsp").getroot().findall("Groups/GroupNode")
    ids = {node.get("name"): [ref.get("sampleID") for ref in node.iter("SampleRef")] for node in nodes}
    assert ids == {"All Samples": ["1", "2", "3"], "T cells": ["1", "3"], "<B> & others": ["2"]}
    again, _ = read(tmp_path / "out.wsp")
    assert by_yaml.groups == again.groups == groups  # that of all samples says nothing
    assert replace(made, groups={}).digest == made.digest  # they decide no number
    bad = YamlDocument("t", {**made.describe(), "groups": {"T cells": ["a.fcs", "d.fcs"]}})
    with pytest.raises(TemplateError, match=r"key groups\.T cells\.1: unknown sample 'd\.fcs'; "):
        parse_template(bad)
    done = convert_template(tmp_path / "out.wsp", tmp_path / "one.yaml", sample="a.fcs")
    assert "the groups T cells, <B> & others: the new file holds the gates of one sample" in done.lost


def test_gates_of_a_group_without_samples_are_said(tmp_path: Path) -> None:
    one = template({"r": ("root", Range(("FSC-A",), 1.0))}, **{"FSC-A": AxisSpec("FSC-A", exact=True)})
    write(one, tmp_path / "out.wsp")
    text = (tmp_path / "out.wsp").read_text(encoding="utf-8")
    node = '<GroupNode name="Later"><Group name="Later"/><Subpopulations><Population name="x"/></Subpopulations></GroupNode>'
    (tmp_path / "out.wsp").write_text(text.replace("</Groups>", f"{node}</Groups>"), encoding="utf-8")
    _, lost = read(tmp_path / "out.wsp")
    assert lost == ["group 'Later': its gates are of no sample"]


def test_a_boolean_names_one_population_or_is_left_out(tmp_path: Path) -> None:
    """A workspace names populations by their paths: a part gets one of its own, and a path of two names neither."""
    axes = {name: AxisSpec(name, name, transform=Linear(), exact=True, compensation="none") for name in "XY"}
    parts = Any_((Range(("X",), 6.0, math.inf), Range(("Y",), -math.inf, 2.0)))
    made = [
        Population("A part 1", "root", drawn(Range(("X",), 3.0, math.inf))),
        Population("A", "root", drawn(parts)),
        Population("other", "root", drawn(Range(("Y",), -math.inf, 4.0)), name="A"),
        Population("both", "root", drawn(All((Reference("A"), Reference("other"))))),
    ]
    tree = Template("t", {}, compensation="none", axes=axes).with_populations(made)
    lost = write(tree, tmp_path / "out.wsp")
    assert [sentence for sentence in lost if "'both'" in sentence and "2 populations have this path" in sentence]
    again, unread = read(tmp_path / "out.wsp")
    assert unread == []
    values = np.array([[x, y] for x in range(9) for y in range(9)], dtype=np.float32)
    events = sample_from_array(values, ["X", "Y"], name="t.fcs")
    first, second = cytoreg.gate(events, tree), cytoreg.gate(events, again, rule="events")
    same = {"A part 1": "A part 1", "A": next(key for key in second.names if second.bound.name(key) == "A")}
    for ours, theirs in same.items():
        assert (first.mask(ours) == second.mask(theirs)).all() and first.mask(ours).any()
