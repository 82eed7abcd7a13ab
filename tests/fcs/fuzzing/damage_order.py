"""Damage to the order of things: segments that change places, files joined; and changes of order that do no harm."""

from __future__ import annotations

import itertools

import numpy as np

from .anatomy import HEADER_BYTES, Anatomy
from .compose import apply, composed, spliced
from .subject import Mutation, Subject


def swap_segments(subject: Subject) -> Mutation | None:
    """The bytes of two segments change places, the offsets do not know."""
    anatomy = subject.anatomy
    if anatomy is None or anatomy.data is None:
        return None
    ways = subject.pick(3)
    one, two = (
        [(0, HEADER_BYTES), anatomy.text, anatomy.data][ways],
        [anatomy.text, anatomy.data, (0, HEADER_BYTES)][ways],
    )
    (a, b), (c, d) = sorted((one, two))
    content = subject.content
    swapped = content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]
    return Mutation("", f"bytes {a} to {b} and {c} to {d} change places", swapped, ((a, b), (c, d)))


def concatenate(subject: Subject) -> Mutation:
    content = subject.content
    half = content[: subject.pick(len(content))]
    way = subject.pick(5)
    joined = [
        content * 2,
        content + half,
        half + content,
        content + subject.rng.bytes(50),
        b"\xef\xbb\xbf" + content,
    ][way]
    said = [
        "twice",
        "with its first half",
        "after its first half",
        "with 50 bytes more",
        "after a byte order mark",
    ]
    edited = ((len(half), len(half)),) if way == 2 else ()
    return Mutation("", f"the file {said[way]}", joined, edited)


def rearrange(subject: Subject) -> Mutation | None:
    """The same values in another legal file: order of keywords, case, delimiter, byte order, gaps."""
    anatomy = subject.anatomy
    if anatomy is None or anatomy.data is None:
        return None
    content, (begin, stop) = subject.content, anatomy.text
    way = subject.pick(6)
    if way == 0:
        edits = [(*pair.name_at, content[slice(*pair.name_at)].lower()) for pair in anatomy.pairs]
        return Mutation("", "keywords in small letters", apply(content, edits), harmless=True)
    if way == 1:
        free = [mark for mark in (b"|", b"!", b"\x0c", b"\x1e", b"~", b"*") if mark not in content[begin:stop]]
        if not free or anatomy.more:
            return None
        changed = content[begin:stop].replace(anatomy.delimiter, free[0])
        return Mutation("", f"delimiter {free[0]!r}", apply(content, [(begin, stop, changed)]), harmless=True)
    if way == 2:
        pieces = [content[pair.name_at[0] : pair.value_at[1] + 1] for pair in anatomy.pairs]
        if sum(map(len, pieces)) != stop - begin - 1 or len(set(anatomy.words)) != len(pieces) or anatomy.more:
            return None
        subject.rng.shuffle(pieces)
        changed = apply(content, [(begin + 1, stop, b"".join(pieces))])
        return Mutation("", "keywords in another order", changed, harmless=True)
    if way == 3:
        size = 1 + subject.pick(300)
        changed = spliced(anatomy, [(stop, stop, b" " * size)])
        return Mutation("", f"{size} blanks after TEXT", changed, harmless=True)
    return _byte_order(anatomy) if way == 4 else _order(subject, anatomy)


def _byte_order(anatomy: Anatomy) -> Mutation | None:
    """Each value and $BYTEORD the other way round."""
    order, bits = anatomy.pair("$BYTEORD"), [anatomy.words.get(f"$P{i + 1}B", "0") for i in range(10_000)]
    assert anatomy.data is not None
    sizes = [(int(width) + 7) // 8 for width in bits[: int(anatomy.words["$PAR"])] if width.isdigit()]
    if (
        order is None
        or sum(sizes) * 8 != anatomy.row_bits
        or order.value.split(",") not in (list("1234"), list("4321"))
    ):
        return None
    rows = np.frombuffer(anatomy.content[slice(*anatomy.data)], dtype=np.uint8).reshape(-1, sum(sizes))
    firsts = np.cumsum([0, *sizes])
    turned = np.hstack([rows[:, a:b][:, ::-1] for a, b in itertools.pairwise(firsts)])
    value = anatomy.content[slice(*order.value_at)]
    edits = [(*order.value_at, value.strip()[::-1].ljust(len(value))), (*anatomy.data, turned.tobytes())]
    return Mutation("", "byte order reversed, DATA too", apply(anatomy.content, edits), harmless=True)


def _order(subject: Subject, anatomy: Anatomy) -> Mutation | None:
    """Segments in another order, offsets right."""
    if anatomy.more or anatomy.pair("$BEGINDATA") is None or anatomy.words.get("$NEXTDATA", "0").strip("0"):
        return None
    assert anatomy.data is not None
    words = [
        (subject.content[slice(*pair.name_at)], subject.content[slice(*pair.value_at)]) for pair in anatomy.pairs
    ]
    made = composed(
        anatomy.content[:6],
        words,
        {"DATA": subject.content[slice(*anatomy.data)]},
        delimiter=anatomy.delimiter,
        order=("DATA", "TEXT"),
        gap=subject.pick(2) * 17,
    )
    return Mutation("", "DATA before TEXT", made, harmless=True)
