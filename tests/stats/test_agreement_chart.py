"""Levey-Jennings limits and Westgard's rules on series put together by hand."""

from __future__ import annotations

import math

import pytest

from cytoreg.errors import AnalysisError
from cytoreg.stats.agreement import levey_jennings
from cytoreg.stats.agreement.control_chart import RULES, violations


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        # one value just within and just beyond 2 SD, and on the line itself
        ([1.99], [[]]),
        ([2.0], [[]]),
        ([2.01], [["1-2s"]]),
        ([-3.01], [["1-2s", "1-3s"]]),
        # two in a row on one side; a value between them, or the other side, is another matter
        ([2.1, 2.2], [["1-2s"], ["1-2s", "2-2s"]]),
        ([2.1, 0.0, 2.2], [["1-2s"], [], ["1-2s"]]),
        ([2.1, -2.1], [["1-2s"], ["1-2s", "R-4s"]]),
        ([-2.1, 1.95], [["1-2s"], []]),
        # four beyond 1 SD on one side; three are too few; a fourth on the other side does not count
        ([1.1, 1.2, 1.3, 1.4], [[], [], [], ["4-1s"]]),
        ([-1.1, -1.2, -1.3, -0.9, -1.1], [[], [], [], [], []]),
        ([1.1, 1.2, 1.3, -1.4], [[], [], [], []]),
        # ten on one side
        ([0.1] * 9 + [-0.1], [[]] * 10),
        ([-0.2] * 11, [[]] * 9 + [["10-x"]] * 2),
    ],
)
def test_rules(z: list[float], expected: list[list[str]]) -> None:
    assert violations(z) == expected
    mirrored = violations([-each for each in z])
    assert mirrored == expected


def test_declared_limits_and_the_point_that_breaks_them() -> None:
    chart = levey_jennings([10.1, 13.2, 9.8], ["mon", "tue", "wed"], target=10, sd=1)
    assert [point.rules for point in chart.points] == [(), ("1-2s", "1-3s"), ()]
    assert chart.rejected
    assert chart.points[1].z == pytest.approx(3.2)
    assert not any("rest on" in note for note in chart.notes)


def test_limits_of_the_points_are_mean_and_sd_with_n_minus_1() -> None:
    chart = levey_jennings([2, 4, 4, 4, 5, 5, 7, 9], [str(i) for i in range(8)])
    assert (chart.centre, chart.sd) == pytest.approx((5, math.sqrt(32 / 7)))
    first = levey_jennings([2, 4, 6, 40], list("abcd"), first=3)
    assert (first.centre, first.sd) == pytest.approx((4, 2))
    assert first.rejected


def test_few_points_are_said_to_prove_nothing_and_which_rules_cannot_be_met() -> None:
    """Samuelson 1968: no value of n lies more than (n - 1) / sqrt(n) sample SDs from their mean; 1.79 for five."""
    chart = levey_jennings([0, 0, 0, 0, 1000], list("abcde"))
    assert chart.points[4].z == pytest.approx(4 / math.sqrt(5))
    assert not chart.rejected
    said = " ".join(chart.notes)
    assert "limits rest on 5 points, too few" in said
    assert "more than 1.79 SD" in said
    assert "1-2s, 1-3s, 2-2s and R-4s cannot be met" in said


def test_counting_interval_and_whether_counting_explains_the_spread() -> None:
    """Wilson's interval of 300 of 1,000: 27.24 to 32.91 % (Newcombe 1998, method 3, by hand); chi-square by hand."""
    counts, totals = [300, 340, 260], [1000, 1000, 1000]
    chart = levey_jennings([30, 34, 26], list("abc"), counts=counts, totals=totals)
    z2 = 1.959964**2
    middle, half = (
        (0.3 + z2 / 2000) / (1 + z2 / 1000),
        1.959964 * math.sqrt(0.21 / 1000 + z2 / 4e6) / (1 + z2 / 1000),
    )
    assert (chart.points[0].low, chart.points[0].high) == pytest.approx(
        (100 * (middle - half), 100 * (middle + half))
    )
    assert chart.counting_sd == pytest.approx(100 * math.sqrt(0.21 / 1000))
    statistic = 2 * 40**2 / (1000 * 0.3 * 0.7)  # two cells are 40 off, two degrees of freedom: p = exp(-x / 2)
    assert chart.spread_p == pytest.approx(math.exp(-statistic / 2))
    assert any("vary more than counting explains" in note for note in chart.notes)
    calm = levey_jennings([30, 30.5, 29.5], list("abc"), counts=[300, 305, 295], totals=totals)
    assert any("vary no more than counting explains" in note for note in calm.notes)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"values": [3.0], "labels": ["a"]}, "found 1 point, expected at least 2, or a declared target and SD"),
        ({"values": [3.0, 3.0], "labels": ["a", "b"]}, "an SD of 0, expected one above zero"),
        ({"values": [3.0, 4.0], "labels": ["a", "b"], "sd": -1.0}, "an SD of -1"),
        ({"values": [3.0, 4.0], "labels": ["a", "b"], "first": 3}, "the first 3 points, expected 2 to 2"),
        ({"values": [], "labels": []}, "found no points"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(AnalysisError) as problem:
        levey_jennings(**arguments)  # type: ignore[arg-type]
    assert expected in str(problem.value)


def test_every_rule_has_its_words() -> None:
    assert list(RULES) == ["1-2s", "1-3s", "2-2s", "R-4s", "4-1s", "10-x"]
