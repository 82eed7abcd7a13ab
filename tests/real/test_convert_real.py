"""Every real file through `convert`: events stay what they are, and a de-identified file tells nobody's name or day."""

from __future__ import annotations

import re
from pathlib import Path

import anndata
import flowio
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cytoreg import CytoregError, Sample, read_fcs
from cytoreg.fcs import count_datasets
from cytoreg.fcs.identifying import IDENTIFYING, category_of
from cytoreg.interop import convert

UNREADABLE = {"corrupted.fcs", "sample_header.fcs"}
MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
TELLING = {
    "an ISO date": r"(?<!\d)(19|20)\d\d[-./_](0[1-9]|1[0-2])[-./_](0[1-9]|[12]\d|3[01])(?!\d)",
    "a date with its year last": r"(?<!\d)\d{1,2}[-./]\d{1,2}[-./](19|20)\d\d(?!\d)",
    "a date with a month's name": rf"(?<!\d)\d{{1,2}}[-. ]{MONTH}[a-z]*[-. ]\d{{2,4}}|\d{{4}}[-. ]{MONTH}",
    "a time of day": r"(?<![\d:])\d{1,2}:\d\d:\d\d",
    "a Windows path": r"(?<![a-z])[a-z]:\\|\\\\\w",
    "a home folder": r"/(Users|home|data|mnt)/",
    "an e-mail address": r"[\w.+-]+@[\w-]+\.[a-z]{2,}",
    "a GUID": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-",
}
# Words of identifying keywords that label channels too: a tube called after its dye tells nothing of a person,
# nor does the model of an instrument that stands for the institution.
DYES = re.compile(r"(FITC|APC|PE|Cy7|7-?AAD|AF700|iQue3)([ -](Cy7|Stained|Control))*", re.IGNORECASE)


def files(real: Path) -> list[Path]:
    found = sorted(path for path in real.rglob("*") if path.suffix.lower() in (".fcs", ".lmd"))
    assert len(found) > 60
    return [path for path in found if path.name not in UNREADABLE]


@pytest.fixture(scope="module")
def clean(real: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Every readable file and its de-identified copy."""
    folder = tmp_path_factory.mktemp("clean")
    pairs = []
    for number, path in enumerate(files(real)):
        target = folder / f"tube_{number:03d}.fcs"
        convert(path, target, deidentify=True)
        pairs.append((path, target))
    return pairs


def written_words(path: Path) -> dict[str, str]:
    """TEXT as it stands in the bytes: split here, not by the reader."""
    raw = path.read_bytes()
    begin, end = int(raw[10:18]), int(raw[18:26])
    segment = raw[begin : end + 1].decode("utf-8")
    delimiter, body = segment[0], segment[1:-1]
    parts = [part.replace("\ue000", delimiter) for part in body.replace(delimiter * 2, "\ue000").split(delimiter)]
    return dict(zip(parts[0::2], parts[1::2], strict=True))


def test_events_are_bit_for_bit_those_of_the_original(clean: list[tuple[Path, Path]]) -> None:
    for source, target in clean:
        old, new = read_fcs(source), read_fcs(target)
        for one, other in ((old.to_numpy(raw=True), new.to_numpy(raw=True)), (old.to_numpy(), new.to_numpy())):
            assert one.dtype == other.dtype, source.name
            np.testing.assert_array_equal(one, other, err_msg=source.name)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flowio_reads_the_same_events_from_both(clean: list[tuple[Path, Path]]) -> None:
    compared = 0
    for source, target in clean:
        try:
            old = flowio.FlowData(str(source), ignore_offset_error=True)
        except Exception:  # flowio refuses some of these files in its own ways
            continue
        new = flowio.FlowData(str(target))
        if old.event_count == new.event_count:
            np.testing.assert_array_equal(np.asarray(old.events), np.asarray(new.events), err_msg=source.name)
            compared += 1
    assert compared > 55


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_keyword_of_the_list_is_left_as_flowio_reads_it(clean: list[tuple[Path, Path]]) -> None:
    listed = {keyword.strip("$").lower() for standard, _ in IDENTIFYING.values() for keyword in standard} - {"cyt"}
    for source, target in clean:
        text = flowio.FlowData(str(target)).text
        assert not listed & set(text), source.name
        left = {key.upper() for key in text if category_of(key.upper()) not in ("other", "instrument")}
        assert not left, (source.name, left)


def test_nothing_that_is_left_looks_like_a_day_a_path_or_an_address(clean: list[tuple[Path, Path]]) -> None:
    for source, target in clean:
        for keyword, value in written_words(target).items():
            for what, pattern in TELLING.items():
                assert not re.search(pattern, f"{keyword} {value}", re.IGNORECASE), (source.name, keyword, what)


def identifying_values(sample: Sample) -> set[str]:
    """Values of four characters or more that name people, subjects, files, sites, or one instrument."""
    found = set()
    for key, value in [*sample.text.items(), *sample.analysis.items()]:
        if category_of(key) in ("person", "subject", "file", "site", "identifier", "date", "plate", "experiment"):
            found |= {value.strip(), value.strip().rpartition("\\")[2], re.sub(r"\.\w{3}$", "", value.strip())}
        if category_of(key) == "person":
            found |= set(re.findall(r"\w+", value))
    return {word for word in found if len(word) >= 4 and not DYES.fullmatch(word)}


def test_no_name_or_id_of_the_file_returns_elsewhere(clean: list[tuple[Path, Path]]) -> None:
    checked = 0
    for source, target in clean:
        words = identifying_values(read_fcs(source))
        free = {k: v for k, v in written_words(target).items() if not re.fullmatch(r"[-+\d., eE]*", v)}
        for word in words:
            pattern = re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", re.IGNORECASE)
            hits = {key: value for key, value in free.items() if pattern.search(value)}
            assert not hits, (source.name, word, hits)
            checked += 1
    assert checked > 600


def test_nothing_stands_outside_header_text_and_data(clean: list[tuple[Path, Path]]) -> None:
    for source, target in clean:
        raw, text = target.read_bytes(), written_words(target)
        header = [int(raw[10 + 8 * i : 18 + 8 * i]) for i in range(6)]
        assert header[0] == 58
        assert header[2] == header[1] + 1
        assert header[4:] == [0, 0]
        assert raw[header[3] + 1 :] in (b"", b"00000000"), source.name
        assert text.get("$NEXTDATA", "0") == "0"
        assert {text.get("$BEGINSTEXT", "0"), text.get("$BEGINANALYSIS", "0")} == {"0"}


def test_what_gating_needs_is_left(clean: list[tuple[Path, Path]]) -> None:
    scrubbed = 0
    for source, target in clean:
        old, new = read_fcs(source), read_fcs(target)
        assert (old.spillover is None) == (new.spillover is None), source.name
        if old.spillover is not None and new.spillover is not None:
            np.testing.assert_array_equal(old.spillover.matrix, new.spillover.matrix)
        assert [c.name for c in old.channels] == [c.name for c in new.channels], source.name
        changed = [
            (a.marker, b.marker) for a, b in zip(old.channels, new.channels, strict=True) if a.marker != b.marker
        ]
        assert all(set(marker or "") == {"x"} for marker, _ in changed), (source.name, changed)
        scrubbed += len(changed)
        step = old.text.get("$TIMESTEP", "")
        if re.fullmatch(r"[\d.]+", step):
            assert new.text["$TIMESTEP"] == step
    assert scrubbed == 9  # three files whose publisher put the same `xxxx` for names and for markers


def test_copies_and_tables_of_every_file_hold_its_values(real: Path, tmp_path: Path) -> None:
    for path in files(real):
        if path.stat().st_size > 3_000_000:
            continue
        sample = read_fcs(path)
        values = sample.to_numpy()
        for name in ("t.csv", "t.parquet", "t.fcs"):
            convert(path, tmp_path / name, force=True)
        frame = pd.read_csv(tmp_path / "t.csv", float_precision="round_trip")
        for i, column in enumerate(
            sample.columns(range(values.shape[1]))
        ):  # a file may have 32-bit and 64-bit ones
            digits = frame.iloc[:, i].to_numpy().astype(column.dtype)
            np.testing.assert_array_equal(digits, column, err_msg=path.name)
        table = pq.read_table(tmp_path / "t.parquet")
        columns = np.column_stack([column.to_numpy() for column in table.columns])
        np.testing.assert_array_equal(columns.astype(values.dtype), values, err_msg=path.name)
        copy = read_fcs(tmp_path / "t.fcs")
        np.testing.assert_array_equal(copy.to_numpy(), values, err_msg=path.name)
        convert(tmp_path / "t.parquet", tmp_path / "back.fcs", force=True)
        back = read_fcs(tmp_path / "back.fcs")
        np.testing.assert_array_equal(back.to_numpy().astype(values.dtype), values, err_msg=path.name)
        assert [c.label for c in back.channels] == [c.label.replace(",", ";") for c in sample.channels], path.name
        if sample.spillover is not None:
            assert back.spillover is not None
            np.testing.assert_array_equal(back.spillover.matrix, sample.spillover.matrix)


@pytest.mark.parametrize(
    "name", ["human_t_cell_aria/100715.fcs", "instruments/cytof_1000_events.fcs", "instruments/facscan_fcs2.0.fcs"]
)
def test_anndata_of_real_files(real: Path, tmp_path: Path, name: str) -> None:
    sample = read_fcs(real / name)
    convert(real / name, tmp_path / "t.h5ad")
    data = anndata.read_h5ad(tmp_path / "t.h5ad")
    np.testing.assert_array_equal(data.X, sample.to_numpy())
    assert list(data.var["channel"]) == [channel.name for channel in sample.channels]
    convert(tmp_path / "t.h5ad", tmp_path / "back.fcs")
    np.testing.assert_array_equal(read_fcs(tmp_path / "back.fcs").to_numpy(), sample.to_numpy())


@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_another_version_of_every_instrument_has_the_same_values(real: Path, tmp_path: Path, version: str) -> None:
    for path in files(real):
        if path.parent.name != "instruments":
            continue
        convert(path, tmp_path / "new.fcs", version=version, force=True)
        old, new = read_fcs(path), read_fcs(tmp_path / "new.fcs")
        assert new.version == f"FCS{version}" or new.version == old.version
        np.testing.assert_allclose(new.to_numpy(), old.to_numpy(), rtol=1e-6, err_msg=path.name)


def test_further_data_sets_are_said_and_can_be_asked_for(real: Path, tmp_path: Path) -> None:
    several = [path for path in files(real) if count_datasets(path) > 1]
    assert several
    for path in several:
        done = convert(path, tmp_path / "first.parquet", force=True)
        assert any("further data sets" in sentence for sentence in done.lost)
        convert(path, tmp_path / "second.parquet", dataset=1, force=True)
        assert pq.read_table(tmp_path / "second.parquet").num_rows == read_fcs(path, dataset=1).n_events


def test_files_that_cannot_be_read_leave_nothing(real: Path, tmp_path: Path) -> None:
    for name in UNREADABLE:
        with pytest.raises(CytoregError):
            convert(real / "instruments" / name, tmp_path / "t.fcs", deidentify=True)
    assert list(tmp_path.iterdir()) == []
