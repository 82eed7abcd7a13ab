"""Events between FCS, CSV and Parquet, judged by flowio, pandas and pyarrow."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import flowio
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg import FCSError, read_fcs
from cytoreg.errors import StoreError
from cytoreg.interop import convert
from cytoreg.interop.events import described, unique_names
from cytoreg.interop.tabular import read_events_csv

ROWS = [[1.5, -2.25, 1e-7], [3.4028234e38, 0.1, 262143.0], [0.0, 1 / 3, -17.0]]
KEYWORDS = {"$SPILLOVER": "2,B530-A,R660-A,1,0.25,0.5,1", "$OP": "Mary", "KIT": 'says "7,5"', "$TIMESTEP": "0.01"}


def tube(folder: Path, name: str = "tube.fcs") -> Path:
    """Three float channels, two with a marker, a spillover matrix."""
    parameters = [{"N": "FSC-A", "B": "32", "R": "262144"}, *floats("B530-A", "R660-A")]
    parameters[1] |= {"S": "CD25", "R": "1048576"}
    parameters[2] |= {"S": "CD4"}
    return written(folder, fcs_bytes(ROWS, parameters, keywords=KEYWORDS), name)


def by_flowio(path: Path) -> np.ndarray:
    data = flowio.FlowData(str(path))
    return np.reshape(data.events, (-1, data.channel_count))


def said_by_flowio(path: Path) -> dict[str, str]:
    return flowio.FlowData(str(path)).text


def test_csv_as_pandas_reads_it_has_every_bit(tmp_path: Path) -> None:
    done = convert(tube(tmp_path), tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv", float_precision="round_trip")
    assert list(frame.columns) == ["FSC-A", "B530-A", "R660-A"]
    np.testing.assert_array_equal(frame.to_numpy().astype(np.float32), np.array(ROWS, dtype=np.float32))
    assert (done.events, done.channels) == (3, 3)
    assert any("markers" in sentence for sentence in done.lost)
    assert any("spillover" in sentence for sentence in done.lost)
    assert any("keywords" in sentence for sentence in done.lost)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_there_and_back_the_values_are_the_same_by_flowio(tmp_path: Path, name: str) -> None:
    source = tube(tmp_path)
    convert(source, tmp_path / name)
    convert(tmp_path / name, tmp_path / "back.fcs")
    np.testing.assert_array_equal(by_flowio(tmp_path / "back.fcs"), by_flowio(source))
    assert said_by_flowio(tmp_path / "back.fcs")["datatype"] == "F"


def test_parquet_as_pyarrow_reads_it(tmp_path: Path) -> None:
    done = convert(tube(tmp_path), tmp_path / "t.parquet")
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.schema.names == ["FSC-A", "B530-A", "R660-A"]
    assert set(table.schema.types) == {pa.float32()}
    known = json.loads(table.schema.metadata[b"cytoreg"])
    assert [channel["marker"] for channel in known["channels"]] == [None, "CD25", "CD4"]
    assert known["channels"][1]["range"] == 1048576
    assert known["text"]["KIT"] == KEYWORDS["KIT"]
    assert known["spillover"]["matrix"] == [[1.0, 0.25], [0.5, 1.0]]
    assert done.lost == ()


def test_parquet_brings_names_markers_ranges_spillover_and_keywords_back(tmp_path: Path) -> None:
    convert(tube(tmp_path), tmp_path / "t.parquet")
    convert(tmp_path / "t.parquet", tmp_path / "back.fcs")
    back = said_by_flowio(tmp_path / "back.fcs")
    assert [back[f"p{i}n"] for i in (1, 2, 3)] == ["FSC-A", "B530-A", "R660-A"]
    assert [back.get(f"p{i}s") for i in (1, 2, 3)] == [None, "CD25", "CD4"]
    assert (back["p2r"], back["op"], back["kit"]) == ("1048576", "Mary", KEYWORDS["KIT"])
    fields = back["spillover"].split(",")
    assert fields[:3] == ["2", "B530-A", "R660-A"]
    assert [float(field) for field in fields[3:]] == [1.0, 0.25, 0.5, 1.0]


def test_logarithmic_amplifiers_and_gains_are_undone_and_said(tmp_path: Path) -> None:
    parameters = [
        {"N": "FL1-H", "B": "16", "R": "1024", "E": "4,1"},
        {"N": "SSC-H", "B": "16", "R": "1024", "G": "2"},
        {"N": "Time", "B": "16", "R": "1024"},
    ]
    source = written(tmp_path, fcs_bytes([[0, 10, 7], [512, 1000, 1023]], parameters, kind="I"))
    done = convert(source, tmp_path / "t.csv")
    frame = pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_allclose(frame["FL1-H"], [1.0, 100.0], rtol=1e-6)
    assert list(frame["SSC-H"]) == [5, 500]
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",7")
    assert any("FL1-H, SSC-H" in sentence and "$PnE" in sentence for sentence in done.lost)
    convert(source, tmp_path / "t.parquet")
    convert(tmp_path / "t.parquet", tmp_path / "back.fcs")
    back = said_by_flowio(tmp_path / "back.fcs")
    assert (back["p1e"], back["p1r"], back.get("p2g", "1")) == ("0,0", "10000", "1")
    np.testing.assert_array_equal(by_flowio(tmp_path / "back.fcs")[:, 1], [5, 500])


def test_whole_numbers_beyond_24_bits_stay_exact(tmp_path: Path) -> None:
    source = written(tmp_path, fcs_bytes([[4294967291], [16777217]], integers("Time", bits=32), kind="I"))
    for name in ("t.csv", "t.parquet"):
        convert(source, tmp_path / name, force=True)
        convert(tmp_path / name, tmp_path / "back.fcs", force=True)
        assert said_by_flowio(tmp_path / "back.fcs")["datatype"] == "D"
        np.testing.assert_array_equal(by_flowio(tmp_path / "back.fcs")[:, 0], [4294967291, 16777217])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").split() == ["Time", "4294967291", "16777217"]


def test_names_that_stand_twice_are_told_apart_and_said(tmp_path: Path) -> None:
    source = written(tmp_path, fcs_bytes([[1.0, 2.0]], floats("FL1", "FL1")))
    done = convert(source, tmp_path / "t.csv")
    assert list(pd.read_csv(tmp_path / "t.csv").columns) == ["FL1", "FL1.1"]
    assert any("'FL1' stands twice" in sentence for sentence in done.lost)
    assert unique_names(["a", "a", "a.1", "a"]) == ["a", "a.2", "a.1", "a.3"]


def test_a_name_with_a_comma_is_quoted_in_csv_and_renamed_in_fcs(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"CD3,CD4",\'=1+1\n1,2\n', encoding="utf-8")
    done = convert(tmp_path / "t.csv", tmp_path / "t.fcs")
    said = said_by_flowio(tmp_path / "t.fcs")
    assert (said["p1n"], said["p2n"]) == ("CD3;CD4", "'=1+1")
    assert any("'CD3;CD4'" in sentence for sentence in done.lost)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n3,x\n", "row 3, column 'b': expected a number, found 'x'"),
        ("a,b\n1,\n", "row 2, column 'b': expected a number, found an empty cell"),
        ("a,b\n1,2,3\n", "row 2: expected 2 cells, found 3"),
        ("a,b\n1\n", "row 2: expected 2 cells, found 1"),
        ("a,,c\n1,2,3\n", "row 1, column 2: the channel has no name"),
        ("a,a\n1,2\n", "row 1: the channel 'a' stands twice"),
        ("1,2\n3,4\n", "row 1: expected the names of the channels, found numbers"),
        ("", "row 1: expected the names of the channels, found nothing"),
        ("a;b\n1,5;2.5.6\n", "row 2, column 'b': expected a number, found '2.5.6'"),
    ],
)
def test_csv_that_is_not_events_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(content, encoding="utf-8")
    with pytest.raises(StoreError) as problem:
        convert(tmp_path / "t.csv", tmp_path / "t.fcs")
    assert said in str(problem.value)
    assert "\n" not in str(problem.value)
    assert not (tmp_path / "t.fcs").exists()


@pytest.mark.parametrize(
    "content",
    ["CD3,FSC-A\n1.5,2\n-3,40.25\n", "CD3;FSC-A\n1,5;2\n-3;40,25\n", "CD3\tFSC-A\n1.5\t2\n-3\t40.25\n"],
    ids=["comma", "semicolon", "tab"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_csv_of_any_lab(tmp_path: Path, content: str, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(content.replace("CD3", "CD3 µ").replace("\n", "\r\n").encode(encoding))
    convert(tmp_path / "t.csv", tmp_path / "t.fcs")
    sample = read_fcs(tmp_path / "t.fcs", strict=True)
    assert [channel.name for channel in sample.channels] == ["CD3 µ", "FSC-A"]
    np.testing.assert_array_equal(sample.to_numpy(), [[1.5, 2], [-3, 40.25]])


def test_ranges_of_numbers_without_one() -> None:
    columns = [np.array(values) for values in ([1.0, 5.0], [300000.0], [262144.0], [-1.0], [], [np.inf])]
    channels = described(list("abcdef"), columns)
    assert [channel.range for channel in channels] == [262144, 524288, 524288, 262144, 262144, 262144]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=50))
@settings(deadline=None)
def test_any_32_bit_floats_come_back_from_csv_as_32_bit(values: Sequence[float]) -> None:
    import tempfile

    expected = np.array(values, dtype=np.float32)
    for form in (str, lambda x: f"{x:.9g}"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            path.write_text("a\n" + "\n".join(form(x) for x in expected) + "\n", encoding="utf-8")
            column = read_events_csv(path).columns[0]
        assert column.dtype == np.float32
        np.testing.assert_array_equal(column, expected)


def test_numbers_that_need_64_bits_keep_them(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=5000)
    pd.DataFrame({"a": values, "b": 1.5}).to_csv(tmp_path / "t.csv", index=False)
    convert(tmp_path / "t.csv", tmp_path / "t.fcs")
    assert said_by_flowio(tmp_path / "t.fcs")["datatype"] == "D"
    np.testing.assert_array_equal(by_flowio(tmp_path / "t.fcs")[:, 0], values)
    convert(tmp_path / "t.csv", tmp_path / "u.fcs", version="3.2")
    assert [channel.kind for channel in read_fcs(tmp_path / "u.fcs").channels] == ["D", "F"]


def test_parquet_of_others_is_read_and_what_is_no_number_is_said(tmp_path: Path) -> None:
    pd.DataFrame({"CD3": [1.5, 2.5], "n": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    convert(tmp_path / "t.parquet", tmp_path / "t.fcs")
    np.testing.assert_array_equal(by_flowio(tmp_path / "t.fcs"), [[1.5, 1], [2.5, 2]])
    for frame, said in (
        (pd.DataFrame({"a": ["x"]}), "column 'a': expected numbers, found"),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), "column 'a', row 2: expected a number"),
    ):
        frame.to_parquet(tmp_path / "bad.parquet", index=False)
        with pytest.raises(StoreError, match=said):
            convert(tmp_path / "bad.parquet", tmp_path / "bad.fcs")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match="is not a Parquet file"):
        convert(tmp_path / "bad.parquet", tmp_path / "bad.fcs")


def test_fcs_to_fcs_copies_data_byte_by_byte(tmp_path: Path) -> None:
    source = tube(tmp_path)
    done = convert(source, tmp_path / "copy.fcs")
    assert done.lost == ()
    data = np.array(ROWS, dtype="<f4").tobytes()
    assert data in (tmp_path / "copy.fcs").read_bytes()
    copy = said_by_flowio(tmp_path / "copy.fcs")
    assert (copy["op"], copy["kit"]) == ("Mary", KEYWORDS["KIT"])
    assert (tmp_path / "copy.fcs").read_bytes().startswith(b"FCS3.1")


def test_another_version_keeps_stored_numbers_and_amplifiers(tmp_path: Path) -> None:
    parameters = [
        {"N": "FL1-H", "B": "16", "R": "1024", "E": "4,1"},
        {"N": "T", "B": "32", "R": "4294967296", "G": "2"},
    ]
    source = written(
        tmp_path, fcs_bytes([[512, 4294967295]], parameters, kind="I", version="FCS3.0", byteord="4,3,2,1")
    )
    for version in ("3.1", "3.2"):
        convert(source, tmp_path / "new.fcs", version=version, force=True)
        new = read_fcs(tmp_path / "new.fcs", strict=True)
        assert new.version == f"FCS{version}"
        assert new.to_numpy(raw=True).tolist() == [[512, 4294967295]]
        np.testing.assert_allclose(new.to_numpy(), [[100.0, 4294967295 / 2]])


def test_a_target_is_not_overwritten_unless_asked_and_the_source_never(tmp_path: Path) -> None:
    source = tube(tmp_path)
    before = source.read_bytes()
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="is there already"):
        convert(source, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text(encoding="utf-8") == "mine"
    convert(source, tmp_path / "there.csv", force=True)
    (tmp_path / "link.fcs").symlink_to(source)
    for target in (source, tmp_path / "link.fcs"):
        with pytest.raises(StoreError, match="is a file that is read"):
            convert(source, target, force=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.h5ad", "t.fcs"])
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        convert(tube(tmp_path), tmp_path / "absent" / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tube.fcs"]


@pytest.mark.parametrize(
    ("source", "target", "options", "said"),
    [
        ("tube.fcs", "t.xyz", {}, r"\.xyz is not written as events; there are: \.fcs, \.csv"),
        ("tube.fcs", "t.lmd", {}, r"\.lmd is not written"),
        ("tube.xyz", "t.fcs", {}, r"\.xyz is not read as events"),
        ("tube.fcs", "t.csv", {"version": "3.1"}, "a version of FCS is asked for"),
        ("tube.fcs", "t.fcs", {"version": "4"}, "FCS version '4' is not written"),
        ("tube.fcs", "t.fcs", {"patterns": ["x"]}, "belong to de-identification"),
        ("tube.fcs", "t.fcs", {"dataset": 3}, "there is no data set 3"),
        ("absent.csv", "t.fcs", {}, "there is no such file"),
        ("absent.parquet", "t.fcs", {}, "there is no such file"),
        ("absent.h5ad", "t.fcs", {}, "there is no such file"),
    ],
)
def test_wrong_options_are_one_line(
    tmp_path: Path, source: str, target: str, options: dict[str, object], said: str
) -> None:
    tube(tmp_path)
    with pytest.raises((StoreError, FCSError), match=said):
        convert(tmp_path / source, tmp_path / target, **options)  # type: ignore[arg-type]


def test_gzipped_fcs_and_further_data_sets(tmp_path: Path) -> None:
    import gzip

    first = fcs_bytes([[1.0]], floats("a"), keywords={"$NEXTDATA": "0000"})
    first = fcs_bytes([[1.0]], floats("a"), keywords={"$NEXTDATA": f"{len(first):04d}"})
    both = first + fcs_bytes([[2.0]], floats("a"))
    (tmp_path / "t.fcs.gz").write_bytes(gzip.compress(both))
    done = convert(tmp_path / "t.fcs.gz", tmp_path / "t.csv")
    assert any("further data sets" in sentence for sentence in done.lost)
    convert(tmp_path / "t.fcs.gz", tmp_path / "second.csv", dataset=1)
    assert (tmp_path / "second.csv").read_text(encoding="utf-8").split() == ["a", "2"]


def test_keywords_that_fcs_cannot_name_stay_behind_and_are_said(tmp_path: Path) -> None:
    source = written(tmp_path, fcs_bytes([[1.0]], floats("a"), keywords={"GER\u00c4T": "x", "KIT": "y"}))
    said = "keywords whose names are not printable ASCII stay behind (1)"
    assert convert(source, tmp_path / "copy.fcs").lost == (said,)
    assert convert(source, tmp_path / "new.fcs", version="3.2").lost == (said,)
    assert convert(source, tmp_path / "t.parquet").lost == ()
    assert convert(tmp_path / "t.parquet", tmp_path / "back.fcs").lost == (said,)
    for name in ("copy.fcs", "new.fcs", "back.fcs"):
        assert said_by_flowio(tmp_path / name)["kit"] == "y"
