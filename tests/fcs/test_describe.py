"""What a file says of itself: instrument, time, storage, dyes; and nothing of a patient."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, integers, written

from cytoreg.fcs import read_fcs
from cytoreg.fcs.describe import Description, describe, shown_keywords
from cytoreg.fcs.fluorochrome import fluorochrome_of, isotope_of

IDENTIFIERS = {
    "$CYTSN": "SN-4711",
    "$OP": "Dr Operator",
    "$SRC": "Patient Jane Roe",
    "$SMNO": "sample-0815",
    "$FIL": "Jane_Roe.fcs",
    "$INST": "St. Elsewhere",
    "$EXP": "Experimenter",
    "$PROJ": "secret project",
    "$COM": "a comment on Jane",
    "PATIENT ID": "1970-01-01-JR",
    "TUBE NAME": "Roe tube",
    "EXPERIMENT NAME": "Roe experiment",
    "$SYS": "WORKSTATION-OF-ROE",
}


def described(folder: Path, rows: list[list[float]], parameters: list, **options: object) -> Description:
    return describe(read_fcs(written(folder, fcs_bytes(rows, parameters, **options))))  # type: ignore[arg-type]


def test_instrument_software_and_time(tmp_path: Path) -> None:
    found = described(
        tmp_path,
        [[100.0, 1.0], [1350.0, 2.0], [2600.0, 3.0]],
        floats("Time", "FITC-A"),
        keywords={
            "$CYT": "FACSVerse",
            "CREATOR": "BD FACSuite 1.0",
            "$DATE": "05-MAR-2021",
            "$BTIM": "23:59:50.10",
            "$ETIM": "00:00:15",
            "$TIMESTEP": "0.01",
        },
    )
    assert (found.instrument, found.software, found.version, found.events) == (
        *("FACSVerse", "BD FACSuite 1.0"),
        *("FCS3.1", 3),
    )
    assert (found.acquisition.date, found.acquisition.begin, found.acquisition.end) == (
        *("05-MAR-2021", "23:59:50.10"),
        "00:00:15",
    )
    assert found.acquisition.time_channel_seconds == pytest.approx(25.0)  # 2500 ticks of 10 ms
    assert found.acquisition.clock_seconds == 25.0  # past midnight


def test_begin_and_end_of_fcs_3_2_hold_the_date(tmp_path: Path) -> None:
    found = described(
        tmp_path,
        [[1.0]],
        floats("FITC-A"),
        version="FCS3.2",
        keywords={"$BEGINDATETIME": "2021-03-05T10:00:00+01:00", "$ENDDATETIME": "2021-03-05T10:02:05+01:00"},
    )
    assert found.acquisition.date == "2021-03-05"
    assert found.acquisition.clock_seconds == 125.0


def test_no_duration_without_events_or_timestep(tmp_path: Path) -> None:
    assert described(tmp_path, [[1.0]], floats("Time")).acquisition.time_channel_seconds is None
    empty = described(tmp_path, [], floats("Time"), keywords={"$TIMESTEP": "0.01"})
    assert empty.events == 0 and empty.acquisition.time_channel_seconds is None


@pytest.mark.parametrize(
    ("parameters", "kind", "byteord", "said"),
    [
        (floats("A"), "F", "4,3,2,1", "32-bit floats, most significant byte first"),
        (integers("A", bits=8), "I", "1,2,3,4", "8-bit integers"),
        ([*integers("A", bits=16), *integers("B", bits=32)], "I", "1,2,3,4",
         "16- and 32-bit integers, least significant byte first"),
        (integers("A", bits=32), "I", "3,4,1,2", "32-bit integers, byte order 3,4,1,2"),
        ([{"N": "A", "B": "64", "R": "262144"}], "D", "1,2,3,4", "64-bit floats, least significant byte first"),
    ],
)  # fmt: skip
def test_storage_in_words(tmp_path: Path, parameters: list, kind: str, byteord: str, said: str) -> None:
    rows = [[1.0] * len(parameters)] if kind != "I" else [[1] * len(parameters)]
    assert str(described(tmp_path, rows, parameters, kind=kind, byteord=byteord).storage) == said


def test_channels_with_dye_voltage_amplifier_and_gain(tmp_path: Path) -> None:
    parameters = [
        {"N": "FSC-A", "B": "16", "R": "1024", "V": "340", "G": "2"},
        {"N": "FL1 INT LOG", "B": "16", "R": "1024", "S": "CD103-FITC", "E": "4,0.1", "V": "NA"},
        {"N": "PerCP-Cy5-5-A", "B": "16", "R": "1024", "S": "CD3"},
        {"N": "Time", "B": "16", "R": "1024"},
        {"N": "Width", "B": "16", "R": "1024"},
    ]
    scatter, log, area, time, width = described(tmp_path, [[1, 2, 3, 4, 5]], parameters, kind="I").channels
    assert (scatter.number, scatter.kind, scatter.voltage, scatter.gain) == (1, "scatter", 340.0, 2.0)
    assert (log.kind, log.marker, log.fluorochrome, log.voltage) == ("fluorescence", "CD103-FITC", "FITC", None)
    assert (log.amplifier, log.decades, log.offset, log.range) == ("log", 4.0, 0.1, 1024.0)
    assert (area.amplifier, area.fluorochrome, area.marker, area.bits) == ("linear", "PerCP-Cy5-5", "CD3", 16)
    assert (time.kind, width.kind, time.fluorochrome) == ("time", "other", None)


def test_fcs_3_2_names_dye_and_analyte_itself(tmp_path: Path) -> None:
    parameters = [
        {"N": "B1", "B": "32", "R": "1024", "TAG": "APC-R700", "ANALYTE": "CD127", "TYPE": "Raw Fluorescence"},
        {"N": "S1", "B": "32", "R": "1024", "TYPE": "Side Scatter"},
    ]
    dye, scatter = described(tmp_path, [[1.0, 2.0]], parameters, version="FCS3.2").channels
    assert (dye.fluorochrome, dye.analyte, dye.kind) == ("APC-R700", "CD127", "fluorescence")
    assert (scatter.fluorochrome, scatter.kind) == (None, "scatter")


@pytest.mark.parametrize(
    ("name", "label", "dye"),
    [
        ("Comp-BUV395-A", "CD62L", "BUV395"),
        ("670/30Violet-A", "BV785 - CD3", "BV785"),
        ("YG 780/60-A", "CD23;PE-Cy7;780/60@561/A", "PE-Cy7"),
        ("488/552nm PECy5.5 (710/40) LogH", None, "PECy5.5"),
        ("FL4-A", "PI/PE-Cy5-A", "PI/PE-Cy5"),
        ("V450-A", "CD57", None),  # a detector of the violet laser, not the dye V450
        ("VL 525/50-A", "B220;V500;510/50@405/E", "V500"),
        ("B515-A", "KI67", None),
        ("FL1-H", "CD4", None),
        ("BL1-A", "PI16", None),  # an antigen whose name begins like a dye
        ("AF-A", None, None),  # autofluorescence
    ],
)
def test_a_dye_is_named_only_where_the_file_names_one(name: str, label: str | None, dye: str | None) -> None:
    assert fluorochrome_of(name, label) == dye


def test_isotopes_of_a_mass_cytometer() -> None:
    assert isotope_of("Tm169Di") == "169Tm" and isotope_of("beadDist") is None and isotope_of("Width") is None


def test_a_label_of_megabytes_ends_soon() -> None:
    assert fluorochrome_of("x" * 2_000_000, "starbright " * 200_000) is None


def test_spillover_rows_and_numbers(tmp_path: Path) -> None:
    found = described(
        tmp_path,
        [[1.0, 2.0, 3.0]],
        floats("FSC-A", "FITC-A", "PE-A"),
        keywords={"$SPILLOVER": "2,FITC-A,PE-A,1,0.2,0.05,1"},
    ).spillover
    assert found is not None
    assert (found.channels, found.numbers, found.identity) == (("FITC-A", "PE-A"), (2, 3), False)
    assert found.matrix == ((1.0, 0.2), (0.05, 1.0))


def test_problems_that_affect_numbers_come_first(tmp_path: Path) -> None:
    parameters = [{"N": "A", "B": "16", "R": "1024", "E": "4,0"}, {"N": "B", "B": "16", "R": "1024", "G": "-3"}]
    found = described(tmp_path, [[1, 2]], parameters, kind="I")
    affects = [problem.affects_numbers for problem in found.problems]
    assert True in affects and False in affects and affects == sorted(affects, reverse=True)


def test_nothing_that_may_name_a_person_is_described(tmp_path: Path) -> None:
    path = written(tmp_path, fcs_bytes([[1.0]], floats("FITC-A"), keywords={"$CYT": "Aria", **IDENTIFIERS}))
    sample = read_fcs(path)
    shown, held_back = shown_keywords(sample.text)
    plain = json.dumps([asdict(describe(sample)), shown])
    for value in IDENTIFIERS.values():
        assert value not in plain
    assert set(held_back) >= set(IDENTIFIERS)
    assert shown["$P1N"] == "FITC-A" and shown["$CYT"] == "Aria"


def test_a_value_in_the_place_of_a_keyword_is_not_quoted_in_a_problem(tmp_path: Path) -> None:
    """An undoubled delimiter in $SRC makes keywords of what follows: the name of a patient becomes one."""
    content = fcs_bytes([[1.0]], floats("FITC-A"), tail="Jane Roe/")
    sample = read_fcs(written(tmp_path, content))
    assert any("has no value" in problem.what for problem in sample.problems)
    assert "Jane" not in " ".join(map(str, sample.problems))
    assert "Jane" not in json.dumps(asdict(describe(sample)))


def test_a_number_or_a_channel_is_quoted_in_a_problem(tmp_path: Path) -> None:
    parameters = [{"N": "FL1", "B": "16", "R": "1024", "G": "-3"}, {"N": "FL1", "B": "16", "R": "1024"}]
    said = " ".join(problem.what for problem in described(tmp_path, [[1, 2]], parameters, kind="I").problems)
    assert "'-3'" in said and "'FL1'" in said


def test_a_value_cannot_move_the_cursor_or_fill_the_screen(tmp_path: Path) -> None:
    keywords = {"$CYT": "Aria\x1b[2J\r\nII", "CREATOR": "x" * 5000}
    found = described(tmp_path, [[1.0]], floats("FITC-A"), keywords=keywords)
    assert found.instrument == "Aria [2J II"
    assert found.software is not None and len(found.software) == 200


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Canto SN V963", "Canto"),
        ("4486521 Attune NxT Acoustic Focusing Cytometer", "Attune NxT"),
        ("FACSCanto II SN V96300758", "FACSCanto II"),
        ("Gizmo, serial number: 12-AB", "Gizmo"),
        ("H48200012", None),
        ("Aria", "Aria"),
    ],
)
def test_no_serial_number_of_the_instrument_is_shown(tmp_path: Path, said: str, shown: str | None) -> None:
    path = written(tmp_path, fcs_bytes([[1.0]], floats("FITC-A"), keywords={"$CYT": said}))
    sample = read_fcs(path)
    assert describe(sample).instrument == shown
    assert shown_keywords(sample.text)[0]["$CYT"] == (shown or "")


def test_the_published_matrix_and_voltages_of_a_real_file(real: Path) -> None:
    found = describe(read_fcs(real / "diva" / "124500.fcs"))
    assert (found.instrument, found.software) == ("FACSCantoII", "BD FACSDiva Software Version 6.1.3")
    assert [channel.voltage for channel in found.channels][1:3] == [352.0, 352.0]
    assert {channel.fluorochrome for channel in found.channels if channel.kind == "fluorescence"} == {
        *("FITC", "PE", "PerCP-Cy5-5", "PE-Cy7", "APC", "APC-Cy7", "Bd Horizon V450", "Pacific Orange"),
    }
    assert found.spillover is not None and found.spillover.numbers == (8, 9, 10, 11, 12, 13, 14, 15)


def test_every_stain_of_a_spectral_panel_has_its_dye(real: Path) -> None:
    path = sorted((real / "cord_blood_spectral").glob("2025*.fcs"))[0]
    stains = [channel for channel in describe(read_fcs(path)).channels if channel.kind == "fluorescence"]
    assert len(stains) == 33
    assert [channel.name for channel in stains if channel.fluorochrome is None] == ["Comp-AF-A"]
