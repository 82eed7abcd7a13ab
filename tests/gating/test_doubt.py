"""No gate fails silently: each method is made to fail, and what it leaves says so, in tables, scores and reasons."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from test_methods import NEEDED

import cytoreg
from cytoreg.fcs import sample_from_array
from cytoreg.gating import methods, parse_template
from cytoreg.gating.gates import Nothing
from cytoreg.gating.method_checks import Trial
from cytoreg.gating.methods import CONTROLS, method_names
from cytoreg.gating.result import Result
from cytoreg.simulation import Composition, simulate_tube
from cytoreg.yamlfile import YamlDocument

RNG = np.random.default_rng(1)
HOPELESS = {
    "no events": np.empty((0, 2)),
    "three events": RNG.uniform(1, 5, (3, 2)),
    "no numbers": np.full((900, 2), np.nan),
    "all the same": np.full((900, 2), 4.0),
    "noise": RNG.uniform(0.5, 9, (150, 2)),
}


def gated(method: str, events: np.ndarray, fallback: Any = None) -> Result:
    """The events through a template that holds the method, with what it must be told."""
    trial = Trial(method, NEEDED.get(method, {}))
    on = trial.asked().on
    words = {"on": on if isinstance(on, str) else list(on), **trial.words}
    data = {
        "cytoreg": 1,
        "name": "t",
        "transforms": {"default": "linear"},
        "populations": {
            "cells": {"gate": {"range": {"on": "a", "min": 0}}},
            "negative": {"parent": "cells", "gate": {"range": {"on": "b", "min": 0}}},
            "found": {"parent": "cells", "gate": {method: words | ({"fallback": fallback} if fallback else {})}},
        },
    }
    return cytoreg.gate(sample_from_array(events, ["a", "b"]), parse_template(YamlDocument("t.yaml", data)))


def fitted(result: Result) -> list[tuple[str, Any]]:
    return [
        (name, part)
        for name, applied in result.gates.items()
        for part in applied.parts
        if part.method != "drawn" or part.flags
    ]


@pytest.mark.parametrize("method", method_names())
@pytest.mark.parametrize("data", HOPELESS)
def test_a_method_that_fails_says_so_everywhere(method: str, data: str) -> None:
    result = gated(method, HOPELESS[data])
    parts = fitted(result)
    assert parts, "the template holds the method"
    rows = {row["population_id"].partition(":")[2]: row for row in result.rows()}
    for name, part in parts:
        assert part.score is not None and 0 <= part.score <= 1
        flags = rows[name]["flags"].split(";")
        if isinstance(part.gate, Nothing):
            assert part.score == 0
            assert part.reasons
            assert "not_placed" in flags
            assert math.isnan(rows[name]["percent_parent"])
            assert result.count(name) == 0
        else:
            assert ("doubt" in flags) == (part.score < 0.5)
            assert bool(part.reasons) == (part.score < 0.5)
    if data in ("no events", "three events", "no numbers"):
        assert all(isinstance(part.gate, Nothing) for _, part in parts)


@pytest.mark.parametrize("method", method_names())
def test_a_fallback_is_named_wherever_it_took_over(method: str) -> None:
    try:
        result = gated(method, HOPELESS["three events"], {"range": {"on": "a", "min": 2}})
    except cytoreg.TemplateError as problem:
        assert "fallback" in str(problem)  # this method has none, and says so in one line
        return
    for name, part in fitted(result):
        flags = result.flags_of(name)
        assert "fallback:drawn" in flags
        assert ("no_control" in flags) == (method in CONTROLS)
        assert part.source == "fallback"
        assert part.score is not None and part.score <= 0.5
        assert any(reason.startswith(f"{method}: ") for reason in part.reasons)


def test_scores_of_good_and_bad_cells_stand_in_that_order() -> None:
    """The deeper the valley between two peaks, the surer the cut; no reason is given where it is sure."""
    scores = []
    for apart in (6.0, 3.2, 2.6):
        rng = np.random.default_rng(2)
        a = np.concatenate([rng.normal(5, 1, 8000), rng.normal(5 + apart, 1, 8000)])
        result = gated("valley", np.column_stack([a, a]))
        part = result.gates["found"].parts[0]
        scores.append(part.score)
        assert bool(part.reasons) == (part.score < 0.5)
    assert scores[0] > 0.9
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5


def test_every_fitted_gate_of_a_shipped_template_has_a_score() -> None:
    tube = simulate_tube("treg", Composition(), 10_000, np.random.default_rng(3)).to_sample("t.fcs")
    result = cytoreg.gate(tube, "treg_foxp3")
    for applied in result.gates.values():
        for part in applied.parts:
            assert part.score is not None and 0 <= part.score <= 1
            assert bool(part.flags) or part.score >= 0.5


def test_a_method_is_handed_values_and_nothing_that_names_the_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    handed = []
    real = methods.fit
    monkeypatch.setattr(methods, "fit", lambda kind, view, params: handed.append(view) or real(kind, view, params))
    tube = simulate_tube("treg", Composition(), 3000, np.random.default_rng(4)).to_sample("PATIENT_7_baseline.fcs")
    cytoreg.gate(tube, "treg_foxp3")
    assert len(handed) > 8
    for view in handed:
        assert {name for name in dir(view) if not name.startswith("_")} == {"values", "values_in", "control"}
        assert "PATIENT" not in " ".join(vars(view))
