"""Cuts that tubes share: pooled fits, tubes that are pulled back, tubes that stand apart; no order matters."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

import cytoreg
from cytoreg import TemplateError
from cytoreg.gating import parse_template
from cytoreg.gating.gates import Nothing, Range
from cytoreg.gating.methods import fit, params_of
from cytoreg.gating.placed import Offer, Placed, Proposal, thinned
from cytoreg.gating.shared import far_from, robust_sd, settle_each
from cytoreg.gating.spec import GateSpec
from cytoreg.yamlfile import load_yaml

Offered = dict[str, tuple[str, Proposal]]


def spec(method: str, **words: Any) -> GateSpec:
    return GateSpec(method, params=params_of(method).model_validate({"on": "CD25", **words}), on=("CD25",))


class Cells:
    def __init__(self, values: np.ndarray) -> None:
        self.all = values

    def values(self, on: str) -> np.ndarray:
        return self.all

    def values_in(self, population: str, on: str) -> np.ndarray | None:
        return self.all

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> np.ndarray | None:
        return self.all


def proposal(asked: GateSpec, values: np.ndarray, tube: str = "full") -> tuple[str, Proposal]:
    found = fit(asked.kind, Cells(values), asked.params)
    control = tube if tube != "full" else ""
    source = "control" if control else "own"
    placed = Placed(found.gate, asked.kind, len(values), source, "batch", score=found.score, control=control)
    return tube, Proposal(placed, "batch", asked, (Offer(asked, 0, thinned(np.sort(values)), len(values)),))


def cut(placed: Placed) -> float:
    assert isinstance(placed.gate, Range)
    return placed.gate.min


def two_peaks(rng: np.random.Generator, n: int, shift: float = 0.0) -> np.ndarray:
    return np.concatenate([rng.normal(shift, 0.5, n // 2), rng.normal(4 + shift, 0.5, n - n // 2)])


@pytest.mark.parametrize("weigh", ["tubes", "events"])
def test_a_pooled_percentile_is_that_of_all_events_or_of_all_tubes(weigh: str) -> None:
    """Tube a has 3,000 events about 0, tube b 1,000 about 10: the median of all, and the middle between both."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 3000), rng.normal(10, 1, 1000)
    asked = spec("quantile", percentile=60, by="batch", pool="pooled", weigh=weigh)
    settled = settle_each({"a": proposal(asked, a), "b": proposal(asked, b)})
    whole = np.concatenate([a, b]) if weigh == "events" else np.concatenate([a, *[b] * 3])
    assert cut(settled["a"]) == pytest.approx(np.quantile(whole, 0.6), abs=0.02)
    assert cut(settled["a"]) == cut(settled["b"])
    assert settled["a"].group is not None and settled["a"].group.how == "pooled"
    assert settled["a"].fitted_on == 4000
    assert any(f"each {weigh[:-1]} weighing the same" in reason for reason in settled["a"].reasons)
    assert settled["a"].own == proposal(asked, a)[1].placed.gate


def test_a_pooled_valley_is_found_where_no_tube_alone_has_enough_events() -> None:
    rng = np.random.default_rng(2)
    tubes = [two_peaks(rng, 60) for _ in range(10)]
    asked = spec("valley", by="batch", pool="pooled", weigh="events")
    offered: Offered = {}
    for i, values in enumerate(tubes):
        nowhere = Placed(Nothing("too few"), "valley", 0, "own", "batch", ("too few",), ("not_placed",), 0.0)
        offered[f"t{i}"] = "full", Proposal(nowhere, "batch", asked, (Offer(asked, 0, np.sort(values), 60),))
    settled = settle_each(offered)
    assert all(cut(placed) == pytest.approx(2, abs=0.5) for placed in settled.values())
    assert settled["t0"].fitted_on == 600


def test_pooled_controls_are_pooled_alone() -> None:
    rng = np.random.default_rng(3)
    asked = spec("fmo", percentile=90, by="batch", pool="pooled")
    first, second = rng.normal(0, 1, 4000), rng.normal(1, 1, 4000)
    missing = Placed(
        Nothing("no FMO control"), "fmo", 0, "own", "batch", ("no",), ("no_control", "not_placed"), 0.0
    )
    offered: Offered = {
        "full": ("full", Proposal(missing, "batch", asked)),
        "c1": proposal(asked, first, "fmo:CD25"),
        "c2": proposal(asked, second, "fmo:CD25"),
    }
    settled = settle_each(offered)["full"]
    assert cut(settled) == pytest.approx(np.percentile(np.concatenate([first, second]), 90), abs=0.02)
    assert settled.source == "control"
    assert settled.flags == ()
    assert settled.group is not None and settled.group.controls == ("c1", "c2")


def group(cuts: list[float], **words: Any) -> Offered:
    asked = spec("tail", by="batch", **words)
    return {
        f"t{i}": (
            "full",
            Proposal(Placed(Range(("CD25",), min=c), "tail", 900, "own", "batch", score=1.0), "batch", asked),
        )
        for i, c in enumerate(cuts)
    }


CUTS = [2.0, 2.1, 1.9, 2.05, 1.95, 3.4]


def test_without_pull_all_take_the_median_and_the_odd_tube_is_flagged() -> None:
    settled = settle_each(group(CUTS))
    assert {cut(placed) for placed in settled.values()} == {float(np.median(CUTS))}
    assert [name for name, placed in settled.items() if "far_from_others" in placed.flags] == ["t5"]
    assert settled["t5"].own == Range(("CD25",), min=3.4)
    assert settled["t5"].score is not None and settled["t5"].score < 0.5
    assert settled["t0"].score == 1.0


def test_pull_leaves_each_tube_its_own_cut_and_pulls_the_odd_one_back() -> None:
    settled = settle_each(group(CUTS, pull=3))
    assert [cut(settled[f"t{i}"]) for i in range(5)] == CUTS[:5]
    assert settled["t0"].flags == ()
    pulled = settled["t5"]
    assert cut(pulled) == float(np.median(CUTS))
    assert "pulled" in pulled.flags
    assert pulled.own == Range(("CD25",), min=3.4)
    assert pulled.group is not None and pulled.group.how == "pulled"
    far = settle_each(group(CUTS, pull=100))
    assert cut(far["t5"]) == 3.4
    assert far["t5"].flags == ("far_from_others",)


def test_pull_gives_the_shared_cut_to_a_tube_that_could_not_place_its_own() -> None:
    offered = group([2.0, 2.1, 1.9, 2.05, 1.95], pull=3)
    nowhere = Placed(
        Nothing("too few events: 3"), "tail", 0, "own", "batch", ("too few events: 3",), ("not_placed",)
    )
    offered["empty"] = "full", replace(offered["t0"][1], placed=nowhere)
    settled = settle_each(offered)["empty"]
    assert cut(settled) == 2.0
    assert "pulled" in settled.flags


def test_nothing_is_far_in_a_small_group_or_beside_equal_cuts() -> None:
    assert far_from([1.0, 1.0, 1.0, 9.0]) == [0.0] * 4
    assert far_from([2.0] * 6) == [0.0] * 6
    assert max(far_from([2.0] * 5 + [2.01], 0.045)) < 1
    assert far_from([2.0] * 5 + [3.0], 0.045)[-1] > 3.5


def test_the_robust_sd_is_the_mad_and_unbiased_in_small_groups() -> None:
    values = np.random.default_rng(4).normal(3, 1, 400)
    theirs = median_abs_deviation(values, scale="normal")
    assert robust_sd(values.tolist()) == pytest.approx(theirs * 400 / 399.2, rel=1e-4)
    for n in (5, 6, 8):
        drawn = np.random.default_rng(n).normal(0, 1, (4000, n))
        assert np.mean([robust_sd(row) for row in drawn.tolist()]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("words", [{}, {"pool": "pooled"}, {"pool": "pooled", "weigh": "events"}, {"pull": 2.5}])
def test_the_order_of_tubes_changes_no_bit(words: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    asked = spec("valley", by="batch", **words)
    offered = {f"t{i}": proposal(asked, two_peaks(rng, 400 + 100 * i, 0.03 * i)) for i in range(7)}
    expected = settle_each(offered)
    for seed in range(3):
        names = list(offered)
        random.Random(seed).shuffle(names)
        assert settle_each({name: offered[name] for name in names}) == expected


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{valley: {on: CD25, pull: 3}}", "pull is for a cut that tubes share"),
        ("{valley: {on: CD25, by: batch, weigh: events}}", "weigh is for pool: pooled"),
        ("{fmo: {on: CD25, pull: 3}}", "pull is for cuts that each tube places itself"),
        ("{valley: {on: CD25, by: batch, pool: mean}}", "median"),
        ("{valley: {on: CD25, by: batch, fallback: {tail: {on: CD25, by: study}}}}", "leave by out"),
        ("{valley: {on: CD25, by: batch, fallback: {tail: {on: CD25, by: batch, pull: 3}}}}", "leave"),
    ],
)
def test_words_that_mean_nothing_together_are_refused_in_one_line(gate: str, said: str) -> None:
    text = f"cytoreg: 1\nname: t\npopulations:\n  found: {{gate: {gate}}}\n"
    with pytest.raises(TemplateError, match=said) as caught:
        parse_template(load_yaml(text, TemplateError))
    assert "\n" not in str(caught.value)
    assert cytoreg.CytoregError in type(caught.value).__mro__


def test_score_and_flag_of_a_shared_cut_say_the_same() -> None:
    asked = spec("tail", by="batch")
    for scores in ((0.1, 0.6), (0.2, 0.3, 0.9), (0.9, 1.0, 0.1), (0.5, 0.5)):
        offered = {
            f"t{i}": (
                "full",
                Proposal(
                    Placed(
                        Range(("CD25",), min=2.0),
                        "tail",
                        900,
                        "own",
                        "batch",
                        ("few",) if score < 0.5 else (),
                        ("doubt",) if score < 0.5 else (),
                        score,
                    ),
                    "batch",
                    asked,
                ),
            )
            for i, score in enumerate(scores)
        }
        settled = settle_each(offered)["t0"]
        assert settled.score is not None
        assert ("doubt" in settled.flags) == (settled.score < 0.5)
        assert "doubt" not in settled.flags or settled.reasons
