"""FlowJo 9's boolean gates: `G0 & !(G1 | G2)` over a list of populations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cytoreg.gating.gates import All, Any_, Gate, Not

__all__ = ["parse_expression"]

_DEEPEST = 30


def parse_expression(text: str, parts: Sequence[Gate]) -> Gate:
    """The gate of an expression of `&`, `|`, `!` and brackets; `&` binds before `|`.

    parts: what G0, G1, ... stand for. Raises ValueError with a sentence for anything else.
    """
    words = re.findall(r"G\d+|[&|!()]|[^\s&|!()]+", text)
    gate, rest = _any(words, parts, 0)
    if rest:
        raise ValueError(f"the expression {text!r} goes on after its end")
    return gate


def _any(words: list[str], parts: Sequence[Gate], depth: int) -> tuple[Gate, list[str]]:
    gate, words = _all(words, parts, depth)
    found = [gate]
    while words and words[0] == "|":
        gate, words = _all(words[1:], parts, depth)
        found.append(gate)
    return (found[0] if len(found) == 1 else Any_(tuple(found))), words


def _all(words: list[str], parts: Sequence[Gate], depth: int) -> tuple[Gate, list[str]]:
    gate, words = _one(words, parts, depth)
    found = [gate]
    while words and words[0] == "&":
        gate, words = _one(words[1:], parts, depth)
        found.append(gate)
    return (found[0] if len(found) == 1 else All(tuple(found))), words


def _one(words: list[str], parts: Sequence[Gate], depth: int) -> tuple[Gate, list[str]]:
    if depth > _DEEPEST:
        raise ValueError(f"the expression nests more than {_DEEPEST} deep")
    word = words[0] if words else ""
    if word == "!":
        gate, rest = _one(words[1:], parts, depth + 1)
        return Not(gate), rest
    if word == "(":
        gate, rest = _any(words[1:], parts, depth + 1)
        if not rest or rest[0] != ")":
            raise ValueError("the expression lacks a closing bracket")
        return gate, rest[1:]
    if re.fullmatch(r"G\d+", word) and int(word[1:]) < len(parts):
        return parts[int(word[1:])], words[1:]
    raise ValueError(f"expected G0 to G{len(parts) - 1}, !, or ( in the expression, found {word or 'its end'!r}")
