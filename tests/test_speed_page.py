"""The page on speed says what the last benchmark found, and the figures are formed as it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml


@pytest.fixture
def benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(root))
    import benchmarks.files
    import benchmarks.gating
    import benchmarks.reading
    import benchmarks.speed_page
    import benchmarks.timing  # noqa: F401

    return sys.modules["benchmarks"]


def test_the_page_holds_the_figures_of_the_last_run(benchmarks: Any) -> None:
    page = benchmarks.speed_page.PAGE.read_text(encoding="utf-8")
    assert benchmarks.speed_page.filled(page) == page


def test_the_last_run_measured_every_case_and_no_reader_gave_other_values(benchmarks: Any) -> None:
    rows, setting = benchmarks.speed_page.read_rows(benchmarks.speed_page.TIMES, benchmarks.speed_page.TimeRow)
    assert {row.case for row in rows} == {case.name for case in benchmarks.reading.CASES}
    assert [row for row in rows if not row.equal] == []
    assert "cytoreg" in setting


def test_the_last_run_of_gating_gave_flowkits_membership_and_measured_every_case(benchmarks: Any) -> None:
    page = benchmarks.gating_page
    rows, setting = benchmarks.speed_page.read_rows(page.GATING, page.GatingRow)
    aims, _ = benchmarks.speed_page.read_rows(page.AIMS, page.AimRow)
    assert len({row.case for row in rows}) == 5
    assert "flowkit" in setting
    same = [aim for aim in aims if "membership" in aim.what]
    assert len(same) == 2
    assert all(aim.met and aim.found == "0 and 0 differ" for aim in same)


def test_flowkit_gets_the_gates_that_the_template_says(benchmarks: Any, tmp_path: Path) -> None:
    """The chain asks for more than three decisions an event; one vertex that moves is seen by the comparison."""
    import cytoreg

    gating, files = benchmarks.gating, benchmarks.gating_files
    events = tmp_path / "events.fcs"
    files.write_events(events, 5000)
    for write in (files.write_chain, files.write_forest):
        template = write(tmp_path / "template.yaml")
        result = cytoreg.gate(events, template)
        assert sum(result.count(result.bound.parents[name]) for name in result.names) > 3 * 5000
        assert gating._differing(result, gating._flowkit(events, template)) == 0
    chain = files.write_chain(tmp_path / "chain.yaml")
    result = cytoreg.gate(events, chain)
    said = yaml.safe_load(chain.read_text(encoding="utf-8"))
    said["populations"]["g11"]["gate"]["polygon"]["vertices"][0] = [0.0, 0.0]
    chain.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    assert gating._differing(result, gating._flowkit(events, chain)) > 0


def test_the_distance_to_an_edge(benchmarks: Any) -> None:
    """A square of side 2 about the origin: by hand."""
    from cytoreg.gating.gates import Polygon

    square = Polygon(("x", "y"), ((-1, -1), (1, -1), (1, 1), (-1, 1)))
    assert benchmarks.gating._distance([0.5, 0.0], square) == pytest.approx(0.5)
    assert benchmarks.gating._distance([4.0, 5.0], square) == pytest.approx(5.0)


def test_a_ratio_is_formed_within_rounds(benchmarks: Any) -> None:
    """A machine that is ten times slower in one round slows both; what was not run does not count."""
    ours = np.array([1.0, 10.0, 2.0, np.nan])
    found = benchmarks.timing.ratio(3 * ours, ours)
    assert (found.median, found.low, found.high) == pytest.approx((3, 3, 3))


def test_slow_ways_take_part_in_fewer_rounds(benchmarks: Any) -> None:
    calls: list[str] = []
    taken = benchmarks.timing.interleave(
        {"quick": lambda: calls.append("quick"), "slow": lambda: calls.append("slow")}, 7, at_most={"slow": 3}
    )
    assert (calls.count("quick"), calls.count("slow")) == (7, 3)
    assert np.isfinite(taken["quick"]).all()
    assert np.isfinite(taken["slow"]).tolist() == [True, False, False, True, False, False, True]


def test_values_are_compared_with_those_the_file_was_made_of(benchmarks: Any, tmp_path: Path) -> None:
    import flowio

    files = benchmarks.files.float_files(tmp_path, 300, files=2)
    data = flowio.FlowData(str(files.paths[1]))
    values = np.reshape(data.events, (-1, data.channel_count))
    assert files.hold(1, values, 7)
    assert files.hold(1, values[:, 7], 7)
    assert not files.hold(0, values, 7)
    assert not files.hold(1, values[:, 6], 7)
    assert not files.hold(1, values[:-1], 7)
    changed = values.copy()
    changed[299, 19] = np.nextafter(changed[299, 19], np.float32(np.inf))
    assert not files.hold(1, changed, 7)


def test_a_missed_aim_says_so(benchmarks: Any) -> None:
    page = benchmarks.speed_page
    rows = [
        page.TimeRow("float, 80 MB", "cytoreg", 5, 9.0, 1.4, 1.2, 1.6, 1.0, 1.0, 1.0, True),
        page.TimeRow("float, 80 MB", "cytoreg, one channel", 5, 6.0, 0.9, 0.8, 1.0, 0.7, 0.6, 0.8, True),
        page.TimeRow("float, 80 MB", "fcsparser", 5, 90.0, 9.0, 9.0, 9.0, 10.0, 9.0, 11.0, True),
    ]
    memory = [page.MemoryRow("float, 80 MB", "one channel", 8.0, 9.5, 4.0, 9.0)]
    assert [aim.met for aim in page.aims(rows, memory)] == [True, False, True, False]
    assert "**missed**" in page.render(rows, memory, "today")["aims"]
