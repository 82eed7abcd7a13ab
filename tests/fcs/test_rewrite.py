"""Copies that keep the bytes of DATA, judged on files put together by hand."""

from __future__ import annotations

from pathlib import Path

import flowio
import numpy as np
import pytest
from bytes_of import data_begin, fcs_bytes, floats, integers, packed, with_offsets, written

from cytoreg import FCSError, read_fcs
from cytoreg.errors import StoreError
from cytoreg.fcs import copy_fcs, sample_from_array

ROWS = [[1, 2], [300, 4], [5, 1000]]


def data_of(content: bytes) -> bytes:
    return content[int(content[26:34]) : int(content[34:42]) + 1]


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        (floats("A", "B"), {"kind": "F"}),
        (floats("A", "B"), {"kind": "F", "byteord": "4,3,2,1"}),
        ([{"N": "A", "B": "64", "R": "1024"}, {"N": "B", "B": "64", "R": "1024"}], {"kind": "D"}),
        (integers("A", "B", top=1024), {"kind": "I", "byteord": "4,3,2,1"}),
        (integers("A", "B", bits=32), {"kind": "I", "byteord": "3,4,1,2"}),
        (
            [{"N": "A", "B": "16", "R": "1024", "E": "4,0"}, {"N": "B", "B": "32", "R": "1024", "G": "2"}],
            {"kind": "I"},
        ),
        (integers("A", "B", bits=10), {"kind": "I", "data": packed(ROWS, [10, 10])}),
    ],
    ids=["floats", "big-endian", "doubles", "masked", "middle-endian", "amplifiers", "packed"],
)
def test_data_is_the_same_byte_for_byte_in_any_type_order_and_width(
    tmp_path: Path, version: str, parameters: list[dict[str, str]], options: dict[str, object]
) -> None:
    more = {"$CYT": "Aria", "NOTE": "a|b"}
    content = fcs_bytes(ROWS, parameters, version=version, keywords=more, **options)  # type: ignore[arg-type]
    sample = read_fcs(written(tmp_path, content))
    copy_fcs(sample, tmp_path / "copy.fcs")
    copied = (tmp_path / "copy.fcs").read_bytes()
    assert copied[:10] == content[:10]
    assert data_of(copied) == data_of(content)
    copy = read_fcs(tmp_path / "copy.fcs")
    np.testing.assert_array_equal(copy.to_numpy(raw=True), ROWS)
    np.testing.assert_array_equal(copy.to_numpy(), sample.to_numpy())
    assert copy.channels == sample.channels
    assert copy.problems == sample.problems
    assert {key: copy.text[key] for key in more} == more


def test_offsets_and_total_that_were_wrong_are_right_in_the_copy(tmp_path: Path) -> None:
    content = fcs_bytes(ROWS, floats("A", "B"), header_data=(-7, -7), keywords={"$TOT": "99"})
    sample = read_fcs(written(tmp_path, content))
    assert sample.problems
    copy_fcs(sample, tmp_path / "copy.fcs")
    copy = read_fcs(tmp_path / "copy.fcs", strict=True)
    assert copy.text["$TOT"] == "3"
    np.testing.assert_array_equal(copy.to_numpy(), ROWS)
    np.testing.assert_array_equal(np.reshape(flowio.FlowData(str(tmp_path / "copy.fcs")).events, (-1, 2)), ROWS)


def test_supplemental_text_goes_to_the_primary_one_and_analysis_along(tmp_path: Path) -> None:
    extra, analysis = b"/MORE/later//on/$OP/ \xc3\x85sa/", b"/GATE1/12.5/NAME/T\xc3\xbcr/"
    numbers = {"$BEGINSTEXT": "00000000", "$ENDSTEXT": "00000000"}
    content = fcs_bytes(ROWS, floats("A", "B"), version="FCS3.0", keywords=numbers | {"$UNICODE": "65001,$OP"})
    begin = len(content)
    content = content.replace(b"$BEGINSTEXT/00000000", f"$BEGINSTEXT/{begin:08d}".encode())
    content = content.replace(b"$ENDSTEXT/00000000", f"$ENDSTEXT/{begin + len(extra) - 1:08d}".encode())
    content = with_offsets(content, "analysis", begin + len(extra), begin + len(extra) + len(analysis) - 1)
    sample = read_fcs(written(tmp_path, content + extra + analysis))
    assert dict(sample.analysis) == {"GATE1": "12.5", "NAME": "Tür"}
    copy_fcs(sample, tmp_path / "copy.fcs")
    copy = read_fcs(tmp_path / "copy.fcs", strict=True)
    assert (copy.text["MORE"], copy.text["$OP"], copy.text["$BEGINSTEXT"]) == ("later/on", "Åsa", "0")
    assert "$UNICODE" not in copy.text
    assert copy.analysis == sample.analysis
    assert data_of((tmp_path / "copy.fcs").read_bytes()) == data_of(content)
    theirs = flowio.FlowData(str(tmp_path / "copy.fcs"))
    assert theirs.analysis == {"gate1": "12.5", "name": "Tür"}
    assert theirs.text["op"] == "Åsa"
    copy_fcs(sample, tmp_path / "bare.fcs", keep_analysis=False)
    assert "Tür".encode() not in (tmp_path / "bare.fcs").read_bytes()
    assert not read_fcs(tmp_path / "bare.fcs", strict=True).analysis


def test_each_data_set_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    first = fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": "0000"})
    second = fcs_bytes([[7, 8]], integers("C", "D"), kind="I", version="FCS3.0")
    both = first.replace(b"$NEXTDATA/0000", f"$NEXTDATA/{len(first):04d}".encode()) + second
    for number, (rows, version) in enumerate([(ROWS, "FCS3.1"), ([[7, 8]], "FCS3.0")]):
        sample = read_fcs(written(tmp_path, both), dataset=number)
        copy_fcs(sample, tmp_path / "copy.fcs")
        copy = read_fcs(tmp_path / "copy.fcs", strict=True)
        assert (copy.version, copy.text["$NEXTDATA"]) == (version, "0")
        np.testing.assert_array_equal(copy.to_numpy(raw=True), rows)


def test_no_events_are_copied_too(tmp_path: Path) -> None:
    copy_fcs(read_fcs(written(tmp_path, fcs_bytes([], floats("A", "B")))), tmp_path / "copy.fcs")
    assert read_fcs(tmp_path / "copy.fcs", strict=True).to_numpy().shape == (0, 2)
    assert flowio.FlowData(str(tmp_path / "copy.fcs")).event_count == 0


def test_other_text_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    source = written(tmp_path, fcs_bytes(ROWS, floats("A", "B"), keywords={"$OP": "Jane Doe", "$FIL": "doe.fcs"}))
    sample = read_fcs(source)
    text = {key: value for key, value in sample.text.items() if key != "$OP"} | {
        "$FIL": "x" * 5_000,
        "$P2S": "CD4",
    }
    copy_fcs(sample, source, text=text)  # in the place of the file itself
    assert b"Jane Doe" not in source.read_bytes()
    copy = read_fcs(source, strict=True)
    np.testing.assert_array_equal(copy["CD4"], [2, 4, 1000])
    assert copy.text["$FIL"] == "x" * 5_000
    with pytest.raises(FCSError, match="has changed since it was opened"):
        sample.to_numpy()


@pytest.mark.parametrize(
    "changed",
    [
        *({"$P1B": "32"}, {"$P1R": "2048"}, {"$P2E": "4,1"}, {"$P2G": "3"}, {"$DATATYPE": "F"}),
        *({"$BYTEORD": "4,3,2,1"}, {"$PAR": "1"}),
    ],
    ids=str,
)
def test_text_that_would_make_other_numbers_of_the_bytes_is_refused(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    sample = read_fcs(written(tmp_path, fcs_bytes(ROWS, integers("A", "B", top=1024), kind="I")))
    with pytest.raises(FCSError, match=r"copy\.fcs: .* must stay as in tube\.fcs") as raised:
        copy_fcs(sample, tmp_path / "copy.fcs", text={**sample.text, **changed})
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["tube.fcs"]
    copy_fcs(
        sample, tmp_path / "copy.fcs", text={**sample.text, "$P1R": "1024.0", "$P1G": "1"}
    )  # which say the same


def test_what_cannot_be_copied_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(FCSError, match="mem: was not read from a file"):
        copy_fcs(sample_from_array(np.ones((2, 1)), ["A"], name="mem"), out / "x.fcs")
    content = fcs_bytes([], floats("A", "B"), data=bytes(8 * 300_000), keywords={"$TOT": "300000"})
    source = written(tmp_path, content)
    sample = read_fcs(source)
    with pytest.raises(FCSError, match="keyword 'NA\u00cfVE' cannot be written"):
        copy_fcs(sample, out / "x.fcs", text={**sample.text, "NA\u00cfVE": "1"})
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        copy_fcs(sample, out / "absent" / "x.fcs")
    source.write_bytes(content[: data_begin(content) + 1_500_000])
    with pytest.raises(FCSError, match=r"tube\.fcs: the file has changed since it was opened"):
        copy_fcs(sample, out / "x.fcs")
    assert list(out.iterdir()) == []
