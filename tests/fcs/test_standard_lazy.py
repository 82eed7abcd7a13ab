"""A channel, or some events of it, means the same however it is asked for: the contract of `Sample`."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bytes_of import fcs_bytes, floats, integers, packed, written

from cytoreg import FCSError, read_fcs

N = 997
RNG = np.random.default_rng(3)
FLOATS = RNG.normal(1000, 300, (N, 5)).astype(np.float32).tolist()
INTEGERS = RNG.integers(0, 1024, (N, 5)).tolist()
BITS = [10, 11, 13, 10, 12]
LOGARITHMIC = [{"N": name, "B": "16", "R": "1024", "E": "4,1"} for name in "ABCDE"]
MIXED = [
    {**parameter, "DATATYPE": kind}
    for parameter, kind in zip([*floats(*"ABC"), *integers("D"), *integers("E", bits=32)], "FFFII", strict=True)
]
WITH_GAIN = [{**parameter, "G": "3"} for parameter in floats(*"ABCDE")]
FILES = {
    "float": fcs_bytes(FLOATS, floats(*"ABCDE")),
    "float big-endian": fcs_bytes(FLOATS, floats(*"ABCDE"), byteord="4,3,2,1"),
    "float odd order": fcs_bytes(FLOATS, floats(*"ABCDE"), byteord="3,4,1,2", version="FCS2.0"),
    "float with gain": fcs_bytes(FLOATS, WITH_GAIN),
    "double": fcs_bytes(FLOATS, [{"N": name, "B": "64", "R": "1"} for name in "ABCDE"], kind="D"),
    "integer": fcs_bytes(INTEGERS, integers(*"ABCDE", top=1024), kind="I", byteord="4,3,2,1"),
    "integer of 24 bits": fcs_bytes(INTEGERS, integers(*"ABCDE", bits=24), kind="I"),
    "logarithmic": fcs_bytes(INTEGERS, LOGARITHMIC, kind="I"),
    "packed": fcs_bytes(
        INTEGERS,
        [{"N": name, "B": str(bits), "R": str(2**bits)} for name, bits in zip("ABCDE", BITS, strict=True)],
        kind="I",
        version="FCS3.0",
        data=packed(INTEGERS, BITS),
    ),
    "mixed types": fcs_bytes(INTEGERS, MIXED, version="FCS3.2"),
}
MASK = RNG.random(N) < 0.2
EVENTS: dict[str, Any] = {
    "mask": MASK,
    "mask of none": np.zeros(N, dtype=bool),
    "mask of all": np.ones(N, dtype=bool),
    "indices": np.array([5, 3, 3, N - 1, 0]),
    "indices of 32 bits": np.flatnonzero(MASK).astype(np.int32),
    "no indices": np.array([], dtype=np.int64),
    "slice": slice(10, 200),
    "slice with a step": slice(None, None, 7),
    "slice from the end": slice(-20, None),
    "slice turned round": slice(None, None, -1),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("events", EVENTS)
def test_a_channel_for_some_events_is_those_of_the_whole_channel(tmp_path: Path, case: str, events: str) -> None:
    path = written(tmp_path, FILES[case])
    chosen = EVENTS[events]
    whole = read_fcs(path)
    for name in "AD":
        part = read_fcs(path)[name, chosen]  # a sample that has decoded nothing yet
        np.testing.assert_array_equal(part, whole[name][chosen])
        assert part.dtype == whole[name].dtype
    for raw in (False, True):
        parts = read_fcs(path).columns([4, 1], raw=raw, events=chosen)
        for part, column in zip(parts, whole.columns([4, 1], raw=raw), strict=True):
            np.testing.assert_array_equal(part, column[chosen])
            assert part.dtype == column.dtype


@pytest.mark.parametrize("case", FILES)
def test_all_ways_to_the_values_agree(tmp_path: Path, case: str) -> None:
    sample = read_fcs(written(tmp_path, FILES[case]))
    for raw in (False, True):
        columns = sample.columns(range(5), raw=raw)
        matrix = sample.to_numpy(raw=raw)
        frame = sample.to_pandas(raw=raw)
        assert matrix.shape == frame.shape == (N, 5)
        for i, name in enumerate("ABCDE"):
            np.testing.assert_array_equal(matrix[:, i], columns[i])
            np.testing.assert_array_equal(frame[name].to_numpy(), columns[i])
    for i, name in enumerate("ABCDE"):
        np.testing.assert_array_equal(sample[name], sample.columns([i])[0])
        np.testing.assert_array_equal(sample[i], sample[name])


@pytest.mark.parametrize("case", FILES)
def test_stored_numbers_are_those_of_the_file(tmp_path: Path, case: str) -> None:
    stored = (
        FLOATS
        if case in ("float", "float big-endian", "float odd order", "float with gain", "double")
        else INTEGERS
    )
    sample = read_fcs(written(tmp_path, FILES[case]))
    np.testing.assert_array_equal(sample.to_numpy(raw=True), np.array(stored))
    kinds = {column.dtype.kind for column in sample.columns(range(5), raw=True)}
    assert kinds == ({"f", "u"} if case == "mixed types" else {"f"} if stored is FLOATS else {"u"})


@pytest.mark.parametrize("case", FILES)
def test_values_may_not_be_written_to(tmp_path: Path, case: str) -> None:
    sample = read_fcs(written(tmp_path, FILES[case]))
    for values in (sample["A"], sample["A", slice(3, 9)], sample["A", np.array([1, 2])]):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0
    assert sample["A"].tolist() == sample["A"].tolist()


@pytest.mark.parametrize("name", ["A", 0, np.int64(0)])
def test_a_channel_goes_by_name_or_number_with_events_too(tmp_path: Path, name: Any) -> None:
    sample = read_fcs(written(tmp_path, FILES["float"]))
    np.testing.assert_array_equal(sample[name, MASK], sample["A"][MASK])


@pytest.mark.parametrize(
    "events", [np.ones(N - 1, dtype=bool), np.array([0, N]), np.array([-N - 1]), np.array([0.5]), "all", np.eye(2)]
)
def test_events_that_the_sample_does_not_have_are_refused_in_one_line(tmp_path: Path, events: Any) -> None:
    sample = read_fcs(written(tmp_path, FILES["integer"]))
    with pytest.raises(FCSError) as caught:
        sample["A", events]
    assert "\n" not in str(caught.value)
    with pytest.raises(FCSError):
        sample.columns([0], events=events)


def test_a_channel_needs_no_memory_for_the_others(tmp_path: Path) -> None:
    """At most twice the channel and a block: 40 float channels of 100,000 events are 16 MB, one is 0.4 MB."""
    n = 100_000
    head = fcs_bytes(
        [], floats(*(f"P{i}" for i in range(40))), keywords={"$TOT": str(n)}, drop=["$BEGINDATA", "$ENDDATA"]
    )
    content = bytearray(head + np.arange(40 * n, dtype="<f4").tobytes())
    content[26:42] = f"{len(head):>8d}{len(content) - 1:>8d}".encode()
    path = written(tmp_path, bytes(content))
    read_fcs(path)["P3"]
    sample = read_fcs(path)
    tracemalloc.start()
    try:
        values = sample["P7"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert values[:3].tolist() == [7.0, 47.0, 87.0]
    assert peak < 2 * 4 * n + (4 << 20)
