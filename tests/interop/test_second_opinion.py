"""A second opinion on a file, by readers that nobody here wrote."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg.cli import main
from cytoreg.errors import FCSError, StudyError
from cytoreg.interop import readers

ROWS = [[1.5, 2.0, 3.0], [4.0, 5.25, 6.0], [7.0, 8.0, 9.0], [-1.0, 0.0, 12.0]]

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Command:
    """`cytoreg check`: its exit status and standard output."""

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["check", *map(str, arguments)])
        return int(stopped.value.code or 0), capsys.readouterr().out

    return call


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    return written(tmp_path, fcs_bytes(ROWS, floats("FSC-A", "FL1-A", "Time"), keywords={"$TIMESTEP": "0.01"}))


def test_every_reader_agrees_with_us_on_every_value(tube: Path) -> None:
    opinions = readers.compare_readers(tube, readers.READERS)
    assert [opinion.reader for opinion in opinions] == ["flowio", "fcsparser", "flowkit"]
    for opinion in opinions:
        assert opinion.equal and opinion.compared == 12 and (opinion.events, opinion.channels) == (4, 3)
    assert opinions[0].message == "all 12 stored values equal, 4 events x 3 channels"
    assert opinions[2].message == "all 12 linear values equal (to 1e-6), 4 events x 3 channels"


def test_the_default_readers_are_the_two_that_decode_bytes(tube: Path) -> None:
    assert [opinion.reader for opinion in readers.compare_readers(tube)] == ["flowio", "fcsparser"]


def test_values_read_otherwise_are_counted_and_the_first_named(
    tube: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = np.array(ROWS, dtype=np.float32)
    other[2:, 1] = 99
    monkeypatch.setitem(readers._READ, "flowio", lambda *_: other)
    (opinion,) = readers.compare_readers(tube, ["flowio"])
    assert opinion.opened and not opinion.equal
    assert (opinion.compared, opinion.different) == (12, 2)
    assert [str(difference) for difference in opinion.first] == [
        "event 2, channel 2 (FL1-A): 99 there, 8 here",
        "event 3, channel 2 (FL1-A): 99 there, 0 here",
    ]
    assert opinion.message == "2 of 12 stored values differ"


def test_another_number_of_events_is_no_agreement(tube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = np.array(ROWS[:3], dtype=np.float32)
    monkeypatch.setitem(readers._READ, "fcsparser", lambda *_: fewer)
    (opinion,) = readers.compare_readers(tube, ["fcsparser"])
    assert not opinion.equal and (opinion.compared, opinion.different) == (9, 0)
    assert "reads 3 events x 3 channels, we read 4 events x 3 channels" in opinion.message


def test_not_a_number_equals_not_a_number(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes([[float("nan"), 1], [2, float("inf")]], floats("A", "B")))
    assert all(opinion.equal for opinion in readers.compare_readers(path))
    assert not readers._same(np.array([np.nan]), np.array([0.0]), close=False).any()
    assert not readers._same(np.array([np.nan]), np.array([0.0]), close=True).any()


def test_stored_values_are_compared_before_amplifier_and_gain_linear_ones_after(tmp_path: Path) -> None:
    parameters = [
        {**integers("FL1", top=1024)[0], "E": "4,1"},
        {**integers("FL2", top=1024)[0], "G": "8"},
    ]
    path = written(tmp_path, fcs_bytes([[0, 8], [512, 16], [1023, 800]], parameters, kind="I"))
    opinions = readers.compare_readers(path, readers.READERS)
    assert all(opinion.equal for opinion in opinions), [opinion.message for opinion in opinions]
    linear = readers._in_seconds(readers.read_fcs(path))
    assert linear[1].tolist() == [100.0, 2.0]  # 10^(4 x 512 / 1024), and 16 / 8


def test_flowio_says_which_offsets_it_had_to_be_told_to_follow(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B", "C"), text_data=(-40, -40)))
    flowio, fcsparser = readers.compare_readers(path)
    assert flowio.equal and flowio.how == "told to follow the offsets of HEADER"
    assert fcsparser.equal and fcsparser.how == ""


def test_a_reader_that_does_not_open_the_file_gives_its_reason_in_one_line(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B", "C"), byteord="1,2,3,4", drop=["$BYTEORD"])
    path = written(tmp_path, content)
    for opinion in readers.compare_readers(path):
        assert not opinion.opened and not opinion.equal
        assert opinion.message.startswith("does not open the file (KeyError") and "\n" not in opinion.message
        assert (opinion.our_events, opinion.our_channels) == (4, 3)


def test_what_we_cannot_read_and_who_is_unknown(tmp_path: Path) -> None:
    bad = tmp_path / "bad.fcs"
    bad.write_bytes(b"nothing")
    with pytest.raises(FCSError, match="not an FCS file"):
        readers.compare_readers(bad)
    with pytest.raises(StudyError, match="did you mean 'flowio'"):
        readers.compare_readers(bad, ["flowoi"])


def test_the_command_lists_differences_and_ends_with_status_1(
    check: Command, tube: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(tube, "--against", "flowio,fcsparser,flowkit")[0] == 0
    monkeypatch.setitem(readers._READ, "flowio", lambda *_: np.zeros((4, 3)))
    status, out = check(tube, "--against", "flowio, fcsparser")
    assert status == 1
    assert out.splitlines()[:4] == [
        "tube.fcs: 4 events x 3 channels",
        "flowio: 11 of 12 stored values differ",
        "  event 0, channel 1 (FSC-A): 0 there, 1.5 here",
        "  event 0, channel 2 (FL1-A): 0 there, 2 here",
    ]
    assert "  and 6 more" in out and "fcsparser: all 12 stored values equal" in out
    assert out.splitlines()[-1] == f"next: cytoreg inspect {tube}"
    status, out = check(tube, "--against", "flowio", "--json")
    (plain,) = json.loads(out)
    assert status == 1 and plain["different"] == 11 and not plain["equal"]
    assert plain["first"][0] == {"event": 0, "channel": 1, "name": "FSC-A", "ours": 1.5, "theirs": 0.0}


def test_a_file_that_no_reader_opens_has_no_second_opinion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, fcs_bytes(ROWS, floats("A", "B", "C"), drop=["$BYTEORD"]), "tube.001")
    for more in ([], ["--quiet"], ["--json"]):
        with pytest.raises(SystemExit) as stopped:
            main(["check", str(path), *more])
        out, err = capsys.readouterr()
        assert stopped.value.code == 1
        assert err == "cytoreg: tube.001: no second opinion: no other reader opens it\n"
        assert more == ["--quiet"] or out.count("does not open the file") == 2


def test_a_reader_that_does_not_open_the_file_is_no_disagreement(
    check: Command, tube: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> np.ndarray:
        raise ValueError("not mine")

    monkeypatch.setitem(readers._READ, "flowio", refuses)
    status, out = check(tube)
    assert status == 0 and "flowio: does not open the file (ValueError: not mine)" in out


@pytest.mark.parametrize("kind", ["D", "I"])
def test_64_bit_floats_and_integers_above_24_bits_are_no_difference(tmp_path: Path, kind: str) -> None:
    if kind == "D":
        content = fcs_bytes([[0.1, 1 / 3], [16777217.0, 1e-30]], integers("A", "B", bits=64, top=2**18), kind="D")
    else:
        content = fcs_bytes([[2**24 + 1, 5], [2**32 - 1, 2**31 + 1]], integers("A", "B", bits=32), kind="I")
    path = written(tmp_path, content)
    for opinion in readers.compare_readers(path, readers.READERS):
        assert opinion.equal and opinion.compared == 4, opinion.message
    stored = readers._fcsparser(path, 0, {})
    assert stored[1, 0] == (16777217.0 if kind == "D" else 2**32 - 1)  # 32-bit floats have neither


def test_what_is_packed_or_remote_is_unpacked_for_the_others(check: Command, tube: Path, tmp_path: Path) -> None:
    import fsspec

    (tmp_path / "packed.fcs.gz").write_bytes(gzip.compress(tube.read_bytes()))
    with zipfile.ZipFile(tmp_path / "tubes.zip", "w") as archive:
        archive.write(tube, "inner.fcs")
    fsspec.filesystem("memory").pipe("/second_opinion.fcs", tube.read_bytes())
    places = {
        str(tmp_path / "packed.fcs.gz"): "packed.fcs.gz",
        str(tmp_path / "tubes.zip"): "tubes.zip/inner.fcs",
        str(tmp_path / "tubes.zip" / "inner.fcs"): "tubes.zip/inner.fcs",
        "memory://second_opinion.fcs": "second_opinion.fcs",
    }
    for place, name in places.items():
        status, out = check(place)
        assert status == 0, (place, out)
        assert out.splitlines()[0] == f"{name}: 4 events x 3 channels"
        assert out.count("all 12 stored values equal") == 2


def test_a_tube_that_is_not_there_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nope.fcs", "nope.fcs.gz"):
        with pytest.raises(SystemExit) as stopped:
            main(["check", str(tmp_path / name)])
        assert stopped.value.code == 1
        assert capsys.readouterr().err == f"cytoreg: {tmp_path / name}: there is no such file\n"


def test_every_data_set_of_a_file_is_compared(check: Command, real: Path) -> None:
    status, out = check(real / "instruments" / "fc500.lmd", "--against", "flowio,fcsparser")
    assert status == 1  # fcsparser keeps 8 of the 10 bits of the first data set
    assert "event 0, channel 1 (FS Lin): 155 there, 411 here" in out and 155 == 411 & 0xFF
    second = out.partition("data set 1 of 2")[2]
    assert second.count("all 216,576 stored values equal, 27,072 events x 8 channels") == 2


def test_instruments_on_which_they_agree(real: Path) -> None:
    for name in (
        "facscalibur_hts_fcs2.0.fcs",
        "attune_nxt_fcs3.1.fcs",
        "stratedigm_s1400.fcs",
        "navios_bitmask.lmd",
    ):
        opinions = readers.compare_readers(real / "instruments" / name, readers.READERS)
        assert all(opinion.equal for opinion in opinions), (name, [opinion.message for opinion in opinions])
