"""What is a departure from the standard and what is only worth knowing; what is odd and must not pass in silence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, integers, written
from said_of import noted, one_line

from cytoreg import FCSError, read_fcs

ROWS = [[float(i), float(-i)] for i in range(50)]


@pytest.mark.parametrize("off", [1, 4])
@pytest.mark.parametrize("where", ["text_data", "header_data"])
def test_of_two_places_that_fit_alike_the_one_that_follows_text_is_taken(
    tmp_path: Path, where: str, off: int
) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), **{where: (off, off)}) + b"00000000")
    sample = read_fcs(path)
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "HEADER", "TEXT", affects_numbers=True)


def test_several_data_sets_depart_from_nothing(tmp_path: Path) -> None:
    length = len(fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": "0" * 8}))
    first = fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": f"{length:08d}"})
    path = written(tmp_path, first + fcs_bytes(ROWS, floats("C", "D")))
    assert not noted(read_fcs(path, strict=True), "further data sets").is_departure
    assert read_fcs(path, strict=True, dataset=1).problems == ()


@pytest.mark.parametrize("key", ["$BEGINSTEXT", "$ENDANALYSIS"])
def test_offsets_that_3_0_and_3_1_require_are_noted_where_they_are_absent(tmp_path: Path, key: str) -> None:
    for version in ("FCS3.0", "FCS3.1"):
        path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), version=version, drop=[key]))
        noted(read_fcs(path), key)
        assert key in one_line(path, strict=True)


def test_the_subset_total_of_3_0_is_a_standard_keyword(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords={"$CSTOT": "0"}))
    assert read_fcs(path, strict=True).problems == ()


def test_masked_values_are_noted_wherever_in_data_they_are(tmp_path: Path) -> None:
    rows = [[i % 1024] for i in range(15_000)] + [[28_000 + i] for i in range(5_000)]
    sample = read_fcs(written(tmp_path, fcs_bytes(rows, integers("X", top=1024), kind="I")))
    assert sample["X"][-1] == (28_000 + 4_999) & 1023
    noted(sample, "$P1R", affects_numbers=True)


def test_one_flag_bit_that_a_maker_sets_everywhere_affects_no_number(tmp_path: Path) -> None:
    rows = [[0x8000 | (i % 1024)] for i in range(3_000)]
    sample = read_fcs(written(tmp_path, fcs_bytes(rows, integers("X", top=1024), kind="I")))
    assert sample["X"].tolist() == [i % 1024 for i in range(3_000)]
    noted(sample, "$P1R", affects_numbers=False)


def test_a_gain_of_the_time_channel_is_noted_and_not_used(tmp_path: Path) -> None:
    parameters = [*floats("A"), {"N": "Time", "B": "32", "R": "262144", "G": "0.01"}]
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, parameters)))
    assert sample["Time"].tolist() == [row[1] for row in ROWS]
    noted(sample, "$P2G", "time", affects_numbers=False)


def test_integers_that_a_double_rounds_are_said_and_exact_as_stored(tmp_path: Path) -> None:
    value = 2**53 + 1
    path = written(tmp_path, fcs_bytes([[value]], integers("X", bits=64), kind="I"))
    sample = read_fcs(path, strict=True)
    assert sample.columns(["X"], raw=True)[0].tolist() == [value]
    assert sample["X"].tolist() == [float(value)]
    noted(sample, "2^53")


@pytest.mark.parametrize("top", [1, 0.5])
def test_a_range_that_says_nothing_leaves_all_bits_and_is_noted(tmp_path: Path, top: float) -> None:
    parameters = [{"N": "X", "B": "32", "R": str(top)}]
    sample = read_fcs(written(tmp_path, fcs_bytes([[2**31 + 1]], parameters, kind="I")))
    assert sample["X"].tolist() == [2.0**31 + 1]
    noted(sample, "$P1R")


def test_what_follows_the_crc_is_noted_in_a_packed_file_too(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B")) + b"00000000" + b"rest of something"
    for name, stored in (("plain.fcs", content), ("packed.fcs.gz", gzip.compress(content))):
        noted(read_fcs(written(tmp_path, stored, name)), "after the last segment", affects_numbers=True)


@pytest.mark.parametrize("key", ["", None, 1.0, b"A", ["A", "B"], slice(0, 3)])
def test_what_names_no_channel_is_refused(tmp_path: Path, key: object) -> None:
    parameters = [{"N": "A", "S": "CD3", "B": "32", "R": "1024"}, {"N": "B", "B": "32", "R": "1024"}]
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, parameters)))
    with pytest.raises(FCSError, match=r"tube\.fcs"):
        sample[key]  # type: ignore[index]


def test_a_channel_beyond_the_last_and_an_event_before_the_first_are_refused(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"))))
    with pytest.raises(FCSError, match="there is no channel 99"):
        sample.columns([99])
    with pytest.raises(FCSError, match="found -5"):
        sample["A", [-5, 3]]
    np.testing.assert_array_equal(sample.columns(["B"])[0], sample["B"])


def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FCSError, match="cannot be read: File name too long"):
        read_fcs(tmp_path / ("x" * 300) / "a.fcs")


def test_a_url_that_leads_nowhere_says_so() -> None:
    with pytest.raises(FCSError, match="there is no such file"):
        read_fcs("memory://nowhere/a.fcs")
    with pytest.raises(FCSError, match="nosuch"):
        read_fcs("nosuch://a.fcs")
