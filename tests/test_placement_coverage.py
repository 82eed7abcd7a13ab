"""The short version of `make placement`: intervals hold the method's population limit about as often as they say."""

from __future__ import annotations

from benchmarks.placement_coverage import of_cells


def test_intervals_with_placement_cover_the_limit() -> None:
    """120 tubes: a true 95 % is seen between 90 and 99 % (binomial, 99.9 % of the time above 88 %)."""
    found = of_cells("tail", 0.05, 4.0, 2_000, 120)
    assert found["not_placed"] == 0
    assert found["covers_limit"] >= 88
    assert found["covers_limit"] >= found["covers_limit_by_counting"]
