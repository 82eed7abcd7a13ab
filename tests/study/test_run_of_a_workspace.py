"""A study whose template is a FlowJo workspace: each tube by its own gates, and what could not be read is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import cytoreg
from cytoreg.fcs import write_fcs
from cytoreg.study.checking import check

SPACES = """xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
 xmlns:transforms="http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
 xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes" """


def gate(name: str, least: float, channel: str = "X") -> str:
    return f"""<Population name="{name}" count="-1"><Gate><gating:RectangleGate><gating:dimension gating:min="{least}">
<data-type:fcs-dimension data-type:name="{channel}"/></gating:dimension></gating:RectangleGate></Gate></Population>"""


def test_each_tube_is_gated_by_its_own_gates_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "fcs").mkdir()
    samples = ""
    for number, (name, least) in enumerate({"a.fcs": 100, "b.fcs": 300}.items(), start=1):
        values = np.column_stack([np.arange(500.0), np.arange(500.0)]).astype(np.float32)
        write_fcs(tmp_path / "fcs" / name, values, ["X", "Y"])
        samples += f"""<Sample><DataSet uri="file:{name}" sampleID="{number}"/><Transformations>
<transforms:linear transforms:minRange="0" transforms:maxRange="1024"><data-type:parameter data-type:name="X"/></transforms:linear>
<transforms:unheard><data-type:parameter data-type:name="Y"/></transforms:unheard></Transformations>
<SampleNode name="{name}" sampleID="{number}"><Subpopulations>{gate("high", least)}{gate("odd", 1, "Y")}</Subpopulations>
</SampleNode></Sample>"""
    text = f'<Workspace flowJoVersion="10.8.1" {SPACES}><SampleList>{samples}</SampleList></Workspace>'
    (tmp_path / "gates.wsp").write_text(text, encoding="utf-8")
    (tmp_path / "samples.csv").write_text(
        "file,sample_id,subject_id,visit\na.fcs,a,p1,v\nb.fcs,b,p2,v\n", encoding="utf-8"
    )
    said = "cytoreg: 1\nstudy: w\nfcs: fcs/\nsamples: samples.csv\ntemplate: gates.wsp\n"
    (tmp_path / "study.yaml").write_text(said, encoding="utf-8")
    study = cytoreg.load_study(tmp_path / "study.yaml")
    notes = [finding.message for finding in check(study)]
    assert sum("not carried over" in note and "'odd'" in note and "unheard" in note for note in notes) == 2
    done = cytoreg.run(study, jobs=1)
    assert sum("not carried over" in note and "'odd'" in note for note in done.notes) == 2
    assert "not carried over" in done.report.read_text(encoding="utf-8")
    table = pd.read_csv(tmp_path / "results" / "populations.csv")
    assert dict(zip(table["sample_id"], table["count"], strict=True)) == {"a": 400, "b": 200}
