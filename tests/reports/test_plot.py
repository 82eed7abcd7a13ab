"""The public pictures: drawn into the Axes that are given, with scales and gates of the engine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import cytoreg
from cytoreg import AnalysisError, TemplateError
from cytoreg.fcs.sample import Sample, sample_from_array
from cytoreg.gating import Result, gate, parse_template
from cytoreg.gating.gates import Ellipse, Range
from cytoreg.stats import repeated_measures_correlation
from cytoreg.transforms import Logicle
from cytoreg.yamlfile import load_yaml

TEMPLATE = """
cytoreg: 1
name: two
markers: {CD4: {aliases: [T4]}}
compensation: none
populations:
  CD4+: {gate: {range: {on: CD4, min: 2.0}}}
  both: {parent: CD4+, gate: {rectangle: {on: [CD4, CD8], min: [2.0, 1.5], max: [4.0, 4.0]}}}
"""


@pytest.fixture
def sample() -> Sample:
    events = np.random.default_rng(1).lognormal(6, 1.2, (4000, 2))
    return sample_from_array(events, ["FL1-A", "FL2-A"], markers=["T4", "CD8"])


@pytest.fixture
def result(sample: Sample) -> Result:
    from cytoreg.errors import TemplateError

    return gate(sample, parse_template(load_yaml(TEMPLATE, TemplateError)))


@pytest.fixture
def ax() -> Axes:
    return Figure().add_subplot()


@pytest.fixture
def linked() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "subject_id": np.repeat([f"P{i}" for i in range(8)], 3),
            "visit": ["baseline", "month1", "month3"] * 8,
            "day": [0.0, 30.0, 90.0] * 8,
            "arm": np.repeat(["A", "B"] * 4, 3),
            "x": rng.normal(size=24),
            "das28_crp": rng.normal(4, 1, 24),
        }
    )


def test_the_axes_given_are_the_axes_drawn_into(sample: Sample, ax: Axes) -> None:
    assert cytoreg.plot.density(sample, "FL1-A", "CD8", ax=ax) is ax
    assert ax.get_ylabel() == "CD8 (FL2-A)"


def test_events_are_shown_on_the_display_scale(sample: Sample, ax: Axes) -> None:
    cytoreg.plot.density(sample, "FL1-A", ax=ax, bins=50)
    display = Logicle(T=262144.0).forward(sample["FL1-A"])
    low, high = ax.get_xlim()
    assert low < np.percentile(display, 1) < np.percentile(display, 99) < high < 4.6
    counted = sum(patch.get_path().vertices[:, 1].max() for patch in ax.patches)
    assert counted > 0


def test_a_population_is_shown_in_its_parent_with_its_outline(result: Result, ax: Axes) -> None:
    cytoreg.plot.density(result, "CD4", "CD8", gate="both", ax=ax)
    assert ax.get_xlabel() == "CD4 (FL1-A)"
    corners = {(round(float(x), 6), round(float(y), 6)) for x, y in ax.lines[0].get_xydata()}
    assert corners == {(2.0, 1.5), (4.0, 1.5), (4.0, 4.0), (2.0, 4.0)}
    shown = np.expm1(np.asarray(ax.collections[0].get_array().filled(0.0))).sum()
    assert 0.95 * result.count("CD4+") <= shown <= result.count("CD4+")  # the parent's, not all


def test_a_geometry_or_a_pair_will_do_for_a_gate(result: Result, sample: Sample, ax: Axes) -> None:
    cytoreg.plot.density(
        sample, "FL1-A", "CD8", gate=Ellipse(("FL1-A", "CD8"), (2, 2), ((0.2, 0), (0, 0.1))), ax=ax
    )
    assert ax.lines[0].get_xydata().mean(axis=0) == pytest.approx((2, 2), abs=0.05)
    line = cytoreg.plot.density(sample, "CD4", gate=(result, "CD4+")).lines[0]
    assert line.get_xdata() == [2.0, 2.0]
    bare = cytoreg.plot.density(sample, "CD8", gate=Range(("CD8",), 1.0, 3.0))
    assert [float(line.get_xdata()[0]) for line in bare.lines] == [1.0, 3.0]


def test_an_unknown_marker_is_answered_with_the_panel(sample: Sample) -> None:
    with pytest.raises(TemplateError, match=r"no marker or channel 'CD19'; the panel has: .*CD8"):
        cytoreg.plot.density(sample, "CD19")


def test_a_name_of_a_gate_needs_a_result(sample: Sample) -> None:
    with pytest.raises(TemplateError, match=r"found the name 'CD4\+', expected \(result, 'CD4\+'\)"):
        cytoreg.plot.density(sample, "CD8", gate="CD4+")


def test_a_trajectory_has_a_line_a_subject_and_a_mean_a_group(linked: pd.DataFrame, ax: Axes) -> None:
    assert cytoreg.plot.trajectory(linked, "das28_crp", ax=ax) is ax
    thin = [line for line in ax.lines if line.get_linewidth() < 1]
    assert len(thin) == 8
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A", "B"]
    bold = next(line for line in ax.lines if line.get_linewidth() == 2)
    means = linked[linked["arm"] == "A"].groupby("day")["das28_crp"].mean()
    assert bold.get_ydata() == pytest.approx(means.to_numpy())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("study day", "DAS28-CRP")


def test_a_correlation_says_what_repeated_measures_say(linked: pd.DataFrame, ax: Axes) -> None:
    assert cytoreg.plot.correlation(linked, "x", "das28_crp", ax=ax) is ax
    found = repeated_measures_correlation(linked["subject_id"], linked["x"], linked["das28_crp"])
    assert ax.get_title().startswith(f"r = {found.correlation.r:.2f}".replace("-", "−"))
    assert "n = 24" in ax.get_title()
    assert len(ax.lines) == 8


def test_an_unknown_column_is_answered_with_the_nearest(linked: pd.DataFrame) -> None:
    with pytest.raises(AnalysisError, match=r"no column 'das28'; did you mean 'das28_crp'\?"):
        cytoreg.plot.trajectory(linked, "das28")


def test_no_figure_is_left_open_and_pyplot_is_not_loaded() -> None:
    code = (
        "import sys, numpy as np, cytoreg; from cytoreg.fcs.sample import sample_from_array;"
        "cytoreg.plot.density(sample_from_array(np.ones((9, 1)) * np.arange(1, 10)[:, None], ['A']), 'A');"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reports_load_nothing_heavy_before_they_are_used() -> None:
    code = "import sys, cytoreg.reports; assert not {'pandas', 'scipy', 'matplotlib', 'jinja2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_veil_says_which_side_of_an_open_gate_is_left_out(sample: Sample, ax: Axes) -> None:
    cytoreg.plot.density(sample, "FL1-A", "CD8", gate=Range(("CD8",), max=2.0), ax=ax)
    (veil,) = [item for item in ax.collections if item.get_label() == "left out"]
    corners = veil.get_paths()[0].vertices
    assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx(ax.get_xlim())
    assert (corners[:, 1].min(), corners[:, 1].max()) == pytest.approx((2.0, ax.get_ylim()[1]))
    closed = cytoreg.plot.density(sample, "FL1-A", "CD8", gate=Ellipse(("FL1-A", "CD8"), (2, 2), ((1, 0), (0, 1))))
    assert not [item for item in closed.collections if item.get_label() == "left out"]
