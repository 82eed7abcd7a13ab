"""The plots of durations and of repeated infusions: what they draw, and that hidden arms stay hidden."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from cytoreg.reports.drawings import draw_question
from cytoreg.reports.trajectories import styles_of
from cytoreg.stats.plot_points import points

CONTROL = {"treatment": {"control": "DMARD"}}


def table() -> pd.DataFrame:
    """Of each arm ten responders; 2 of UC-MSC and 5 of DMARD have lost it at day 60, none later."""
    rows = []
    for arm, lost in (("DMARD", 5), ("UC-MSC", 2)):
        for number in range(10):
            for place, day in enumerate((0, 30, 60, 90, 120)):
                response = place == 1 or (place > 1 and number >= lost)
                so_far = float(place > 0) + float(place > 2) if arm == "UC-MSC" else 0.0
                value = 5.0 - 0.1 * place * number
                rows.append(
                    (f"{arm}{number}", f"d{day}" if day else "baseline", float(day), arm, response, value, so_far)
                )
    names = ["subject_id", "visit", "day", "arm", "acr20", "das28", "infusions_so_far"]
    return pd.DataFrame(rows, columns=names)


def drawn(question: dict[str, object], blinded: bool = False) -> tuple[str, str]:
    seen = points("q", table(), CONTROL | {"analyses": {"q": question}})
    seen["group"] = "" if blinded else seen["arm"]
    picture, caption = draw_question(seen, styles_of(sorted(set(seen["group"]))), [], "patient")
    return str(picture), caption


def test_the_steps_of_each_arm_end_where_kaplan_meier_does() -> None:
    asked = {"type": "time_to_loss", "outcome": "acr20", "reinfusion": "censor"}
    picture, _ = drawn(asked)
    assert "DMARD 50 % at the end; UC-MSC 80 % at the end" in picture
    assert len(re.findall(r"stroke-width=\"2.4\"", picture)) == 2


def test_hidden_arms_have_no_curves() -> None:
    picture, caption = drawn({"type": "time_to_loss", "outcome": "acr20"}, blinded=True)
    assert "<path" not in picture
    assert "hidden" in caption


@pytest.mark.parametrize("blinded", [False, True])
def test_a_point_for_each_subject_infused_twice(blinded: bool) -> None:
    picture, _ = drawn({"type": "repeat_infusion", "value": "das28"}, blinded)
    assert "of 10 patients infused twice" in picture
