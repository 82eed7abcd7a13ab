"""The TEXT segment: keyword and value pairs between delimiters (FCS 3.1, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem

__all__ = ["number", "parse_text"]

_ESCAPE = "\ue000"  # stands for a doubled delimiter while a segment is split


def parse_text(raw: bytes, where: str) -> tuple[dict[str, str], list[Problem]]:
    """The keywords of a TEXT segment, their names in capitals, in the order of the file.

    A delimiter that is doubled belongs to the value (section 3.2.7). Files that leave values empty
    instead are read so where the doubled reading would run keywords together; that is reported.
    Raises FCSError where there are no pairs.
    """
    text, problems = _decode(raw)
    delimiter, body = text[:1], text[1:]
    if not body or delimiter not in body:
        raise FCSError(
            f"{where}: TEXT holds no keywords: its first byte {delimiter!r} does not return as a delimiter"
        )
    doubled = _pairs(body.replace(delimiter * 2, _ESCAPE).split(delimiter), delimiter)
    chosen = doubled
    if delimiter * 2 in body:
        plain = _pairs(body.split(delimiter), delimiter)
        if _sense(plain, delimiter) > _sense(doubled, delimiter):
            chosen = plain
            problems.append(
                Problem("keywords without a value", "TEXT", "a doubled delimiter was read as an empty value")
            )
    return chosen, problems


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
        what = f"found {value!r}" if key in text else "it is absent"
        raise FCSError(f"{where}: keyword {key}: expected a number, {what}")
    return default


def _decode(raw: bytes) -> tuple[str, list[Problem]]:
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError:
        problem = Problem("characters outside ASCII that are not UTF-8", "TEXT", "read as Windows Latin-1")
        return raw.decode("cp1252", errors="replace"), [problem]


def _pairs(parts: list[str], delimiter: str) -> dict[str, str]:
    parts[-1] = parts[-1].removesuffix(_ESCAPE)  # a segment that ends with two delimiters: nothing follows them
    pairs: dict[str, str] = {}
    for key, value in zip(parts[0::2], parts[1::2], strict=False):
        name = key.replace(_ESCAPE, delimiter).strip().upper()
        if name:
            pairs.setdefault(name, value.replace(_ESCAPE, delimiter).strip(" \x00"))
    return pairs


def _sense(pairs: Mapping[str, str], delimiter: str) -> tuple[int, int]:
    """How much sense a reading makes: standard keywords, and no two names run together by a delimiter."""
    run_together = sum(delimiter in key for key in pairs)
    return sum(key.startswith("$") and delimiter not in key for key in pairs), -run_together
