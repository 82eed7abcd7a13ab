"""What we write, flowio and fcsparser read as we do."""

from __future__ import annotations

from pathlib import Path

import fcsparser
import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cytoreg import CytoregError, FCSError, read_fcs
from cytoreg.errors import StoreError
from cytoreg.fcs import Spillover, write_fcs

# what may stand in a name: printable, no comma (the standard forbids it in $PnN), no $ (flowio looks for it)
words = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=",$"), min_size=1, max_size=12
)
finite = st.floats(width=32, allow_nan=False)


@st.composite
def tubes(draw: st.DrawFn) -> tuple[np.ndarray, list[str], list[str | None], dict[str, str]]:
    c = draw(st.integers(1, 5))
    n = draw(st.integers(1, 20))
    events = draw(arrays.arrays(np.float32, (n, c), elements=finite))
    names = draw(st.lists(words, min_size=c, max_size=c, unique_by=str.casefold))
    markers = draw(st.lists(st.none() | words, min_size=c, max_size=c))
    keys = st.text("ABCDEFGHIJ_/|", min_size=1, max_size=8)
    more = draw(st.dictionaries(keys, st.text(st.characters(min_codepoint=33, max_codepoint=126)), max_size=4))
    return events, names, markers, more


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tubes())
def test_ours_flowio_and_fcsparser_read_back_what_was_written(
    tmp_path: Path, tube: tuple[np.ndarray, list[str], list[str | None], dict[str, str]]
) -> None:
    events, names, markers, more = tube
    path = tmp_path / "x.fcs"
    write_fcs(path, events, names, markers, keywords=more)
    ours = read_fcs(path, strict=True)
    np.testing.assert_array_equal(ours.to_numpy(), events)
    assert [channel.name for channel in ours.channels] == names
    repeats = [m is not None and m.casefold() == n.casefold() for m, n in zip(markers, names, strict=True)]
    assert [c.marker for c in ours.channels] == [
        None if same else m for m, same in zip(markers, repeats, strict=True)
    ]
    for key, value in more.items():
        assert ours.text[key] == value

    theirs = flowio.FlowData(str(path))
    np.testing.assert_array_equal(np.array(theirs.events).reshape(len(events), -1), events)
    assert [theirs.channels[key]["PnN"] for key in sorted(theirs.channels, key=int)] == names


@pytest.mark.parametrize("double", [False, True])
def test_fcsparser_and_flowkit_read_events_names_and_spillover(tmp_path: Path, double: bool) -> None:
    import flowkit

    rng = np.random.default_rng(3)
    events = rng.normal(1000, 300, size=(200, 4)).astype(np.float64 if double else np.float32)
    names = ["FSC-A", "FITC-A", "PE-A", "Time"]
    spillover = Spillover(("FITC-A", "PE-A"), np.array([[1.0, 0.123456789012345], [0.01, 1.0]]))
    path = tmp_path / "x.fcs"
    write_fcs(path, events, names, [None, "CD3", "CD4", None], spillover=spillover, double=double)
    meta, frame = fcsparser.parse(path, channel_naming="$PnN")
    np.testing.assert_array_equal(frame.to_numpy(), events.astype(np.float32))  # fcsparser rounds to 32 bits
    assert list(frame.columns) == names
    assert meta["$P2S"] == "CD3"
    ours = read_fcs(path, strict=True)
    assert ours["CD3"].dtype == events.dtype
    np.testing.assert_array_equal(ours.to_numpy(), events)
    assert ours.spillover is not None
    np.testing.assert_array_equal(ours.spillover.matrix, spillover.matrix)
    theirs = flowkit.Sample(str(path))
    np.testing.assert_array_equal(theirs.get_events(source="raw"), events)
    assert flowkit.Matrix(theirs.metadata["spillover"], names[1:3]).matrix.tolist() == spillover.matrix.tolist()


def test_a_value_may_begin_with_what_others_use_as_a_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    more = {"$FIL": "/data/a|b.fcs", "NOTE": "|bar", "EMPTY": ""}
    write_fcs(path, np.zeros((1, 1), np.float32), ["A"], keywords=more)
    sample = read_fcs(path)
    assert {key: sample.text[key] for key in more} == more


def test_no_events_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.empty((0, 2), np.float32), ["A", "B"])
    assert read_fcs(path, strict=True).to_numpy().shape == (0, 2)


def test_keywords_of_the_layout_cannot_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.ones((3, 1), np.float32), ["A"], keywords={"$tot": "9", "$DATATYPE": "I", "$NEXTDATA": "5"})
    assert read_fcs(path, strict=True).n_events == 3


def test_shapes_must_agree_and_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FCSError, match="2 columns of events, 1 channels"):
        write_fcs(tmp_path / "x.fcs", np.zeros((1, 2)), ["A"])
    with pytest.raises(StoreError, match="cannot be written"):
        write_fcs(tmp_path / "absent" / "x.fcs", np.zeros((1, 1)), ["A"])
    assert list(tmp_path.iterdir()) == []
    assert issubclass(StoreError, CytoregError)
