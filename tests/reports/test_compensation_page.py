"""The page of single stains: a wide matrix can be scrolled and read out, and each picture is described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pages_read import Page

from cytoreg.reports.compensation import _environment, _picture

NAMES = [f"Detector {i}-A" for i in range(24)]


def test_a_matrix_of_24_detectors_has_heads_for_rows_and_columns_and_scrolls_with_the_keyboard(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(1)
    shown = rng.normal(0, 100, (400, 2))
    drawn = _picture(shown, shown / 2, (np.array([90.0, 4.0]), np.zeros(2)), "Density of B against A, before.")
    pair = {
        "detector": "B",
        "coefficient": 0.1,
        "error": 0.01,
        "before": drawn,
        "after": drawn,
        "slant": (9.0, 0.1),
    }
    control = {"name": "x.fcs", "channel": "A", "gated": 400, "of": 500, "positive": 90, "peak": True}
    page = tmp_path / "page.html"
    page.write_text(
        _environment()
        .get_template("compensation.html")
        .render(
            title="controls/",
            method="medians",
            findings=[],
            channels=NAMES,
            matrix=np.eye(24),
            spread=np.full((24, 24), np.nan),
            controls=[{**control, "reference": "x", "pairs": [pair]}],
        ),
        encoding="utf-8",
    )
    text, read = page.read_text(encoding="utf-8"), Page(page)
    assert read.problems == []
    assert text.count('<th scope="col">') == text.count('<th scope="row">') == 48
    assert text.count('tabindex="0" role="region"') == 2
    assert read.described == ["Density of B against A, before."] * 2
    assert [row[0] for row in read.cells[1:25]] == NAMES
    assert read.cells[1][1:3] == ["100", "0.00"]
