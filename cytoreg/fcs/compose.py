"""HEADER, TEXT and ANALYSIS laid around a DATA segment.

FCS 3.1 and 3.2, sections 3.1 (HEADER), 3.2 (TEXT), 3.4 (ANALYSIS) and 3.5 (CRC).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cytoreg.errors import FCSError

__all__ = ["LAYOUT_KEYWORDS", "enclose", "is_keyword"]

# What says where the segments are and how DATA is stored, and $UNICODE, which names a code page where TEXT
# written here is UTF-8. Whoever writes the bytes sets them, whatever is asked for.
OFFSET_KEYWORDS = (
    *("$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINSTEXT", "$ENDSTEXT", "$BEGINDATA", "$ENDDATA"),
    "$NEXTDATA",
)
LAYOUT_KEYWORDS = frozenset({*OFFSET_KEYWORDS, "$BYTEORD", "$DATATYPE", "$MODE", "$PAR", "$TOT", "$UNICODE"})

_TEXT_BEGIN = 58  # six offsets of 8 characters follow the 10 of the version (3.1)
_HEADER_LIMIT = 99_999_999  # what 8 characters hold
_NO_CRC = b"00000000"  # section 3.5: where no CRC was computed
# Usual ones first, then any other that neither stands in a word nor means something to a reader of numbers.
_DELIMITERS = "|/\\\f\x1e!~" + "".join(
    chr(code) for code in range(1, 127) if not chr(code).isalnum() and chr(code) not in "|/\\\f\x1e!~$,.+- "
)
_KEYWORD = re.compile(r"[!-~]([ -~]*[!-~])?")


def is_keyword(key: str) -> bool:
    """Whether a keyword may be written: printable ASCII (FCS 3.1, section 3.2.3), no space at either end.

    >>> is_keyword("$FIL"), is_keyword("CYTEK INFO"), is_keyword(""), is_keyword("$P\u00e9"), is_keyword(" A")
    (True, True, False, False, False)
    """
    return _KEYWORD.fullmatch(key) is not None


def enclose(
    version: str,
    text: Mapping[str, str],
    data_bytes: int,
    analysis: Mapping[str, str] | None = None,
    *,
    where: str,
) -> tuple[bytes, bytes]:
    """What comes before the `data_bytes` bytes of DATA (HEADER, TEXT) and after them (ANALYSIS, CRC).

    text: keywords in capitals; those of the offsets are set here, in their place where they stand in it (FCS 2.0
    has them in HEADER alone). Offsets past 99,999,999 are 0 in HEADER and stand in TEXT (3.1). An empty value
    is written as a space, since the standard has none (3.2.7). Raises FCSError for a keyword that cannot be
    written, and for segments that an FCS 2.0 file cannot hold.
    """
    words = _checked(text, where)
    notes = _checked(analysis or {}, where)
    delimiter = _delimiter([*words.items(), *notes.items()], where)
    tail = _segment(notes, delimiter) if notes else b""
    if version == "FCS2.0":
        words = {key: value for key, value in words.items() if key not in OFFSET_KEYWORDS or key == "$NEXTDATA"}
    data = behind = (0, -1)
    while True:  # an offset that gains a digit moves what follows; they only grow, so this ends
        offsets = {"$NEXTDATA": "0"} | (_offset_keywords(data, behind) if version != "FCS2.0" else {})
        segment = _segment(words | offsets, delimiter)
        begin = _TEXT_BEGIN + len(segment)
        now = (begin, begin + data_bytes - 1)
        after = (now[1] + 1, now[1] + len(tail)) if tail else (0, 0)
        if (now, after) == (data, behind):
            break
        data, behind = now, after
    if begin > _HEADER_LIMIT:
        raise FCSError(f"{where}: TEXT has {len(segment)} bytes, more than HEADER can point at")
    if version == "FCS2.0" and max(data[1], behind[1]) > _HEADER_LIMIT:
        raise FCSError(f"{where}: an FCS 2.0 file ends at byte 99,999,999, this one at {max(data[1], behind[1])}")
    fields = (_TEXT_BEGIN, begin - 1, *_in_header(data), *_in_header(behind))
    header = f"{version:<10}" + "".join(f"{field:>8d}" for field in fields)
    return header.encode("ascii") + segment, tail + (b"" if version == "FCS2.0" else _NO_CRC)


def _offset_keywords(data: tuple[int, int], analysis: tuple[int, int]) -> dict[str, str]:
    numbers = (*analysis, 0, 0, *data)
    return dict(zip(OFFSET_KEYWORDS, map(str, numbers), strict=False))


def _in_header(span: tuple[int, int]) -> tuple[int, int]:
    return span if span[1] <= _HEADER_LIMIT else (0, 0)


def _checked(text: Mapping[str, str], where: str) -> dict[str, str]:
    for key, value in text.items():
        if not is_keyword(key):
            raise FCSError(f"{where}: keyword {key[:40]!r} cannot be written: expected printable ASCII characters")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise FCSError(f"{where}: keyword {key}: {value[:40]!r} holds what UTF-8 cannot write") from None
    return {key: value or " " for key, value in text.items()}


def _delimiter(pairs: list[tuple[str, str]], where: str) -> str:
    """One that no key and no value holds; failing that, one that no key holds and no value begins or ends with.

    Values must not begin with a delimiter (section 3.2.7), and a key that holds one looks like two run together.
    """
    used = {character for pair in pairs for word in pair for character in word}
    within = {character for key, value in pairs for character in (*key, value[0], value[-1])}
    for taken in (used, within):
        for delimiter in _DELIMITERS:
            if delimiter not in taken:
                return delimiter
    raise FCSError(f"{where}: keywords and values begin or end with every character that could part them")


def _segment(text: Mapping[str, str], delimiter: str) -> bytes:
    parts = [delimiter]
    for key, value in text.items():
        parts += [key.replace(delimiter, delimiter * 2), delimiter]
        parts += [value.replace(delimiter, delimiter * 2), delimiter]
    return "".join(parts).encode("utf-8")
