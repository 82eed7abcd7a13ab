"""The TEXT segment: delimiters, order of keywords, odd characters, supplements."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, written

from cytoreg import FCSError, read_fcs
from cytoreg.fcs.text import number, parse_text

ROWS = [[1.5, -2.0], [3.25, 4.0]]


def test_a_doubled_delimiter_belongs_to_the_value(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"$FIL": "C://runs//a.fcs", "$OP": "nobody"})
    sample = read_fcs(written(tmp_path, content))
    assert sample.text["$FIL"] == "C:/runs/a.fcs"
    assert sample.text["$OP"] == "nobody"
    assert sample.problems == ()


def test_empty_values_are_read_as_such_and_the_keywords_after_them_are_not_lost(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"$CELLS": "", "$SYS": "old"}, arrange=sorted)
    sample = read_fcs(written(tmp_path, content))
    assert sample.text["$CELLS"] == ""
    assert sample.text["$DATATYPE"] == "F"
    assert sample.text["$SYS"] == "old"
    assert sample["A"].tolist() == [1.5, 3.25]
    assert "empty value" in str(sample.problems[0])


@pytest.mark.parametrize("before", ["$SMNO", "OPERATOR"])
def test_an_empty_value_before_the_spillover_does_not_swallow_it(tmp_path: Path, before: str) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={before: "", "SPILL": "2,A,B,1,0.1,0,1"})
    sample = read_fcs(written(tmp_path, content))
    assert sample.spillover is not None
    assert sample.text[before] == ""


def test_parameters_go_by_number_though_their_keywords_stand_in_alphabetical_order(tmp_path: Path) -> None:
    names = [f"D{i}" for i in range(1, 13)]
    rows = [[float(10 * row + i) for i in range(12)] for row in range(3)]
    sample = read_fcs(written(tmp_path, fcs_bytes(rows, floats(*names), arrange=sorted)))
    assert list(sample.text).index("$P10N") < list(sample.text).index("$P2N")
    assert [channel.name for channel in sample.channels] == names
    assert sample["D2"].tolist() == [1.0, 11.0, 21.0]
    assert sample["D10"].tolist() == [9.0, 19.0, 29.0]


def test_a_segment_that_ends_with_two_delimiters_ends_there() -> None:
    assert parse_text(b"/$PAR/2/LAST/15//", "f")[0] == {"$PAR": "2", "LAST": "15"}


def test_keywords_are_in_capitals_and_the_first_of_two_alike_stands() -> None:
    assert parse_text(b"|$par|2|$Par|3|", "f")[0] == {"$PAR": "2"}


def test_text_that_is_not_utf8_is_read_as_latin_and_noted() -> None:
    text, problems = parse_text("|$OP|Müller|$SMNO|5 µl|".encode("latin-1"), "f")
    assert text == {"$OP": "Müller", "$SMNO": "5 µl"}
    assert len(problems) == 1
    assert parse_text("|$OP|Müller|".encode(), "f") == ({"$OP": "Müller"}, [])


def test_text_without_a_second_delimiter_holds_no_keywords() -> None:
    with pytest.raises(FCSError, match="TEXT holds no keywords"):
        parse_text(b"/nothing here", "a.fcs")


@pytest.mark.parametrize("word", ["", "abc", "nan", "inf", "-inf", "1,2"])
def test_what_is_not_a_finite_number_is_not_a_number(word: str) -> None:
    assert number({"$TOT": word}, "$TOT", "f") is None
    with pytest.raises(FCSError, match=r"keyword \$TOT: expected a number"):
        number({"$TOT": word}, "$TOT", "f", required=True)
