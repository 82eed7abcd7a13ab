"""Human cells of three instruments gated with the shipped `tbnk`, and with a small template where a panel needs one.

What a person sees in the pictures of these files is stated in each test.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import cytoreg

TEMPLATES = Path(__file__).parent / "templates"


@pytest.mark.parametrize("donor", ["Donor1", "Donor2"])
def test_omip021_shows_t_cells_that_are_cd4_or_cd8(real: Path, donor: str) -> None:
    result = cytoreg.gate(real / "omip021_human" / f"{donor}.fcs", "tbnk")
    assert 50 < result.percent("CD3+ % of lymphocytes").value < 85
    cd4, cd8 = (result.percent(f"{name} % of CD3+").value for name in ("CD4+", "CD8+"))
    assert cd4 > cd8 > 20
    assert 85 < cd4 + cd8 <= 100
    assert not (result.mask("CD4+") & result.mask("CD8+")).any()


def test_macsquant_blood_shows_cd4_and_cd8_t_cells_without_fsc_height(real: Path) -> None:
    """CD4 and CD8 part the T cells. CD45 and side scatter do not part the lymphocytes, so no percentage of them is held."""
    result = cytoreg.gate(real / "human_blood_macsquant" / "macsquant_cd45_cd3_cd4_cd8.fcs", "tbnk")
    assert "singlets" in result.skipped
    assert result.count("CD3+") > 4000
    assert 60 < result.percent("CD4+ % of CD3+").value < 80
    assert 5 < result.percent("CD8+ % of CD3+").value < 25


def test_a_tube_in_which_a_marker_does_not_part_the_cells_gets_no_number(real: Path) -> None:
    """CD3 parts the low-scatter cells of this tube; CD4 and CD8 do not, and a percentage would be made up."""
    sample = real / "human_t_cell_aria" / "100715.fcs"
    result = cytoreg.gate(sample, TEMPLATES / "aria_t_cells.yaml")
    assert 40 < result.percent("CD3+ % of lymphocytes").value < 65
    cd4 = result.percent("CD4+ % of CD3+")
    assert math.isnan(cd4.value)
    assert "not_placed" in cd4.flags


def test_spectral_cord_blood_gates_by_marker_names_and_flags_the_missing_controls(real: Path) -> None:
    """Cells gated CD4- CD8- before: hardly a CD4+ cell is left, and the template must not invent Tregs."""
    for path in sorted((real / "cord_blood_spectral").glob("2025_*.fcs")):
        result = cytoreg.gate(path, "treg_foxp3")
        tregs = result.percent("Tregs % of CD4+")
        assert math.isnan(tregs.value) or "no_control" in tregs.flags


def test_a_marker_is_asked_for_as_it_is_gated(real: Path) -> None:
    """$PnS is `BV785 - CD3` and the like."""
    sample = cytoreg.read_fcs(real / "omip021_human" / "Donor1.fcs")
    assert sample["CD3"].shape == (sample.n_events,)
    assert (sample["CD3"] == sample["670/30Violet-A"]).all()
