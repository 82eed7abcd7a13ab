"""What any reader could tell to be wrong with a file (FCS 2.0 to 3.2), and what a change of keywords may change.

Where a damaged file reads with other values and the reader says nothing, this decides: if the damage left a departure
from the standard that the original did not have, silence is a fault. If it made another legal file (a gain of 3
where 2 stood), no reader could have known.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np

from .anatomy import HEADER_BYTES, Anatomy, dissect, significance, stored_values, whole, widths

REQUIRED = ("$BYTEORD", "$DATATYPE", "$MODE", "$NEXTDATA", "$PAR")
REQUIRED_SINCE_3 = ("$TOT", "$BEGINDATA", "$ENDDATA", "$BEGINSTEXT", "$ENDSTEXT", "$BEGINANALYSIS", "$ENDANALYSIS")
BLANK = b" \x00\r\n\t"
CRC_BYTES = 8
MOST_DECADES = 10  # a detector of more than ten decades does not exist


Departure = tuple[str, str]  # what it is about: a keyword, TEXT, names, segments or values; and what is wrong


def departures(content: bytes) -> set[Departure]:
    """All that is wrong with the first data set of a file, in words that stay the same when segments move."""
    anatomy = dissect(content)
    if anatomy is None:
        return {("TEXT", "HEADER or TEXT make no sense")}
    return {*_of_text(anatomy), *_of_keywords(anatomy), *_of_segments(anatomy), *_of_values(anatomy)}


def _of_text(anatomy: Anatomy) -> Iterator[Departure]:
    begin, stop = anatomy.text
    text, mark = anatomy.content[begin:stop], anatomy.delimiter
    written = text.rstrip(BLANK.replace(mark, b""))
    if not written.endswith(mark):
        yield "TEXT", "TEXT does not end with its delimiter"
    if written[1:].removesuffix(mark).replace(mark * 2, b"..").count(mark) % 2 == 0:
        yield "TEXT", "TEXT ends with a keyword that has no value"
    values: dict[str, set[str]] = defaultdict(set)
    for pair in (*anatomy.pairs, *anatomy.more):
        values[pair.key].add(pair.value)
        if not pair.key:
            yield "TEXT", "a keyword without a name"
        elif pair.key.startswith("$") and not re.fullmatch(r"\$[A-Z0-9]{2,}", pair.key):
            yield "names", f"keyword {pair.key!r} is none of the standard"
        if not pair.value:
            yield pair.key, "has no value"
    yield from ((key, "stands twice with different values") for key, found in values.items() if len(found) > 1)


def _of_keywords(anatomy: Anatomy) -> Iterator[Departure]:
    words, modern = anatomy.words, anatomy.version != "FCS2.0"
    if anatomy.version not in ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"):
        yield "segments", f"version {anatomy.version!r}"
    yield from (
        (key, "is absent") for key in (*REQUIRED, *(REQUIRED_SINCE_3 if modern else ())) if key not in words
    )
    numbers = [key for key in (*REQUIRED_SINCE_3, "$NEXTDATA", "$PAR") if key in words]
    yield from ((key, f"is {words[key]!r}") for key in numbers if whole(words, key) is None)
    if words.get("$DATATYPE", "") not in ("I", "F", "D"):
        yield "$DATATYPE", f"is {words.get('$DATATYPE')!r}"
    if words.get("$MODE", "") != "L":
        yield "$MODE", f"is {words.get('$MODE')!r}"
    for width in set(widths(words) or []):
        if significance(words.get("$BYTEORD", ""), (width + 7) // 8) is None:
            yield "$BYTEORD", f"is {words.get('$BYTEORD')!r} for {width} bits"
    count = min(whole(words, "$PAR") or 0, 1000)
    for key in words:
        if (match := re.fullmatch(r"\$P(\d+)[BERN]", key)) and not 1 <= int(match[1]) <= count:
            yield "$PAR", f"is {count}, yet there is {key}"
    for i in range(1, count + 1):
        yield from _of_channel(words, i, modern)
    if "$TIMESTEP" in words and not _positive(words["$TIMESTEP"]):
        yield "$TIMESTEP", f"is {words['$TIMESTEP']!r}"


def _of_channel(words: Mapping[str, str], i: int, modern: bool) -> Iterator[Departure]:
    own, kind = f"$P{i}", words.get("$DATATYPE", "").upper()
    yield from (
        (own + letter, "is absent") for letter in ("BERN" if modern else "BER") if own + letter not in words
    )
    bits, top = whole(words, f"{own}B"), words.get(f"{own}R", "")
    if not bits or bits > 64 or (kind in "FD" and bits != {"F": 32, "D": 64}.get(kind)):
        yield f"{own}B", f"is {words.get(f'{own}B')!r} for type {kind}"
    if not _positive(top):
        yield f"{own}R", f"is {top!r}"
    elif kind == "I" and bits and (whole(words, f"{own}R") or math.inf) > 2**bits:
        yield f"{own}R", f"is {top!r}, no whole number that fits {bits} bits"
    # an offset of 0 on a logarithmic amplifier is a fault so common that the standard says how to read it: as 1
    parts = words.get(f"{own}E", "0,0").split(",")
    amplifier = [_number(part) for part in parts]
    if len(parts) != 2 or any(not math.isfinite(part) or part < 0 for part in amplifier):
        yield f"{own}E", f"is {parts}"
    elif (
        (amplifier[1] > 0 and not amplifier[0]) or amplifier[0] > MOST_DECADES or (kind != "I" and any(amplifier))
    ):
        yield f"{own}E", f"is {parts} for type {kind}"
    if f"{own}G" in words and not _positive(words[f"{own}G"]):
        yield f"{own}G", f"is {words[f'{own}G']!r}"


def _of_segments(anatomy: Anatomy) -> Iterator[Departure]:
    content, words, header = anatomy.content, anatomy.words, anatomy.header
    for field in range(6):
        raw = content[10 + 8 * field : 18 + 8 * field].strip(b" \x00")
        if raw and not raw.isdigit():
            yield "segments", f"HEADER offset {field} is {raw!r}"
    stated = [(whole(words, "$BEGINDATA") or 0, whole(words, "$ENDDATA") or 0), (header[2], header[3])]
    given = [(begin, end) for begin, end in stated if begin]
    if len(set(given)) > 1:
        (begin, end), (other_begin, other_end) = given
        yield "segments", f"DATA begins {other_begin - begin} and ends {other_end - end} later by HEADER"
    if not given and whole(words, "$TOT") != 0:
        yield "segments", "nothing says where DATA is"
    bits, total = widths(words), whole(words, "$TOT")
    for begin, end in given:
        size = end - begin + 1
        if bits and total is not None and size != -(-total * sum(bits) // 8):
            yield "segments", f"DATA has {size - total * sum(bits) / 8:g} bytes more than $TOT and $PnB ask"
        if begin < HEADER_BYTES or end >= len(content):
            yield "segments", f"DATA ends {end - len(content)} bytes behind the file"
        if begin <= header[1] and end >= header[0]:
            yield "segments", "DATA overlaps TEXT"
    data = [anatomy.data] if anatomy.data else [(begin, end + 1) for begin, end in given]
    spans = [(0, HEADER_BYTES), anatomy.text, *data]
    analysis = (whole(words, "$BEGINANALYSIS") or 0, whole(words, "$ENDANALYSIS") or 0)
    if analysis[0] and header[4] and analysis != header[4:6]:
        yield "segments", "ANALYSIS is elsewhere by HEADER"
    supplement = (whole(words, "$BEGINSTEXT") or 0, whole(words, "$ENDSTEXT") or 0)
    for name, (begin, end) in {"ANALYSIS": analysis if analysis[0] else header[4:6], "STEXT": supplement}.items():
        if not begin and not end:
            continue
        spans.append((begin, end + 1))
        if not HEADER_BYTES <= begin <= end < len(content):
            yield "TEXT" if name == "STEXT" else "segments", f"{name} is not in the file"
        elif name == "STEXT" and begin != header[0] and {content[begin], content[end]} != {anatomy.delimiter[0]}:
            yield "TEXT", "supplemental TEXT does not begin and end with the delimiter"
    following = whole(words, "$NEXTDATA") or 0
    if following and content[following : following + 3] != b"FCS":
        yield "segments", "$NEXTDATA is no data set"
    elif following:
        spans.append((following, len(content)))
    yield from _loose_bytes(content, spans)


def _loose_bytes(content: bytes, spans: list[tuple[int, int]]) -> Iterator[Departure]:
    """Bytes that no segment accounts for, but for blanks and the eight characters of a CRC at the end."""
    at = 0
    for begin, stop in sorted(spans):
        if content[at:begin].strip(BLANK):
            yield "segments", f"{begin - at} bytes between segments"
        at = max(at, stop)
    rest = content[at:].strip(BLANK)
    if rest and not (len(rest) == CRC_BYTES and rest.isalnum()):
        yield "segments", f"{len(rest)} bytes after the last segment"


def _of_values(anatomy: Anatomy) -> Iterator[Departure]:
    """Values that no instrument gives: their type or byte order is not what the file says."""
    words, header = anatomy.words, anatomy.header
    begin, stop = anatomy.data or (
        whole(words, "$BEGINDATA") or header[2],
        (whole(words, "$ENDDATA") or header[3]) + 1,
    )
    row_bits = anatomy.row_bits or sum(widths(words) or [])
    values = (
        stored_values(words, anatomy.content[begin:stop], row_bits, masked=False) if 0 < begin < stop else None
    )
    if values is None or not values.size:
        return
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            odd = ~np.isfinite(values) | (np.abs(values) > 1e20) | ((values != 0) & (np.abs(values) < 1e-20))
        share = odd.sum() / max(1, np.count_nonzero(values))
        if share > 0.3:  # reversed bytes give more than half; less may be local damage, which nobody looks for
            yield "values", f"{share:.1f} of the values are denormal, huge or not finite"
        return
    tops = np.array([_number(words.get(f"$P{i + 1}R", "nan")) for i in range(values.shape[1])])
    above = (values.astype(np.float64) > np.where(np.isfinite(tops), tops, np.inf)).mean(axis=0).max()
    if above > 0.3:
        yield "values", f"{above:.1f} of the values of a channel are above $PnR"


def _number(value: str) -> float:
    """A number in the notations of the standard; NaN for `nan`, `inf`, `1_000` and digits of other scripts."""
    return (
        float(value) if re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value, re.ASCII) else math.nan
    )


def _positive(value: str) -> bool:
    number = _number(value)
    return math.isfinite(number) and number > 0


def causes(before: Mapping[str, str], after: Mapping[str, str], channel: int, *, linear: bool) -> set[str]:
    """Keywords changed between two files that may change the values of a channel (from 0)."""
    own = f"$P{channel + 1}"
    meaning = {"$BYTEORD", "$DATATYPE", "$PAR", "$TOT", f"{own}R", f"{own}DATATYPE"}
    if linear:
        meaning |= {f"{own}E", f"{own}G", f"{own}N"}
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    return {key for key in changed if key in meaning or re.fullmatch(r"\$P\d+B", key)}
