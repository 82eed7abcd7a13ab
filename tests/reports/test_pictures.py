"""Pictures of gates and charts: pixels where the counts are, outlines where the gate is, lines as fitted."""

from __future__ import annotations

import base64
import io
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from made_results import picture
from PIL import Image
from scipy import stats

from cytoreg import StoreError
from cytoreg.reports.course import patient_trajectory
from cytoreg.reports.drawings import common_slope
from cytoreg.reports.gatings import BOTTOM, LEFT, RIGHT, TOP, draw_gate, gate_pictures
from cytoreg.reports.png import density_uri, grid_of, palette
from cytoreg.reports.strips import correlation_strip, stacked
from cytoreg.reports.svg import element, nice_ticks
from cytoreg.reports.trajectories import Axis, bands_of, visit_means


def decoded(uri: str) -> np.ndarray:
    """The pixels of a data address by another reader of PNG, as red, green, blue, alpha."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def test_the_lowest_row_of_counts_is_at_the_bottom_of_the_picture() -> None:
    counts = np.zeros((6, 9), dtype=np.uint16)
    counts[0, 1], counts[5, 8] = 400, 2
    pixels = decoded(density_uri(counts))
    assert pixels.shape == (6, 9, 4)
    assert pixels[5, 1, 3] == 255
    assert pixels[0, 8, 3] == 255
    assert (pixels[..., 3] == 0).sum() == 6 * 9 - 2  # empty bins are clear
    assert pixels[5, 1, :3].sum() < pixels[0, 8, :3].sum()  # more events, darker


def test_shades_grow_darker_with_every_step() -> None:
    ramp = palette()[1:].astype(float) / 255
    linear = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) <= 1e-9).all()
    assert luminance[0] > 0.8
    assert luminance[-1] < 0.05


def test_all_empty_counts_make_a_clear_picture() -> None:
    assert decoded(density_uri(np.zeros((4, 4), dtype=np.uint16)))[..., 3].max() == 0


def test_a_damaged_grid_is_one_clear_line() -> None:
    broken = {**picture(), "nx": 7}
    with pytest.raises(StoreError, match=r"picture of CD4\+: its grid is damaged, expected 8 x 7 counts"):
        grid_of(broken)


def test_a_gate_is_drawn_where_its_coordinates_are() -> None:
    root = ET.fromstring(str(draw_gate(picture(), "a gate")))
    inner = root.find("svg")
    assert inner is not None
    line = inner.find("line")
    assert line is not None
    assert float(line.attrib["x1"]) == pytest.approx((LEFT + RIGHT) / 2)  # at 2 of 0 to 4
    outline = inner.find("path")
    assert outline is not None
    points = [tuple(map(float, pair.split())) for pair in outline.attrib["d"].strip("MZ").split("L")]
    width, height = RIGHT - LEFT, BOTTOM - TOP
    assert points[0] == pytest.approx((LEFT + width / 4, BOTTOM - height / 4), abs=0.06)
    assert points[2][1] < TOP  # beyond the axis; the inner drawing cuts it off
    assert inner.attrib["viewBox"] == f"{LEFT:g} {TOP:g} {width:g} {height:g}"


def test_a_histogram_stands_for_a_gate_on_one_axis() -> None:
    root = ET.fromstring(str(draw_gate(picture(flat=True), "a cut")))
    assert root.find("svg/image") is None
    assert root.find("svg/path") is not None
    assert "events" in [label.text for label in root.iter("text")]


def test_a_picture_says_percent_interval_count_and_doubt() -> None:
    shown = gate_pictures({"pictures": [picture()]})[0]
    assert shown.amount == "21.7\xa0% (20.7–22.8)"  # Wilson for 1234 of 5678
    assert shown.count == "1,234 of 5,678"
    assert shown.doubts == ("the automatic gate may be misplaced",)
    assert shown.reasons == ("the valley is shallow: 61% of the lower peak",)


def test_a_gate_that_was_not_placed_has_no_percentage() -> None:
    unplaced = {**picture(), "shapes": [], "flags": ["not_placed"], "count": 0, "percent": 0.0}
    shown = gate_pictures({"pictures": [unplaced]})[0]
    assert shown.amount == "not measured"
    assert shown.doubts == ("the gate could not be placed",)


def test_lines_within_groups_have_the_slope_of_the_analysis_of_covariance() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(list("abcd"), 6)
    x = rng.normal(size=24)
    y = 2.5 * x + np.repeat([0, 3, -2, 8], 6) + rng.normal(size=24)
    frame = pd.DataFrame({"x": x, "y": y, "group": group})
    expected = smf.ols("y ~ x + C(group)", frame).fit().params["x"]
    assert common_slope(x, y, group) == pytest.approx(expected, rel=1e-9)


def test_the_mean_of_a_visit_has_the_t_interval_of_scipy() -> None:
    values = [3.1, 4.5, 2.2, 6.0, 5.1]
    points = pd.DataFrame(
        {"group": "a", "visit": "v", "x": [28, 30, 31, 29, 40], "y": values, "subject_id": list("abcde")}
    )
    row = visit_means(points).iloc[0]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["x"] == 30  # the median day


def test_two_subjects_have_a_mean_and_no_interval() -> None:
    points = pd.DataFrame({"group": "a", "visit": "v", "x": 0.0, "y": [1.0, 3.0], "subject_id": list("ab")})
    row = visit_means(points).iloc[0]
    assert row["mean"] == 2
    assert math.isnan(row["low"])


def test_the_bands_of_das28_are_those_of_fransen_and_van_riel() -> None:
    bands = bands_of("das28_crp", 2.0, 7.0)
    assert [(low, high, name) for low, high, name, _ in bands] == [
        (2.0, 2.6, "remission"),
        (2.6, 3.2, "low"),
        (3.2, 5.1, "moderate"),
        (5.1, 7.0, "high"),
    ]
    assert bands_of("il6", 0, 10) == []


def test_dots_of_a_strip_never_cover_each_other() -> None:
    rng = np.random.default_rng(0)
    places = (rng.integers(0, 40, 80) * 5.0).tolist()
    levels = stacked(places, 8.0)
    dots = list(zip(places, levels, strict=True))
    for i, (place, level) in enumerate(dots):
        assert all(level != other or abs(place - p) >= 8.0 for p, other in dots[:i])


def test_a_line_over_a_visit_without_a_value_is_dashed() -> None:
    values = [4.0, math.nan, 5.0, 6.0]
    points = pd.DataFrame(
        {"visit": list("abcd"), "x": [0.0, 30.0, 60.0, 90.0], "value": values, "score": math.nan}
    )
    drawn = str(
        patient_trajectory(
            points.assign(low=math.nan, high=math.nan), "T % of C", "", Axis("study day"), [], wide=True
        )
    )
    root = ET.fromstring(drawn)
    joins = [line.get("stroke-dasharray") for line in root.iter("line") if line.get("stroke-width") == "2"]
    assert joins == ["3 5", None]
    assert [label.text for label in root.iter("text")].count("×") == 1
    assert "b: T % of C not measured" in drawn


def test_the_strip_points_at_one_patient() -> None:
    frame = pd.DataFrame({"subject_id": ["a", "b", "c"], "spearman": [-1.0, 0.5, math.nan]})
    drawn = str(correlation_strip(frame, "b"))
    circles = re.findall(r'<circle cx="([\d.]+)"[^>]*fill="(#\w+)"', drawn)
    assert len(circles) == 2
    pointed = [float(x) for x, fill in circles if fill == "#D55E00"]
    assert pointed == [pytest.approx(24 + 0.75 * (416 - 24))]  # 0.5 on an axis from -1 to 1
    assert "this one at 0.50" in drawn
    assert "this one has none" in str(correlation_strip(frame, "c"))


def test_ticks_are_round_and_lie_in_the_span() -> None:
    for low, high in ((0.013, 0.097), (-3.2, 11.0), (2.61, 2.64), (0, 250_000)):
        ticks = nice_ticks(low, high)
        assert 2 <= len(ticks) <= 6
        assert all(low <= tick <= high for tick in ticks)


def test_text_and_attributes_of_a_drawing_are_escaped() -> None:
    made = element("text", "<b>&", class_='a" onload="b')
    assert made == '<text class="a&#34; onload=&#34;b">&lt;b&gt;&amp;</text>'


def test_a_veil_lies_over_the_boxes_that_a_gate_leaves_out() -> None:
    stored = {**picture(), "left_out": [[1.0, 2.0, 0.5, 4.0]]}
    drawing = str(draw_gate(stored, "a"))
    (d,) = re.findall(r'<path d="(M[^"]*H[^"]*V[^"]*H[^"]*Z)"', drawing)
    left, low, right, high = map(float, re.findall(r"-?[\d.]+", d)[:4])
    x, y = stored["x"], stored["y"]

    def across(value: float) -> float:
        return LEFT + (value - x["min"]) / (x["max"] - x["min"]) * (RIGHT - LEFT)

    def up(value: float) -> float:
        return BOTTOM + (value - y["min"]) / (y["max"] - y["min"]) * (TOP - BOTTOM)

    assert [left, right, low, high] == pytest.approx([across(1), across(2), up(0.5), up(4)], abs=0.06)
    assert drawing.count("<path") == str(draw_gate(picture(), "a")).count("<path") + 1
