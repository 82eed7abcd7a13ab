"""The primary TEXT segment: FCS 3.1, 3.2.1 to 3.2.16, and the keywords of 3.2.18 and 3.2.19."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, integers, with_offsets, written
from said_of import conforming, noted, one_line

from cytoreg import read_fcs

ROWS = [[1.5, -2.0], [3.25, 4.0]]
DELIMITERS = ["/", "|", "\\", "\f", "\x1e", "!", "*", ",", "\t", "\n", "^", "~"]


@pytest.mark.parametrize("delimiter", DELIMITERS, ids=repr)
def test_any_ascii_character_may_delimit_and_is_doubled_inside_a_value(tmp_path: Path, delimiter: str) -> None:
    """3.2.5 and 3.2.7."""
    keywords = {"$COM": f"a{delimiter * 2}b{delimiter * 2}c", "$OP": "nobody"}
    if delimiter == ",":  # it stands in $BYTEORD and $PnE, and is doubled there too
        keywords |= {key: value.replace(",", ",,") for key, value in {"$P1E": "0,0", "$P2E": "0,0"}.items()}
        keywords["$BYTEORD"] = "4,,3,,2,,1"
    content = fcs_bytes(ROWS, floats("A", "B"), byteord="4,3,2,1", keywords=keywords, delimiter=delimiter)
    sample = conforming(written(tmp_path, content))
    assert sample.text["$COM"] == f"a{delimiter}b{delimiter}c"
    assert sample.text["$OP"] == "nobody"
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize("delimiter", ["/", "\f", "|"], ids=repr)
@pytest.mark.parametrize(
    ("written_as", "means"), [("C:DD", "C:D"), ("aDDDDb", "aDDb"), ("aDDDD", "aDD"), ("x DD y DD", "x D y D")]
)
def test_a_value_may_end_with_a_delimiter_or_hold_several(
    tmp_path: Path, delimiter: str, written_as: str, means: str
) -> None:
    keywords = {"$FIL": written_as.replace("D", delimiter), "$OP": "nobody"}
    content = fcs_bytes(ROWS, floats("A", "B"), keywords=keywords, delimiter=delimiter)
    sample = read_fcs(written(tmp_path, content))
    assert sample.text["$FIL"] == means.replace("D", delimiter)
    assert sample.text["$OP"] == "nobody"
    assert sample["B"].tolist() == [-2.0, 4.0]


def test_keywords_may_be_in_any_case_and_values_keep_theirs(tmp_path: Path) -> None:
    """3.2.10."""
    content = fcs_bytes(ROWS, floats("Fsc-a", "B"), keywords={"$Cyt": "FACSCanto ii", "Lot": "aB"})
    for old, new in {
        "$PAR": "$par",
        "$TOT": "$Tot",
        "$BYTEORD": "$ByteOrd",
        "$P1N": "$p1n",
        "$P2B": "$p2b",
    }.items():
        content = content.replace(f"/{old}/".encode(), f"/{new}/".encode())
    sample = conforming(written(tmp_path, content))
    assert [channel.name for channel in sample.channels] == ["Fsc-a", "B"]
    assert sample.text["$CYT"] == "FACSCanto ii"
    assert sample.text["LOT"] == "aB"
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    "arrange",
    [sorted, lambda keys: sorted(keys, reverse=True), lambda keys: keys[::-1], lambda keys: keys[5:] + keys[:5]],
)
def test_keywords_may_stand_in_any_order(tmp_path: Path, arrange: object) -> None:
    names = [f"D{i}" for i in range(12)]
    row = [float(i) for i in range(12)]
    sample = conforming(written(tmp_path, fcs_bytes([row], floats(*names), arrange=arrange)))  # type: ignore[arg-type]
    assert [channel.name for channel in sample.channels] == names
    assert sample.to_numpy().tolist() == [row]


def test_several_empty_values_are_read_as_such_and_noted(tmp_path: Path) -> None:
    """3.2.9 forbids them; acquisition software writes them where an operator left a field blank."""
    keywords = {"$OP": "", "$INST": "", "$SRC": "", "$CELLS": "PBMC", "$FIL": "a.fcs"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert [sample.text[key] for key in keywords] == ["", "", "", "PBMC", "a.fcs"]
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "empty value")


@pytest.mark.parametrize("tail", ["LONELY/", "LONELY"])
def test_a_keyword_without_a_value_at_the_end_is_noted(tmp_path: Path, tail: str) -> None:
    """An odd number of fields."""
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), tail=tail)))
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "TEXT")


def test_text_without_its_last_delimiter_loses_no_value(tmp_path: Path) -> None:
    """3.2.6. HEADER lets TEXT end one byte too early."""
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"LAST": "yes"})
    end = int(content[18:26])
    sample = read_fcs(written(tmp_path, with_offsets(content, "text", 58, end - 1)))
    assert sample.text["LAST"] == "yes"
    assert sample.problems


@pytest.mark.parametrize(("second", "reads"), [("$OP/other/", "first"), ("$op/other/", "first")])
def test_of_a_keyword_that_stands_twice_the_first_holds_and_it_is_noted(
    tmp_path: Path, second: str, reads: str
) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"$OP": "first"}, tail=second)
    sample = read_fcs(written(tmp_path, content))
    assert sample.text["$OP"] == reads
    noted(sample, "$OP")


def test_a_keyword_of_the_layout_that_stands_twice_may_affect_numbers(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), tail="$TOT/1/")))
    assert sample.n_events == 2
    noted(sample, "$TOT", affects_numbers=True)


def test_whitespace_around_a_value_is_no_part_of_it(tmp_path: Path) -> None:
    keywords = {"$PAR": " 2 ", "$TOT": "      2", "$P1B": "32 ", "$DATATYPE": " F", "$BYTEORD": " 1, 2, 3, 4 "}
    content = fcs_bytes(ROWS, floats(" FSC-A ", "B  "), keywords={**keywords, "$MODE": "L "})
    sample = read_fcs(written(tmp_path, content))
    assert [channel.name for channel in sample.channels] == ["FSC-A", "B"]
    assert sample["FSC-A"].tolist() == [1.5, 3.25]


@pytest.mark.parametrize("tail", ["\0" * 9, " " * 9, "\r\n", "\0\0  \0"], ids=repr)
def test_padding_after_the_last_delimiter_is_no_keyword(tmp_path: Path, tail: str) -> None:
    plain = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B")), "plain.fcs"))
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), tail=tail)))
    assert list(sample.text) == list(plain.text)
    assert sample.to_numpy().tolist() == ROWS


def test_nul_bytes_that_fill_a_value_up_are_no_part_of_it(tmp_path: Path) -> None:
    keywords = {"$CYT": "Cyan\0\0\0\0", "$TOT": "2\0\0\0"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert sample.text["$CYT"] == "Cyan"
    assert sample.n_events == 2


def test_a_value_may_hold_lines_and_an_error_about_one_is_still_one_line(tmp_path: Path) -> None:
    """3.2.15."""
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"$COM": "line 1\r\nline 2"})
    assert conforming(written(tmp_path, content)).text["$COM"] == "line 1\r\nline 2"
    content = fcs_bytes(ROWS, floats("A", "B"), keywords={"$PAR": "2\n3"})
    assert "$PAR" in one_line(written(tmp_path, content, "par.fcs"))


def test_text_may_begin_later_than_the_header_ends(tmp_path: Path) -> None:
    """3.1, the first example of a HEADER: TEXT from byte 256, spaces before it."""
    sample = conforming(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), text_at=256)))
    assert sample.to_numpy().tolist() == ROWS


def test_text_may_follow_data(tmp_path: Path) -> None:
    """3.1, the third example of a HEADER of FCS 3.0."""
    content = fcs_bytes(ROWS, floats("A", "B"), text_data=(0, 0))
    begin = int(content[26:34])
    text, data = content[58:begin], content[begin:]
    text = text.replace(f"/{begin:>8d}/".encode(), f"/{58:>8d}/".encode())
    text = text.replace(f"/{begin + len(data) - 1:>8d}/".encode(), f"/{57 + len(data):>8d}/".encode())
    turned = with_offsets(content[:58], "text", 58 + len(data), 57 + len(data) + len(text))
    turned = with_offsets(turned, "data", 58, 57 + len(data)) + data + text
    assert conforming(written(tmp_path, turned)).to_numpy().tolist() == ROWS


REQUIRED = ["$BYTEORD", "$DATATYPE", "$MODE", "$NEXTDATA", "$P2B", "$P2R", "$TOT"]


@pytest.mark.parametrize(
    ("key", "version"),
    [
        *((key, version) for version in ("FCS2.0", "FCS3.0", "FCS3.1") for key in REQUIRED),
        ("$P2E", "FCS3.0"),
        ("$P2E", "FCS3.1"),
    ],
)
def test_a_required_keyword_that_is_absent_is_noted(tmp_path: Path, key: str, version: str) -> None:
    """3.2.18; $PnE since FCS 3.0."""
    rows = [[1, 2], [3, 4]]
    kind = "I" if key == "$DATATYPE" else "F"
    parameters = integers("A", "B", bits=32) if kind == "I" else floats("A", "B")
    content = fcs_bytes(rows, parameters, kind=kind, version=version, drop=[key])
    sample = read_fcs(written(tmp_path, content))
    assert sample.to_numpy().tolist() == rows
    noted(sample, key)


def test_a_name_is_required_since_fcs_3_1(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), drop=["$P2N"])))
    noted(sample, "$P2N")
    older = fcs_bytes(ROWS, floats("A", "B"), version="FCS3.0", drop=["$P2N"])
    assert read_fcs(written(tmp_path, older)).to_numpy().tolist() == ROWS


def test_without_the_number_of_parameters_nothing_can_be_read(tmp_path: Path) -> None:
    assert "$PAR" in one_line(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), drop=["$PAR"])))


def test_parameters_beyond_par_are_noted(tmp_path: Path) -> None:
    keywords = {"$P3N": "C", "$P3B": "32", "$P3R": "1024", "$P3E": "0,0"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "$P3")


@pytest.mark.parametrize("key", ["$FOO", "$P1XYZ", "$DATATYPES"])
def test_a_dollar_keyword_that_the_standard_does_not_know_is_noted(tmp_path: Path, key: str) -> None:
    """3.2.12: only keywords of the standard begin with a dollar sign."""
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords={key: "bar"})))
    assert sample.text[key] == "bar"
    noted(sample, key, affects_numbers=False)


OPTIONAL = """
    $ABRT $BTIM $CELLS $COM $CYT $CYTSN $DATE $ETIM $EXP $FIL $GATE $GATING $G1N $INST $LOST $OP $P1F $P1L $P1O $P1P
    $P1S $P1T $P1V $PROJ $R1I $R1W $SMNO $SRC $SYS $TR
"""
SINCE = {
    "FCS2.0": "$PK1 $PKN1 $P1G",
    "FCS3.0": "$CSMODE $CSVBITS $CSV1FLAG $PK1 $PKN1 $UNICODE $P1G",
    "FCS3.1": """$CSMODE $CSVBITS $CSV1FLAG $LAST_MODIFIED $LAST_MODIFIER $ORIGINALITY $P1CALIBRATION $P1D $PLATEID
        $PLATENAME $VOL $WELLID""",
    "FCS3.2": """$BEGINDATETIME $ENDDATETIME $CARRIERID $CARRIERTYPE $FLOWRATE $LOCATIONID $UNSTAINEDINFO $P1ANALYTE
        $P1DET $P1FEATURE $P1TAG $P1TYPE $LAST_MODIFIED $VOL""",
}


@pytest.mark.parametrize("version", SINCE)
def test_the_optional_keywords_of_each_version_are_not_noted(tmp_path: Path, version: str) -> None:
    """3.2.19 of FCS 3.0 and 3.1; FCS 3.2, the table of optional keywords."""
    keywords = dict.fromkeys((OPTIONAL + SINCE[version]).split(), "1") | {
        "VENDOR": "x",
        "#P1MAXUSEFULDATARANGE": "1",
    }
    if "$P1D" in keywords:
        keywords["$P1D"] = "Linear,0,1024"
    sample = conforming(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), version=version, keywords=keywords)))
    assert {key: sample.text[key] for key in keywords} == keywords


def test_fcs_3_2_asks_for_the_name_of_the_cytometer(tmp_path: Path) -> None:
    """FCS 3.2, the table of required keywords: $CYT."""
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), version="FCS3.2", drop=["$CYT"])))
    noted(sample, "$CYT", affects_numbers=False)
