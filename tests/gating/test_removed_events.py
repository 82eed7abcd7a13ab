"""Events that acquisition quality leaves out: none by default; where asked for, before every gate, and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cytoreg
from benchmarks.acquisition import NAMES, tube
from cytoreg import TemplateError
from cytoreg.batch.sheet import TubeFile
from cytoreg.batch.tube import rows_of
from cytoreg.fcs.sample import Sample, sample_from_array
from cytoreg.gating import parse_template
from cytoreg.gating.binding import Choices
from cytoreg.gating.concrete import concrete_template
from cytoreg.gating.gate import gate
from cytoreg.interop.template_conversion import convert_template
from cytoreg.yamlfile import load_yaml

BOTH = """
cytoreg: 1
name: both
compensation: none
{more}
transforms: {{default: {{logicle: {{T: 262144, W: 0.5}}}}}}
populations:
  low: {{parent: root, gate: {{range: {{on: FL2-A, max: 3}}}}}}
  rest: {{parent: root, gate: {{not: low}}}}
  bright: {{parent: root, gate: {{valley: {{on: FL1-A}}}}}}
  two: {{parent: bright, gate: {{range: {{on: FL2-A, min: 3}}}}}}
report: [two % of bright, bright % of root]
"""


@pytest.fixture(scope="module")
def disturbed() -> tuple[Sample, np.ndarray, np.ndarray]:
    events, touched = tube(11, 12_000, shape="stretch", size=3.0, start=0.4, stop=0.5)
    return sample_from_array(events, [*NAMES, "Time"]), touched, events


def asked(folder: Path, more: str = "") -> cytoreg.Template:
    file = folder / "both.yaml"
    file.write_text(BOTH.format(more=more), encoding="utf-8")
    return parse_template(load_yaml(file, TemplateError))


def test_nothing_is_removed_unless_asked_for(
    tmp_path: Path, disturbed: tuple[Sample, np.ndarray, np.ndarray]
) -> None:
    sample = disturbed[0]
    result = gate(sample, asked(tmp_path))
    quality = rows_of(result, TubeFile(tmp_path, "t", "t"))["quality"][0]
    assert result.count("low") + result.count("rest") == sample.n_events
    assert (quality["events_removed"], quality["removed_why"]) == (0, "")
    assert "removed" not in quality["flags"]


@pytest.mark.parametrize("by_study", [False, True])
def test_a_drawn_and_a_fitted_gate_see_what_is_kept_and_percentages_stay_of_all_events(
    tmp_path: Path, disturbed: tuple[Sample, np.ndarray, np.ndarray], by_study: bool
) -> None:
    sample, _, events = disturbed
    events = events.copy()
    events[::50, 3] = 262143.0
    sample = sample_from_array(events, [*NAMES, "Time"])
    more, choices = ("quality: {remove: [margin]}", None) if not by_study else ("", Choices(remove=("margin",)))
    result = gate(sample, asked(tmp_path, more), choices)
    off = (events[:, [2, 3]] >= 0.999 * 262144).any(axis=1)  # of FL1-A and FL2-A, which the gates look at
    assert off.sum() >= len(events) // 50
    kept = ~off
    assert result.count("low") + result.count("rest") == kept.sum()
    for name in result.names:
        assert not (result.mask(name) & off).any()
    rows = {row["name"]: row for row in result.rows()}
    assert rows["bright"]["parent_count"] == sample.n_events
    assert rows["bright"]["percent_total"] == pytest.approx(100 * result.mask("bright").sum() / sample.n_events)
    assert result.mask("root").sum() == kept.sum()


def test_how_many_and_why_stands_in_the_quality_table(
    tmp_path: Path, disturbed: tuple[Sample, np.ndarray, np.ndarray]
) -> None:
    events = disturbed[2].copy()
    moved = [3, 4]
    events[:, moved] = events[:, [5, 5]]
    events[disturbed[1], 3] *= 4  # FL2-A, a stretch of a tenth
    events[::100, 2] = 262143.0  # FL1-A at its top
    result = gate(
        sample_from_array(events, [*NAMES, "Time"]), asked(tmp_path, "quality: {remove: [time, margin]}")
    )
    row = rows_of(result, TubeFile(tmp_path, "t", "t"))["quality"][0]
    n = len(events)
    top = (events[:, 2] >= 0.999 * 262144) | (events[:, 3] >= 0.999 * 262144)
    gone = n - result.mask("root").sum()
    assert row["events"] == n
    assert row["events_removed"] == gone
    assert row["removed_why"].startswith(f"margin {top.sum()}; time ")
    assert {"jump", "removed:margin", "removed:time"} <= set(row["flags"].split(";"))
    assert gone / n == pytest.approx((disturbed[1] | top).mean(), abs=0.03)


def test_the_counts_are_those_of_a_file_without_these_events(
    tmp_path: Path, disturbed: tuple[Sample, np.ndarray, np.ndarray]
) -> None:
    events = disturbed[2].copy()
    events[::50, 2] = 262143.0
    removed = gate(sample_from_array(events, [*NAMES, "Time"]), asked(tmp_path, "quality: {remove: [margin]}"))
    kept = events[removed.mask("root")]
    assert 0 < len(kept) < len(events)
    plain = gate(sample_from_array(kept, [*NAMES, "Time"]), asked(tmp_path))
    assert {name: plain.count(name) for name in plain.names} == {
        name: removed.count(name) for name in removed.names
    }


@pytest.mark.parametrize("by_study", [False, True])
def test_the_gates_as_they_were_placed_leave_the_same_events_out(
    tmp_path: Path, disturbed: tuple[Sample, np.ndarray, np.ndarray], by_study: bool
) -> None:
    """A template of the applied gates gives the same events of the same file; counted with them they were more."""
    events = disturbed[2].copy()
    events[::50, 2:4] = 262143.0
    sample = sample_from_array(events, [*NAMES, "Time"])
    more, choices = ("quality: {remove: [margin]}", None) if not by_study else ("", Choices(remove=("margin",)))
    result = gate(sample, asked(tmp_path, more), choices)
    again = gate(sample, concrete_template(result))
    for name in result.names:
        np.testing.assert_array_equal(again.mask(name), result.mask(name))
    assert result.count("bright") < gate(sample, asked(tmp_path)).count("bright")


@pytest.mark.parametrize(("ending", "is_told"), [("wsp", True), ("xml", True), ("yaml", False)])
def test_a_format_that_cannot_leave_events_out_is_told(tmp_path: Path, ending: str, is_told: bool) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "cytoreg: 1\nname: t\ncompensation: none\nquality: {remove: [margin]}\n"
        "transforms: {default: {logicle: {T: 262144, W: 0.5}}}\npopulations: {low: {gate: {range: {on: FL2-A, max: 3}}}}\n",
        encoding="utf-8",
    )
    lost = convert_template(file, tmp_path / f"new.{ending}").lost
    assert any("quality, remove: [margin]" in said for said in lost) == is_told
    if not is_told:
        assert cytoreg.load_template(tmp_path / "new.yaml").remove == ("margin",)
