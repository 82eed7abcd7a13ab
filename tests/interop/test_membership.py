"""Membership of events as AnnData holds it: a column a population, in the order of the file."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.result import Result
from cytoreg.interop.membership import membership_columns, membership_obs, membership_uns, write_gated_h5ad
from cytoreg.yamlfile import load_yaml

TREE = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  live: {gate: {range: {on: a, min: 0}}}
  T: {parent: live, gate: {range: {on: b, min: 0}}}
  B: {parent: live, gate: {range: {on: b, max: 0}}}
  odd: {name: CD4/CD8, parent: T, gate: {range: {on: c, min: 0}}}
  T/x: {name: x, parent: T, gate: {range: {on: c, min: 1}}}
  B/x: {name: x, parent: B, gate: {range: {on: c, min: 1}}}
"""


@pytest.fixture(scope="module")
def events() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(500, 3))


@pytest.fixture(scope="module")
def result(events: np.ndarray) -> Result:
    template = parse_template(load_yaml(TREE, TemplateError))
    return cytoreg.gate(sample_from_array(events, list("abc"), name="x.fcs"), template)


def test_each_population_is_a_bool_column_of_its_path(result: Result, events: np.ndarray) -> None:
    obs = membership_obs(result)
    a, b, c = events.T
    expected = {
        "live": a >= 0,
        "live > T": (a >= 0) & (b >= 0),
        "live > B": (a >= 0) & (b < 0),
        "live > T > CD4\u2215CD8": (a >= 0) & (b >= 0) & (c >= 0),
        "live > T > x": (a >= 0) & (b >= 0) & (c >= 1),
        "live > B > x": (a >= 0) & (b < 0) & (c >= 1),
    }
    assert list(obs.columns) == list(expected)
    assert list(obs.index[:3]) == ["0", "1", "2"]
    assert len(obs) == len(events)
    for column, mask in expected.items():
        assert obs[column].dtype == bool
        np.testing.assert_array_equal(obs[column].to_numpy(), mask)


def test_columns_say_which_population_they_are(result: Result) -> None:
    uns = membership_uns(result)
    assert list(uns["path"]) == ["live", "live/T", "live/B", "live/T/CD4\\/CD8", "live/T/x", "live/B/x"]
    assert list(uns["parent"])[:2] == ["", "live"]
    assert list(uns["column"]) == list(membership_columns(result).values())
    obs = membership_obs(result)
    assert [int(obs[column].sum()) for column in uns["column"]] == uns["count"].tolist()
    assert uns["parent_count"].tolist()[0] == 500


def test_two_names_that_would_be_one_column_stay_two(events: np.ndarray) -> None:
    text = TREE.replace("name: CD4/CD8", 'name: "x > y"').replace(
        "B/x: {name: x, parent: B", "z: {name: y, parent: T/x"
    )
    template = parse_template(load_yaml(text, TemplateError))
    other = cytoreg.gate(sample_from_array(events, list("abc"), name="x.fcs"), template)
    columns = list(membership_columns(other).values())
    assert len(set(columns)) == len(columns) == 6


def test_anndata_reads_the_events_with_their_populations(
    result: Result, events: np.ndarray, tmp_path: Path
) -> None:
    assert write_gated_h5ad(result, tmp_path / "x.h5ad") == []
    again = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(again.X, events)
    assert list(again.obs.columns) == list(membership_columns(result).values())
    for key, column in membership_columns(result).items():
        np.testing.assert_array_equal(again.obs[column].to_numpy().astype(bool), result.mask(key))
    assert list(again.uns["populations"]["path"]) == list(membership_uns(result)["path"])
    assert again.uns["populations"]["count"].tolist() == membership_uns(result)["count"].tolist()


def test_a_population_alone_keeps_its_own_rows(result: Result, events: np.ndarray, tmp_path: Path) -> None:
    write_gated_h5ad(result, tmp_path / "x.h5ad", "T")
    again = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(again.X, events[result.mask("T")])
    assert again.obs["live > T"].all()
    np.testing.assert_array_equal(again.obs["live > T > x"].to_numpy(), result.mask("T/x")[result.mask("T")])
