"""Schemas by annotations: what is accepted, and what of it is made, as pydantic decides for a model of the same fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from cytoreg.errors import TemplateError
from cytoreg.schema import Finite, Limits, Positive, Schema, read_schema
from cytoreg.yamlfile import YamlDocument, load_yaml

NONE: Mapping[str, Any] = {}


class Part(Schema):
    on: str
    size: Positive = 1.5


class Whole(Schema):
    number: float
    whole: int | None = None
    flag: bool = False
    word: Literal["left", "right"] = "left"
    name: Annotated[str, Limits(shortest=2, pattern=r"[a-z]+")] = "ab"
    pair: tuple[Finite, Finite] | None = None
    rows: Annotated[tuple[tuple[Finite, ...], ...], Limits(longest=2)] = ()
    few: Annotated[int, Limits(least=2, most=9)] = 2
    low: Annotated[float, Limits(below=0)] = -1.0
    parts: Mapping[str, Part] = NONE
    anything: Any = None


class PydanticPart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    on: str
    size: float = Field(default=1.5, gt=0)


class PydanticWhole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: float
    whole: int | None = None
    flag: bool = False
    word: Literal["left", "right"] = "left"
    name: str = Field(default="ab", min_length=2, pattern=r"^[a-z]+$")
    pair: tuple[FiniteFloat, FiniteFloat] | None = None
    rows: list[list[FiniteFloat]] = Field(default_factory=list, max_length=2)
    few: int = Field(default=2, ge=2, le=9)
    low: float = Field(default=-1.0, lt=0)
    parts: dict[str, PydanticPart] = Field(default_factory=dict)
    anything: Any = None


NUMBERS = st.one_of(
    st.integers(-3, 12), st.floats(-1e9, 1e9, width=32), st.sampled_from([2.0, 0.0, -1.0, math.inf, math.nan])
)  # beyond 2^63 pydantic makes no integer of a float, and we do
WORDS = st.sampled_from(
    ["left", "right", "ab", "a", "Ab", "", "1e3", "2", "2.0", "2.5", "x1", "yes", "off", "-7", "nan"]
)
SIMPLE = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
LISTS = st.lists(NUMBERS, max_size=3)
PARTS = st.dictionaries(
    st.one_of(WORDS, st.integers(0, 2)), st.dictionaries(st.sampled_from(["on", "size", "of"]), SIMPLE), max_size=2
)
VALUES = st.one_of(SIMPLE, LISTS, st.lists(LISTS, max_size=3), PARTS)
LIKELY = {
    "number": NUMBERS,
    "whole": NUMBERS,
    "flag": st.booleans(),
    "word": WORDS,
    "name": WORDS,
    "few": NUMBERS,
    "pair": LISTS,
    "rows": st.lists(LISTS, max_size=3),
    "low": NUMBERS,
    "parts": PARTS,
}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A mapping that is mostly right: a value of the right kind for most keys, of any for one."""
    keys = draw(st.lists(st.sampled_from([*LIKELY, "anything", "unknown"]), max_size=4, unique=True))
    made = {key: draw(LIKELY.get(key, VALUES)) for key in keys if key != "unknown" or draw(st.booleans())}
    if draw(st.booleans()):
        made[draw(st.sampled_from([*LIKELY, "anything"]))] = draw(VALUES)
    if "number" not in made and draw(st.integers(0, 9)):
        made["number"] = 1
    return made


def lists(value: Any) -> Any:
    """Sequences as lists, numbers that are none as a word, so that what both made can be compared."""
    if isinstance(value, PydanticPart | Part):
        return [value.on, value.size]
    if isinstance(value, Mapping):
        return {key: lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [lists(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else (type(value).__name__, value)


@settings(max_examples=600, deadline=None)
@given(documents())
@example({"number": "1_000", "whole": True, "few": "2.0"})
@example({"number": True, "flag": 1.0})
@example({"number": 1, "whole": "abc"})
@example({"number": 1, "pair": [1]})
@example({"number": 1, "name": "ab\n"})
def test_it_accepts_and_makes_what_pydantic_does(data: dict[str, Any]) -> None:
    try:
        theirs = PydanticWhole.model_validate(data)
    except ValidationError as refused:
        unknown = [error for error in refused.errors() if error["type"] == "extra_forbidden"]
        first = (unknown or refused.errors())[0]
        with pytest.raises(TemplateError) as told:
            read_schema(Whole, YamlDocument("t", data), TemplateError)
        if (
            len(refused.errors()) == 1 and not unknown
        ):  # and at the same key, or below it where a list is too long as well
            where = ".".join(str(step) for step in first["loc"] if step != "[key]")
            assert f"key {where}" in str(told.value)
        return
    ours = read_schema(Whole, YamlDocument("t", data), TemplateError)
    for key in PydanticWhole.model_fields:
        assert lists(getattr(ours, key)) == lists(getattr(theirs, key)), key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("word: left", "t: line 1, key number: is required and is not there"),
        (
            "number: 1\nparts:\n  a: {on: x, sise: 2}",
            "line 3, key parts.a.sise: unknown key 'sise'; did you mean 'size'?",
        ),
        ("number: 1\nparts: {a: {}}", "line 2, key parts.a.on: is required and is not there"),
        ("number: 1\nword: up", "line 2, key word: input should be 'left' or 'right', found 'up'"),
        ("number: 1\nrows: [[1, .inf]]", "line 2, key rows.0.1: input should be a finite number, found inf"),
        ("number: 1\nfew: 10", "line 2, key few: input should be less than or equal to 9, found 10"),
        ("number: [1]", "line 1, key number: input should be a valid number, found [1]"),
        ("- number", "expected keys and values, found a list"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as told:
        read_schema(Whole, load_yaml(text, TemplateError, name="t"), TemplateError)
    assert said.removeprefix("t: ") in str(told.value)
    assert "\n" not in str(told.value)


def test_keys_that_do_not_go_together_are_named_with_their_mapping() -> None:
    class Interval(Schema):
        low: float
        high: float

        def check(self) -> None:
            if self.low > self.high:
                raise ValueError(f"expected low below high, found {self.low:g} and {self.high:g}")

    read = read_schema(Interval, YamlDocument("t", {"low": 1, "high": 2}), TemplateError)
    assert read.said() == {"low": 1.0, "high": 2.0}
    with pytest.raises(TemplateError, match="t: expected low below high, found 3 and 2"):
        read_schema(Interval, YamlDocument("t", {"low": 3, "high": 2}), TemplateError)
