"""GatingML 2.0 in and out: judged by FlowKit's own reader and by masks made by hand; bad files end in one line."""

from __future__ import annotations

from pathlib import Path

import flowkit
import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg import StoreError, TemplateError
from cytoreg.compensation import Matrix
from cytoreg.fcs import Sample, Spillover, sample_from_array
from cytoreg.gating import Template
from cytoreg.gating.axes import AxisSpec, Ratio
from cytoreg.gating.concrete import concrete_template
from cytoreg.gating.gates import All, Any_, Ellipse, Gate, Not, Polygon, Range, Rectangle, Reference
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import Population
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop import gatingml
from cytoreg.interop.load import read_template
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<g:Gating-ML xmlns:g="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:t="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
 xmlns:d="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">
"""
X, Y = (
    f'<g:dimension g:compensation-ref="uncompensated" g:min="100"><d:fcs-dimension d:name="{name}"/></g:dimension>'
    for name in ("FSC-A", "SSC-A")
)
RANGE = f'<g:RectangleGate g:id="A">{X}</g:RectangleGate>'
TAIL = "</g:Gating-ML>"
EVENTS = np.random.default_rng(11).lognormal(5, 1.2, (5000, 4)) - 40
NAMES = ["FSC-A", "SSC-A", "B1", "B2"]  # FlowKit wants a matrix over all that is not scatter
SPILL = Spillover(("B1", "B2"), np.array([[1.0, 0.15], [0.07, 1.0]]), "$SPILLOVER")
SAMPLE = sample_from_array(EVENTS, NAMES, spillover=SPILL, name="made.fcs")


def written(folder: Path, body: str, *, head: str = HEAD, tail: str = TAIL) -> Path:
    path = folder / "gates.xml"
    path.write_text(head + body + tail, encoding="utf-8")
    return path


def by_flowkit(path: Path, sample: Sample) -> dict[str, np.ndarray]:
    """Membership by FlowKit's reader and gates."""
    strategy = flowkit.parse_gating_xml(str(path))
    frame = pd.DataFrame(sample.to_numpy().astype(np.float64), columns=[c.name for c in sample.channels])
    theirs = flowkit.Sample(frame, sample_id="made")
    if sample.spillover is not None:
        matrix = flowkit.Matrix(sample.spillover.matrix, list(sample.spillover.channels))
        theirs.apply_compensation(matrix)
        theirs.metadata["spill"] = ",".join(
            ["2", *sample.spillover.channels, *map(str, sample.spillover.matrix.ravel())]
        )
    results = strategy.gate_sample(theirs)
    return {
        name: np.asarray(results.get_gate_membership(name, above), dtype=bool)
        for name, above in strategy.get_gate_ids()
    }


def test_a_gate_with_attributes_in_no_namespace_is_read(tmp_path: Path) -> None:
    loose = RANGE.replace(" g:", " ").replace(" d:", " ")
    assert "g:min" not in loose
    template = cytoreg.load_template(written(tmp_path, loose))
    np.testing.assert_array_equal(cytoreg.gate(SAMPLE, template).mask("A"), EVENTS[:, 0] >= 100)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("", "gates.xml: holds no gate"),
        (RANGE.replace(' g:id="A"', ""), "line 5, RectangleGate: the attribute id is required"),
        (RANGE + RANGE, "a gate with the id 'A' is there already"),
        (RANGE.replace(' d:name="FSC-A"', ""), "line 5, fcs-dimension: the attribute name is required"),
        (RANGE.replace(' g:compensation-ref="uncompensated"', ""), "the attribute compensation-ref is required"),
        (
            RANGE.replace("uncompensated", "MyMatrix"),
            "there is no matrix 'MyMatrix'; there are: FCS, uncompensated",
        ),
        (
            RANGE.replace("g:min", 'g:transformation-ref="T" g:min'),
            "transformation-ref: 'T' is not there; there are none",
        ),
        (RANGE.replace('"100"', '"1OO"'), "line 5, dimension: FSC-A: expected a number, found '1OO'"),
        (RANGE.replace('"100"', '"NaN"'), "expected a number, found 'NaN'"),
        (RANGE.replace('g:min="100"', 'g:min="2" g:max="1"'), "expected min below max, found 2 and 1"),
        (
            RANGE.replace("RectangleGate", "RectangelGate"),
            "RectangelGate: is no part of GatingML 2.0 at this place; did you",
        ),
        (
            RANGE.replace('g:id="A"', 'g:id="A" g:parent_id="B"'),
            "parent_id names the gate 'B', which is not there",
        ),
        (RANGE.replace('g:id="A"', 'g:id="A" g:parent_id="A"'), "populations need each other in a loop: A -> A"),
        (f'<g:RectangleGate g:id="A">{X}{X}</g:RectangleGate>', "looks at 'FSC-A' twice"),
        ('<g:RectangleGate g:id="A"></g:RectangleGate>', "needs at least 1 dimensions, found 0"),
        (f'<g:PolygonGate g:id="P">{X}</g:PolygonGate>', "needs 2 dimensions, found 1"),
        (f'<g:PolygonGate g:id="P">{X}{Y}</g:PolygonGate>', "needs at least 3 vertices, found 0"),
        (
            f'<g:PolygonGate g:id="P">{X}{Y}'
            + '<g:vertex><g:coordinate d:value="1"/></g:vertex>' * 3
            + "</g:PolygonGate>",
            "vertex: needs 2 times coordinate, found 1",
        ),
        (f'<g:EllipsoidGate g:id="E">{X}{Y}</g:EllipsoidGate>', "EllipsoidGate: needs one mean, found 0"),
        (RANGE + '<g:BooleanGate g:id="N"/>', "needs one of and, or, not, found 0"),
        (RANGE + '<g:BooleanGate g:id="N"><g:not/></g:BooleanGate>', "not: needs one gateReference, found 0"),
        (
            RANGE + '<g:BooleanGate g:id="N"><g:not><g:gateReference g:ref="a"/></g:not></g:BooleanGate>',
            "ref names the gate 'a', which is not there; did you mean 'A'?",
        ),
        (
            RANGE + '<g:BooleanGate g:id="N"><g:not><g:gateReference g:ref="N"/></g:not></g:BooleanGate>',
            "populations need each other in a loop: N -> N",
        ),
        ('<g:QuadrantGate g:id="Q"/>', "QuadrantGate: holds no Quadrant"),
        (
            '<g:QuadrantGate g:id="Q"><g:Quadrant g:id="q"><g:position g:divider_ref="d" g:location="1"/></g:Quadrant>'
            "</g:QuadrantGate>",
            "position: there is no divider 'd'; there are none",
        ),
        ('<t:transformation t:id="T"><t:fexp t:T="1"/></t:transformation>', "'T' needs one of flin, flog, fasinh"),
        ('<t:transformation t:id="T"><t:flog t:T="1"/></t:transformation>', "line 5, flog: M is required"),
        (
            '<t:transformation t:id="T"><t:flog t:T="-1" t:M="4"/></t:transformation>',
            "'T': log needs T > 0 and M > 0",
        ),
        (
            '<t:transformation t:id="T"><t:logicle t:T="1000" t:W="3" t:M="4" t:A="0"/></t:transformation>',
            "transformation 'T': logicle needs T > 0, 0 <= 2W <= M",
        ),
        (
            '<t:transformation t:id="T"><t:hyperlog t:T="1000" t:W="0" t:M="4" t:A="0"/></t:transformation>',
            "hyperlog needs T > 0, 0 < 2W <= M",
        ),
        (
            '<t:transformation t:id="T"><t:fasinh t:T="1000" t:M="400" t:A="0"/></t:transformation>',
            "arcsinh needs T > 0 and M > 0",
        ),
        (
            '<t:transformation t:id="T"><t:flin t:T="10" t:A="20"/></t:transformation>',
            "flin needs T > 0 and 0 <= A <= T",
        ),
        (
            '<t:transformation t:id="T"><t:fratio t:A="1" t:B="0" t:C="0"><d:fcs-dimension d:name="FSC-A"/></t:fratio>'
            "</t:transformation>",
            "a ratio needs two fcs-dimensions, found 1",
        ),
        (
            '<t:transformation t:id="T"><t:fratio t:A="0" t:B="0" t:C="0"><d:fcs-dimension d:name="FSC-A"/>'
            '<d:fcs-dimension d:name="SSC-A"/></t:fratio></t:transformation>',
            "ratio 'T': expected A other than 0",
        ),
        ('<t:spectrumMatrix t:id="M"/>', "matrix 'M' needs fluorochromes, found none"),
        (
            '<t:spectrumMatrix t:id="M"><t:fluorochromes><d:fcs-dimension d:name="a"/></t:fluorochromes><t:detectors>'
            '<d:fcs-dimension d:name="FSC-A"/></t:detectors></t:spectrumMatrix>',
            "1 fluorochromes and 1 detectors need 1 rows of 1 numbers, found 0 rows",
        ),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(tmp_path: Path, body: str, what: str) -> None:
    with pytest.raises(TemplateError) as caught:
        cytoreg.load_template(written(tmp_path, body))
    message = str(caught.value)
    assert what in message
    assert "gates.xml" in message
    assert "\n" not in message


BOMB = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
ROOT = HEAD.partition("?>")[2]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BOMB + ROOT + "&b;" + TAIL, "defines the entity 'a'; entities are not read"),
        (OUTSIDE + ROOT + "&x;" + TAIL, "defines the entity 'x'; entities are not read"),
        (HEAD + RANGE, "line 5: not well-formed XML: no element found"),
        (HEAD + "<g:RectangleGate>" + TAIL, "not well-formed XML: mismatched tag"),
        (HEAD + "<q:RectangleGate/>" + TAIL, "not well-formed XML: unbound prefix"),
        (HEAD + "<a>" * 10_000 + "</a>" * 10_000 + TAIL, "elements nest more than 600 deep"),
        (
            HEAD.replace("v2.0/gating", "v1.5/gating") + TAIL,
            "expected the root Gating-ML of GatingML 2.0, found Gating-ML of",
        ),
        (HEAD.replace("UTF-8", "UTF-99") + TAIL, "not well-formed XML: unknown encoding"),
    ],
    ids=["bomb", "external", "cut short", "tags", "prefix", "deep", "old", "encoding"],
)
def test_hostile_or_broken_xml_is_one_line(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        cytoreg.load_template(path)
    message = str(caught.value)
    assert what in message
    assert "bad.xml" in message
    assert "\n" not in message


def test_ten_thousand_gates_are_read_and_ten_thousand_in_a_row_are_one_line(tmp_path: Path) -> None:
    flat = "".join(RANGE.replace('"A"', f'"g{i}"') for i in range(10_000))
    assert len(cytoreg.load_template(written(tmp_path, flat)).populations) == 10_000
    row = "".join(RANGE.replace('"A"', f'"g{i}" g:parent_id="g{i + 1}"') for i in range(10_000))
    row += RANGE.replace('"A"', '"g10000"')
    with pytest.raises(TemplateError, match="more than 500 gates in a row"):
        cytoreg.load_template(written(tmp_path, row))


def test_utf_16_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "wide.gml"
    path.write_bytes((HEAD.replace("UTF-8", "UTF-16") + RANGE + TAIL).encode("utf-16"))
    assert list(cytoreg.load_template(path).populations) == ["A"]


def test_what_is_not_carried_over_is_said(tmp_path: Path) -> None:
    unused = '<t:transformation t:id="T"><t:flog t:T="10" t:M="4"/></t:transformation>'
    note = "<d:custom_info>by hand</d:custom_info>"
    body = unused + note + RANGE.replace("<g:dimension", f"{note}<g:dimension")
    _, lost = read_template(written(tmp_path, body))
    assert lost == [
        "2 custom_info elements, which are notes of the program that wrote the file",
        "transformation 'T', which no gate uses",
    ]


def test_a_ratio_over_zero_is_in_no_closed_gate(tmp_path: Path) -> None:
    body = (
        '<t:transformation t:id="R"><t:fratio t:A="1" t:B="0" t:C="0"><d:fcs-dimension d:name="FSC-A"/>'
        '<d:fcs-dimension d:name="SSC-A"/></t:fratio></t:transformation>'
        '<g:RectangleGate g:id="A"><g:dimension g:compensation-ref="uncompensated" g:min="1" g:max="1e300">'
        '<d:new-dimension d:transformation-ref="R"/></g:dimension></g:RectangleGate>'
    )
    sample = sample_from_array(
        np.array([[4.0, 2.0], [4.0, 0.0], [0.0, 0.0], [1.0, 2.0]]), ["FSC-A", "SSC-A"], name="z"
    )
    assert cytoreg.gate(sample, written(tmp_path, body)).mask("A").tolist() == [True, False, False, False]


def test_an_ellipse_on_axes_of_very_different_units_is_read(tmp_path: Path) -> None:
    """A ratio spreads by 1e-4 and light scatter by 1e5: the matrix is no worse for that."""
    body = (
        '<g:EllipsoidGate g:id="A"><g:dimension g:compensation-ref="uncompensated"><d:fcs-dimension d:name="FSC-A"/></g:dimension>'
        '<g:dimension g:compensation-ref="uncompensated"><d:fcs-dimension d:name="SSC-A"/></g:dimension>'
        '<g:mean><g:coordinate d:value="2e5"/><g:coordinate d:value="1e-3"/></g:mean><g:covarianceMatrix>'
        '<g:row><g:entry d:value="1e10"/><g:entry d:value="0"/></g:row>'
        '<g:row><g:entry d:value="0"/><g:entry d:value="1e-8"/></g:row></g:covarianceMatrix>'
        '<g:distanceSquare d:value="1"/></g:EllipsoidGate>'
    )
    values = np.array([[2e5, 1e-3], [2.9e5, 1e-3], [3.1e5, 1e-3], [2e5, 1.09e-3], [2e5, 1.11e-3]])
    sample = sample_from_array(values.astype(np.float32), ["FSC-A", "SSC-A"], name="z")
    assert cytoreg.gate(sample, written(tmp_path, body)).mask("A").tolist() == [True, True, False, True, False]
    with pytest.raises(TemplateError, match="cannot be inverted"):
        written_flat = body.replace('d:value="1e10"', 'd:value="1"').replace('d:value="1e-8"', 'd:value="1"')
        cytoreg.load_template(written(tmp_path, written_flat.replace('d:value="0"', 'd:value="1"')))


def all_kinds() -> Template:
    """A template with everything that GatingML can say, and names that XML ids cannot."""
    axes = {
        "X": AxisSpec("X", "FSC-A", None, "none", Linear(), exact=True),
        "X log": AxisSpec("X log", "FSC-A", None, "none", Log(10_000.0, 4.0), exact=True),
        "Y hyper": AxisSpec("Y hyper", "SSC-A", None, "none", Hyperlog(10_000.0, 0.7, 4.2, 0.3), exact=True),
        "B1": AxisSpec("B1", "B1", None, "from_file", Logicle(10_000.0, 0.6, 4.5, 0.2), exact=True),
        "dye": AxisSpec("dye", "PE", None, "My matrix+", Arcsinh(70.0), exact=True),
        "ratio": AxisSpec(
            "ratio", None, Ratio(("FSC-A", "SSC-A"), 2.0, 1.0, -300.0), "none", Log(8.0, 2.0), exact=True
        ),
    }
    gates: list[tuple[str, str, Gate]] = [
        ("CD4+ / all", "root", Range(("B1",), 1.9, 3.3)),
        ("box", "CD4+ / all", Rectangle(("X", "dye", "Y hyper"), (-np.inf, 0.2, 1.0), (300.0, np.inf, 3.2))),
        (
            "star",
            "root",
            Polygon(("X log", "dye"), ((1.2, -1.5), (3.4, 2.5), (1.2, 2.0), (3.5, -0.5), (2.0, 3.0))),
        ),
        (
            "egg",
            "root",
            Ellipse(
                ("Y hyper", "X log", "dye"), (2.0, 2.0, 0.8), ((0.4, 0.1, 0), (0.1, 0.3, 0.05), (0, 0.05, 1)), 1.9
            ),
        ),
        ("quotient", "star", Range(("ratio",), 1.0, 1.5)),
        ("both", "root", All((Reference("star"), Not(Reference("egg"))))),
        ("either", "egg", Any_((Reference("box"), Reference("both")))),
        ("neither", "root", Not(Reference("either"))),
        ("mixed", "star", All((Not(Any_((Reference("box"), Range(("X",), 200.0)))), Range(("B1",), 1.5)))),
        ("same", "root", Reference("star")),
        ("alone", "root", Any_((Reference("egg"),))),
    ]
    matrix = Matrix("My matrix+", ("B1", "B2"), ("FITC", "PE"), ((1.0, 0.2), (0.11, 1.0)))
    return Template("all", {}, axes=axes, matrices={"My matrix+": matrix}, compensation="none").with_populations(
        [Population(key, parent, drawn(gate)) for key, parent, gate in gates]
    )


def test_an_export_read_by_flowkit_holds_the_same_events(tmp_path: Path) -> None:
    template, path = all_kinds(), tmp_path / "out.xml"
    lost = gatingml.write(template, path)
    assert [line for line in lost if "within a boolean" not in line] == []
    result, theirs = cytoreg.gate(SAMPLE, template), by_flowkit(path, SAMPLE)
    ids = {"CD4+ / all": "CD4pos___all"}
    for name in template.populations:
        ours = result.mask(name)
        np.testing.assert_array_equal(ours, theirs[ids.get(name, name)], err_msg=name)
        assert 0 < ours.sum() < len(EVENTS), name


def test_an_export_read_again_keeps_names_and_events(tmp_path: Path) -> None:
    template, path = all_kinds(), tmp_path / "out.xml"
    gatingml.write(template, path)
    again, lost = read_template(path)
    assert lost == []
    assert set(template.populations) <= set(again.populations)
    ours, theirs = cytoreg.gate(SAMPLE, template), cytoreg.gate(SAMPLE, again)
    for name, population in template.populations.items():
        assert again.populations[name].name == population.name
        np.testing.assert_array_equal(ours.mask(name), theirs.mask(name), err_msg=name)
    gatingml.write(again, tmp_path / "twice.xml")
    assert read_template(tmp_path / "twice.xml")[0].populations.keys() == again.populations.keys()


def test_yaml_of_an_imported_template_is_the_same_template(tmp_path: Path) -> None:
    template, path = all_kinds(), tmp_path / "t.yaml"
    path.write_text(template_to_yaml(template), encoding="utf-8")
    assert cytoreg.load_template(path) == template


def test_rectangles_on_scales_that_gatingml_lacks_become_linear_and_polygons_are_left_out(tmp_path: Path) -> None:
    axes = {
        "bi": AxisSpec("bi", "FSC-A", None, "none", Biexponential(10_000.0, 4.0, 0.5, -100.0), exact=True),
        "log": AxisSpec("log", "SSC-A", None, "none", Log.from_offset(10.0, 3.0), exact=True),
    }
    gates: dict[str, Gate] = {
        "box": Rectangle(("bi", "log"), (1000.0, 0.0), (2500.0, 1.7)),
        "p": Polygon(("bi", "log"), ((0, 0), (4000, 0), (4000, 3))),
        "n": Not(Reference("p")),
    }
    template = Template("t", {}, axes=axes, rule="flowjo").with_populations(
        [Population(key, "root", drawn(gate)) for key, gate in gates.items()]
    )
    lost = gatingml.write(template, tmp_path / "o.xml")
    assert len(lost) == 3
    assert lost[0].startswith("population 'p': axis 'bi' has the scale {'biexponential'")
    assert lost[1] == "population 'n': it needs population 'p', which was left out"
    assert "the counting rule 'flowjo'" in lost[2]
    ours = cytoreg.gate(SAMPLE, template, rule="events").mask("box")
    np.testing.assert_array_equal(ours, by_flowkit(tmp_path / "o.xml", SAMPLE)["box"])
    assert 0 < ours.sum() < len(EVENTS)


def test_methods_are_exported_as_what_they_placed(tmp_path: Path, root: Path) -> None:
    sample = cytoreg.read_fcs(root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs")
    template = cytoreg.load_template("treg_foxp3")
    with pytest.raises(
        TemplateError, match=r"holds no gate that GatingML can say .population 'cells': its gate is the"
    ):
        gatingml.write(template, tmp_path / "no.xml")
    result = cytoreg.gate(sample, template)
    placed = concrete_template(result)
    again = cytoreg.gate(sample, placed)
    assert set(placed.populations) == set(result.names)
    for name in result.names:
        np.testing.assert_array_equal(result.mask(name), again.mask(name), err_msg=name)
    assert all(
        spec.geometry or spec.parts or spec.population
        for p in placed.populations.values()
        for spec in p.gate.walk()
    )
    lost = gatingml.write(placed, tmp_path / "yes.xml")
    (sentence,) = lost
    assert sentence.startswith("GatingML has no place for description, reference, ")
    assert sentence.endswith("report, intensities, meaning, plot of the template")
    theirs = cytoreg.gate(sample, tmp_path / "yes.xml")
    for name in result.names:
        np.testing.assert_array_equal(result.mask(name), theirs.mask(name), err_msg=name)


def test_a_matrix_that_the_user_gave_is_part_of_what_was_applied(tmp_path: Path) -> None:
    text = "cytoreg: 1\nname: m\npopulations:\n  a: {gate: {range: {on: B1, min: 1.5}}}\n"
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    given = Spillover(("B2", "B1"), np.array([[1.0, 0.4], [0.3, 1.0]]), "mine.csv")
    result = cytoreg.gate(SAMPLE, tmp_path / "m.yaml", compensation=given)
    placed = concrete_template(result)
    assert set(placed.matrices) == {"mine.csv"}
    np.testing.assert_array_equal(cytoreg.gate(SAMPLE, placed).mask("a"), result.mask("a"))
    gatingml.write(placed, tmp_path / "m.xml")
    np.testing.assert_array_equal(by_flowkit(tmp_path / "m.xml", SAMPLE)["a"], result.mask("a"))
    assert (result.mask("a") != cytoreg.gate(SAMPLE, tmp_path / "m.yaml").mask("a")).any()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        gatingml.write(all_kinds(), tmp_path / "absent" / "o.xml")


def test_xml_of_another_kind_is_one_line_and_a_long_comment_hides_no_root(tmp_path: Path) -> None:
    path = tmp_path / "page.xml"
    path.write_text("<html><body/></html>", encoding="utf-8")
    with pytest.raises(
        TemplateError, match=r"page\.xml: is XML with the root element 'html', which is no gate format"
    ):
        cytoreg.load_template(path)
    head, _, rest = HEAD.partition("?>")
    path.write_text(f"{head}?><!-- {'licence <a> ' * 2000} -->{rest}{RANGE}{TAIL}", encoding="utf-8")
    assert list(cytoreg.load_template(path).populations) == ["A"]


def test_scatter_and_time_are_linear_unless_the_template_says_otherwise(tmp_path: Path) -> None:
    template = Template("t", {}, transforms={"default": {"arcsinh": {"cofactor": 5.0}}}).with_populations(
        [Population("p", "root", drawn(Rectangle(("FSC-A", "Time", "CD4"), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))))]
    )
    gatingml.write(template, tmp_path / "o.xml")
    scales = gatingml.read(tmp_path / "o.xml")[0].axes.values()
    by_channel = {axis.channels[0]: axis.transform for axis in scales}
    assert by_channel["FSC-A"] == by_channel["Time"] == Linear()
    assert by_channel["CD4"] != Linear()
