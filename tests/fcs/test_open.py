"""Opening a file: what is read and what is not, dialects that are read on, and what is refused in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bytes_of import fcs_bytes, floats, integers, written
from said_of import one_line

from cytoreg import FCSError, read_fcs

ROWS = [[float(i), float(-i)] for i in range(50)]
ROW_BYTES = 8


@contextmanager
def bytes_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of bytes that each read of a file opened meanwhile gave, by whatever call."""
    asked: list[int] = []
    opened = Path.open

    def counted(read: Callable[..., Any]) -> Callable[..., Any]:
        def reads(*arguments: Any) -> Any:
            got = read(*arguments)
            asked.append(got if isinstance(got, int) else len(got))
            return got

        return reads

    class Counted:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> Counted:
            return self

        def __exit__(self, *problem: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def read(self, size: int = -1) -> bytes:
            return counted(self._file.read)(size)

        def readinto(self, buffer: Any) -> int:
            return counted(self._file.readinto)(buffer)

    with monkeypatch.context() as patch:
        for call in ("pread", "preadv"):
            if hasattr(os, call):
                patch.setattr(os, call, counted(getattr(os, call)))
        patch.setattr(Path, "open", lambda path, *a, **k: Counted(opened(path, *a, **k)))
        yield asked


def test_opening_reads_header_and_text_and_a_channel_reads_data_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ROWS * 400
    content = fcs_bytes(rows, floats("A", "B"))
    path = written(tmp_path, content)
    data = len(rows) * ROW_BYTES
    with bytes_asked_for(monkeypatch) as asked:
        sample = read_fcs(path)
        assert sum(asked) < 1 << 16 < data
        asked.clear()
        assert len(sample.channels) == 2
        assert sample.n_events == len(rows)
        assert repr(sample) == "<Sample tube.fcs: 20000 events x 2 channels, FCS3.1>"
        assert not asked
        sample.columns([0, 1])
        assert sum(asked) == data


@pytest.mark.parametrize("begin", [-20, 7])
def test_of_offsets_that_disagree_those_that_fit_are_followed(tmp_path: Path, begin: int) -> None:
    right = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B")))).to_numpy().tolist()
    for where in ("text_data", "header_data"):
        wrong = {where: (begin, 0)}
        sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), **wrong), f"{where}.fcs"))
        assert sample.to_numpy().tolist() == right
        assert sample.problems[0].affects_numbers


def test_data_does_not_lie_inside_the_text_segment(tmp_path: Path) -> None:
    """As Accuri C6 files say that it does: DATA of the right length, but begun where TEXT still goes on."""
    content = fcs_bytes(ROWS, floats("A", "B"), text_data=(-100, -100), header_data=(0, 1))
    sample = read_fcs(written(tmp_path, content))
    assert sample.to_numpy().tolist() == ROWS


def test_without_tot_the_size_of_data_says_how_many_events_there_are(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), drop=["$TOT"])))
    assert sample.n_events == len(ROWS)
    assert "$TOT is absent" in str(sample.problems[0])


def test_a_truncated_file_says_where_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), missing_bytes=10 * ROW_BYTES + 3))
    assert "truncated: it should hold 50 events and ends after 39" in one_line(path)


def test_a_file_that_ends_within_header_or_text_is_refused(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"))
    assert "ends inside its HEADER, after 30 of 58 bytes" in one_line(written(tmp_path, content[:30]))
    assert "TEXT should end at byte" in one_line(written(tmp_path, content[:100]))
    assert "the file is empty" in one_line(written(tmp_path, b""))


def test_what_is_no_fcs_file_is_refused(tmp_path: Path) -> None:
    assert "begins with '%PDF" in one_line(written(tmp_path, b"%PDF-1.7" + bytes(100)))
    assert "'FCS9.9' is not one of" in one_line(
        written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), version="FCS9.9"))
    )
    with pytest.raises(FCSError, match="there is no such file"):
        read_fcs(tmp_path / "absent.fcs")
    with pytest.raises(FCSError, match="is a folder"):
        read_fcs(tmp_path)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"$PAR": "none"}, "keyword $PAR: expected a number, found 'none'"),
        ({"$PAR": "nan"}, "keyword $PAR: expected a number, found 'nan'"),
        ({"$PAR": "2.5"}, "expected a whole number of channels"),
        ({"$PAR": "0"}, "expected a whole number of channels"),
    ],
)
def test_what_cannot_be_read_beyond_doubt_is_refused(
    tmp_path: Path, keywords: dict[str, str], message: str
) -> None:
    assert message in one_line(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))


def test_an_integer_channel_must_say_its_bits(tmp_path: Path) -> None:
    content = fcs_bytes([[1, 2]], integers("A", "B"), kind="I", drop=["$P2B"])
    assert "keyword $P2B: expected a number of bits from 1 to 64, found 'nothing'" in one_line(
        written(tmp_path, content)
    )
    content = fcs_bytes([[1, 2]], integers("A", "B"), kind="I", keywords={"$P2B": "*"})
    assert "found '*'" in one_line(written(tmp_path, content))


def test_several_data_sets_in_one_file(tmp_path: Path) -> None:
    length = len(fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": "0" * 8}))
    first = fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": f"{length:08d}"})
    second = fcs_bytes([[7, 8, 9]], integers("X", "Y", "Z"), kind="I")
    path = written(tmp_path, first + second)
    assert read_fcs(path).to_numpy().tolist() == ROWS
    assert "further data sets" in str(read_fcs(path).problems[0])
    assert read_fcs(path, dataset=1).to_numpy().tolist() == [[7, 8, 9]]
    assert "there is no data set 2; the file holds 2" in one_line(path, dataset=2)
    assert "there is no data set -1" in one_line(path, dataset=-1)


def test_a_file_that_changed_after_it_was_opened_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B")))
    sample = read_fcs(path)
    sample["A"]
    path.write_bytes(path.read_bytes()[:-ROW_BYTES])
    with pytest.raises(FCSError, match=r"tube.fcs: the file has changed since it was opened"):
        sample["A"]
    path.write_bytes(fcs_bytes(ROWS, floats("A", "B")))
    sample = read_fcs(path)
    os.utime(path, ns=(0, 0))
    with pytest.raises(FCSError, match="has changed"):
        sample.to_numpy()
    path.unlink()
    with pytest.raises(FCSError, match="cannot be read"):
        sample.to_numpy()


def test_strict_raises_on_any_departure_and_passes_a_clean_file(tmp_path: Path) -> None:
    clean = written(tmp_path, fcs_bytes(ROWS, floats("A", "B")))
    assert read_fcs(clean, strict=True).problems == ()
    odd = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), drop=["$TOT"]), "odd.fcs")
    assert "odd.fcs: TEXT: $TOT is absent" in one_line(odd, strict=True)


def test_names_that_stand_twice_or_not_at_all_are_noted(tmp_path: Path) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "A"))))
    assert "'A' stands twice" in str(sample.problems[0])
    assert sample[1].tolist() == [row[1] for row in ROWS]
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", " "))))
    assert sample.channels[1].name == "P2"
    assert "$P2N is absent" in str(sample.problems[0])


def test_a_marker_that_repeats_the_channel_is_none(tmp_path: Path) -> None:
    parameters = [
        {"N": "FITC-A", "S": "FITC-A", "B": "32", "R": "1"},
        {"N": "PE-A", "S": "CD3", "B": "32", "R": "1"},
    ]
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, parameters)))
    assert [channel.marker for channel in sample.channels] == [None, "CD3"]
    assert [channel.label for channel in sample.channels] == ["FITC-A", "CD3 (PE-A)"]
