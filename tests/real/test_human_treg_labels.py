"""Tregs that `treg_cd127` finds in human CD3+CD4+ cells, beside those a person gated out of the same wells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg

CHANNELS = {"CD25": "VL1-H", "CD127": "BL1-H"}


def labelled(folder: Path, well: str) -> tuple[cytoreg.Sample, np.ndarray]:
    """The CD3+CD4+ events of a well and which of them the person called Tregs, by identical rows."""
    sample = cytoreg.read_fcs(folder / f"Well_{well}_CD3+CD4+.fcs")
    rows = [row.tobytes() for row in sample.to_numpy(raw=True)]
    tregs = set()
    for kind in ("T_reg_memory", "T_reg_naive"):
        tregs |= {row.tobytes() for row in cytoreg.read_fcs(folder / f"Well_{well}_{kind}.fcs").to_numpy(raw=True)}
    return sample, np.array([row in tregs for row in rows])


@pytest.mark.parametrize(("well", "by_hand"), [("A01", 604), ("C01", 435)])
def test_treg_cd127_finds_the_tregs_a_person_gated(real: Path, well: str, by_hand: int) -> None:
    sample, person = labelled(real / "human_treg_labels", well)
    assert person.sum() == by_hand
    result = cytoreg.gate(sample, "treg_cd127", channels=CHANNELS, start="CD4+")
    found = result.mask("Tregs")
    both = (found & person).sum()
    f1 = 2 * both / (found.sum() + person.sum())
    assert result.percent("Tregs % of CD4+").value == pytest.approx(100 * person.mean(), abs=0.5)
    assert f1 >= 0.7
