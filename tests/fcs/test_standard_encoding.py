"""Text beyond ASCII: UTF-8 by FCS 3.1, 2.1.1 and 3.2.8, and what instruments write in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from bytes_of import fcs_bytes, floats, spelt, written
from said_of import conforming, noted, one_line

from cytoreg import read_fcs

ROWS = [[1.5, -2.0], [3.25, 4.0]]
LATIN, CHINESE, JAPANESE = "cp1252", "gbk", "shift_jis"


@pytest.mark.parametrize(
    "value", ["5 µl", "Müller", "王小明", "刺激なし、室温で三十分", "α-CD3/β".replace("/", " "), "🧫"]
)
@pytest.mark.parametrize("version", ["FCS3.1", "FCS3.2"])
def test_values_in_utf_8_are_as_the_standard_wants_them(tmp_path: Path, value: str, version: str) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), version=version, keywords={"$OP": value, "$P1S": value})
    sample = conforming(written(tmp_path, content))
    assert sample.text["$OP"] == value
    assert sample.channels[0].marker == value
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("5 µl", "latin-1"),
        ("José Müller, Hôpital Saint-Éloi", "latin-1"),
        ("37 °C – 30 min", LATIN),
        ("Ångström", LATIN),
        ("王小明", CHINESE),
        ("李娜 第一医院", CHINESE),
        ("类风湿关节炎患者外周血", CHINESE),
        ("刺激なし、室温で三十分", JAPANESE),
        ("末梢血リンパ球サブセット", JAPANESE),
        ("ﾘﾝﾊﾟ球 コメント", JAPANESE),
    ],
)
@pytest.mark.parametrize("delimiter", ["/", "\f"], ids=repr)
def test_values_in_another_likely_encoding_are_readable_and_noted(
    tmp_path: Path, value: str, encoding: str, delimiter: str
) -> None:
    keywords = {"$OP": spelt(value, encoding), "$CYT": "FACSCanto II"}
    content = fcs_bytes(ROWS, floats("A", "B"), keywords=keywords, delimiter=delimiter)
    sample = read_fcs(written(tmp_path, content))
    assert sample.text["$OP"] == value
    assert sample.text["$CYT"] == "FACSCanto II"
    assert sample.to_numpy().tolist() == ROWS
    noted(sample, "UTF-8", affects_numbers=False)
    one_line(written(tmp_path, content, "strict.fcs"), strict=True)


def test_several_values_of_one_encoding_are_read_alike(tmp_path: Path) -> None:
    values = {"$OP": "陈伟", "$INST": "北京大学人民医院", "$COM": "脐带间充质干细胞治疗前", "$PROJ": "Treg"}
    keywords = {key: spelt(value, CHINESE) for key, value in values.items()}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert {key: sample.text[key] for key in values} == values


def test_one_value_in_latin_1_does_not_spoil_those_in_utf_8(tmp_path: Path) -> None:
    keywords = {"$OP": spelt("Müller", "latin-1"), "$INST": "Charité", "$COM": "5 µl", "$P2S": "CD3ε"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert sample.text["$OP"] == "Müller"
    assert sample.text["$INST"] == "Charité"
    assert sample.text["$COM"] == "5 µl"
    assert sample.channels[1].marker == "CD3ε"


@pytest.mark.parametrize(("value", "encoding"), [("µ-Marker", "latin-1"), ("抗体", CHINESE)])
def test_a_marker_in_another_encoding_finds_its_channel(tmp_path: Path, value: str, encoding: str) -> None:
    parameters = [{"N": "FL1-A", "S": spelt(value, encoding), "B": "32", "R": "1024"}, *floats("FL2-A")]
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, parameters)))
    assert sample.channels[0].marker == value
    assert sample[value].tolist() == [1.5, 3.25]


def test_bytes_that_no_encoding_explains_lose_no_other_keyword(tmp_path: Path) -> None:
    keywords = {"$OP": b"\xff\xfe\x81\x8d\x00\xff".decode("ascii", "surrogateescape"), "$CYT": "Aurora"}
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords=keywords)))
    assert sample.text["$CYT"] == "Aurora"
    assert sample.to_numpy().tolist() == ROWS
    sample.text["$OP"].encode("utf-8")  # no half characters that nobody could write down
    noted(sample, "UTF-8")
