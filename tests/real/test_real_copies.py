"""Every real file copied, byte for byte of DATA, and written anew, with flowio's reading of both."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import flowio
import numpy as np
import pytest

from cytoreg import FCSError, Sample, read_fcs
from cytoreg.fcs import copy_fcs, write_fcs

SET_ANEW = {
    "$BEGINANALYSIS",
    "$ENDANALYSIS",
    "$BEGINSTEXT",
    "$ENDSTEXT",
    "$BEGINDATA",
    "$ENDDATA",
    "$NEXTDATA",
    "$TOT",
}


def readable(real: Path) -> Iterator[tuple[Path, Sample]]:
    for path in sorted(real.rglob("*")):
        if path.suffix.lower() in (".fcs", ".lmd"):
            with suppress(FCSError):
                yield path, read_fcs(path)


def by_flowio(path: Path) -> np.ndarray[Any, Any] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            events = flowio.FlowData(str(path)).events
        except Exception:
            return None
    return None if events is None else np.array(events)


def data_of(path: Path) -> bytes:
    """DATA as HEADER gives it."""
    content = path.read_bytes()
    return content[int(content[26:34]) : int(content[34:42]) + 1]


def assert_same(sample: Sample, path: Path) -> None:
    copy = read_fcs(path)
    assert (copy.version, copy.n_events) == (sample.version, sample.n_events)
    assert data_of(path) == b"".join(sample.data_blocks())
    np.testing.assert_array_equal(copy.to_numpy(raw=True), sample.to_numpy(raw=True))
    np.testing.assert_array_equal(copy.to_numpy(), sample.to_numpy())
    assert {k: v for k, v in copy.text.items() if k not in SET_ANEW} == {
        k: v for k, v in sample.text.items() if k not in SET_ANEW | {"$UNICODE"}
    }
    assert copy.analysis == sample.analysis
    assert copy.channels == sample.channels
    assert {str(problem) for problem in copy.problems} <= {str(problem) for problem in sample.problems}


def test_copies_of_all_real_files_hold_the_same(real: Path, tmp_path: Path) -> None:
    copied = mended = 0
    out = tmp_path / "copy.fcs"
    for path, sample in readable(real):
        copy_fcs(sample, out)
        assert_same(sample, out)
        before, after = by_flowio(path), by_flowio(out)
        if before is not None:
            np.testing.assert_array_equal(after, before, err_msg=path.name)
            copied += 1
        elif after is not None:  # offsets that flowio stumbled on are right now
            np.testing.assert_array_equal(after, sample.to_numpy(raw=True).ravel(), err_msg=path.name)
            mended += 1
    assert copied >= 60
    assert mended >= 7


@pytest.mark.parametrize("name", ["fc500.lmd", "partec_cyflow_2.9.fcs"])
def test_a_later_data_set_and_an_analysis_segment_are_copied(real: Path, tmp_path: Path, name: str) -> None:
    sample = read_fcs(real / "instruments" / name, dataset=1 if name == "fc500.lmd" else 0)
    copy_fcs(sample, tmp_path / "copy.fcs")
    assert_same(sample, tmp_path / "copy.fcs")
    copy = read_fcs(tmp_path / "copy.fcs")
    assert copy.text["$NEXTDATA"] == "0"
    assert bool(copy.analysis) == (name != "fc500.lmd")
    copy_fcs(sample, tmp_path / "bare.fcs", keep_analysis=False)
    assert not read_fcs(tmp_path / "bare.fcs").analysis


def test_all_real_files_written_anew_hold_the_same_in_both_versions(real: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.fcs"
    written = 0
    for path, sample in readable(real):
        events = sample.to_numpy()
        names, markers = zip(*((channel.name, channel.marker) for channel in sample.channels), strict=True)
        tops = [channel.top for channel in sample.channels]
        for version in ("FCS3.1", "FCS3.2"):
            kind = "D" if events.dtype == np.float64 else "F"
            kept = {"ranges": tops, "spillover": sample.spillover, "keywords": sample.text}
            write_fcs(out, events, names, markers, version=version, kind=kind, **kept)
            new = read_fcs(out)
            np.testing.assert_array_equal(new.to_numpy(), events)
            np.testing.assert_array_equal(by_flowio(out), events.ravel(), err_msg=path.name)
            assert [(c.name, c.marker) for c in new.channels] == list(zip(names, markers, strict=True))
            assert [c.top for c in new.channels] == tops
            if sample.spillover is not None:
                assert new.spillover is not None
                np.testing.assert_array_equal(new.spillover.matrix, sample.spillover.matrix)
            written += 1
    assert written >= 140


def test_stored_integers_of_real_instruments_are_written_with_their_amplifiers(real: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.fcs"
    written = refused = 0
    for path, sample in readable(real):
        if any(channel.kind != "I" for channel in sample.channels):
            continue
        stored = sample.to_numpy(raw=True)
        arguments = {
            "ranges": [channel.range for channel in sample.channels],
            "amplifiers": [(f"{c.decades!r},{c.offset!r}", repr(c.gain)) for c in sample.channels],
            "keywords": sample.text,
        }
        names = [channel.name for channel in sample.channels]
        if (stored >= np.array(arguments["ranges"])).any():  # one clock runs past its $PnR
            with pytest.raises(FCSError, match=r"channel .Time., event .* cannot be stored as an integer"):
                write_fcs(out, stored, names, kind="I", **arguments)
            refused += 1
            continue
        write_fcs(out, stored, names, kind="I", **arguments)
        np.testing.assert_array_equal(read_fcs(out).to_numpy(raw=True), stored)
        np.testing.assert_array_equal(read_fcs(out).to_numpy(), sample.to_numpy())
        np.testing.assert_array_equal(by_flowio(out), stored.ravel(), err_msg=path.name)
        written += 1
    assert written >= 10
    assert refused >= 1
