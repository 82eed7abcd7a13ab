"""The segments of a data set but DATA: HEADER, TEXT primary and supplemental, ANALYSIS, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem, named, quoted
from cytoreg.fcs.header import HEADER_BYTES, MOST_HEADER_BYTES, Header, parse_header
from cytoreg.fcs.storage import Reader, Storage
from cytoreg.fcs.text import parse_text, whole_number

__all__ = ["OpenFile", "Span", "loose_bytes", "read_analysis", "read_primary", "read_supplement"]

MOST_TEXT = 100_000_000  # bytes of a segment of keywords
LOOKED_AT = 1 << 16  # bytes of a gap
BLANK = b" \x00\r\n\t"
CRC_DIGITS = 8
Span = tuple[int, int]  # first and last byte, from the beginning of the data set


@dataclass(frozen=True)
class OpenFile:
    """A storage that has been opened."""

    storage: Storage
    reader: Reader

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.storage.name

    def read(self, begin: int, length: int) -> bytes:
        """So many bytes, or as many as there are."""
        buffer = bytearray(length)
        return bytes(buffer[: self.reader.fill(begin, memoryview(buffer))])

    def following(self, base: int, text: Mapping[str, str]) -> int:
        """How far the next data set is from the one at `base`; 0 where there is none."""
        step = whole_number(text, "$NEXTDATA") or 0
        there = step > 0 and self.storage.reaches(base + step + HEADER_BYTES)
        return step if there and self.read(base + step, 3) == b"FCS" else 0


def read_primary(file: OpenFile, base: int) -> tuple[Header, dict[str, str], list[Problem]]:
    """HEADER and the primary TEXT of the data set that begins at `base`. Raises FCSError where they are not there."""
    header, problems = parse_header(file.read(base, MOST_HEADER_BYTES), file.name)
    begin, end = header.text
    if end - begin > MOST_TEXT or not file.storage.reaches(base + end + 1):
        raise FCSError(f"{file.name}: the file is truncated: TEXT should end at byte {base + end}")
    text, found = parse_text(file.read(base + begin, end - begin + 1), file.name)
    return header, text, problems + found


def read_supplement(
    file: OpenFile, base: int, text: dict[str, str], header: Header, problems: list[Problem]
) -> Span | None:
    """Add the keywords of the supplemental TEXT segment, those of the primary one stay (3.2.6)."""
    begin, end = _stated(text, "STEXT", problems, affects_numbers=True)
    if (begin, end) == (0, 0) or (begin, end) == header.text or begin == end + 1:
        return None
    what, key = f"the supplemental TEXT segment, at {begin} to {end},", "$BEGINSTEXT"
    if begin == header.text[0]:
        problems.append(Problem(f"{what} begins as the primary one does", key, "it was left out"))
        return None
    if _within_data(begin, end, header, text):
        problems.append(Problem(f"{what} lies within DATA", key, "it was left out", affects_numbers=True))
        return None
    if not _is_there(file, base, begin, end):
        problems.append(Problem(f"{what} lies outside the file", key, "it was left out", affects_numbers=True))
        return None
    raw = file.read(base + begin, end - begin + 1)
    try:
        more, found = parse_text(_keywords(raw), file.name, "supplemental TEXT")
    except FCSError:
        archive = raw.startswith(b"PK")  # some makers keep an archive of their own there
        problems.append(Problem(f"{what} holds no keywords", key, "it was left out", affects_numbers=not archive))
        return begin, end
    problems += found
    differing = [key for key, value in more.items() if text.setdefault(key, value) != value]
    if differing:
        what = f"{named(differing[0])} has another value there"
        problems.append(Problem(what, "supplemental TEXT", "the primary one was used"))
    return begin, end


def read_analysis(
    file: OpenFile, base: int, text: Mapping[str, str], header: Header, problems: list[Problem]
) -> tuple[dict[str, str], Span | None]:
    """The keywords of the ANALYSIS segment (3.4); no value of an event depends on them."""
    begin, end = header.analysis
    if not begin:
        begin, end = _stated(text, "ANALYSIS", problems)
    if (begin, end) == (0, 0) or begin in (end, end + 1):
        return {}, None
    what = f"the ANALYSIS segment, at {begin} to {end},"
    if not _is_there(file, base, begin, end):
        problems.append(Problem(f"{what} lies outside the file", "ANALYSIS", "it was left out"))
        return {}, None
    try:
        found, noted = parse_text(_keywords(file.read(base + begin, end - begin + 1)), file.name, "ANALYSIS")
    except FCSError:
        problems.append(Problem(f"{what} holds no keywords", "ANALYSIS", "it was left out"))
        return {}, (begin, end)
    problems += [Problem(note.what, "ANALYSIS", note.assumed) for note in noted]
    return found, (begin, end)


def loose_bytes(file: OpenFile, base: int, spans: Sequence[Span], until: int, *, is_last: bool) -> list[Problem]:
    """What stands between the segments or after the last, where nothing should but blanks and a CRC.

    spans: of all segments. until: where the data set ends. is_last: whether it is the file's last one. Bytes
    that were inserted or are missing somewhere before show so: the events behind them are then not where they
    are read. Where another data set begins just where $NEXTDATA says, nothing has been moved.
    """
    problems = []
    end = HEADER_BYTES
    for begin, last in sorted(span for span in spans if span[1] > 0):
        gap = begin - end if end > HEADER_BYTES else 0  # before the first segment HEADER goes on
        if gap > 0 and file.read(base + end, min(gap, LOOKED_AT)).strip(BLANK):
            what = f"bytes that belong to no segment, from {end} on"
            problems.append(Problem(what, "between segments", "they were left out", affects_numbers=True))
        end = max(end, last + 1)
    after = file.read(base + end, max(0, min(until - base - end, LOOKED_AT))).strip(BLANK)
    if after and not (len(after) == CRC_DIGITS and after.isalnum()):
        what = f"bytes that belong to no segment, from {end} on"
        problems.append(Problem(what, "after the last segment", "they were left out", affects_numbers=is_last))
    return problems


def _is_there(file: OpenFile, base: int, begin: int, end: int) -> bool:
    return 0 < begin < end and end - begin <= MOST_TEXT and file.storage.reaches(base + end + 1)


def _stated(
    text: Mapping[str, str], segment: str, problems: list[Problem], *, affects_numbers: bool = False
) -> Span:
    """First and last byte of a segment as TEXT has them; 0 where it does not."""
    keys = (f"$BEGIN{segment}", f"$END{segment}")
    found = tuple(whole_number(text, key) for key in keys)
    for key, value in zip(keys, found, strict=True):
        if value is None and text.get(key, "").strip():
            what = f"{key} is {quoted(text[key])}"
            problems.append(Problem(what, "TEXT", "the segment was left out", affects_numbers))
    return (0, 0) if None in found else (found[0] or 0, found[1] or 0)


def _within_data(begin: int, end: int, header: Header, text: Mapping[str, str]) -> bool:
    """Whether bytes lie where HEADER or TEXT says that DATA is."""
    stated = (whole_number(text, "$BEGINDATA") or 0, whole_number(text, "$ENDDATA") or 0)
    return any(first > 0 and begin <= last and end >= first for first, last in (header.data, stated))


def _keywords(raw: bytes) -> bytes:
    """A segment of keywords; nothing where it begins with a letter, a digit or no character at all."""
    return raw if raw[:1].isascii() and not raw[:1].isalnum() and raw[:1] != b"\x00" else b""
