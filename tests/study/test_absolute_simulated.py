"""Beads among simulated blood, gated by the automatic template as the guide says: counts against what was put in."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cytoreg.errors import CytoregError
from cytoreg.fcs import write_fcs
from cytoreg.resources import template_paths
from cytoreg.simulation.biology import Composition
from cytoreg.simulation.cells import Tube, simulate_tube
from cytoreg.study import run
from cytoreg.yamlfile import load_yaml

PER_TUBE, VOLUME = 49_850, 50


def lines_of_the_guide(root: Path) -> dict[str, object]:
    """The populations that docs/guides/absolute_counts.md adds to `tbnk`."""
    page = (root / "docs" / "guides" / "absolute_counts.md").read_text(encoding="utf-8")
    [block] = [
        b for b in re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "all but beads" in b
    ]
    return dict(load_yaml(block, CytoregError).data["populations"])


def template_with_beads(root: Path) -> str:
    text = template_paths()["tbnk"].read_text(encoding="utf-8").replace("name: tbnk", "name: tbnk_beads", 1)
    found = load_yaml(text, CytoregError).data
    added = lines_of_the_guide(root)
    found["populations"] = {**{name: added[name] for name in ("beads", "all but beads")}, **found["populations"]}
    found["populations"]["cells"] = {**found["populations"]["cells"], "parent": "all but beads"}
    return yaml.safe_dump(found, sort_keys=False)


def with_beads(tube: Tube, n: int, rng: np.random.Generator) -> np.ndarray:
    """Events with beads among them: small, of some granularity, and bright in every detector."""
    columns = []
    for i, channel in enumerate(tube.channels):
        kind = channel.partition("-")[0]
        middle, spread = {"FSC": (30_000, 1500), "SSC": (60_000, 6000)}.get(kind, (150_000, 6000))
        columns.append(rng.choice(tube.events[:, i], n) if channel == "Time" else rng.normal(middle, spread, n))
    events = np.concatenate([tube.events, np.column_stack(columns).astype(np.float32)])
    return events[rng.permutation(len(events))]


def test_counts_of_simulated_blood_are_what_was_put_in(root: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "fcs").mkdir()
    (tmp_path / "tbnk_beads.yaml").write_text(template_with_beads(root), encoding="utf-8")
    truth, rows = {}, []
    for who in ("P1", "P2", "P3"):
        tubes = {"tbnk": simulate_tube("tbnk", Composition(), 10_000, rng)}
        tubes["treg"] = simulate_tube("treg", Composition(), 15_000, rng)
        beads = int(rng.poisson(2500))
        cd4 = tubes["tbnk"].counts["CD4+"] / beads * PER_TUBE / VOLUME
        truth[who] = beads, cd4, cd4 * tubes["treg"].percent("Tregs % of CD4+") / 100
        for panel, tube in tubes.items():
            events = with_beads(tube, beads, rng) if panel == "tbnk" else tube.events
            file = f"{who}_{panel}.fcs"
            write_fcs(
                tmp_path / "fcs" / file,
                events,
                tube.channels,
                tube.markers,
                ranges=tube.ranges,
                spillover=tube.spillover,
            )
            rows.append({"file": file, "sample_id": file[:-4], "subject_id": who, "visit": "v1", "panel": panel})
    pd.DataFrame(rows).to_csv(tmp_path / "samples.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nfcs: fcs\nsamples: samples.csv\ntemplates: {tbnk: tbnk_beads.yaml, treg: treg_foxp3}\nabsolute:\n"
        f"  tbnk: {{preparation: lyse_no_wash, beads: {{per_tube: {PER_TUBE}, sample_volume_ul: {VOLUME}}}}}\n"
        "  treg: {preparation: permeabilised, carry: {panel: tbnk}}\n",
        encoding="utf-8",
    )
    done = run(tmp_path, jobs=1)
    found = pd.read_parquet(done.folder / "populations.parquet").set_index(["sample_id", "name"])
    for who, (beads, cd4, tregs) in truth.items():
        assert found.loc[(f"{who}_tbnk", "beads"), "count"] == beads
        row = found.loc[(f"{who}_tbnk", "CD4+")]
        assert row["cells_per_ul"] == pytest.approx(cd4, rel=0.04)
        assert row["cells_per_ul_low"] < cd4 < row["cells_per_ul_high"]
        assert found.loc[(f"{who}_treg", "Tregs"), "cells_per_ul"] == pytest.approx(tregs, rel=0.2)
        assert "no_control" in found.loc[(f"{who}_treg", "Tregs"), "flags"]
    assert sum("cv" in note for note in done.notes) == 1
