"""Damage that knows nothing of keywords: bytes flipped, stretches put in, taken out and doubled, the end cut off."""

from __future__ import annotations

from .compose import Edit
from .subject import Mutation, Subject, edited


def _flips(subject: Subject, at: list[int]) -> Mutation:
    edits = [(i, i + 1, bytes([subject.content[i] ^ (1 + subject.pick(255))])) for i in sorted(set(at))]
    said = ", ".join(f"{i}: {subject.content[i : i + 1]!r} to {new!r}" for i, _, new in edits)
    return edited(f"bytes {said}", subject.content, edits)


def flip_anywhere(subject: Subject) -> Mutation:
    return _flips(subject, [subject.pick(len(subject.content)) for _ in range(1 + subject.pick(8))])


def flip_head(subject: Subject) -> Mutation:
    return _flips(subject, [subject.place() for _ in range(1 + subject.pick(3))])


def change_digit(subject: Subject) -> Mutation | None:
    head = subject.content[: subject.anatomy.text[1] if subject.anatomy else 4000]
    digits = [i for i in range(10, len(head)) if head[i : i + 1].isdigit()]
    if not digits:
        return None
    at = digits[subject.pick(len(digits))]
    other = b"%d" % subject.pick(10)
    return edited(f"digit at {at} becomes {other!r}", subject.content, [(at, at + 1, other)])


def insert(subject: Subject) -> Mutation:
    at, size = subject.place(), 1 + subject.pick(subject.pick(2) * 200 + 12)
    new = [subject.rng.bytes(size), bytes(size), b" " * size, b"/" * size][subject.pick(4)]
    return edited(f"{size} bytes {new[:12]!r} inserted at {at}", subject.content, [(at, at, new)])


def delete(subject: Subject) -> Mutation:
    at, size = subject.place(), 1 + subject.pick(subject.pick(2) * 400 + 12)
    return edited(
        f"{size} bytes deleted at {at}", subject.content, [(at, min(at + size, len(subject.content)), b"")]
    )


def double(subject: Subject) -> Mutation:
    at, size = subject.place(), 1 + subject.pick(subject.pick(2) * 400 + 12)
    stretch = subject.content[at : at + size]
    return edited(f"{size} bytes at {at} stand twice", subject.content, [(at, at, stretch)])


def truncate(subject: Subject) -> Mutation:
    at = subject.place() if subject.pick(2) else len(subject.content) - 1 - subject.pick(200)
    return edited(f"cut at {at}", subject.content, [(max(0, at), len(subject.content), b"")])


def several(subject: Subject) -> Mutation:
    """Two to four changes of bytes and lengths."""
    changes = (flip_head, flip_anywhere, insert, delete, double, change_digit)
    edits: list[Edit] = []
    said = []
    for _ in range(2 + subject.pick(3)):
        made = changes[subject.pick(len(changes))](subject)
        if made is None:
            continue
        for start, stop in made.edited:
            if all(stop < a or start > b for a, b, _ in edits):
                grown = len(made.content) - len(subject.content)
                edits.append((start, stop, made.content[start : stop + (grown if len(made.edited) == 1 else 0)]))
                said.append(made.description)
    return edited("; ".join(dict.fromkeys(said)), subject.content, edits)
