"""A second opinion on a file, by two readers that nobody here wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cytoreg.errors import FCSError, StudyError
from cytoreg.fcs import write_fcs
from cytoreg.interop import readers


def test_both_readers_agree_with_us_on_every_value(root: Path) -> None:
    path = root / "example_fcs" / "fcs" / "P001_baseline_treg.fcs"
    opinions = readers.compare_readers(path)
    assert [opinion.reader for opinion in opinions] == ["flowio", "fcsparser"]
    assert all(opinion.equal and "6,000 events x 12 channels" in opinion.message for opinion in opinions)


def test_a_value_read_otherwise_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.fcs"
    events = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_fcs(path, events, ["A", "B", "C"])
    other = events.copy()
    other[2, 1] = 99
    monkeypatch.setattr(readers, "_flowio", lambda _: other)
    (opinion,) = readers.compare_readers(path, ["flowio"])
    assert opinion.opened and not opinion.equal
    assert "1 values differ, first at event 2, channel 2: 99.0 there, 7.0 here" in opinion.message


def test_not_a_number_equals_not_a_number(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.array([[np.nan, 1], [2, np.inf]], dtype=np.float32), ["A", "B"])
    assert all(opinion.equal for opinion in readers.compare_readers(path))


def test_what_we_cannot_read_and_who_is_unknown(tmp_path: Path) -> None:
    bad = tmp_path / "bad.fcs"
    bad.write_bytes(b"nothing")
    with pytest.raises(FCSError, match="not an FCS file"):
        readers.compare_readers(bad)
    with pytest.raises(StudyError, match="did you mean 'flowio'"):
        readers.compare_readers(bad, ["flowoi"])


def test_instruments_on_which_they_agree(real: Path) -> None:
    opinions = {
        name: readers.compare_readers(real / "instruments" / name)
        for name in (
            "facscalibur_hts_fcs2.0.fcs",
            "attune_nxt_fcs3.1.fcs",
            "stratedigm_s1400.fcs",
            "navios_bitmask.lmd",
        )
    }
    for name, found in opinions.items():
        assert any(opinion.equal for opinion in found), name
        assert all(opinion.equal for opinion in found if opinion.opened and opinion.reader == "flowio"), name
