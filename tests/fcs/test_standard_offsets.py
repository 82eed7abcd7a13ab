"""Where DATA is and how many events it holds: FCS 3.1, section 3.1, $BEGINDATA, $ENDDATA and $TOT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bytes_of import data_begin, fcs_bytes, floats, integers, with_offsets, written
from said_of import conforming, noted, one_line

from cytoreg import FCSError, read_fcs

ROWS = [[float(i), float(1000 - i)] for i in range(50)]
CHANNELS = floats("A", "B")
GOOD = fcs_bytes(ROWS, CHANNELS)
BEGIN, END = data_begin(GOOD), len(GOOD) - 1
IN_TEXT = ["$BEGINDATA", "$ENDDATA"]


def test_offsets_that_agree_leave_nothing_to_note(tmp_path: Path) -> None:
    assert conforming(written(tmp_path, GOOD)).to_numpy().tolist() == ROWS


@pytest.mark.parametrize("version", ["FCS3.0", "FCS3.1", "FCS3.2"])
def test_the_offsets_of_text_hold_where_those_of_header_are_zero(tmp_path: Path, version: str) -> None:
    content = with_offsets(fcs_bytes(ROWS, CHANNELS, version=version), "data", 0, 0)
    assert read_fcs(written(tmp_path, content)).to_numpy().tolist() == ROWS


def test_fcs_2_0_gives_offsets_in_header_alone(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, CHANNELS, version="FCS2.0", drop=IN_TEXT)
    assert conforming(written(tmp_path, content)).to_numpy().tolist() == ROWS


DISAGREE = {
    "HEADER blank": with_offsets(GOOD, "data", "", ""),
    "HEADER NUL": GOOD[:26] + bytes(16) + GOOD[42:],
    "HEADER words": with_offsets(GOOD, "data", "begin", "end"),
    "HEADER negative": with_offsets(GOOD, "data", -1, -1),
    "HEADER past the end": with_offsets(GOOD, "data", 9_000_000, 9_000_399),
    "HEADER turned round": with_offsets(GOOD, "data", END, BEGIN),
    "HEADER begins one late": fcs_bytes(ROWS, CHANNELS, header_data=(1, 0)),
    "HEADER begins one early": fcs_bytes(ROWS, CHANNELS, header_data=(-1, 0)),
    "HEADER ends one late": fcs_bytes(ROWS, CHANNELS, header_data=(0, 1)),
    "HEADER ends one early": fcs_bytes(ROWS, CHANNELS, header_data=(0, -1)),
    "HEADER moved by one": fcs_bytes(ROWS, CHANNELS, header_data=(1, 1)) + b"00000000",
    "TEXT absent": fcs_bytes(ROWS, CHANNELS, drop=IN_TEXT),
    "TEXT begin absent": fcs_bytes(ROWS, CHANNELS, drop=IN_TEXT[:1]),
    "TEXT zero": fcs_bytes(ROWS, CHANNELS, text_data=(-BEGIN, -END)),
    "TEXT past the end": fcs_bytes(ROWS, CHANNELS, text_data=(9_000_000, 9_000_000)),
    "TEXT turned round": fcs_bytes(ROWS, CHANNELS, text_data=(400, -400)),
    "TEXT begins one late": fcs_bytes(ROWS, CHANNELS, text_data=(1, 0)),
    "TEXT begins one early": fcs_bytes(ROWS, CHANNELS, text_data=(-1, 0)),
    "TEXT ends one late": fcs_bytes(ROWS, CHANNELS, text_data=(0, 1)),
    "TEXT ends one early": fcs_bytes(ROWS, CHANNELS, text_data=(0, -1)),
    "both end one late": fcs_bytes(ROWS, CHANNELS, header_data=(0, 1), text_data=(0, 1)) + b"00000000",
    "both end one early": fcs_bytes(ROWS, CHANNELS, header_data=(0, -1), text_data=(0, -1)),
    "both end one late, at the end of the file": fcs_bytes(ROWS, CHANNELS, header_data=(0, 1), text_data=(0, 1)),
}


@pytest.mark.parametrize("case", DISAGREE)
def test_offsets_that_are_off_are_noted_and_lose_nothing(tmp_path: Path, case: str) -> None:
    """$TOT, the size of DATA and the place of TEXT leave one reading."""
    sample = read_fcs(written(tmp_path, DISAGREE[case]))
    assert sample.n_events == 50
    assert sample.to_numpy().tolist() == ROWS
    assert sample.problems
    one_line(written(tmp_path, DISAGREE[case], "strict.fcs"), strict=True)


def test_offsets_that_differ_though_both_could_be_affect_numbers(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, CHANNELS, header_data=(8, 8)) + bytes(8)
    sample = read_fcs(written(tmp_path, content))
    noted(sample, "HEADER", "TEXT", affects_numbers=True)


@pytest.mark.parametrize("off", [1, -1])
def test_a_begin_that_is_one_off_in_both_places_is_never_read_as_if_it_were_right(
    tmp_path: Path, off: int
) -> None:
    content = fcs_bytes(ROWS, CHANNELS, header_data=(off, 0), text_data=(off, 0)) + b"00000000"
    path = written(tmp_path, content)
    try:
        sample = read_fcs(path)
        values = sample.to_numpy()
    except FCSError:
        one_line(path)
    else:
        assert sample.problems
        assert values.tolist() == ROWS or any(problem.affects_numbers for problem in sample.problems)


@pytest.mark.parametrize("layout", ["{:08d}", "{:<8d}"])
def test_offsets_in_header_may_be_filled_up_in_another_way(tmp_path: Path, layout: str) -> None:
    """3.1 wants them right-justified, after spaces."""
    content = with_offsets(GOOD, "data", layout.format(BEGIN), layout.format(END))
    content = with_offsets(content, "text", layout.format(58), layout.format(BEGIN - 1))
    assert read_fcs(written(tmp_path, content)).to_numpy().tolist() == ROWS


@pytest.mark.parametrize(("field", "width"), [("$BEGINDATA", 20), ("$ENDDATA", 20), ("$BEGINDATA", 12)])
def test_offsets_in_text_may_be_filled_up_with_zeros_or_spaces(tmp_path: Path, field: str, width: int) -> None:
    keywords = {"$BEGINDATA": "0" * width, "$ENDDATA": "0" * width}
    head = fcs_bytes([], CHANNELS, keywords={**keywords, "$TOT": "50"})
    data = GOOD[BEGIN:]
    fill = "0" if field == "$BEGINDATA" else " "
    first, last = len(head), len(head) + len(data) - 1
    keywords = {"$BEGINDATA": str(first).rjust(width, fill), "$ENDDATA": str(last).rjust(width, fill)}
    content = (
        with_offsets(fcs_bytes([], CHANNELS, keywords={**keywords, "$TOT": "50"}), "data", first, last) + data
    )
    assert conforming(written(tmp_path, content)).to_numpy().tolist() == ROWS


@pytest.mark.parametrize("begin", [99_999_990, 120_000_000, 5_000_000_000])
def test_offsets_above_99_999_999_stand_in_text_alone(tmp_path: Path, begin: int) -> None:
    """3.1, the second example of a HEADER. The file is sparse: nothing but its ends is on the disk."""
    data = GOOD[BEGIN:]
    keywords = {"$BEGINDATA": str(begin), "$ENDDATA": str(begin + len(data) - 1), "$TOT": "50"}
    head = with_offsets(fcs_bytes([], CHANNELS, keywords=keywords), "data", 0, 0)
    path = written(tmp_path, head)
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(data)
    sample = conforming(path)
    assert sample["B"].tolist() == [row[1] for row in ROWS]


TOT = {
    "60": 50,
    "1000000000000000000": 50,
    "9" * 40: 50,
    "1e18": 50,
    "-1": 50,
    "": 50,
    "fifty": 50,
    "nan": 50,
    "2.5": 50,
    "51": 50,
    "49": 49,
    "1": 1,
}


@pytest.mark.parametrize("tot", TOT)
def test_a_tot_that_is_wrong_is_noted_and_reads_what_is_there(tmp_path: Path, tot: str) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, CHANNELS, keywords={"$TOT": tot})))
    assert sample.n_events == TOT[tot]
    assert sample.to_numpy().tolist() == ROWS[: TOT[tot]]
    noted(sample, "$TOT", affects_numbers=True)


def test_a_tot_of_zero_over_data_that_holds_events_is_noted(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, CHANNELS, keywords={"$TOT": "0"})))
    assert sample.to_numpy().tolist() in ([], ROWS)
    noted(sample, "$TOT", affects_numbers=True)


def test_data_longer_than_its_events_by_part_of_one_is_noted(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, CHANNELS, header_data=(0, 5), text_data=(0, 5)) + bytes(5)
    sample = read_fcs(written(tmp_path, content))
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "DATA")


def test_packed_events_without_tot_are_counted_by_their_bits(tmp_path: Path) -> None:
    """24 events of 3 x 11 bits are 99 bytes."""
    parameters = integers("A", "B", "C", bits=11)
    content = fcs_bytes([], parameters, kind="I", version="FCS3.0", data=b"\xff" * 99, drop=["$TOT"])
    sample = read_fcs(written(tmp_path, content))
    assert sample.n_events == 24
    noted(sample, "$TOT")


EMPTY = fcs_bytes([], CHANNELS)
AT = len(EMPTY)
NO_EVENTS = {
    "begin and one byte before it": EMPTY,
    "zero in HEADER and TEXT": with_offsets(fcs_bytes([], CHANNELS, text_data=(-AT, 1 - AT)), "data", 0, 0),
    "begin equal to end": fcs_bytes([], CHANNELS, header_data=(0, 1), text_data=(0, 1)),
    "blank in HEADER, zero in TEXT": with_offsets(
        fcs_bytes([], CHANNELS, text_data=(-AT, 1 - AT)), "data", "", ""
    ),
    "none at all, FCS 2.0": with_offsets(fcs_bytes([], CHANNELS, version="FCS2.0", drop=IN_TEXT), "data", 0, 0),
    "a CRC after nothing": EMPTY + b"00000000",
}


@pytest.mark.parametrize("case", NO_EVENTS)
def test_a_tube_in_which_nothing_was_acquired_opens(tmp_path: Path, case: str) -> None:
    """A blank, or a run that was stopped: $TOT/0/."""
    sample = read_fcs(written(tmp_path, NO_EVENTS[case]))
    assert sample.n_events == 0
    assert sample.to_numpy().shape == (0, 2)
    assert sample["A"].shape == (0,)
    assert sample["A"].dtype == np.float32
    assert sample.to_pandas().shape == (0, 2)
    assert not any(problem.affects_numbers for problem in sample.problems)


def test_offsets_of_text_that_are_impossible_are_refused(tmp_path: Path) -> None:
    for first, last in ((0, 0), (58, 20), (10**7, 10**7 + 9), ("", ""), ("x", "y")):
        one_line(written(tmp_path, with_offsets(GOOD, "text", first, last)))
