"""Many tubes: a failure is a row, controls without a marker name find their channel, other controls gate nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cytoreg.batch.runner import gate_tubes
from cytoreg.batch.sheet import Tube
from cytoreg.fcs import read_fcs, write_fcs
from cytoreg.gating.binding import Choices
from cytoreg.interop import load_template


def tube(path: Path, kind: str = "full") -> Tube:
    return Tube(path, path.name, path.stem, panel="treg", tube=kind, batch="b")


def gate(tubes: list[Tube]) -> object:
    template = load_template("treg_foxp3")
    return gate_tubes(tubes, {"treg": template}, {t.sample_id: Choices() for t in tubes}, jobs=1)


def example(root: Path, pattern: str) -> Path:
    return sorted((root / "example_fcs" / "fcs").glob(pattern))[0]


def test_an_fmo_tube_that_does_not_name_its_marker_is_read_on_the_channel_of_the_full_tube(
    root: Path, tmp_path: Path
) -> None:
    """Labs leave $PnS blank on the detector whose reagent was left out."""
    full = example(root, "P001_baseline_treg*")
    control = read_fcs(example(root, "*fmo_CD25*"))
    markers = [None if channel.marker == "CD25" else channel.marker for channel in control.channels]
    nameless = tmp_path / "nameless.fcs"
    names = [channel.name for channel in control.channels]
    write_fcs(nameless, control.to_numpy(), names, markers, spillover=control.spillover)
    named = example(root, "*fmo_CD25*")
    cuts = []
    for path in (named, nameless):
        gated = gate([tube(full), tube(path, "fmo:CD25")])
        assert not gated.failures
        applied = next(g for g in gated.tables[full.stem]["gates"]["gates"] if g["population"].endswith("/CD25+"))
        assert applied["source"] == "control"
        cuts.append(applied["gate"]["range"]["min"])
    assert cuts[0] == cuts[1]


def test_unstained_and_single_stain_tubes_are_not_gated(root: Path) -> None:
    path = example(root, "P001_baseline_treg*")
    gated = gate([tube(path, "unstained")])
    assert set(gated.tables[path.stem]) == {"quality"}


def test_one_bad_file_does_not_touch_the_numbers_of_the_others(root: Path, tmp_path: Path) -> None:
    good = [tube(p) for p in sorted((root / "example_fcs" / "fcs").glob("P00[12]_baseline_treg*"))]
    bad = tmp_path / "bad.fcs"
    bad.write_bytes(good[0].path.read_bytes()[:5000])
    alone, among = gate(good), gate([good[0], tube(bad), good[1]])
    assert [row["sample_id"] for row in among.failures] == ["bad"]
    for t in good:
        counts = [[row["count"] for row in g.tables[t.sample_id]["populations"]] for g in (alone, among)]
        assert np.array_equal(*counts)


def test_fmo_controls_survive_a_full_tube_that_cannot_be_read(root: Path, tmp_path: Path) -> None:
    good, bad = example(root, "P001_baseline_treg*"), tmp_path / "bad.fcs"
    bad.write_bytes(good.read_bytes()[:5000])
    control = example(root, "*fmo_CD25*")
    gated = gate([tube(bad), tube(good), tube(control, "fmo:CD25")])
    assert [row["sample_id"] for row in gated.failures] == ["bad"]
    applied = next(g for g in gated.tables[good.stem]["gates"]["gates"] if g["population"].endswith("/CD25+"))
    assert applied["source"] == "control"
