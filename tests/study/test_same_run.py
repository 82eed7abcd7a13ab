"""A run with FMO and isotype controls and shared cuts: the same tables and gates for any processes, order and cache."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg.fcs import write_fcs
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.tables import read_table

TABLES = ("populations", "percentages", "intensities", "quality")
TEMPLATE = """
cytoreg: 1
name: t
transforms: {default: {logicle: {W: 1.0}}}
populations:
  small: {gate: {range: {on: SSC-A, max: 60000}}}
  T: {parent: small, gate: {valley: {on: CD3}}}
  CD4: {parent: T, gate: {valley: {on: CD4, by: batch, pool: pooled}}}
  CD25: {parent: CD4, gate: {fmo: {on: CD25, percentile: 95, fallback: {tail: {on: CD25}}}}}
  CD127: {parent: CD4, gate: {isotype: {on: CD127, percentile: 95, fallback: {tail: {on: CD127}}}}}
  RA: {parent: CD4, gate: {valley: {on: CD45RA, by: batch, pull: 3}}}
report: [CD25 % of CD4, T % of small]
intensities: [CD25]
"""
HEADER = "file,sample_id,subject_id,visit,tube,batch,panel"


def store(folder: Path, name: str, seed: int, *, without: str | None = None, factor: float = 1.0) -> None:
    tube = simulate_tube("treg", Composition(), 1500, np.random.default_rng(seed), without=without)
    events = tube.events.copy()
    events[:, tube.channels.index("BUV395-A")] *= factor
    write_fcs(
        folder / f"{name}.fcs", events, tube.channels, tube.markers, ranges=tube.ranges, spillover=tube.spillover
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("study")
    rows = []
    for i in range(10):
        store(folder, f"s{i}", i, factor=12.0 if i == 7 else 1.0)
        rows.append(f"s{i}.fcs,s{i},p{i // 2},v{i % 2},full,b{i // 5},t")
    for kind, batch, without in (("fmo:CD25", "b0", "CD25"), ("isotype", "b1", "CD127")):
        store(folder, kind[:3], 50 + len(batch), without=without)
        rows.append(f"{kind[:3]}.fcs,{kind[:3]},,,{kind},{batch},t")
    (folder / "t.yaml").write_text(TEMPLATE, encoding="utf-8")
    (folder / "study.yaml").write_text("cytoreg: 1\nsamples: samples.csv\ntemplate: t.yaml\n", encoding="utf-8")
    return folder, rows


def left_by(folder: Path, rows: list[str], out: Path, jobs: int) -> dict[str, Any]:
    """Run, and give every table in the order of its samples, the gates, and the pictures."""
    (folder / "samples.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    finished = cytoreg.run(folder, out=out, jobs=jobs)
    assert not finished.failures
    tables = {}
    for name in TABLES:
        table = read_table(out, name)
        assert table is not None and len(table)
        tables[name] = table.sort_values("sample_id", kind="stable").reset_index(drop=True)
    gates = json.loads((out / "gates.json").read_text(encoding="utf-8"))
    tables["gates"] = sorted(gates, key=lambda tube: str(tube["sample_id"]))
    tables["pictures"] = {path.name: path.read_bytes() for path in sorted((out / "pictures").glob("*.json"))}
    return tables


def test_a_run_leaves_the_same_for_any_order_processes_and_cache(
    study: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, rows = study
    first = left_by(folder, rows, tmp_path / "one", jobs=1)
    shuffled = list(rows)
    random.Random(4).shuffle(shuffled)
    second = left_by(folder, shuffled, tmp_path / "two", jobs=2)
    for name in TABLES:
        pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)
    assert first["gates"] == second["gates"]
    assert first["pictures"] == second["pictures"]

    # the study holds what this is about
    quality = first["quality"].set_index("sample_id")
    assert "far_from_others" in quality.loc["s7", "flags"]
    assert quality.loc["s7", "least_sure"]
    assert quality.loc["s7", "score"] < 0.5
    gates = {tube["sample_id"]: {gate["population_id"]: gate for gate in tube["gates"]} for tube in first["gates"]}
    assert gates["s0"]["CD25"]["source"] == "control"
    assert gates["s9"]["CD127"]["source"] == "control"
    assert gates["s9"]["CD25"]["source"] == "fallback"

    # a run that has little to do again leaves what a fresh one does: s7 is mended, and its batch no longer flags it
    store(folder, "s7", 7)
    again = left_by(folder, shuffled, tmp_path / "two", jobs=1)
    fresh = left_by(folder, shuffled, tmp_path / "three", jobs=1)
    for name in TABLES:
        pd.testing.assert_frame_equal(again[name], fresh[name], check_exact=True)
    assert again["gates"] == fresh["gates"]
    assert "far_from_others" not in again["quality"].set_index("sample_id").loc["s7", "flags"]
