"""Says what found no partner in a join, and the likely reason: spelling, a missing visit, a duplicate."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from cytoreg.clinical.tables import UNMATCHED_COLUMNS

__all__ = ["Mismatches", "nearest_spelling"]

NEAR = 0.6  # difflib's ratio from which two ids may be one id and a slip of the pen
LOOK_ALIKES = str.maketrans("oil", "011")
Key = tuple[str, str]  # subject_id, visit


@dataclass
class Mismatches:
    """Collects the lines of `unmatched` while a join is made."""

    lines: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(self, side: str, subject: str, visit: str, sample: str, reason: str) -> None:
        self.lines.append((side, subject, visit, sample, reason))

    def add_together(self, side: str, subject: str, found: Sequence[Key], reason: str) -> None:
        """One line for all (visit, sample) of a subject, each joined by `;`, the reason saying how many there are."""
        many = f" ({len(found)} {side if side in ('samples', 'visits') else 'rows'})" if len(found) > 1 else ""
        visits, samples = (";".join(part for part in parts if part) for parts in zip(*found, strict=True))
        self.add(side, subject, visits, samples, f"{reason}{many}")

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(self.lines, columns=list(UNMATCHED_COLUMNS), dtype=object)

    def drop_unknown(
        self, side: str, rows: pd.DataFrame, roster: Collection[str], partners: pd.DataFrame | None
    ) -> pd.DataFrame:
        """The rows whose subject is on the roster; a line for each subject that is not, with all its visits and samples.

        partners: the other side's rows; a subject there with the same visit still free is the likeliest slip.
        """
        known = set(roster)
        unknown = ~rows["subject_id"].isin(known)
        if unknown.any():
            mine = {_key(row) for row in rows.itertuples()}
            free: dict[str, list[str]] = {}
            if partners is not None:
                for row in partners.itertuples():
                    subject, visit = _key(row)
                    if (subject, visit) not in mine and subject in known:
                        free.setdefault(visit, []).append(subject)
                there = set(rows["subject_id"])
                free.setdefault("", []).extend(subject for subject in roster if subject not in there)
            spelt_alike = set(partners["subject_id"]) if partners is not None else set()
            same: dict[tuple[str, str], list[tuple[str, str]]] = {}  # subject, reason -> visits and samples
            for row in rows[unknown].itertuples():
                subject, visit = _key(row)
                near = (
                    None
                    if subject in spelt_alike
                    else nearest_spelling(subject, roster, [*free.get(visit, []), *free.get("", [])])
                )
                fallback = (
                    "subject is in no clinical table"
                    if side == "samples" and subject not in spelt_alike
                    else "subject is not in the subjects table"
                )
                reason = f"spelling? nearest is '{near}'" if near else fallback
                same.setdefault((subject, reason), []).append((visit, str(getattr(row, "sample_id", ""))))
            for (subject, reason), found in same.items():
                self.add_together(side, subject, found, reason)
        return rows[~unknown].reset_index(drop=True)

    def compare_visits(self, visits: pd.DataFrame, tubes: pd.DataFrame, *, listed_elsewhere: bool = False) -> None:
        """A line for each clinical visit that no sample has, and each sample visit that the clinic has not.

        A subject who is on one side only is one line. listed_elsewhere: `subjects_without` has it of subjects without a sample.
        """
        clinic = {_key(row) for row in visits.itertuples()}
        lab = {_key(row) for row in tubes.itertuples()}
        sampled, seen = {subject for subject, _ in lab}, {subject for subject, _ in clinic}
        alone: dict[str, list[Key]] = {}
        for subject, visit in dict.fromkeys(_key(row) for row in visits.itertuples()):
            if subject not in sampled:
                alone.setdefault(subject, []).append((visit, ""))
            elif (subject, visit) not in lab:
                near = _nearest_visit(visit, [v for s, v in lab - clinic if s == subject])
                reason = near or f"visit '{visit}' is in no sample of this subject"
                self.add("visits", subject, visit, "", reason)
        for subject, found in alone.items() if not listed_elsewhere else ():
            self.add_together("visits", subject, found, "subject has no sample")
        unseen: dict[str, list[Key]] = {}
        for row in tubes.itertuples():
            subject, visit = _key(row)
            if subject not in seen:
                unseen.setdefault(subject, []).append((visit, str(row.sample_id)))
            elif (subject, visit) not in clinic:
                near = _nearest_visit(visit, [v for s, v in clinic - lab if s == subject])
                reason = near or f"visit '{visit}' is in no clinical visit of this subject"
                self.add("samples", subject, visit, str(row.sample_id), reason)

        for subject, found in unseen.items():
            self.add_together("samples", subject, found, "subject has no clinical visit")

    def subjects_without(self, subjects: pd.DataFrame, tubes: pd.DataFrame, visits: pd.DataFrame | None) -> None:
        """A line for each subject of the roster who has no sample."""
        sampled = set(tubes["subject_id"])
        roster = set(subjects["subject_id"])
        strangers = [who for side, who, *_ in self.lines if side == "samples" and who and who not in roster]
        for subject in dict.fromkeys(subjects["subject_id"]):
            if subject not in sampled:
                near = nearest_spelling(str(subject), strangers, strangers)
                reason = (
                    f"subject has no sample; spelling? nearest is '{near}'" if near else "subject has no sample"
                )
                self.add("subjects", str(subject), "", "", reason)

    def subjects_unseen(self, subjects: pd.DataFrame, visits: pd.DataFrame) -> None:
        """A line for each subject of the roster who has no visit, in a study without samples."""
        seen = set(visits["subject_id"])
        for subject in dict.fromkeys(subjects["subject_id"]):
            if subject not in seen:
                self.add("subjects", str(subject), "", "", "subject has no clinical visit")


def nearest_spelling(word: str, known: Iterable[str], likely: Iterable[str]) -> str | None:
    """The id that a word was probably meant to be, or None.

    One that differs only in case, punctuation, leading zeros or letters that look like digits; else the nearest
    of the likely ones.

    >>> nearest_spelling("p-1", ["P01", "P02"], []), nearest_spelling("PO2", ["P01", "P02"], [])
    ('P01', 'P02')
    >>> nearest_spelling("Smth-1", ["P01", "Smith-1"], ["Smith-1"])
    'Smith-1'
    >>> nearest_spelling("P07", ["P01", "P02"], []) is None
    True
    """
    for candidate in known:
        if candidate != word and _plain(candidate) == _plain(word):
            return candidate
    others = [candidate for candidate in dict.fromkeys(likely) if candidate != word]
    near = difflib.get_close_matches(word, others, n=1, cutoff=NEAR)
    return near[0] if near else None


def _nearest_visit(visit: str, free: Iterable[str]) -> str | None:
    """The visit meant, among those still without a partner: the same numbers, and letters that are near."""
    numbers = [int(part) for part in re.findall(r"\d+", visit)]
    likely = [name for name in sorted(free) if [int(part) for part in re.findall(r"\d+", name)] == numbers]
    for name in likely:
        if _plain(name) == _plain(visit) or _letters(name)[:1] == _letters(visit)[:1] != "":
            return f"spelling? nearest is '{name}'"
    near = difflib.get_close_matches(visit, likely, n=1, cutoff=NEAR)
    return f"spelling? nearest is '{near[0]}'" if near else None


def _plain(word: str) -> str:
    """Case, punctuation, blanks and leading zeros taken off; the letters O, I and l read as 0 and 1."""
    parts = re.findall(r"[^\W\d_]+|\d+", word.casefold().translate(LOOK_ALIKES))
    return "".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)


def _letters(word: str) -> str:
    return "".join(re.findall(r"[^\W\d_]+", word.casefold()))


def _key(row: object) -> Key:
    return str(getattr(row, "subject_id", "")), str(getattr(row, "visit", ""))
