"""FlowKit as the second engine on axes that a template states: ratios, matrices, every scale."""

from __future__ import annotations

import numpy as np
import pytest
from test_gatingml import EVENTS, SAMPLE, all_kinds

import cytoreg
from cytoreg.compensation import Matrix
from cytoreg.gating import Template
from cytoreg.gating.axes import AxisSpec
from cytoreg.gating.gates import Polygon, Range
from cytoreg.gating.spec import drawn
from cytoreg.gating.template import Population
from cytoreg.interop.flowkit import compare
from cytoreg.transforms import Arcsinh, Biexponential, Hyperlog, Linear, Log, Logicle, Transform


def test_every_gate_of_a_template_of_all_kinds_is_flowkit_s() -> None:
    result = cytoreg.gate(SAMPLE, all_kinds())
    assert compare(result) == []


@pytest.mark.parametrize(
    "scale",
    [
        Linear(),
        Log(10_000.0, 4.0),
        Log.from_offset(30.0, 2.5),
        Arcsinh(50.0),
        Logicle(10_000.0),
        Hyperlog(10_000.0),
        Biexponential(10_000.0, 4.0, 0.5, -100.0),
    ],
    ids=lambda scale: type(scale).__name__,
)
def test_polygons_on_every_scale_are_flowkit_s(scale: Transform) -> None:
    low, mid, high = scale.forward(np.percentile(EVENTS[:, 0], [20, 60, 95]))
    axes = {name: AxisSpec(name, name, None, "from_file", scale, exact=True) for name in ("FSC-A", "B1")}
    gate = Polygon(("FSC-A", "B1"), ((low, low), (high, mid), (mid, high)))
    template = Template("t", {}, axes=axes).with_populations([Population("p", "root", drawn(gate))])
    result = cytoreg.gate(SAMPLE, template)
    assert compare(result) == []
    assert 0 < result.count("p") < len(EVENTS)


def test_unmixing_by_a_matrix_that_is_not_square_is_least_squares() -> None:
    matrix = Matrix("m", ("SSC-A", "B1", "B2"), ("a", "b"), ((1.0, 0.3, 0.1), (0.2, 1.0, 0.6)))
    axes = {"b": AxisSpec("b", "b", None, "m", Linear(), exact=True)}
    template = Template("t", {}, axes=axes, matrices={"m": matrix}).with_populations(
        [Population("p", "root", drawn(Range(("b",), 100.0)))]
    )
    result = cytoreg.gate(SAMPLE, template)
    theirs = np.linalg.lstsq(np.array(matrix.values).T, EVENTS[:, 1:].T, rcond=None)[0][1]
    np.testing.assert_array_equal(result.mask("p"), theirs >= 100)
    assert compare(result) == []
