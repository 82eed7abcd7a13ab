"""What every gating method keeps, ours or a plug-in's: one test for all, for authors of methods to run on theirs.

from cytoreg.gating.method_checks import check_method
assert check_method("my_method", percentile=95) == []
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg.fcs import sample_from_array
from cytoreg.gating.gate import gate
from cytoreg.gating.gates import Ellipse, Gate, Nothing, Polygon, Range, Rectangle
from cytoreg.gating.methods import CannotFit, Fit, fit, params_of
from cytoreg.gating.methods._plug_ins import is_whole
from cytoreg.gating.read_template import parse_template
from cytoreg.yamlfile import YamlDocument

__all__ = ["CHECKS", "Cells", "Trial", "check_method", "usual"]

Array = npt.NDArray[np.float64]


class Cells:
    """Display values of a parent on the axes `a` and `b`, of a population `negative`, and of any control."""

    def __init__(self, a: Array, b: Array, negative: Array | None = None, control: Array | None = None) -> None:
        self.columns = {"a": a, "b": b}
        self.negative = a if negative is None else negative
        self.lacking = control

    def values(self, on: str) -> Array:
        """The parent's."""
        return self.columns[on]

    def values_in(self, population: str, on: str) -> Array | None:
        """Those of `negative`."""
        return self.negative if population == "negative" else None

    def control(self, marker: str, on: str, kind: str = "fmo", source: str | None = None) -> Array | None:
        """Those of the control, if there is one."""
        return self.lacking


@dataclass(frozen=True)
class Trial:
    """A method by name and what it must be told beside its axes."""

    method: str
    words: Mapping[str, Any] = field(default_factory=dict)

    def asked(self) -> Any:
        """The method's parameters with axes a and b, or a alone. Raises pydantic's ValidationError."""
        schema = params_of(self.method)
        try:
            return schema.model_validate({"on": ["a", "b"], **self.words})
        except ValueError:
            return schema.model_validate({"on": "a", **self.words})

    def fitted(self, a: Array, b: Array) -> Fit | str:
        """What the method places, or the reason why it cannot; a warning counts as a fault."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return fit(self.method, Cells(a, b, control=a), self.asked())
            except CannotFit as problem:
                return str(problem) or _fail("a CannotFit without a reason")

    def placed(self, a: Array, b: Array) -> Gate | str:
        """The gate, or the reason why there is none."""
        found = self.fitted(a, b)
        return found if isinstance(found, str) else found.gate


def check_method(method: str, /, **words: Any) -> list[str]:
    """Each check that a method fails, with what was found; empty for one that passes.

    method: its name, of one of ours or of an installed entry point. words: what it must be told beside `on`.
    """
    faults = []
    for name, check in CHECKS.items():
        try:
            check(Trial(method, words))
        except Exception as problem:
            faults.append(f"{name}: {type(problem).__name__}: {problem}")
    return faults


def usual(n: int = 4000, seed: int = 1) -> tuple[Array, Array]:
    """Two populations of positive values, with heights that go with areas."""
    rng = np.random.default_rng(seed)
    a = np.concatenate([rng.normal(20, 2, n // 2), rng.normal(40, 3, n - n // 2)])
    return a, a * rng.normal(0.9, 0.02, n)


def _places_a_gate_on_ordinary_cells(trial: Trial) -> None:
    found = trial.fitted(*usual())
    if isinstance(found, str):
        _fail(f"no gate: {found}")
    elif not _is_concrete(found.gate):
        _fail(f"{found.gate} is open on all sides or has a number that is none")
    elif not 0 <= found.score <= 1 or not 0 < found.fitted_on <= 4000:
        _fail(f"score {found.score} (expected 0 to 1), fitted on {found.fitted_on} of 4000 events")


def _cannot_be_placed_on_next_to_nothing(trial: Trial) -> None:
    a, b = usual()
    for n in (0, 1, 2, 5):
        if not isinstance(found := trial.placed(a[:n], b[:n]), str):
            _fail(f"{found} on {n} events")


def _a_finite_gate_or_none_where_values_are_equal(trial: Trial) -> None:
    for value in (0.0, 7.0, 262143.0, -3.0, 1e9):
        same = np.full(2000, value)
        _whole_or_a_reason(trial, same, same)
    a, b = np.zeros(3000), np.full(3000, 5.0)
    a[:20], b[:20] = 1.0, 9.0
    _whole_or_a_reason(trial, a, b)


def _passes_over_what_is_no_number(trial: Trial) -> None:
    a, b = usual()
    holes = np.arange(0, 4000, 9)
    dirty_a, dirty_b = a.copy(), b.copy()
    dirty_a[holes] = np.nan
    dirty_b[holes] = np.inf
    left = np.setdiff1d(np.arange(4000), holes)
    with_holes, without = trial.placed(dirty_a, dirty_b), trial.placed(a[left], b[left])
    if with_holes != without:
        _fail(f"{with_holes} with NaN and infinities, {without} without them")
    nothing = np.full(2000, np.nan)
    if not isinstance(found := trial.placed(nothing, nothing), str):
        _fail(f"{found} where no value is a number")


def _does_not_mind_the_order_of_events(trial: Trial) -> None:
    a, b = usual()
    order = np.random.default_rng(3).permutation(len(a))
    first, shuffled = trial.placed(a, b), trial.placed(a[order], b[order])
    if type(first) is not type(shuffled):
        _fail(f"{first}, and shuffled {shuffled}")
    np.testing.assert_allclose(_numbers(first), _numbers(shuffled), rtol=1e-12, atol=1e-12)


def _says_the_same_twice(trial: Trial) -> None:
    a, b = usual(seed=5)
    state = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    first, second = trial.fitted(a, b), trial.fitted(a.copy(), b.copy())
    if first != second:
        _fail(f"{first}, and again {second}")
    if not np.array_equal(state, np.random.get_state()[1]):  # type: ignore[index]  # noqa: NPY002
        _fail("draws random numbers")


def _changes_none_of_the_values_it_looks_at(trial: Trial) -> None:
    a, b = usual()
    a.setflags(write=False)
    b.setflags(write=False)
    trial.placed(a, b)


def _a_finite_gate_or_a_reason_whatever_the_cells_look_like(trial: Trial) -> None:
    rng = np.random.default_rng(6)
    for draw in (
        lambda: rng.uniform(0, 1, 1500),
        lambda: rng.lognormal(5, 2, 1500),
        lambda: rng.standard_cauchy(1500) * 1e4,
        lambda: rng.integers(0, 4, 1500).astype(float),
        lambda: -rng.lognormal(5, 1, 1500),
        lambda: rng.choice([-5.0, 5.0], 1500),
    ):
        _whole_or_a_reason(trial, draw(), draw())


def _a_reason_in_a_file_with_nothing_to_see(trial: Trial) -> None:
    """Through `gate`: a method that cannot be placed holds no event, has a reason and makes no percentage."""
    on = trial.asked().on
    said = {trial.method: {"on": on if isinstance(on, str) else list(on), **trial.words}}
    template = parse_template(
        YamlDocument(
            "check",
            {
                "cytoreg": 1,
                "name": "check",
                "transforms": {"default": "linear"},
                "populations": {
                    "cells": {"gate": {"range": {"on": "a", "min": 0}}},
                    "negative": {"parent": "cells", "gate": {"range": {"on": "b", "min": 0}}},
                    "found": {
                        "parent": "cells",
                        "gate": {**said, trial.method: {"keep": "++", **said[trial.method]}},
                    }
                    if trial.method == "quadrants"
                    else {"parent": "cells", "gate": said},
                    "rest": {"parent": "cells", "gate": {"not": "found"}},
                },
            },
        )
    )
    for events in (np.empty((0, 2)), np.ones((1, 2)), np.full((3000, 2), 4.0), np.full((500, 2), np.nan)):
        result = gate(sample_from_array(events, ["a", "b"]), template)
        applied, share = result.gates["found"].gate, result.percent("found % of cells")
        if isinstance(applied, Nothing):
            if not applied.reason or result.count("found") or "not_placed" not in share.flags:
                _fail(f"not placed, but {result.count('found')} events, reason {applied.reason!r}, {share.flags}")
            if not np.isnan([share.value, result.percent("rest % of cells").value]).all():
                _fail(f"not placed, but {share.value} %")
        elif not _is_concrete(applied) or result.count("found") + result.count("rest") != result.count("cells"):
            _fail(f"{applied} holds {result.count('found')} of {result.count('cells')} events")
        result.rows()


CHECKS: Mapping[str, Callable[[Trial], None]] = {
    check.__name__.strip("_").replace("_", " "): check
    for check in (
        _places_a_gate_on_ordinary_cells,
        _cannot_be_placed_on_next_to_nothing,
        _a_finite_gate_or_none_where_values_are_equal,
        _passes_over_what_is_no_number,
        _does_not_mind_the_order_of_events,
        _says_the_same_twice,
        _changes_none_of_the_values_it_looks_at,
        _a_finite_gate_or_a_reason_whatever_the_cells_look_like,
        _a_reason_in_a_file_with_nothing_to_see,
    )
}
"""What it keeps -> the function that tries it, which raises AssertionError or what the method raised."""


def _whole_or_a_reason(trial: Trial, a: Array, b: Array) -> None:
    if not isinstance(found := trial.placed(a, b), str) and not _is_concrete(found):
        _fail(f"{found} is open on all sides or has a number that is none")


def _is_concrete(gate: Gate) -> bool:
    if not isinstance(gate, Range | Rectangle | Polygon | Ellipse) or not is_whole(gate):
        return False
    return bool(np.isfinite(_numbers(gate)).any())


def _numbers(gate: Gate | str) -> list[float]:
    match gate:
        case Range(min=low, max=high):
            return [low, high]
        case Rectangle(min=lows, max=highs):
            return [*lows, *highs]
        case Polygon(vertices=vertices):
            return list(np.ravel(vertices))
        case Ellipse(center=center, covariance=covariance, distance=distance):
            return [*center, *np.ravel(covariance), distance]
    return []


def _fail(what: str) -> Any:
    raise AssertionError(what)
