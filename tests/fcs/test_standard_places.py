"""Files where they lie: gzip, zip members, and fsspec URLs, read as they are."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import fsspec
import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, written
from said_of import conforming, one_line

from cytoreg import FCSError, fcs, read_fcs

ROWS = [[float(i), float(-i)] for i in range(200)]
OTHER = [[7.0, 8.0]]
FILE = fcs_bytes(ROWS, floats("A", "B"))
SECOND = fcs_bytes(OTHER, floats("A", "B"))
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def archive(members: dict[str, bytes], how: int = DEFLATED) -> bytes:
    """A zip archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("name", ["tube.fcs.gz", "tube.fcs", "TUBE.FCS.GZ", "tube", "tube.lmd"])
def test_gzip_is_known_by_its_content_under_any_name(tmp_path: Path, name: str) -> None:
    sample = conforming(written(tmp_path, gzip.compress(FILE), name))
    assert sample.to_numpy().tolist() == ROWS
    assert sample["B", [3, 1]].tolist() == [-3.0, -1.0]
    assert sample.name.startswith(name.split(".")[0])


def test_gzip_in_several_pieces_is_one_file(tmp_path: Path) -> None:
    """RFC 1952, section 2.2: members follow one another."""
    path = written(tmp_path, gzip.compress(FILE[:300]) + gzip.compress(FILE[300:]), "tube.fcs.gz")
    assert read_fcs(path).to_numpy().tolist() == ROWS


@pytest.mark.parametrize("how", [STORED, DEFLATED])
@pytest.mark.parametrize("name", ["archive.zip", "archive.fcs", "archive"])
def test_an_archive_with_one_fcs_file_is_that_file(tmp_path: Path, name: str, how: int) -> None:
    members = {"readme.txt": b"what this is", "plate/A1.fcs": FILE, "__MACOSX/plate/._A1.fcs": b"\0\5\x16\7"}
    sample = conforming(written(tmp_path, archive(members, how), name))
    assert sample.to_numpy().tolist() == ROWS


@pytest.mark.parametrize("how", [STORED, DEFLATED])
def test_a_member_of_an_archive_goes_by_its_path(tmp_path: Path, how: int) -> None:
    path = written(tmp_path, archive({"A1.fcs": FILE, "plate 2/B1.fcs": SECOND}, how), "archive.zip")
    assert conforming(path / "A1.fcs").to_numpy().tolist() == ROWS
    assert conforming(str(path / "plate 2" / "B1.fcs")).to_numpy().tolist() == OTHER


def test_several_members_and_none_named_lists_them(tmp_path: Path) -> None:
    path = written(tmp_path, archive({"A1.fcs": FILE, "plate/B1.fcs": SECOND, "readme.txt": b""}), "archive.zip")
    message = one_line(path)
    assert "A1.fcs" in message
    assert "plate/B1.fcs" in message


def test_a_member_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path, archive({"A1.fcs": FILE, "B1.fcs": SECOND}), "archive.zip")
    assert "A1.fcs" in one_line(path / "C1.fcs")


def test_an_archive_without_an_fcs_file_is_refused(tmp_path: Path) -> None:
    one_line(written(tmp_path, archive({"readme.txt": b"nothing"}), "archive.zip"))
    one_line(written(tmp_path, archive({}), "empty.zip"))


def encrypted(content: bytes) -> bytes:
    """The same archive with the flag that says its members are encrypted (APPNOTE 4.4.4, bit 0)."""
    out = bytearray(content)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = out.index(signature) + at
        out[place] |= 1
    return bytes(out)


PACKED = gzip.compress(FILE)
ZIPPED = archive({"A1.fcs": FILE})
BROKEN = {
    "gzip cut short.fcs.gz": PACKED[: len(PACKED) // 2],
    "gzip cut in its head.fcs.gz": PACKED[:6],
    "gzip with a wrong sum.fcs.gz": PACKED[:-8] + bytes(8),
    "gzip changed.fcs.gz": PACKED[:60] + bytes([PACKED[60] ^ 0xFF]) + PACKED[61:],
    "gzip of nothing.fcs.gz": gzip.compress(b""),
    "gzip of words.fcs.gz": gzip.compress(b"not an FCS file"),
    "zip cut short.zip": ZIPPED[: len(ZIPPED) // 2],
    "zip changed.zip": ZIPPED[:100] + bytes([ZIPPED[100] ^ 0xFF]) + ZIPPED[101:],
    "zip encrypted.zip": encrypted(ZIPPED),
    "zip of words.zip": archive({"A1.fcs": b"not an FCS file"}),
    "zip of an unknown method.zip": ZIPPED.replace(b"\x08\x00", b"\x63\x00"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_unpacked_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    one_line(written(tmp_path, BROKEN[name], name))


@pytest.mark.parametrize("inside", [b"", FILE], ids=["of nothing", "behind an FCS file"])
def test_a_gzip_bomb_does_not_fill_the_memory(tmp_path: Path, inside: bytes) -> None:
    """256 MB of zeros in 0.25 MB of gzip: at most ten times the file and 50 MB."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    pieces = [pack.compress(inside)]
    pieces += [pack.compress(bytes(1 << 24)) for _ in range(16)]
    content = b"".join([*pieces, pack.flush()])
    path = written(tmp_path, content, "bomb.fcs.gz")
    tracemalloc.start()
    try:
        try:
            read_fcs(path).to_numpy()
        except FCSError as problem:
            assert "\n" not in str(problem)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(content) + 50 * 2**20


def test_the_same_values_come_out_of_every_wrapping(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(5000, 3)).astype(np.float32)
    content = fcs_bytes(rows.tolist(), floats("A", "B", "C"))
    places = [
        written(tmp_path, content, "plain.fcs"),
        written(tmp_path, gzip.compress(content), "packed.fcs.gz"),
        written(tmp_path, archive({"A1.fcs": content}), "archive.zip"),
    ]
    for place in places:
        sample = read_fcs(place)
        np.testing.assert_array_equal(sample.to_numpy(), rows)
        np.testing.assert_array_equal(sample["B", slice(100, 200)], rows[100:200, 1])


def test_data_sets_and_checks_work_inside_a_wrapping(tmp_path: Path) -> None:
    length = len(fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": "0" * 8}))
    both = fcs_bytes(ROWS, floats("A", "B"), keywords={"$NEXTDATA": f"{length:08d}"}) + SECOND
    path = written(tmp_path, gzip.compress(both), "two.fcs.gz")
    assert fcs.count_datasets(path) == 2
    assert read_fcs(path, dataset=1).to_numpy().tolist() == OTHER
    odd = fcs_bytes(ROWS, floats("A", "B"), drop=["$TOT"])
    assert "$TOT" in one_line(written(tmp_path, gzip.compress(odd), "odd.fcs.gz"), strict=True)


def test_a_file_url_is_that_file(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    assert conforming(path.as_uri()).to_numpy().tolist() == ROWS
    packed = written(tmp_path, PACKED, "tube.fcs.gz")
    assert conforming(packed.as_uri()).to_numpy().tolist() == ROWS


@pytest.mark.parametrize(("name", "content"), [("tube.fcs", FILE), ("tube.fcs.gz", PACKED), ("a.zip", ZIPPED)])
def test_a_file_of_any_fsspec_file_system_is_read(name: str, content: bytes) -> None:
    url = f"memory://cytoreg-standard/{name}"
    with fsspec.open(url, "wb") as file:
        file.write(content)
    try:
        sample = conforming(url)
        assert sample.to_numpy().tolist() == ROWS
        assert sample["A", [5]].tolist() == [5.0]
    finally:
        fsspec.filesystem("memory").rm("/cytoreg-standard", recursive=True)


def test_a_chained_url_names_a_member_of_an_archive(tmp_path: Path) -> None:
    path = written(tmp_path, archive({"A1.fcs": FILE, "plate/B1.fcs": SECOND}), "archive.zip")
    assert conforming(f"zip://plate/B1.fcs::{path.as_uri()}").to_numpy().tolist() == OTHER


@pytest.mark.parametrize(
    "url",
    [
        "nosuchprotocol://somewhere/tube.fcs",
        "memory://cytoreg-standard/absent.fcs",
        "file:///no/such/folder/tube.fcs",
        "zip://A1.fcs::file:///no/such/archive.zip",
        "zip://A1.fcs::",
        "://tube.fcs",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_in_one_line(url: str) -> None:
    one_line(url, says=url.rsplit("/", 1)[-1] if "::" not in url else "A1.fcs")


def test_a_plain_path_stays_a_path(tmp_path: Path) -> None:
    """Colons and hashes belong to names of files too."""
    for name in ("run 1: tube #2.fcs", "a::b.fcs", "50%25.fcs"):
        assert conforming(written(tmp_path, FILE, name)).to_numpy().tolist() == ROWS
        assert conforming(str(written(tmp_path, FILE, name))).to_numpy().tolist() == ROWS
