"""Which file is which control: sheets of several forms, names of files, and every wrong row."""

from __future__ import annotations

from pathlib import Path

import pytest
from single_stains import write_set

from cytoreg import TemplateError
from cytoreg.compensation import controls_of, from_controls
from cytoreg.compensation.controls import channel_for
from cytoreg.fcs.channel import Channel


def channels(*names: str) -> list[Channel]:
    return [Channel(i, name, None, 32, 262144.0) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("PE-A", "PE-A"),
        ("PE", "PE-A"),
        ("pe cy7", "PE-Cy7-A"),
        ("FITC", "Alexa Fluor 488-A"),
        ("APC", "Alexa Fluor 647-A"),
        ("7AAD", "7-AAD-A"),
        ("PerCP-Cy5.5", "7-AAD-A"),
        ("AF700", "Alexa Fluor 700-A"),
        ("BV605", None),
        ("FSC-A", None),
    ],
)
def test_a_dye_finds_its_channel(word: str, expected: str | None) -> None:
    panel = channels(
        *(
            "FSC-A",
            "PE-A",
            "PE-H",
            "PE-Cy7-A",
            "Alexa Fluor 488-A",
            "Alexa Fluor 647-A",
            "7-AAD-A",
            "Alexa Fluor 700-A",
        )
    )
    found = channel_for(word, panel)
    assert (found.name if found else None) == expected


SHEETS = {
    "plain": "file,channel\nComp PE.fcs,PE-A\nComp Unstained.fcs,unstained\n",
    "CytoExploreR's": '"name","channel"\n"Comp PE.fcs","PE-A"\n"Comp Unstained.fcs","Unstained"\n',
    "semicolons": "file;fluorochrome;negative\nComp PE.fcs;PE;Comp Unstained.fcs\nComp Unstained.fcs;negative;\n",
    "tabs, byte order mark": "\ufefffile\tchannel\r\nComp PE.fcs\tPE-A\r\n\r\nComp Unstained.fcs\tUnstained\r\n",
}


@pytest.mark.parametrize("kind", SHEETS)
def test_sheets_of_several_forms(tmp_path: Path, kind: str) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(SHEETS[kind], encoding="utf-8", newline="")
    found = controls_of(sheet)
    assert [control.path.name for control in found] == ["Comp PE.fcs", "Comp Unstained.fcs"]
    assert [control.is_negative for control in found] == [False, True]
    assert not any(control.guessed for control in found)
    assert controls_of(tmp_path) == found  # the one sheet of a folder


def test_names_are_guessed_and_said_to_be(tmp_path: Path) -> None:
    for name in ("Comp_APC-Cy7_001.fcs", "FITC (Cells).fcs", "Unstained control.fcs", "tube 3.fcs"):
        (tmp_path / name).touch()
    found = {control.path.name: control for control in controls_of(tmp_path)}
    assert found["Comp_APC-Cy7_001.fcs"].channel == "APC-Cy7"
    assert found["FITC (Cells).fcs"].channel == "FITC"
    assert found["Unstained control.fcs"].is_negative
    assert found["tube 3.fcs"].guessed == "brightest channel"


def test_a_tube_without_a_name_goes_by_its_brightest_channel(tmp_path: Path) -> None:
    named = from_controls(write_set(tmp_path))[0]
    (tmp_path / "Comp APC.fcs").rename(tmp_path / "tube 3.fcs")
    found = from_controls(tmp_path)[0]
    assert (found.matrix == named.matrix).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,dye\na.fcs,PE\n", "sheet.csv: there is no column 'channel'; there are: dye, file"),
        ("file,channel\n", "sheet.csv: the sheet has a header and no rows"),
        ("", "sheet.csv: there is no column 'file'"),
        ("file,channel\n,PE\n", "sheet.csv, row 2, column file: expected the name of an FCS file, found nothing"),
        (
            "file,channel\na.fcs,\n",
            "sheet.csv, row 2, column channel: expected a channel, or unstained, found nothing",
        ),
        ("file,channel\na.fcs,PE\na.fcs,FITC\n", "sheet.csv, row 3: 'a.fcs' stands in row 2 already"),
        (
            "file,channel,negative\na.fcs,PE,b.fc\nb.fcs,unstained,\n",
            "sheet.csv, row 2, column negative: 'b.fc' is no file of this sheet; did you mean 'b.fcs'",
        ),
    ],
)
def test_a_wrong_sheet_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        controls_of(sheet)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_folder_no_files_and_two_sheets(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no such folder or sheet"):
        controls_of(tmp_path / "absent")
    with pytest.raises(TemplateError, match="holds no FCS files"):
        controls_of(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("file,channel\nx.fcs,PE\n", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"several sheets of controls \(a.csv, b.csv\)"):
        controls_of(tmp_path)


def test_a_channel_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    write_set(tmp_path)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "file,channel\nComp PE.fcs,BV605\nComp APC.fcs,APC\nComp Unstained.fcs,unstained\n", encoding="utf-8"
    )
    with pytest.raises(TemplateError, match=r"Comp PE\.fcs: no channel for 'BV605'; there are: FITC-A, PE-A"):
        from_controls(sheet)
