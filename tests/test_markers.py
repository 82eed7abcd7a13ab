"""Which channel carries a marker, with labels as real instruments and people write them."""

from __future__ import annotations

import numpy as np
import pytest

from cytoreg import Sample, TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.markers import find_channel, panel_of


def panel(*labels: tuple[str, str | None]) -> Sample:
    """A file with these $PnN and $PnS."""
    names = [name for name, _ in labels]
    markers = [marker for _, marker in labels]
    return sample_from_array(np.zeros((1, len(labels))), names, markers=markers, name="t.fcs")


@pytest.mark.parametrize(
    ("marker", "name", "label"),
    [
        ("CD3", "BV785-A", "BV785 - CD3"),  # OMIP-021
        ("CD45", "VioBlue-A", "cd45 VioBlue-A"),  # MACSQuant
        ("viability", "Pacific Blue-A", "VIVID / CD14"),  # FACSAria
        ("CD14", "Pacific Blue-A", "VIVID / CD14"),
        ("CD4", "APC-A", "CD4 APC"),
        ("CD8", "FITC-A", "CD8a-FITC"),
        ("FOXP3", "PE-A", "FoxP3 PE"),
        ("FOXP3", "PE-A", "Fox P3"),
        ("Foxp3", "PE-A", "Fox P3"),
        ("CD25", "PE-Cy7-A", "IL-2Ra"),
        ("CD127", "BV421-A", "CD127_IL7Ra"),
        ("CD45RA", "FITC-A", "CD45 RA"),
        ("HLA-DR", "V500-A", "HLA-DR V500"),
        ("CD16+CD56", "PE-A", "CD16/CD56"),
        ("CD16+CD56", "PE-A", "CD56 PE"),
    ],
)
def test_a_marker_is_found_in_a_label(marker: str, name: str, label: str) -> None:
    sample = panel(("FSC-A", None), (name, label), ("Time", None))
    found = find_channel(marker, sample)
    assert found is not None
    assert found.name == name


def test_a_channel_without_a_marker_may_carry_it_in_its_name() -> None:
    sample = panel(("FSC-A", None), ("PI/PE-Cy5-A", None), ("CD8-VioGreen-A", None))
    viability, cd8 = find_channel("viability", sample), find_channel("CD8", sample)
    assert viability is not None
    assert viability.name == "PI/PE-Cy5-A"
    assert cd8 is not None
    assert cd8.name == "CD8-VioGreen-A"


@pytest.mark.parametrize(
    ("marker", "label"),
    [
        ("CD4", "CD45"),
        ("CD4", "CD45RA FITC"),
        ("CD8", "CD8b PE"),
        ("CD8", "CD8 beta"),
        ("CD45", "CD45RA"),
        ("CD45", "CD45 RA"),
        ("CD45", "CD45-RO APC"),
        ("CD3", "CD33 PE"),
        ("CD19", "CD197"),
        ("CD25", "CD27"),
        ("viability", "PIK3 PE"),
    ],
)
def test_one_marker_is_not_another_that_begins_alike(marker: str, label: str) -> None:
    assert find_channel(marker, panel(("X-A", label))) is None


def test_area_height_and_width_of_one_pulse_are_not_three_markers() -> None:
    sample = panel(("FITC-H", "CD3"), ("FITC-A", "CD3"), ("FITC-W", "CD3"), ("PE-A", "CD4"))
    found = find_channel("CD3", sample)
    assert found is not None
    assert found.name == "FITC-A"


def test_a_whole_label_wins_over_part_of_another() -> None:
    sample = panel(("A", "CD4 dump CD3"), ("B", "CD4"))
    found = find_channel("CD4", sample)
    assert found is not None
    assert found.name == "B"


def test_scatter_goes_by_the_names_of_other_makers() -> None:
    found = find_channel("FSC-A", panel(("FS Lin", None), ("SS Lin", None)))
    assert found is not None
    assert found.name == "FS Lin"
    height_only = find_channel("FSC-A", panel(("FSC-H", None), ("SSC-H", None)))
    assert height_only is not None
    assert height_only.name == "FSC-H"


def test_an_ambiguous_marker_names_its_choices_and_how_to_choose() -> None:
    sample = panel(("FITC-A", "CD4"), ("PE-A", "CD4"), ("APC-A", "CD8"))
    with pytest.raises(TemplateError) as caught:
        find_channel("CD4", sample)
    message = str(caught.value)
    assert "t.fcs: marker 'CD4' fits several channels: CD4 (FITC-A), CD4 (PE-A)" in message
    assert "--channel CD4=CHANNEL" in message
    found = find_channel("CD4", sample, channels={"cd4": "PE-A"})
    assert found is not None
    assert found.name == "PE-A"


def test_what_the_user_says_wins_and_must_be_there() -> None:
    sample = panel(("VL1-H", None), ("BL1-H", "CD25"))
    found = find_channel("CD25", sample, channels={"CD25": "VL1-H"})
    assert found is not None
    assert found.name == "VL1-H"
    with pytest.raises(
        TemplateError, match=r"'VL9-H', which fits 0 channels; the file has: VL1-H, CD25 \(BL1-H\)"
    ):
        find_channel("CD25", sample, channels={"CD25": "VL9-H"})


def test_aliases_of_the_template_are_followed() -> None:
    sample = panel(("Alexa Fluor 700-A", None), ("7-AAD-A", None))
    found = find_channel("CD69", sample, aliases=["7-AAD-A"])
    assert found is not None
    assert found.name == "7-AAD-A"
    assert find_channel("CD69", sample) is None


def test_a_panel_is_told_by_markers_and_channels() -> None:
    assert panel_of(panel(("FSC-A", None), ("FITC-A", "CD3"))) == "FSC-A, CD3 (FITC-A)"
