"""Tregs that `treg_cd127`, and gates learned from one well, find in human CD3+CD4+ cells, beside a person's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

import cytoreg
from cytoreg.fcs import sample_from_array

CHANNELS = {"CD25": "VL1-H", "CD127": "BL1-H"}


def labelled(folder: Path, well: str) -> tuple[cytoreg.Sample, np.ndarray]:
    """The CD3+CD4+ events of a well and which of them the person called Tregs, by identical rows."""
    sample = cytoreg.read_fcs(folder / f"Well_{well}_CD3+CD4+.fcs")
    rows = [row.tobytes() for row in sample.to_numpy(raw=True)]
    tregs = set()
    for kind in ("T_reg_memory", "T_reg_naive"):
        tregs |= {row.tobytes() for row in cytoreg.read_fcs(folder / f"Well_{well}_{kind}.fcs").to_numpy(raw=True)}
    return sample, np.array([row in tregs for row in rows])


WELLS = {"A01": 604, "C01": 435}


@pytest.mark.parametrize(("well", "by_hand"), WELLS.items())
def test_treg_cd127_finds_the_tregs_a_person_gated(real: Path, well: str, by_hand: int) -> None:
    sample, person = labelled(real / "human_treg_labels", well)
    assert person.sum() == by_hand
    result = cytoreg.gate(sample, "treg_cd127", channels=CHANNELS, start="CD4+")
    assert result.percent("Tregs % of CD4+").value == pytest.approx(100 * person.mean(), abs=0.4)
    assert f1_score(person, result.mask("Tregs")) >= 0.85


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("well", WELLS)
def test_treg_cd127_finds_them_in_half_of_a_well(real: Path, well: str, half: int) -> None:
    """Every second event: the cuts stand on half as many. The person's share of one half differs by chance alone."""
    sample, person = labelled(real / "human_treg_labels", well)
    rows = np.arange(half, sample.n_events, 2)
    markers = [channel.marker for channel in sample.channels]
    part = sample_from_array(
        sample.to_numpy()[rows],
        [channel.name for channel in sample.channels],
        markers=markers,
        ranges=[channel.range for channel in sample.channels],
        spillover=sample.spillover,
    )
    result = cytoreg.gate(part, "treg_cd127", channels=CHANNELS, start="CD4+")
    assert result.percent("Tregs % of CD4+").value == pytest.approx(100 * person[rows].mean(), abs=0.6)
    assert f1_score(person[rows], result.mask("Tregs")) >= 0.8


def rebuilt(sample: cytoreg.Sample, events: np.ndarray) -> cytoreg.Sample:
    """Other events in the channels of a well."""
    return sample_from_array(
        events,
        [channel.name for channel in sample.channels],
        markers=[channel.marker for channel in sample.channels],
        ranges=[channel.range for channel in sample.channels],
        spillover=sample.spillover,
    )


@pytest.mark.parametrize("well", WELLS)
@pytest.mark.parametrize("which", ["every channel", "VL1-H"])
def test_events_at_the_top_of_a_detector_do_not_move_the_gates(real: Path, well: str, which: str) -> None:
    """2 % more events at the end of the scale: a pile of them is no peak of cells."""
    sample, person = labelled(real / "human_treg_labels", well)
    events = sample.to_numpy()
    more = events[np.random.default_rng(1).choice(len(events), len(events) // 50, replace=False)].copy()
    for index, channel in enumerate(sample.channels):
        if which in ("every channel", channel.name):
            more[:, index] = channel.range - 1
    result = cytoreg.gate(
        rebuilt(sample, np.vstack([events, more])), "treg_cd127", channels=CHANNELS, start="CD4+", bootstrap=0
    )
    labels = np.concatenate([person, np.zeros(len(more), dtype=bool)])
    assert f1_score(labels, result.mask("Tregs")) >= 0.85
    assert result.percent("Tregs % of CD4+").value == pytest.approx(100 * person.mean(), abs=0.4)


@pytest.mark.parametrize("well", WELLS)
def test_a_twentieth_of_a_well_takes_the_fallback_and_still_finds_them(real: Path, well: str) -> None:
    """Some 800 cells show no valley among their brightest tenth. A cut of CD127 at the lowest tenth found F1 0.45 to 0.7 here."""
    sample, person = labelled(real / "human_treg_labels", well)
    found = []
    for first in range(20):
        part = rebuilt(sample, sample.to_numpy()[first::20])
        result = cytoreg.gate(part, "treg_cd127", channels=CHANNELS, start="CD4+", bootstrap=0)
        assert "fallback:tail" in result.percent("Tregs % of CD4+").flags
        found.append(f1_score(person[first::20], result.mask("Tregs")))
    assert np.median(found) >= 0.8


@pytest.mark.parametrize(("taught", "tried"), [("A01", "C01"), ("C01", "A01")])
@pytest.mark.parametrize("align", ["peaks", "none"])
def test_a_gate_learned_from_one_well_finds_the_tregs_of_the_other(
    real: Path, taught: str, tried: str, align: str
) -> None:
    folder = real / "human_treg_labels"
    learned = cytoreg.learn_gate(
        folder / f"Well_{taught}_CD3+CD4+.fcs",
        "treg_cd127",
        "Tregs",
        [folder / f"Well_{taught}_T_reg_{kind}.fcs" for kind in ("memory", "naive")],
        parent="CD4+",
        align=align,
        channels=CHANNELS,
        start="CD4+",
    )
    assert (learned.members, learned.outside) == (WELLS[taught], 0)
    sample, person = labelled(folder, tried)
    result = cytoreg.gate(sample, learned.template, channels=CHANNELS, start="CD4+")
    assert f1_score(person, result.mask("Tregs")) >= 0.90
    assert result.percent("Tregs % of CD4+").value == pytest.approx(100 * person.mean(), abs=0.4)
