"""What study.yaml says of intervals and limits reaches the tables, and a tube is gated again where it changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg import StudyError
from cytoreg.fcs import write_fcs
from cytoreg.tables import read_table

STUDY = "cytoreg: 1\nsamples: samples.csv\ntemplate: t.yaml\n"
TEMPLATE = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  p: {gate: {valley: {on: a}}}
report: [p % of root]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    events = rng.normal(size=(2000, 1)).astype(np.float32)
    events[1970:] += 9  # 30 events: above the limit of detection, below that of quantification
    write_fcs(tmp_path / "x.fcs", events, ["a"])
    (tmp_path / "samples.csv").write_text("file,sample_id\nx.fcs,x\n")
    (tmp_path / "t.yaml").write_text(TEMPLATE.replace("{on: a}", "{on: a, prominence: 0.003}"))
    return tmp_path


def test_intervals_and_limits_are_those_that_study_yaml_asks_for(folder: Path) -> None:
    found = []
    for more in ("", "bootstrap: 0\n", "seed: 5\n", "lod: 31\n", "lloq: 30\n"):
        (folder / "study.yaml").write_text(STUDY + more)
        assert cytoreg.run(folder, jobs=1).gated == 1, more
        table = read_table(folder / "results", "percentages")
        assert table is not None
        found.append(table.iloc[0])
    assert {row["count"] for row in found} == {30}
    assert [row["flags"] for row in found[:1] + found[3:]] == ["below_lloq", "below_lod", ""]
    assert pd.isna(found[1]["ci_gate_low"])
    assert not pd.isna(found[0]["ci_gate_low"])
    assert found[1]["ci_low"] == found[1]["ci_count_low"]
    assert cytoreg.run(folder, jobs=1).gated == 0


def test_a_number_of_replicates_that_tells_nothing_is_refused(folder: Path) -> None:
    for wrong in (7, 65, -1):
        (folder / "study.yaml").write_text(STUDY + f"bootstrap: {wrong}\n")
        with pytest.raises((StudyError, cytoreg.TemplateError), match="bootstrap") as refused:
            cytoreg.load_study(folder)
        assert "\n" not in str(refused.value)
