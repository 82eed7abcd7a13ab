"""The page of `cytoreg inspect`: what a technician reads at the bench, and the same as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fcs"))
from bytes_of import fcs_bytes, floats, written

from cytoreg.cli import main

Command = Callable[..., tuple[int, str, str]]
CHANNELS = [
    {"N": "Time", "B": "32", "R": "262144"},
    {"N": "FSC-A", "B": "32", "R": "262144", "V": "340"},
    {"N": "FITC-A", "B": "32", "R": "262144", "S": "CD25", "V": "455"},
    {"N": "PE-A", "B": "32", "R": "262144", "S": "FoxP3", "V": "512"},
]
KEYWORDS = {
    "$CYT": "Aria",
    "$CYTSN": "SN-4711",
    "$OP": "Jane Operator",
    "$SRC": "Roe",
    "$TIMESTEP": "0.01",
    "$DATE": "05-MAR-2021",
    "$BTIM": "10:00:00",
    "$ETIM": "10:00:20",
    "$SPILLOVER": "2,FITC-A,PE-A,1,0.125,0,1",
}


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str]) -> Command:
    """`cytoreg inspect`: its exit status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            main(["inspect", *map(str, arguments)])
            status = 0
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def tube(tmp_path: Path) -> Path:
    rows = [[0.0, 1.0, 2.0, 3.0], [1960.0, 4.0, 5.0, 6.0]]
    return written(tmp_path, fcs_bytes(rows, CHANNELS, keywords=KEYWORDS))


def test_the_page(inspect: Command, tube: Path) -> None:
    status, out, err = inspect(tube)
    assert (status, err) == (0, "")
    assert out.splitlines()[:25] == [
        "tube.fcs",
        "========",
        "format         FCS 3.1, 32-bit floats, least significant byte first",
        "instrument     Aria",
        "acquired       05-MAR-2021, 10:00:00 to 10:00:20 (19.6 s)",
        "events         2",
        "channels       4, 2 of fluorescence",
        "known markers  CD25 #3, FOXP3 #4",
        "",
        "#  channel  marker     fluorochrome  volts",
        "------------------------------------------",
        "1  Time     (time)",
        "2  FSC-A    (scatter)                  340",
        "3  FITC-A   CD25       FITC            455",
        "4  PE-A     FoxP3      PE              512",
        "every channel: amplifier linear, gain 1, range 262,144",
        "",
        "Spillover ($SPILLOVER), percent of each fluorochrome (row) seen in each detector (column)",
        "                 FITC         PE",
        "                   #3         #4",
        "  3 FITC-A        100       12.5",
        "  4 PE-A            .        100",
        "",
        "Problems: none",
        "",
    ]
    assert f"next: cytoreg gate {tube} --template NAME" in out


def test_no_page_names_operator_patient_or_serial_number(inspect: Command, tube: Path) -> None:
    for options in ([], ["--keywords"], ["--json"], ["--json", "--keywords"]):
        status, out, _ = inspect(tube, *options)
        assert status == 0
        assert not any(word in out for word in ("SN-4711", "Jane", "Roe"))
    _, out, _ = inspect(tube, "--keywords")
    assert "3 other keywords, whose values are not shown" in out and "$CYTSN; $OP; $SRC" in out
    assert "$P3V" in out


def test_json_holds_the_same_as_data(inspect: Command, tube: Path) -> None:
    status, out, _ = inspect(tube, "--json")
    (found,) = json.loads(out)
    assert status == 0
    assert list(found) == [
        *("file", "version", "instrument", "software", "acquisition", "events", "datasets", "dataset", "storage"),
        *("channels", "spillover", "problems", "crc_matches", "panel"),
    ]
    assert found["events"] == 2 and found["panel"]["CD25"] == 3
    assert found["channels"][2] == {
        "number": 3,
        "name": "FITC-A",
        "marker": "CD25",
        "kind": "fluorescence",
        "fluorochrome": "FITC",
        "analyte": None,
        "voltage": 455.0,
        "gain": 1.0,
        "amplifier": "linear",
        "decades": 0.0,
        "offset": 0.0,
        "range": 262144.0,
        "type": "float",
        "bits": 32,
    }
    assert found["spillover"]["matrix"] == [[1.0, 0.125], [0.0, 1.0]]
    assert found["storage"] == {"type": "float", "bits": [32], "byte_order": "1,2,3,4"}
    assert found["acquisition"]["clock_seconds"] == 20.0


def test_every_key_of_the_json_stands_in_the_reference(inspect: Command, tube: Path, root: Path) -> None:
    text = (root / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    said = text.partition("\n## inspect\n")[2].partition("\n## ")[0]
    (found,) = json.loads(inspect(tube, "--json", "--keywords")[1])
    keys = {*found, *found["acquisition"], *found["storage"], *found["channels"][0], *found["spillover"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in said] == []


def test_a_file_that_cannot_be_read_does_not_hide_the_others(inspect: Command, tube: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.fcs"
    bad.write_bytes(b"not FCS at all")
    status, out, err = inspect(bad, tube, tmp_path / "absent.fcs")
    assert status == 1
    assert out.startswith("tube.fcs\n") and "next: " in out
    assert [line.startswith("cytoreg: ") for line in err.splitlines()] == [True, True]
    assert "bad.fcs" in err and "absent.fcs" in err
    status, out, err = inspect(bad, tube, "--json")
    assert status == 1 and [found["file"] for found in json.loads(out)] == ["tube.fcs"]
    status, out, _ = inspect(bad)
    assert (status, out) == (1, "")


def test_problems_that_affect_numbers_are_marked_and_lead_to_a_second_opinion(
    inspect: Command, tmp_path: Path
) -> None:
    parameters = [
        *({"N": name, "B": "16", "R": "1024", "E": "4,0"} for name in ("FL1", "FL2", "FL3")),
        {"N": "FL4", "B": "16", "R": "1024", "G": "-1"},
    ]
    path = written(tmp_path, fcs_bytes([[1, 2, 3, 4]], parameters, kind="I"), "o'dd.fcs")
    status, out, _ = inspect(path)
    assert status == 0
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("Problems: "))
    assert "of which 1 may affect numbers (!!)" in lines[first]
    assert lines[first + 1].startswith("!! ") and "$P4G" in lines[first + 1]
    assert any(line.startswith("-  ") and "$P1E" in line for line in lines) and "likewise $P2E, $P3E" in out
    assert lines[-1].startswith("next: cytoreg check ") and lines[-1].endswith("--against flowio,fcsparser")
    assert "'\"'\"'" in lines[-1]  # quoted as a shell needs it


def test_a_matrix_too_large_for_the_page_shows_its_largest_pairs(inspect: Command, tmp_path: Path) -> None:
    names = [f"FL{i}-A" for i in range(1, 15)]
    matrix = [[1.0 if i == j else 0.0 for j in range(14)] for i in range(14)]
    for k in range(12):
        matrix[k][k + 1] = 0.01 * (k + 1)
    value = ",".join(["14", *names, *(f"{x:g}" for row in matrix for x in row)])
    path = written(tmp_path, fcs_bytes([[0.0] * 14], floats(*names), keywords={"$SPILLOVER": value}))
    out = inspect(path)[1]
    assert "14 x 14, the largest of 12 pairs that are not zero, in percent (all: --json)" in out
    listed = [line.strip() for line in out.splitlines() if " of FL" in line]
    assert len(listed) == 10 and listed[0] == "12.0  of FL12-A (#12) in FL13-A (#13)"


def test_an_identity_is_no_compensation(inspect: Command, tmp_path: Path) -> None:
    keywords = {"$SPILLOVER": "2,A,B,1,0,0,1"}
    path = written(tmp_path, fcs_bytes([[1.0, 2.0]], floats("A", "B"), keywords=keywords))
    assert "the file holds no compensation ($SPILLOVER, 2 x 2, is the identity)" in inspect(path)[1]


def test_time_channel_and_clock_that_disagree_are_both_said(inspect: Command, tmp_path: Path) -> None:
    keywords = {"$TIMESTEP": "0.01", "$BTIM": "10:00:00", "$ETIM": "10:05:00"}
    path = written(tmp_path, fcs_bytes([[0.0], [1000.0]], floats("Time"), keywords=keywords))
    assert "10:00:00 to 10:05:00: 5 min by the clock, 10 s by the time channel" in inspect(path)[1]


def test_data_sets_are_counted_and_chosen(inspect: Command, real: Path) -> None:
    path = real / "instruments" / "fc500.lmd"
    assert "fc500.lmd, data set 0 of 2 (counted from 0; --dataset shows another)" in inspect(path)[1]
    assert "channels       8" in inspect(path, "--dataset", 1)[1]
    status, _, err = inspect(path, "--dataset", 2)
    assert status == 1 and "there is no data set 2" in err


def test_no_line_of_any_real_page_is_wider_than_100_columns(inspect: Command, real: Path) -> None:
    found = sorted([*real.rglob("*.fcs"), *real.rglob("*.lmd")])
    assert len(found) > 60
    status, out, err = inspect(*found)
    assert status == 1 and len(err.splitlines()) == 2  # corrupted.fcs and sample_header.fcs
    lines = out.splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("next:")] == []
    assert all(line == line.rstrip() and line.isprintable() for line in lines)
    assert out.count("\nformat ") == len(found) - 2
