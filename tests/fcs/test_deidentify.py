"""De-identification of TEXT: what tells who, when and where goes; what reads and gates the file stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cytoreg.errors import FCSError
from cytoreg.fcs import Change, deidentified
from cytoreg.fcs.deidentify import identifiers_of
from cytoreg.fcs.identifying import CATEGORIES, IDENTIFYING, KEPT

# What FCS 3.1 (section 3.2) and 3.2 have of people, samples, places and times.
OF_THE_STANDARD = {
    "$OP": "Mary Baker",
    "$EXP": "Dr Erika Mustermann",
    "$LAST_MODIFIER": "mbaker",
    "$SRC": "PAT-00817",
    "$SMNO": "S-4711",
    "$CELLS": "PBMC of 00817",
    "$DATE": "31-MAY-2024",
    "$BTIM": "10:11:12",
    "$ETIM": "10:14:12",
    "$BEGINDATETIME": "2024-05-31T10:11:12",
    "$ENDDATETIME": "2024-05-31T10:14:12",
    "$LAST_MODIFIED": "31-MAY-2024 10:15:00",
    "$FIL": "PAT-00817_baseline.fcs",
    "$PROJ": "RA trial",
    "$PLATEID": "PL9",
    "$PLATENAME": "plate nine",
    "$WELLID": "A01",
    "$CARRIERID": "C1",
    "$CARRIERTYPE": "rack",
    "$LOCATIONID": "A01",
    "$INST": "St Elsewhere",
    "$CYTSN": "H48200012",
    "$SYS": "WS-14 Windows 10",
    "$COM": "second draw, see notes",
}
LAYOUT = {
    "$PAR": "2",
    "$TOT": "3",
    "$BYTEORD": "1,2,3,4",
    "$DATATYPE": "F",
    "$MODE": "L",
    "$BEGINDATA": "900",
    "$ENDDATA": "923",
    "$BEGINSTEXT": "0",
    "$ENDSTEXT": "0",
    "$BEGINANALYSIS": "1000",
    "$ENDANALYSIS": "1200",
    "$NEXTDATA": "0",
    "$P1N": "FSC-A",
    "$P1B": "32",
    "$P1E": "0,0",
    "$P1R": "262144",
    "$P2N": "B530-A",
    "$P2S": "CD25",
    "$P2B": "32",
    "$P2E": "0,0",
    "$P2R": "262144",
    "$P2G": "1.5",
    "$P2V": "475",
}
ALLOWED = {"$TIMESTEP": "0.01", "$VOL": "120.5", "$CYT": "FACSCanto II", "LASER1NAME": "Blue", "P2DISPLAY": "LOG"}


def test_what_the_standard_has_of_people_places_and_times_goes_and_the_rest_stays() -> None:
    new, changes = deidentified(LAYOUT | OF_THE_STANDARD | ALLOWED)
    assert {change.keyword for change in changes if change.action == "dropped"} == set(OF_THE_STANDARD)
    assert set(new) == set(LAYOUT) | set(ALLOWED)
    moved = {"$BEGINANALYSIS", "$ENDANALYSIS"}
    assert {key: new[key] for key in new if key not in moved} == {
        key: value for key, value in (LAYOUT | ALLOWED).items() if key not in moved
    }
    assert {new[key] for key in moved} == {"0"}


def test_the_report_never_holds_a_value() -> None:
    _, changes = deidentified(LAYOUT | OF_THE_STANDARD)
    said = repr(changes)
    assert not [value for value in OF_THE_STANDARD.values() if value in said]


@pytest.mark.parametrize(
    ("keyword", "category"),
    [
        ("EXPORT USER NAME", "person"),
        ("LOGIN NAME", "person"),
        ("PATIENT ID", "subject"),
        ("&12PATIENT ID", "subject"),
        ("@SAMPLEID1", "subject"),
        ("SPECIMEN NAME", "subject"),
        ("EXPORT TIME", "date"),
        ("CST SETUP DATE", "date"),
        ("CYTOMETER CONFIG CREATE DATE", "date"),
        ("FILENAME", "file"),
        ("@SETTINGSFILE", "file"),
        ("GUID", "identifier"),
        ("EXPERIMENT NAME", "experiment"),
        ("TUBE NAME", "experiment"),
        ("PLATE NAME", "plate"),
        ("@LOCATION", "site"),
        ("CYTNUM", "instrument"),
        ("WORKSTATION", "instrument"),
        ("MY NOTES", "comment"),
        ("HAIR COLOUR", "other"),
    ],
)
def test_keywords_of_instruments_go_by_category(keyword: str, category: str) -> None:
    new, changes = deidentified({**LAYOUT, keyword: "something"})
    assert keyword not in new
    assert Change(keyword, category, "dropped") in changes


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("$TIMESTEP", "Mary"),
        ("$P2V", "475 set by Mary"),
        ("$P1F", "PAT-00817"),
        ("LASER1NAME", "Mary"),
        ("P2DISPLAY", "PAT"),
        ("THRESHOLD", "PAT-00817,5000"),
        ("$CYT", "the one in room 3"),
        ("CREATOR", "Mary's script"),
        ("$P1T", "2024-05-31"),
    ],
)
def test_a_kept_keyword_goes_where_its_value_is_not_what_it_should_be(keyword: str, value: str) -> None:
    new, changes = deidentified({**LAYOUT, keyword: value})
    assert keyword not in new
    assert (keyword, "dropped") in {(change.keyword, change.action) for change in changes}


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        ("4486521 Attune NxT Acoustic Focusing Cytometer", "Attune NxT"),
        ("Main Aria (FACSAria)", "FACSAria"),
        ("Mary's LSRFortessa X-20 of ward 7", "LSRFortessa X-20"),
        ("BD FACSDiva Software Version 8.0.1", "BD FACSDiva Software Version 8.0.1"),
        ("FlowJo 10.8.1 on PC-4711", "FlowJo 10.8.1"),
        ("FACSCanto II SN V96300758", "FACSCanto II"),
    ],
)
def test_of_instrument_and_program_only_the_model_stays(value: str, stays: str) -> None:
    assert deidentified({**LAYOUT, "$CYT": value})[0]["$CYT"] == stays


@pytest.mark.parametrize(
    ("marker", "stays"),
    [
        ("CD25 (Baker)", "CD25 (removed)"),
        ("CD25 PAT-00817", "CD25 removed"),
        ("CD25 2024-05-31", "CD25 removed"),
        ("CD25 31.05.2024", "CD25 removed"),
        ("CD25 31-May-2024", "CD25 removed"),
        ("CD25 20240531", "CD25 removed"),
        ("CD25 mary@baker.org", "CD25 removed"),
        (r"CD25 C:\Users\mary", "CD25 removed"),
        ("Bakers yeast", "Bakers yeast"),
        ("B220;V500;510/50@405/E", "B220;V500;510/50@405/E"),
        ("dump CD3/14/19", "dump CD3/14/19"),
        ("405nm BV421 (445/60) LogH", "405nm BV421 (445/60) LogH"),
        ("Time (102.40 sec.)", "Time (102.40 sec.)"),
    ],
)
def test_names_ids_and_dates_are_taken_out_of_markers(marker: str, stays: str) -> None:
    text = {**LAYOUT, "$OP": "Mary Baker", "$SRC": "PAT-00817", "$P2S": marker}
    new, changes = deidentified(text)
    assert new["$P2S"] == stays
    assert (Change("$P2S", "other", "replaced") in changes) == (marker != stays)


def test_a_tube_that_is_called_as_its_dye_does_not_take_the_channel_along() -> None:
    text = {**LAYOUT, "$P2N": "APC-Cy7-A", "TUBE NAME": "APC-Cy7", "$SMNO": "CD25", "$OP": "Administrator"}
    new, _ = deidentified(text)
    assert (new["$P2N"], new["$P2S"]) == ("APC-Cy7-A", "CD25")


def test_patterns_are_taken_out_of_names_and_the_spillover_follows() -> None:
    matrix = "2,X99 one,X99 two,1,0.25,0.5,1"
    text = {**LAYOUT, "$P1N": "X99 one", "$P2N": "X99 two", "$SPILLOVER": matrix}
    new, changes = deidentified(text, patterns=[r"x\d\d (one|two)"])
    assert new["$P1N"] != new["$P2N"]
    assert new["$SPILLOVER"] == f"2,{new['$P1N']},{new['$P2N']},1,0.25,0.5,1"
    assert "X99" not in repr(new)
    assert {change.keyword for change in changes} == {"$P1N", "$P2N", "$SPILLOVER"}


def test_a_pattern_that_fits_a_keyword_drops_it_but_never_what_reading_needs() -> None:
    text = LAYOUT | ALLOWED
    new, _ = deidentified(text, patterns=[r"\$.*", "laser1name"])
    assert {"$PAR", "$P1N", "$P2R", "$P2G", "$DATATYPE"} <= set(new)
    assert not {"$CYT", "$TIMESTEP", "$P2V", "LASER1NAME"} & set(new)
    assert deidentified(LAYOUT, patterns=[r"\d"])[0]["$P1R"] == "262144"


def test_what_is_kept_on_request_still_loses_the_ids_of_the_rest() -> None:
    text = {**LAYOUT, "$OP": "Mary Baker", "$COM": "Baker saw a bubble", "$DATE": "31-MAY-2024", "KIT LOT": "77"}
    new, changes = deidentified(text, keep=["$com", "$DATE", "KIT*"])
    assert (new["$COM"], new["$DATE"], new["KIT LOT"]) == ("removed saw a bubble", "31-MAY-2024", "77")
    assert {(change.keyword, change.action) for change in changes} == {("$OP", "dropped"), ("$COM", "replaced")}


def test_a_keyword_that_is_no_word_is_not_repeated_in_the_report() -> None:
    _, changes = deidentified({**LAYOUT, "PK\x03\x04\x9c": "x", "RUN OF 2024-05-31": "x"})
    assert [change.keyword for change in changes] == [
        "(a keyword of 5 characters)",
        "(a keyword of 17 characters)",
    ]


def test_identifiers_are_values_file_stems_and_the_words_of_people() -> None:
    found = identifiers_of({"$OP": "Mary Baker", "$FIL": r"D:\data\P17_base.fcs", "$SMNO": "9", "$SRC": "sample"})
    assert {"Mary Baker", "Mary", "Baker", "P17_base"} <= found
    assert not {"9", "sample"} & found


@pytest.mark.parametrize(
    ("elsewhere", "label", "stays"),
    [
        ({"$FIL": "P017_baseline.fcs"}, "CD8 P017", "CD8 removed"),
        ({"$FIL": r"D:\x\visit2_100715.fcs"}, "CD8 100715", "CD8 removed"),
        ({"$SRC": "Patient 17, Li Wu"}, "Li Wu", "removed"),
        ({"$SRC": "Patient 17 Li Wu"}, "CD8 (Li Wu)", "CD8 (removed)"),
        ({"$SRC": "Patient 17"}, "CD8 patient 17", "CD8 removed"),
        ({"$OP": "Dr Li Wu"}, "Li Wu CD3", "removed CD3"),
        ({"$SMNO": "P17"}, "CD8 P17", "CD8 removed"),
        ({"$FIL": "CD4_BV421_V450_IL17A_CCR7_405CH12_UV10_Tm169Di_530.fcs"}, *2 * ("CD4 BV421 V450 IL17A CCR7",)),
        (
            {"$FIL": "CD4_BV421_V450_IL17A_CCR7_405CH12_UV10_Tm169Di_530.fcs"},
            *2 * ("405CH12 UV10 Tm169Di 530/30",),
        ),
        ({"$SRC": "whole blood T cells"}, *2 * ("T cells",)),
    ],
)
def test_pieces_of_ids_and_phrases_of_names_are_taken_out(
    elsewhere: dict[str, str], label: str, stays: str
) -> None:
    new, _ = deidentified({**LAYOUT, **elsewhere, "$P2S": label, "$P2ANALYTE": label})
    assert (new["$P2S"], new["$P2ANALYTE"]) == (stays, stays)
    assert new["$P2N"] == "B530-A"


def test_a_file_called_as_a_channel_of_it_does_not_take_the_channel_along() -> None:
    new, _ = deidentified({**LAYOUT, "$P2N": "Q77x-A", "$FIL": "run_Q77x_0001.fcs"})
    assert new["$P2N"] == "Q77x-A"


@pytest.mark.parametrize(
    ("value", "stays"), [("1,Roe", False), ("1.5,MESF", True), ("1,0.5,MEFL", True), ("2,Baker", False)]
)
def test_a_calibration_has_a_unit_that_is_known(value: str, stays: bool) -> None:
    assert ("$P1CALIBRATION" in deidentified({**LAYOUT, "$P1CALIBRATION": value})[0]) is stays


def test_values_of_a_megabyte_are_neither_names_nor_numbers() -> None:
    text = {**LAYOUT, "$P2S": "a." * 500_000, "$TIMESTEP": "1" * 1_000_000, "$CYT": "a " * 500_000}
    new, _ = deidentified(text)
    assert new["$P2S"] == "removed"
    assert not {"$TIMESTEP", "$CYT"} & set(new)


def test_a_pattern_that_is_none_is_one_line() -> None:
    with pytest.raises(FCSError, match=r"pattern '\(': not a regular expression"):
        deidentified(LAYOUT, patterns=["("])


def test_twice_changes_nothing_more() -> None:
    once, _ = deidentified(LAYOUT | OF_THE_STANDARD | ALLOWED)
    assert deidentified(once) == (once, ())


def test_the_documented_list_is_the_one_that_is_used(root: Path) -> None:
    page = (root / "docs" / "reference" / "deidentification.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", page, re.MULTILINE))
    assert set(rows) == set(CATEGORIES)
    for category, (standard, _) in IDENTIFYING.items():
        assert not [keyword for keyword in standard if f"`{keyword}`" not in rows[category]], category
    stays = page.partition("## What stays")[2].partition("## ")[0]
    named = {word.replace("n", "1") for word in re.findall(r"`([^`]+)`", stays)}
    for pattern, _ in KEPT:
        assert any(re.fullmatch(pattern, word) for word in named), pattern
