"""A cut that tubes share: the median of what they propose, controls first, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cytoreg.gating.engine import Placed
from cytoreg.gating.gates import Nothing, Range
from cytoreg.gating.shared import settle


def proposal(cut: float, source: str = "own", method: str = "tail", **more: object) -> Placed:
    return Placed(Range(("CD25",), min=cut), method, 100, source, "batch", **more)  # type: ignore[arg-type]


def nowhere(reason: str, source: str = "own", method: str = "tail") -> Placed:
    return Placed(Nothing(reason), method, 0, source, "batch", (reason,), ("not_placed",))


def test_the_cut_is_the_median_of_the_proposals() -> None:
    settled = settle([("full", proposal(cut)) for cut in (2.0, 2.2, 9.0)])
    assert settled.gate == Range(("CD25",), min=2.2)
    assert settled.fitted_on == 300
    assert settled.scope == "batch"
    assert settled.reasons == ("median of 3 cuts from 2 to 9",)
    even = settle([("full", proposal(cut)) for cut in (1.0, 2.0, 4.0, 8.0)])
    assert even.gate == Range(("CD25",), min=3.0)


def test_a_cut_that_keeps_what_is_below_stays_one() -> None:
    below = [Placed(Range(("CD127",), max=cut), "valley") for cut in (1.0, 5.0, 3.0)]
    assert settle([("full", placed) for placed in below]).gate == Range(("CD127",), max=3.0)


def test_one_control_outweighs_any_number_of_full_tubes() -> None:
    tubes = [("full", proposal(2.0, "fallback", "internal")) for _ in range(9)]
    settled = settle([*tubes, ("fmo:CD25", proposal(5.0, "control", "fmo"))])
    assert settled.gate == Range(("CD25",), min=5.0)
    assert settled.source == "control"
    assert settled.method == "fmo"


def test_own_cuts_outweigh_fallbacks() -> None:
    settled = settle(
        [("full", proposal(2.0, "fallback")), ("full", proposal(4.0)), ("full", proposal(2.0, "fallback"))]
    )
    assert settled.gate == Range(("CD25",), min=4.0)


def test_what_a_control_makes_of_a_cut_it_is_no_control_for_is_left_out() -> None:
    settled = settle(
        [("full", proposal(2.0)), ("fmo:FOXP3", proposal(50.0, "fallback")), ("fmo:FOXP3", proposal(50.0))]
    )
    assert settled.gate == Range(("CD25",), min=2.0)


def test_tubes_that_cannot_place_it_do_not_count_while_one_can() -> None:
    settled = settle([("full", nowhere("too few events")), ("full", proposal(3.0))])
    assert settled.gate == Range(("CD25",), min=3.0)
    settled = settle([("full", nowhere("too few events")), ("full", nowhere("no second peak"))])
    assert isinstance(settled.gate, Nothing)
    assert settled.gate.reason == "no second peak; too few events"
    assert settled.flags == ("not_placed",)


def test_doubts_of_most_tubes_are_doubts_of_the_cut() -> None:
    doubtful = proposal(3.0, reasons=("the valley is shallow",), flags=("doubt",))
    assert "doubt" not in settle([("full", doubtful), ("full", proposal(3.0)), ("full", proposal(3.1))]).flags
    assert "doubt" in settle([("full", doubtful), ("full", doubtful), ("full", proposal(3.1))]).flags


cuts = st.floats(-3, 6).map(lambda cut: round(cut, 3) + 0.0)
proposals = st.lists(
    st.one_of(
        st.builds(
            lambda cut, source, doubt: ("full", proposal(cut, source, flags=("doubt",) if doubt else ())),
            cuts,
            st.sampled_from(["own", "fallback"]),
            st.booleans(),
        ),
        st.builds(lambda cut: ("fmo:CD25", proposal(cut, "control", "fmo")), cuts),
        st.builds(
            lambda source, m: ("full", nowhere(m, source, m)),
            st.sampled_from(["own", "fallback"]),
            st.sampled_from("xyz"),
        ),
        st.builds(lambda cut: ("fmo:FOXP3", proposal(cut, "fallback")), cuts),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(proposals, st.randoms())
def test_the_order_of_tubes_does_not_matter(offered: list[tuple[str, Placed]], random: object) -> None:
    shuffled = list(offered)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert settle(offered) == settle(shuffled)


@settings(max_examples=50, deadline=None)
@given(st.lists(cuts, min_size=1, max_size=9))
def test_the_median_is_numpy_s(values: list[float]) -> None:
    gate = settle([("full", proposal(cut)) for cut in values]).gate
    assert isinstance(gate, Range)
    assert gate.min == pytest.approx(float(np.median(values)), abs=1e-12)
