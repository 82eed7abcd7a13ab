"""FlowJo's own counts, from workspaces whose counts were taken out before they are read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import cytoreg
from cytoreg.gating.gates import Polygon
from cytoreg.gating.spec import drawn
from cytoreg.gating.write_template import template_to_yaml
from cytoreg.interop.flowjo import groups_of, read, write
from cytoreg.interop.load import load_template

LINE = "flowjo/data_set_simple_line_100.fcs"
DIAMOND = "flowjo/test_data_diamond_01.fcs"
CASES = [
    ("flowjo/gating.wsp", "flowjo/68983.fcs", 15),
    ("flowjo/simple_poly_and_rect.wsp", LINE, 0),
    ("flowjo/simple_poly_and_rect_v2_poly50.wsp", LINE, 2),
    ("flowjo/single_ellipse_51_events.wsp", LINE, 1),
    ("flowjo/simple_diamond_example_quad_gate.wsp", DIAMOND, 4),
    ("flowjo/test_data_diamond_biex_rect.wsp", DIAMOND, 1),
    ("flowjo/test_data_diamond_asinh_rect.wsp", DIAMOND, 1),
    ("flowjo/test_data_diamond_asinh_rect2.wsp", DIAMOND, 1),
]
SPECTRAL = "cord_blood_spectral/vd2_gates.wsp"
OLD = "flowjo9/A2004Analysis.xml"
OLD_FCS = "flowjo9/a2004_O1T2pb05i_A2_A02.fcs"


def without_counts(path: Path, to: Path) -> Path:
    """A copy of a workspace without any count."""
    text = path.read_text(encoding="utf-8")
    bare = re.sub(r'\s(event)?[cC]ount="[^"]*"', "", text)
    assert "count=" not in bare
    to.write_text(bare, encoding="utf-8")
    return to


def counts(workspace: Path, fcs: Path, tmp_path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """What FlowJo saved, and what is counted here with a workspace that has no counts."""
    saved, _ = read(workspace)
    bare, _ = read(without_counts(workspace, tmp_path / f"bare{workspace.suffix}"))
    sample = cytoreg.read_fcs(fcs)
    assert not bare.reference_counts(sample)
    table = cytoreg.gate(sample, bare).populations
    return dict(saved.reference_counts(sample)), dict(zip(table["population"], table["count"], strict=True))


@pytest.mark.parametrize(("workspace", "fcs", "known"), CASES)
def test_every_population_has_flowjos_own_count(
    real: Path, tmp_path: Path, workspace: str, fcs: str, known: int
) -> None:
    saved, ours = counts(real / workspace, real / fcs, tmp_path)
    assert len(saved) == known
    assert {name: ours[name] for name in saved} == saved


def test_the_spectral_study_has_flowjos_number_of_vd2_cells_in_each_of_its_files(
    real: Path, tmp_path: Path
) -> None:
    template, _ = read(without_counts(real / SPECTRAL, tmp_path / "bare.wsp"))
    saved, _ = read(real / SPECTRAL)
    files = sorted((real / "cord_blood_spectral").glob("2025*.fcs"))
    assert len(template.samples) == 30 and len(files) == 12
    for path in files:
        sample = cytoreg.read_fcs(path)
        result = cytoreg.gate(sample, template)
        assert {"Vd2": int(result.mask("Vd2").sum())} == saved.reference_counts(sample)


def test_a_count_of_minus_one_was_never_computed_and_a_count_of_zero_is_real(real: Path) -> None:
    sample = cytoreg.read_fcs(real / LINE)
    assert read(real / "flowjo/simple_poly_and_rect.wsp")[0].reference_counts(sample) == {}
    counted = read(real / "flowjo/simple_poly_and_rect_v2_poly50.wsp")[0].reference_counts(sample)
    assert counted == {"poly1": 0, "rect1": 0}


def test_the_true_shapes_are_a_rule_of_their_own(real: Path) -> None:
    sample = cytoreg.read_fcs(real / "flowjo/68983.fcs")
    template, _ = read(real / "flowjo/gating.wsp")
    saved = template.reference_counts(sample)
    table = cytoreg.gate(sample, template, rule="events").populations
    exact = dict(zip(table["population"], table["count"], strict=True))
    assert sum(exact[name] == count for name, count in saved.items()) < len(saved)
    assert all(abs(exact[name] - count) <= 0.05 * count + 5 for name, count in saved.items())


def test_flowjo_9_matches_the_sample_by_fil_and_reads_its_matrix_and_tables(real: Path) -> None:
    template, lost = read(real / OLD)
    sample = cytoreg.read_fcs(real / OLD_FCS)
    assert list(template.samples) == ["a2004_O1T2pb05i_A1_A01.fcs", "a2004_O1T2pb05i_A2_A02.fcs"]
    assert len(template.reference_counts(sample)) == 18
    assert sum("magnetic" in sentence for sentence in lost) == 4
    axis = template.for_sample(sample).axes["<PE-CY7-A>"]
    assert axis.compensation == "A2004-A2005_06i" and axis.transform is not None
    with pytest.raises(cytoreg.CytoregError, match="fits several"):
        template.for_sample("a2004_O1T2pb05i")
    assert groups_of(real / OLD)["All Samples"] == tuple(template.samples)


def test_flowjo_9_gives_the_counts_of_every_gate_that_it_does_not_move_by_itself(
    real: Path, tmp_path: Path
) -> None:
    saved, ours = counts(real / OLD, real / OLD_FCS, tmp_path)
    assert len(saved) == 18
    different = {name: (ours[name], count) for name, count in saved.items() if ours[name] != count}
    # The gate Monocytes is magnetic: FlowJo placed it anew on this file, and did not save where.
    assert different == {
        "Live/Monocytes": (1814, 1846),
        "Live/Monocytes/IL-6+": (68, 72),
        "Live/Monocytes/IL-12+": (36, 39),
        "Live/Monocytes/TNFa+": (15, 17),
    }


@pytest.mark.parametrize(("right", "up"), [(2.5, -0.25), (6.75, 3.95)])
def test_more_than_one_move_of_the_magnetic_gate_gives_flowjo_9s_counts_of_it_and_all_below_it(
    real: Path, right: float, up: float
) -> None:
    template, _ = read(real / OLD)
    sample = cytoreg.read_fcs(real / OLD_FCS)
    own = template.for_sample(sample)
    drawn_gate = own.populations["Monocytes"].gate.geometry
    assert isinstance(drawn_gate, Polygon)
    moved = tuple((x + right * 16, y + up * 16) for x, y in drawn_gate.vertices)  # 16 channels to a bin
    gates = {
        **own.populations,
        "Monocytes": replace(own.populations["Monocytes"], gate=drawn(Polygon(drawn_gate.on, moved))),
    }
    table = cytoreg.gate(sample, own.with_populations(list(gates.values()))).populations
    ours = dict(zip(table["population"], table["count"], strict=True))
    saved = template.reference_counts(sample)
    assert len(saved) == 18
    assert {name: ours[name] for name in saved} == saved


@pytest.mark.parametrize(("workspace", "fcs"), [("flowjo/gating.wsp", "flowjo/68983.fcs"), (OLD, OLD_FCS)])
def test_a_workspace_as_yaml_is_the_same_template(real: Path, tmp_path: Path, workspace: str, fcs: str) -> None:
    first, _ = read(real / workspace)
    (tmp_path / "t.yaml").write_text(template_to_yaml(first), encoding="utf-8")
    again = load_template(tmp_path / "t.yaml")
    sample = cytoreg.read_fcs(real / fcs)
    assert again == first and again.reference_counts(sample) == first.reference_counts(sample)
    counted = [cytoreg.gate(sample, one).populations["count"].tolist() for one in (first, again)]
    assert counted[0] == counted[1]


def test_flowjo_9_goes_out_as_flowjo_10_with_its_true_shapes(real: Path, tmp_path: Path) -> None:
    first, _ = read(real / OLD)
    sample = cytoreg.read_fcs(real / OLD_FCS)
    lost = write(cytoreg.gate(sample, first), tmp_path / "out.wsp")
    assert "FlowJo 9" in lost[0]
    assert lost[1:] and all(" events on FlowJo's grid, " in sentence for sentence in lost[1:])
    again, _ = read(tmp_path / "out.wsp")
    masks = [cytoreg.gate(sample, one, rule="events") for one in (first, again)]
    assert all((masks[0].mask(name) == masks[1].mask(name)).all() for name in masks[0].names)
