"""Events as AnnData, judged by anndata itself and by a file laid out as pytometry lays it out."""

from __future__ import annotations

import sys
from pathlib import Path

import anndata
import flowio
import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg import read_fcs
from cytoreg.errors import MissingDependency, StoreError
from cytoreg.interop import convert

KEYWORDS = {
    "$SPILLOVER": "2,B530-A,R660-A,1,0.25,0.5,1",
    "$OP": "Mary",
    "CD4/CD8 RATIO": "2.1",
    "HEADER": "odd",
    "LOT NO 7": "x",
}
ROWS = [[1.5, -2.25, 3.0], [4.0, 0.1, 262143.0]]


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    parameters = floats("FSC-A", "B530-A", "R660-A")
    parameters[1] |= {"S": "CD25", "R": "1048576"}
    return written(tmp_path, fcs_bytes(ROWS, parameters, keywords=KEYWORDS, delimiter="|"))


def test_anndata_reads_values_channels_spillover_and_keywords(tube: Path, tmp_path: Path) -> None:
    assert convert(tube, tmp_path / "t.h5ad").lost == ()
    data = anndata.read_h5ad(tmp_path / "t.h5ad")
    assert data.X.dtype == np.float32
    np.testing.assert_array_equal(data.X, np.array(ROWS, dtype=np.float32))
    assert list(data.var_names) == ["FSC-A", "B530-A", "R660-A"]
    assert list(data.var["channel"]) == ["FSC-A", "B530-A", "R660-A"]
    assert list(data.var["marker"]) == ["", "CD25", ""]
    assert list(data.var["range"]) == [262144, 1048576, 262144]
    assert list(data.var["$PnR"]) == ["262144", "1048576", "262144"]
    meta = data.uns["meta"]
    assert (meta["op"], meta["LOT NO 7"], meta["P2N"]) == ("Mary", "x", "B530-A")
    assert meta["header"]["FCS format"] == "FCS3.1"
    spill = meta["spill"]
    assert list(spill.index) == list(spill.columns) == ["B530-A", "R660-A"]
    assert spill.loc["B530-A", "R660-A"] == 0.25


def test_there_and_back_nothing_is_lost(tube: Path, tmp_path: Path) -> None:
    convert(tube, tmp_path / "t.h5ad")
    assert convert(tmp_path / "t.h5ad", tmp_path / "back.fcs").lost == ()
    old, new = flowio.FlowData(str(tube)), flowio.FlowData(str(tmp_path / "back.fcs"))
    np.testing.assert_array_equal(old.events, new.events)
    layout = {"begindata", "enddata"}
    same = {key: value for key, value in old.text.items() if key not in layout}
    assert {key: new.text[key] for key in same} == same


def test_names_that_stand_twice_and_wide_integers(tmp_path: Path) -> None:
    source = written(tmp_path, fcs_bytes([[16777217, 3]], integers("a", "a", bits=32), kind="I"))
    done = convert(source, tmp_path / "t.h5ad")
    data = anndata.read_h5ad(tmp_path / "t.h5ad")
    assert list(data.var_names) == ["a", "a.1"]
    assert list(data.var["channel"]) == ["a", "a"]
    assert data.X.dtype == np.float64
    assert data.X[0, 0] == 16777217
    assert any("stands twice" in sentence for sentence in done.lost)


def like_pytometry(*, by_marker: bool) -> anndata.AnnData:
    """What readfcs makes: `var` with channel, marker and $Pn columns, `uns["meta"]` with `spill`."""
    with pd.option_context("future.infer_string", False):
        var = pd.DataFrame(
            {
                "n": [1, 2, 3],
                "channel": ["FSC-A", "B530-A", "R660-A"],
                "marker": ["", "CD25", "CD4"],
                "$PnB": [32, 32, 32],
                "$PnR": ["262144", "1048576", "262144"],
            },
        )
        index = np.where(var["marker"] == "", var["channel"], var["marker"]) if by_marker else var["channel"]
        var.index = pd.Index(np.array(index, dtype=object))
        detectors = pd.Index(np.array(index[1:], dtype=object))
        data = anndata.AnnData(
            X=np.array(ROWS, dtype=np.float32),
            obs=pd.DataFrame(index=["0", "1"]).assign(sample=["s1", "s1"]),
            var=var,
        )
        data.uns["meta"] = {
            "header": {"FCS format": "FCS3.1"},
            "op": "Mary",
            "cyt": "Aurora",
            "P2V": "475",
            "spill": pd.DataFrame([[1, 0.25], [0.5, 1]], index=detectors, columns=detectors),
        }
    return data


@pytest.mark.parametrize("by_marker", [True, False], ids=["by marker", "by channel"])
def test_files_of_pytometry_are_read(tmp_path: Path, by_marker: bool) -> None:
    with pd.option_context("future.infer_string", False):
        like_pytometry(by_marker=by_marker).write_h5ad(tmp_path / "p.h5ad")
    done = convert(tmp_path / "p.h5ad", tmp_path / "p.fcs")
    sample = read_fcs(tmp_path / "p.fcs", strict=True)
    assert [(c.name, c.marker, c.range) for c in sample.channels] == [
        ("FSC-A", None, 262144),
        ("B530-A", "CD25", 1048576),
        ("R660-A", "CD4", 262144),
    ]
    assert sample.spillover is not None
    assert sample.spillover.channels == ("B530-A", "R660-A")
    assert sample.spillover.matrix.tolist() == [[1, 0.25], [0.5, 1]]
    assert (sample.text["$OP"], sample.text["$CYT"], sample.text["$P2V"]) == ("Mary", "Aurora", "475")
    assert done.lost == ("columns of obs of the AnnData file are left out: sample",)


def test_sparse_and_plain_files_are_read(tmp_path: Path) -> None:
    from scipy import sparse

    with pd.option_context("future.infer_string", False):
        data = anndata.AnnData(X=sparse.csr_matrix(np.array([[0.0, 2.0], [3.0, 0.0]], dtype=np.float32)))
        data.write_h5ad(tmp_path / "s.h5ad")
    convert(tmp_path / "s.h5ad", tmp_path / "s.fcs")
    sample = read_fcs(tmp_path / "s.fcs", strict=True)
    assert [channel.name for channel in sample.channels] == ["0", "1"]
    assert sample.to_numpy().tolist() == [[0, 2], [3, 0]]


def test_what_is_not_anndata_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.h5ad").write_bytes(b"not HDF5")
    with pytest.raises(StoreError, match="is not an AnnData file") as problem:
        convert(tmp_path / "t.h5ad", tmp_path / "t.fcs")
    assert "\n" not in str(problem.value)


def test_without_anndata_the_extra_is_named(tube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(MissingDependency, match=r"cytoreg\[anndata\]"):
        convert(tube, tmp_path / "t.h5ad")
    with pytest.raises(MissingDependency, match=r"cytoreg\[anndata\]"):
        convert(tmp_path / "t.h5ad", tmp_path / "t.fcs")


@pytest.mark.parametrize("kind", ["fcs", "csv", "parquet", "h5ad"])
def test_de_identified_nothing_telling_is_in_the_bytes(tmp_path: Path, kind: str) -> None:
    telling = {"$OP": "Mary Baker", "$SRC": "PAT-00817", "$DATE": "31-MAY-2024", "FILENAME": r"D:\x\PAT-00817.fcs"}
    parameters = floats("FSC-A", "B530-A")
    parameters[1] |= {"S": "CD25 Baker"}
    source = written(tmp_path, fcs_bytes([[1.0, 2.0]], parameters, keywords=telling), "PAT-00817.fcs")
    target = tmp_path / f"tube.{kind}"
    done = convert(source, target, deidentify=True)
    raw = target.read_bytes()
    for word in (b"Baker", b"Mary", b"00817", b"2024", b"D:"):
        assert word not in raw
    assert {change.keyword for change in done.changes} == {*telling, "$P2S"}
    assert done.warnings == ()
    convert(target, tmp_path / "again.fcs")
    np.testing.assert_array_equal(read_fcs(tmp_path / "again.fcs").to_numpy(), [[1, 2]])
    told = convert(source, tmp_path / f"pat-00817_shared.{kind}", deidentify=True)
    assert "pat-00817_shared" in told.warnings[0]
