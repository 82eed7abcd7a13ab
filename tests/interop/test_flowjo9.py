"""FlowJo 9's XML in: matrices by number, scales as tables, booleans as expressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating.gates import All, Any_, Not, Reference
from cytoreg.interop.flowjo import read
from cytoreg.interop.flowjo.curve9 import curve_of
from cytoreg.interop.flowjo.expression import parse_expression
from cytoreg.transforms import Biexponential

PARTS = [Reference("a"), Reference("b"), Reference("c")]


def table(curve: Biexponential) -> str:
    values = curve.inverse(np.arange(4097.0))
    return ",".join(f"{i},{value:.8g}" for i, value in enumerate(values))


@pytest.mark.parametrize("width", [-10.0, -3.5, -25.84, -100.0])
def test_the_curve_of_a_table_gives_the_table_again(width: float) -> None:
    made = Biexponential(262144.0, 4.5, 0.0, width)
    found = curve_of(table(made))
    assert found is not None
    x = np.array([-50.0, 0.0, 30.0, 700.0, 50_000.0])
    np.testing.assert_allclose(found.forward(x), made.forward(x), atol=2e-3)


@pytest.mark.parametrize("text", ["", "0,1,1,2", "0,a,1,b", ",".join(f"{i},{i - 50}" for i in range(101))])
def test_a_table_that_no_biexponential_gives_is_none(text: str) -> None:
    assert curve_of(text) is None


def test_expressions_bind_and_before_or() -> None:
    a, b, c = PARTS
    assert parse_expression("G0 | G1 & !G2", PARTS) == Any_((a, All((b, Not(c)))))
    assert parse_expression("!(G0|G1) & G2", PARTS) == All((Not(Any_((a, b))), c))


@pytest.mark.parametrize("text", ["", "G0 G1", "G3", "(G0", "G0 &", "x", "!" * 40 + "G0"])
def test_expressions_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        parse_expression(text, PARTS)


def workspace(path: Path, populations: str, compensation: str = "1") -> Path:
    curve = table(Biexponential(262144.0, 4.5, 0.0, -10.0))
    path.write_text(
        f"""<?xml version="1.0"?><Workspace version="2.0" flowJoVersion="9.2"><SampleList>
<Sample sampleID="1" compensationID="{compensation}"><Keywords><Keyword name="$FIL" value="a.fcs"/>
<Keyword name="$TIMESTEP" value="0.1"/></Keywords>
<Parameter name="FSC-A" range="4096" log="0" gain="0.015625"/><Parameter name="Time" range="20" log="0" gain="1"/>
<Parameter name="X" range="4096" log="1" calibrationIndex="1"/><Parameter name="Y" range="4096" log="1" calibrationIndex="1"/>
<SampleNode sampleID="1" name="a">{populations}</SampleNode></Sample></SampleList>
<CompensationMatrices><CompensationMatrix name="m" prefix="&lt;" suffix="&gt;">
<Channel name="X"><ChannelValue name="X" value="1"/><ChannelValue name="Y" value="0.5"/></Channel>
<Channel name="Y"><ChannelValue name="X" value="0"/><ChannelValue name="Y" value="1"/></Channel></CompensationMatrix>
</CompensationMatrices><CalibrationTables><Table name="one">{curve}</Table></CalibrationTables></Workspace>""",
        encoding="utf-8",
    )
    return path


def ranged(name: str, axis: str, low: float, high: float, below: str = "", said: str = "") -> str:
    ends = f'<Vertex x="{low}" y="0"/><Vertex x="{high}" y="0"/>'
    shape = f'<Range xAxisName="{axis}" {said}><Polygon>{ends}</Polygon></Range>'
    return f'<Population name="{name}"><PolygonGate>{shape}</PolygonGate>{below}</Population>'


EVENTS = np.array([[1e5, 10, 100, 60], [1e4, 60, 10, 60], [1e5, 60, 100, 100]], dtype=np.float32)


def test_ranges_matrices_time_and_booleans(tmp_path: Path) -> None:
    paths = "<String>cells/bright</String><String>cells/early</String>"
    boolean = f"""<Population name="bright late"><BooleanGate specification="G0 &amp; !G1">
<GatePaths><StringArray>{paths}</StringArray></GatePaths></BooleanGate></Population>"""
    inner = ranged("bright", "&lt;Y>", 40, 1e7) + ranged("early", "Time", 0, 5) + boolean
    cells = ranged("cells", "FSC-A", 500, 2e5, inner) + ranged("others", "FSC-A", 5e4, 3e5, said='negated="1"')
    cells += ranged("not negated", "FSC-A", 5e4, 3e5, said='negated="0"')
    template, lost = read(workspace(tmp_path / "w.xml", cells))
    events = sample_from_array(EVENTS, ["FSC-A", "Time", "X", "Y"], name="a.fcs")
    result = cytoreg.gate(events, template)
    assert lost == []
    assert result.mask("cells").tolist() == [True, True, True]
    assert result.mask("bright").tolist() == [False, True, True]  # Y - X / 2: 10, 55, 50
    assert result.mask("early").tolist() == [True, False, False]  # 1, 6 and 6 seconds
    assert result.mask("bright late").tolist() == [False, True, True]
    assert result.mask("others").tolist() == [False, True, False]
    assert result.mask("not negated").tolist() == [True, False, True]


def test_a_gate_of_an_unknown_kind_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    odd = '<Population name="odd"><PolygonGate><Star xAxisName="X"/></PolygonGate></Population>'
    template, lost = read(workspace(tmp_path / "w.xml", odd + ranged("p", "FSC-A", 500, 2e5)))
    assert len(lost) == 1 and "population 'odd': unknown gate 'Star'" in lost[0]
    assert list(template.for_sample("a.fcs").populations) == ["p"]


@pytest.mark.parametrize(
    ("populations", "compensation", "message"),
    [
        ('<Population name="p"/>', "1", "'p': expected a gate"),
        ('<Population name="p"><BooleanGate/></Population>', "1", "a specification and paths"),
        (ranged("p", "X", 1, 2), "7", "compensationID: expected 1 to 1, found 7"),
        (ranged("p", "X", 1, 2).replace('x="1"', 'x="one"'), "1", "x: expected a number, found 'one'"),
    ],
)
def test_what_makes_no_sense_ends_in_one_line(
    tmp_path: Path, populations: str, compensation: str, message: str
) -> None:
    with pytest.raises(TemplateError) as raised:
        read(workspace(tmp_path / "w.xml", populations, compensation))
    assert str(tmp_path / "w.xml") in str(raised.value) and message in str(raised.value)
