"""How events are counted, said in study.yaml or for one tube in the sheet, reaches the gates of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg.errors import StudyError
from cytoreg.fcs import write_fcs
from cytoreg.study import load_study, run

TEMPLATE = """
cytoreg: 1
name: wedge
populations:
  wedge: {gate: {polygon: {on: [FSC-A, SSC-A], vertices: [[20000, 20000], [200000, 60000], [90000, 210000]]}}}
report: [wedge % of total]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    values = np.random.default_rng(4).uniform(0, 262144, (20_000, 2)).astype(np.float32)
    for name in ("a.fcs", "b.fcs"):
        write_fcs(tmp_path / name, values, ["FSC-A", "SSC-A"], ranges=[262144.0] * 2)
    (tmp_path / "wedge.yaml").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "samples.csv").write_text("file,rule\na.fcs,\nb.fcs,events\n", encoding="utf-8")
    (tmp_path / "study.yaml").write_text(
        "cytoreg: 1\nsamples: samples.csv\ntemplate: wedge.yaml\n", encoding="utf-8"
    )
    return tmp_path


def counts(study: Path) -> dict[str, int]:
    done = run(study, jobs=1)
    return pd.read_parquet(done.folder / "populations.parquet").set_index("sample_id")["count"].to_dict()


def test_the_rule_of_the_study_holds_where_the_sheet_says_nothing(study: Path) -> None:
    """Bins of 1,024 on a triangle of 10^10 square units move events across its edges."""
    exact = cytoreg.gate(study / "a.fcs", study / "wedge.yaml", rule="events").count("wedge")
    binned = cytoreg.gate(study / "a.fcs", study / "wedge.yaml", rule="flowjo").count("wedge")
    assert exact != binned
    assert counts(study) == {"a": exact, "b": exact}
    with (study / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("rule: flowjo\n")
    assert counts(study) == {"a": binned, "b": exact}


def test_a_rule_that_there_is_not_is_one_line(study: Path) -> None:
    with (study / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("rule: flowjoe\n")
    with pytest.raises(StudyError, match=r"study\.yaml.*rule"):
        load_study(study)
