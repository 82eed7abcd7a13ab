"""What a picture of a gate holds: all the parent's events, the outline, and ticks at round values."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

import cytoreg
from cytoreg import TemplateError
from cytoreg.fcs import Channel, sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.events import Axis
from cytoreg.gating.gates import Ellipse
from cytoreg.gating.picture import outline, pictures_of, ticks
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.transforms import Biexponential, Linear, Log, Logicle
from cytoreg.yamlfile import load_yaml

CHANNEL = Channel(0, "X", None, 32, 262144.0)


@pytest.mark.parametrize("high", [*np.linspace(1000, 300_000, 60), 1.0, 7.3, 1e-6, 9e6])
def test_a_linear_axis_has_some_round_ticks_within_its_span(high: float) -> None:
    found = ticks(Axis("X", CHANNEL, Linear()), (0.0, float(high)))
    positions = [position for position, _ in found]
    assert 3 <= len(found) <= 8
    assert positions[0] == 0
    assert positions[-1] <= high * (1 + 1e-12)
    np.testing.assert_allclose(np.diff(positions), positions[1], rtol=1e-9)


def test_a_logicle_axis_has_ticks_at_powers_of_ten_and_zero() -> None:
    scale = Logicle(W=1.0)
    found = ticks(Axis("X", CHANNEL, scale), (0.0, 4.5))
    assert "0" in [label for _, label in found]
    values = scale.inverse(np.array([position for position, _ in found]))
    powers = np.log10(np.abs(values[np.abs(values) > 1]))
    np.testing.assert_allclose(powers, np.round(powers), atol=1e-9)


@pytest.mark.parametrize("scale", [Biexponential(), Log(T=1e5, M=4, clip=True)])
def test_what_lies_beyond_a_scale_that_ends_has_no_tick_at_its_end(scale: Biexponential | Log) -> None:
    end = scale.length if isinstance(scale, Biexponential) else scale.M
    found = ticks(Axis("X", CHANNEL, scale), (0.0, float(end)))
    words = [label for _, label in found]
    assert "10K" in words and "−10M" not in words and "10M" not in words
    assert ("0" in words) == isinstance(scale, Biexponential)  # a logarithm has no zero


def test_an_ellipse_that_is_none_has_a_picture_without_an_outline() -> None:
    assert outline(Ellipse(("X", "Y"), (1.0, 1.0), ((1.0, 2.0), (2.0, 1.0))), ["X", "Y"]) == []
    events = np.random.default_rng(1).normal(2, 1, (50, 3))
    text = """
cytoreg: 1
name: t
transforms: {default: linear}
populations:
  none: {gate: {ellipse: {on: [X, Y], center: [1, 1], covariance: [[1, 2], [2, 1]], definite: false}}}
  solid: {gate: {ellipse: {on: [X, Y, Z], center: [2, 2, 2], covariance: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}}}
"""
    template = parse_template(load_yaml(text, TemplateError, name="t.yaml"))
    sample = sample_from_array(events.astype(np.float32), ["X", "Y", "Z"], name="a.fcs")
    none, solid = pictures_of(cytoreg.gate(sample, template))
    assert none["shapes"] == solid["shapes"] == []
    assert "no outline" in none["reasons"][-1] and "ellipsoid on 3 axes" in solid["reasons"][-1]


def counts(picture: dict) -> np.ndarray:
    grid = np.frombuffer(zlib.decompress(base64.b64decode(picture["grid"])), dtype="<u2")
    return grid.reshape(picture["ny"], picture["nx"])


def test_every_gate_with_axes_has_a_picture_of_nearly_all_of_its_parent() -> None:
    sample = simulate_tube("treg", Composition(), 6000, np.random.default_rng(1)).to_sample("t")
    result = cytoreg.gate(sample, "treg_foxp3")
    pictures = {picture["population"]: picture for picture in pictures_of(result)}
    assert set(pictures) >= {"cells", "singlets", "live", "CD4+", "CD25+", "Tregs"}
    for name, picture in pictures.items():
        parent = result.count(picture["parent"])
        assert counts(picture).sum() <= parent
        if parent >= 200:
            assert counts(picture).sum() > 0.9 * parent, name
        assert picture["count"] == result.count(name)
    assert pictures["singlets"]["shapes"][0]["kind"] == "polygon"


@pytest.mark.parametrize("fill", [0.0, np.nan, -5.0, 262143.0])
@pytest.mark.parametrize("n", [0, 1, 300])
def test_there_is_a_picture_of_nothing_too(fill: float, n: int) -> None:
    text = """
cytoreg: 1
name: t
populations:
  cells: {gate: {range: {on: FSC-A, max: 0}}}
  P: {parent: cells, gate: {tail: {on: CD4}}, plot: [CD4, CD8]}
  Q: {gate: {ellipse: {on: [CD8, CD4], center: [1, 1], covariance: [[1, 0], [0, 1]]}}}
"""
    sample = sample_from_array(np.full((n, 3), fill), ["FSC-A", "CD4", "CD8"])
    result = cytoreg.gate(sample, parse_template(load_yaml(text, TemplateError)))
    for picture in pictures_of(result):
        assert picture["x"]["min"] < picture["x"]["max"]
        assert len(picture["x"]["ticks"]) >= 1


def test_a_stated_linear_axis_shows_what_lies_below_zero() -> None:
    """Compensated values of a negative cell are about zero, half of them below it."""
    events = np.random.default_rng(3).normal(0, 100, (2000, 1))
    text = "cytoreg: 1\nname: t\naxes:\n  B1 linear: {channel: B1, transform: linear}\npopulations:\n"
    text += "  a/b: {name: b, gate: {range: {on: B1 linear, min: 0}}}\n"
    sample = sample_from_array(events, ["B1"], name="a.fcs")
    (picture,) = pictures_of(cytoreg.gate(sample, parse_template(load_yaml(text, TemplateError))))
    assert picture["x"]["label"] == "B1 linear"
    assert picture["title"] == "b in all events"
    assert picture["x"]["min"] < np.percentile(events, 0.2) < 0
    assert picture["shapes"] == [{"kind": "line", "axis": "x", "at": 0.0}]
