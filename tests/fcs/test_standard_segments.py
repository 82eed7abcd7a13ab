"""Supplemental TEXT, ANALYSIS, and several data sets: FCS 3.1, 2.2.13, 3.1, 3.2.3 to 3.2.5, 3.4, $NEXTDATA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bytes_of import Parameter, data_begin, fcs_bytes, floats, integers, with_offsets, written
from said_of import conforming, noted, one_line

from cytoreg import fcs, read_fcs

ROWS = [[1.5, -2.0], [3.25, 4.0]]
CHANNELS = floats("A", "B")
RESULTS = b"/$CSDATE/26-OCT-1994/$cs1name/lymphocytes/$CS1NUM/3456/Note/a//b/"


def followed_by(segment: bytes, name: str, *, header: bool = True, text: bool = True, **choices: Any) -> bytes:
    """A data set with a further segment after DATA, whose offsets stand in TEXT, in HEADER, or in both.

    name: ANALYSIS or STEXT.
    """
    keywords = {f"$BEGIN{name}": "0" * 8, f"$END{name}": "0" * 8, **choices.pop("keywords", {})}
    at = len(fcs_bytes(ROWS, CHANNELS, keywords=keywords, **choices))
    place = (at, at + len(segment) - 1)
    if text:
        keywords |= {f"$BEGIN{name}": f"{place[0]:08d}", f"$END{name}": f"{place[1]:08d}"}
    content = fcs_bytes(ROWS, CHANNELS, keywords=keywords, **choices)
    if header and name == "ANALYSIS":
        content = with_offsets(content, "analysis", *place)
    return content + segment


@pytest.mark.parametrize("version", ["FCS3.0", "FCS3.1", "FCS3.2"])
def test_a_supplement_after_data_adds_optional_keywords(tmp_path: Path, version: str) -> None:
    content = followed_by(b"/$COM/a//b/Lot/7/", "STEXT", version=version)
    sample = conforming(written(tmp_path, content))
    assert sample.text["$COM"] == "a/b"
    assert sample.text["LOT"] == "7"
    assert sample.to_numpy().tolist() == ROWS


def test_a_supplement_may_lie_between_text_and_data(tmp_path: Path) -> None:
    more = b"/$COM/between/"
    place = {"$BEGINSTEXT": "0" * 8, "$ENDSTEXT": "0" * 8, "$BEGINDATA": "0" * 8, "$ENDDATA": "0" * 8}
    at = len(fcs_bytes([], CHANNELS, keywords={**place, "$TOT": "2"}))
    data = fcs_bytes(ROWS, CHANNELS)[data_begin(fcs_bytes(ROWS, CHANNELS)) :]
    begin = at + len(more)
    place = {"$BEGINSTEXT": f"{at:08d}", "$ENDSTEXT": f"{begin - 1:08d}"}
    place |= {"$BEGINDATA": f"{begin:08d}", "$ENDDATA": f"{begin + len(data) - 1:08d}"}
    head = fcs_bytes([], CHANNELS, keywords={**place, "$TOT": "2"})
    content = with_offsets(head, "data", begin, begin + len(data) - 1) + more + data
    sample = conforming(written(tmp_path, content))
    assert sample.text["$COM"] == "between"
    assert sample.to_numpy().tolist() == ROWS


def test_markers_and_spillover_may_stand_in_the_supplement(tmp_path: Path) -> None:
    """3.2.3: any optional keyword may."""
    more = b"/$P1S/CD4/$P2S/CD25/$SPILLOVER/2,A,B,1,0.1,0.2,1/$TIMESTEP/0.01/"
    sample = read_fcs(written(tmp_path, followed_by(more, "STEXT")))
    assert [channel.marker for channel in sample.channels] == ["CD4", "CD25"]
    assert sample.spillover is not None
    assert sample.spillover.matrix.tolist() == [[1.0, 0.1], [0.2, 1.0]]
    assert sample.timestep == 0.01


def test_a_supplement_that_contradicts_the_primary_text_changes_nothing_and_is_noted(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, followed_by(b"/$PAR/1/$BYTEORD/4,3,2,1/$COM/x/", "STEXT")))
    assert sample.to_numpy().tolist() == ROWS
    assert sample.text["$COM"] == "x"
    noted(sample, "$PAR")


def test_a_supplement_that_repeats_the_primary_text_is_that_text(tmp_path: Path) -> None:
    """Much software gives the place of the primary TEXT as that of the supplement."""
    end = int(fcs_bytes(ROWS, CHANNELS, keywords={"$BEGINSTEXT": "00", "$ENDSTEXT": "0" * 8})[18:26])
    content = fcs_bytes(ROWS, CHANNELS, keywords={"$BEGINSTEXT": "58", "$ENDSTEXT": f"{end:08d}"})
    assert read_fcs(written(tmp_path, content)).to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("begin", "end"), [(10**9, 10**9 + 50), (600, 10**7), (900, 600), (-40, -3), (10**18, 10**18 + 9)]
)
@pytest.mark.parametrize("name", ["STEXT", "ANALYSIS"])
def test_a_segment_that_cannot_be_is_left_out_and_noted(tmp_path: Path, name: str, begin: int, end: int) -> None:
    keywords = {f"$BEGIN{name}": str(begin), f"$END{name}": str(end)}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, CHANNELS, keywords=keywords)))
    assert sample.to_numpy().tolist() == ROWS
    assert dict(sample.analysis) == {}
    noted(sample, name)


def test_offsets_of_a_segment_that_are_words_are_noted(tmp_path: Path) -> None:
    keywords = {"$BEGINSTEXT": "none", "$ENDSTEXT": "none", "$BEGINANALYSIS": "nan", "$ENDANALYSIS": "1.5"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, CHANNELS, keywords=keywords)))
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "STEXT")
    noted(sample, "ANALYSIS")


@pytest.mark.parametrize(("header", "text"), [(True, True), (False, True), (True, False)])
def test_analysis_is_found_by_header_or_by_text(tmp_path: Path, header: bool, text: bool) -> None:
    """3.1: if the offsets in HEADER are zero, $BEGINANALYSIS and $ENDANALYSIS are to be looked at."""
    drop = [] if text else ["$BEGINANALYSIS", "$ENDANALYSIS"]
    version = "FCS3.1" if text else "FCS2.0"
    content = followed_by(RESULTS, "ANALYSIS", header=header, text=text, drop=drop, version=version)
    sample = read_fcs(written(tmp_path, content))
    assert dict(sample.analysis) == {
        "$CSDATE": "26-OCT-1994",
        "$CS1NAME": "lymphocytes",
        "$CS1NUM": "3456",
        "NOTE": "a/b",
    }
    assert "$CSDATE" not in sample.text
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize("field", ["0", ""])
def test_a_data_set_without_analysis_has_an_empty_one(tmp_path: Path, field: str) -> None:
    """3.1: its offsets are zero or blank."""
    content = with_offsets(fcs_bytes(ROWS, CHANNELS), "analysis", field, field)
    assert dict(conforming(written(tmp_path, content)).analysis) == {}


def test_analysis_that_header_puts_outside_the_file_is_noted(tmp_path: Path) -> None:
    content = with_offsets(fcs_bytes(ROWS, CHANNELS), "analysis", 90_000, 90_500)
    sample = read_fcs(written(tmp_path, content))
    assert dict(sample.analysis) == {}
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "ANALYSIS", affects_numbers=False)


def test_analysis_that_holds_no_keywords_is_noted(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, followed_by(bytes(range(1, 60)), "ANALYSIS")))
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "ANALYSIS")


def chained(sets: list[tuple[list[list[float]], list[Parameter], str]], last: str = "0" * 8) -> bytes:
    """Data sets one after another, $NEXTDATA of each counted from its own beginning."""
    whole = b""
    for i, (rows, parameters, kind) in enumerate(sets):
        length = len(fcs_bytes(rows, parameters, kind=kind, keywords={"$NEXTDATA": "0" * 8}))
        following = f"{length:08d}" if i + 1 < len(sets) else last
        whole += fcs_bytes(rows, parameters, kind=kind, keywords={"$NEXTDATA": following})
    return whole


THREE: list[Any] = [
    (ROWS, CHANNELS, "F"),
    ([[7, 8, 9]] * 3, integers("X", "Y", "Z"), "I"),
    ([[100.0]], floats("Only"), "F"),
]


def test_offsets_count_from_the_beginning_of_their_own_data_set(tmp_path: Path) -> None:
    """2.2.13 and $NEXTDATA."""
    path = written(tmp_path, chained(THREE))
    assert fcs.count_datasets(path) == 3
    for i, (rows, parameters, _) in enumerate(THREE):
        sample = read_fcs(path, dataset=i)
        assert sample.to_numpy().tolist() == rows
        assert [channel.name for channel in sample.channels] == [parameter["N"] for parameter in parameters]
    assert "3" in one_line(path, dataset=3)


def test_the_supplement_and_the_analysis_of_a_second_data_set_count_from_its_beginning(tmp_path: Path) -> None:
    first = chained([(ROWS, CHANNELS, "F")])
    first = chained([(ROWS, CHANNELS, "F")], last=f"{len(first):08d}")
    for name, segment in (("STEXT", b"/$COM/second/"), ("ANALYSIS", RESULTS)):
        path = written(tmp_path, first + followed_by(segment, name), f"{name}.fcs")
        sample = read_fcs(path, dataset=1)
        assert sample.to_numpy().tolist() == ROWS
        assert (sample.text["$COM"] == "second") if name == "STEXT" else (sample.analysis["$CS1NUM"] == "3456")
        assert "$COM" not in read_fcs(path).text
        assert dict(read_fcs(path).analysis) == {}


def test_a_file_of_one_data_set_holds_one(tmp_path: Path) -> None:
    assert fcs.count_datasets(written(tmp_path, fcs_bytes(ROWS, CHANNELS))) == 1


@pytest.mark.parametrize("last", ["00000001", "-0000500", "99999999", "1e300", "nan", "00000058"])
def test_a_next_data_set_that_is_none_is_noted_and_ends_the_count(tmp_path: Path, last: str) -> None:
    """Backwards, into itself, past the end: nothing of it may hang or hide the data sets before."""
    path = written(tmp_path, chained(THREE[:2], last=last))
    assert fcs.count_datasets(path) == 2
    assert read_fcs(path).to_numpy().tolist() == ROWS
    sample = read_fcs(path, dataset=1)
    assert sample.to_numpy().tolist() == [[7, 8, 9]] * 3
    noted(sample, "$NEXTDATA")
    one_line(path, dataset=2)


def test_space_between_data_sets_and_after_the_last_is_allowed(tmp_path: Path) -> None:
    """2.2.11, and the eight bytes of the CRC after each data set."""
    one = fcs_bytes(ROWS, CHANNELS, keywords={"$NEXTDATA": "0" * 8})
    gap = b"00000000" + b" " * 13
    first = fcs_bytes(ROWS, CHANNELS, keywords={"$NEXTDATA": f"{len(one) + len(gap):08d}"})
    path = written(tmp_path, first + gap + fcs_bytes([[5.0, 6.0]], CHANNELS) + gap)
    assert fcs.count_datasets(path) == 2
    assert conforming(path, dataset=1).to_numpy().tolist() == [[5.0, 6.0]]


def test_a_segment_of_another_maker_is_left_alone(tmp_path: Path) -> None:
    """3.6: OTHER segments, their offsets after byte 58 of HEADER."""
    other = b"\x00\x01anything at all\xff"
    content = fcs_bytes(ROWS, CHANNELS, text_at=256)
    place = f"{len(content):>8d}{len(content) + len(other) - 1:>8d}".encode()
    content = content[:58] + place + content[58 + len(place) :]
    assert conforming(written(tmp_path, content + other)).to_numpy().tolist() == ROWS
