"""Whatever may be written is read back as it was, by us and by the peers: Hypothesis makes up the files."""

from __future__ import annotations

from pathlib import Path

import fcsparser
import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cytoreg import Sample, read_fcs
from cytoreg.fcs import Problem, Spillover, write_fcs

checked = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# readers take spaces off the ends of a value
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = any_text.map(str.strip).filter(lambda word: word.strip(" \x00") == word != "")
names = words.filter(lambda word: "," not in word and min(word) >= " ")
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="$"), min_size=1, max_size=12)
plain_words = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",$"), min_size=1, max_size=12
)


def floats(width: int) -> st.SearchStrategy[float]:
    return st.floats(width=width, allow_nan=True, allow_infinity=True, allow_subnormal=True)  # type: ignore[arg-type]


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, 2**bits - 1, 2 ** (bits - 1)]) | st.integers(0, 2**bits - 1)


def departures(sample: Sample) -> list[Problem]:
    """Departures but for values that look like no measurement, which are made up here."""
    return [problem for problem in sample.problems if problem.is_departure and problem.where != "DATA"]


shapes = st.tuples(st.integers(0, 12), st.integers(1, 20))


@pytest.mark.filterwarnings("ignore:The default channel names")  # fcsparser, of names that stand twice
@checked
@given(
    shapes.flatmap(
        lambda shape: st.tuples(
            st.one_of(
                arrays.arrays(np.float32, shape, elements=floats(32)),
                arrays.arrays(np.float64, shape, elements=floats(64)),
            ),
            st.lists(names, min_size=shape[1], max_size=shape[1]),
            st.lists(st.none() | words, min_size=shape[1], max_size=shape[1]),
        )
    ),
    st.dictionaries(keys.map(str.upper), any_text, max_size=6),
    st.sampled_from(["FCS3.1", "FCS3.2"]),
)
def test_floats_names_markers_and_keywords_of_any_alphabet(
    tmp_path: Path,
    tube: tuple[np.ndarray, list[str], list[str | None]],
    more: dict[str, str],
    version: str,
) -> None:
    events, channels, markers = tube
    path = tmp_path / "x.fcs"
    kind = "F" if events.dtype == np.float32 else "D"
    write_fcs(path, events, channels, markers, keywords=more, version=version, kind=kind)
    ours = read_fcs(path)
    assert len(set(channels)) < len(channels) or not departures(ours)
    np.testing.assert_array_equal(ours.to_numpy(), events)  # NaN equals NaN here
    np.testing.assert_array_equal(ours.to_numpy(raw=True).view(np.uint8), events.view(np.uint8))
    assert [channel.name for channel in ours.channels] == channels
    assert [ours.text.get(f"$P{i}S") for i in range(1, len(channels) + 1)] == markers
    for key, value in more.items():
        assert ours.text[key] == value.strip(" \x00")

    theirs, frame = fcsparser.parse(path, channel_naming="$PnN", dtype=None)
    np.testing.assert_array_equal(frame.to_numpy(), events)
    for key, value in more.items():
        assert theirs[key] == (value or " ")


@checked
@given(
    shapes.flatmap(
        lambda shape: st.tuples(
            arrays.arrays(np.float32, shape, elements=floats(32)),
            st.lists(plain_words, min_size=shape[1], max_size=shape[1]),
        )
    ),
    st.dictionaries(st.text("ABCDEFGHIJ_/|", min_size=1, max_size=8), plain_words, max_size=4),
)
def test_flowio_reads_back_what_was_written(
    tmp_path: Path, tube: tuple[np.ndarray, list[str]], more: dict[str, str]
) -> None:
    """With words in which flowio looks for no $, and keywords that are not those of the standard without it."""
    events, channels = tube
    path = tmp_path / "x.fcs"
    write_fcs(path, events, channels, keywords=more)
    theirs = flowio.FlowData(str(path))
    np.testing.assert_array_equal(np.array(theirs.events, np.float32).reshape(events.shape), events)
    assert [theirs.channels[key]["PnN"] for key in sorted(theirs.channels, key=int)] == channels
    for key, value in more.items():
        assert theirs.text[key.lower()] == value


@st.composite
def stored_integers(draw: st.DrawFn) -> tuple[np.ndarray, list[int]]:
    n, c = draw(shapes)
    bits = draw(st.lists(st.sampled_from([8, 16, 32, 64]), min_size=c, max_size=c))
    columns = [draw(st.lists(integers(each), min_size=n, max_size=n)) for each in bits]
    return np.array(columns, dtype=np.uint64).reshape(c, n).T, bits


@checked
@given(stored_integers(), st.booleans(), st.sampled_from(["FCS3.1", "FCS3.2"]))
def test_integers_of_every_width(
    tmp_path: Path, stored: tuple[np.ndarray, list[int]], asked: bool, version: str
) -> None:
    events, bits = stored
    channels = [f"C{i}" for i in range(len(bits))]
    path = tmp_path / "x.fcs"
    write_fcs(path, events, channels, kind="I", bits=bits if asked else None, version=version)
    ours = read_fcs(path)
    assert not departures(ours)
    used = [channel.bits for channel in ours.channels]
    if asked:
        assert used == bits
    for i, column in enumerate(ours.columns(range(len(bits)), raw=True)):
        np.testing.assert_array_equal(column, events[:, i])
        assert max([int(value) for value in column], default=0) < 2 ** used[i]
    if 64 not in used:
        theirs = flowio.FlowData(str(path))
        np.testing.assert_array_equal(np.array(theirs.events).reshape(events.shape), events)
        frame = fcsparser.parse(path, dtype=None)[1]
        np.testing.assert_array_equal(frame.to_numpy().astype(np.uint64), events)


@checked
@given(
    st.lists(names.filter(lambda name: not name.isdecimal()), min_size=1, max_size=8, unique=True).flatmap(
        lambda channels: st.tuples(
            st.just(channels),
            arrays.arrays(
                np.float64,
                (len(channels), len(channels)),
                elements=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True),
            ),
        )
    )
)
def test_spillover_keeps_every_digit(tmp_path: Path, matrix: tuple[list[str], np.ndarray]) -> None:
    channels, coefficients = matrix
    path = tmp_path / "x.fcs"
    write_fcs(
        path, np.zeros((1, len(channels))), channels, spillover=Spillover(tuple(channels), coefficients), kind="D"
    )
    ours = read_fcs(path, strict=True).spillover
    if not coefficients.any():  # a matrix of nothing but 0 is none
        return
    assert ours is not None
    assert ours.channels == tuple(channels)
    np.testing.assert_array_equal(ours.matrix, coefficients)
    fields = fcsparser.parse(path, meta_data_only=True)["$SPILLOVER"].split(",")
    assert fields[: 1 + len(channels)] == [str(len(channels)), *channels]
    np.testing.assert_array_equal([float(x) for x in fields[1 + len(channels) :]], coefficients.ravel())
