"""Counts, percentages of any ancestor with Wilson's limits, and masks by the end of a path."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.result import Result
from cytoreg.gating.uncertainty import wilson
from cytoreg.yamlfile import load_yaml

TREE = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  live: {gate: {range: {on: a, min: 0}}}
  T: {parent: live, gate: {range: {on: b, min: 0}}}
  Treg: {parent: T, gate: {all: [{range: {on: c, min: 0}}, {range: {on: a, max: 1}}]}}
  none: {parent: T, gate: {range: {on: c, min: 99}}}
  below none: {parent: none, gate: {range: {on: a, min: 0}}}
report: [Treg % of live, none % of T, T % of root]
"""


@pytest.fixture(scope="module")
def result() -> Result:
    events = np.random.default_rng(2).normal(size=(1000, 3))
    template = parse_template(load_yaml(TREE, TemplateError))
    return cytoreg.gate(sample_from_array(events, list("abc"), name="x.fcs"), template)


@settings(deadline=None)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_s_limits_are_those_of_statsmodels(counts: tuple[int, int]) -> None:
    count, total = counts
    low, high = proportion_confint(count, total, method="wilson")
    assert wilson(count, total) == pytest.approx((100 * low, 100 * high), abs=1e-9)


def test_wilson_s_limits_of_the_published_example() -> None:
    """Newcombe RG, Stat Med 1998;17:857-872, table I: 81 of 263 gives 0.2553 to 0.3662, 15 of 148 0.0624 to 0.1605."""
    assert wilson(81, 263) == pytest.approx((25.53, 36.62), abs=0.005)
    assert wilson(15, 148) == pytest.approx((6.24, 16.05), abs=0.005)
    assert wilson(0, 20) == pytest.approx((0.0, 16.11), abs=0.005)
    assert wilson(1, 29) == pytest.approx((0.61, 17.18), abs=0.005)


def test_limits_of_nothing_are_no_numbers() -> None:
    assert all(math.isnan(limit) for limit in wilson(0, 0))


def test_a_percentage_of_any_ancestor(result: Result) -> None:
    treg, live = result.mask("Treg"), result.mask("live")
    share = result.percent("Treg % of live")
    assert (share.count, share.ancestor_count) == (treg.sum(), live.sum())
    assert share.value == 100 * treg.sum() / live.sum()
    low, high = proportion_confint(treg.sum(), live.sum(), method="wilson")
    assert (share.ci_count_low, share.ci_count_high) == pytest.approx((100 * low, 100 * high))
    assert (share.ci_low, share.ci_high) == (share.ci_count_low, share.ci_count_high)
    for whole in ("root", "total"):
        assert result.percent(f"live % of {whole}").value == live.sum() / 10


def test_a_percentage_of_what_does_not_stand_above_is_an_error(result: Result) -> None:
    with pytest.raises(TemplateError, match="'Treg' does not stand above 'T'; above it are live, root"):
        result.percent("T % of Treg")
    with pytest.raises(TemplateError, match="expected 'POPULATION % of ANCESTOR', found 'Treg'"):
        result.percent("Treg")
    with pytest.raises(TemplateError, match=r"x\.fcs: no population 'Tregs'; did you mean 'Treg'"):
        result.percent("Tregs % of T")


def test_a_percentage_of_nothing_is_no_number_and_flagged(result: Result) -> None:
    assert result.percent("none % of T").value == 0
    share = result.percent("below none % of none")
    assert math.isnan(share.value)
    assert "empty_parent" in share.flags


def test_a_mask_goes_by_any_end_of_a_path(result: Result) -> None:
    for name in ("Treg", "T/Treg", "live/T/Treg"):
        assert result.resolve(name) == "Treg"
    assert result.mask("T/Treg").shape == (1000,)
    assert result.mask("root").all()
    for wrong in ("live/Treg", "/Treg", "treg", ""):
        with pytest.raises(TemplateError, match="no population"):
            result.mask(wrong)
    assert not (result.mask("Treg") & ~result.mask("T")).any()


def test_a_count_goes_by_any_end_of_a_path_too(result: Result) -> None:
    assert result.count("live/T/Treg") == result.count("T/Treg") == int(result.mask("Treg").sum())
    with pytest.raises(TemplateError, match="no population 'Tregs'"):
        result.count("Tregs")


def test_the_table_of_populations(result: Result) -> None:
    table = result.populations.set_index("name")
    assert list(table["population"]) == ["live", "live/T", "live/T/Treg", "live/T/none", "live/T/none/below none"]
    assert table.loc["Treg", "parent"] == "live/T"
    assert table.loc["live", "parent"] == ""
    assert table.loc["T", "parent_count"] == table.loc["live", "count"] == result.count("live")
    np.testing.assert_allclose(table["percent_total"], table["count"] / 10)
    assert table.loc["Treg", "percent_parent"] == result.percent("Treg % of T").value
    assert table.loc["Treg", "population_id"] == "t:Treg"
    assert [share.text for share in result.percentages] == ["Treg % of live", "none % of T", "T % of root"]


def test_the_gates_that_were_applied_say_channel_scale_and_geometry(result: Result) -> None:
    applied = result.gates["Treg"]
    assert applied.axes["c"] == {"channel": "c", "transform": {"linear": {}}}
    assert applied.gate.describe() == {
        "all": [{"range": {"on": "c", "min": 0.0}}, {"range": {"on": "a", "max": 1.0}}]
    }
    assert [part.method for part in applied.parts] == ["drawn", "drawn"]
    assert repr(result) == "<Result x.fcs: 5 populations by t>"
