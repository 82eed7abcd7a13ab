"""The samples sheet in the forms in which labs keep it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cytoreg.batch.sheet import read_samples
from cytoreg.errors import StudyError

ROWS = pd.DataFrame(
    {
        "file": ["a.fcs", "b.fcs", "fmo.fcs"],
        "sample_id": ["A", "B", "F"],
        "subject_id": ["P1", "P2 ", None],
        "visit": ["baseline", "baseline", None],
        "panel": ["treg"] * 3,
        "tube": ["full", None, "FMO:CD25"],
        "batch": [1, 1, 1],
    }
)


@pytest.mark.parametrize("kind", ["csv", "tsv", "xlsx", "parquet"])
def test_csv_tsv_xlsx_and_parquet_say_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"samples.{kind}"
    if kind == "xlsx":
        ROWS.to_excel(path, index=False)
    elif kind == "parquet":
        ROWS.to_parquet(path, index=False)
    else:
        ROWS.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    tubes = read_samples(path, tmp_path / "fcs")
    assert [tube.sample_id for tube in tubes] == ["A", "B", "F"]
    assert [tube.subject_id for tube in tubes] == ["P1", "P2", ""]
    assert [tube.tube for tube in tubes] == ["full", "full", "fmo:CD25"]
    assert [tube.batch for tube in tubes] == ["1"] * 3
    assert tubes[0].path == tmp_path / "fcs" / "a.fcs"


def test_without_sample_ids_the_file_names_them(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("file\nx/patient 7.fcs\n", encoding="utf-8")
    assert read_samples(tmp_path / "samples.csv", tmp_path)[0].sample_id == "patient 7"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name\na.fcs\n", "there is no column 'file'"),
        ("file,sample_id\na.fcs,A\nb.fcs,A\n", "row 3, column sample_id: 'A' stands in row 2 already"),
        ("file\na.fcs\na.fcs\n", "row 3, column (sample_id|file)"),
        ("file,tube\na.fcs,fulll\n", "row 2, column tube: found 'fulll', expected full"),
        ("file,rule\na.fcs,flowjoe\n", "row 2, column rule: found 'flowjoe', expected events or flowjo"),
        ("file,tube\n,full\n", "row 2, column file: expected the name of an FCS file"),
        ("file\n", "no rows"),
    ],
)
def test_a_wrong_sheet_is_one_line_with_row_and_column(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match=expected):
        read_samples(path, tmp_path)


def test_a_control_set_takes_the_place_of_the_batch(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("file,batch,control_set\na.fcs,b1,\nb.fcs,b1,s9\n", encoding="utf-8")
    one, two = read_samples(tmp_path / "samples.csv", tmp_path)
    assert (one.scope("batch"), two.scope("batch")) == ("b1", "s9")
