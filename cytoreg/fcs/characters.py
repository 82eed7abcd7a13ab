"""The characters of TEXT: ASCII or UTF-8 by the standard (FCS 3.1, 3.2.2), and what files hold instead."""

from __future__ import annotations

import codecs
import re

from cytoreg.fcs.channel import Problem

__all__ = ["decode_text"]

_HIGH = re.compile(rb"[\x80-\xff]+")
_SHIFT_JIS_LEADS = frozenset(range(0x81, 0xA0))  # punctuation at best in Windows Latin-1, every kana in Shift-JIS


def decode_text(raw: bytes) -> tuple[str, list[Problem]]:
    """The segment as characters. Never fails: what cannot be told is read as Windows Latin-1, and said."""
    try:
        return raw.decode("utf-8"), []
    except UnicodeDecodeError:
        pass
    encoding, called = _likely(raw)
    problem = Problem("characters outside ASCII that are not UTF-8", "TEXT", f"read as {called}")
    return raw.decode(encoding, errors="windows-latin-1"), [problem]


def _as_latin(problem: UnicodeError) -> tuple[str, int]:
    """What cannot be decoded, byte by byte."""
    if not isinstance(problem, UnicodeDecodeError):
        raise problem
    return problem.object[problem.start : problem.end].decode("cp1252", errors="replace"), problem.end


codecs.register_error("windows-latin-1", _as_latin)


def _likely(raw: bytes) -> tuple[str, str]:
    """The encoding that fits what stands above ASCII, and its common name."""
    runs = [(found.start(), found.group()) for found in _HIGH.finditer(raw)]
    if _mostly_utf8(raw):
        return "utf-8", "UTF-8, and what is not as Windows Latin-1"
    leads = sum(run[0] in _SHIFT_JIS_LEADS for _, run in runs)
    if 2 * leads > len(runs) and _decodes(raw, "shift_jis"):
        return "shift_jis", "Shift-JIS"
    if all(len(run) % 2 == 0 for _, run in runs) and not _within_words(raw, runs) and _decodes(raw, "gb2312"):
        return "gb2312", "GB 2312"
    return "cp1252", "Windows Latin-1"


def _mostly_utf8(raw: bytes) -> bool:
    """Whether more characters are good UTF-8 of several bytes than are broken."""
    text = raw.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) > 2 * broken


def _within_words(raw: bytes, runs: list[tuple[int, bytes]]) -> bool:
    """Whether accented letters stand next to plain ones, as in European words, more often than not."""
    letters = sum(
        raw[at - 1 : at].isalpha() or raw[at + len(run) : at + len(run) + 1].isalpha() for at, run in runs
    )
    return 2 * letters > len(runs)


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
