"""The measurement of easy and hard tubes: what it simulates, what methods make of it, and the page that it writes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import cytoreg
from benchmarks import difficulty, difficulty_page
from benchmarks.difficulty import NAMES, Case, cases, measured, template, tube

EASY = Case(rare=10, apart=8, events=8_000)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difficulty, "REFERENCE_EVENTS", 8_000)


def display(case: Case, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A and B on the display scale, after compensation, and which events are wanted."""
    sample, truth = tube(case, seed)
    whole = template()
    result = cytoreg.gate(
        sample, whole.with_populations([whole.populations["B+"], whole.populations["reference"]])
    )
    root = result.nodes["root"]
    return result.events.display(root, "A"), result.events.display(root, "B"), truth


def test_a_tube_is_what_its_case_says() -> None:
    a, b, truth = display(EASY, 1)
    assert truth.mean() == pytest.approx(0.1, abs=0.01)
    for values, mean in ((a[truth], 3.0), (a[~truth], 1.0), (b[truth], 2.75)):
        assert values.mean() == pytest.approx(mean, abs=0.03)
        assert values.std() == pytest.approx(0.25, abs=0.03)
    moved, _, there = display(replace(EASY, shift=2.0), 1)
    assert moved[there].mean() - a[truth].mean() == pytest.approx(2 * 0.25, abs=0.05)
    drifted, _, there = display(replace(EASY, drift=2.0), 1)
    early, late = np.array_split(np.flatnonzero(there), 2)
    assert drifted[late].mean() - drifted[early].mean() == pytest.approx(0.25, abs=0.08)
    spilt, _, there = display(replace(EASY, spill=0.2), 1)
    assert spilt[~there].std() > a[~truth].std() + 0.02
    assert np.median(spilt[~there]) == pytest.approx(np.median(a[~truth]), abs=0.1)
    lacking, rare = tube(EASY, 1, lacking=True)
    assert np.percentile(lacking["A"], 99) < np.percentile(tube(EASY, 1)[0]["A"], 99) / 3
    assert rare.any()


def test_methods_find_what_theory_allows_on_an_easy_tube_and_a_reference_follows_a_shift() -> None:
    """A cut midway between two normals 8 SDs apart loses norm.sf(4) of either side: nothing of 8,000 events."""
    assert norm.sf(4) * EASY.events < 1
    rows = measured(EASY, 1)
    assert list(rows) == list(NAMES)
    for name in (
        "valley",
        "mixture, cut",
        "quadrants, sequential",
        "quadrants, mixture",
        "reference",
        "fixed gate",
    ):
        assert rows[name]["f1"] > 0.98, name
        assert abs(rows[name]["bias"]) < 0.15, name
    for name in ("internal", "fmo"):
        assert rows[name]["f1"] > 0.97, name
    shifted = measured(replace(EASY, shift=3.0, apart=6), 1)
    assert shifted["reference"]["f1"] > shifted["fixed gate"]["f1"] + 0.05
    assert shifted["fmo"]["f1"] > 0.9


def test_where_there_is_nearly_nothing_a_method_says_so_or_finds_it() -> None:
    rows = measured(Case(rare=1, apart=3, events=2_000), 2)
    assert not rows["valley"]["placed"]
    assert all(0 <= row["f1"] <= 1 and np.isfinite(row["bias"]) for row in rows.values())


def test_the_page_holds_the_kept_figures_of_every_case() -> None:
    kept = json.loads(difficulty.RESULTS.read_text(encoding="utf-8"))
    assert {Case(**item["case"]) for item in kept["cases"]} == set(cases())
    assert difficulty_page.PAGE.read_text(encoding="utf-8") == difficulty_page.page(kept)
    base = next(item for item in kept["cases"] if Case(**item["case"]) == Case())["methods"]["valley"]
    assert f" {base['f1']:.2f} ({base['bias']:+.2f})" in difficulty_page.page(kept)
