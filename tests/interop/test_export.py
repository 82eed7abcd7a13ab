"""A population as a file of its own: gated from there, it gives the same populations below."""

from __future__ import annotations

from pathlib import Path

import anndata
import flowkit
import numpy as np
import pandas as pd
import pytest

import cytoreg
from cytoreg import Sample, TemplateError
from cytoreg.errors import StoreError
from cytoreg.fcs import Channel, sample_from_array
from cytoreg.fcs.data import ArraySource
from cytoreg.gating import parse_template
from cytoreg.gating.result import Result
from cytoreg.interop.export import export_population
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.yamlfile import load_yaml


@pytest.fixture(scope="module")
def result() -> Result:
    tube = simulate_tube("treg", Composition(), 20_000, np.random.default_rng(12)).to_sample("t.fcs")
    return cytoreg.gate(tube, "treg_foxp3")


def test_fcs_of_a_population_is_its_events_with_channels_markers_and_spillover(
    result: Result, tmp_path: Path
) -> None:
    path = tmp_path / "cd4.fcs"
    assert export_population(result, "CD4+", path) == result.count("CD4+")
    exported, whole = cytoreg.read_fcs(path, strict=True), result.bound.sample
    np.testing.assert_array_equal(exported.to_numpy(), whole.to_numpy()[result.mask("CD4+")])
    assert [c.label for c in exported.channels] == [c.label for c in whole.channels]
    assert exported.spillover is not None
    assert whole.spillover is not None
    np.testing.assert_array_equal(exported.spillover.matrix, whole.spillover.matrix)
    assert flowkit.Sample(str(path)).event_count == result.count("CD4+")


def test_a_start_at_the_exported_population_finds_what_was_below_it(result: Result, tmp_path: Path) -> None:
    export_population(result, "CD3+", tmp_path / "t.fcs")
    started = cytoreg.gate(tmp_path / "t.fcs", "treg_foxp3", start="CD3+")
    for name in ("CD4+", "CD8+", "CD25+", "Tregs"):
        np.testing.assert_array_equal(started.mask(name), result.mask(name)[result.mask("CD3+")], err_msg=name)
    assert started.percent("Tregs % of CD4+").value == result.percent("Tregs % of CD4+").value


def test_csv_holds_every_digit(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "tregs.csv"
    export_population(result, "Tregs", path)
    frame = pd.read_csv(path)
    assert list(frame.columns) == [channel.name for channel in result.bound.sample.channels]
    expected = result.bound.sample.to_numpy()[result.mask("Tregs")]
    np.testing.assert_array_equal(frame.to_numpy().astype(np.float32), expected)


@pytest.mark.parametrize("suffix", [".fcs", ".csv"])
def test_large_integers_and_logarithmic_amplifiers_survive(tmp_path: Path, suffix: str) -> None:
    channels = (
        Channel(0, "FL1-H", None, 16, 1024.0, decades=4.0, offset=1.0, kind="I"),
        Channel(1, "Time", None, 32, 2.0**32, kind="I"),
    )
    events = np.array([[10 ** (4 * 1000 / 1024), 4_294_967_291.0], [1.0, 16_777_217.0]])
    sample = Sample(
        name="x.fcs",
        version="FCS3.0",
        n_events=2,
        channels=channels,
        text={},
        spillover=None,
        problems=(),
        source=ArraySource(events),
    )
    text = "{cytoreg: 1, name: t, populations: {A: {gate: {range: {on: FL1-H}}}}}"
    result = cytoreg.gate(sample, parse_template(load_yaml(text, TemplateError)))
    path = tmp_path / f"x{suffix}"
    export_population(result, "A", path)
    if suffix == ".csv":
        np.testing.assert_array_equal(pd.read_csv(path, float_precision="round_trip").to_numpy(), events)
        return
    again = cytoreg.read_fcs(path, strict=True)
    np.testing.assert_array_equal(again.to_numpy(), events)
    assert (
        cytoreg.gate(again, result.bound.template).bound.axes["FL1-H"].transform
        == result.bound.axes["FL1-H"].transform
    )


def test_an_empty_population_is_an_empty_file(tmp_path: Path) -> None:
    text = (
        "{cytoreg: 1, name: t, transforms: {default: linear}, populations: {A: {gate: {range: {on: a, min: 9}}}}}"
    )
    result = cytoreg.gate(
        sample_from_array(np.zeros((5, 1)), ["a"]), parse_template(load_yaml(text, TemplateError))
    )
    assert export_population(result, "A", tmp_path / "a.fcs") == 0
    assert cytoreg.read_fcs(tmp_path / "a.fcs").n_events == 0


def test_what_cannot_be_written_is_one_line(result: Result, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"\.xyz is not written as events; there are: \.fcs, \.csv"):
        export_population(result, "CD4+", tmp_path / "a.xyz")
    for name in ("a.fcs", "a.csv"):
        with pytest.raises(StoreError, match="cannot be written"):
            export_population(result, "CD4+", tmp_path / "absent" / name)
    with pytest.raises(TemplateError, match="no population 'CD5"):
        export_population(result, "CD5+", tmp_path / "a.fcs")


def test_h5ad_says_which_populations_each_event_belongs_to(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "cd4.h5ad"
    assert export_population(result, "CD4+", path) == result.count("CD4+")
    data = anndata.read_h5ad(path)
    inside = result.mask("CD4+")
    np.testing.assert_array_equal(data.X, result.bound.sample.to_numpy()[inside].astype(np.float32))
    (column,) = [name for name in data.obs if name.endswith("> Tregs")]
    np.testing.assert_array_equal(data.obs[column].to_numpy(), result.mask("Tregs")[inside])
