"""Event by event against the truth that ISAC published with GatingML 2.0, and FlowKit where it published none.

The files go the way a user's do: `cytoreg.gate(sample, load_template(file))`.
"""

from __future__ import annotations

import re
from pathlib import Path

import flowkit
import numpy as np
import pytest

import cytoreg
from cytoreg import Sample, TemplateError
from cytoreg.gating import Result, parse_template
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop import gatingml
from cytoreg.interop.flowkit import compare
from cytoreg.yamlfile import load_yaml

TRUTH_OF = {"ParRectangle1": "ParQuadRect"}
WITHOUT_TRUTH = {"myEllipse2"}
NOT_GATINGML = "gml_range_gate_attr_testing.xml"


@pytest.fixture(scope="module")
def folder(real: Path) -> Path:
    return real / "gatingml_compliance"


@pytest.fixture(scope="module")
def sample(folder: Path) -> Sample:
    return cytoreg.read_fcs(folder / "data1.fcs")


def files_of(folder: Path) -> list[Path]:
    return [path for path in sorted((folder / "gml").glob("*.xml")) if path.name != NOT_GATINGML]


def truth_of(folder: Path, gate: str) -> np.ndarray:
    text = (folder / "truth" / f"Results_{TRUTH_OF.get(gate, gate)}.txt").read_text(encoding="utf-8")
    return np.array(text.split(), dtype=int).astype(bool)


def differing(result: Result, folder: Path) -> dict[str, int]:
    """How many events each gate that has a truth decides otherwise."""
    return {
        gate: int((result.mask(gate) != truth_of(folder, gate)).sum())
        for gate in result.names
        if gate not in WITHOUT_TRUTH
    }


def gates_in(path: Path) -> set[str]:
    """The ids of all gates that hold events, read without a parser."""
    return set(re.findall(r"<gating:(?!QuadrantGate|divider)\w+ gating:id=\"([^\"]+)\"", path.read_text("utf-8")))


def test_every_gate_of_the_whole_set_holds_the_events_that_isac_says(folder: Path, sample: Sample) -> None:
    path = folder / "gml" / "gml_all_gates.xml"
    found = differing(cytoreg.gate(sample, path), folder)
    assert set(found) == gates_in(path)
    assert len(found) == 49
    assert {gate: n for gate, n in found.items() if n} == {}


def test_every_file_of_one_gate_holds_the_events_that_isac_says(folder: Path, sample: Sample) -> None:
    compared: set[str] = set()
    for path in files_of(folder):
        result = cytoreg.gate(sample, path)
        assert set(result.names) == gates_in(path), path.name
        found = differing(result, folder)
        assert {gate: n for gate, n in found.items() if n} == {}, path.name
        compared |= set(found)
    truths = {path.stem.removeprefix("Results_") for path in (folder / "truth").glob("*.txt")}
    assert truths == {TRUTH_OF.get(gate, gate) for gate in compared}
    assert len(truths) == 51


def test_the_export_of_every_file_read_by_flowkit_holds_the_same_events(
    folder: Path, sample: Sample, tmp_path: Path
) -> None:
    """FlowKit reads what we wrote, and the FCS file itself; our own reader gives the same again."""
    for path in files_of(folder):
        template = cytoreg.load_template(path)
        assert gatingml.write(template, tmp_path / path.name) == []
        ours = cytoreg.gate(sample, template)
        again = cytoreg.gate(sample, tmp_path / path.name)
        theirs = by_flowkit(tmp_path / path.name, folder)
        assert set(theirs) == set(ours.names) == set(again.names)
        for gate in ours.names:
            np.testing.assert_array_equal(theirs[gate], ours.mask(gate), err_msg=f"{path.name}, {gate}")
            np.testing.assert_array_equal(again.mask(gate), ours.mask(gate), err_msg=f"{path.name}, {gate}")


def test_the_whole_set_written_as_yaml_is_the_same_template(folder: Path) -> None:
    template = cytoreg.load_template(folder / "gml" / "gml_all_gates.xml")
    assert parse_template(load_yaml(template_to_yaml(template), TemplateError)) == template


def test_flowkit_as_the_second_engine_agrees_on_every_event_of_the_whole_set(folder: Path, sample: Sample) -> None:
    assert compare(cytoreg.gate(sample, folder / "gml" / "gml_all_gates.xml")) == []


def test_the_ellipse_without_a_truth_holds_the_events_that_flowkit_says(folder: Path, sample: Sample) -> None:
    path = folder / "gml" / "gml_ellipse2_gate.xml"
    result = cytoreg.gate(sample, path)
    assert result.names == ("myEllipse2",)
    theirs = by_flowkit(path, folder)["myEllipse2"]
    np.testing.assert_array_equal(result.mask("myEllipse2"), theirs)
    assert theirs.any()


def test_a_file_that_is_not_gatingml_ends_in_one_line(folder: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        cytoreg.load_template(folder / "gml" / NOT_GATINGML)
    message = str(caught.value)
    assert message.endswith(
        "line 7, sample: is no part of GatingML 2.0 at this place; there are: BooleanGate, EllipsoidGate, PolygonGate, "
        "QuadrantGate, RectangleGate, custom_info, spectrumMatrix, transformation"
    )


def by_flowkit(path: Path, folder: Path) -> dict[str, np.ndarray]:
    """The events of every gate, by FlowKit's own reader of GatingML and of FCS."""
    strategy = flowkit.parse_gating_xml(str(path))
    sample = flowkit.Sample(str(folder / "data1.fcs"), ignore_offset_error=True)
    results = strategy.gate_sample(sample)
    found = {}
    for name, ancestors in strategy.get_gate_ids():
        gate = strategy.get_gate(name, ancestors)
        if isinstance(gate, flowkit.gates.QuadrantGate):
            for quadrant in gate.quadrants:
                found[quadrant] = results.get_gate_membership(quadrant, (*ancestors, name))
        else:
            found[name] = results.get_gate_membership(name, ancestors)
    return {name: np.asarray(mask, dtype=bool) for name, mask in found.items()}


def test_the_table_in_the_docs_counts_every_truth(folder: Path, root: Path) -> None:
    page = (root / "docs" / "reference" / "gatingml.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+ \| (\d+) \| (\d+) \|$", page, flags=re.MULTILINE)
    truths = len(list((folder / "truth").glob("*.txt")))
    assert sum(int(published) for published, _ in rows) == sum(int(equal) for _, equal in rows) == truths
