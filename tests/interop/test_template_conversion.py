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
        convert_template(drawn, drawn)
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
