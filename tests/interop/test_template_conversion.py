"""Gates from one format to another: what a second reader makes of the new file is what the old one said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.errors import StoreError
from cytoreg.interop.template_conversion import WRITERS, convert_template, is_template
from cytoreg.simulation import Composition, simulate_tube

DRAWN = """\
cytoreg: 1
name: drawn
compensation: none
transforms: {default: linear}
populations:
  cells: {gate: {rectangle: {on: [FSC-A, SSC-A], min: [20000, 2000], max: [200000, 150000]}}}
  some:  {parent: cells, gate: {polygon: {on: [FSC-A, SSC-A], vertices: [[20000, 2000], [150000, 9000], [90000, 90000]]}}}
"""


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    path = tmp_path / "drawn.yaml"
    path.write_text(DRAWN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tube") / "t.fcs"
    made = simulate_tube("treg", Composition(), 5_000, np.random.default_rng(3)).to_sample("t.fcs")
    cytoreg.fcs.write_fcs(
        path,
        made.to_numpy(),
        [channel.name for channel in made.channels],
        [channel.marker for channel in made.channels],
        spillover=made.spillover,
    )
    return path


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_drawn_gates_hold_the_same_events_in_every_format(drawn: Path, tube: Path, suffix: str) -> None:
    target = drawn.with_name(f"new{suffix}")
    done = convert_template(drawn, target)
    assert (done.populations, done.samples) == (2, 0)
    before = cytoreg.gate(tube, cytoreg.load_template(drawn))
    template = cytoreg.load_template(target)
    if template.samples:
        template = template.for_sample(next(iter(template.samples)))
    after = cytoreg.gate(tube, template, rule="events")
    assert 0 < before.count("some") < before.count("cells")
    for name in ("cells", "some"):
        np.testing.assert_array_equal(after.mask(name), before.mask(name))


@pytest.mark.parametrize("suffix", [".xml", ".yaml"])
def test_automatic_gates_are_written_as_they_were_placed_on_a_file(
    tmp_path: Path, tube: Path, suffix: str
) -> None:
    target = tmp_path / f"placed{suffix}"
    convert_template("treg_foxp3", target, fcs=tube)
    before, after = cytoreg.gate(tube, "treg_foxp3"), cytoreg.gate(tube, target)
    assert before.count("Tregs") > 0
    np.testing.assert_array_equal(after.mask("Tregs"), before.mask("Tregs"))


def test_a_workspace_of_several_samples_asks_which(tmp_path: Path, real: Path) -> None:
    source = real / "cord_blood_spectral" / "vd2_gates.wsp"
    with pytest.raises(TemplateError, match="several samples; say --sample NAME, one of: "):
        convert_template(source, tmp_path / "a.xml")


def test_what_cannot_be_written_is_one_line(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"\.gml is not written as gates; there are: \.wsp, \.xml"):
        convert_template(drawn, tmp_path / "a.gml")
    with pytest.raises(StoreError, match="is there already"):
        convert_template("tbnk", drawn)
    before = drawn.read_bytes()
    for force in (False, True):
        with pytest.raises(StoreError, match="is a file that is read; give the new one another name"):
            convert_template(drawn, drawn, force=force)
    linked = tmp_path / "linked.yaml"
    linked.symlink_to(drawn)
    with pytest.raises(StoreError, match="is a file that is read"):
        convert_template(drawn, linked, force=True)
    assert drawn.read_bytes() == before
    with pytest.raises(TemplateError, match="there is no such template file"):
        convert_template(tmp_path / "absent.wsp", tmp_path / "a.yaml")
    with pytest.raises(TemplateError, match="no gate that GatingML can say"):
        convert_template("tbnk", tmp_path / "a.xml")
    assert not (tmp_path / "a.xml").exists()


def test_a_table_of_events_is_no_template(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("FSC-A,SSC-A\n1,2\n", encoding="utf-8")
    rows = tmp_path / "template.csv"
    rows.write_text("alias,pop,parent,dims,gating_method\n", encoding="utf-8")
    assert [is_template(source) for source in (events, rows, "tbnk", "x.wsp", "tube.fcs")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_workspace_of_a_placed_template_names_the_file_and_its_channels(tmp_path: Path, tube: Path) -> None:
    target = tmp_path / "placed.wsp"
    done = convert_template("treg_foxp3", target, fcs=tube)
    text = target.read_text(encoding="utf-8")
    sample = cytoreg.read_fcs(tube)
    assert 'uri="file:t.fcs"' in text
    for channel in sample.channels:
        assert f'name="$P{channel.index + 1}N" value="{channel.name}"' in text
    assert sample.spillover is not None
    assert text.count("<transforms:spillover ") == len(sample.spillover.channels)
    before, after = cytoreg.gate(tube, "treg_foxp3"), cytoreg.gate(tube, target, rule="events")
    assert after.count("Tregs") == before.count("Tregs") > 0
    assert any(s.startswith("a FlowJo workspace has no place for description, ") for s in done.lost)


def test_a_name_that_a_template_cannot_have_is_changed_so_that_the_yaml_can_be_read(
    tmp_path: Path, drawn: Path
) -> None:
    workspace = tmp_path / "My gates (2).wsp"
    convert_template(drawn, workspace)
    convert_template(workspace, tmp_path / "new.yaml")
    assert cytoreg.load_template(tmp_path / "new.yaml").name == "My_gates_2_"


def test_populations_that_could_not_be_placed_are_named(tmp_path: Path, tube: Path) -> None:
    source = tmp_path / "t.yaml"
    source.write_text(
        "cytoreg: 1\nname: t\ntransforms: {default: linear}\npopulations:\n"
        "  cells: {gate: {range: {on: FSC-A, min: 0}}}\n"
        "  none: {parent: cells, gate: {range: {on: FSC-A, min: 1.0e+9}}}\n"
        "  lost: {parent: none, gate: {valley: {on: CD25, keep: above}}}\n"
        "  lower: {parent: lost, gate: {range: {on: CD25, min: 2}}}\n"
        "  other: {requires: [CD999], if_missing: skip, gate: {range: {on: CD999, min: 2}}}\n",
        encoding="utf-8",
    )
    said = "\n".join(convert_template(source, tmp_path / "t.xml", fcs=tube).lost)
    assert "population 'cells/none/lost': its gate could not be placed on t.fcs" in said
    assert "population 'cells/none/lost/lower': its gate stands below" in said
    assert "population 'other': skipped on t.fcs: it " in said


def test_a_message_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        convert_template("tbnk", tmp_path / "x.wsp")
    assert str(caught.value).startswith(f"{tmp_path / 'x.wsp'}: there is no gate")
    assert ".part" not in str(caught.value)
