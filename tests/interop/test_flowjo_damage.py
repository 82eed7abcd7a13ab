"""FlowJo workspaces that are none, or mean nothing: one line that names file and element each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import Sample, sample_from_array
from cytoreg.interop.flowjo import read

NAMES = """xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
 xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes" """
SCALE = """<transforms:linear transforms:minRange="0" transforms:maxRange="1024" gain="1">
<data-type:parameter data-type:name="X"/></transforms:linear>"""
X = '<gating:dimension gating:min="1"><data-type:fcs-dimension data-type:name="X"/></gating:dimension>'
BARE_X = X.replace(' gating:min="1"', "")
POPULATION = f'<Population name="p"><Gate><gating:RectangleGate>{X}</gating:RectangleGate></Gate></Population>'


def workspace(path: Path, populations: str = POPULATION, scale: str = SCALE, matrix: str = "") -> Path:
    path.write_text(
        f'<?xml version="1.0"?><Workspace version="20.0" flowJoVersion="10.8.1" {NAMES}><SampleList><Sample>'
        f'<DataSet uri="file:a.fcs" sampleID="1"/>{matrix}<Transformations>{scale}</Transformations><Keywords/>'
        f'<SampleNode name="a.fcs" sampleID="1"><Subpopulations>{populations}</Subpopulations></SampleNode>'
        "</Sample></SampleList></Workspace>",
        encoding="utf-8",
    )
    return path


def events(channels: str = "X Y", name: str = "a.fcs") -> Sample:
    return sample_from_array(np.ones((3, 2), dtype=np.float32), channels.split(), name=name)


def gated(inner: str, kind: str = "PolygonGate", said: str = "") -> str:
    return f'<Population name="p"><Gate><gating:{kind} {said}>{inner}</gating:{kind}></Gate></Population>'


MATRIX = """<transforms:spilloverMatrix prefix="Comp-" suffix="" name="m"><transforms:spillover data-type:parameter="X">
<transforms:coefficient data-type:parameter="X" transforms:value="{}"/></transforms:spillover></transforms:spilloverMatrix>"""
CORNER = '<gating:vertex><gating:coordinate data-type:value="{}"/><gating:coordinate data-type:value="2"/></gating:vertex>'
CORNERS = BARE_X + BARE_X.replace("X", "Y") + CORNER.format(1) * 2

CASES = [
    ({"scale": SCALE.replace("linear", "log").replace("minRange", "offset")}, "X: decades is required"),
    (
        {"scale": SCALE.replace("linear", "log").replace('minRange="0"', 'offset="-1" transforms:decades="4"')},
        "offset -1",
    ),
    ({"scale": SCALE.replace('"1024"', '"wide"')}, "X: maxRange: expected a number, found 'wide'"),
    ({"scale": SCALE.replace('gain="1"', 'gain="0"')}, "X: gain: expected a number above 0"),
    ({"populations": POPULATION.replace('min="1"', 'min="one"')}, "min: expected a number, found 'one'"),
    (
        {"populations": POPULATION.replace('min="1"', 'min="9" gating:max="3"')},
        "X: expected min below max, found 9 and 3",
    ),
    (
        {
            "populations": gated(
                BARE_X
                + BARE_X.replace("X", "Y")
                + f"<gating:foci>{CORNER.format(1) * 2}</gating:foci>"
                + f"<gating:edge>{CORNER.format(1) * 3}{CORNER.format(1e200)}</gating:edge>",
                "EllipsoidGate",
            )
        },
        "expected edge points of an ellipse less than 1e+100 bins apart",
    ),
    (
        {
            "scale": SCALE.replace("linear", "logicle").replace(
                'minRange="0" transforms:maxRange="1024"',
                'T="1024" transforms:W="1" transforms:M="400" transforms:A="0"',
            )
        },
        "X: logicle: expected a scale that float64 can hold",
    ),
    ({"populations": '<Population name="p"/>'}, "'p': expected one gate, found 0"),
    ({"populations": gated(CORNERS)}, "'p': a polygon has at least 3 vertices, found 2"),
    ({"populations": gated(CORNERS + CORNER.format("nan"))}, "value: expected a number, found 'nan'"),
    ({"populations": gated(CORNERS + CORNER.format("inf"))}, "value: expected a finite number"),
    ({"populations": gated(CORNERS, said='gateResolution="1"')}, "gateResolution: expected 2 to 65536, found 1"),
    ({"populations": gated(BARE_X + CORNER.format(1) * 3)}, "'p': expected two dimensions, found 1"),
    ({"populations": gated(CORNERS, "EllipsoidGate")}, "an ellipse has 4 edge points, found 0"),
    ({"populations": gated(CORNERS, "CurlyQuad")}, "a curly quadrant has either min or max"),
    (
        {"populations": '<NotNode name="n"><Dependents/></NotNode>'},
        "'n': expected one population as Dependent, found 0",
    ),
    (
        {"populations": POPULATION + '<NotNode name="n"><Dependents><Dependent name="q"/></Dependents></NotNode>'},
        "'n': its part 'q' is no population; known are p",
    ),
    (
        {"populations": '<NotNode name="n"><Dependents><Dependent name="n"/></Dependents></NotNode>'},
        "populations need each other in a loop: n -> n",
    ),
    ({"matrix": MATRIX.format("much")}, "value: expected a number, found 'much'"),
]


@pytest.mark.parametrize(("parts", "message"), CASES, ids=[message for _, message in CASES])
def test_what_makes_no_sense_ends_in_one_line_that_says_where(
    tmp_path: Path, parts: dict[str, str], message: str
) -> None:
    path = workspace(tmp_path / "w.wsp", **parts)
    with pytest.raises(TemplateError) as raised:
        read(path)
    text = str(raised.value)
    assert text.startswith(str(path)) and message.split(";")[0] in text and "\n" not in text


def test_a_singular_matrix_is_named_when_a_file_is_gated(tmp_path: Path) -> None:
    comp = POPULATION.replace('"X"', '"Comp-X"')
    template, _ = read(workspace(tmp_path / "w.wsp", comp, matrix=MATRIX.format("0")))
    with pytest.raises(TemplateError, match="the matrix 'm' cannot be inverted"):
        cytoreg.gate(events(), template)


def test_a_gate_on_a_channel_that_the_file_does_not_have(tmp_path: Path) -> None:
    template, _ = read(workspace(tmp_path / "w.wsp"))
    with pytest.raises(TemplateError, match=r"population 'p'.*needs channel 'X'; the panel has: A, B"):
        cytoreg.gate(events("A B"), template)


def test_a_workspace_of_another_study_names_its_samples(tmp_path: Path) -> None:
    template, _ = read(workspace(tmp_path / "w.wsp"))
    with pytest.raises(TemplateError, match=r"no gates for sample 'other.fcs'.*a\.fcs"):
        cytoreg.gate(events(name="other.fcs"), template)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<Workspace version='20.0'/>", "has a SampleList"),
        ("<Workspace version='20.0'><SampleList/></Workspace>", "has no samples"),
        ("<Workspace version='20.0'><SampleList><Sample/></SampleList></Workspace>", "has a SampleNode"),
        ("<Gates/>", "expected the Workspace of FlowJo"),
        ("<Workspace><SampleList>", "not well-formed XML"),
        ("not XML at all", "not well-formed XML"),
        ("", "not well-formed XML"),
        ("<Workspace flowJoVersion='9.2'><SampleList><Sample/></SampleList></Workspace>", "has a SampleNode"),
        (
            '<!DOCTYPE w [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><Workspace><SampleList>&b;</SampleList></Workspace>',
            "entities are not read",
        ),
        (
            '<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/hostname">]><Workspace><SampleList>&a;</SampleList></Workspace>',
            "entities are not read",
        ),
    ],
)
def test_what_is_no_workspace_or_harmful_ends_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "w.wsp"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as raised:
        read(path)
    assert str(path) in str(raised.value) and message in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no such file"):
        read(tmp_path / "w.wsp")


def test_ten_thousand_nested_gates_end_in_one_line(tmp_path: Path) -> None:
    gate = f"<Gate><gating:RectangleGate>{X}</gating:RectangleGate></Gate>"
    nested = f'<Population name="p">{gate}<Subpopulations>' * 10_000 + "</Subpopulations></Population>" * 10_000
    with pytest.raises(TemplateError, match="elements nest more than"):
        read(workspace(tmp_path / "w.wsp", nested))


def test_two_hundred_nested_gates_are_no_problem(tmp_path: Path) -> None:
    gate = f"<Gate><gating:RectangleGate>{X}</gating:RectangleGate></Gate>"
    nested = f'<Population name="p">{gate}<Subpopulations>' * 200 + "</Subpopulations></Population>" * 200
    template, _ = read(workspace(tmp_path / "w.wsp", nested))
    assert len(cytoreg.gate(events(), template).names) >= 200
