"""The strip of a flagged tube: its stretches stand where they were found, and nothing is drawn for a steady one."""

from __future__ import annotations

import re

from benchmarks.acquisition import judged, tube
from cytoreg.reports.acquisition import ODD, acquisition_strip


def rectangles(drawing: str) -> list[tuple[float, float]]:
    found = re.findall(rf'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="[\d.]+" fill="{ODD}"', drawing)
    return [(float(x), float(width)) for x, width in found]


def test_a_clog_is_shaded_where_it_was() -> None:
    course = judged(tube(3, 20_000, shape="clog", size=0.0, start=0.4, stop=0.5)[0]).course
    drawing = acquisition_strip(course)
    assert drawing is not None
    shaded = rectangles(str(drawing))
    assert min(x for x, _ in shaded) - 130 >= 0.39 * 340
    assert max(x + width for x, width in shaded) - 130 <= 0.51 * 340
    assert sum(width for _, width in shaded) > 0.08 * 340


def test_a_steady_tube_has_no_strip() -> None:
    quality = judged(tube(1, 20_000)[0])
    assert quality.course is None
    assert acquisition_strip(quality.course) is None
    assert acquisition_strip({}) is None


def test_a_name_from_a_file_is_text() -> None:
    course = {"along": "events", "span": None, "edges": [0, 0.5, 1], "bad": [1], "moved": {"<b>x</b>": [0.0, 0.9]}}
    drawing = str(acquisition_strip(course))
    assert "<b>" not in drawing
    assert "&lt;b&gt;" in drawing
