"""The TEXT segment: keyword and value pairs between delimiters (FCS 3.1, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem, named, quoted
from cytoreg.fcs.characters import decode_text

__all__ = ["number", "parse_text", "whole_number"]

MOST_FIELDS = 200_000  # a panel of 200 detectors has some 4,000; more is DATA taken for TEXT
_ESCAPES = tuple(map(chr, range(0xE000, 0xF900)))  # one that TEXT does not hold stands for a doubled delimiter


def parse_text(raw: bytes, where: str, segment: str = "TEXT") -> tuple[dict[str, str], list[Problem]]:
    """The keywords of a segment, their names in capitals, in the order of the file.

    A delimiter that is doubled belongs to the value (section 3.2.7). Files that leave values empty
    instead are read so where the doubled reading would run keywords together; that is reported.
    Raises FCSError where there are no pairs.
    """
    text, problems = decode_text(raw)
    delimiter, body = text[:1], text[1:]
    if not body or delimiter not in body:
        raise FCSError(
            f"{where}: {segment} holds no keywords: its first byte {delimiter!r} does not return as a delimiter"
        )
    if body.count(delimiter) > MOST_FIELDS:
        raise FCSError(f"{where}: {segment} has more than {MOST_FIELDS} fields: it does not hold keywords")
    if not delimiter.isascii() or delimiter.isalnum():
        problems.append(Problem(f"the delimiter is {delimiter!r}", segment, "it was used", affects_numbers=True))
    escape = next((character for character in _ESCAPES if character not in body), _ESCAPES[0])
    doubled = _fields(body.replace(delimiter * 2, escape).split(delimiter), delimiter, escape)
    chosen = doubled
    if delimiter * 2 in body:
        plain = _fields(body.split(delimiter), delimiter, escape)
        if _sense(plain, delimiter) > _sense(doubled, delimiter):
            chosen = plain
            problems.append(
                Problem("keywords without a value", segment, "a doubled delimiter was read as an empty value")
            )
    if not text.rstrip(" \x00\r\n\t".replace(delimiter, "")).endswith(delimiter):
        problems.append(
            Problem("the last value is not followed by a delimiter", segment, "it was read to the end", True)
        )
    if len(chosen) % 2:
        what = "the last keyword has no value"  # not named: a value may have slipped into its place
        problems.append(Problem(what, segment, "it was left out", affects_numbers=True))
    return _pairs(chosen, segment, problems), problems


def number(
    text: Mapping[str, str], key: str, where: str, *, default: float | None = None, required: bool = False
) -> float | None:
    """The finite number that a keyword holds, or `default` where it is absent, blank or not a number.

    Raises FCSError where `required` and there is none.
    """
    value = text.get(key, "").strip()
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if math.isfinite(found):
        return found
    if required:
        what = f"found {quoted(value)}" if key in text else "it is absent"
        raise FCSError(f"{where}: keyword {key}: expected a number, {what}")
    return default


def whole_number(text: Mapping[str, str], key: str) -> int | None:
    """The whole number, exact at any size, that a keyword holds; None where it holds none."""
    value = text.get(key, "").strip()
    if value.isascii() and value.lstrip("+-").isdecimal() and len(value) <= 20:
        try:
            return int(value)
        except ValueError:
            return None
    found = number(text, key, "")
    return int(found) if found is not None and found == int(found) and abs(found) < 2**63 else None


def _fields(parts: list[str], delimiter: str, escape: str) -> list[str]:
    """Names and values in turn; what padding there is after the last delimiter is left out."""
    parts[-1] = parts[-1].removesuffix(escape)  # a segment that ends with two delimiters: nothing follows them
    if not parts[-1].strip(" \x00\r\n\t"):
        parts.pop()
    return [part.replace(escape, delimiter) for part in parts]


def _pairs(fields: list[str], segment: str, problems: list[Problem]) -> dict[str, str]:
    """Keyword to value; where a keyword stands twice the first holds."""
    pairs: dict[str, str] = {}
    for key, value in zip(fields[0::2], fields[1::2], strict=False):
        name, said = key.strip().upper(), value.strip(" \x00")
        if name and pairs.setdefault(name, said) != said:
            what = f"{named(name)} stands twice"
            problems.append(Problem(what, segment, "the first was used", name.startswith("$")))
    return pairs


def _sense(fields: list[str], delimiter: str) -> tuple[int, int]:
    """How much sense a reading makes: standard keywords, and no two names run together by a delimiter."""
    keys = fields[0::2]
    run_together = sum(delimiter in key for key in keys)
    return sum(key.strip().startswith("$") and delimiter not in key for key in keys), -run_together
