"""What `convert` takes by content, and what it says of whole numbers and columns that it cannot carry over."""

from __future__ import annotations

import gzip
import sys
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg import read_fcs
from cytoreg.errors import StoreError
from cytoreg.interop import convert
from cytoreg.interop.events import rounded
from cytoreg.interop.tabular import read_events_csv

LARGE = 2**53 + 1
ROUNDED = "channel 'A': whole numbers above 2^53 are rounded to 64-bit floats"


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    return written(tmp_path, fcs_bytes([[1.5, 2.0], [3.0, 4.0]], floats("FSC-A", "FL1-A")))


def test_a_url_a_zip_and_a_gzip_without_a_telling_name_are_read(tube: Path, tmp_path: Path) -> None:
    content = tube.read_bytes()
    fsspec.filesystem("memory").pipe("/place.fcs?sig=a", content)
    fsspec.filesystem("memory").pipe("/no_name", content)
    with zipfile.ZipFile(tmp_path / "tubes.zip", "w") as archive:
        archive.writestr("inner.fcs", content)
    (tmp_path / "tube.gz").write_bytes(gzip.compress(content))
    places = ["memory://place.fcs?sig=a", "memory://no_name", tmp_path / "tubes.zip", tmp_path / "tube.gz"]
    for place in places:
        assert convert(place, tmp_path / "out.parquet", force=True).events == 2
        assert pq.read_table(tmp_path / "out.parquet")["FSC-A"].to_pylist() == [1.5, 3.0]


def test_what_is_no_fcs_inside_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"A\n1\n"))
    with pytest.raises(StoreError, match=r"\.gz is not read as events"):
        convert(tmp_path / "t.csv.gz", tmp_path / "out.fcs")
    with pytest.raises(StoreError, match="only FCS is read from a URL") as caught:
        convert("memory://t.csv?sig=secret", tmp_path / "out.fcs")
    assert "secret" not in str(caught.value)


def test_64_bit_integers_that_a_format_cannot_hold_are_said(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes([[LARGE, 1], [5, 2]], integers("A", "B", bits=64, top=2**60), kind="I"))
    assert int(read_fcs(path).columns([0], raw=True)[0][0]) == LARGE
    assert ROUNDED in convert(path, tmp_path / "t.h5ad").lost
    assert ROUNDED not in convert(path, tmp_path / "t.parquet").lost
    assert pq.read_table(tmp_path / "t.parquet")["A"].to_pylist() == [LARGE, 5]
    done = convert(path, tmp_path / "t.csv")
    assert ROUNDED not in done.lost
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1] == f"{LARGE},1"
    for source in ("t.csv", "t.parquet"):
        assert convert(tmp_path / source, tmp_path / "back.fcs", force=True).lost[-1:] == (ROUNDED,)
        assert ROUNDED in convert(tmp_path / source, tmp_path / "back.h5ad", force=True).lost


def test_whole_numbers_of_csv_stay_whole_and_their_rounding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"A,B,C,D\n{LARGE},{2**64 - 1},{LARGE},1e300\n-7,3,0.5,2\n", encoding="utf-8")
    events = read_events_csv(path)
    assert [column.dtype.kind for column in events.columns] == ["i", "u", "f", "f"]
    assert [int(events.columns[i][0]) for i in (0, 1)] == [LARGE, 2**64 - 1]
    assert events.notes == (ROUNDED.replace("'A'", "'C'"),)
    done = convert(path, tmp_path / "t.fcs")
    assert [sentence[:11] for sentence in done.lost] == ["channel 'C'", "channel 'A'", "channel 'B'"]


def test_a_64_bit_float_in_digits_is_not_taken_for_a_lost_number(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("A\n123456789012345680000\n0.5\n", encoding="utf-8")
    assert read_events_csv(path).notes == ()


def test_the_smallest_whole_number_is_large() -> None:
    assert rounded(["A", "B"], [np.array([-(2**63)]), np.array([2**53])]) == [ROUNDED]


@pytest.mark.parametrize("index", ["event", None])
def test_an_index_of_pandas_is_no_channel_and_that_is_said(tmp_path: Path, index: str | None) -> None:
    frame = pd.DataFrame({"A": [1.5, 2.5], "B": [3.0, 4.0]}, index=pd.Index([10, 20], name=index))
    frame.to_parquet(tmp_path / "t.parquet")
    done = convert(tmp_path / "t.parquet", tmp_path / "t.fcs")
    column = index or "__index_level_0__"
    assert done.lost == (f"column {column!r} is an index of pandas, not a channel: it is left out",)
    assert [channel.name for channel in read_fcs(tmp_path / "t.fcs").channels] == ["A", "B"]
