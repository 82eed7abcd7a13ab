"""Spillover matrices as instruments and versions of the standard write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, written

from cytoreg import Sample, read_fcs

CHANNELS = ("FSC-A", "FITC-A", "PE-A", "APC-A", "Time")


def opened(tmp_path: Path, **keywords: str) -> Sample:
    row = [[1.0] * len(CHANNELS)]
    names = {key.replace("__", "$"): value for key, value in keywords.items()}
    return read_fcs(written(tmp_path, fcs_bytes(row, floats(*CHANNELS), keywords=names)))


@pytest.mark.parametrize("key", ["__SPILLOVER", "SPILL", "SPILLOVER"])
def test_channels_by_name_under_any_keyword(tmp_path: Path, key: str) -> None:
    spillover = opened(tmp_path, **{key: "2,FITC-A,PE-A,1,0.2,0.03,1"}).spillover
    assert spillover is not None
    assert spillover.channels == ("FITC-A", "PE-A")
    assert spillover.matrix.tolist() == [[1, 0.2], [0.03, 1]]
    assert spillover.source == key.replace("__", "$")
    assert not spillover.is_identity


def test_channels_by_number_from_1(tmp_path: Path) -> None:
    spillover = opened(tmp_path, __SPILLOVER="2,2,4,1,0.2,0.03,1").spillover
    assert spillover is not None
    assert spillover.channels == ("FITC-A", "APC-A")


def test_channels_are_sorted_by_parameter_number_with_their_rows_and_columns(tmp_path: Path) -> None:
    spillover = opened(tmp_path, SPILL="3,APC-A,FITC-A,PE-A,1,0.12,0.13,0.21,1,0.23,0.31,0.32,1").spillover
    assert spillover is not None
    assert spillover.channels == ("FITC-A", "PE-A", "APC-A")
    assert spillover.matrix.tolist() == [[1, 0.23, 0.21], [0.32, 1, 0.31], [0.12, 0.13, 1]]


def test_comp_of_fcs_3_0_has_no_names_and_stands_for_the_fluorescence_channels(tmp_path: Path) -> None:
    spillover = opened(tmp_path, __COMP="3,1,0.1,0,0.05,1,0,0,0,1").spillover
    assert spillover is not None
    assert spillover.channels == ("FITC-A", "PE-A", "APC-A")
    assert spillover.matrix.tolist() == [[1, 0.1, 0], [0.05, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2,FITC-A,PE-B,1,0,0,1", "no channel is called 'PE-B'"),
        ("2,FITC-A,FITC-A,1,0,0,1", "a channel stands twice"),
        ("2,FITC-A,PE-A,1,0,0", "2 channels need 7 fields, found 6"),
        ("2,FITC-A,PE-A,1,0,x,1", "a coefficient is not a number"),
        ("2,FITC-A,PE-A,1,0,nan,1", "a coefficient is not finite"),
        ("two,FITC-A", "expected the number of channels first"),
        ("-1,FITC-A", "need"),
        ("inf", "expected the number of channels first"),
    ],
)
def test_a_matrix_that_cannot_be_used_is_noted_and_left(tmp_path: Path, value: str, message: str) -> None:
    sample = opened(tmp_path, __SPILLOVER=value)
    assert sample.spillover is None
    assert message in str(sample.problems[0])
    assert sample.problems[0].affects_numbers


def test_of_two_matrices_the_usable_one_is_taken(tmp_path: Path) -> None:
    sample = opened(tmp_path, __SPILLOVER="2,NO,PE-A,1,0,0,1", SPILL="2,FITC-A,PE-A,1,0.5,0,1")
    assert sample.spillover is not None
    assert sample.spillover.source == "SPILL"


def test_no_matrix_and_an_empty_one_are_none(tmp_path: Path) -> None:
    assert opened(tmp_path).spillover is None
    assert opened(tmp_path, __SPILLOVER="0").spillover is None
    assert opened(tmp_path, __SPILLOVER="0").problems == ()
