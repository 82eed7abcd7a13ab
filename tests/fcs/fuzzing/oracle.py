"""What came of a damaged file: read as it was, read with problems reported, refused, or one of the failures."""

from __future__ import annotations

import re
import traceback
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cytoreg import FCSError, read_fcs

from .anatomy import dissect, stored_values
from .limits import TookTooLong, limited, most_bytes
from .mutations import Mutation
from .standard import Departure, causes, departures

Array = npt.NDArray[Any]

FINE = {
    "read": "reads without a word, and every value is as it was",
    "legal": "reads without a word, and values differ because the damage made another legal file",
    "reported": "reads, says what is wrong, and every value is as it was",
    "changed": "reads, says that numbers may be affected, and values differ",
    "refused": "FCSError of one line that names the file",
}
SPILLOVER_KEYS = ("$SPILLOVER", "SPILL", "SPILLOVER", "$COMP", "COMP")
LONGEST = 1000  # characters of a message: more is no line that a person reads


@dataclass(frozen=True)
class Reading:
    """What the reader gave: stored and linear values, and its problems with whether they affect numbers."""

    stored: Array
    linear: Array
    problems: tuple[tuple[str, bool], ...]
    spillover: Array | None


@dataclass(frozen=True)
class Verdict:
    """outcome: one of FINE, or a failure. detail: what was seen. place: the line of the reader, of an exception."""

    name: str
    seed: int
    kind: str
    outcome: str
    detail: str = ""
    place: str = ""

    @property
    def failed(self) -> bool:
        """Whether this must not happen."""
        return self.outcome not in FINE


class Failure(Exception):
    """The reader did what it must not do; outcome and detail."""


@dataclass(frozen=True)
class Original:
    """The file before damage, and what the reader makes of it; reading is None where it is refused."""

    name: str
    content: bytes
    reading: Reading | None
    refusal: str = ""

    @cached_property
    def departures(self) -> set[Departure]:
        """What is wrong with the file already."""
        return departures(self.content)

    @cached_property
    def words(self) -> dict[str, str]:
        """Its keywords."""
        return _words(self.content)


def original(name: str, content: bytes, folder: Path) -> Original:
    """Read a file before it is damaged, and hold its stored values against those that `anatomy` finds.

    Raises Failure where they differ.
    """
    path = folder / "original.fcs"
    path.write_bytes(content)
    try:
        reading = _read(path)
    except FCSError as problem:
        return Original(name, content, None, str(problem))
    anatomy = dissect(content)
    if anatomy is not None and anatomy.data is not None:
        own = stored_values(anatomy.words, content[slice(*anatomy.data)], anatomy.row_bits)
        if own is not None and not np.array_equal(own, reading.stored, equal_nan=reading.stored.dtype.kind == "f"):
            raise Failure("original", f"{name}: the reader's stored values are not those in the bytes")
    return Original(name, content, reading)


def judge(before: Original, mutation: Mutation, seed: int, folder: Path) -> Verdict:
    """Write the damaged file, read it within the limits, and say what came of it."""
    path = folder / f"damaged{mutation.suffix}"
    path.write_bytes(mutation.content)
    place = ""
    try:
        outcome, detail = _outcome(before, mutation, path)
    except Failure as failure:
        outcome, detail = failure.args
    except TookTooLong as problem:
        outcome, detail, place = "slow", "more than five seconds", _place(problem)
    except Exception as problem:
        outcome, detail, place = "exception", f"{type(problem).__name__}: {str(problem)[:200]}", _place(problem)
    return Verdict(before.name, seed, mutation.kind, outcome, detail, place)


def _outcome(before: Original, mutation: Mutation, path: Path) -> tuple[str, str]:
    size = max(len(mutation.content), len(before.content))
    try:
        reading, peak = limited(lambda: _read(path), size)
    except FCSError as refusal:
        _readable(str(refusal), "refusal")
        if path.name not in str(refusal):
            raise Failure("refused badly", f"the message does not name the file: {refusal}") from None
        if mutation.harmless and before.reading is not None:
            raise Failure("legal file refused", str(refusal)) from None
        return "refused", str(refusal)
    if peak > most_bytes(size):
        raise Failure("memory", f"{peak / 1e6:.0f} MB for a file of {size / 1e6:.2f} MB")
    for problem, _ in reading.problems:
        _readable(problem, "problem")
    if before.reading is None:
        return "reported" if reading.problems else "read", ""
    return _compare(before, before.reading, mutation, reading)


def _compare(before: Original, was: Reading, mutation: Mutation, now: Reading) -> tuple[str, str]:
    """Values where the damage did not touch them; silence is a fault where any reader could tell."""
    known = {problem for problem, _ in was.problems}
    new = [(problem, affects) for problem, affects in now.problems if problem not in known]
    differing = _differing(before, was, mutation, now)
    if mutation.harmless:
        if differing:
            raise Failure("legal file read wrongly", f"{_said(differing)} differ; {new}")
        if any(affects for _, affects in new) and not before.departures:
            raise Failure("false alarm", str(new))
        return "read", ""
    if not differing:
        _same_spillover(before, was, mutation, now, bool(new))
        return ("reported" if new else "read"), ""
    if any(affects for _, affects in new):
        return "changed", str(new)
    why = _causes(before, mutation, differing)
    left = departures(mutation.content) - before.departures
    about = {"TEXT", *why}
    if differing.keys() != {"linear"}:
        about |= {"segments", "values"}
    if not new:
        about.add("names")  # makers add keywords with $ of their own; to say so is enough
    unsaid = [f"{key} {what}" for key, what in sorted(left) if key in about]
    if unsaid:
        said = f", said to affect no number: {[problem for problem, _ in new]}" if new else ""
        raise Failure(
            "effect not said" if new else "silent", f"{'; '.join(unsaid[:4])}: {_said(differing)} differ{said}"
        )
    if _pushed(before, mutation):
        return "legal", "bytes of DATA pushed into the blanks that follow"
    for key, channels in differing.items():
        for channel in channels:
            if not causes(before.words, _words(mutation.content), channel, linear=key == "linear"):
                raise Failure("silent", f"{key} values of channel {channel} differ, and no keyword of it does")
    if not why:
        raise Failure("silent", f"{_said(differing)} differ, and nothing is wrong with the file")
    return "legal", ", ".join(
        f"{key} from {was[:20]!r} to {now[:20]!r}" for key, (was, now) in sorted(why.items())
    )


def _words(content: bytes) -> dict[str, str]:
    anatomy = dissect(content)
    return anatomy.words if anatomy else {}


def _causes(before: Original, mutation: Mutation, differing: dict[str, list[int]]) -> dict[str, tuple[str, str]]:
    """The keywords, before and after, that may have changed the values."""
    after = _words(mutation.content)
    found: set[str] = set()
    for what, channels in differing.items():
        for channel in channels or [0]:
            found |= causes(before.words, after, channel, linear=what == "linear")
    return {key: (before.words.get(key, ""), after.get(key, "")) for key in found}


def _differing(before: Original, was: Reading, mutation: Mutation, now: Reading) -> dict[str, list[int]]:
    """Channels (from 0) of which a value differs in an event that the damage left alone; all where shapes differ."""
    if was.stored.shape != now.stored.shape:
        return {f"{was.stored.shape} events and channels became {now.stored.shape}": []}
    kept = ~_rows(before, mutation)
    found = {}
    for what, old, new in (("stored", was.stored, now.stored), ("linear", was.linear, now.linear)):
        old, new = old[kept], new[kept]
        with np.errstate(invalid="ignore"):
            same = ((old == new) | ((old != old) & (new != new))).all(axis=0)
        if not same.all():
            found[what] = np.flatnonzero(~same).tolist()
    return found


def _rows(before: Original, mutation: Mutation) -> npt.NDArray[np.bool_]:
    """Events of the original that the damage touched."""
    anatomy, n_events = dissect(before.content), len(before.reading.stored) if before.reading else 0
    if anatomy is None or anatomy.n_events != n_events:
        return np.zeros(n_events, dtype=bool)
    return anatomy.rows_of(mutation.edited)


def _pushed(before: Original, mutation: Mutation) -> bool:
    """Whether other bytes than the original's lie where the damaged file says that DATA is, as many in number."""
    was, now = dissect(before.content), dissect(mutation.content)
    if was is None or now is None or was.data is None or now.data is None:
        return False
    same = was.content[slice(*was.data)] == now.content[slice(*now.data)]
    return not same and len(was.content) != len(now.content)


def _said(differing: dict[str, list[int]]) -> str:
    return " and ".join(
        f"{what} values of {len(channels)} channels" if channels else what for what, channels in differing.items()
    )


def _same_spillover(before: Original, was: Reading, mutation: Mutation, now: Reading, told: bool) -> None:
    """A matrix may change with its keyword, not vanish or change beside it. Raises Failure."""
    if told or was.spillover is None:
        return
    after = _words(mutation.content)
    stated = [after.get(key, "").strip(", 0") for key in SPILLOVER_KEYS]
    changed = [key for key in {*before.words, *after} if before.words.get(key) != after.get(key)]
    if now.spillover is None:
        if any(stated):
            raise Failure("spillover lost", "the matrix is gone, its keyword is not, and no problem says so")
        return
    explained = any(key in SPILLOVER_KEYS or re.fullmatch(r"\$PAR|\$P\d+[NS]", key) for key in changed)
    if not explained and not np.array_equal(was.spillover, now.spillover):
        raise Failure("spillover changed", "the matrix differs, its keyword does not")


def _read(path: Path) -> Reading:
    """All that is asked of a reader: values in every way, the words, the second data set, strict reading."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a damaged amplifier may overflow
        sample = read_fcs(path)
        stored = sample.to_numpy(raw=True)
        linear = sample.to_numpy()
        shape = (sample.n_events, len(sample.channels))
        if stored.shape != shape or linear.shape != shape or linear.dtype not in (np.float32, np.float64):
            raise Failure("inconsistent", f"{shape}, {stored.shape} stored, {linear.shape} {linear.dtype} linear")
        last = len(sample.channels) - 1
        column = sample[last]
        if not np.array_equal(column, linear[:, last].astype(column.dtype), equal_nan=True):
            raise Failure("inconsistent", f"channel {last} alone differs from the same channel of all")
        some = np.arange(0, sample.n_events, 7)
        if not np.array_equal(sample[last, some], column[some], equal_nan=True):
            raise Failure("inconsistent", f"channel {last} of some events differs from the same of all")
        _readable(repr(sample), "repr")
        problems = tuple((str(problem), problem.affects_numbers) for problem in sample.problems)
        spillover = None if sample.spillover is None else sample.spillover.matrix
        departures = [str(problem) for problem in sample.problems if problem.is_departure]
        for options in ({"strict": True}, {"dataset": 1}):
            try:
                other = read_fcs(path, **options)
                repr(other)
            except FCSError as refusal:
                if options.get("strict") and not departures:
                    raise Failure(
                        "inconsistent", f"strict reading refuses what has no problem: {refusal}"
                    ) from None
            else:
                if options.get("strict") and departures:
                    raise Failure(
                        "inconsistent", f"strict reading takes what departs from the standard: {departures[0]}"
                    )
    return Reading(stored, linear, problems, spillover)


def _readable(message: str, what: str) -> None:
    """One line that may go to a terminal. Raises Failure."""
    if not message.isprintable() or len(message) > LONGEST:
        raise Failure(f"unreadable {what}", f"{len(message)} characters: {message[:200]!r}")


def _place(problem: BaseException) -> str:
    """The innermost line of cytoreg in a traceback."""
    frames = [
        frame for frame in traceback.extract_tb(problem.__traceback__) if "cytoreg" in Path(frame.filename).parts
    ]
    ours = [frame for frame in frames if "fuzzing" not in Path(frame.filename).parts]
    if not ours:
        return "not in the reader"
    return f"{'/'.join(Path(ours[-1].filename).parts[-2:])}:{ours[-1].lineno} {ours[-1].name}"
