"""What we write, flowio, fcsparser and FlowKit read as we do; what cannot be written is one line."""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fcsparser
import flowio
import flowkit
import numpy as np
import pytest

from cytoreg import CytoregError, FCSError, read_fcs
from cytoreg.errors import StoreError
from cytoreg.fcs import Spillover, write_fcs

NAMES = ["FSC-A", "FITC-A", "PE-A", "Time"]


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Writing past so many bytes of a file fails, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("version", ["FCS3.1", "FCS3.2"])
@pytest.mark.parametrize("kind", ["F", "D"])
@pytest.mark.parametrize("n", [0, 1, 200])
def test_floats_with_names_and_spillover_are_the_same_in_every_reader(
    tmp_path: Path, version: str, kind: str, n: int
) -> None:
    events = (
        np.random.default_rng(3).normal(1000, 300, size=(n, 4)).astype(np.float64 if kind == "D" else np.float32)
    )
    spillover = Spillover(("FITC-A", "PE-A"), np.array([[1.0, 0.123456789012345], [0.01, 1.0]]))
    path = tmp_path / "x.fcs"
    markers = [None, "CD3", "CD4", None]
    write_fcs(path, events, NAMES, markers, spillover=spillover, version=version, kind=kind)
    assert path.read_bytes().startswith(version.encode() + b"    ")

    meta, frame = fcsparser.parse(path, channel_naming="$PnN", dtype=None)
    np.testing.assert_array_equal(frame.to_numpy(), events)
    assert list(frame.columns) == NAMES
    assert meta["$P2S"] == "CD3"
    theirs = flowio.FlowData(str(path))
    np.testing.assert_array_equal(np.array(theirs.events).reshape(-1, 4), events)
    kit = flowkit.Sample(str(path))
    np.testing.assert_array_equal(kit.get_events(source="raw"), events)
    assert flowkit.Matrix(kit.metadata["spillover"], NAMES[1:3]).matrix.tolist() == spillover.matrix.tolist()

    ours = read_fcs(path, strict=True)
    np.testing.assert_array_equal(ours.to_numpy(), events)
    assert ours["CD3"].dtype == events.dtype
    assert ours.spillover is not None
    np.testing.assert_array_equal(ours.spillover.matrix, spillover.matrix)


def test_the_bytes_are_those_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(
        path, np.array([[1.5, -2.0]]), ["A", "B"], [None, "CD4"], keywords={"$cyt": "Aria"}, ranges=[1024, None]
    )
    content = path.read_bytes()
    text, data, analysis = [
        (int(content[10 + 16 * i : 18 + 16 * i]), int(content[18 + 16 * i : 26 + 16 * i])) for i in range(3)
    ]
    delimiter, *pairs, last = content[text[0] : text[1] + 1].decode().split("|")
    assert (delimiter, last) == ("", "")
    expected = {"$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0", "$NEXTDATA": "0"}
    expected |= {"$BEGINDATA": str(data[0]), "$ENDDATA": str(data[1]), "$BYTEORD": "1,2,3,4", "$DATATYPE": "F"}
    expected |= {"$MODE": "L", "$PAR": "2", "$TOT": "1", "$CYT": "Aria"}
    expected |= {"$P1N": "A", "$P1B": "32", "$P1E": "0,0", "$P1R": "1024"}
    expected |= {"$P2N": "B", "$P2B": "32", "$P2E": "0,0", "$P2R": "262144", "$P2S": "CD4"}
    assert dict(zip(pairs[::2], pairs[1::2], strict=True)) == expected
    assert content[data[0] : data[1] + 1] == b"\x00\x00\xc0\x3f\x00\x00\x00\xc0"  # IEEE 754, least byte first
    assert content[data[1] + 1 :] == b"0" * 8  # no CRC (section 3.5)
    assert analysis == (0, 0)


def test_arrays_of_any_layout_come_out_the_same(tmp_path: Path) -> None:
    events = np.arange(24, dtype=np.float64).reshape(6, 4) / 7
    for i, array in enumerate((events, np.asfortranarray(events), events[::-1][::-1], events.astype(">f8"))):
        path = tmp_path / f"{i}.fcs"
        write_fcs(path, array, NAMES, kind="D")
        np.testing.assert_array_equal(read_fcs(path).to_numpy(), events)


def test_numbers_that_floats_of_32_bits_do_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.array([[0.1, 1e-50], [np.nan, -np.inf]]), ["A", "B"])  # rounded; too small is 0
    np.testing.assert_array_equal(read_fcs(path).to_numpy(), np.array([[0.1, 0], [np.nan, -np.inf]], np.float32))
    with pytest.raises(FCSError, match=r"channel 'B', event 1 \(from 0\): -1e\+40 is beyond 32-bit floats"):
        write_fcs(path, np.array([[0.1, np.inf], [1, -1e40]]), ["A", "B"])
    np.testing.assert_array_equal(read_fcs(path)["B"], [0, -np.inf])  # the file that was there stays
    write_fcs(path, np.array([[0.1, np.inf], [1, -1e40]]), ["A", "B"], kind="D")
    assert read_fcs(path)["B"].tolist() == [np.inf, -1e40]


def test_further_keywords_are_kept_and_those_of_the_layout_are_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    kept = {
        "$P1V": "450",
        "$P1CALIBRATION": "2.5,MESF",
        "$CYT": "Aria",
        "MY KEY": "a|b/c\\d",
        "$DATE": "01-JAN-2024",
    }
    ours = {
        "$tot": "9",
        "$DATATYPE": "I",
        "$NEXTDATA": "5",
        "$MODE": "C",
        "$UNICODE": "950,$P1S",
        "$BEGINDATA": "7",
    }
    of_channels = {
        "$P1B": "8",
        "$P1E": "4,1",
        "$P1G": "10",
        "$P1R": "16",
        "$P1D": "Linear,0,1",
        "$P1DATATYPE": "D",
    }
    write_fcs(path, np.ones((3, 1), np.float32), ["A"], keywords={**kept, **ours, **of_channels, "$P1S": "CD8"})
    sample = read_fcs(path, strict=True)
    assert sample.n_events == 3
    assert sample["A"].tolist() == [1, 1, 1]
    assert sample.channels[0].marker is None
    assert {key: sample.text[key] for key in kept} == kept
    assert sample.text["$MODE"] == "L"
    assert not {"$UNICODE", "$P1G", "$P1D", "$P1DATATYPE"} & set(sample.text)


def test_a_matrix_replaces_every_other_one(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    old = dict.fromkeys(("$SPILLOVER", "SPILLOVER", "SPILL", "$COMP", "COMP"), "2,A,B,1,.5,.5,1")
    matrix = np.array([[1, 0.1], [0.2, 1]])
    write_fcs(path, np.ones((1, 2)), ["A", "B"], keywords=old, spillover=Spillover(("A", "B"), matrix))
    text = read_fcs(path).text
    assert [key for key in old if key in text] == ["$SPILLOVER"]
    np.testing.assert_array_equal([float(x) for x in text["$SPILLOVER"].split(",")[3:]], matrix.ravel())
    write_fcs(path, np.ones((1, 2)), ["A", "B"], keywords=old)
    assert read_fcs(path).text["SPILL"] == old["SPILL"]


def test_fcs_3_2_names_the_cytometer_and_leaves_out_what_it_withdrew(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    old = {"$GATE": "1", "$G1R": "256", "$PK1": "20", "$CSMODE": "1", "$PLATEID": "P7"}
    write_fcs(path, np.ones((1, 1)), ["A"], keywords=old, version="FCS3.2")
    text = read_fcs(path, strict=True).text
    assert text["$CYT"] == "unknown"
    assert set(old) & set(text) == {"$PLATEID"}  # deprecated, not withdrawn
    write_fcs(path, np.ones((1, 1)), ["A"], keywords=old | {"$cyt": "Aurora"}, version="FCS3.2")
    assert read_fcs(path).text["$CYT"] == "Aurora"
    write_fcs(path, np.ones((1, 1)), ["A"], keywords=old)
    assert set(old) <= set(read_fcs(path).text)
    assert "$CYT" not in read_fcs(path).text


def test_a_range_that_is_no_whole_number_stays_the_scale_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.ones((1, 3)), ["A", "B", "C"], ranges=[1023.4 / 1.7, 4194304.0, None])
    assert [channel.range for channel in read_fcs(path).channels] == [1023.4 / 1.7, 4194304, 262144]
    assert read_fcs(path).text["$P2R"] == "4194304"


def test_a_value_may_begin_with_what_others_use_as_a_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    more = {"$FIL": "/data/a|b.fcs", "NOTE": "|bar", "EMPTY": ""}
    write_fcs(path, np.zeros((1, 1), np.float32), ["A"], keywords=more)
    sample = read_fcs(path, strict=True)
    assert {key: sample.text[key] for key in more} == more
    theirs = flowio.FlowData(str(path)).text
    assert (theirs["fil"], theirs["note"], theirs["empty"]) == ("/data/a|b.fcs", "|bar", " ")


def test_duplicate_names_are_written_and_commas_are_not(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    events = np.arange(4, dtype=np.float32).reshape(2, 2)
    write_fcs(path, events, ["A", "A"])
    np.testing.assert_array_equal(read_fcs(path).to_numpy(), events)
    np.testing.assert_array_equal(np.reshape(flowio.FlowData(str(path)).events, (-1, 2)), events)
    with pytest.raises(FCSError, match=r"channel 2 is called 'B,C'"):
        write_fcs(path, events, ["A", "B,C"])
    with pytest.raises(FCSError, match=r"channel 1 is called ' '"):
        write_fcs(path, events, [" ", "B"])
    with pytest.raises(FCSError, match=r"channel 2 is called 'B\\n': expected a name"):
        write_fcs(path, events, ["A", "B\n"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keywords": {"": "x"}}, "keyword '' cannot be written"),
        ({"keywords": {"NAÏVE": "x"}}, "keyword 'NAÏVE' cannot be written"),
        ({"keywords": {"stra\u00dfe": "x"}}, "keyword 'stra\u00dfe' cannot be written"),
        ({"keywords": {"A\n": "x"}}, "cannot be written: expected printable ASCII"),
        ({"keywords": {"A": "x", "a": "y"}}, "keyword 'A' is given twice"),
        ({"keywords": {"A": "\ud800"}}, "keyword A: .* UTF-8 cannot write"),
        ({"version": "FCS3.0"}, "'FCS3.0' is not written: expected FCS3.1 or FCS3.2"),
        ({"kind": "A"}, "kind 'A': expected F, D or I"),
        ({"kind": "FDF", "version": "FCS3.2"}, "one such letter for each of 2 channels"),
        ({"kind": "FD"}, "only FCS3.2 has a type for each channel"),
        ({"bits": 16}, "bits are chosen for integers"),
        ({"ranges": [-1, 2]}, r"channel 'A' has a range \(\$PnR\) of -1: expected a positive number"),
        ({"ranges": [1, float("nan")]}, "channel 'B' has a range .* of nan"),
        ({"ranges": [1]}, "2 columns of events, 2 channels, 2 markers, 1 ranges"),
        ({"amplifiers": [("4,1", None), None]}, "channel 'A' has .PnE '4,1' and .PnG None for type F"),
        (
            {"spillover": Spillover(("A", "X"), np.eye(2))},
            "spillover matrix names channel 'X', which is not there",
        ),
        ({"spillover": Spillover(("A", "A"), np.eye(2))}, "spillover matrix names a channel twice"),
        ({"spillover": Spillover(("A",), np.full((1, 1), np.nan))}, "not a finite number"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(FCSError, match=message) as raised:
        write_fcs(tmp_path / "x.fcs", np.zeros((1, 2)), ["A", "B"], **arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_events_are_real_numbers_in_a_table(tmp_path: Path) -> None:
    for wrong in (
        np.zeros(3),
        np.zeros((3, 0)),
        np.zeros((1, 1), complex),
        np.array([["a"]]),
        np.zeros((1, 1, 1)),
    ):
        with pytest.raises(FCSError, match="expected real numbers of shape"):
            write_fcs(tmp_path / "x.fcs", wrong, ["A"])
    with pytest.raises(FCSError, match="2 columns of events, 1 channels"):
        write_fcs(tmp_path / "x.fcs", np.zeros((1, 2)), ["A"])


def test_a_failed_write_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    events = np.zeros((100_000, 2), np.float32)
    assert issubclass(StoreError, CytoregError)
    (tmp_path / "folder.fcs").mkdir()
    (tmp_path / "plain").write_bytes(b"here before")
    wrong = {
        "absent/x.fcs": "No such file",
        "folder.fcs": "directory",
        "plain/x.fcs": "Not a directory",
        "\0": "null",
    }
    for name, reason in wrong.items():
        with pytest.raises(StoreError, match=f"cannot be written: .*{reason}") as raised:
            write_fcs(tmp_path / name, events, ["A", "B"])
        assert "\n" not in str(raised.value)
    with largest_file(300_000), pytest.raises(StoreError, match="cannot be written: File too large"):
        write_fcs(tmp_path / "plain", events, ["A", "B"])
    assert {path.name for path in tmp_path.iterdir()} == {"folder.fcs", "plain"}
    assert (tmp_path / "plain").read_bytes() == b"here before"


@pytest.mark.parametrize(
    ("dtype", "kind"), [(np.float32, "F"), (np.float64, "F"), (np.float64, "I"), (np.uint16, "I")]
)
def test_writing_takes_a_few_blocks_of_memory_and_no_copy(tmp_path: Path, dtype: type, kind: str) -> None:
    events = np.ones((250_000, 20), dtype=dtype)
    write_fcs(
        tmp_path / "x.fcs", events[:10], [f"C{i}" for i in range(20)], kind=kind
    )  # what loads once has loaded
    tracemalloc.start()
    write_fcs(tmp_path / "x.fcs", events, [f"C{i}" for i in range(20)], kind=kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000 < events.nbytes
