"""Open an FCS file: HEADER and TEXT are parsed, the first events looked at, DATA is left for when it is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cytoreg.errors import FCSError
from cytoreg.fcs.channel import Problem, quoted
from cytoreg.fcs.crc import DIGITS as CRC_DIGITS
from cytoreg.fcs.crc import crc_matches
from cytoreg.fcs.data import FileSource
from cytoreg.fcs.header import Header
from cytoreg.fcs.keywords import audit
from cytoreg.fcs.layout import find_layout
from cytoreg.fcs.parameters import find_channels
from cytoreg.fcs.plausible import look
from cytoreg.fcs.sample import Sample
from cytoreg.fcs.segments import OpenFile, Span, loose_bytes, read_analysis, read_primary, read_supplement
from cytoreg.fcs.spillover import find_spillover
from cytoreg.fcs.storage import open_storage
from cytoreg.fcs.text import whole_number

__all__ = ["count_datasets", "read_fcs"]

MOST_DATASETS = 10_000


def read_fcs(path: str | os.PathLike[str], *, dataset: int = 0, strict: bool = False) -> Sample:
    """Open a data set of an FCS 2.0 to 3.2 file.

    path: a file, also gzipped; a zip archive or a member of one (`archive.zip/tube.fcs`); or a URL that
    fsspec knows. dataset: which one, from 0, where a file holds several ($NEXTDATA). strict: raise on any
    departure from the standard instead of noting it in `sample.problems`, and check the CRC.
    Raises FCSError where the file is not FCS, is truncated, or cannot be read beyond doubt.
    """
    storage = open_storage(path)
    with storage.opened() as reader:
        found = _find(OpenFile(storage, reader), dataset)
        problems = list(found.problems)
        channels, more = find_channels(found.text, found.header.version, storage.name)
        problems += more + audit(found.text, found.header.version, len(channels))
        layout, more = find_layout(found.text, found.header, channels, found.base, storage.reaches, storage.name)
        source = FileSource(storage, layout, channels)
        spillover, spilled = find_spillover(found.text, channels)
        problems += more + look(source, reader) + spilled
        data = (layout.begin - found.base, layout.end_of(layout.n_events) - found.base - 1)
        until = found.base + found.following if found.following else storage.end()
        problems += loose_bytes(
            OpenFile(storage, reader), found.base, (*found.spans, data), until, is_last=not found.following
        )

    def check_sum() -> bool | None:
        last = found.base + max(end for _, end in (*found.spans, data)) + 1
        after = found.base + found.following if found.following else storage.end()
        stated = found.base + max(found.header.data[1], whole_number(found.text, "$ENDDATA") or 0) + 1
        return crc_matches(storage, found.base, (last, stated, after - CRC_DIGITS))

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
    departures = [problem for problem in problems if problem.is_departure]
    if strict and departures:
        raise FCSError(f"{storage.name}: {departures[0]}")
    if strict and sample.crc_matches() is False:
        raise FCSError(f"{storage.name}: the CRC after the last segment is not that of the bytes before it")
    return sample


def count_datasets(path: str | os.PathLike[str]) -> int:
    """How many data sets a file holds. Raises FCSError where it is not FCS."""
    storage = open_storage(path)
    with storage.opened() as reader:
        file, base = OpenFile(storage, reader), 0
        for n in range(1, MOST_DATASETS + 1):
            step = file.following(base, read_primary(file, base)[1])
            if not step:
                return n
            base += step
    raise FCSError(f"{storage.name}: more than {MOST_DATASETS} data sets")


@dataclass(frozen=True)
class _Found:
    """A data set before its values. spans: of its segments but DATA. following: how far the next set is, 0 for none."""

    base: int
    header: Header
    text: dict[str, str]
    analysis: dict[str, str]
    problems: list[Problem]
    spans: tuple[Span, ...]
    following: int


def _find(file: OpenFile, dataset: int) -> _Found:
    """The keywords of a data set, found by going from one to the next."""
    base = 0
    for step in range(MOST_DATASETS):
        header, text, problems = read_primary(file, base)
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
        what = "the file holds further data sets"
        problems.append(Problem(what, "$NEXTDATA", "the first was read", is_departure=False))
    elif not following and (said := text.get("$NEXTDATA", "").strip(" 0")):
        what = f"no data set begins at {quoted(said)}, where it points"
        problems.append(Problem(what, "$NEXTDATA", "the file was taken to end here", affects_numbers=True))
    supplement = read_supplement(file, base, text, header, problems)
    analysis, span = read_analysis(file, base, text, header, problems)
    spans = tuple(span for span in (header.text, supplement, span, *header.others) if span is not None)
    return _Found(base, header, text, analysis, problems, spans, following)
