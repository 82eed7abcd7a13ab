"""What a run leaves opens in a spreadsheet without running anything, and is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cytoreg.errors import StoreError
from cytoreg.tables import prepare_folder, read_json, read_table, safe_name, write_json, write_tables


def test_text_that_a_spreadsheet_would_run_is_quoted_in_csv_and_kept_in_parquet(tmp_path: Path) -> None:
    wild = '=HYPERLINK("x")'
    frame = pd.DataFrame({"sample_id": [wild, "fine"], "stage": ["read", "@SUM"], "error": ["-1+2", "ok"]})
    write_tables(tmp_path, {"failures": frame})
    plain = pd.read_csv(tmp_path / "failures.csv")
    assert plain["sample_id"].tolist() == [f"'{wild}", "fine"]
    assert plain["error"].tolist() == ["'-1+2", "ok"]
    kept = read_table(tmp_path, "failures")
    assert kept is not None
    assert kept["sample_id"].tolist() == [wild, "fine"]


def test_negative_numbers_stay_numbers_in_csv(tmp_path: Path) -> None:
    write_tables(tmp_path, {"associations": pd.DataFrame({"analysis": ["a"], "estimate": [-0.5]})})
    assert pd.read_csv(tmp_path / "associations.csv")["estimate"].tolist() == [-0.5]


def test_names_of_files_stay_inside_the_folder_and_apart() -> None:
    names = {safe_name(text) for text in ("../../etc/passwd", "a/b", "a?b", "a b", ".hidden", "", "ä" * 300)}
    assert len(names) == 7
    assert all("/" not in name and not name.startswith(".") and len(name) < 100 for name in names)


def test_json_holds_null_for_what_is_not_a_number(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": [float("inf"), 1.5]})
    assert read_json(tmp_path / "x.json") == {"a": None, "b": [None, 1.5]}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written to"):
        prepare_folder(tmp_path / "file" / "results")
