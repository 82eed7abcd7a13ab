"""HEADER and TEXT around a DATA segment: offsets of any size, delimiters, ANALYSIS."""

from __future__ import annotations

import re
from pathlib import Path

import fcsparser
import flowio
import numpy as np
import pytest

from cytoreg import FCSError, read_fcs
from cytoreg.errors import StoreError
from cytoreg.fcs import compose
from cytoreg.fcs.atomic import replace_whole, write_whole
from cytoreg.fcs.compose import enclose

PLAIN = {"$BYTEORD": "1,2,3,4", "$DATATYPE": "F", "$MODE": "L"}
LIMIT = 99_999_999


def described(n_events: int, n_channels: int) -> dict[str, str]:
    text = PLAIN | {"$PAR": str(n_channels), "$TOT": str(n_events)}
    for i in range(1, n_channels + 1):
        text |= {f"$P{i}N": f"C{i}", f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}R": "262144"}
    return text


def offsets(before: bytes) -> tuple[list[int], dict[str, int]]:
    """Those of HEADER, and those of TEXT."""
    fields = [int(before[10 + 8 * i : 18 + 8 * i]) for i in range(6)]
    pairs = before[fields[0] : fields[1] + 1].decode()[1:-1].split("|")
    text = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return fields, {key: int(text[key]) for key in text if re.match(r"\$(BEGIN|END)", key)}


@pytest.mark.parametrize("data_bytes", [0, 1, 8, 9_000, 99_000, 999_700, LIMIT - 500, 10**8, 10**9, 10**12])
def test_offsets_point_at_the_segments_whatever_their_size(data_bytes: int) -> None:
    for more in range(12):  # lengths around the points where an offset gains a digit
        before, after = enclose("FCS3.1", PLAIN, data_bytes + more, {"K": "v"}, where="x")
        header, text = offsets(before)
        begin, end = len(before), len(before) + data_bytes + more - 1
        assert header[:2] == [58, begin - 1]
        assert (text["$BEGINDATA"], text["$ENDDATA"]) == (begin, end)
        assert header[2:4] == ([begin, end] if end <= LIMIT else [0, 0])
        assert after == b"|K|v|00000000"
        analysis = [end + 1, end + 5]
        assert [text["$BEGINANALYSIS"], text["$ENDANALYSIS"]] == analysis
        assert header[4:] == (analysis if analysis[1] <= LIMIT else [0, 0])
        assert text["$BEGINSTEXT"] == text["$ENDSTEXT"] == 0


def test_header_holds_offsets_up_to_99_999_999_and_no_further() -> None:
    begin = len(enclose("FCS3.1", PLAIN, LIMIT - 1_000, where="x")[0])
    last = LIMIT - begin + 1
    assert offsets(enclose("FCS3.1", PLAIN, last, where="x")[0])[0][2:4] == [begin, LIMIT]
    header, text = offsets(enclose("FCS3.1", PLAIN, last + 1, where="x")[0])
    assert header[2:] == [0, 0, 0, 0]
    assert text["$ENDDATA"] - text["$BEGINDATA"] == last
    assert text["$BEGINDATA"] == begin + 1  # $ENDDATA has a digit more


def test_a_file_beyond_100_mb_is_read_by_us_and_flowio(tmp_path: Path) -> None:
    """Sparse: only its TEXT and its last event are on the disk."""
    n, c = 3_200_000, 8
    before, after = enclose("FCS3.1", described(n, c), n * c * 4, where="x")
    path = tmp_path / "large.fcs"
    with path.open("wb") as file:
        file.write(before)
        file.seek(len(before) + (n * c - 1) * 4)
        file.write(np.array([1234.5], "<f4").tobytes() + after)
    sample = read_fcs(path, strict=True)
    assert sample.n_events == n
    assert sample["C8"][-1] == 1234.5
    assert not sample["C8"][:-1].any()
    text = flowio.FlowData(str(path), only_text=True).text  # which raises where offsets disagree
    assert int(text["begindata"]) == len(before)


def test_fcs_2_0_has_its_offsets_in_header_alone() -> None:
    text = PLAIN | {"$BEGINDATA": "1", "$NEXTDATA": "7"}
    before, after = enclose("FCS2.0", text, 100, where="x.fcs")
    assert (offsets(before)[1], after) == ({}, b"")
    assert before.endswith(b"|$NEXTDATA|0|")
    with pytest.raises(FCSError, match=r"x.fcs: an FCS 2.0 file ends at byte 99,999,999"):
        enclose("FCS2.0", text, 10**8, where="x.fcs")


def test_text_that_header_cannot_point_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "_HEADER_LIMIT", 9_999)  # so that no 100 MB of TEXT are needed
    enclose("FCS3.1", {"A": "x" * 9_000}, 10**6, where="x.fcs")
    with pytest.raises(FCSError, match="more than HEADER can point at"):
        enclose("FCS3.1", {"A": "x" * 10_000}, 4, where="x.fcs")


def test_a_text_that_uses_every_character_still_comes_back(tmp_path: Path) -> None:
    every = "a" + "".join(map(chr, range(1, 127))) + "z"
    text = described(1, 1) | {"EVERY": every, "TWICE": "a\x01\x01b\x01\x01\x01c", "LEFT|RIGHT": "x"}
    before, after = enclose("FCS3.1", text, 4, where="x")
    path = tmp_path / "x.fcs"
    write_whole(path, [before, np.array([2.5], "<f4").tobytes(), after])
    ours = read_fcs(path).text
    theirs = fcsparser.parse(path, meta_data_only=True)
    for key in ("EVERY", "TWICE", "LEFT|RIGHT"):
        assert ours[key] == theirs[key] == text[key]


def test_where_no_character_can_part_the_words_that_is_said() -> None:
    text = {f"K{code}": chr(code) for code in range(1, 127)}
    with pytest.raises(FCSError, match=r"x.fcs: keywords and values begin or end with every character"):
        enclose("FCS3.1", text, 4, where="x.fcs")


def test_the_delimiter_of_analysis_is_that_of_text() -> None:
    before, after = enclose("FCS3.0", PLAIN | {"A": "x|y"}, 4, {"B": "x/y", "EMPTY": ""}, where="x")
    delimiter = before[58:59]
    assert delimiter not in b"|/"
    assert after.split(delimiter) == [b"", b"B", b"x/y", b"EMPTY", b" ", b"00000000"]


def test_whatever_stops_a_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> object:
        yield b"some bytes"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x.fcs", interrupted())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    long = tmp_path / ("x" * 251 + ".fcs")  # the longest name there may be: the temporary one is not longer
    write_whole(long, [b"a", memoryview(b"bc")])
    assert long.read_bytes() == b"abc"


def test_a_writer_of_its_own_has_the_same_promises(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    path.write_bytes(b"old")
    seen: list[Path] = []

    def fails(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            replace_whole(path, fails)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    assert seen[0] != seen[1] and {place.parent for place in seen} == {tmp_path}  # two writers do not meet
    replace_whole(path, lambda temporary: temporary.write_bytes(b"new"))
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]
    for bad in (tmp_path / "none" / "x.fcs", tmp_path / "a\0b"):
        with pytest.raises(StoreError, match="cannot be written"):
            replace_whole(bad, lambda temporary: temporary.write_bytes(b"new"))


def test_a_whole_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, there = tmp_path / "x.csv", []
    monkeypatch.setattr("os.fsync", lambda number: there.append((number, path.exists())))
    replace_whole(path, lambda temporary: temporary.write_bytes(b"new"))
    write_whole(tmp_path / "y.fcs", [b"a"])
    assert [exists for _, exists in there] == [False, True] and path.read_bytes() == b"new"
