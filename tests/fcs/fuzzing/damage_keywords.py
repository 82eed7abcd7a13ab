"""Damage to offsets, values and names of keywords; what lies behind them moves along, or does not."""

from __future__ import annotations

from .anatomy import OFFSET_KEYS, Pair
from .compose import Edit, spliced
from .subject import Mutation, Subject, edited

WORDS: tuple[bytes, ...] = (
    *(
        b"",
        b"nan",
        b"inf",
        b"-inf",
        b"-1",
        b"0",
        b"1",
        b"1e300",
        b"1e-300",
        b"99999999999999999999",
        b"2147483648",
    ),
    *(b"0x10", b"1_000", b"1,2", b"+5", b"1.5", b"\x00", b"\xe9\xb5", "µ½２".encode(), b"\xff\xfe", b"A" * 20_000),
    *(b"%s%d\n", b"1e5", b"16", b"64", b"F", b"I", b"D", b"4,1", b"4,3,2,1", b"1,2,3,4", b"3,4,1,2", b"0,0"),
)
NUMBERS = (0, 1, 2, 57, 58, -1, 99_999_999, 2**31 - 1, 2**31, 2**32, 2**63, 10**19)


def _offset(subject: Subject, now: int) -> int:
    """Another value for an offset: next to it, an odd number, or where another segment begins or ends."""
    others = [*subject.anatomy.header, len(subject.content)] if subject.anatomy else [len(subject.content)]
    near = [now + 1, now - 1, now + 2, now - 2, now + 4, now - 4, now + 100, now * 2, now + 1000]
    choices = [near, list(NUMBERS), others, [subject.pick(len(subject.content))]][subject.pick(4)]
    return choices[subject.pick(len(choices))]


def header_offset(subject: Subject) -> Mutation:
    edits: list[Edit] = []
    for field in {subject.pick(6) for _ in range(1 + subject.pick(2))}:
        now = subject.anatomy.header[field] if subject.anatomy else 0
        words = [
            b"%8d" % _offset(subject, now),
            b"%08d" % _offset(subject, now),
            b"        ",
            b"abcdefgh",
            b"1e5     ",
        ]
        edits.append((10 + 8 * field, 18 + 8 * field, words[min(subject.pick(12) // 3, 4)][:8].ljust(8)))
    said = ", ".join(f"field {(start - 10) // 8} is {new!r}" for start, _, new in sorted(edits))
    return edited(f"HEADER {said}", subject.content, edits)


def _with_value(subject: Subject, changes: list[tuple[Pair, bytes]]) -> Mutation:
    """Values of keywords replaced: offsets moved along, or values fitted in place, or neither."""
    said = ", ".join(f"{pair.key} from {pair.value[:40]!r} to {new[:40]!r}" for pair, new in changes)
    fits = all(len(new) <= pair.value_at[1] - pair.value_at[0] for pair, new in changes)
    way = subject.pick(20)
    if way < 6 and fits:
        edits = [(*pair.value_at, new.ljust(pair.value_at[1] - pair.value_at[0])) for pair, new in changes]
        return edited(f"{said}, in place", subject.content, edits)
    edits = [(*pair.value_at, new) for pair, new in changes]
    if way < 17 and subject.anatomy is not None:
        return Mutation("", f"{said}, offsets adapted", spliced(subject.anatomy, edits))
    return edited(f"{said}, offsets as they were", subject.content, edits)


def offset_keyword(subject: Subject) -> Mutation | None:
    pairs = [pair for key in OFFSET_KEYS if subject.anatomy and (pair := subject.anatomy.pair(key))]
    if not pairs:
        return None
    pair = pairs[subject.pick(len(pairs))]
    now = int(pair.value) if pair.value.isdigit() else 0
    new = b"%d" % _offset(subject, now) if subject.pick(5) else WORDS[subject.pick(len(WORDS))]
    return _with_value(subject, [(pair, new)])


STRUCTURE = (
    "$TOT",
    "$PAR",
    "$BYTEORD",
    "$DATATYPE",
    "$MODE",
    "$NEXTDATA",
    "$TIMESTEP",
    "$SPILLOVER",
    "SPILL",
    "$COMP",
)


def _some_pair(subject: Subject) -> Pair | None:
    """A keyword: of those that say how DATA are read, of the channels, or any."""
    if subject.anatomy is None or not subject.anatomy.pairs:
        return None
    pairs = subject.anatomy.pairs
    if (way := subject.pick(4)) == 0:
        pairs = tuple(pair for pair in pairs if pair.key in STRUCTURE) or pairs
    elif way < 3:
        pairs = tuple(pair for pair in pairs if pair.key.startswith("$P") and pair.key[-1] in "BERGN") or pairs
    return pairs[subject.pick(len(pairs))]


def keyword_value(subject: Subject) -> Mutation | None:
    pair = _some_pair(subject)
    if pair is None or subject.anatomy is None:
        return None
    word = (*WORDS, subject.anatomy.delimiter, subject.anatomy.delimiter * 2 + b"x")[subject.pick(len(WORDS) + 2)]
    return _with_value(subject, [(pair, word)])


def keyword_number(subject: Subject) -> Mutation | None:
    """A number that is nearly what it was."""
    pairs = [pair for pair in subject.anatomy.pairs if pair.value.isdigit()] if subject.anatomy else []
    if not pairs:
        return None
    structure = [pair for pair in pairs if pair.key in STRUCTURE or pair.key[-1:] in "BERG"]
    if structure and subject.pick(4):
        pairs = structure
    pair = pairs[subject.pick(len(pairs))]
    now = int(pair.value)
    near = (now + 1, now - 1, now * 2, now // 2, now * 10, now + 8, max(0, now - 8), now % 7, -now)
    return _with_value(subject, [(pair, b"%d" % near[subject.pick(len(near))])])


def meaning(subject: Subject) -> Mutation | None:
    """What says how DATA are read: byte order, type, mode."""
    anatomy = subject.anatomy
    found = [anatomy.pair(key) for key in ("$BYTEORD", "$DATATYPE", "$MODE")] if anatomy else []
    pairs = [pair for pair in found if pair]
    if not pairs:
        return None
    pair = pairs[min(subject.pick(5) // 2, len(pairs) - 1)]
    words = {
        "$BYTEORD": (
            pair.value[::-1].encode("latin-1"),
            b"2,1,4,3",
            b"3,4,1,2",
            b"1,2,3",
            b"1,2",
            b"4,4,2,1",
            b"1",
        ),
        "$DATATYPE": (b"F", b"I", b"D", b"A", b"f", b"i", b"X"),
        "$MODE": (b"C", b"U", b"l", b"H", b"LL"),
    }[pair.key]
    return _with_value(subject, [(pair, words[subject.pick(len(words))])])


def swap_values(subject: Subject) -> Mutation | None:
    one, two = _some_pair(subject), _some_pair(subject)
    if one is None or two is None or one == two:
        return None
    values = [subject.content[slice(*pair.value_at)] for pair in (one, two)]
    return _with_value(subject, [(one, values[1]), (two, values[0])])


def mangle_name(subject: Subject) -> Mutation | None:
    pair = _some_pair(subject)
    if pair is None or subject.anatomy is None:
        return None
    name = subject.content[slice(*pair.name_at)]
    at = subject.pick(len(name))
    other = subject.anatomy.pairs[subject.pick(len(subject.anatomy.pairs))]
    letter = bytes([48 + subject.pick(43)])
    changed = [
        *(name[:at] + letter + name[at + 1 :], name[:at] + letter + name[at:], name[:at] + name[at + 1 :]),
        *(name.removeprefix(b"$"), b"$" + name, b"", b" " + name, subject.content[slice(*other.name_at)]),
        *(name[:at] + b"\xe9" + name[at:], name + b"\x00", name.replace(b"$P", b"$P0"), b"A" * 5000),
    ][subject.pick(12)]
    edit = (*pair.name_at, changed)
    said = f"name {pair.key} becomes {changed[:40]!r}"
    if subject.pick(3):
        return Mutation("", f"{said}, offsets adapted", spliced(subject.anatomy, [edit]))
    return edited(said, subject.content, [edit])


def drop_or_repeat(subject: Subject) -> Mutation | None:
    """A keyword left out with its value, or standing a second time with another, offsets adapted."""
    pair = _some_pair(subject)
    if pair is None or subject.anatomy is None:
        return None
    start, stop = pair.name_at[0], pair.value_at[1] + 1
    if subject.pick(2):
        return Mutation("", f"{pair.key} left out", spliced(subject.anatomy, [(start, stop, b"")]))
    other = _some_pair(subject) or pair
    mark = subject.anatomy.delimiter
    new = subject.content[slice(*pair.name_at)] + mark + subject.content[slice(*other.value_at)] + mark
    place = start if subject.pick(2) else stop
    said = f"{pair.key} stands again with {other.value[:40]!r} {'before' if place == start else 'after'} it"
    return Mutation("", said, spliced(subject.anatomy, [(place, place, new)]))
