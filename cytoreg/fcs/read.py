"""Open an FCS file: HEADER and TEXT are parsed, the first events looked at, DATA is left for when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem, named, quoted
from cytoreg.fcs.crc import DIGITS as CRC_DIGITS
from cytoreg.fcs.crc import crc_matches
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.header import HEADER_BYTES, Header, parse_header
from cytoreg.fcs.keywords import audit
from cytoreg.fcs.layout import find_layout
from cytoreg.fcs.parameters import find_channels
from cytoreg.fcs.plausible import look
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.spillover import find_spillover
from cytoreg.fcs.storage import Reader, Storage, open_storage
from cytoreg.fcs.text import parse_text, whole_number

__all__ = ["count_datasets", "read_fcs"]

MOST_DATASETS = 10_000
MOST_TEXT = 100_000_000  # bytes of a TEXT segment


def read_fcs(path: str | os.PathLike[str], *, dataset: int = 0, strict: bool = False) -> Sample:
    """Open a data set of an FCS 2.0 to 3.2 file.

    path: a file, also gzipped; a zip archive or a member of one (`archive.zip/tube.fcs`); or a URL that
    fsspec knows. dataset: which one, from 0, where a file holds several ($NEXTDATA). strict: raise on any
    departure from the standard instead of noting it in `sample.problems`, and check the CRC.
    Raises FCSError where the file is not FCS, is truncated, or cannot be read beyond doubt.
    """
    storage = open_storage(path)
    with storage.opened() as reader:
        found = _find(_File(storage, reader), dataset)
        problems = list(found.problems)
        channels, more = find_channels(found.text, found.header.version, storage.name)
        problems += more + audit(found.text, found.header.version, len(channels))
        layout, more = find_layout(found.text, found.header, channels, found.base, storage.reaches, storage.name)
        source = FileSource(storage, layout, channels)
        spillover, spilled = find_spillover(found.text, channels)
        problems += more + look(source, reader) + spilled

    def check_sum() -> bool | None:
        base = found.base
        last = max(layout.begin + layout.n_bytes, base + found.end)
        after = base + found.following if found.following else storage.end()
        stated = base + max(found.header.data[1], whole_number(found.text, "$ENDDATA") or 0) + 1
        return crc_matches(storage, base, (last, stated, after - CRC_DIGITS))

    sample = Sample(
        name=storage.name,
        version=found.header.version,
        n_events=layout.n_events,
        channels=channels,
        text=found.text,
        analysis=found.analysis,
        spillover=spillover,
        problems=problems,
        source=source,
        crc=check_sum,
    )
    if strict and problems:
        raise FCSError(f"{storage.name}: {problems[0]}")
    if strict and sample.crc_matches() is False:
        raise FCSError(f"{storage.name}: the CRC after the last segment is not that of the bytes before it")
    return sample


def count_datasets(path: str | os.PathLike[str]) -> int:
    """How many data sets a file holds. Raises FCSError where it is not FCS."""
    storage = open_storage(path)
    with storage.opened() as reader:
        file, base = _File(storage, reader), 0
        for n in range(1, MOST_DATASETS + 1):
            step = file.following(base, _primary(file, base)[1])
            if not step:
                return n
            base += step
    raise FCSError(f"{storage.name}: more than {MOST_DATASETS} data sets")


@dataclass(frozen=True)
class _File:
    """A storage that has been opened."""

    storage: Storage
    reader: Reader

    @property
    def name(self) -> str:
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


@dataclass(frozen=True)
class _Found:
    """A data set before its values: where its last segment but DATA ends and the next set begins, from its beginning."""

    base: int
    header: Header
    text: dict[str, str]
    analysis: dict[str, str]
    problems: list[Problem]
    end: int
    following: int


def _find(file: _File, dataset: int) -> _Found:
    """The keywords of a data set, found by going from one to the next."""
    base = 0
    for step in range(MOST_DATASETS):
        header, text, problems = _primary(file, base)
        following = file.following(base, text)
        if step == dataset:
            break
        if not following:
            raise FCSError(
                f"{file.name}: there is no data set {dataset}; the file holds {step + 1}, counted from 0"
            )
        base += following
    else:
        raise FCSError(f"{file.name}: more than {MOST_DATASETS} data sets")
    if following and dataset == 0:
        problems.append(Problem("the file holds further data sets", "$NEXTDATA", "the first was read"))
    elif not following and (said := text.get("$NEXTDATA", "").strip(" 0")):
        what = f"no data set begins at {quoted(said)}, where it points"
        problems.append(Problem(what, "$NEXTDATA", "the file was taken to end here"))
    ends = [header.text[1]]
    ends.append(_supplement(file, base, text, header, problems))
    analysis, end = _analysis(file, base, text, header, problems)
    return _Found(base, header, text, analysis, problems, max(*ends, end) + 1, following)


def _primary(file: _File, base: int) -> tuple[Header, dict[str, str], list[Problem]]:
    """HEADER and the primary TEXT of the data set that begins at `base`."""
    header, problems = parse_header(file.read(base, HEADER_BYTES), file.name)
    begin, end = header.text
    if end - begin > MOST_TEXT or not file.storage.reaches(base + end + 1):
        raise FCSError(f"{file.name}: the file is truncated: TEXT should end at byte {base + end}")
    text, found = parse_text(file.read(base + begin, end - begin + 1), file.name)
    return header, text, problems + found


def _supplement(file: _File, base: int, text: dict[str, str], header: Header, problems: list[Problem]) -> int:
    """Add the keywords of the supplemental TEXT segment, those of the primary one stay (3.2.6); its last byte."""
    begin, end = _stated(text, "STEXT", problems)
    if (begin, end) == (0, 0) or (begin, end) == header.text or begin == end + 1:
        return 0
    what = f"the supplemental TEXT segment, at {begin} to {end},"
    if _within_data(begin, end, header, text):
        problems.append(Problem(f"{what} lies within DATA", "$BEGINSTEXT", "it was left out"))
        return 0
    if not 0 < begin < end or end - begin > MOST_TEXT or not file.storage.reaches(base + end + 1):
        problems.append(Problem(f"{what} lies outside the file", "$BEGINSTEXT", "it was left out", True))
        return 0
    try:
        more, found = parse_text(_keywords_at(file, base + begin, end - begin + 1), file.name, "supplemental TEXT")
    except FCSError:
        problems.append(Problem(f"{what} holds no keywords", "$BEGINSTEXT", "it was left out"))
        return 0
    problems += found
    differing = [key for key, value in more.items() if text.setdefault(key, value) != value]
    if differing:
        what = f"{named(differing[0])} has another value there"
        problems.append(Problem(what, "supplemental TEXT", "the primary one was used"))
    return end


def _analysis(
    file: _File, base: int, text: Mapping[str, str], header: Header, problems: list[Problem]
) -> tuple[dict[str, str], int]:
    """The keywords of the ANALYSIS segment (3.4), and its last byte; no value of an event depends on them."""
    begin, end = header.analysis
    if not begin:
        begin, end = _stated(text, "ANALYSIS", problems)
    if (begin, end) == (0, 0) or begin == end + 1 or begin == end:
        return {}, 0
    what = f"the ANALYSIS segment, at {begin} to {end},"
    if not 0 < begin < end or end - begin > MOST_TEXT or not file.storage.reaches(base + end + 1):
        problems.append(Problem(f"{what} lies outside the file", "ANALYSIS", "it was left out"))
        return {}, 0
    try:
        found, noted = parse_text(_keywords_at(file, base + begin, end - begin + 1), file.name, "ANALYSIS")
    except FCSError:
        problems.append(Problem(f"{what} holds no keywords", "ANALYSIS", "it was left out"))
        return {}, 0
    problems += [Problem(note.what, "ANALYSIS", note.assumed) for note in noted]
    return found, end


def _stated(text: Mapping[str, str], segment: str, problems: list[Problem]) -> tuple[int, int]:
    """First and last byte of a segment as TEXT has them; 0 where it does not."""
    keys = (f"$BEGIN{segment}", f"$END{segment}")
    found = tuple(whole_number(text, key) for key in keys)
    for key, value in zip(keys, found, strict=True):
        if value is None and text.get(key, "").strip():
            problems.append(Problem(f"{key} is {quoted(text[key])}", "TEXT", "the segment was left out"))
    return (0, 0) if None in found else (found[0] or 0, found[1] or 0)


def _within_data(begin: int, end: int, header: Header, text: Mapping[str, str]) -> bool:
    """Whether bytes lie where HEADER or TEXT says that DATA is."""
    stated = (whole_number(text, "$BEGINDATA") or 0, whole_number(text, "$ENDDATA") or 0)
    return any(first > 0 and begin <= last and end >= first for first, last in (header.data, stated))


def _keywords_at(file: _File, begin: int, length: int) -> bytes:
    """A segment of keywords, nothing where it begins with a letter, a digit or no character at all."""
    raw = file.read(begin, length)
    return raw if raw[:1].isascii() and not raw[:1].isalnum() and raw[:1] != b"\x00" else b""
