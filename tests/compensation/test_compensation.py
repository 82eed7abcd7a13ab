"""Compensation: equal to FlowKit's and flowutils', and matrices of any table a lab has."""

from __future__ import annotations

from pathlib import Path

import flowkit
import numpy as np
import pytest
from flowutils.compensate import compensate

from cytoreg import Sample, TemplateError
from cytoreg.compensation import apply, compensation_for, read_matrix
from cytoreg.fcs import Spillover, sample_from_array, write_fcs

CHANNELS = ["FSC-A", "FITC-A", "PE-A", "APC-A"]
MATRIX = np.array([[1, 0.21, 0.003], [0.05, 1, 0.12], [0.0, 0.02, 1]])
NAMED = Spillover(("FITC-A", "PE-A", "APC-A"), MATRIX.copy())


def tube(n: int = 400) -> Sample:
    events = np.random.default_rng(5).lognormal(6, 2, size=(n, 4)).astype(np.float32)
    events[::7] *= -0.1
    return sample_from_array(events, CHANNELS, markers=[None, "CD3", "CD4", "CD8"], spillover=NAMED, name="t.fcs")


def compensated(sample: Sample, choice: str | Path | Spillover | None) -> np.ndarray:
    taken_out = compensation_for(sample, choice)
    assert taken_out is not None
    columns = []
    for channel in sample.channels:
        sources = taken_out.sources(channel.index)
        columns.append(apply(sample.columns([i for i, _ in sources]), [weight for _, weight in sources]))
    return np.column_stack(columns)


def test_values_are_those_of_flowkit_and_flowutils(tmp_path: Path) -> None:
    sample = tube()
    ours = compensated(sample, "from_file")
    raw = sample.to_numpy().astype(np.float64)
    np.testing.assert_allclose(ours, compensate(raw, MATRIX, [1, 2, 3]), rtol=1e-9, atol=1e-9)
    write_fcs(tmp_path / "t.fcs", sample.to_numpy(), CHANNELS)
    theirs = flowkit.Sample(str(tmp_path / "t.fcs"))
    theirs.apply_compensation(flowkit.Matrix(MATRIX, CHANNELS[1:]))
    np.testing.assert_allclose(ours, theirs.get_events(source="comp"), rtol=1e-9, atol=1e-9)


def test_compensation_undoes_spillover() -> None:
    true = np.abs(np.random.default_rng(6).normal(500, 100, size=(50, 4)))
    observed = true.copy()
    observed[:, 1:] = true[:, 1:] @ MATRIX
    sample = sample_from_array(observed, CHANNELS)
    np.testing.assert_allclose(compensated(sample, NAMED), true, rtol=1e-10)


def test_a_channel_outside_the_matrix_is_left_as_it_is() -> None:
    taken_out = compensation_for(tube(), "from_file")
    assert taken_out is not None
    assert taken_out.sources(0) == ((0, 1.0),)


def test_none_and_a_matrix_that_changes_nothing_take_nothing_out() -> None:
    assert compensation_for(tube(), "none") is None
    assert compensation_for(tube(), None) is None
    assert compensation_for(tube(), Spillover(("FITC-A",), np.eye(1))) is None
    assert compensation_for(sample_from_array(np.zeros((1, 1)), ["A"]), "from_file") is None


def test_a_matrix_may_name_markers_and_must_name_what_the_file_has() -> None:
    by_marker = Spillover(("CD3", "CD4", "CD8"), MATRIX.copy())
    np.testing.assert_array_equal(compensated(tube(), by_marker), compensated(tube(), NAMED))
    with pytest.raises(TemplateError, match=r"t.fcs: .* has channel 'BV421-A', the file has: FSC-A, FITC-A"):
        compensation_for(tube(), Spillover(("FITC-A", "BV421-A"), np.array([[1, 0.1], [0.1, 1]])))
    with pytest.raises(TemplateError, match=r"'FITC-A' and 'CD3' are both CD3 \(FITC-A\)"):
        compensation_for(tube(), Spillover(("FITC-A", "CD3"), np.array([[1, 0.1], [0.1, 1]])))


@pytest.mark.parametrize(
    "matrix", [[[1, 1], [1, 1]], [[0.0, 0], [0, 0]], [[1, 2], [0.5, 1.0000000001]], [[1, np.nan], [0, 1]]]
)
def test_a_singular_matrix_is_refused(matrix: list[list[float]]) -> None:
    with pytest.raises(TemplateError, match=r"t\.fcs: the spillover matrix .*cannot be inverted"):
        compensation_for(tube(), Spillover(("FITC-A", "PE-A"), np.array(matrix, dtype=float)))


TABLES = {
    "plain": "FITC-A,PE-A\n1,0.2\n0.03,1\n",
    "named": ",FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.03,1\n",
    "corner": "channel,FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.03,1\n",
    "as R writes it": '"FITC-A","PE-A"\n"FITC-A",1,0.2\n"PE-A",0.03,1\n',
    "tabs": "\tFITC-A\tPE-A\nFITC-A\t1\t0.2\nPE-A\t0.03\t1\n",
    "semicolons": "FITC-A;PE-A\n1;0.2\n0.03;1\n",
    "rows in another order": ",FITC-A,PE-A\nPE-A,0.03,1\nFITC-A,1,0.2\n",
    "markers behind the channel": ",FITC-A :: CD3,PE-A :: CD4\nFITC-A :: CD3,1,0.2\nPE-A :: CD4,0.03,1\n",
    "byte order mark, blank lines, CRLF": "\ufeffFITC-A,PE-A\r\n\r\n1,0.2\r\n0.03,1\r\n\r\n",
}


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_tables_of_every_shape_give_one_matrix(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(TABLES[kind], encoding="utf-8", newline="")
    found = read_matrix(path)
    assert found.channels == ("FITC-A", "PE-A")
    assert found.matrix.tolist() == [[1, 0.2], [0.03, 1]]
    assert found.source == "m.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FITC-A,PE-A\n1,0.2\nx,1\n", "row 3, column FITC-A: expected a number, found 'x'"),
        (",FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.03,\n", "row 3, column PE-A: expected a number, found ''"),
        ("FITC-A,PE-A\nnan,0.2\n0,1\n", "row 2, column FITC-A"),
        ("FITC-A,PE-A\n1,0.2\n0,1,0\n", "row 3: expected 2 numbers, found 3"),
        ("FITC-A,PE-A\n1,0.2\n", "2 channels in the first row, 1 rows below it"),
        (",FITC-A,PE-A\nFITC-A,1,0.2\n", "2 channels in the first row, 1 rows below it"),
        ("FITC-A,PE-A\n", "expected a row of channel names"),
        ("", "expected a row of channel names"),
        (",A,B\nA,1,0\nC,0,1\n", "names of the rows are not those of the columns"),
        ("A,A\n1,0\n0,1\n", "names of the rows are not those of the columns"),
    ],
)
def test_an_error_names_row_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        read_matrix(path)
    assert message in str(caught.value)
    assert "m.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_matrix_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no such compensation matrix"):
        read_matrix(tmp_path / "absent.csv")
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(TemplateError, match="cannot be read"):
        read_matrix(tmp_path / "m.csv")
    with pytest.raises(TemplateError, match="cannot be read"):
        read_matrix(tmp_path)


def test_the_published_matrix_of_the_mouse_study_compensates_its_files(real: Path) -> None:
    from cytoreg import read_fcs

    folder = real / "mouse_activation"
    sample = read_fcs(folder / "Activation_5.fcs")
    published = folder / "compensation" / "Compensation-Spillover-Matrix.csv"
    spillover = read_matrix(published)
    indices = [sample.index(name) for name in spillover.channels]
    theirs = compensate(sample.to_numpy().astype(np.float64), spillover.matrix, indices)
    np.testing.assert_allclose(compensated(sample, published), theirs, rtol=1e-9, atol=1e-9)
